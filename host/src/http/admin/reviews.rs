//! `/admin/reviews`: what a person must look at, each with the whole story of its payment.

use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::schema::CloseReview;
use super::NOTE_MAX_CHARACTERS;
use crate::{
    domain::id::{MerchantId, PaymentId, ReviewId},
    flow::review_story,
    http::{
        Http,
        extract::{Operator, PathId, Query},
        json::{Body, kinds, read},
        payments::connection,
        problem::Problem,
        respond::{self, List},
    },
    store::{
        self,
        reviews::{Filter, Review},
    },
    view::review::{ReviewView, StoryView},
};

/// Characters of a reason: one of our words, of which a newer host may know more.
const REASON_MAX_CHARACTERS: usize = 64;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(close))
}

/// List reviews of all merchants, newest first.
#[utoipa::path(
    get, path = "/admin/reviews", tag = "operator",
    params(
        ("status" = Option<String>, Query, description = "`open` or `closed`; else both"),
        ("merchant" = Option<String>, Query, description = "`mer_…`: only this merchant's"),
        ("payment" = Option<String>, Query, description = "`pay_…`: only this payment's"),
        ("reason" = Option<String>, Query, description = "Only those that were opened for this reason"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<ReviewView>))
)]
async fn list(State(http): State<Http>, query: Query) -> Result<Response, Problem> {
    let (filter, limit) = query.read(|fields| {
        let status: Option<String> = fields.optional("status", kinds::word(&["open", "closed"]));
        let limit = respond::limit(fields);
        let filter = Filter {
            merchant: fields.optional("merchant", kinds::id::<MerchantId>).map(MerchantId::uuid),
            payment: fields.optional("payment", kinds::id::<PaymentId>).map(PaymentId::uuid),
            reason: fields.optional("reason", kinds::text(1..=REASON_MAX_CHARACTERS)),
            is_open: status.map(|status| status == "open"),
            before: fields.optional("cursor", kinds::id::<ReviewId>).map(ReviewId::uuid),
            limit: limit + 1,
        };
        Some((filter, limit))
    })?;
    let rows = store::reviews::list(&mut *connection(&http).await?, &filter).await?;
    let cursor = |row: &Review| ReviewId::from_uuid(row.review_id).to_string();
    Ok(respond::ok(&List::page(&rows, limit, cursor, ReviewView::new)))
}

/// One review with the whole story: payment, attempts, operations, exchanges, audit trail, webhooks, and what can be decided.
#[utoipa::path(
    get, path = "/admin/reviews/{id}", tag = "operator", params(("id" = String, Path, description = "`rvw_…`")),
    responses((status = 200, description = "The review and its story", body = StoryView))
)]
async fn get(State(http): State<Http>, PathId(review): PathId<ReviewId>) -> Result<Response, Problem> {
    let (review, story) = review_story::tell(&http.app, review).await?;
    Ok(respond::ok(&StoryView::new(&review, &story)))
}

/// Close a review with a note: somebody has looked, and nothing of the payment changes by it.
///
/// 409 `review_not_closable` where the payment or the operation waits for its resolution, which closes the review, and
/// where it is closed already.
#[utoipa::path(
    post, path = "/admin/reviews/{id}/close", tag = "operator", request_body = CloseReview,
    params(("id" = String, Path, description = "`rvw_…`")),
    responses((status = 200, description = "Closed", body = ReviewView))
)]
async fn close(
    State(http): State<Http>,
    Operator(actor): Operator,
    PathId(review): PathId<ReviewId>,
    body: Body,
) -> Result<Response, Problem> {
    let note = read(body.value(), |fields| fields.required("note", kinds::text(1..=NOTE_MAX_CHARACTERS)));
    let note = note.map_err(Problem::invalid)?;
    let review = review_story::close(&http.app, review, &note, &actor).await?;
    Ok(respond::ok(&ReviewView::new(&review)))
}

mod schema {
    //! The body as the documentation shows it.
    #![expect(dead_code, reason = "these types are read by the documentation alone")]

    use utoipa::ToSchema;

    /// Why a review can be closed.
    #[derive(ToSchema)]
    pub(super) struct CloseReview {
        /// What was found, for those who read the audit log.
        #[schema(min_length = 1, max_length = 2000, example = "Refunded by hand in the gateway's dashboard.")]
        note: String,
    }
}
