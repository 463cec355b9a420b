//! Keys of the day: what card codes are encrypted under. Deleting a row destroys everything that it encrypted.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::Error;

/// The wrapped key of `day`, if there is one.
pub async fn get(conn: &mut PgConnection, day: NaiveDate) -> Result<Option<Vec<u8>>, Error> {
    let row = sqlx::query_scalar(
        "-- store::day_keys::get
         select wrapped from day_keys where day = $1",
    )
    .bind(day)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Keeps `wrapped` as the key of `day` unless another host was first; returns the one that stands. Two statements where
/// another was first: the loser of a conflict does not see the winner's row.
pub async fn put_if_absent(conn: &mut PgConnection, day: NaiveDate, wrapped: &[u8]) -> Result<Vec<u8>, Error> {
    let inserted: Option<Vec<u8>> = sqlx::query_scalar(
        "-- store::day_keys::put_if_absent
         insert into day_keys (day, wrapped) values ($1, $2) on conflict do nothing returning wrapped",
    )
    .bind(day)
    .bind(wrapped)
    .fetch_optional(&mut *conn)
    .await?;
    match inserted {
        Some(mine) => Ok(mine),
        None => get(conn, day).await?.ok_or_else(|| Error::Unreadable {
            table: "day_keys",
            what: format!("the key of {day} was there a moment ago and is gone"),
        }),
    }
}

/// Destroys the keys of days that are more than `kept_days` past, by the database's clock, and the codes that nobody can
/// read any more. Returns how many keys.
pub async fn destroy_past(conn: &mut PgConnection, kept_days: i32) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::day_keys::destroy_past
         with past as (select (clock_timestamp() at time zone 'UTC')::date - $1::int as day),
              codes as (delete from token_codes using past where token_codes.day < past.day)
         delete from day_keys using past where day_keys.day < past.day",
    )
    .bind(kept_days)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes card codes whose time is over. Returns how many.
pub async fn delete_expired_codes(conn: &mut PgConnection) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::day_keys::delete_expired_codes
         delete from token_codes where expires_at < clock_timestamp()",
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
