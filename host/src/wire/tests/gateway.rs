//! A gateway made of a bare socket, so that a test decides every byte and every close.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::fixtures::{holes, permit};
use crate::connector::types::Request;
use crate::wire::{Outgoing, Sent, Wire, WireConfig};

pub const TIMEOUT: Duration = Duration::from_secs(5);
pub const OK_REPLY: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";

/// A listening gateway. Its task ends with the test's runtime.
pub struct Gateway {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    /// Every request as it came in, head and body.
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    /// Serves every connection with `serve`.
    pub async fn start<F, Served>(serve: F) -> Self
    where
        F: Fn(Caller<TcpStream>) -> Served + Send + Sync + 'static,
        Served: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counter, log) = (Arc::clone(&connections), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(Caller { stream, log: Arc::clone(&log) }));
            }
        });
        Self { address, connections, requests }
    }

    /// Answers the first request of every connection with `reply`, then closes.
    pub async fn replying(reply: impl Into<Vec<u8>>) -> Self {
        let reply = reply.into();
        Self::start(move |mut caller| {
            let reply = reply.clone();
            async move {
                caller.read_request().await;
                // The client may have enough of it before all is sent.
                let _ = caller.stream.write_all(&reply).await;
            }
        })
        .await
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// One connection, seen from the gateway.
pub struct Caller<S> {
    pub stream: S,
    pub log: Arc<Mutex<Vec<String>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Caller<S> {
    /// Reads one whole request and logs it; false where the client has gone.
    pub async fn read_request(&mut self) -> bool {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
                if body.len() >= length.parse().unwrap() {
                    self.log.lock().await.push(text);
                    return true;
                }
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return false,
                Ok(more) => bytes.extend_from_slice(&chunk[..more]),
            }
        }
    }

    pub async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }
}

/// A configuration for loopback with small limits.
pub fn config() -> WireConfig {
    WireConfig { connect_timeout: Duration::from_secs(2), response_max_bytes: 64 * 1024, ..WireConfig::new(true) }
}

pub fn wire() -> Wire {
    Wire::new(config()).unwrap()
}

/// Sends with a lease that holds.
pub async fn send(wire: &Wire, request: &Request, base: &str, timeout: Duration) -> Sent {
    send_if(wire, request, base, timeout, &|_| true).await
}

pub async fn send_if(
    wire: &Wire,
    request: &Request,
    base: &str,
    timeout: Duration,
    may_send: &(dyn Fn(Duration) -> bool + Sync),
) -> Sent {
    let (permit, holes) = (permit(base), holes());
    let account = Uuid::from_u128(7);
    let connector = "fixture";
    wire.send(Outgoing { request, permit: &permit, holes: &holes, account, connector, timeout, may_send }).await
}
