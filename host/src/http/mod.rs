//! HTTP: what merchants and operators ask. One file per resource with request, response, handler and documentation; the
//! routes of all of them on this screen.
//!
//! - `json` reads bodies, strictly, and tells every fault at once.
//! - `problem` is the only table of status codes and error codes.
//! - `auth` and `observe` stand around whole groups of routes, so that no route can forget them.

mod admin;
mod auth;
mod connectors;
mod docs;
mod event_docs;
mod events;
mod extract;
mod gateway_accounts;
mod json;
mod observe;
mod orders;
mod payments;
mod probes;
mod problem;
mod respond;
mod routing_rules;
mod tokens;
mod webhook_endpoints;
mod webhooks;

use std::{sync::Arc, time::Duration};

use axum::{Router, middleware};
use tokio::sync::Semaphore;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::{auth::Keys, observe::Listener};
use crate::app::App;

/// What a request may take beyond the time that it may wait for an outcome: reading its body, and two commits.
const TIME_BEYOND_ANSWER: Duration = Duration::from_secs(20);

/// Operators' requests wait for the compiler: a component of 18 MB takes up to 46 s, more where others want the cores.
const OPERATOR_TIME_MAX: Duration = Duration::from_mins(5);

/// Requests that are worked on at once, for each listener; one more is answered 503.
const REQUESTS_MAX: usize = 4_096;

/// What every handler has: the app, and what HTTP alone needs to know.
#[derive(Clone)]
pub struct Http {
    pub app: Arc<App>,
    keys: Arc<Keys>,
}

/// What the two listeners serve.
pub struct Routers {
    pub public: Router,
    pub operator: Router,
}

/// Builds both. They share what is known of API keys: a key that an operator revokes here is refused here at once.
pub fn routers(app: &Arc<App>) -> Routers {
    let http = Http { app: Arc::clone(app), keys: Arc::default() };
    let merchants =
        Router::from(merchant_routes()).route_layer(middleware::from_fn_with_state(http.clone(), auth::merchants));
    let operators =
        Router::from(admin::routes()).route_layer(middleware::from_fn_with_state(http.clone(), auth::operators));
    let answer_time_max = app.config.answer_timeout + TIME_BEYOND_ANSWER;
    Routers {
        public: around(
            &http,
            "public",
            answer_time_max,
            merchants.merge(Router::from(webhooks::routes())).merge(docs::routes(api())),
        ),
        operator: around(&http, "operator", OPERATOR_TIME_MAX, operators.merge(probes::routes())),
    }
}

fn merchant_routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .merge(orders::routes())
        .merge(payments::routes())
        .merge(tokens::routes())
        .merge(gateway_accounts::routes())
        .merge(routing_rules::routes())
        .merge(connectors::routes())
        .merge(events::routes())
        .merge(webhook_endpoints::routes())
}

/// The contract as a document, of both listeners.
fn api() -> OpenApi {
    docs::complete(
        OpenApiRouter::new().merge(merchant_routes()).merge(webhooks::routes()).merge(admin::routes()).into_openapi(),
    )
}

fn around(http: &Http, name: &'static str, time_max: Duration, routes: Router<Http>) -> Router {
    let listener = Listener { http: http.clone(), name, time_max, free: Arc::new(Semaphore::new(REQUESTS_MAX)) };
    routes
        .fallback(respond::no_route)
        .method_not_allowed_fallback(respond::no_method)
        .layer(middleware::from_fn_with_state(listener, observe::observe))
        .with_state(http.clone())
}
