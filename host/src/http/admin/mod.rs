//! `/admin`: what operators do, on a listener of their own.

mod audit_log;
mod connector_health;
mod connector_life;
mod connector_log;
mod connector_report;
mod connectors;
mod merchants;
mod notices;
mod operations;
mod quarantine;
mod resolve;
mod reviews;
mod routing;
mod sinks;

use utoipa_axum::router::OpenApiRouter;

use super::Http;

/// Characters of the note with which an operator decides something.
const NOTE_MAX_CHARACTERS: usize = 2_000;

/// All routes of operators. The check of their token stands in front of them (see [`super::auth::operators`]).
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .merge(merchants::routes())
        .merge(connectors::routes())
        .merge(connector_life::routes())
        .merge(connector_health::routes())
        .merge(connector_log::routes())
        .merge(operations::routes())
        .merge(reviews::routes())
        .merge(resolve::routes())
        .merge(audit_log::routes())
        .merge(quarantine::routes())
        .merge(notices::routes())
        .merge(routing::routes())
        .merge(sinks::routes())
}
