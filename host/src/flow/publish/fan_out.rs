//! From the log to the merchants' endpoints: what happened becomes what is to be delivered, once.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::batch_of;
use crate::{
    app::App,
    domain::{event_types, id::WebhookEndpointId},
    fault::{self, Point},
    flow::deliver::{self, Delivery, Slot},
    store::{
        self,
        deliveries::{Lease, NewDelivery},
        outbox::Event,
        outbox_cursors::{self, Start},
        webhook_endpoints::WebhookEndpoint,
    },
};

/// The reader of the log that queues for endpoints.
pub const READER: &str = "endpoints";

/// Events taken at once: a few milliseconds of work, and rows locked no longer than that.
const EVENTS_MAX: u32 = 500;

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was there.
    None,
    /// Something is there, and is held back by a transaction that runs, or another host is at it.
    Held,
    /// Everything was queued that no running transaction holds back. Where people pay, there always is one.
    AllButHeld,
    /// Everything that was there was queued.
    All,
    /// As much as is taken at once was queued; there is more.
    Some,
}

/// Makes the reader, where there is none. It begins with what is committed from now on: there is no endpoint yet.
pub async fn ensure_reader(conn: &mut PgConnection) -> Result<(), store::Error> {
    outbox_cursors::ensure_reader(conn, READER, Start::Now).await
}

/// Queues the next events for the endpoints that want them.
///
/// One round trip where there is nothing, and nothing is written then. Else six: read, begin, move the cursor, read the
/// endpoints, queue, commit (five where nobody wants anything; one more where the log goes on behind the batch). The cursor
/// and the queue move in one transaction: whoever dies in it leaves both as they were. An endpoint that is being disabled
/// or deleted waits for that transaction, and then takes what was queued for it away.
///
/// An event that was written before its endpoint may be delivered to it, where both are a moment apart: compared by
/// clocks of different hosts, some that came after would be left out.
pub async fn fan_out(app: &Arc<App>) -> Result<Progress, store::Error> {
    let mut conn = app.pool.acquire().await?;
    let Some(batch) = batch_of(&mut conn, READER, EVENTS_MAX).await? else {
        return Err(store::Error::Unreadable { table: "outbox_cursors", what: format!("`{READER}` is not there") });
    };
    if batch.events.is_empty() {
        return Ok(if batch.gated { Progress::Held } else { Progress::None });
    }
    let mut tx = conn.begin_with(store::BEGIN_BRIEF_RELAXED).await?;
    // A transaction that is only dropped keeps its locks until its connection is used again.
    if !outbox_cursors::move_cursor(&mut tx, READER, batch.begin, batch.end).await? {
        tx.rollback().await?;
        return Ok(Progress::Held);
    }
    let queued = match queue(app, &mut tx, &batch.events).await {
        Ok(queued) => queued,
        Err(error) => {
            tx.rollback().await?;
            return Err(error);
        }
    };
    tx.commit().await?;
    drop(conn);
    let progress = match (batch.more, batch.gated) {
        (true, _) => Progress::Some,
        (false, true) => Progress::AllButHeld,
        (false, false) => Progress::All,
    };
    hand_over(app, queued, batch.events);
    Ok(progress)
}

/// What was queued in a round.
#[derive(Default)]
struct Queued {
    /// This host has places for these, and their leases.
    in_hand: Vec<InHand>,
    /// Others wait in the queue.
    has_waiting: bool,
}

/// A delivery that goes on its way when the transaction is committed. Dropped before, it gives its place back.
struct InHand {
    slot: Slot,
    lease: Lease,
    endpoint: Arc<WebhookEndpoint>,
    /// Its place in the batch.
    event: usize,
}

/// Queues each event for every endpoint that wants it, in the order of the batch. What this host has a place for is
/// leased to it in the same statement, so that nobody need claim it.
async fn queue(app: &App, tx: &mut PgConnection, events: &[Event]) -> Result<Queued, store::Error> {
    let endpoints = endpoints_of(tx, events).await?;
    let (mut wanted, mut places) = (Vec::new(), HashMap::new());
    for (at, event) in events.iter().enumerate() {
        let of_merchant = endpoints.get(&event.merchant_id).map_or(&[][..], Vec::as_slice);
        for endpoint in of_merchant.iter().filter(|endpoint| is_for(event, endpoint)) {
            let slot = app.deliveries.take(endpoint);
            wanted.push(delivery(event, endpoint, slot.is_some().then_some(app.host_id)));
            if let Some(slot) = slot {
                places.insert((endpoint.endpoint_id, event.cursor.id), (slot, Arc::clone(endpoint), at));
            }
        }
    }
    if wanted.is_empty() {
        return Ok(Queued::default());
    }
    let has_waiting = places.len() < wanted.len();
    let leases = store::deliveries::enqueue(tx, &wanted, deliver::lease_ms(app)).await?;
    fault::point(Point::BeforePublished);
    // One without a lease was queued before, and is somebody's already.
    let in_hand = leases.into_iter().filter_map(|lease| {
        let (slot, endpoint, event) = places.remove(&(lease.endpoint_id, lease.event_id))?;
        Some(InHand { slot, lease, endpoint, event })
    });
    let mut in_hand: Vec<InHand> = in_hand.collect();
    in_hand.sort_unstable_by_key(|delivery| delivery.event);
    Ok(Queued { in_hand, has_waiting })
}

/// Sends what was queued and is in hand: nothing of it is read again.
fn hand_over(app: &Arc<App>, queued: Queued, events: Vec<Event>) {
    if queued.has_waiting {
        app.wake.deliveries.notify_one();
    }
    if queued.in_hand.is_empty() {
        return;
    }
    fault::point(Point::AfterPublished);
    let bodies: Vec<(Event, Bytes)> = events
        .into_iter()
        .map(|mut event| {
            let body = Bytes::from(std::mem::take(&mut event.payload));
            (event, body)
        })
        .collect();
    for InHand { slot, lease, endpoint, event } in queued.in_hand {
        if let Some((event, body)) = bodies.get(event) {
            deliver::start(app, slot, Delivery::handed_over(app, lease, &endpoint, event, body.clone()));
        }
    }
}

/// The enabled endpoints of all merchants that the events are of.
async fn endpoints_of(
    tx: &mut PgConnection,
    events: &[Event],
) -> Result<HashMap<Uuid, Vec<Arc<WebhookEndpoint>>>, store::Error> {
    let mut merchants: Vec<Uuid> = events.iter().map(|event| event.merchant_id).collect();
    merchants.sort_unstable();
    merchants.dedup();
    let mut endpoints: HashMap<Uuid, Vec<Arc<WebhookEndpoint>>> = HashMap::new();
    for endpoint in store::webhook_endpoints::enabled_of(tx, &merchants).await? {
        endpoints.entry(endpoint.merchant_id).or_default().push(Arc::new(endpoint));
    }
    Ok(endpoints)
}

/// A test event is its endpoint's own, whatever that wants else.
fn is_for(event: &Event, endpoint: &WebhookEndpoint) -> bool {
    if event.kind == event_types::TEST {
        return event.about_id.parse() == Ok(WebhookEndpointId::from_uuid(endpoint.endpoint_id));
    }
    event_types::wants(endpoint.event_types.as_deref(), &event.kind)
}

fn delivery(event: &Event, endpoint: &WebhookEndpoint, owner: Option<Uuid>) -> NewDelivery {
    NewDelivery {
        merchant_id: event.merchant_id,
        endpoint_id: endpoint.endpoint_id,
        event_id: event.cursor.id,
        event_created_at: event.created_at,
        object: event.about_id.clone(),
        sequence: event.sequence,
        owner,
    }
}
