//! The shadow of a version: the last operations of its connector replayed on it, by whichever host takes the task.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Days;
use serde_json::{Value, json};

use super::{change, change::Which, log::first_id_of, replay};
use crate::{
    app::App,
    connector::Version,
    domain::{
        connector_health::Counts,
        id::{MerchantId, OperationId},
    },
    fault::{self, Point},
    flow::Refusal,
    store::{
        self,
        audit_log::Actor,
        connector_shadows::{Claimed, Recorded, Shadow},
    },
};

/// How long a host may be at it without a sign of life before another one begins anew.
const LEASE: Duration = Duration::from_mins(1);
/// Time after which the lease is renewed, before the next operation: the slowest component takes some seconds for one.
const RENEW_AFTER: Duration = Duration::from_secs(15);
/// How old an operation may be that is replayed, in days.
const RECORDED_DAYS: u64 = 30;
/// Operations of which the report tells what differs; of the others it tells that they do.
const OPERATIONS_TOLD_MAX: usize = 100;

/// Asks for a replay. Some host takes it within a second.
pub async fn ask(app: &Arc<App>, which: &Which, transcripts: u16, actor: &Actor) -> Result<ShadowNow, Refusal> {
    let digest = change::shadow(app, which, transcripts, actor).await?;
    of_digest(app, &which.name, digest).await
}

/// Where the replays on a version stand.
pub async fn now(app: &App, which: &Which) -> Result<ShadowNow, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let rows = store::connectors::of_name(&mut conn, &which.name).await?;
    drop(conn);
    let row = which.find(&rows).ok_or(Refusal::NotFound)?;
    of_digest(app, &which.name, row.digest.clone()).await
}

async fn of_digest(app: &App, name: &str, digest: Vec<u8>) -> Result<ShadowNow, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let shadow = store::connector_shadows::of_version(&mut conn, name, &digest).await?.ok_or(Refusal::NotFound)?;
    Ok(ShadowNow { digest, shadow })
}

/// Where the replays on one version stand.
pub struct ShadowNow {
    pub digest: Vec<u8>,
    pub shadow: Shadow,
}

/// Takes one replay that was asked for, and does it. Returns whether there was one. One statement where there is none.
pub async fn work(app: &Arc<App>) -> Result<bool, Refusal> {
    let loaded = app.registry.digests();
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let claimed = store::connector_shadows::claim(&mut conn, &loaded, app.host_id, millis(LEASE)).await?;
    let Some(claimed) = claimed else { return Ok(false) };
    fault::point(Point::AfterShadowClaimed);
    let version = claimed.digest.as_slice().try_into().ok().and_then(|digest| app.registry.by_digest(digest));
    let Some(version) = version else { return Ok(false) };
    let from = first_id_of(app.clock.now() - Days::new(RECORDED_DAYS));
    let recorded =
        store::connector_shadows::latest_operations(&mut conn, &claimed.name, claimed.transcripts, from).await?;
    drop(conn);
    tracing::info!(
        connector.name = claimed.name,
        connector.version = version.version(),
        operations = recorded.len(),
        "recorded operations are replayed on a version"
    );
    let Some(seen) = replay_all(app, &claimed, &version, recorded).await? else { return Ok(true) };
    fault::point(Point::BeforeShadowKept);
    let report = seen.report(app, &claimed);
    if seen.counts.is_broken(app.config.quarantine_traps) {
        break_off(app, &claimed, &seen, &report).await?;
    } else {
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        store::connector_shadows::finish(&mut conn, &claimed, app.host_id, &report).await?;
    }
    Ok(true)
}

/// What has been seen so far.
#[derive(Default)]
struct Seen {
    equal: usize,
    skipped: usize,
    /// Operations that differ, and what of them is told.
    different: usize,
    told: Vec<Value>,
    counts: Counts,
}

/// None where the task is another's by now, or this host is to end.
async fn replay_all(
    app: &Arc<App>,
    claimed: &Claimed,
    version: &Arc<Version>,
    recorded: Vec<Recorded>,
) -> Result<Option<Seen>, Refusal> {
    let mut seen = Seen::default();
    let mut renewed = Instant::now();
    for recorded in recorded {
        let stops = app.stop.is_cancelled();
        if stops || renewed.elapsed() > RENEW_AFTER {
            renewed = Instant::now();
            let lease = if stops { Duration::ZERO } else { LEASE };
            let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
            let is_ours = store::connector_shadows::renew(&mut conn, claimed, app.host_id, millis(lease)).await?;
            if stops || !is_ours {
                return Ok(None);
            }
        }
        let (merchant, operation) = (recorded.merchant_id, recorded.operation_id);
        let Some(replayed) = replay::replay(app, version, recorded).await? else {
            seen.skipped += 1;
            continue;
        };
        seen.counts.runs += replayed.runs;
        seen.counts.traps += replayed.traps;
        if replayed.differs.is_empty() {
            seen.equal += 1;
            continue;
        }
        seen.different += 1;
        if seen.told.len() < OPERATIONS_TOLD_MAX {
            let differences = replayed.differs.into_iter().map(|(position, differs)| {
                json!({
                    "position": position,
                    "pointer": differs.pointer,
                    "expected": differs.expected,
                    "got": differs.got,
                })
            });
            seen.told.push(json!({
                "merchant": MerchantId::from_uuid(merchant).to_string(),
                "operation": OperationId::from_uuid(operation).to_string(),
                "differences": differences.collect::<Vec<_>>(),
            }));
        }
    }
    Ok(Some(seen))
}

impl Seen {
    /// As it is kept, and shown by the API.
    fn report(&self, app: &App, claimed: &Claimed) -> Value {
        json!({
            "transcripts": claimed.transcripts,
            "replayed": self.equal + self.different,
            "equal": self.equal,
            "different_count": self.different,
            "skipped": self.skipped,
            "traps": self.counts.traps,
            "different": self.told,
            "asked_at": crate::view::time(claimed.asked_at),
            "finished_at": crate::view::time(app.clock.now()),
        })
    }
}

/// A version that breaks down on what was recorded is not let near anything new.
async fn break_off(app: &Arc<App>, claimed: &Claimed, seen: &Seen, report: &Value) -> Result<(), Refusal> {
    let why = json!({ "replay": { "runs": seen.counts.runs, "traps": seen.counts.traps } });
    if change::quarantine_shadow(app, claimed, report, why).await? {
        tracing::error!(
            connector.name = claimed.name,
            traps = seen.counts.traps,
            runs = seen.counts.runs,
            "a version breaks down on recorded operations: it was put in quarantine"
        );
    }
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
