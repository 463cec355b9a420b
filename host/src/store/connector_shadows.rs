//! Replays of recorded operations on a version of a connector: who asked for one, which host has it, and what it showed.
//! Global tables; the operations that are replayed are those of all merchants.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// Asks for a replay; of one that was asked for before and is not done, what is asked now holds. Touches one row.
pub async fn ask(
    conn: &mut PgConnection,
    name: &str,
    digest: &[u8],
    transcripts: i32,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let done = sqlx::query(
        "-- store::connector_shadows::ask
         insert into connector_shadows (name, digest, transcripts, due_at, asked_at)
         values ($1, $2, $3, clock_timestamp(), $4)
         on conflict (name, digest) do update
            set transcripts = excluded.transcripts, asked_at = excluded.asked_at, owner = null, due_at = excluded.due_at",
    )
    .bind(name)
    .bind(digest)
    .bind(transcripts)
    .bind(now)
    .execute(conn)
    .await?;
    debug_assert_eq!(done.rows_affected(), 1, "an upsert of one row writes it or fails");
    Ok(())
}

/// Takes back what was asked for. Touches one row, or none.
pub async fn forget(conn: &mut PgConnection, name: &str, digest: &[u8]) -> Result<(), Error> {
    sqlx::query(
        "-- store::connector_shadows::forget
         delete from connector_shadows where name = $1 and digest = $2",
    )
    .bind(name)
    .bind(digest)
    .execute(conn)
    .await?;
    Ok(())
}

/// A replay that this host has taken.
#[derive(Clone, Debug, FromRow)]
pub struct Claimed {
    pub name: String,
    pub digest: Vec<u8>,
    pub transcripts: i32,
    pub asked_at: DateTime<Utc>,
}

/// Takes one replay of a version that this host has loaded, for as long as the lease; none where there is none.
pub async fn claim(
    conn: &mut PgConnection,
    loaded: &[[u8; 32]],
    owner: Uuid,
    lease_ms: i64,
) -> Result<Option<Claimed>, Error> {
    let loaded: Vec<&[u8]> = loaded.iter().map(<[u8; 32]>::as_slice).collect();
    let row = sqlx::query_as(
        "-- store::connector_shadows::claim
         update connector_shadows as s set owner = $2, due_at = clock_timestamp() + $3 * interval '1 millisecond'
           from (select name, digest from connector_shadows
                  where due_at <= clock_timestamp() and digest = any ($1)
                  order by asked_at limit 1
                    for update skip locked) as next
          where s.name = next.name and s.digest = next.digest
         returning s.name, s.digest, s.transcripts, s.asked_at",
    )
    .bind(loaded)
    .bind(owner)
    .bind(lease_ms)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Renews the lease; nought milliseconds give it up. False where it is another's, or something else was asked meanwhile.
pub async fn renew(conn: &mut PgConnection, claimed: &Claimed, owner: Uuid, lease_ms: i64) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::connector_shadows::renew
         update connector_shadows set due_at = clock_timestamp() + $5 * interval '1 millisecond'
          where name = $1 and digest = $2 and owner = $3 and asked_at = $4",
    )
    .bind(&claimed.name)
    .bind(&claimed.digest)
    .bind(owner)
    .bind(claimed.asked_at)
    .bind(lease_ms)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps what a replay has shown, and ends it: one statement. False, with nothing written, where the lease is another's or
/// something else was asked meanwhile.
pub async fn finish(conn: &mut PgConnection, claimed: &Claimed, owner: Uuid, report: &Value) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::connector_shadows::finish
         with held as (
            delete from connector_shadows
             where name = $1 and digest = $2 and owner = $3 and asked_at = $4
            returning name, digest)
         update connector_versions as v set shadow = $5 from held where v.name = held.name and v.digest = held.digest",
    )
    .bind(&claimed.name)
    .bind(&claimed.digest)
    .bind(owner)
    .bind(claimed.asked_at)
    .bind(report)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Where the replays on a version stand.
#[derive(Clone, Debug, FromRow)]
pub struct Shadow {
    /// When one was asked for that is not done.
    pub asked_at: Option<DateTime<Utc>>,
    /// Whether a host is at it.
    pub is_running: bool,
    /// What the last one has shown.
    pub report: Option<Value>,
}

/// Where the replays on a version stand; none where there is no such version.
pub async fn of_version(conn: &mut PgConnection, name: &str, digest: &[u8]) -> Result<Option<Shadow>, Error> {
    let row = sqlx::query_as(
        "-- store::connector_shadows::of_version
         select s.asked_at, coalesce(s.owner is not null and s.due_at > clock_timestamp(), false) as is_running,
                v.shadow as report
           from connector_versions as v
           left join connector_shadows as s on s.name = v.name and s.digest = v.digest
          where v.name = $1 and v.digest = $2",
    )
    .bind(name)
    .bind(digest)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// An operation that can be replayed.
#[derive(Clone, Debug, FromRow)]
pub struct Recorded {
    pub merchant_id: Uuid,
    pub operation_id: Uuid,
    /// The version that began it.
    pub digest: Vec<u8>,
    pub input: Value,
    pub context: Value,
}

/// The latest operations of a connector that have ended and went on the wire, the latest first. Operations are kept by
/// merchant and by time: the last `limit` of them belong to the `limit` merchants whose latest one is the latest, and,
/// where there are that many, none of them is older than the oldest of these. None is looked for before `from`, so that a
/// merchant who has an account and never used it costs no more than what he did since.
pub async fn latest_operations(
    conn: &mut PgConnection,
    name: &str,
    limit: i32,
    from: Uuid,
) -> Result<Vec<Recorded>, Error> {
    let rows = sqlx::query_as(
        "-- store::connector_shadows::latest_operations
         with newest as (
            select m.merchant_id, o.operation_id
              from (select distinct merchant_id from gateway_accounts where connector = $1) as m
             cross join lateral (
                select operation_id from operations
                 where merchant_id = m.merchant_id and connector = $1 and finished_at is not null and operation_id >= $3
                 order by operation_id desc limit 1) as o
             order by o.operation_id desc limit $2),
         bound as (
            select case when count(*) = $2 then (array_agg(operation_id order by operation_id))[1] end as oldest from newest),
         latest as (
            select n.merchant_id, o.operation_id
              from newest as n
             cross join bound as b
             cross join lateral (
                select operation_id from operations
                 where merchant_id = n.merchant_id and connector = $1 and finished_at is not null
                   and operation_id >= coalesce(b.oldest, $3)
                 order by operation_id desc limit $2) as o
             order by o.operation_id desc limit $2)
         select o.merchant_id, o.operation_id, o.digest, o.input, o.context
           from latest as l
           join operations as o on o.merchant_id = l.merchant_id and o.operation_id = l.operation_id
          where exists (select 1 from exchanges as e
                         where e.merchant_id = o.merchant_id and e.operation_id = o.operation_id)
          order by o.operation_id desc",
    )
    .bind(name)
    .bind(limit)
    .bind(from)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
