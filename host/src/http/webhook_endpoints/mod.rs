//! `/v1/webhook_endpoints`: where a merchant wants events sent.

mod body;
mod deliveries;
mod redeliver;

use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::body::schema::{ChangeWebhookEndpoint, CreateWebhookEndpoint, RotateSecret};
use super::{
    Http,
    events::EventSchema,
    extract::{Keyed, Merchant, PathId, Query},
    json::{Body, kinds, read},
    payments::connection,
    problem::Problem,
    respond::{self, Deleted, List},
};
use crate::{
    domain::id::WebhookEndpointId, flow::manage_endpoints, store, view::webhook_endpoint::WebhookEndpointView,
};

/// The routes of this resource, and those that send an event again.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get, change, delete))
        .routes(routes!(rotate_secret))
        .routes(routes!(test))
        .merge(redeliver::routes())
        .merge(deliveries::routes())
}

/// Make a webhook endpoint.
///
/// From now on it is sent the events that it asks for, signed as Standard Webhooks says; see `webhooks` in this document for
/// what there is. The secret is in this answer, and in its replays under the same key, and nowhere else.
#[utoipa::path(
    post, path = "/v1/webhook_endpoints", tag = "webhook endpoints", request_body = CreateWebhookEndpoint,
    responses((status = 201, description = "Made; with its secret", body = WebhookEndpointView))
)]
async fn create(State(http): State<Http>, keyed: Keyed, body: Body) -> Result<Response, Problem> {
    let new = body::new_endpoint(body.value()).map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 201);
    Ok(respond::answer(manage_endpoints::create(&http.app, call, new).await?))
}

/// List the webhook endpoints, newest first.
#[utoipa::path(
    get, path = "/v1/webhook_endpoints", tag = "webhook endpoints",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<WebhookEndpointView>))
)]
async fn list(State(http): State<Http>, Merchant(merchant): Merchant, query: Query) -> Result<Response, Problem> {
    let (before, limit) = query.read(|fields| {
        let before = fields.optional("cursor", kinds::id::<WebhookEndpointId>).map(WebhookEndpointId::uuid);
        Some((before, respond::limit(fields)))
    })?;
    let mut conn = connection(&http).await?;
    let rows = store::webhook_endpoints::list(&mut conn, merchant, before, limit + 1).await?;
    Ok(respond::ok(&List::page(&rows, limit, |row| row.id().to_string(), WebhookEndpointView::new)))
}

/// One webhook endpoint.
#[utoipa::path(
    get, path = "/v1/webhook_endpoints/{id}", tag = "webhook endpoints",
    params(("id" = String, Path, description = "`whe_…`")),
    responses((status = 200, description = "The endpoint", body = WebhookEndpointView))
)]
async fn get(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(endpoint): PathId<WebhookEndpointId>,
) -> Result<Response, Problem> {
    let endpoint = manage_endpoints::get(&http.app, merchant, endpoint).await?;
    Ok(respond::ok(&WebhookEndpointView::new(&endpoint)))
}

/// Change a webhook endpoint.
///
/// What is queued is sent as the endpoint is when it is tried next: to the new URL, in the new mode. New `event_types` count
/// for what happens from now on; what is queued stays queued. With `enabled: false` nothing is sent any more and what is
/// queued is dropped; a try that is under way may still arrive. With `enabled: true` it starts anew, and what it missed can
/// be asked for: `POST …/redeliver`.
#[utoipa::path(
    patch, path = "/v1/webhook_endpoints/{id}", tag = "webhook endpoints", request_body = ChangeWebhookEndpoint,
    params(("id" = String, Path, description = "`whe_…`")),
    responses((status = 200, description = "The endpoint as it now is", body = WebhookEndpointView))
)]
async fn change(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(endpoint): PathId<WebhookEndpointId>,
    body: Body,
) -> Result<Response, Problem> {
    let change = body::change(body.value()).map_err(Problem::invalid)?;
    let endpoint = manage_endpoints::change(&http.app, merchant, endpoint, change).await?;
    Ok(respond::ok(&WebhookEndpointView::new(&endpoint)))
}

/// Delete a webhook endpoint, with what is queued for it.
///
/// A try that is under way may still arrive. From now on the endpoint is not found (404), and with it the list of what was
/// sent there; the events themselves stay in `GET /v1/events`.
#[utoipa::path(
    delete, path = "/v1/webhook_endpoints/{id}", tag = "webhook endpoints",
    params(("id" = String, Path, description = "`whe_…`")),
    responses((status = 200, description = "Deleted", body = Deleted))
)]
async fn delete(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(endpoint): PathId<WebhookEndpointId>,
) -> Result<Response, Problem> {
    manage_endpoints::delete(&http.app, merchant, endpoint).await?;
    Ok(respond::ok(&Deleted::new(&endpoint, "webhook_endpoint")))
}

/// Give a webhook endpoint a new secret.
///
/// The secret before stays valid for a day, or as long as `expires_in_s` says: until then events carry both signatures. At
/// most five are valid at once; with a sixth the oldest ends early. The new secret is in this answer, and in its replays
/// under the same key, and nowhere else.
#[utoipa::path(
    post, path = "/v1/webhook_endpoints/{id}/rotate_secret", tag = "webhook endpoints", request_body = RotateSecret,
    params(("id" = String, Path, description = "`whe_…`")),
    responses((status = 200, description = "The endpoint with its new secret", body = WebhookEndpointView))
)]
async fn rotate_secret(
    State(http): State<Http>,
    keyed: Keyed,
    PathId(endpoint): PathId<WebhookEndpointId>,
    body: Body,
) -> Result<Response, Problem> {
    let old_lives_for = body::rotation(body.value()).map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 200);
    Ok(respond::answer(manage_endpoints::rotate_secret(&http.app, call, endpoint, old_lives_for).await?))
}

/// Have a test event sent to a webhook endpoint: `webhook_endpoint.test`, to it alone, whatever types it asks for, and once.
///
/// The answer is the event; what became of it is in `GET …/deliveries`. 409 `webhook_endpoint_disabled` where it is disabled.
#[utoipa::path(
    post, path = "/v1/webhook_endpoints/{id}/test", tag = "webhook endpoints",
    params(("id" = String, Path, description = "`whe_…`")),
    responses((status = 201, description = "The event", body = EventSchema))
)]
async fn test(
    State(http): State<Http>,
    keyed: Keyed,
    PathId(endpoint): PathId<WebhookEndpointId>,
    body: Body,
) -> Result<Response, Problem> {
    read(body.value(), |_| Some(())).map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 201);
    Ok(respond::answer(manage_endpoints::test(&http.app, call, endpoint).await?))
}
