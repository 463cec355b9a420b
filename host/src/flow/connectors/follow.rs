//! Makes this host's registry what Postgres says.

use std::{num::NonZero, sync::Arc, thread};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Mutex;

use crate::{
    app::App,
    connector::{Role, Standing},
    domain::connector_life::State,
    flow::{Refusal, install_connector},
    store::{self, connectors::Followed},
};

/// What this host does about the cluster's versions.
#[derive(Default)]
pub struct Following {
    /// Held while the registry is brought up to what was read: of two tasks that follow at once, none may put back what the
    /// other has read later.
    turn: Mutex<()>,
    /// Held by the one task that loads what is missing.
    loading: Arc<Mutex<()>>,
}

/// Lets new operations begin with what the cluster says, as far as it is loaded here: one read. What is missing is loaded
/// behind the caller's back, because compiling takes from seconds to minutes, and a version that is taken back meanwhile
/// must be taken back here too.
pub async fn follow(app: &Arc<App>) -> Result<(), Refusal> {
    if catch_up(app).await?.is_empty() {
        return Ok(());
    }
    // Whoever holds it sees what is missing by now when it is done with what was missing before.
    if let Ok(loading) = Arc::clone(&app.following.loading).try_lock_owned() {
        let owned = Arc::clone(app);
        #[expect(
            clippy::disallowed_methods,
            reason = "a host that ends does not wait for a compiler; nothing is lost by it"
        )]
        tokio::spawn(async move {
            if let Err(error) = load_missing(&owned).await {
                tracing::warn!(%error, "what the cluster has cannot be loaded; it is tried again");
            }
            drop(loading);
        });
    }
    Ok(())
}

/// As [`follow`], and waits until everything is loaded that can be: for a host that starts.
pub async fn follow_whole(app: &Arc<App>) -> Result<(), Refusal> {
    let _loading = Arc::clone(&app.following.loading).lock_owned().await;
    load_missing(app).await
}

/// Loads what is missing until nothing is that can be loaded. A version that cannot be is logged and left alone for a while,
/// and the others are loaded all the same. One read, and one more after each round in which something was loaded.
async fn load_missing(app: &Arc<App>) -> Result<(), Refusal> {
    // A start with many of them reads and checks as many images at once as there are processors. Compiling takes its turn.
    let at_once = thread::available_parallelism().map_or(1, NonZero::get);
    loop {
        let missing = catch_up(app).await?;
        let loaded = stream::iter(missing)
            .map(|standing| async move { install_connector::load(app, &standing.name, standing.digest).await })
            .buffer_unordered(at_once)
            .try_fold(false, async |any, loaded| Ok(any || loaded))
            .await?;
        if !loaded || app.stop.is_cancelled() {
            return Ok(());
        }
    }
}

/// Reads what the cluster says, and does as far as it goes with what is loaded. Returns what is missing here, but for what is
/// left alone because it could not be loaded a moment ago.
async fn catch_up(app: &App) -> Result<Vec<Standing>, Refusal> {
    let _turn = app.following.turn.lock().await;
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let rows = store::connectors::followed(&mut conn, &app.registry.digests()).await?;
    drop(conn);
    let mut standings: Vec<Standing> = rows.into_iter().filter_map(standing).collect();
    for name in app.registry.follow(&standings) {
        let active = app.registry.active(&name);
        let active = active.as_ref().map_or("none", |version| version.version());
        tracing::info!(connector.name = name, active, "this host follows: other versions take new operations");
    }
    let now = app.clock.boot();
    standings.retain(|Standing { digest, .. }| {
        app.registry.by_digest(digest).is_none() && !app.unloadable.is_left_alone(digest, now)
    });
    Ok(standings)
}

fn standing(row: Followed) -> Option<Standing> {
    let role = match row.state {
        State::Active => Role::Active,
        State::Canary => Role::Canary { share_percent: u8::try_from(row.share).unwrap_or(0) },
        State::Draining => Role::Draining,
        State::Staged | State::Shadow => Role::Idle,
        State::Retired | State::Quarantined => Role::Withdrawn,
    };
    Some(Standing { name: row.name, digest: row.digest.try_into().ok()?, role })
}
