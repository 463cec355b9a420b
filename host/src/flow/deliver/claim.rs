//! Takes out of the queue what this host has room for, and sends it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Delivery, Row, lease_ms, slots::Took, start};
use crate::{
    app::App,
    domain::id::{EventId, WebhookEndpointId},
    flow::Refusal,
    store::{
        self,
        delivery_claims::{Claimed, claim_due},
        delivery_results::{Outcome, Tried},
        webhook_endpoints::Mode,
    },
};

/// Why an event that the log does not hold any more is not sent.
const EVENT_GONE: &str = "event_gone";
/// What stands for its type.
const TYPE_UNKNOWN: &str = "unknown";

/// When to claim again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// At once: it took as much as is taken at once.
    Now,
    /// Soon: another host was at the same rows.
    Soon,
    /// When there is something new, or room again.
    WhenTold,
}

/// One statement, none where this host has no room. Returns how much it took, too.
pub async fn claim(app: &Arc<App>) -> Result<(Again, u32), Refusal> {
    let room = app.deliveries.slots.room();
    if room.limit == 0 || app.stop.is_cancelled() {
        return Ok((Again::WhenTold, 0));
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let (plan, began) = (app.deliveries.claim_plans.next(), Instant::now());
    let claimed = claim_due(&mut conn, app.host_id, lease_ms(app), &room, plan).await?;
    app.deliveries.claim_plans.took(plan, began.elapsed());
    drop(conn);
    let mut counts: HashMap<_, Took> = HashMap::new();
    for row in &claimed.rows {
        let took = counts.entry((row.lease.merchant_id, row.lease.endpoint_id)).or_default();
        *(if row.replay { &mut took.replays } else { &mut took.live }) += 1;
    }
    let count = u32::try_from(claimed.rows.len()).unwrap_or(u32::MAX);
    let is_full = count >= room.limit;
    let mut lost = Vec::new();
    for row in claimed.rows {
        begin(app, row, &mut lost);
    }
    if claimed.passed_over == 0 || is_full {
        // After the places are taken: what learns that an endpoint has nothing more waiting forgets those that are idle.
        app.deliveries.slots.learn(&room, &counts);
    }
    for tried in lost {
        let _ = app.deliveries.results.send(tried).await;
    }
    let again = match (is_full, claimed.passed_over) {
        (true, _) => Again::Now,
        (false, 0) => Again::WhenTold,
        (false, _) => Again::Soon,
    };
    Ok((again, count))
}

/// Sends what was claimed, or gives it up where there is nothing to send.
fn begin(app: &Arc<App>, row: Claimed, lost: &mut Vec<Tried>) {
    let Some((event_type, payload)) = row.event else {
        lost.push(given_up(app, &row));
        return;
    };
    let slot = app.deliveries.slots.occupy(
        row.lease.merchant_id,
        row.lease.endpoint_id,
        row.failing_since.is_some(),
        row.replay,
    );
    let of = Row {
        merchant_id: row.lease.merchant_id,
        endpoint_id: row.lease.endpoint_id,
        version: row.version,
        url: &row.url,
        secrets: &row.secrets,
    };
    let target = app.deliveries.targets.of(app, &of);
    let delivery = Delivery {
        lease: row.lease,
        event_type,
        body: Bytes::from(payload),
        tries: row.tries,
        replay: row.replay,
        ordered: row.mode == Mode::Ordered,
        endpoint_failed: row.failing_since.is_some(),
        url: row.url.into(),
        target,
    };
    start(app, slot, delivery);
}

/// The log keeps events for as long as they are queued, so this is somebody's repair of the database, and says nothing of
/// the endpoint.
fn given_up(app: &App, row: &Claimed) -> Tried {
    let (event, endpoint) =
        (EventId::from_uuid(row.lease.event_id), WebhookEndpointId::from_uuid(row.lease.endpoint_id));
    tracing::error!(
        event.id = %event, webhook_endpoint.id = %endpoint,
        "an event is queued and not in the log any more: it is not delivered"
    );
    Tried {
        lease: row.lease,
        delivery_id: app.ids.v7(),
        url: row.url.as_str().into(),
        event_type: TYPE_UNKNOWN.to_owned(),
        tries: row.tries,
        replay: row.replay,
        ordered: row.mode == Mode::Ordered,
        endpoint_failed: row.failing_since.is_some(),
        outcome: Outcome::GivenUp,
        gone: false,
        counts: false,
        after: None,
        status: None,
        error: Some(EVENT_GONE),
        response_head: None,
        took: Duration::ZERO,
        at: app.clock.now(),
    }
}
