//! Connectors and their versions: what a cluster shares. Global tables: a connector serves all merchants.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};

use super::Error;

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

/// Which versions there are and which of them are active: what every host reads every second.
pub async fn digests(conn: &mut PgConnection) -> Result<Vec<(String, Vec<u8>, bool)>, Error> {
    let rows = sqlx::query_as(
        "-- store::connectors::digests
         select v.name, v.digest, coalesce(c.active_digest = v.digest, false)
           from connector_versions as v
           left join connectors as c on c.name = v.name",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
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

/// A version to be kept.
pub struct NewVersion<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub digest: &'a [u8],
    pub descriptor: Value,
    pub component: &'a [u8],
    pub now: DateTime<Utc>,
}

/// Keeps a version as staged. Returns false where this very component is here already; that is no error.
pub async fn insert(conn: &mut PgConnection, new: &NewVersion<'_>) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::connectors::insert
         with bytes as (
            insert into connector_components (digest, component) values ($3, $5) on conflict do nothing)
         insert into connector_versions (name, digest, version, descriptor, state, installed_at, updated_at)
         values ($1, $3, $2, $4, 'staged', $6, $6)
         on conflict do nothing",
    )
    .bind(new.name)
    .bind(new.version)
    .bind(new.digest)
    .bind(&new.descriptor)
    .bind(new.component)
    .bind(new.now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets new operations begin with this version; the one before drains. To be called in a transaction: two statements.
pub async fn activate(conn: &mut PgConnection, name: &str, digest: &[u8], now: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query(
        "-- store::connectors::activate
         insert into connectors (name, active_digest, updated_at) values ($1, $2, $3)
         on conflict (name) do update
            set previous_digest = case when connectors.active_digest = $2 then connectors.previous_digest
                                       else connectors.active_digest end,
                active_digest = $2, updated_at = $3",
    )
    .bind(name)
    .bind(digest)
    .bind(now)
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
