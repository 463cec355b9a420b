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
use crate::faults::Faults;
use crate::gateway::answer::Answer;
use crate::gateway::{Call, Change, Gateway, Timer, Twist};
use crate::webhooks::Webhooks;
use requests::Requests;

/// The wait after the machine refused us a connection (out of file descriptors), in milliseconds.
const ACCEPT_RETRY_MS: u64 = 10;

/// Everything that a call can reach.
pub struct App {
    pub gateway: Mutex<Gateway>,
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

    /// Who calls: the hash of the bearer token, if it is accepted.
    fn owner(&self, authorization: &str) -> Option<u64> {
        let token = authorization.strip_prefix("Bearer ").filter(|token| !token.is_empty())?;
        let owner = crate::hash(token);
        (self.api_keys.is_empty() || self.api_keys.contains(&owner)).then_some(owner)
    }

    /// Lets the gateway act, tells the webhooks and winds up the timer.
    fn perform(self: &Arc<Self>, call: &Call, twist: Twist) -> Answer {
        let effects = self.gateway().perform(call, twist, clock::unix_seconds());
        self.follow(effects.change.as_ref(), effects.timer);
        effects.answer
    }

    fn follow(self: &Arc<Self>, change: Option<&Change>, timer: Option<Timer>) {
        if let Some(change) = change {
            self.webhooks.publish(change);
        }
        let Some(timer) = timer else { return };
        let app = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = sleep(Duration::from_millis(timer.after_ms)) => {}
                () = app.stop.cancelled() => return,
            }
            let settled = app.gateway().turn(&timer.subject, timer.turn, clock::unix_seconds());
            // Cancelled or settled by hand meanwhile: then there is nothing left to do.
            if let Ok(change) = settled {
                app.webhooks.publish(&change);
            }
        });
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

/// Calls to the gateway take the short way; everything else goes through the router.
async fn respond(app: Arc<App>, router: Router, request: Request<Incoming>) -> Result<Response, Dropped> {
    let path = request.uri().path();
    if path.starts_with("/__") || path.starts_with("/redirect/") || path == "/settlement.csv" {
        let response: Result<Response, Infallible> = router.oneshot(request).await;
        return Ok(response.unwrap_or_else(|never| match never {}));
    }
    let (parts, body) = request.into_parts();
    calls::answer(&app, parts, body).await
}
