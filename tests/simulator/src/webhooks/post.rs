//! One POST over plain HTTP. Webhooks of a simulator go to the machine it runs on, so there is no TLS, no proxy, no
//! redirect and nothing of a big client to set up; connections are kept for the next webhook.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::uri::{Authority, Scheme};
use axum::http::{Request, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::faces::Signed;

/// How long a receiver may take, in milliseconds.
const TIMEOUT_MS: u64 = 5_000;
/// The longest answer that is read, in bytes. Receivers have little to say.
const ANSWER_MAX_BYTES: usize = 64 * 1024;
/// How many connections wait for the next webhook to the same place.
const IDLE_MAX: usize = 16;

type Connection = SendRequest<Full<Bytes>>;

/// Keeps connections between posts.
pub struct Poster {
    idle: Mutex<HashMap<Authority, Vec<Connection>>>,
    tasks: TaskTracker,
}

/// Whether webhooks can go there: `http://host[:port]/…`.
pub fn reachable(url: &str) -> bool {
    place(url).is_some()
}

impl Poster {
    pub fn new(tasks: TaskTracker) -> Self {
        Self { idle: Mutex::default(), tasks }
    }

    /// Status and body of the answer; nothing where none came in time.
    pub async fn post(&self, url: &str, signed: Signed) -> Option<(u16, Bytes)> {
        timeout(Duration::from_millis(TIMEOUT_MS), self.exchange(url, signed)).await.ok().flatten()
    }

    async fn exchange(&self, url: &str, signed: Signed) -> Option<(u16, Bytes)> {
        let (uri, authority) = place(url)?;
        let mut connection = match self.take(&authority) {
            Some(connection) => connection,
            None => self.connect(&authority).await?,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path).header(HOST, authority.as_str()).header(CONTENT_TYPE, "application/json");
        for (name, value) in signed.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(signed.body)).ok()?;
        let answer = connection.send_request(request).await.ok()?;
        let status = answer.status().as_u16();
        // A connection can be used again only when its answer was read to the end.
        let Ok(body) = Limited::new(answer.into_body(), ANSWER_MAX_BYTES).collect().await else {
            return Some((status, Bytes::new()));
        };
        self.keep(authority, connection);
        Some((status, body.to_bytes()))
    }

    async fn connect(&self, authority: &Authority) -> Option<Connection> {
        let port = authority.port_u16().unwrap_or(80);
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, port)).await.ok()?;
        // Without it the end of a small request could wait 40 ms.
        let _ = stream.set_nodelay(true);
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        self.tasks.spawn(driver);
        Some(connection)
    }

    fn take(&self, authority: &Authority) -> Option<Connection> {
        let mut idle = self.idle();
        let waiting = idle.get_mut(authority)?;
        std::iter::from_fn(|| waiting.pop()).find(Connection::is_ready)
    }

    fn keep(&self, authority: Authority, connection: Connection) {
        let mut idle = self.idle();
        let waiting = idle.entry(authority).or_default();
        if waiting.len() < IDLE_MAX {
            waiting.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<Authority, Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(url: &str) -> Option<(Uri, Authority)> {
    let uri: Uri = url.parse().ok().filter(|uri: &Uri| uri.scheme() == Some(&Scheme::HTTP))?;
    let authority = uri.authority()?.clone();
    Some((uri, authority))
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn webhooks_go_over_plain_http_only() {
        assert!(reachable("http://127.0.0.1:80/webhooks/x?y=1"));
        assert!(!reachable("https://127.0.0.1/"));
        assert!(!reachable("/webhooks"));
    }
}
