//! `GET /v1/webhook_endpoints/{id}/deliveries`: what became of the events that were sent there.

use axum::{extract::State, response::Response};
use strum::{EnumString, IntoStaticStr};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::id::{DeliveryId, EventId, WebhookEndpointId},
    flow::manage_endpoints,
    http::{
        Http,
        extract::{Merchant, PathId, Query},
        json::kinds,
        payments::connection,
        problem::Problem,
        respond::{self, List},
    },
    store::{
        self, Looked,
        delivery_log::{Filter, Queued, Tried},
    },
    view::delivery::DeliveryView,
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list))
}

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Outcome {
    Delivered,
    Failed,
    GivenUp,
    /// Queued: it is being tried, or waits for its first try or the next one.
    Pending,
}

const OUTCOMES: &[&str] = &["delivered", "failed", "given_up", "pending"];

/// What became of the events that were sent to a webhook endpoint: every try, newest first.
///
/// With `outcome=pending` what is queued instead, newest event first: events that are being tried, or wait for `next_at`. Tries
/// are kept for 30 days unless your operator says otherwise. With another `outcome`, up to 5,000 tries are looked through for
/// a page: one that is short or empty is the last only where `next_cursor` is null.
#[utoipa::path(
    get, path = "/v1/webhook_endpoints/{id}/deliveries", tag = "webhook endpoints",
    params(
        ("id" = String, Path, description = "`whe_…`"),
        ("event" = Option<String>, Query, description = "`evt_…`: of this event alone"),
        ("outcome" = Option<String>, Query, description = "`delivered`, `failed`, `given_up` or `pending`"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<DeliveryView>))
)]
async fn list(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(endpoint): PathId<WebhookEndpointId>,
    query: Query,
) -> Result<Response, Problem> {
    let (outcome, filter) = query.read(|fields| {
        let event = fields.optional("event", kinds::id::<EventId>).map(EventId::uuid);
        let outcome = fields.optional("outcome", kinds::word::<Outcome>(OUTCOMES));
        // What is queued has no try yet that could be named.
        let before = match outcome {
            Some(Outcome::Pending) => fields.optional("cursor", kinds::id::<EventId>).map(EventId::uuid),
            Some(_) | None => fields.optional("cursor", kinds::id::<DeliveryId>).map(DeliveryId::uuid),
        };
        let limit = respond::limit(fields);
        Some((outcome, Filter { event, outcome: outcome.map(Into::into), before, limit: limit + 1 }))
    })?;
    manage_endpoints::get(&http.app, merchant, endpoint).await?;
    let mut conn = connection(&http).await?;
    let limit = filter.limit - 1;
    if outcome == Some(Outcome::Pending) {
        let rows = store::delivery_log::pending(&mut conn, merchant, endpoint, &filter).await?;
        let cursor = |row: &Queued| row.event().to_string();
        return Ok(respond::ok(&List::page(&rows, limit, cursor, DeliveryView::pending)));
    }
    let Looked { rows, until } = store::delivery_log::list(&mut conn, merchant, endpoint, &filter).await?;
    let page = List::page(&rows, limit, |row: &Tried| row.id().to_string(), DeliveryView::new);
    Ok(respond::ok(&page.looked_until(until.map(|id| DeliveryId::from_uuid(id).to_string()))))
}
