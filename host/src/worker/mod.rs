//! What is repeated: one file, one loop. Workers take no input: they read a table and do what it says, so that any number
//! of hosts run them at once and each of them may die at any moment.

mod apply_webhooks;
mod deliver;
mod follow;
mod health;
mod housekeep;
mod publish;
mod recover;
mod shadow;
mod sinks;
mod tell;
mod watch_log;

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use crate::{app::App, wake};

/// Starts all of them. They end when the app stops.
pub fn start(app: &Arc<App>) {
    repeat(app, "follow", follow::PAUSE, follow::once);
    repeat(app, "count_connectors", health::FLUSH_PAUSE, health::flush);
    repeat(app, "log_connectors", health::FLUSH_PAUSE, health::log);
    repeat(app, "judge_connectors", health::JUDGE_PAUSE, health::judge);
    repeat(app, "shadow", shadow::PAUSE, shadow::once);
    repeat(app, "recover", recover::PAUSE, recover::once);
    repeat(app, "apply_webhooks", apply_webhooks::PAUSE, apply_webhooks::once);
    repeat(app, "deliver", deliver::PAUSE, deliver::once);
    repeat(app, "settle_deliveries", deliver::PAUSE, deliver::settle);
    repeat(app, "weigh_deliveries", deliver::WEIGH_PAUSE, deliver::weigh);
    repeat(app, "clear_deliveries", deliver::CLEAR_PAUSE, deliver::clear);
    repeat(app, "sweep_couriers", deliver::SWEEP_PAUSE, deliver::sweep);
    repeat(app, "housekeep", housekeep::PAUSE, housekeep::once);
    sinks::start(app);
    repeat(app, "watch_log", watch_log::PAUSE, watch_log::once);
    repeat(app, "listen", tell::LISTEN_PAUSE, tell::listen);
    repeat_woken(app, "tell", tell::PAUSE, app.wake.own.listen(), tell::once);
    repeat_woken(app, "publish", publish::PAUSE, app.wake.outbox.listen(), publish::once);
}

/// Runs `once` again and again with a pause in between, none where it says that there is more to do. An error or a panic
/// is logged and the next round tries again: a worker never ends by itself.
fn repeat<F>(app: &Arc<App>, name: &'static str, pause: Duration, once: fn(Arc<App>) -> F)
where
    F: Future<Output = anyhow::Result<More>> + Send + 'static,
{
    let owned = Arc::clone(app);
    app.tasks.spawn(rounds(app.stop.clone(), name, pause, None, move || once(Arc::clone(&owned))));
}

/// As [`repeat`], with a pause that ends when the bell rings. What rang during a round begins the next one.
fn repeat_woken<F>(app: &Arc<App>, name: &'static str, pause: Duration, bell: wake::Listener, once: fn(Arc<App>) -> F)
where
    F: Future<Output = anyhow::Result<More>> + Send + 'static,
{
    let owned = Arc::clone(app);
    app.tasks.spawn(rounds(app.stop.clone(), name, pause, Some(bell), move || once(Arc::clone(&owned))));
}

async fn rounds<F>(
    stop: CancellationToken,
    name: &'static str,
    pause: Duration,
    mut bell: Option<wake::Listener>,
    once: impl Fn() -> F,
) where
    F: Future<Output = anyhow::Result<More>>,
{
    let mut soon = SOON;
    while !stop.is_cancelled() {
        // Nothing of a round outlives it but what is in the database, so a broken one leaves nothing half done here.
        match AssertUnwindSafe(async { once().await }).catch_unwind().await {
            Ok(Ok(More::Yes)) => {
                soon = SOON;
                continue;
            }
            Ok(Ok(More::Soon)) => {
                tokio::time::sleep(soon).await;
                soon = (soon * 2).min(SOON_MAX);
                continue;
            }
            Ok(Ok(More::No)) => {}
            Ok(Err(error)) => tracing::warn!(worker = name, error = format!("{error:#}"), "a worker's round failed"),
            // What it said and where is logged by the panic hook.
            Err(_) => tracing::error!(worker = name, "a worker's round panicked; the next one tries again"),
        }
        soon = SOON;
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
            () = rung(&mut bell) => {}
        }
    }
}

/// Waits for the bell; where there is none, for ever.
async fn rung(bell: &mut Option<wake::Listener>) {
    match bell {
        Some(bell) => bell.rung().await,
        None => std::future::pending().await,
    }
}

/// Whether there was more than one round could take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Yes,
    /// What is there may be taken in some milliseconds ([`SOON`]).
    Soon,
    No,
}

/// What [`More::Soon`] waits, twice as long each time in a row: what holds something back for long is not asked often.
const SOON: Duration = Duration::from_millis(3);
const SOON_MAX: Duration = Duration::from_millis(80);

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
        rounds(stop.clone(), "test", Duration::from_millis(1), None, once).await;
        assert_eq!(count.load(Ordering::SeqCst), 4);
    }

    /// The pause is an hour, and the bell rings while the first round is still running.
    #[tokio::test]
    async fn a_bell_that_rings_during_a_round_begins_the_next_one() {
        let (stop, count, wake) = (CancellationToken::new(), AtomicU32::new(0), wake::Wake::new(false));
        let once = || async {
            wake.committed();
            if count.fetch_add(1, Ordering::SeqCst) == 2 {
                stop.cancel();
            }
            Ok(More::No)
        };
        let bell = wake.outbox.listen();
        rounds(stop.clone(), "test", Duration::from_hours(1), Some(bell), once).await;
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }
}
