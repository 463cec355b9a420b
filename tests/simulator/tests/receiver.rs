//! Somebody who gets webhooks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// One webhook as it came.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub signature: String,
    pub bytes: Bytes,
}

impl Webhook {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }
}

#[derive(Default)]
struct Inbox {
    webhooks: Vec<Webhook>,
    /// How many are refused before one is taken.
    refusals: usize,
}

/// Takes webhooks on a port of its own until it is dropped.
pub struct Receiver {
    pub url: String,
    inbox: Arc<Mutex<Inbox>>,
    _server: JoinSet<()>,
}

impl Receiver {
    /// Refuses the first so many with 503.
    pub async fn new(refusals: usize) -> Self {
        let inbox = Arc::new(Mutex::new(Inbox { refusals, ..Inbox::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let router = Router::new().route("/hooks", post(take)).with_state(inbox.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inbox, _server: server }
    }

    /// What has come so far.
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.inbox.lock().unwrap().webhooks.clone()
    }

    /// Waits until so many have come, and a little longer for one too many.
    pub async fn wait_for(&self, count: usize) -> Vec<Webhook> {
        for _ in 0..300 {
            if self.webhooks().len() >= count {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_millis(60)).await;
        let webhooks = self.webhooks();
        assert_eq!(webhooks.len(), count, "{webhooks:?}");
        webhooks
    }
}

async fn take(State(inbox): State<Arc<Mutex<Inbox>>>, headers: HeaderMap, bytes: Bytes) -> StatusCode {
    let mut inbox = inbox.lock().unwrap();
    let signature = headers["mock-signature"].to_str().unwrap().to_owned();
    inbox.webhooks.push(Webhook { signature, bytes });
    if inbox.webhooks.len() <= inbox.refusals { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
}
