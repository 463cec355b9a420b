//! `POST /admin/routing/preview`: where a merchant's payment would go, for operators.

use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    flow::manage_routing,
    http::{
        Http,
        json::Body,
        problem::Problem,
        respond,
        routing_rules::{body, schema::PreviewRoutingOf},
    },
    view::routing_preview::PreviewView,
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(preview))
}

/// Try a merchant's routing without paying: where would such a payment go, and why nowhere else?
#[utoipa::path(
    post, path = "/admin/routing/preview", tag = "operator", request_body = PreviewRoutingOf,
    responses((status = 200, description = "What would be done now", body = PreviewView))
)]
async fn preview(State(http): State<Http>, body: Body) -> Result<Response, Problem> {
    let (merchant, probe) = body::probe_of_merchant(body.value()).map_err(Problem::invalid)?;
    Ok(respond::ok(&manage_routing::preview_for(&http.app, merchant, &probe).await?))
}
