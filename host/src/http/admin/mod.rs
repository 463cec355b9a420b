//! `/admin`: what operators do, on a listener of their own.

mod connectors;
mod merchants;
mod operations;

use utoipa_axum::router::OpenApiRouter;

use super::Http;

/// All routes of operators. The check of their token stands in front of them (see [`super::auth::operators`]).
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().merge(merchants::routes()).merge(connectors::routes()).merge(operations::routes())
}
