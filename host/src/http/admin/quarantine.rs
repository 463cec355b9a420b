//! `/admin/quarantine`: events of gateways that could not be applied, and the way back.

use axum::{extract::State, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::id::{GatewayAccountId, MerchantId, QuarantineId},
    flow::quarantine,
    http::{
        Http,
        extract::{Operator, PathId, Query},
        json::{Body, kinds, read},
        payments::connection,
        problem::Problem,
        respond::{self, List},
    },
    store::{self, quarantine::Quarantined},
    view::time,
};

/// How much of what a gateway sent is shown: enough to see what it is about.
const BODY_SHOWN_MAX_BYTES: i32 = 16 * 1024;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(replay))
}

/// An event that could not be applied.
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantinedEvent)]
struct QuarantinedView<'a> {
    /// `qrn_…`
    id: String,
    /// `quarantined_event`
    object: &'static str,
    /// `mer_…`
    merchant: String,
    /// `gwa_…`
    gateway_account: String,
    /// The gateway's own id of it.
    gateway_event_id: &'a str,
    /// Why it could not be applied.
    reason: &'a str,
    /// How often it was tried.
    tries: i32,
    /// Whether it has a proof of its own.
    verified: bool,
    /// As the connector read it.
    event: &'a Value,
    /// What the gateway sent, the beginning of it where it is long.
    body: Option<&'a str>,
    /// The same where it is no text.
    body_base64: Option<String>,
    /// Bytes of all that it sent.
    body_bytes: i32,
    received_at: String,
    quarantined_at: String,
}

impl<'a> QuarantinedView<'a> {
    fn new(row: &'a Quarantined) -> Self {
        let text = text_of(&row.body);
        Self {
            id: QuarantineId::from_uuid(row.quarantine_id).to_string(),
            object: "quarantined_event",
            merchant: MerchantId::from_uuid(row.merchant_id).to_string(),
            gateway_account: GatewayAccountId::from_uuid(row.gateway_account_id).to_string(),
            gateway_event_id: &row.gateway_event_id,
            reason: &row.reason,
            tries: row.tries,
            verified: row.verified,
            event: &row.event,
            body: text,
            body_base64: if text.is_none() { Some(STANDARD.encode(&row.body)) } else { None },
            body_bytes: row.body_bytes,
            received_at: time(row.received_at),
            quarantined_at: time(row.quarantined_at),
        }
    }
}

/// The bytes as text; a character that the limit cut in two is left out. None where they are no text.
fn text_of(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok(),
        Err(_) => None,
    }
}

/// Events of gateways that could not be applied, newest first.
#[utoipa::path(
    get, path = "/admin/quarantine", tag = "operator",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<QuarantinedView>))
)]
async fn list(State(http): State<Http>, query: Query) -> Result<Response, Problem> {
    let (before, limit) = query.read(|fields| {
        let before = fields.optional("cursor", kinds::id::<QuarantineId>).map(QuarantineId::uuid);
        Some((before, respond::limit(fields)))
    })?;
    let mut conn = connection(&http).await?;
    let rows = store::quarantine::list(&mut conn, BODY_SHOWN_MAX_BYTES, before, limit + 1).await?;
    let cursor = |row: &Quarantined| QuarantineId::from_uuid(row.quarantine_id).to_string();
    Ok(respond::ok(&List::page(&rows, limit, cursor, QuarantinedView::new)))
}

/// What was put back.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayedEvent)]
struct ReplayedView {
    /// `qrn_…`
    id: String,
    /// `quarantined_event`
    object: &'static str,
    /// `true`
    replayed: bool,
}

/// Put an event back: it is tried again now, as often as a new one.
///
/// 404 where there is no such event, or it was applied in the meantime; 409 `not_quarantined` where it was put back before
/// and is being tried.
#[utoipa::path(
    post, path = "/admin/quarantine/{id}/replay", tag = "operator",
    params(("id" = String, Path, description = "`qrn_…`")),
    responses((status = 202, description = "It is being tried", body = ReplayedView))
)]
async fn replay(
    State(http): State<Http>,
    Operator(actor): Operator,
    PathId(id): PathId<QuarantineId>,
    body: Body,
) -> Result<Response, Problem> {
    read(body.value(), |_| Some(())).map_err(Problem::invalid)?;
    quarantine::replay(&http.app, id, &actor).await?;
    let view = ReplayedView { id: id.to_string(), object: "quarantined_event", replayed: true };
    Ok(respond::json(StatusCode::ACCEPTED, &view))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_text() {
        assert_eq!(text_of("{\"é\":1}".as_bytes()), Some("{\"é\":1}"));
        assert_eq!(text_of(&"é".as_bytes()[..1]), Some(""), "cut in the middle of a character");
        assert_eq!(text_of(b"a\xff b"), None);
    }
}
