//! `/livez`, `/readyz`, `/metrics`: what machines ask a host about itself. Open to whoever reaches the operators' listener.

use std::time::Duration;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{StatusCode, header};
use serde::Serialize;

use super::{Http, respond};
use crate::{domain::connector_life, store};

/// A database that takes longer than this to answer is not ready.
const DATABASE_TIME_MAX: Duration = Duration::from_secs(2);

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes of the probes.
pub fn routes() -> Router<Http> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).route("/metrics", get(render))
}

/// Whether this host may be given requests, and if not, why.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "four answers to four questions")]
struct Readiness {
    ready: bool,
    draining: bool,
    database: bool,
    /// Every active connector is loaded.
    connectors: bool,
}

/// The process runs: nothing else is asked, so that a database that is away restarts no host.
async fn livez() -> Response {
    respond::ok(&serde_json::json!({ "alive": true }))
}

async fn readyz(State(http): State<Http>) -> Response {
    let draining = http.app.stop.is_cancelled();
    let active = tokio::time::timeout(DATABASE_TIME_MAX, async {
        let mut conn = http.app.pool.acquire().await.map_err(store::Error::from)?;
        store::connectors::followed(&mut conn, &http.app.registry.digests()).await
    });
    let active = active.await.ok().and_then(Result::ok);
    let database = active.is_some();
    let is_loaded =
        |digest: &[u8]| <[u8; 32]>::try_from(digest).is_ok_and(|digest| http.app.registry.by_digest(&digest).is_some());
    let connectors = active
        .unwrap_or_default()
        .iter()
        .filter(|row| row.state == connector_life::State::Active)
        .all(|row| is_loaded(&row.digest));
    let ready = !draining && database && connectors;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond::json(status, &Readiness { ready, draining, database, connectors })
}

async fn render(State(http): State<Http>) -> Response {
    let (all, idle) = http.app.pool.sizes();
    metrics::gauge!("interlock_database_connections").set(u32::try_from(all).unwrap_or(u32::MAX));
    metrics::gauge!("interlock_database_connections_idle").set(u32::try_from(idle).unwrap_or(u32::MAX));
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], http.app.metrics.render()).into_response()
}
