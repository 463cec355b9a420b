//! Writes down what versions have said and what this host has found out about them, and lets go of what is old.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use chrono::{DateTime, Days, Utc};
use uuid::Uuid;

use crate::{
    app::App,
    connector::{Line, Verb},
    flow::Refusal,
    store::{self, connector_log},
};

/// Days for which lines are kept, and lines of one connector at most.
const KEPT_DAYS: u64 = 7;
const KEPT_LINES: i64 = 10_000;

/// Connectors for which this host has written lines since it last looked whether they are too many.
pub struct Written(Mutex<BTreeSet<String>>);

/// One of every connector was written, for all that a host knows that has just started.
const ALL: &str = "";

impl Default for Written {
    fn default() -> Self {
        Self(Mutex::new(BTreeSet::from([ALL.to_owned()])))
    }
}

/// Writes down all lines since the last time: one statement; none where there are none. What could not be written is kept
/// for the next time, as far as there is room.
pub async fn write_lines(app: &App) -> Result<(), Refusal> {
    let lines = app.engine.lines().take();
    if lines.is_empty() {
        return Ok(());
    }
    let (now, instant) = (app.clock.now(), Instant::now());
    let rows: Vec<_> = lines.iter().map(|line| row(app, line, now, instant)).collect();
    let written = async {
        let mut conn = app.pool.acquire().await?;
        connector_log::add(&mut conn, &rows).await
    };
    if let Err(error) = written.await {
        app.engine.lines().give_back(lines);
        return Err(error.into());
    }
    let mut names = app.log_written.0.lock().unwrap_or_else(PoisonError::into_inner);
    names.extend(rows.into_iter().map(|row| row.name));
    Ok(())
}

fn row(app: &App, line: &Line, now: DateTime<Utc>, instant: Instant) -> connector_log::Line {
    let ago = instant.saturating_duration_since(line.at);
    connector_log::Line {
        line_id: app.ids.v7(),
        name: line.name.clone(),
        version: line.version.clone(),
        digest: line.digest.to_vec(),
        level: <&str>::from(line.level).to_owned(),
        origin: <&str>::from(line.origin).to_owned(),
        verb: line.verb.map(Verb::name).map(str::to_owned),
        operation_id: line.operation_id,
        merchant_id: line.merchant_id,
        message: line.message.clone(),
        at: now - ago,
    }
}

/// Deletes up to `limit` lines of those that are old or too many. Returns how many.
pub async fn delete_lines(app: &App, conn: &mut sqlx::PgConnection, limit: i64) -> Result<u64, store::Error> {
    let before = app.clock.now() - Days::new(KEPT_DAYS);
    let old = connector_log::delete_old(conn, first_id_of(before), limit).await?;
    let names = std::mem::take(&mut *app.log_written.0.lock().unwrap_or_else(PoisonError::into_inner));
    if names.is_empty() {
        return Ok(old);
    }
    let names: Vec<String> = if names.contains(ALL) {
        let rows = store::connectors::list(conn).await?;
        rows.into_iter().map(|row| row.name).collect::<BTreeSet<_>>().into_iter().collect()
    } else {
        names.into_iter().collect()
    };
    let many = connector_log::delete_many(conn, &names, KEPT_LINES, limit).await?;
    if i64::try_from(many).is_ok_and(|many| many >= limit) {
        app.log_written.0.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }
    Ok(old.max(many))
}

/// An id that is smaller than every one that was drawn since.
pub(super) fn first_id_of(time: DateTime<Utc>) -> Uuid {
    let millis = u128::from(time.timestamp_millis().unsigned_abs());
    // Of version 7: the upper 48 bits are milliseconds, the rest is smaller than any version's.
    Uuid::from_u128(millis << 80)
}
