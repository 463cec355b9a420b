//! `GET /admin/operations`: operations that are not resolved.

use axum::{extract::State, response::Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::id::{GatewayAccountId, MerchantId, OperationId, PaymentId},
    http::{
        Http,
        extract::Query,
        json::kinds,
        payments::connection,
        problem::Problem,
        respond::{self, List},
    },
    store::{
        self,
        unresolved::{Filter, STATUSES, Unresolved},
    },
    view::time,
};

/// The status of an operation that waits for a person.
const IN_REVIEW: &str = "manual_review";

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list))
}

/// An operation that is not resolved.
#[derive(Serialize, ToSchema)]
#[schema(as = UnresolvedOperation)]
struct OperationView<'a> {
    /// `op_…`
    id: String,
    /// `operation`
    object: &'static str,
    /// `authorize`, `complete`, `capture`, `cancel` or `refund`
    kind: &'a str,
    /// `under_way`, `unknown`, `pending` (the gateway or the customer has yet to decide) or `manual_review`
    status: &'a str,
    /// In the currency's minor unit.
    amount: i64,
    currency: &'a str,
    /// `mer_…`
    merchant: String,
    /// `pay_…`
    payment: String,
    /// The number of its attempt.
    attempt: i32,
    /// `gwa_…`
    gateway_account: String,
    connector: &'a str,
    /// How often the gateway was asked.
    checks: i16,
    /// From when it could no longer be under way.
    unknown_since: Option<String>,
    /// When somebody looks again, or until when a host is at it; null where it waits for a person.
    due_at: Option<String>,
    created_at: String,
}

impl<'a> OperationView<'a> {
    fn new(row: &'a Unresolved) -> Self {
        Self {
            id: OperationId::from_uuid(row.operation_id).to_string(),
            object: "operation",
            kind: &row.kind,
            status: &row.status,
            amount: row.amount,
            currency: &row.currency,
            merchant: MerchantId::from_uuid(row.merchant_id).to_string(),
            payment: PaymentId::from_uuid(row.payment_id).to_string(),
            attempt: row.attempt_number,
            gateway_account: GatewayAccountId::from_uuid(row.gateway_account_id).to_string(),
            connector: &row.connector,
            checks: row.checks,
            unknown_since: row.unknown_since.map(time),
            due_at: (row.status != IN_REVIEW).then(|| time(row.due_at)),
            created_at: time(row.created_at),
        }
    }
}

/// Operations that are not resolved, oldest first.
#[utoipa::path(
    get, path = "/admin/operations", tag = "operator",
    params(
        ("status" = Option<String>, Query, description = "`unknown`, `manual_review`, `pending` or `under_way`; else all of them"),
        ("merchant" = Option<String>, Query, description = "`mer_…`: only this merchant's"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<OperationView>))
)]
async fn list(State(http): State<Http>, query: Query) -> Result<Response, Problem> {
    let (filter, limit) = query.read(|fields| {
        let limit = respond::limit(fields);
        let filter = Filter {
            status: fields.optional("status", kinds::word(STATUSES)),
            merchant: fields.optional("merchant", kinds::id::<MerchantId>).map(MerchantId::uuid),
            after: fields.optional("cursor", kinds::id::<OperationId>).map(OperationId::uuid),
            limit: limit + 1,
        };
        Some((filter, limit))
    })?;
    let rows = store::unresolved::list(&mut *connection(&http).await?, &filter).await?;
    let cursor = |row: &Unresolved| OperationId::from_uuid(row.operation_id).to_string();
    Ok(respond::ok(&List::page(&rows, limit, cursor, OperationView::new)))
}
