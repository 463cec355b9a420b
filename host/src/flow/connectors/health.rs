//! How versions are doing: what this host has counted is told to all, and what all have counted is judged by whichever
//! host looks first.

use std::sync::Arc;

use serde_json::{Value, json};

use super::change;
use crate::{
    app::App,
    connector::{
        Tallied, Version, hex,
        types::{OperationKind, Outcome},
    },
    domain::connector_health::{CANARY_WINDOW_MINUTES, Counts, Ending, QUARANTINE_WINDOW_MINUTES},
    fault::{self, Point},
    flow::{Refusal, drive::What},
    store::{
        self,
        connector_health::{Counted, Watched},
    },
};

/// Counts what a drive came to for the version that it was driven by. What another host will find out is counted there.
pub fn ended(version: &Version, kind: OperationKind, what: &What) {
    let ending = match what {
        What::Outcome(Outcome::NotProcessed(_)) | What::NotSent { held_back: true, .. } => Ending::NotProcessed,
        What::Outcome(_) => Ending::Well,
        What::NotSent { held_back: false, .. } => Ending::Failed,
        What::Unknown(_) => Ending::Unknown,
        What::LeaseLost | What::Interrupted(_) => return,
    };
    version.ended(kind.into(), ending);
}

/// Tells what this host has counted. One statement; none where nothing was counted. What could not be told is counted
/// again the next time. What a host has not told when it dies is lost, a second's counts: versions are judged by many.
pub async fn flush(app: &App) -> Result<(), Refusal> {
    let versions: Vec<_> = app.registry.list().into_iter().map(|listed| listed.version).collect();
    let counted: Vec<(&Arc<Version>, Counted)> = versions
        .iter()
        .flat_map(|version| version.tally().take().into_iter().map(move |tallied| (version, counted(version, tallied))))
        .collect();
    if counted.is_empty() {
        return Ok(());
    }
    fault::point(Point::BeforeHealthTold);
    let (versions, counted): (Vec<_>, Vec<_>) = counted.into_iter().unzip();
    let told = async {
        let mut conn = app.pool.acquire().await?;
        store::connector_health::add(&mut conn, &counted).await
    };
    if let Err(error) = told.await {
        for (version, counted) in versions.iter().zip(&counted) {
            version.tally().give_back(&counted.tallied);
        }
        return Err(error.into());
    }
    Ok(())
}

fn counted(version: &Version, tallied: Tallied) -> Counted {
    Counted { name: version.name().to_owned(), digest: *version.digest(), tallied }
}

/// Takes back the canaries that do worse than the active versions, and takes out what breaks down. One read where all are
/// well. Any number of hosts may judge at once: each change happens once.
pub async fn judge(app: &Arc<App>) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let watched = store::connector_health::watched(&mut conn, QUARANTINE_WINDOW_MINUTES, CANARY_WINDOW_MINUTES).await?;
    drop(conn);
    for version in &watched {
        if version.recent.is_broken(app.config.quarantine_traps) {
            take_out(app, version).await?;
        } else if version.state == "canary" {
            let active = watched.iter().find(|other| other.name == version.name && other.state == "active");
            let active = active.map_or_else(Counts::default, |active| active.beside_canary);
            if version.beside_canary.is_worse_than(&active, app.config.canary_margin_percent) {
                take_back(app, version, &active).await?;
            }
        }
    }
    Ok(())
}

async fn take_out(app: &Arc<App>, version: &Watched) -> Result<(), Refusal> {
    let why = json!({ "counts": shown(&version.recent), "window_minutes": QUARANTINE_WINDOW_MINUTES });
    if change::quarantine(app, &version.name, &version.digest, why).await? {
        tracing::error!(
            connector.name = version.name,
            connector.digest = hex(&version.digest),
            traps = version.recent.traps,
            divergences = version.recent.divergences,
            runs = version.recent.runs,
            "a version of a connector breaks down: it was put in quarantine"
        );
    }
    Ok(())
}

async fn take_back(app: &Arc<App>, canary: &Watched, active: &Counts) -> Result<(), Refusal> {
    let why = json!({
        "counts": shown(&canary.beside_canary),
        "active_counts": shown(active),
        "margin_percent": app.config.canary_margin_percent,
    });
    if change::take_back(app, &canary.name, &canary.digest, why).await? {
        tracing::error!(
            connector.name = canary.name,
            connector.digest = hex(&canary.digest),
            operations = canary.beside_canary.operations,
            errors = canary.beside_canary.errors(),
            "a canary fails more often than the active version: it was rolled back"
        );
    }
    Ok(())
}

/// Counts, as the audit log and notices show them.
fn shown(counts: &Counts) -> Value {
    let Counts { runs, traps, divergences, operations, failed, unknown, not_processed } = *counts;
    json!({
        "runs": runs, "traps": traps, "divergences": divergences, "operations": operations, "failed": failed,
        "unknown": unknown, "not_processed": not_processed,
    })
}
