//! One request that a receiver got, and what the public Standard Webhooks library says of its signature.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// How many came to the receiver before it.
    pub number: usize,
    pub method: String,
    /// With its query.
    pub path: String,
    pub headers: HeaderMap,
    /// The very bytes.
    pub body: Bytes,
    /// How often this event had come to this path, this time included.
    pub tries: usize,
    /// The status that it was answered with; none where the script gave no answer.
    pub answered: Option<u16>,
    /// When all of it had been read.
    pub began: Instant,
    /// When the answer was on its way or the connection had ended; none while it is open.
    pub ended: Option<Instant>,
}

impl Delivery {
    pub(super) fn of(head: &http::request::Parts, body: Bytes, number: usize) -> Self {
        Self {
            number,
            method: head.method.to_string(),
            path: head.uri.to_string(),
            headers: head.headers.clone(),
            body,
            tries: 1,
            answered: None,
            began: Instant::now(),
            ended: None,
        }
    }

    /// A header's value; empty where it is absent or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Its `webhook-id`.
    pub fn id(&self) -> &str {
        self.header(HEADER_WEBHOOK_ID)
    }

    /// The body as JSON; null where it is none.
    pub fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The event's type.
    pub fn kind(&self) -> String {
        self.event()["type"].as_str().unwrap_or_default().to_owned()
    }

    /// The event's place among those of its object; 0 where it says none.
    pub fn sequence(&self) -> i64 {
        self.event()["sequence"].as_i64().unwrap_or_default()
    }

    /// The id of what the event is about.
    pub fn object(&self) -> String {
        self.event()["data"]["object"]["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether it was answered with a success.
    pub fn is_accepted(&self) -> bool {
        self.answered.is_some_and(|status| (200..300).contains(&status))
    }

    /// What the public library says of its signature under this secret, now: a signature is too old after five minutes.
    pub fn signed_by(&self, secret: &str) -> Result<(), String> {
        let webhook = Webhook::new(secret).map_err(|error| error.to_string())?;
        webhook.verify(&self.body, &self.headers).map_err(|error| error.to_string())
    }

    /// Whether the public library signs the same under this secret, however long ago it was.
    pub fn was_signed_by(&self, secret: &str) -> Result<(), String> {
        let webhook = Webhook::new(secret).map_err(|error| error.to_string())?;
        let sent_at = self.header(HEADER_WEBHOOK_TIMESTAMP).parse().map_err(|error| format!("no time: {error}"))?;
        let signature = webhook.sign(self.id(), sent_at, &self.body).map_err(|error| error.to_string())?;
        let mut carried = self.header(HEADER_WEBHOOK_SIGNATURE).split(' ');
        carried.any(|carried| carried == signature).then_some(()).ok_or_else(|| "no signature matches".to_owned())
    }

    /// How many signatures it carries: one for each secret that is valid.
    pub fn signatures(&self) -> usize {
        self.header(HEADER_WEBHOOK_SIGNATURE).split(' ').filter(|signature| !signature.is_empty()).count()
    }
}

/// The most of these requests that were open at one moment.
pub fn most_at_once(deliveries: &[Delivery]) -> usize {
    // A request ends before another begins at the same moment: the answer was on its way.
    let ends = deliveries.iter().filter_map(|delivery| delivery.ended).map(|ended| (ended, 0));
    let mut moments: Vec<(Instant, u8)> = deliveries.iter().map(|delivery| (delivery.began, 1)).chain(ends).collect();
    moments.sort();
    let mut open = 0_usize;
    let counts = moments.iter().map(|(_, begins)| {
        open = if *begins == 1 { open + 1 } else { open.saturating_sub(1) };
        open
    });
    counts.max().unwrap_or(0)
}

/// The three headers of a message that is signed by the public library, for requests that a test makes itself.
pub fn signature_headers(secret: &str, id: &str, unix_seconds: i64, body: &[u8]) -> HeaderMap {
    let signature = Webhook::new(secret).and_then(|webhook| webhook.sign(id, unix_seconds, body));
    let signature = signature.expect("the test has a secret in base64 and a body in UTF-8");
    [
        (HEADER_WEBHOOK_ID, id.to_owned()),
        (HEADER_WEBHOOK_TIMESTAMP, unix_seconds.to_string()),
        (HEADER_WEBHOOK_SIGNATURE, signature),
    ]
    .into_iter()
    .map(|(name, value)| {
        let value = HeaderValue::from_str(&value).expect("ids, numbers and base64 are visible ASCII");
        (HeaderName::from_static(name), value)
    })
    .collect()
}
