//! Connectors and their versions: what a cluster shares. Global tables: a connector serves all merchants. Each change is
//! written together with its row in the audit log.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};

use super::{Error, audit_log::Audit};

/// A version, without its bytes.
#[derive(Clone, Debug, FromRow)]
pub struct Version {
    pub name: String,
    pub digest: Vec<u8>,
    pub version: String,
    pub descriptor: Value,
    pub state: String,
    /// Per cent of new payments, where it is a canary.
    pub share: i32,
    pub installed_at: DateTime<Utc>,
    /// New operations begin with it.
    pub active: bool,
}

/// Every version, the newest of a name first.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Version>, Error> {
    let rows = sqlx::query_as(
        "-- store::connectors::list
         select v.name, v.digest, v.version, v.descriptor, v.state, v.share, v.installed_at,
                coalesce(c.active_digest = v.digest, false) as active
           from connector_versions as v
           left join connectors as c on c.name = v.name
          order by v.name, v.installed_at desc, v.digest",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Which versions a host must have loaded and which of them are active: what every host reads every second. Those that
/// were withdrawn are wanted only while an unresolved operation began with them.
pub async fn digests(conn: &mut PgConnection) -> Result<Vec<(String, Vec<u8>, bool)>, Error> {
    let rows = sqlx::query_as(
        "-- store::connectors::digests
         select v.name, v.digest, coalesce(c.active_digest = v.digest, false)
           from connector_versions as v
           left join connectors as c on c.name = v.name
          where v.state <> all ('{retired,quarantined}')
             or exists (
                select 1
                  from work as w
                  join operations as o on o.merchant_id = w.merchant_id and o.operation_id = w.operation_id
                 where o.digest = v.digest)",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Whether the cluster has this component and takes no more operations to it: it was retired, or put in quarantine.
pub async fn is_withdrawn(conn: &mut PgConnection, digest: &[u8]) -> Result<bool, Error> {
    let withdrawn = sqlx::query_scalar(
        "-- store::connectors::is_withdrawn
         select exists (
            select 1 from connector_versions where digest = $1 and state = any ('{retired,quarantined}'))",
    )
    .bind(digest)
    .fetch_one(conn)
    .await?;
    Ok(withdrawn)
}

/// The component's bytes.
pub async fn component(conn: &mut PgConnection, digest: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let bytes = sqlx::query_scalar(
        "-- store::connectors::component
         select component from connector_components where digest = $1",
    )
    .bind(digest)
    .fetch_optional(conn)
    .await?;
    Ok(bytes)
}

/// How a version came to be active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub enum Activation {
    #[strum(serialize = "connector.activate")]
    Chosen,
    #[strum(serialize = "connector.rollback")]
    RolledBack,
}

/// A version to be kept.
pub struct NewVersion<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub digest: &'a [u8],
    pub descriptor: Value,
    pub component: &'a [u8],
    pub now: DateTime<Utc>,
}

/// Keeps a version as staged. Returns false where this very component is here already; that is no error, and no news for
/// the audit log.
pub async fn insert(conn: &mut PgConnection, new: &NewVersion<'_>, audit: &Audit) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::connectors::insert
         with bytes as (
            insert into connector_components (digest, component) values ($3, $5) on conflict do nothing),
         kept as (
            insert into connector_versions (name, digest, version, descriptor, state, installed_at, updated_at)
            values ($1, $3, $2, $4, 'staged', $6, $6)
            on conflict do nothing
            returning name, version, digest)
         insert into audit_log (entry_id, actor, action, subject, detail, created_at)
         select $7, $8, 'connector.install', name,
                jsonb_build_object('version', version, 'digest', encode(digest, 'hex')), $6
           from kept",
    )
    .bind(new.name)
    .bind(new.version)
    .bind(new.digest)
    .bind(&new.descriptor)
    .bind(new.component)
    .bind(new.now)
    .bind(audit.entry_id)
    .bind(&audit.actor)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets new operations begin with this version; the one before drains. Where it is active already nothing changes, and
/// there is nothing for the audit log. To be called in a transaction: two statements.
pub async fn activate(
    conn: &mut PgConnection,
    name: &str,
    digest: &[u8],
    activation: Activation,
    audit: &Audit,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "-- store::connectors::activate
         with changed as (
            insert into connectors (name, active_digest, updated_at) values ($1, $2, $3)
            on conflict (name) do update
               set previous_digest = connectors.active_digest, active_digest = $2, updated_at = $3
             where connectors.active_digest is distinct from $2
            returning name, active_digest)
         insert into audit_log (entry_id, actor, action, subject, detail, created_at)
         select $4, $5, $6, c.name,
                jsonb_build_object('version', v.version, 'digest', encode(c.active_digest, 'hex')), $3
           from changed as c
           left join connector_versions as v on v.name = c.name and v.digest = c.active_digest",
    )
    .bind(name)
    .bind(digest)
    .bind(now)
    .bind(audit.entry_id)
    .bind(&audit.actor)
    .bind(<&str>::from(activation))
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "-- store::connectors::activate (states)
         update connector_versions
            set state = case when digest = $2 then 'active' else 'draining' end, share = 100, updated_at = $3
          where name = $1 and (digest = $2 or state = 'active')",
    )
    .bind(name)
    .bind(digest)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The version that was active before the one that is; locks the connector's row. None where there was none.
pub async fn previous(conn: &mut PgConnection, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let digest: Option<Option<Vec<u8>>> = sqlx::query_scalar(
        "-- store::connectors::previous
         select previous_digest from connectors where name = $1 for update",
    )
    .bind(name)
    .fetch_optional(conn)
    .await?;
    Ok(digest.flatten())
}
