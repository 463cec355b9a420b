//! `GET /admin/operations`: operations of which nobody knows what became of them.

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::id::{MerchantId, OperationId, PaymentId},
    http::{
        Http,
        extract::Query,
        json::kinds,
        payments::connection,
        problem::Problem,
        respond::{self, List},
    },
    store::{self, operations::Unresolved},
    view::time,
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list))
}

/// An operation whose outcome is not known.
#[derive(Serialize, ToSchema)]
#[schema(as = UnresolvedOperation)]
struct OperationView {
    /// `op_…`
    id: String,
    /// `operation`
    object: &'static str,
    /// `unknown`
    status: &'static str,
    /// `mer_…`
    merchant: String,
    /// `pay_…`
    payment: String,
    /// How often the gateway was asked.
    checks: i16,
    /// When it is asked again, or until when a host is asking now.
    due_at: String,
    created_at: String,
}

impl OperationView {
    fn new(row: &Unresolved) -> Self {
        Self {
            id: OperationId::from_uuid(row.operation_id).to_string(),
            object: "operation",
            status: "unknown",
            merchant: MerchantId::from_uuid(row.merchant_id).to_string(),
            payment: PaymentId::from_uuid(row.payment_id).to_string(),
            checks: row.checks,
            due_at: time(row.due_at),
            created_at: time(row.created_at),
        }
    }
}

/// Operations whose outcome is unknown, oldest first: the first `limit` of them.
#[utoipa::path(
    get, path = "/admin/operations", tag = "operator",
    params(
        ("status" = Option<String>, Query, description = "`unknown`, which is all there is"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10")),
    responses((status = 200, description = "The oldest of them", body = List<OperationView>))
)]
async fn list(State(http): State<Http>, query: Query) -> Result<Response, Problem> {
    let limit = query.read(|fields| {
        let _: Option<String> = fields.optional("status", kinds::word(&["unknown"]));
        Some(respond::limit(fields))
    })?;
    let rows = store::operations::unknown(&mut *connection(&http).await?, limit).await?;
    Ok(respond::ok(&List::whole(rows.iter().map(OperationView::new).collect())))
}
