//! What connectors' versions have logged, and what hosts have found out about them. A global table.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// A row of `connector_log`.
#[derive(Clone, Debug, FromRow)]
pub struct Line {
    pub line_id: Uuid,
    pub name: String,
    pub version: String,
    pub digest: Vec<u8>,
    /// `debug`, `info`, `warn` or `error`
    pub level: String,
    /// `connector` or `host`
    pub origin: String,
    pub verb: Option<String>,
    pub operation_id: Option<Uuid>,
    pub merchant_id: Option<Uuid>,
    pub message: String,
    pub at: DateTime<Utc>,
}

/// Adds lines: one statement, which inserts them all.
pub async fn add(conn: &mut PgConnection, lines: &[Line]) -> Result<(), Error> {
    fn column<'r, T>(lines: &'r [Line], of: impl Fn(&'r Line) -> T) -> Vec<T> {
        lines.iter().map(of).collect()
    }
    let done = sqlx::query(
        "-- store::connector_log::add
         insert into connector_log
            (line_id, name, version, digest, level, origin, verb, operation_id, merchant_id, message, at)
         select line_id, name, version, digest, level, origin, verb, operation_id, merchant_id, message, at
           from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::uuid[],
                       $9::uuid[], $10::text[], $11::timestamptz[])
             as n (line_id, name, version, digest, level, origin, verb, operation_id, merchant_id, message, at)",
    )
    .bind(column(lines, |line| line.line_id))
    .bind(column(lines, |line| line.name.as_str()))
    .bind(column(lines, |line| line.version.as_str()))
    .bind(column(lines, |line| line.digest.as_slice()))
    .bind(column(lines, |line| line.level.as_str()))
    .bind(column(lines, |line| line.origin.as_str()))
    .bind(column(lines, |line| line.verb.as_deref()))
    .bind(column(lines, |line| line.operation_id))
    .bind(column(lines, |line| line.merchant_id))
    .bind(column(lines, |line| line.message.as_str()))
    .bind(column(lines, |line| line.at))
    .execute(conn)
    .await?;
    debug_assert_eq!(done.rows_affected(), lines.len() as u64, "an insert inserts all of its rows or fails");
    Ok(())
}

/// Which lines a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub name: String,
    pub version: Option<String>,
    /// Only lines of these levels.
    pub levels: Vec<&'static str>,
    /// Only lines older than this one: the cursor.
    pub before: Option<Uuid>,
    /// Only lines newer than this one.
    pub after: Option<Uuid>,
    /// Rows at most.
    pub limit: i64,
}

/// The lines, newest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<Line>, Error> {
    let rows = sqlx::query_as(
        "-- store::connector_log::list
         select line_id, name, version, digest, level, origin, verb, operation_id, merchant_id, message, at
           from connector_log
          where name = $1
            and ($2::text is null or version = $2)
            and level = any ($3)
            and line_id < coalesce($4, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
            and line_id > coalesce($5, '00000000-0000-0000-0000-000000000000'::uuid)
          order by line_id desc
          limit $6",
    )
    .bind(&filter.name)
    .bind(&filter.version)
    .bind(&filter.levels)
    .bind(filter.before)
    .bind(filter.after)
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Deletes up to `limit` lines that are older than the id `before`, of whichever connector. Returns how many.
pub async fn delete_old(conn: &mut PgConnection, before: Uuid, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::connector_log::delete_old
         delete from connector_log
          where line_id in (select line_id from connector_log where line_id < $1 order by line_id limit $2)",
    )
    .bind(before)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Of each of these connectors, deletes up to `limit` of the lines that come after its newest `kept`. Returns how many.
pub async fn delete_many(conn: &mut PgConnection, names: &[String], kept: i64, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::connector_log::delete_many
         delete from connector_log
          where line_id in (
             select l.line_id
               from unnest($1::text[]) as n (name)
              cross join lateral (
                 select line_id from connector_log where name = n.name order by line_id desc offset $2 limit $3) as l)",
    )
    .bind(names)
    .bind(kept)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
