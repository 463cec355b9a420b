//! `POST /v1/webhook_endpoints/{id}/redeliver` and `POST /v1/events/{id}/redeliver`: what was missed, once more.

use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::body::{
    self,
    schema::{Redeliver, RedeliverEvent},
};
use crate::{
    domain::id::{EventId, WebhookEndpointId},
    flow::manage_endpoints,
    http::{
        Http,
        extract::{Keyed, PathId},
        json::Body,
        problem::Problem,
        respond,
    },
    view::webhook_endpoint::{EventRedeliveryView, RedeliveryView},
};

/// The routes that send events again.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(of_endpoint)).routes(routes!(of_event))
}

/// Have the events of a time sent to a webhook endpoint again.
///
/// Those of the types that it asks for now, under their old ids (`webhook-id`), behind what is live. One that waits for its
/// next try is tried now. A request takes 100,000 events; where there are more, `next_from` says where the next one begins.
/// Events are kept for 30 days unless your operator says otherwise. 409 `webhook_endpoint_disabled` where it is disabled.
#[utoipa::path(
    post, path = "/v1/webhook_endpoints/{id}/redeliver", tag = "webhook endpoints", request_body = Redeliver,
    params(("id" = String, Path, description = "`whe_…`")),
    responses((status = 202, description = "They are queued", body = RedeliveryView))
)]
async fn of_endpoint(
    State(http): State<Http>,
    keyed: Keyed,
    PathId(endpoint): PathId<WebhookEndpointId>,
    body: Body,
) -> Result<Response, Problem> {
    let wanted = body::range(body.value()).map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 202);
    Ok(respond::answer(manage_endpoints::redeliver(&http.app, call, endpoint, wanted).await?))
}

/// Have an event sent again.
///
/// To every enabled endpoint that asks for its type, or to the one that is named; under its old id (`webhook-id`), behind
/// what is live. Where it waits for its next try it is tried now.
#[utoipa::path(
    post, path = "/v1/events/{id}/redeliver", tag = "events", request_body = RedeliverEvent,
    params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 202, description = "It is queued", body = EventRedeliveryView))
)]
async fn of_event(
    State(http): State<Http>,
    keyed: Keyed,
    PathId(event): PathId<EventId>,
    body: Body,
) -> Result<Response, Problem> {
    let named = body::named(body.value()).map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 202);
    Ok(respond::answer(manage_endpoints::redeliver_event(&http.app, call, event, named).await?))
}
