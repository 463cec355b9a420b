//! `/admin/notices`: what operators should know and nobody must decide.

use axum::{extract::State, response::Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::id::{MerchantId, NoticeId},
    flow::notices,
    http::{
        Http,
        extract::{Operator, PathId, Query},
        json::{Body, kinds, read},
        payments::connection,
        problem::Problem,
        respond::{self, List},
    },
    store::{self, notices::Notice},
    view::time,
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(dismiss))
}

/// Something that operators should know.
#[derive(Serialize, ToSchema)]
#[schema(as = Notice)]
struct NoticeView<'a> {
    /// `ntc_…`
    id: String,
    /// `notice`
    object: &'static str,
    /// `endpoint_disabled`: this host switched a merchant's webhook endpoint off. `detail` says why (`gone`, `failing`).
    /// `canary_rolled_back`, `connector_quarantined`: a host took a version of a connector back or out; `detail` says which
    /// and what was counted.
    kind: &'a str,
    /// `mer_…`; null: it is about the installation.
    merchant: Option<String>,
    /// The id of what it is about: `whe_…`, or the name of a connector.
    subject: &'a str,
    #[schema(value_type = Object)]
    detail: &'a Value,
    created_at: String,
}

impl<'a> NoticeView<'a> {
    fn new(notice: &'a Notice) -> Self {
        Self {
            id: notice.id().to_string(),
            object: "notice",
            kind: &notice.kind,
            merchant: (!notice.merchant_id.is_nil()).then(|| MerchantId::from_uuid(notice.merchant_id).to_string()),
            subject: &notice.subject,
            detail: &notice.detail,
            created_at: time(notice.created_at),
        }
    }
}

/// What operators should know, newest first: notices that nobody has dismissed.
#[utoipa::path(
    get, path = "/admin/notices", tag = "operator",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<NoticeView>))
)]
async fn list(State(http): State<Http>, query: Query) -> Result<Response, Problem> {
    let (before, limit) = query.read(|fields| {
        let before = fields.optional("cursor", kinds::id::<NoticeId>).map(NoticeId::uuid);
        Some((before, respond::limit(fields)))
    })?;
    let mut conn = connection(&http).await?;
    let rows = store::notices::list(&mut conn, before, limit + 1).await?;
    Ok(respond::ok(&List::page(&rows, limit, |row| row.id().to_string(), NoticeView::new)))
}

/// What was taken away.
#[derive(Serialize, ToSchema)]
#[schema(as = DismissedNotice)]
struct DismissedView {
    /// `ntc_…`
    id: String,
    /// `notice`
    object: &'static str,
    /// `true`
    dismissed: bool,
}

/// Take a notice away: everybody who had to know of it does. It changes nothing else.
///
/// 404 where there is no such notice, or it was dismissed before.
#[utoipa::path(
    post, path = "/admin/notices/{id}/dismiss", tag = "operator",
    params(("id" = String, Path, description = "`ntc_…`")),
    responses((status = 200, description = "Dismissed", body = DismissedView))
)]
async fn dismiss(
    State(http): State<Http>,
    Operator(actor): Operator,
    PathId(id): PathId<NoticeId>,
    body: Body,
) -> Result<Response, Problem> {
    read(body.value(), |_| Some(())).map_err(Problem::invalid)?;
    notices::dismiss(&http.app, id, &actor).await?;
    Ok(respond::ok(&DismissedView { id: id.to_string(), object: "notice", dismissed: true }))
}
