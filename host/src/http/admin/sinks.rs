//! `/admin/sinks`: how far each stream is, and the end of one that nobody feeds any more.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    flow::feed,
    http::{
        Http,
        extract::Operator,
        payments::connection,
        problem::Problem,
        respond::{self, Deleted, List},
    },
    store::{self, sinks::Sink},
    view::time,
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(delete))
}

/// A stream that events are published to.
#[derive(Serialize, ToSchema)]
#[schema(as = Sink)]
struct SinkView<'a> {
    /// Its name in `interlock.toml`.
    id: &'a str,
    /// `sink`
    object: &'static str,
    /// The settings of the host that answers have it.
    configured: bool,
    /// A host feeds it at this moment.
    fed: bool,
    /// The time of the oldest event that it has not got; null where it has all of them.
    unread_since: Option<String>,
    /// When its cursor was last moved, or its lease renewed.
    updated_at: String,
}

impl<'a> SinkView<'a> {
    fn new(row: &'a Sink, configured: bool) -> Self {
        Self {
            id: &row.name,
            object: "sink",
            configured,
            fed: row.is_fed,
            unread_since: row.unread_since.map(time),
            updated_at: time(row.updated_at),
        }
    }
}

/// Every stream that was ever fed and not forgotten, by name.
#[utoipa::path(
    get, path = "/admin/sinks", tag = "operator",
    responses((status = 200, description = "All of them", body = List<SinkView>))
)]
async fn list(State(http): State<Http>) -> Result<Response, Problem> {
    let rows = store::sinks::list(&mut *connection(&http).await?).await?;
    let is_configured = |name: &str| http.app.config.sinks.iter().any(|sink| sink.name == name);
    let views = rows.iter().map(|row| SinkView::new(row, is_configured(&row.name))).collect();
    Ok(respond::ok(&List::whole(views)))
}

/// Forget how far a stream is. The log keeps every event that a stream has not got: one that is gone for good would keep
/// them for ever.
///
/// 404 where there is no such stream; 409 `sink_in_use` where a host feeds it, or has it in its settings.
#[utoipa::path(
    delete, path = "/admin/sinks/{name}", tag = "operator", params(("name" = String, Path)),
    responses((status = 200, description = "Forgotten", body = Deleted))
)]
async fn delete(
    State(http): State<Http>,
    Operator(actor): Operator,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    feed::forget(&http.app, &name, &actor).await?;
    Ok(respond::ok(&Deleted::new(&name, "sink")))
}
