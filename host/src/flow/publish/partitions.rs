//! How long the log is kept: by days, each in a partition of its own.

use chrono::{Days, NaiveDate};
use sqlx::{Connection as _, PgConnection};
use strum::VariantArray as _;

use crate::{
    app::App,
    store::{
        self,
        partitions::{self, Table},
    },
};

/// How long a drop waits for the table: payments wait behind it.
const LOCK_WAIT_MAX_MS: u32 = 50;
/// Days dropped in one round: each is a moment in which nobody writes.
const DROPS_MAX: usize = 4;
/// Rows deleted from a default partition in one statement: small transactions do not hold back others.
const DELETE_MAX: i64 = 5_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// Makes the partitions of the days to come.
pub async fn keep_partitions(conn: &mut PgConnection, today: NaiveDate) -> Result<(), store::Error> {
    for table in Table::VARIANTS {
        partitions::ensure(conn, *table, today).await?;
    }
    Ok(())
}

/// Lets go of what is older than events are kept. A day of the outbox goes as a whole, once every reader is behind it and
/// nothing of it waits to be delivered; so a sink that is down keeps its events, and shows in the metrics.
pub async fn drop_old(app: &App, conn: &mut PgConnection, today: NaiveDate) -> Result<(), store::Error> {
    // The day that is not over everywhere counts as well.
    let kept_days = app.config.event_retention.as_secs().div_ceil(SECONDS_PER_DAY);
    let until = today - Days::new(kept_days);
    for table in Table::VARIANTS {
        let name: &str = table.into();
        let over = partitions::days(conn, *table).await?.into_iter().filter(|day| *day < until);
        for day in over.take(DROPS_MAX) {
            match drop_day(conn, *table, day).await {
                Ok(Dropped::Yes) => tracing::info!(table = name, %day, "a day that is over was dropped"),
                // What is behind a day that is still wanted goes when that goes: the oldest first.
                Ok(Dropped::IsWanted) => break,
                Err(error) if error.is_transient() => {
                    tracing::info!(table = name, %day, "the table was busy; the day is dropped another time");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let deleted = partitions::delete_default(conn, *table, until, DELETE_MAX).await?;
        if deleted > 0 {
            tracing::info!(table = name, deleted, "rows from a clock that was far off were deleted");
        }
    }
    Ok(())
}

enum Dropped {
    Yes,
    IsWanted,
}

/// Looked at before the lock, where it may take its time, and again under it: nobody can write any more then. What a
/// merchant asks for again in that very moment is not looked at twice: it finds that the event is gone.
async fn drop_day(conn: &mut PgConnection, table: Table, day: NaiveDate) -> Result<Dropped, store::Error> {
    let is_log = table == Table::Outbox;
    if is_log && (partitions::is_unread(conn, day).await? || partitions::is_queued(conn, day).await?) {
        return Ok(Dropped::IsWanted);
    }
    let mut tx = conn.begin().await?;
    let dropped = async {
        partitions::lock(&mut tx, table, LOCK_WAIT_MAX_MS).await?;
        if is_log && partitions::is_unread(&mut tx, day).await? {
            return Ok(Dropped::IsWanted);
        }
        partitions::drop_day(&mut tx, table, day).await?;
        Ok(Dropped::Yes)
    }
    .await;
    match dropped {
        Ok(Dropped::Yes) => tx.commit().await?,
        Ok(Dropped::IsWanted) | Err(_) => tx.rollback().await?,
    }
    dropped
}
