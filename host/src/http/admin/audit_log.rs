//! `GET /admin/audit_log`: what operators did.

use axum::{extract::State, response::Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::id::{AuditEntryId, MerchantId},
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
        audit_log::{Entry, Filter, actor_and_request},
    },
    view::time,
};

/// Characters of an action: one of our words, of which a newer host may know more.
const ACTION_MAX_CHARACTERS: usize = 64;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list))
}

/// One thing that was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct EntryView<'a> {
    /// `aud_…`
    id: String,
    /// `audit_entry`
    object: &'static str,
    /// `operator`, `connectors folder` where a host found a component at its start, or `switch` where it acted by itself.
    actor: &'a str,
    /// The header `Request-Id` of the call that did it.
    request_id: Option<&'a str>,
    /// `merchant.create`, `api_key.revoke`, `connector.activate`, `payment.resolve`, …
    action: &'a str,
    /// The id or the name of what it was done to.
    subject: &'a str,
    /// `mer_…`: whose it is.
    merchant: Option<String>,
    #[schema(value_type = Object)]
    detail: &'a Value,
    created_at: String,
}

impl<'a> EntryView<'a> {
    fn new(entry: &'a Entry) -> Self {
        let (actor, request_id) = actor_and_request(&entry.actor);
        Self {
            id: AuditEntryId::from_uuid(entry.entry_id).to_string(),
            object: "audit_entry",
            actor,
            request_id,
            action: &entry.action,
            subject: &entry.subject,
            merchant: entry.merchant_id.map(|id| MerchantId::from_uuid(id).to_string()),
            detail: &entry.detail,
            created_at: time(entry.created_at),
        }
    }
}

/// What operators did, newest first.
#[utoipa::path(
    get, path = "/admin/audit_log", tag = "operator",
    params(
        ("merchant" = Option<String>, Query, description = "`mer_…`: only what was done to this merchant's objects"),
        ("action" = Option<String>, Query, description = "Only this action: `payment.resolve`"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<EntryView>))
)]
async fn list(State(http): State<Http>, query: Query) -> Result<Response, Problem> {
    let (filter, limit) = query.read(|fields| {
        let limit = respond::limit(fields);
        let filter = Filter {
            merchant: fields.optional("merchant", kinds::id::<MerchantId>).map(MerchantId::uuid),
            action: fields.optional("action", kinds::text(1..=ACTION_MAX_CHARACTERS)),
            before: fields.optional("cursor", kinds::id::<AuditEntryId>).map(AuditEntryId::uuid),
            limit: limit + 1,
        };
        Some((filter, limit))
    })?;
    let rows = store::audit_log::list(&mut *connection(&http).await?, &filter).await?;
    let cursor = |row: &Entry| AuditEntryId::from_uuid(row.entry_id).to_string();
    Ok(respond::ok(&List::page(&rows, limit, cursor, EntryView::new)))
}
