//! Connectors and their versions: what a cluster shares. Global tables: a connector serves all merchants. Whatever changes
//! is written together with its row in the audit log, in a transaction that has locked the connector ([`lock`]).

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};

use super::{Error, audit_log::Audit};
use crate::domain::connector_life::State;

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
    /// When its state began.
    pub since: DateTime<Utc>,
    /// New operations begin with it.
    pub active: bool,
}

impl Version {
    /// Its state, read.
    pub fn state(&self) -> Result<State, Error> {
        read_state(&self.state)
    }
}

fn read_state(state: &str) -> Result<State, Error> {
    let unreadable = |_| Error::Unreadable { table: "connector_versions", what: format!("the state `{state}`") };
    state.parse().map_err(unreadable)
}

/// What a [`Version`] is read from.
macro_rules! versions {
    () => {
        "v.name, v.digest, v.version, v.descriptor, v.state, v.share, v.installed_at, v.since,
                coalesce(c.active_digest = v.digest, false) as active
           from connector_versions as v
           left join connectors as c on c.name = v.name"
    };
}

/// Every version, the newest of a name first.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Version>, Error> {
    let rows = sqlx::query_as(concat!(
        "-- store::connectors::list
         select ",
        versions!(),
        "
          order by v.name, v.installed_at desc, v.digest",
    ));
    Ok(rows.fetch_all(conn).await?)
}

/// The versions of one connector, the newest first.
pub async fn of_name(conn: &mut PgConnection, name: &str) -> Result<Vec<Version>, Error> {
    let rows = sqlx::query_as(concat!(
        "-- store::connectors::of_name
         select ",
        versions!(),
        "
          where v.name = $1
          order by v.installed_at desc, v.digest",
    ));
    Ok(rows.bind(name).fetch_all(conn).await?)
}

/// As a host that follows sees a version.
#[derive(Clone, Debug)]
pub struct Followed {
    pub name: String,
    pub digest: Vec<u8>,
    pub state: State,
    /// Per cent of new payments, where it is a canary.
    pub share: i32,
}

/// Which versions a host must have loaded and what part each has in new operations: what every host reads every second.
/// What changed last stands first. Those that were withdrawn are wanted only while an unresolved operation began with them;
/// that is not asked of those in `loaded`.
pub async fn followed(conn: &mut PgConnection, loaded: &[[u8; 32]]) -> Result<Vec<Followed>, Error> {
    let loaded: Vec<&[u8]> = loaded.iter().map(<[u8; 32]>::as_slice).collect();
    let rows: Vec<(String, Vec<u8>, String, i32)> = sqlx::query_as(
        "-- store::connectors::followed
         select v.name, v.digest, v.state, v.share
           from connector_versions as v
          where v.state <> all ('{retired,quarantined}')
             or v.digest <> all ($1)
                and exists (
                   select 1
                     from work as w
                     join operations as o on o.merchant_id = w.merchant_id and o.operation_id = w.operation_id
                    where o.digest = v.digest)
          order by v.since desc, v.digest",
    )
    .bind(loaded)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(name, digest, state, share)| Ok(Followed { name, digest, state: read_state(&state)?, share }))
        .collect()
}

/// The state of the version that is this component, and whether any version of its connector is active; none where the
/// cluster does not have it.
pub async fn state_of(conn: &mut PgConnection, digest: &[u8]) -> Result<Option<(State, bool)>, Error> {
    let row: Option<(String, bool)> = sqlx::query_as(
        "-- store::connectors::state_of
         select v.state, c.active_digest is not null
           from connector_versions as v
           left join connectors as c on c.name = v.name
          where v.digest = $1",
    )
    .bind(digest)
    .fetch_optional(conn)
    .await?;
    row.map(|(state, has_active)| Ok((read_state(&state)?, has_active))).transpose()
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
    /// What its admission found.
    pub report: Value,
    /// Who vouches for it.
    pub signature: Option<Value>,
    pub now: DateTime<Utc>,
}

/// Keeps a version as staged, by the database's clock: of two that bear one number the one installed later is meant by it.
/// Returns false where this very component is here already; that is no error, and no news for
/// the audit log. A report that it lacked is added to it, and a signature that it lacked or had from another key, which is news.
pub async fn insert(conn: &mut PgConnection, new: &NewVersion<'_>, audit: &Audit) -> Result<bool, Error> {
    let first = sqlx::query_scalar(
        "-- store::connectors::insert
         with bytes as (
            insert into connector_components (digest, component) values ($3, $5) on conflict do nothing),
         kept as (
            insert into connector_versions
                   (name, digest, version, descriptor, state, signature, report, installed_at, updated_at)
            values ($1, $3, $2, $4, 'staged', $10, $9, clock_timestamp(), $6)
            on conflict do nothing
            returning name, version, digest, signature),
         completed as (
            update connector_versions
               set report = coalesce(report, $9), signature = coalesce($10, signature), updated_at = $6
             where name = $1 and digest = $3 and (report is null or signature is distinct from coalesce($10, signature))
            returning name, version, digest, signature),
         news as (
            select 'connector.install' as action, name, version, digest, signature from kept
            union all
            select 'connector.sign', name, version, digest, signature from completed where signature = $10),
         entered as (
            insert into audit_log (entry_id, actor, action, subject, detail, created_at)
            select $7, $8, action, name,
                   jsonb_strip_nulls(jsonb_build_object(
                      'version', version, 'digest', encode(digest, 'hex'), 'signed_by', signature ->> 'public_key')),
                   $6
              from news)
         select exists (select 1 from kept)",
    )
    .bind(new.name)
    .bind(new.version)
    .bind(new.digest)
    .bind(&new.descriptor)
    .bind(new.component)
    .bind(new.now)
    .bind(audit.entry_id)
    .bind(&audit.actor)
    .bind(&new.report)
    .bind(&new.signature)
    .fetch_one(conn)
    .await?;
    Ok(first)
}

/// A connector's own row.
#[derive(Clone, Debug, Default, FromRow)]
pub struct Head {
    /// What new operations begin with, canaries aside.
    pub active_digest: Option<Vec<u8>>,
    /// Where a rollback goes.
    pub previous_digest: Option<Vec<u8>>,
}

/// Locks the connector until the transaction ends, and makes its row where there is none: of two that change the states of
/// its versions, the second sees what the first has done.
pub async fn lock(conn: &mut PgConnection, name: &str, now: DateTime<Utc>) -> Result<Head, Error> {
    let head = sqlx::query_as(
        "-- store::connectors::lock
         insert into connectors (name, updated_at) values ($1, $2)
         on conflict (name) do update set updated_at = connectors.updated_at
         returning active_digest, previous_digest",
    )
    .bind(name)
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(head)
}

/// Writes what new operations begin with and where a rollback goes. Must touch one row; the caller has locked it.
pub async fn set_head(conn: &mut PgConnection, name: &str, head: &Head, now: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query(
        "-- store::connectors::set_head
         with changed as (
            update connectors set active_digest = $2, previous_digest = $3, updated_at = $4 where name = $1 returning 1)
         select 1 / (select count(*) from changed)",
    )
    .bind(name)
    .bind(&head.active_digest)
    .bind(&head.previous_digest)
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Puts a version into a state, which begins now where it is another one than before. Must touch one row; the caller has
/// locked the connector.
pub async fn set_state(
    conn: &mut PgConnection,
    name: &str,
    digest: &[u8],
    state: State,
    share: u8,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "-- store::connectors::set_state
         with changed as (
            update connector_versions
               set since = case when state = $3 then since else clock_timestamp() end,
                   state = $3, share = $4, updated_at = $5
             where name = $1 and digest = $2
            returning 1)
         select 1 / (select count(*) from changed)",
    )
    .bind(name)
    .bind(digest)
    .bind(<&str>::from(state))
    .bind(i32::from(share))
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Operations that began with this version and are not final.
pub async fn under_way(conn: &mut PgConnection, digest: &[u8]) -> Result<i64, Error> {
    let count = sqlx::query_scalar(
        "-- store::connectors::under_way
         select count(*)
           from work as w
           join operations as o on o.merchant_id = w.merchant_id and o.operation_id = w.operation_id
          where o.digest = $1",
    )
    .bind(digest)
    .fetch_one(conn)
    .await?;
    Ok(count)
}
