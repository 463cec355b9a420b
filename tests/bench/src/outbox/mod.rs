//! The outbox as somebody sees it who stands beside the host: a backlog for it to read, and how far it is.

mod backlog;
mod lags;
mod watch;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

pub use self::{
    backlog::{Paused, fill},
    lags::Lags,
    watch::{Looks, Watch},
};
use crate::postgres::Postgres;

/// The reader that passes events to merchants' endpoints.
const READER: &str = "endpoints";

/// What a measure leaves behind is done within this.
const QUIET_MAX: Duration = Duration::from_mins(2);
const QUIET_LOOK_EVERY: Duration = Duration::from_millis(50);

/// An event, by its place in the log.
pub struct Logged {
    pub xid: u64,
    pub id: Uuid,
    pub merchant: Uuid,
}

/// The number that the next transaction gets: later events have it or a higher one.
pub fn next_transaction(postgres: &mut Postgres) -> anyhow::Result<u64> {
    Ok(postgres.text("select pg_snapshot_xmax(pg_current_snapshot())::text")?.parse()?)
}

/// The events of transactions from `xid` on, in the order of the log.
pub fn events_from(postgres: &mut Postgres, xid: u64) -> anyhow::Result<Vec<Logged>> {
    let sql =
        format!("select xid::text, id, merchant_id from outbox where xid >= '{xid}'::xid8 order by outbox.xid, id");
    let rows = postgres.rows(sqlx::query(AssertSqlSafe(sql)))?;
    rows.iter()
        .map(|row| {
            let xid: String = row.try_get(0)?;
            Ok(Logged { xid: xid.parse()?, id: row.try_get(1)?, merchant: row.try_get(2)? })
        })
        .collect()
}

/// The last event of the log: its transaction and its id.
pub fn last(postgres: &mut Postgres) -> anyhow::Result<(u64, Uuid)> {
    let text =
        postgres.text("select xid::text || ' ' || id::text from outbox order by outbox.xid desc, id desc limit 1")?;
    let (xid, id) = text.split_once(' ').context("there are two")?;
    Ok((xid.parse()?, id.parse()?))
}

/// Whether the reader has passed an event.
pub fn has_passed(postgres: &mut Postgres, (xid, id): &(u64, Uuid)) -> anyhow::Result<bool> {
    let sql = format!(
        "select ((xid, id) >= ('{xid}'::xid8, '{id}'::uuid))::int::bigint from outbox_cursors where reader = '{READER}'"
    );
    Ok(postgres.count(&sql)? == 1)
}

/// An event's body as it is sent.
pub fn latest_payload(postgres: &mut Postgres) -> anyhow::Result<String> {
    postgres.text("select payload from outbox where type = 'payment.succeeded' order by outbox.xid desc limit 1")
}

/// Waits until the reader has passed everything and nothing is queued: what one measure has left does not weigh on the
/// next. Fails where that lasts longer than [`QUIET_MAX`].
pub fn wait_until_quiet(postgres: &mut Postgres) -> anyhow::Result<()> {
    let began = Instant::now();
    let sql = format!(
        "select (select count(*) from outbox, outbox_cursors as c
                  where reader = '{READER}' and (outbox.xid, outbox.id) > (c.xid, c.id))
              + (select count(*) from delivery_queue)"
    );
    loop {
        let left = postgres.count(&sql)?;
        if left == 0 {
            return Ok(());
        }
        ensure!(began.elapsed() < QUIET_MAX, "{left} events and deliveries are left after {} s", QUIET_MAX.as_secs());
        std::thread::sleep(QUIET_LOOK_EVERY);
    }
}
