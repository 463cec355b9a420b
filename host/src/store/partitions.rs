//! Partitions by day: made ahead of time, dropped when their time is over. And the default partition, which holds what no
//! day's takes because a host's clock was far off.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};
use strum::{IntoStaticStr, VariantArray};

use super::Error;

/// Days ahead for which a partition is kept ready.
pub const PARTITIONS_AHEAD_DAYS: u64 = 3;

/// A table with a partition for each day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Table {
    /// By `created_at`.
    Outbox,
    /// By `at`.
    DeliveryLog,
}

impl Table {
    /// The column that says in which day's partition a row is.
    fn time(self) -> &'static str {
        match self {
            Self::Outbox => "created_at",
            Self::DeliveryLog => "at",
        }
    }

    /// The partition of a day. Names cannot be parameters: this one is made of a word of ours and a date.
    fn partition(self, day: NaiveDate) -> String {
        format!("{}_{}", <&str>::from(self), day.format("%Y%m%d"))
    }
}

/// Makes the partitions of `today` and the days after it, where they are missing: one statement where none is. Hosts that
/// do it at once do not hinder each other. A day that the default partition has taken rows of keeps them there.
pub async fn ensure(conn: &mut PgConnection, table: Table, today: NaiveDate) -> Result<(), Error> {
    let there = days(conn, table).await?;
    for day in (0..=PARTITIONS_AHEAD_DAYS).map(|ahead| today + Days::new(ahead)).filter(|day| !there.contains(day)) {
        let (from, to) = (midnight(day), midnight(day + Days::new(1)));
        let statement = format!(
            "-- store::partitions::ensure
             create table if not exists {} partition of {} for values from ('{from}') to ('{to}')",
            table.partition(day),
            <&str>::from(table),
        );
        match sqlx::query(AssertSqlSafe(statement)).execute(&mut *conn).await {
            Ok(_) => {}
            // 23514: the default partition holds rows of that day. 42P07, 23505: another host was first.
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("23514" | "42P07" | "23505" | "42P17")) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The days that have a partition, oldest first. What operators attached under names of their own is theirs.
pub async fn days(conn: &mut PgConnection, table: Table) -> Result<Vec<NaiveDate>, Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "-- store::partitions::days
         select relname::text from pg_inherits join pg_class on oid = inhrelid where inhparent = $1::text::regclass",
    )
    .bind(<&str>::from(table))
    .fetch_all(conn)
    .await?;
    let prefix = format!("{}_", <&str>::from(table));
    let day = |name: &String| NaiveDate::parse_from_str(name.strip_prefix(&prefix)?, "%Y%m%d").ok();
    let mut days: Vec<NaiveDate> = names.iter().filter_map(day).collect();
    days.sort_unstable();
    Ok(days)
}

/// Whether a reader has not read all events of that day. The day's last event is found by its index.
pub async fn is_unread(conn: &mut PgConnection, day: NaiveDate) -> Result<bool, Error> {
    let is_unread = sqlx::query_scalar(
        "-- store::partitions::is_unread
        select exists (
            select 1
              from (select xid, id from outbox where created_at >= $1 and created_at < $2
                     order by xid desc, id desc limit 1) as last
              join outbox_cursors as at on (last.xid, last.id) > (at.xid, at.id))",
    )
    .bind(midnight(day))
    .bind(midnight(day + Days::new(1)))
    .fetch_one(conn)
    .await?;
    Ok(is_unread)
}

/// Whether an event of that day waits to be delivered. Reads the whole queue where none does.
pub async fn is_queued(conn: &mut PgConnection, day: NaiveDate) -> Result<bool, Error> {
    let is_queued = sqlx::query_scalar(
        "-- store::partitions::is_queued
         select exists (select 1 from delivery_queue where event_created_at >= $1 and event_created_at < $2)",
    )
    .bind(midnight(day))
    .bind(midnight(day + Days::new(1)))
    .fetch_one(conn)
    .await?;
    Ok(is_queued)
}

/// Sets how long the transaction waits for a lock, and keeps everybody else away from the table for the rest of it. For
/// [`drop_day`]: a partition can only be dropped under a lock of the whole table. Payments wait meanwhile, so it gives up
/// soon (`55P03`): the next time may be a better one.
pub async fn lock(conn: &mut PgConnection, table: Table, wait_max_ms: u32) -> Result<(), Error> {
    let statement = format!(
        "-- store::partitions::lock
         set local lock_timeout = {wait_max_ms}"
    );
    sqlx::query(AssertSqlSafe(statement)).execute(&mut *conn).await?;
    let statement = format!(
        "-- store::partitions::lock
         lock table only {} in access exclusive mode",
        <&str>::from(table)
    );
    sqlx::query(AssertSqlSafe(statement)).execute(conn).await?;
    Ok(())
}

/// Drops a day's partition, in the transaction of [`lock`].
pub async fn drop_day(conn: &mut PgConnection, table: Table, day: NaiveDate) -> Result<(), Error> {
    let statement = format!(
        "-- store::partitions::drop_day
         drop table if exists {}",
        table.partition(day)
    );
    sqlx::query(AssertSqlSafe(statement)).execute(conn).await?;
    Ok(())
}

/// Deletes up to `limit` rows of the default partition from before `until`. Those of the outbox stay while a reader or
/// the queue of deliveries wants them. Returns how many.
pub async fn delete_default(conn: &mut PgConnection, table: Table, until: NaiveDate, limit: i64) -> Result<u64, Error> {
    let (name, time) = (<&str>::from(table), table.time());
    let unless_wanted = match table {
        Table::Outbox => {
            "and not exists (select 1 from outbox_cursors as at where (old.xid, old.id) > (at.xid, at.id))
             and not exists (select 1 from delivery_queue where event_id = old.id and merchant_id = old.merchant_id)"
        }
        Table::DeliveryLog => "",
    };
    let statement = format!(
        "-- store::partitions::delete_default
        delete from {name}_default where ctid in (
            select ctid from {name}_default as old where {time} < $1 {unless_wanted} limit $2)"
    );
    let done = sqlx::query(AssertSqlSafe(statement)).bind(midnight(until)).bind(limit).execute(conn).await?;
    Ok(done.rows_affected())
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}
