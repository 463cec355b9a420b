//! Feeds every sink of the settings: a task each, so that one that waits for its broker holds up no other.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::{More, rounds};
use crate::{app::App, flow::feed::Feed};

/// After a round that failed: the database is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts them. They end when the app stops, and let go of their leases.
pub(super) fn start(app: &Arc<App>) {
    for settings in app.config.sinks.clone() {
        let feed = Arc::new(Mutex::new(Feed::new(app, settings)));
        let owned = Arc::clone(app);
        app.tasks.spawn(async move {
            rounds(owned.stop.clone(), "sinks", PAUSE, None, || once(Arc::clone(&owned), Arc::clone(&feed))).await;
            feed.lock().await.end(&owned).await;
        });
    }
}

/// One round, and the rest after it.
async fn once(app: Arc<App>, feed: Arc<Mutex<Feed>>) -> anyhow::Result<More> {
    // Nobody else holds it: rounds come one after the other.
    let mut feed = feed.lock().await;
    let rest = Box::pin(feed.once(&app)).await?;
    tokio::select! {
        () = app.stop.cancelled() => {}
        () = feed.rest(rest) => {}
    }
    Ok(More::Yes)
}
