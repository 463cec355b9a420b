//! Tells the other hosts that this one has committed events, and hears it from them: a stream is fed by one host at a
//! time, and the payments are on all of them. (Endpoints need none of it: each host queues what it commits.)

use std::{sync::Arc, time::Duration};

use super::More;
use crate::{app::App, store::outbox_cursors};

/// How often this host looks whether there is anybody to tell, where it commits nothing: a moment that costs nothing.
pub(super) const PAUSE: Duration = Duration::from_hours(1);
/// Between two notes: many commits are told at once.
const GATHER: Duration = Duration::from_millis(10);
/// Nobody was to be told; somebody may be before long, and polls till then.
const NOBODY: Duration = Duration::from_secs(1);
/// Before a listener that could not connect tries again.
pub(super) const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// One statement, at most once in ten milliseconds.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    if !app.config.outbox_wake {
        return Ok(More::No);
    }
    let mut conn = app.pool.acquire().await?;
    let told = outbox_cursors::tell_others(&mut conn, app.host_id).await?;
    drop(conn);
    tokio::select! {
        () = app.stop.cancelled() => {}
        () = tokio::time::sleep(if told { GATHER } else { NOBODY }) => {}
    }
    Ok(More::No)
}

/// Listens for as long as the connection can be had; not on a host that feeds no stream.
pub(super) async fn listen(app: Arc<App>) -> anyhow::Result<More> {
    if !app.config.outbox_wake || app.config.sinks.is_empty() {
        return Ok(More::No);
    }
    tokio::select! {
        () = app.stop.cancelled() => {}
        ended = outbox_cursors::listen(&app.config.database_url, app.host_id, || app.wake.outbox.ring()) => {
            ended?;
        }
    }
    Ok(More::No)
}
