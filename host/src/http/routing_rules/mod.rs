//! `/v1/routing_rules`: which gateway accounts may take a payment, and a way to try it without paying.

pub mod body;
pub mod schema;

use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::schema::{ChangeRoutingRule, CreateRoutingRule, PreviewRouting};
use super::{
    Http,
    extract::{Keyed, Merchant, PathId, Query},
    json::{Body, kinds},
    payments::connection,
    problem::Problem,
    respond::{self, Deleted, List},
};
use crate::{
    domain::id::RoutingRuleId,
    flow::manage_routing,
    store,
    view::{routing_preview::PreviewView, routing_rule::RoutingRuleView},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(preview)).routes(routes!(get, change, delete))
}

/// Make a routing rule.
///
/// The first enabled rule, by `position`, whose every condition holds decides: the payment may take its accounts and no
/// other. Where no rule holds it may take every account.
#[utoipa::path(
    post, path = "/v1/routing_rules", tag = "routing rules", request_body = CreateRoutingRule,
    responses((status = 201, description = "Made", body = RoutingRuleView))
)]
async fn create(State(http): State<Http>, keyed: Keyed, body: Body) -> Result<Response, Problem> {
    let new = body::new_rule(body.value()).map_err(Problem::invalid)?;
    let call = keyed.call(&http, &body, 201);
    Ok(respond::answer(manage_routing::create_rule(&http.app, &call, new).await?))
}

/// List the routing rules, newest first. They are asked by `position`.
#[utoipa::path(
    get, path = "/v1/routing_rules", tag = "routing rules",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<RoutingRuleView>))
)]
async fn list(State(http): State<Http>, Merchant(merchant): Merchant, query: Query) -> Result<Response, Problem> {
    let (before, limit) = query.read(|fields| {
        let before = fields.optional("cursor", kinds::id::<RoutingRuleId>).map(RoutingRuleId::uuid);
        Some((before, respond::limit(fields)))
    })?;
    let mut conn = connection(&http).await?;
    let rows = store::routing_rules::list(&mut conn, merchant, before, limit + 1).await?;
    Ok(respond::ok(&List::page(&rows, limit, |row| row.id().to_string(), RoutingRuleView::new)))
}

/// Try the routing without paying: where would such a payment go, and why nowhere else?
///
/// Nothing is written, so that a key that is sent again is asked again.
#[utoipa::path(
    post, path = "/v1/routing_rules/preview", tag = "routing rules", request_body = PreviewRouting,
    responses((status = 200, description = "What would be done now", body = PreviewView))
)]
async fn preview(State(http): State<Http>, keyed: Keyed, body: Body) -> Result<Response, Problem> {
    let probe = body::probe(body.value()).map_err(Problem::invalid)?;
    Ok(respond::ok(&manage_routing::preview(&http.app, keyed.merchant, &probe).await?))
}

/// One routing rule.
#[utoipa::path(
    get, path = "/v1/routing_rules/{id}", tag = "routing rules",
    params(("id" = String, Path, description = "`rrl_…`")),
    responses((status = 200, description = "The rule", body = RoutingRuleView))
)]
async fn get(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(rule): PathId<RoutingRuleId>,
) -> Result<Response, Problem> {
    let rule = manage_routing::get_rule(&http.app, merchant, rule).await?;
    Ok(respond::ok(&RoutingRuleView::new(&rule)))
}

/// Change a routing rule: at once on this host, within a second on every other.
///
/// `match` and `gateway_accounts` replace what is there as a whole.
#[utoipa::path(
    patch, path = "/v1/routing_rules/{id}", tag = "routing rules", request_body = ChangeRoutingRule,
    params(("id" = String, Path, description = "`rrl_…`")),
    responses((status = 200, description = "The rule as it now is", body = RoutingRuleView))
)]
async fn change(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(rule): PathId<RoutingRuleId>,
    body: Body,
) -> Result<Response, Problem> {
    let change = body::change(body.value()).map_err(Problem::invalid)?;
    let rule = manage_routing::change_rule(&http.app, merchant, rule, change).await?;
    Ok(respond::ok(&RoutingRuleView::new(&rule)))
}

/// Delete a routing rule. Payments that it has routed stay as they are.
#[utoipa::path(
    delete, path = "/v1/routing_rules/{id}", tag = "routing rules",
    params(("id" = String, Path, description = "`rrl_…`")),
    responses((status = 200, description = "Deleted", body = Deleted))
)]
async fn delete(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(rule): PathId<RoutingRuleId>,
) -> Result<Response, Problem> {
    manage_routing::delete_rule(&http.app, merchant, rule).await?;
    Ok(respond::ok(&Deleted::new(&rule, "routing_rule")))
}
