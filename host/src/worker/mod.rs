//! What is repeated: one file, one loop. Workers take no input: they read a table and do what it says, so that any number
//! of hosts run them at once and each of them may die at any moment.

mod apply_webhooks;
mod follow;
mod housekeep;
mod recover;

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// Starts all of them. They end when the app stops.
pub fn start(app: &Arc<App>) {
    repeat(app, "follow", follow::PAUSE, follow::once);
    repeat(app, "recover", recover::PAUSE, recover::once);
    repeat(app, "apply_webhooks", apply_webhooks::PAUSE, apply_webhooks::once);
    repeat(app, "housekeep", housekeep::PAUSE, housekeep::once);
}

/// Runs `once` again and again with a pause in between, none where it says that there is more to do. An error or a panic
/// is logged and the next round tries again: a worker never ends by itself.
fn repeat<F>(app: &Arc<App>, name: &'static str, pause: Duration, once: fn(Arc<App>) -> F)
where
    F: Future<Output = anyhow::Result<More>> + Send + 'static,
{
    let owned = Arc::clone(app);
    app.tasks.spawn(rounds(app.stop.clone(), name, pause, move || once(Arc::clone(&owned))));
}

async fn rounds<F>(stop: CancellationToken, name: &'static str, pause: Duration, once: impl Fn() -> F)
where
    F: Future<Output = anyhow::Result<More>>,
{
    while !stop.is_cancelled() {
        // Nothing of a round outlives it but what is in the database, so a broken one leaves nothing half done here.
        match AssertUnwindSafe(async { once().await }).catch_unwind().await {
            Ok(Ok(More::Yes)) => continue,
            Ok(Ok(More::No)) => {}
            Ok(Err(error)) => tracing::warn!(worker = name, error = format!("{error:#}"), "a worker's round failed"),
            // What it said and where is logged by the panic hook.
            Err(_) => tracing::error!(worker = name, "a worker's round panicked; the next one tries again"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Whether there was more than one round could take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn neither_an_error_nor_a_panic_ends_a_worker() {
        let (stop, count) = (CancellationToken::new(), AtomicU32::new(0));
        let once = || async {
            match count.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("a round breaks"),
                1 => anyhow::bail!("a round fails"),
                2 => Ok(More::Yes),
                _ => {
                    stop.cancel();
                    Ok(More::No)
                }
            }
        };
        rounds(stop.clone(), "test", Duration::from_millis(1), once).await;
        assert_eq!(count.load(Ordering::SeqCst), 4);
    }
}
