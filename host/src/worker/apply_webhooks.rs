//! Applies what gateways told by webhook: events that are new, and those that are to be tried again.

use std::{sync::Arc, time::Duration};

use super::More;
use crate::{app::App, flow::apply_webhook::apply, store};

/// How soon after its acknowledgement an event is applied, where the host has room for it.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// Events claimed at once: half of what a host applies at once, so that the other half goes on meanwhile.
const CLAIM_MAX: u32 = 4;

/// One statement where nothing is due. Where the host has no room it waits for that, not for the pause.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    let mut room = Arc::clone(&app.webhooks.applying).acquire_many_owned(CLAIM_MAX).await?;
    let mut conn = app.pool.acquire().await?;
    let claimed = store::inbox::claim_due(&mut conn, app.host_id, app.lease_ms(), i64::from(CLAIM_MAX)).await?;
    drop(conn);
    let more = if claimed.len() == room.num_permits() { More::Yes } else { More::No };
    for event in claimed {
        let Some(own) = room.split(1) else { break };
        // One that takes its time must not hold up the others: each goes on by itself, and draining waits for it.
        let owned = Arc::clone(&app);
        app.tasks.spawn(async move { Box::pin(apply(&owned, event, own)).await });
    }
    Ok(more)
}
