//! Work that goes on when the request that asked for it is gone.

use std::{future::Future, sync::Arc};

use tracing::Instrument as _;

use tokio::sync::OwnedSemaphorePermit;

use super::{RETRY_AFTER_UNAVAILABLE_S, Refusal};
use crate::app::App;

/// A place among the operations that this host has under way; to be taken before commit 1 and kept until the outcome.
pub fn place(app: &App) -> Result<OwnedSemaphorePermit, Refusal> {
    Arc::clone(&app.driving).try_acquire_owned().map_err(|_| Refusal::Unavailable {
        what: "this host has as many operations under way as it takes".into(),
        retry_after_s: RETRY_AFTER_UNAVAILABLE_S,
    })
}

/// Runs `work` as a task of its own and waits for it. Whoever stops waiting (axum drops a handler when its client hangs
/// up) leaves the task running; draining waits for it.
pub async fn detached<T: Send + 'static>(
    app: &Arc<App>,
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    if app.stop.is_cancelled() {
        return Err(Refusal::Unavailable {
            what: "this host is draining".into(),
            retry_after_s: RETRY_AFTER_UNAVAILABLE_S,
        });
    }
    match app.tasks.spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(panic) => {
            Err(Refusal::Internal(anyhow::Error::new(panic).context("the task of a request ended abnormally")))
        }
    }
}
