//! The simulator on a socket.
//!
//! It accepts and serves connections itself instead of leaving that to axum, because a fault may be a connection that
//! closes without a byte: a call that ends in [`Dropped`] makes hyper abandon the connection as it is.

mod calls;
mod control;
mod pages;
mod requests;
mod shape;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::clock;
use crate::faces::answer::Answer;
use crate::faces::{Call, Effects, Faces, Trouble};
use crate::faults::Faults;
use crate::gateway::settle::Settling;
use crate::gateway::{Change, Gateway, Timer, Turn, Twist};
use crate::webhooks::Webhooks;
use requests::Requests;

/// The largest body a client may send, in bytes.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// The wait after the machine refused us a connection (out of file descriptors), in milliseconds.
const ACCEPT_RETRY_MS: u64 = 10;

/// Everything that a call can reach.
pub struct App {
    pub gateway: Mutex<Gateway>,
    pub faces: Faces,
    pub faults: Faults,
    pub webhooks: Arc<Webhooks>,
    pub requests: Mutex<Requests>,
    /// Hashes of the keys that are accepted; any key is where there are none.
    pub api_keys: Vec<u64>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

/// The connection was closed on purpose, without an answer.
#[derive(Debug)]
pub struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("a fault closed this connection")
    }
}

impl std::error::Error for Dropped {}

impl App {
    fn gateway(&self) -> MutexGuard<'_, Gateway> {
        self.gateway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who calls: the hash of the key, if it is accepted.
    fn owner(&self, key: &str) -> Option<u64> {
        let owner = crate::hash(key);
        (self.api_keys.is_empty() || self.api_keys.contains(&owner)).then_some(owner)
    }

    /// Lets the gateway act.
    fn perform(self: &Arc<Self>, call: &dyn Call, twist: Twist) -> Answer {
        self.carry_out(|gateway| call.act(gateway, twist, clock::unix_seconds()))
    }

    /// Does something with the gateway, tells the webhooks and winds up the timers.
    fn carry_out(self: &Arc<Self>, deed: impl FnOnce(&mut Gateway) -> Effects) -> Answer {
        let mut gateway = self.gateway();
        let effects = deed(&mut gateway);
        self.publish(&gateway, &effects.changes);
        drop(gateway);
        for timer in effects.timers {
            self.wind_up(timer);
        }
        effects.answer
    }

    /// Lets the faces tell what has changed, while the gateway still is as the changes left it.
    fn publish(self: &Arc<Self>, gateway: &Gateway, changes: &[Change]) {
        for of_one in changes.chunk_by(|one, other| one.maker == other.maker) {
            if let Some(change) = of_one.first()
                && let Some(face) = self.faces.named(change.maker.face)
            {
                self.webhooks.publish(face, gateway, of_one);
            }
        }
    }

    fn wind_up(self: &Arc<Self>, timer: Timer) {
        let app = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = sleep(Duration::from_millis(timer.after_ms)) => app.ring(&timer),
                () = app.stop.cancelled() => {}
            }
        });
    }

    /// A timer has run out. What was cancelled or settled by hand meanwhile stays as it is.
    fn ring(self: &Arc<Self>, timer: &Timer) {
        let now = clock::unix_seconds();
        let mut gateway = self.gateway();
        let changes = match timer.turn {
            Turn::Settle => gateway.settle(&timer.subject, Settling::Due, now).into_iter().collect(),
            Turn::Fail => gateway.fail(&timer.subject, now).into_iter().collect(),
            Turn::Wake(face) => {
                self.faces.named(face).map(|face| face.wake(&timer.subject, &mut gateway, now)).unwrap_or_default()
            }
        };
        let changes: Vec<Change> = changes;
        self.publish(&gateway, &changes);
    }
}

/// Serves until told to stop. Open connections are closed as they are.
pub async fn serve(app: Arc<App>, listener: TcpListener) {
    let router = control::routes(app.clone());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = app.stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
            continue;
        };
        app.tasks.spawn(connection(app.clone(), router.clone(), stream));
    }
}

async fn connection(app: Arc<App>, router: Router, stream: TcpStream) {
    // Without it the second half of a small answer could wait 40 ms for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let stop = app.stop.clone();
    let service = service_fn(move |request| respond(app.clone(), router.clone(), request));
    let connection = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    // How a connection ends is its client's business, or a fault's.
    tokio::select! {
        _ = connection => {}
        () = stop.cancelled() => {}
    }
}

/// Calls to the gateway take the short way; what is for tests and people goes through the router.
async fn respond(app: Arc<App>, router: Router, request: Request<Incoming>) -> Result<Response, Dropped> {
    let path = request.uri().path();
    if path.starts_with("/__") || path == "/settlement.csv" {
        let response: Result<Response, Infallible> = router.oneshot(request).await;
        return Ok(response.unwrap_or_else(|never| match never {}));
    }
    let (parts, body) = request.into_parts();
    let (face, prefix) = app.faces.at(parts.uri.path());
    let Ok(body) = Limited::new(body, BODY_MAX_BYTES).collect().await else {
        return Ok(shape::plain(face.refuse(Trouble::TooLarge)));
    };
    let body = body.to_bytes();
    if face.is_page(parts.uri.path().get(prefix..).unwrap_or_default()) {
        return Ok(pages::answer(&app, face, prefix, &parts, &body));
    }
    calls::answer(&app, face, prefix, parts, body).await
}
