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
    /// The mock's; empty where another face has told it.
    pub signature: String,
    pub headers: HeaderMap,
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
    /// What the others are answered; nothing with 204.
    words: &'static str,
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
        Self::with(Inbox { refusals, ..Inbox::default() }).await
    }

    /// Takes all, in these words.
    pub async fn saying(words: &'static str) -> Self {
        Self::with(Inbox { words, ..Inbox::default() }).await
    }

    async fn with(inbox: Inbox) -> Self {
        let inbox = Arc::new(Mutex::new(inbox));
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

async fn take(State(inbox): State<Arc<Mutex<Inbox>>>, headers: HeaderMap, bytes: Bytes) -> (StatusCode, &'static str) {
    let mut inbox = inbox.lock().unwrap();
    let signature = headers.get("mock-signature").map_or("", |value| value.to_str().unwrap()).to_owned();
    inbox.webhooks.push(Webhook { signature, headers, bytes });
    let status = match inbox.words {
        _ if inbox.webhooks.len() <= inbox.refusals => return (StatusCode::SERVICE_UNAVAILABLE, ""),
        "" => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    };
    (status, inbox.words)
}
