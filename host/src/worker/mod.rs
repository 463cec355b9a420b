//! What is repeated: one file, one loop. Workers take no input: they read a table and do what it says, so that any number
//! of hosts run them at once and each of them may die at any moment.

mod follow;
mod housekeep;
mod recover;

use std::{future::Future, sync::Arc, time::Duration};

use crate::app::App;

/// Starts all of them. They end when the app stops.
pub fn start(app: &Arc<App>) {
    repeat(app, "follow", follow::PAUSE, follow::once);
    repeat(app, "recover", recover::PAUSE, recover::once);
    repeat(app, "housekeep", housekeep::PAUSE, housekeep::once);
}

/// Runs `once` again and again with a pause in between, none where it says that there is more to do. An error is logged
/// and the next round tries again: a worker never ends by itself.
fn repeat<F>(app: &Arc<App>, name: &'static str, pause: Duration, once: fn(Arc<App>) -> F)
where
    F: Future<Output = anyhow::Result<More>> + Send + 'static,
{
    let app = Arc::clone(app);
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        while !app.stop.is_cancelled() {
            match once(Arc::clone(&app)).await {
                Ok(More::Yes) => continue,
                Ok(More::No) => {}
                Err(error) => tracing::warn!(worker = name, error = format!("{error:#}"), "a worker's round failed"),
            }
            tokio::select! {
                () = app.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    });
}

/// Whether there was more than one round could take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Yes,
    No,
}
