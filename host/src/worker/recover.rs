//! Takes over operations whose time has come: leases that ran out, unknown outcomes due for a check, accepted ones due
//! for a question.

use std::{sync::Arc, time::Duration};

use super::More;
use crate::{app::App, flow::resolve::resolve, store};

/// An expired lease is taken over within a second.
pub(super) const PAUSE: Duration = Duration::from_millis(400);
/// Rows claimed at once.
const CLAIM_MAX: i64 = 32;

/// One statement where nothing is due; none where this host carries on as much as it can.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    let room = i64::try_from(app.resolving.available_permits()).unwrap_or(CLAIM_MAX).min(CLAIM_MAX);
    if room == 0 {
        return Ok(More::No);
    }
    let lease = app.new_lease();
    let mut conn = app.pool.acquire().await?;
    let claimed = store::work::claim_due(&mut conn, app.host_id, app.lease_ms(), room).await?;
    drop(conn);
    let more = if i64::try_from(claimed.len()) == Ok(room) { More::Yes } else { More::No };
    for row in claimed {
        metrics::counter!("interlock_taken_over_total", "task" => row.task.clone()).increment(1);
        // A slow gateway must not hold up the others: each goes on by itself, and draining waits for it.
        let permit = Arc::clone(&app.resolving).acquire_owned().await?;
        let owned = Arc::clone(&app);
        app.tasks.spawn(async move {
            Box::pin(resolve(&owned, row, lease)).await;
            drop(permit);
        });
    }
    Ok(more)
}
