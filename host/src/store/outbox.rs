//! The outbox log: append-only, a partition a day. Written in the transactions of [`super::begin`] and
//! [`super::finish`]; read by cursors over (`xid`, `id`), gated by the oldest running transaction, so that a late commit
//! is never skipped. This is the one file that may use what only Postgres has.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use super::Error;

/// Days ahead for which a partition is kept ready.
pub const PARTITIONS_AHEAD_DAYS: u64 = 3;

/// Makes the partitions of `today` and the days after it, where they are missing. Hosts that do it at once do not
/// hinder each other. A day that [`outbox_default`](self) has taken rows of keeps them there.
pub async fn ensure_partitions(conn: &mut PgConnection, today: NaiveDate) -> Result<(), Error> {
    for ahead in 0..=PARTITIONS_AHEAD_DAYS {
        let day = today + Days::new(ahead);
        let (from, to) = (midnight(day), midnight(day + Days::new(1)));
        // Names and bounds cannot be parameters of DDL; all three are made of a date.
        let statement = format!(
            "-- store::outbox::ensure_partitions
             create table if not exists outbox_{} partition of outbox for values from ('{from}') to ('{to}')",
            day.format("%Y%m%d"),
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

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}
