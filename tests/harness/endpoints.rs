//! What tests of deliveries do again and again: an endpoint at a receiver, and what the API offers about it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use interlock::domain::id::MerchantId;
use serde_json::{Value, json};

use super::{Answer, Caller, Merchant, Receiver, World, bodies};

/// A merchant's webhook endpoint, as its creation answered.
#[derive(Clone)]
pub struct Endpoint {
    /// `whe_…`
    pub id: String,
    /// `whsec_…`, shown once.
    pub secret: String,
}

impl Endpoint {
    /// Of the answer to a creation.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        let secret = answer.json["secret"].as_str();
        let secret = secret.unwrap_or_else(|| panic!("a new secret is shown once: {}", answer.text())).to_owned();
        Self { id: answer.id(), secret }
    }

    /// The path of the endpoint, or of something below it such as `/test`.
    pub fn path(&self, below: &str) -> String {
        format!("/v1/webhook_endpoints/{}{below}", self.id)
    }
}

impl Caller {
    /// Makes an endpoint at this URL; `changes` are put over the usual body. The URL is the idempotency key: one
    /// endpoint for each.
    pub async fn make_endpoint(&self, url: &str, changes: &Value) -> Endpoint {
        let body = bodies::with(json!({ "url": url }), changes);
        Endpoint::of(&self.post("/v1/webhook_endpoints", url, &body).await.expect(201))
    }

    /// The endpoint as it is now.
    pub async fn endpoint(&self, endpoint: &Endpoint) -> Value {
        self.get(&endpoint.path("")).await.expect(200).json
    }

    /// Changes the endpoint; the endpoint as it is then.
    pub async fn change_endpoint(&self, endpoint: &Endpoint, changes: &Value) -> Value {
        self.patch(&endpoint.path(""), changes).await.expect(200).json
    }

    /// A new secret; the one before stays valid for as long as the body says.
    pub async fn rotate_secret(&self, endpoint: &Endpoint, key: &str, body: &Value) -> Endpoint {
        Endpoint::of(&self.post(&endpoint.path("/rotate_secret"), key, body).await.expect(200))
    }

    /// Has a test event sent; the event.
    pub async fn test_endpoint(&self, endpoint: &Endpoint, key: &str) -> Value {
        self.post(&endpoint.path("/test"), key, &json!({})).await.expect(201).json
    }

    /// Has the events of a time sent again: `{from?, to?}`.
    pub async fn redeliver(&self, endpoint: &Endpoint, key: &str, body: &Value) -> Answer {
        self.post(&endpoint.path("/redeliver"), key, body).await
    }

    /// Has one event sent again, to every endpoint that wants it or to `{webhook_endpoint}`.
    pub async fn redeliver_event(&self, event: &str, key: &str, body: &Value) -> Answer {
        self.post(&format!("/v1/events/{event}/redeliver"), key, body).await
    }

    /// The endpoint's log, newest first, with a query such as `?outcome=failed`.
    pub async fn delivery_log(&self, endpoint: &Endpoint, query: &str) -> Vec<Value> {
        let list = self.get(&endpoint.path(&format!("/deliveries{query}"))).await.expect(200).json;
        list["data"].as_array().cloned().expect("a list has data")
    }
}

impl World {
    /// Waits until everything that this merchant's payments, refunds and orders have told so far was taken at a path of
    /// the receiver, and nothing waits any more. Panics where what came there is not what was written down, byte for byte,
    /// has a gap or is wrongly signed. The number of requests that it took.
    pub async fn all_delivered(&self, merchant: &Merchant, receiver: &Receiver, path: &str, secret: &str) -> usize {
        let id: MerchantId = merchant.id.parse().expect("a merchant's id");
        let told = "select payload from outbox where type not like 'webhook_endpoint.%' and merchant_id";
        let told: HashSet<String> = self.db_texts(&format!("{told} = '{}'", id.uuid())).await.into_iter().collect();
        assert!(!told.is_empty(), "nothing has happened");
        receiver
            .gets(&format!("all {} events at {path}", told.len()), |deliveries| {
                let here = deliveries.iter().filter(|delivery| delivery.path == path && delivery.is_accepted());
                let taken: HashSet<&[u8]> = here.map(|delivery| delivery.body.as_ref()).collect();
                let missing: Vec<_> = told.iter().filter(|event| !taken.contains(event.as_bytes())).collect();
                if missing.is_empty() { Ok(()) } else { Err(format!("{} are missing: {missing:#?}", missing.len())) }
            })
            .await;
        let came = receiver.deliveries_at(path);
        let mut sequences: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for delivery in came.iter().filter(|delivery| !delivery.kind().starts_with("webhook_endpoint.")) {
            let event = delivery.event();
            assert!(told.contains(&*String::from_utf8_lossy(&delivery.body)), "nobody wrote this down: {delivery:#?}");
            assert_eq!(event["id"], delivery.id(), "{delivery:#?}");
            assert_eq!(delivery.signed_by(secret), Ok(()), "{delivery:#?}");
            if delivery.is_accepted() {
                sequences.entry(delivery.object()).or_default().insert(delivery.sequence());
            }
        }
        for (object, sequences) in sequences {
            let whole = sequences.iter().copied().eq(1..=i64::try_from(sequences.len()).unwrap_or(0));
            assert!(whole, "{object} has a gap: {sequences:?}");
        }
        came.len()
    }
}
