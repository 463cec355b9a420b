//! The webhook endpoint object, and what a redelivery answers.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;
use crate::{domain::id::WebhookEndpointId, store::webhook_endpoints::WebhookEndpoint};

/// Where a merchant wants events sent.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub struct WebhookEndpointView<'a> {
    /// `whe_…`
    id: String,
    /// `webhook_endpoint`
    object: &'static str,
    url: &'a str,
    /// The types of events that are sent: types, `payment.*` for all of an object, `*` for all; null: every event.
    event_types: Option<&'a [String]>,
    /// `parallel`, or `ordered`: one event of an object at a time, in the order of their `sequence`.
    mode: &'static str,
    /// Whether events are sent to it.
    enabled: bool,
    /// Why not: `merchant` (you said so), `gone` (it answered 410) or `failing` (nothing was delivered to it for too long).
    disabled_reason: Option<&'static str>,
    disabled_at: Option<String>,
    /// The first failed try since the last success.
    failing_since: Option<String>,
    /// Where a redelivery begins that does not say: since about then events are missing here, because it was disabled. It
    /// stays when you enable it again, until a redelivery that begins there and names no end has queued all of them.
    resume_from: Option<String>,
    description: Option<&'a str>,
    created_at: String,
    updated_at: String,
    /// What its events are signed with (`whsec_…`). Shown once: in the answer to making it, and to making a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl<'a> WebhookEndpointView<'a> {
    /// The object as merchants see it.
    #[must_use]
    pub fn new(endpoint: &'a WebhookEndpoint) -> Self {
        Self {
            id: endpoint.id().to_string(),
            object: "webhook_endpoint",
            url: &endpoint.url,
            event_types: endpoint.event_types.as_deref(),
            mode: endpoint.mode.into(),
            enabled: endpoint.enabled,
            disabled_reason: endpoint.disabled_reason.map(Into::into),
            disabled_at: endpoint.disabled_at.map(time),
            failing_since: endpoint.failing_since.map(time),
            resume_from: endpoint.resume_from.map(time),
            description: endpoint.description.as_deref(),
            created_at: time(endpoint.created_at),
            updated_at: time(endpoint.updated_at),
            secret: None,
        }
    }

    /// The same with the secret that was made for it a moment ago.
    #[must_use]
    pub fn with_secret(self, secret: &'a str) -> Self {
        Self { secret: Some(secret), ..self }
    }

    /// Its bytes.
    ///
    /// # Panics
    /// Never: all names are strings, and there are no floats.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a view has string keys and no floats")
    }
}

/// Events that are delivered once more.
#[derive(Serialize, ToSchema)]
#[schema(as = Redelivery)]
pub struct RedeliveryView {
    /// `redelivery`
    object: &'static str,
    /// `whe_…`
    webhook_endpoint: String,
    /// How many were put behind what is live; those that waited for their next try are due now and count too.
    queued: i64,
    from: String,
    /// Until when; where none was given, the time of the request.
    to: String,
    /// Where to go on, where there are more than one request takes; else null.
    next_from: Option<String>,
}

impl RedeliveryView {
    /// What was queued of a range.
    #[must_use]
    pub fn new(
        endpoint: WebhookEndpointId,
        queued: i64,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        next_from: Option<DateTime<Utc>>,
    ) -> Self {
        Self {
            object: "redelivery",
            webhook_endpoint: endpoint.to_string(),
            queued,
            from: time(from),
            to: time(to),
            next_from: next_from.map(time),
        }
    }

    /// Its bytes.
    ///
    /// # Panics
    /// Never: all names are strings, and there are no floats.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a view has string keys and no floats")
    }
}

/// One event that is delivered once more.
#[derive(Serialize, ToSchema)]
#[schema(as = EventRedelivery)]
pub struct EventRedeliveryView {
    /// `event_redelivery`
    object: &'static str,
    /// `evt_…`
    event: String,
    /// To whom it was queued: `whe_…`.
    webhook_endpoints: Vec<String>,
    /// To how many it is sent now; fewer than there are endpoints where it is being sent to some already.
    queued: i64,
}

impl EventRedeliveryView {
    /// What was queued of an event.
    #[must_use]
    pub fn new(event: &impl ToString, endpoints: &[WebhookEndpoint], queued: i64) -> Self {
        Self {
            object: "event_redelivery",
            event: event.to_string(),
            webhook_endpoints: endpoints.iter().map(|endpoint| endpoint.id().to_string()).collect(),
            queued,
        }
    }

    /// Its bytes.
    ///
    /// # Panics
    /// Never: all names are strings, and there are no floats.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a view has string keys and no floats")
    }
}
