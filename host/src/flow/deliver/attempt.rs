//! One try: signed as of now, sent once, judged.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Delivery;
use crate::{
    app::App,
    domain::{
        delivery::{self, Answered, Verdict, verdict},
        event_types,
        id::{EventId, WebhookEndpointId},
    },
    fault::{self, Point},
    store::delivery_results::{Outcome, Tried},
    wire::{Carried, Class, Receipt},
};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Who sends.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("Interlock/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Classes of what went wrong where there was an answer.
const REDIRECT: &str = "redirect";
const STATUS: &str = "status";
const GONE: &str = "gone";
/// The endpoint's row cannot be used: an operator must look.
const UNUSABLE: &str = "endpoint_unusable";

/// How long one waits that cannot be sent until somebody has repaired something.
const UNUSABLE_PAUSE: Duration = Duration::from_mins(15);
/// How long one waits for which this host had no room.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// Sends the event once. Never fails: what went wrong is in the result.
pub(super) async fn attempt(app: &App, delivery: Delivery) -> Tried {
    fault::point(Point::BeforeDelivery);
    let (at, started) = (app.clock.now(), Instant::now());
    let carried = match message(&delivery, at) {
        Some((target, headers)) => {
            let (body, timeout) = (delivery.body.clone(), app.config.webhook_timeout);
            Some(
                app.deliveries
                    .courier
                    .carry(delivery.lease.merchant_id, &target.destination, headers, body, timeout)
                    .await,
            )
        }
        None => None,
    };
    let took = started.elapsed();
    let tried = judge(app, delivery, carried, at, took, chance(app));
    metrics::histogram!("interlock_delivery_seconds").record(took);
    metrics::counter!("interlock_deliveries_total", "outcome" => <&str>::from(tried.outcome)).increment(1);
    tried
}

/// One that waited for its turn for too long: as if this host had no room for it.
pub(super) fn put_back(app: &App, delivery: Delivery) -> Tried {
    let detail = "it waited too long for its turn".to_owned();
    let carried = Carried::Failed { class: Class::HostBusy, detail };
    judge(app, delivery, Some(carried), app.clock.now(), Duration::ZERO, chance(app))
}

fn chance(app: &App) -> u32 {
    let [a, b, c, d, ..] = app.ids.nonce();
    u32::from_le_bytes([a, b, c, d])
}

/// What is sent with the body; none where the endpoint cannot be sent to.
fn message(delivery: &Delivery, at: DateTime<Utc>) -> Option<(&super::Target, HeaderMap)> {
    let target = delivery.target.as_deref()?;
    let id = EventId::from_uuid(delivery.lease.event_id).to_string();
    let signature = target.sign(&id, at, &delivery.body);
    let headers = [
        (header::CONTENT_TYPE, JSON),
        (header::USER_AGENT, USER_AGENT),
        (WEBHOOK_TIMESTAMP, HeaderValue::from(at.timestamp())),
        (WEBHOOK_ID, HeaderValue::try_from(id).ok()?),
        (WEBHOOK_SIGNATURE, HeaderValue::try_from(signature).ok()?),
    ];
    Some((target, headers.into_iter().collect()))
}

/// What came of it, and what follows. Nothing was `carried` where the endpoint cannot be sent to.
fn judge(
    app: &App,
    delivery: Delivery,
    carried: Option<Carried>,
    at: DateTime<Utc>,
    took: Duration,
    chance: u32,
) -> Tried {
    let put_off = put_off(carried.as_ref());
    let (receipt, error, detail) = match carried {
        Some(Carried::Answered(receipt)) => {
            let error = error_of(receipt.status);
            (Some(receipt), error, None)
        }
        Some(Carried::Failed { class, detail }) => (None, Some(<&str>::from(class)), Some(detail)),
        None => (None, Some(UNUSABLE), None),
    };
    let answered = match &receipt {
        Some(Receipt { status, retry_after, .. }) => {
            let retry_after = retry_after.as_deref().and_then(|text| delivery::retry_after(text, at + took));
            Answered::Status { status: *status, retry_after }
        }
        None => Answered::Nothing,
    };
    let delays: &[Duration] = if delivery.event_type == event_types::TEST { &[] } else { &app.config.webhook_delays };
    let verdict = verdict(answered, u32::try_from(delivery.tries).unwrap_or(0), delays, chance);
    let (outcome, after) = match verdict {
        _ if put_off.is_some() => (Outcome::Failed, put_off.map(|pause| delivery::jittered(pause, chance))),
        Verdict::Delivered => (Outcome::Delivered, None),
        Verdict::Retry { after } | Verdict::Gone { after: Some(after) } => (Outcome::Failed, Some(after)),
        Verdict::GivenUp | Verdict::Gone { after: None } => (Outcome::GivenUp, None),
    };
    let status = receipt.as_ref().map(|receipt| receipt.status);
    if let Some(error) = error {
        let (event, endpoint) =
            (EventId::from_uuid(delivery.lease.event_id), WebhookEndpointId::from_uuid(delivery.lease.endpoint_id));
        tracing::info!(
            webhook_endpoint.id = %endpoint, event.id = %event, error, status, detail, tries = delivery.tries,
            "an event was not delivered"
        );
    }
    Tried {
        lease: delivery.lease,
        delivery_id: app.ids.v7(),
        url: delivery.url,
        event_type: delivery.event_type,
        tries: delivery.tries,
        replay: delivery.replay,
        ordered: delivery.ordered,
        endpoint_failed: delivery.endpoint_failed,
        outcome,
        gone: matches!(verdict, Verdict::Gone { .. }),
        counts: put_off.is_none(),
        after,
        status,
        error,
        response_head: receipt.map(|receipt| receipt.body).filter(|body| !body.is_empty()),
        took,
        at,
    }
}

/// For how long it waits where it was not tried, and that is nobody's fault but ours.
fn put_off(carried: Option<&Carried>) -> Option<Duration> {
    match carried {
        None => Some(UNUSABLE_PAUSE),
        Some(Carried::Failed { class: Class::HostBusy, .. }) => Some(BUSY_PAUSE),
        Some(_) => None,
    }
}

/// The class of an answer that is no success.
fn error_of(status: u16) -> Option<&'static str> {
    match status {
        200..=299 => None,
        300..=399 => Some(REDIRECT),
        410 => Some(GONE),
        _ => Some(STATUS),
    }
}
