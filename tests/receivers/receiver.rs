//! Receives Interlock's webhooks: checks the signature, drops repeats, notices what is late or missing, answers at once.

use std::{
    collections::{HashMap, HashSet},
    env,
    error::Error,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde::Deserialize;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    sequence: u64,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    id: String,
}

/// Stands for two tables of your database, written in one transaction.
#[derive(Default)]
struct Inbox {
    /// Ids of events: a unique index.
    seen: HashSet<String>,
    /// The highest sequence of each object.
    latest: HashMap<String, u64>,
}

impl Inbox {
    fn keep(&mut self, event: &Event) {
        let Event { id, kind, sequence, data: Data { object } } = event;
        if !self.seen.insert(id.clone()) {
            eprintln!("again {id}");
            return;
        }
        let latest = self.latest.entry(object.id.clone()).or_default();
        if *sequence > *latest + 1 {
            eprintln!("gap {} from {} to {sequence}", object.id, *latest);
        }
        if *sequence < *latest {
            eprintln!("late {id}");
        }
        *latest = (*latest).max(*sequence);
        // What takes time is done later, by somebody who reads the table.
        eprintln!("new {id} {kind} {} {sequence}", object.id);
    }
}

struct Shop {
    webhook: Webhook,
    inbox: Mutex<Inbox>,
}

async fn receive(State(shop): State<Arc<Shop>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    // The very bytes that came are what is signed.
    if let Err(error) = shop.webhook.verify(&body, &headers) {
        eprintln!("refused: {error}");
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST };
    shop.inbox.lock().unwrap_or_else(PoisonError::into_inner).keep(&event);
    StatusCode::NO_CONTENT
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let webhook = Webhook::new(&env::var("WEBHOOK_SECRET")?)?;
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let shop = Arc::new(Shop { webhook, inbox: Mutex::default() });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    eprintln!("listening on http://{}/webhooks", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/webhooks", post(receive)).with_state(shop)).await?;
    Ok(())
}
