//! Keeps the house: tomorrow's partitions, yesterday's keys, answers and sessions whose time is over, card codes that
//! nobody used.

use std::{sync::Arc, time::Duration};

use chrono::Days;

use super::More;
use crate::{
    app::App,
    flow::{connectors, publish},
    store,
};

pub(super) const PAUSE: Duration = Duration::from_mins(1);
/// Rows deleted in one statement: small transactions do not hold back others.
const DELETE_MAX: i64 = 5_000;
/// Days for which a key of the day is kept: a code lives for at most one day after the one it was entered on.
const DAY_KEYS_KEPT_DAYS: i32 = 2;
/// Days for which gateways' webhooks are kept, and a repeat of one is known as that. What waits is kept longer.
const WEBHOOKS_KEPT_DAYS: i32 = 90;

/// Days for which it is kept how connectors' versions did.
const HEALTH_KEPT_DAYS: u64 = 30;

/// Eighteen statements, one more where connectors have logged something, where nothing is missing or over.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    let today = app.clock.now().date_naive();
    let mut conn = app.pool.acquire().await?;
    publish::keep_partitions(&mut conn, today).await?;
    publish::drop_old(&app, &mut conn, today).await?;
    store::day_keys::delete_expired_codes(&mut conn).await?;
    app.vault.forget_day_keys_before(today - Days::new(u64::from(DAY_KEYS_KEPT_DAYS.unsigned_abs())));
    let destroyed = store::day_keys::destroy_past(&mut conn, DAY_KEYS_KEPT_DAYS).await?;
    if destroyed > 0 {
        tracing::info!(destroyed, "keys of past days were destroyed, and every card code under them");
    }
    let deleted = store::idempotency::delete_expired(&mut conn, DELETE_MAX).await?;
    let (events, deliveries) = store::inbox::delete_old(&mut conn, WEBHOOKS_KEPT_DAYS, DELETE_MAX).await?;
    let health_before = app.clock.now() - Days::new(HEALTH_KEPT_DAYS);
    let health = store::connector_health::delete_old(&mut conn, health_before, DELETE_MAX).await?;
    let lines = connectors::delete_lines(&app, &mut conn, DELETE_MAX).await?;
    let kept_s = i64::try_from(app.config.event_retention.as_secs()).unwrap_or(i64::MAX);
    let endpoints = store::webhook_endpoints::delete_old(&mut conn, kept_s, DELETE_MAX).await?;
    let sessions = store::sessions::delete_old(&mut conn, DELETE_MAX).await?;
    let (under_way, unknown) = store::work::count(&mut conn).await?;
    let (waiting, quarantined) = store::inbox::count(&mut conn).await?;
    let notices_open = store::notices::count_open(&mut conn).await?;
    let reviews_open = store::reviews::count_open(&mut conn).await?;
    drop(conn);
    gauge("interlock_operations_under_way", under_way);
    gauge("interlock_operations_unknown", unknown);
    gauge("interlock_reviews_open", reviews_open);
    gauge("interlock_notices_open", notices_open);
    gauge("interlock_webhooks_waiting", waiting);
    gauge("interlock_webhooks_in_quarantine", quarantined);
    let is_full = |deleted: u64| i64::try_from(deleted) == Ok(DELETE_MAX);
    Ok(if [deleted, events, deliveries, endpoints, health, lines, sessions].into_iter().any(is_full) {
        More::Yes
    } else {
        More::No
    })
}

fn gauge(name: &'static str, count: i64) {
    // A count of rows is far below what an f64 holds exactly (2^53).
    metrics::gauge!(name).set(i32::try_from(count).unwrap_or(i32::MAX));
}
