//! The delivery object: one try to deliver an event to an endpoint, or an event that waits for its next try.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::{
    domain::id::{EventId, WebhookEndpointId},
    store::delivery_log::{Queued, Tried},
};

/// What became of a delivery of an event to an endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView<'a> {
    /// `dlv_…`, of this one try; null where the event is `pending`.
    id: Option<String>,
    /// `delivery`
    object: &'static str,
    /// `whe_…`
    webhook_endpoint: String,
    /// `evt_…`: what the endpoint got as `webhook-id`.
    event: String,
    /// Null where the event is not kept any more.
    event_type: Option<&'a str>,
    /// Of this event to this endpoint, from 1; of a `pending` one, which try comes next. Asked for again, an event begins anew.
    r#try: i32,
    /// You asked for it again.
    replay: bool,
    /// What a try came to: `delivered`; `failed`, and tried again; `given_up`. Or `pending`: it waits for its first try or the
    /// next one, or is being tried at this moment.
    outcome: &'a str,
    /// The HTTP status that your endpoint answered with; null where it did not.
    status: Option<i16>,
    /// What went wrong: `timeout`, `connect`, `status`, …
    error: Option<&'a str>,
    /// The first 2,048 bytes of your endpoint's answer.
    response_head: Option<Cow<'a, str>>,
    /// Milliseconds from sending it to the answer, or to what went wrong; null where it is `pending`.
    took_ms: Option<i32>,
    /// When it is tried next, or soon after; of a `pending` one null while it is being tried.
    next_at: Option<String>,
    /// When it was sent: its `webhook-timestamp`. Of a `pending` one: when it was queued.
    created_at: String,
}

impl<'a> DeliveryView<'a> {
    /// A try as its merchant sees it.
    #[must_use]
    pub fn new(tried: &'a Tried) -> Self {
        Self {
            id: Some(tried.id().to_string()),
            object: "delivery",
            webhook_endpoint: WebhookEndpointId::from_uuid(tried.endpoint_id).to_string(),
            event: EventId::from_uuid(tried.event_id).to_string(),
            event_type: Some(&tried.event_type),
            r#try: tried.r#try,
            replay: tried.replay,
            outcome: &tried.outcome,
            status: tried.status,
            error: tried.error.as_deref(),
            response_head: tried.response_head.as_deref().map(String::from_utf8_lossy),
            took_ms: Some(tried.took_ms),
            next_at: tried.next_at.map(time),
            created_at: time(tried.at),
        }
    }

    /// What is queued, as its merchant sees it.
    #[must_use]
    pub fn pending(queued: &'a Queued) -> Self {
        Self {
            id: None,
            object: "delivery",
            webhook_endpoint: WebhookEndpointId::from_uuid(queued.endpoint_id).to_string(),
            event: queued.event().to_string(),
            event_type: queued.event_type.as_deref(),
            r#try: queued.tries.saturating_add(1),
            replay: queued.replay,
            outcome: "pending",
            status: None,
            error: None,
            response_head: None,
            took_ms: None,
            next_at: queued.next_at.map(time),
            created_at: time(queued.created_at),
        }
    }
}
