//! What an endpoint missed, or should get once more: a range of events for one endpoint, or one event for all.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{Unwritten, end, get, present};
use crate::{
    app::App,
    domain::{
        event_types,
        id::{EventId, WebhookEndpointId},
    },
    flow::{Answer, Call, Fault, Refusal, answer, create_payment::key_of, task},
    store::{
        self,
        replays::{Range, Replay, Replayed},
        webhook_endpoints::WebhookEndpoint,
    },
    view::{
        self,
        webhook_endpoint::{EventRedeliveryView, RedeliveryView},
    },
};

/// Events looked at for one transaction, which queues those that are wanted. It holds back the readers of the log for as
/// long as it runs, so it is short.
const PIECE_EVENTS: i64 = 5_000;
/// Pieces of one request: as many as take some seconds, where little of them is wanted.
const PIECES_MAX: usize = 200;
/// Events queued by one request, or hardly more.
const QUEUED_MAX: i64 = 100_000;
/// How long before the first failed try of an endpoint the event was made that failed, at most: it is tried as soon as it
/// is read.
const FAILED_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// The status of an answer that tells of what is yet to be done.
const ACCEPTED: i16 = 202;

/// Which events are to be sent again.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// None: since the endpoint misses something.
    pub from: Option<DateTime<Utc>>,
    /// None: up to now.
    pub to: Option<DateTime<Utc>>,
}

/// Queues what the endpoint wants of a time, behind what is live. In pieces, and the answer is kept with the last of them:
/// a host that dies in between leaves some of it queued, and the retry queues all.
pub async fn redeliver(app: &Arc<App>, call: Call, id: WebhookEndpointId, wanted: Wanted) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, &call).await? {
        return Ok(answer);
    }
    let owned = Arc::clone(app);
    task::detached(app, async move {
        match queue_range(&owned, &call, id, wanted).await {
            Ok(answer) => Ok(answer),
            Err(Unwritten::KeyIsTaken) => answer::of_taken_key(&owned, &call).await,
            // The same request may have been answered meanwhile.
            Err(Unwritten::Refused(refusal)) => answer::or_stored(&owned, &call, refusal).await,
        }
    })
    .await
}

async fn queue_range(app: &App, call: &Call, id: WebhookEndpointId, wanted: Wanted) -> Result<Answer, Unwritten> {
    let endpoint = get(app, call.merchant, id).await?;
    if !endpoint.enabled {
        return Err(Refusal::EndpointIsDisabled.into());
    }
    let from = wanted.from.map_or_else(|| missing_since(&endpoint), Ok)?;
    if wanted.to.is_some_and(|to| to < from) {
        let detail = format!("must not be before `from`, which is {} where it is left out", view::time(from));
        return Err(Refusal::Invalid(vec![Fault::new("/to", detail)]).into());
    }
    // Where it takes up what was missing, what is missing afterwards is what is left of it.
    let takes_up = endpoint.resume_from.is_some_and(|missing| from <= missing) && wanted.to.is_none();
    let from_xid = endpoint.resume_xid.filter(|_| takes_up);
    let now = app.clock.now();
    let (mut queued, mut after) = (0, None);
    for _ in 0..PIECES_MAX {
        let (more, last) = queue_piece(app, &endpoint, Span { from, from_xid, to: wanted.to, after }).await?;
        queued += more;
        after = last;
        if after.is_none() || queued >= QUEUED_MAX {
            break;
        }
    }
    let next_from = after.map(store::event_ids::time_in);
    let body = RedeliveryView::new(id, queued, from, wanted.to.unwrap_or(now), next_from).to_bytes();
    let missing_since = if takes_up { next_from } else { endpoint.resume_from };

    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin_with(store::BEGIN_BRIEF).await.map_err(store::Error::from)?;
    let written = conclude(app, &mut tx, call, &endpoint, &body, missing_since).await;
    end(tx, written).await?;
    app.wake.deliveries.notify_one();
    Ok(Answer { status: ACCEPTED.unsigned_abs(), body: body.into(), replayed: false })
}

/// Since when an endpoint misses something, as far as that is known.
fn missing_since(endpoint: &WebhookEndpoint) -> Result<DateTime<Utc>, Refusal> {
    let failing = endpoint.failing_since.map(|since| since - FAILED_WITHIN);
    endpoint.resume_from.or(failing).ok_or_else(|| {
        let detail = "is required: this endpoint was not switched off, and does not fail now; its deliveries with \
                      `outcome=given_up` tell what was given up before";
        Refusal::Invalid(vec![Fault::new("/from", detail)])
    })
}

/// What is left of a range.
#[derive(Clone, Copy)]
struct Span {
    from: DateTime<Utc>,
    from_xid: Option<u64>,
    to: Option<DateTime<Utc>>,
    after: Option<Uuid>,
}

/// Looks through the next events, and queues what is wanted in a transaction of its own, during which the endpoint stays
/// enabled. Returns how many it queued, and the last event that it looked at where there may be more.
async fn queue_piece(app: &App, endpoint: &WebhookEndpoint, span: Span) -> Result<(i64, Option<Uuid>), Refusal> {
    let range = Range {
        merchant_id: endpoint.merchant_id,
        kinds: &event_types::wanted(endpoint.event_types.as_deref()),
        from: span.from,
        from_xid: span.from_xid,
        to: span.to,
        after: span.after,
        look_max: PIECE_EVENTS,
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let found = store::replays::find(&mut conn, &range).await?;
    if found.events.is_empty() {
        return Ok((0, found.last));
    }
    let mut tx = conn.begin_with(store::BEGIN_BRIEF).await.map_err(store::Error::from)?;
    let written = enqueue(&mut tx, endpoint, &found.events).await;
    Ok((end(tx, written).await?, found.last))
}

async fn enqueue(tx: &mut PgConnection, endpoint: &WebhookEndpoint, events: &[Replay]) -> Result<i64, Refusal> {
    let held = store::webhook_endpoints::get_held(&mut *tx, endpoint.merchant(), endpoint.id()).await?;
    if !present(held)?.enabled {
        return Err(Refusal::EndpointIsDisabled);
    }
    Ok(store::replays::enqueue_replays(tx, endpoint.merchant_id, endpoint.endpoint_id, events).await?)
}

async fn conclude(
    app: &App,
    tx: &mut PgConnection,
    call: &Call,
    endpoint: &WebhookEndpoint,
    body: &[u8],
    missing_since: Option<DateTime<Utc>>,
) -> Result<(), Unwritten> {
    let now = app.clock.now();
    if !store::answers::claim(&mut *tx, call.merchant, &key_of(app, call), ACCEPTED, body, now).await? {
        return Err(Unwritten::KeyIsTaken);
    }
    if missing_since != endpoint.resume_from {
        // Where it was disabled again meanwhile, it misses more than this, and that is what counts.
        store::webhook_endpoints::resume_at(tx, endpoint, missing_since).await?;
    }
    Ok(())
}

/// Queues one event again: for the endpoint that is named, whatever it asked for, or for every one that wants it.
pub async fn redeliver_event(
    app: &Arc<App>,
    call: Call,
    event: EventId,
    named: Option<WebhookEndpointId>,
) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, &call).await? {
        return Ok(answer);
    }
    let owned = Arc::clone(app);
    task::detached(app, async move {
        let mut conn = owned.pool.acquire().await.map_err(store::Error::from)?;
        let mut tx = conn.begin_with(store::BEGIN_BRIEF).await.map_err(store::Error::from)?;
        let written = queue_event(&owned, &mut tx, &call, event, named).await;
        match end(tx, written).await {
            Ok(body) => {
                owned.wake.deliveries.notify_one();
                Ok(Answer { status: ACCEPTED.unsigned_abs(), body: body.into(), replayed: false })
            }
            Err(Unwritten::KeyIsTaken) => answer::of_taken_key(&owned, &call).await,
            Err(Unwritten::Refused(refusal)) => answer::or_stored(&owned, &call, refusal).await,
        }
    })
    .await
}

async fn queue_event(
    app: &App,
    tx: &mut PgConnection,
    call: &Call,
    id: EventId,
    named: Option<WebhookEndpointId>,
) -> Result<Vec<u8>, Unwritten> {
    let event = store::replays::event(&mut *tx, call.merchant, id).await?.ok_or(Refusal::NotFound)?;
    let endpoints = if let Some(named) = named {
        vec![the_named(&mut *tx, call, &event, named).await?]
    } else {
        let mut endpoints = store::webhook_endpoints::enabled_of(&mut *tx, &[call.merchant.uuid()]).await?;
        endpoints.retain(|endpoint| goes_to(&event, endpoint));
        endpoints
    };
    let ids: Vec<_> = endpoints.iter().map(|endpoint| endpoint.endpoint_id).collect();
    let queued = store::replays::enqueue_replay(&mut *tx, call.merchant, id, &ids).await?;
    let body = EventRedeliveryView::new(&id, &endpoints, queued).to_bytes();
    let now = app.clock.now();
    if !store::answers::claim(tx, call.merchant, &key_of(app, call), ACCEPTED, &body, now).await? {
        return Err(Unwritten::KeyIsTaken);
    }
    Ok(body)
}

async fn the_named(
    tx: &mut PgConnection,
    call: &Call,
    event: &Replayed,
    named: WebhookEndpointId,
) -> Result<WebhookEndpoint, Refusal> {
    let refused = |detail: &str| Refusal::Invalid(vec![Fault::new("/webhook_endpoint", detail)]);
    let found = store::webhook_endpoints::get_held(tx, call.merchant, named).await?;
    let endpoint = present(found).map_err(|_| refused("is not there; `GET /v1/webhook_endpoints` lists yours"))?;
    if event.kind == event_types::TEST && event.object != named.to_string() {
        return Err(refused("is another endpoint than the one that this event tests"));
    }
    if endpoint.enabled { Ok(endpoint) } else { Err(Refusal::EndpointIsDisabled) }
}

/// A test goes to the endpoint that it is about, everything else to those that ask for it.
fn goes_to(event: &Replayed, endpoint: &WebhookEndpoint) -> bool {
    if event.kind == event_types::TEST {
        event.object == endpoint.id().to_string()
    } else {
        event_types::wants(endpoint.event_types.as_deref(), &event.kind)
    }
}
