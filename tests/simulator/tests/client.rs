//! A client that hides nothing: one connection per call, no retries, statuses and broken connections alike are results.

use std::time::Duration;

use axum::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use interlock_simulator::{Settings, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The API key that the client sends.
pub const API_KEY: &str = "sk_gateway_1234567890";
/// A card that approves.
pub const GOOD_CARD: &str = "4242424242424242";

/// A simulator and somebody who talks to it.
pub struct World {
    pub simulator: Simulator,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(Settings { seed: Some(7), ..Settings::default() }).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self { simulator: Simulator::start(settings).await.unwrap() }
    }

    pub fn authority(&self) -> &str {
        self.simulator.url().strip_prefix("http://").unwrap()
    }

    /// A call that gets an answer.
    pub async fn call(&self, method: Method, path: &str, key: &str, body: &Value) -> Reply {
        self.attempt(method, path, key, body).await.unwrap()
    }

    /// A call that may end without one.
    pub async fn attempt(&self, method: Method, path: &str, key: &str, body: &Value) -> Result<Reply, hyper::Error> {
        request(
            self.authority(),
            method,
            path,
            &[("authorization", &format!("Bearer {API_KEY}")), ("idempotency-key", key)],
            body,
        )
        .await
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> Reply {
        self.call(Method::POST, path, key, &body).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, "", &Value::Null).await
    }

    /// A charge of 1000 under this reference.
    pub async fn charge(&self, reference: &str) -> Reply {
        self.post("/charges", reference, charge(reference, 1_000, GOOD_CARD)).await
    }

    /// Sets faults; they must be accepted.
    pub async fn faults(&self, faults: Value) {
        let reply = self.post("/__faults", "", faults).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
    }

    pub async fn ledger(&self) -> Value {
        let ledger = self.get("/__ledger").await.json();
        assert_eq!(ledger["balanced"], true, "{ledger}");
        ledger
    }

    /// The bytes that come back for a charge before the connection ends.
    pub async fn bytes_for_charge(&self, reference: &str) -> Vec<u8> {
        let body = charge(reference, 1_000, GOOD_CARD).to_string();
        let head = format!(
            "POST /charges HTTP/1.1\r\nhost: simulator\r\nauthorization: Bearer {API_KEY}\r\nidempotency-key: {reference}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(self.authority()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let end = timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes)).await;
        // A reset after the bytes is an end too; a connection that stays open is none.
        assert!(end.is_ok(), "the connection was not closed");
        bytes
    }

    /// Waits until a charge has this status.
    pub async fn until(&self, id: &str, status: &str) -> Value {
        for _ in 0..200 {
            let charge = self.get(&format!("/charges/{id}")).await.json();
            if charge["status"] == status {
                return charge;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} never became {status}: {}", self.get(&format!("/charges/{id}")).await.json());
    }
}

/// The body of a charge that is captured at once.
pub fn charge(reference: &str, amount: i64, number: &str) -> Value {
    json!({
        "reference": reference, "amount": amount, "currency": "USD", "capture": true,
        "method": {"type": "card", "number": number, "expiry_month": "05", "expiry_year": "2099", "cvc": "123"}
    })
}

/// The same, only held.
pub fn hold(reference: &str, amount: i64) -> Value {
    let mut body = charge(reference, amount, GOOD_CARD);
    body["capture"] = json!(false);
    body
}

/// One JSON request on a connection of its own.
pub async fn request(
    authority: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Result<Reply, hyper::Error> {
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let headers = [headers, &[("content-type", "application/json")]].concat();
    send(authority, method, path, &headers, body).await
}

/// One request of any kind on a connection of its own. Headers without a value are left out.
pub async fn send(
    authority: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Reply, hyper::Error> {
    let stream = TcpStream::connect(authority).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Dropped with this call, and the connection with it.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", authority);
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    let reply = sender.send_request(request.body(Full::new(body)).unwrap()).await?;
    let (parts, body) = reply.into_parts();
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body: body.collect().await?.to_bytes() })
}
