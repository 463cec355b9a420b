//! Keeps the house: tomorrow's partitions, yesterday's keys, answers whose time is over, card codes that nobody used.

use std::{sync::Arc, time::Duration};

use chrono::Days;

use super::More;
use crate::{app::App, store};

pub(super) const PAUSE: Duration = Duration::from_mins(1);
/// Rows deleted in one statement: small transactions do not hold back others.
const DELETE_MAX: i64 = 5_000;
/// Days for which a key of the day is kept: a code lives for at most one day after the one it was entered on.
const DAY_KEYS_KEPT_DAYS: i32 = 2;

/// Five statements.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    let today = app.clock.now().date_naive();
    let mut conn = app.pool.acquire().await?;
    store::outbox::ensure_partitions(&mut conn, today).await?;
    store::day_keys::delete_expired_codes(&mut conn).await?;
    app.vault.forget_day_keys_before(today - Days::new(u64::from(DAY_KEYS_KEPT_DAYS.unsigned_abs())));
    let destroyed = store::day_keys::destroy_past(&mut conn, DAY_KEYS_KEPT_DAYS).await?;
    if destroyed > 0 {
        tracing::info!(destroyed, "keys of past days were destroyed, and every card code under them");
    }
    let deleted = store::idempotency::delete_expired(&mut conn, DELETE_MAX).await?;
    let (under_way, unknown) = store::work::count(&mut conn).await?;
    drop(conn);
    gauge("interlock_operations_under_way", under_way);
    gauge("interlock_operations_unknown", unknown);
    Ok(if i64::try_from(deleted) == Ok(DELETE_MAX) { More::Yes } else { More::No })
}

fn gauge(name: &'static str, count: i64) {
    // A count of rows is far below what an f64 holds exactly (2^53).
    metrics::gauge!(name).set(i32::try_from(count).unwrap_or(i32::MAX));
}
