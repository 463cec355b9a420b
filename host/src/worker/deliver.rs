//! Delivers to merchants' endpoints what waits in the queue, writes down what came of it, and keeps the queue and the
//! connections in order.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::More;
use crate::{
    app::App,
    flow::deliver::{self, Again},
    store,
};

/// How soon what is due to be tried again is seen. What is new, and room for what waited, is told.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// At least so long between two claims that did not fill this host: many that are told of at once are one claim.
const SPACING: Duration = Duration::from_millis(2);
/// And at least so many times as long as the one before took, where that brought little.
const SPACING_FACTOR: u32 = 2;
/// A claim of so many rows is worth its time.
const WORTH_MIN: u32 = 64;
/// How often the queue is weighed.
pub(super) const WEIGH_PAUSE: Duration = Duration::from_secs(15);
/// How often what waits for endpoints that are off is looked for: those who switch one off leave it to this.
pub(super) const CLEAR_PAUSE: Duration = Duration::from_secs(5);
/// How often connections that nobody uses any more are closed.
pub(super) const SWEEP_PAUSE: Duration = Duration::from_secs(5);
/// Rows deleted in one statement: small transactions do not hold back others.
const DELETE_MAX: i64 = 5_000;

/// One statement, and the wait for the next one.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    let began = Instant::now();
    let (again, took) = deliver::claim(&app).await?;
    if again != Again::Now {
        tokio::time::sleep(spacing(took, began.elapsed())).await;
    }
    if again == Again::WhenTold {
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = app.wake.deliveries.notified() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    Ok(More::Yes)
}

/// The pause after a claim that brought so many rows in such a time: it looks at each endpoint that has a queue, and where
/// these are many, claims that bring little must not be all that the database does.
fn spacing(rows: u32, time: Duration) -> Duration {
    if rows >= WORTH_MIN { SPACING } else { (time * SPACING_FACTOR).clamp(SPACING, PAUSE) }
}

/// Goes on for as long as this host has deliveries under way.
pub(super) async fn settle(app: Arc<App>) -> anyhow::Result<More> {
    deliver::write_down(&app).await;
    Ok(More::No)
}

/// One statement.
pub(super) async fn weigh(app: Arc<App>) -> anyhow::Result<More> {
    let mut conn = app.pool.acquire().await?;
    let (queued, oldest_due_s) = store::deliveries::weigh(&mut conn).await?;
    drop(conn);
    // Counts far below what an f64 holds exactly (2^53).
    let number = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
    metrics::gauge!("interlock_deliveries_queued").set(number(queued));
    metrics::gauge!("interlock_deliveries_oldest_due_seconds").set(number(oldest_due_s.unwrap_or(0)));
    Ok(More::No)
}

/// One statement: a piece of what waits for endpoints that are off.
pub(super) async fn clear(app: Arc<App>) -> anyhow::Result<More> {
    let mut conn = app.pool.acquire().await?;
    let orphans = store::deliveries::delete_orphans(&mut conn, DELETE_MAX).await?;
    Ok(if i64::try_from(orphans) == Ok(DELETE_MAX) { More::Soon } else { More::No })
}

/// No statement.
pub(super) async fn sweep(app: Arc<App>) -> anyhow::Result<More> {
    app.deliveries.sweep();
    Ok(More::No)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_that_take_long_are_further_apart() {
        assert_eq!(spacing(0, Duration::ZERO), SPACING);
        assert_eq!(spacing(WORTH_MIN - 1, Duration::from_millis(50)), Duration::from_millis(100));
        assert_eq!(spacing(0, Duration::from_secs(9)), PAUSE);
        assert_eq!(spacing(WORTH_MIN, Duration::from_millis(50)), SPACING, "more are waiting");
    }
}
