//! `/v1/payments`: made, confirmed, read, with their attempts and their audit trail.

pub mod body;
pub mod method;
mod operations;
mod schema;

pub use schema::CardInput;

use axum::{extract::State, response::Response};
use chrono::{DateTime, Datelike as _, Utc};
use strum::VariantNames as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::schema::{ConfirmPayment, CreatePayment};
use super::{
    Http,
    extract::{Keyed, Merchant, PathId, Query},
    json::{Body, kinds},
    problem::{Code, Problem},
    respond::{self, List},
};
use crate::{
    domain::{
        id::{MerchantId, OrderId, PaymentId},
        payment::State as PaymentState,
    },
    flow::{self, Call, Fault, Refusal},
    store::{self, payments::Filter},
    view::payment::{AttemptView, PaymentEventView, PaymentView},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get))
        .routes(routes!(confirm))
        .routes(routes!(attempts))
        .routes(routes!(events))
        .merge(operations::routes())
}

/// Create a payment.
///
/// With `confirm: true` it is also tried: 201 once the outcome is known or the customer must act, 202 while it is not
/// known. A decline is no error: its status is `failed`, and `last_error` says why.
#[utoipa::path(
    post, path = "/v1/payments", tag = "payments", request_body = CreatePayment,
    responses(
        (status = 201, description = "Made, and where it was to be confirmed: its outcome", body = PaymentView),
        (status = 202, description = "Made, and its outcome is not known yet", body = PaymentView))
)]
async fn create(State(http): State<Http>, keyed: Keyed, body: Body) -> Result<Response, Problem> {
    let call = keyed.call(&http, &body, 201);
    let new = match body::new_payment(body.value(), month(&http)) {
        Ok(new) => new,
        Err(faults) => return refused(&http, &call, faults).await,
    };
    drop(body);
    Ok(respond::answer(flow::create_payment::create_payment(&http.app, call, new).await?))
}

/// A body that is refused today may have been answered before: a card expires between a request and its repeat.
async fn refused(http: &Http, call: &Call, faults: Vec<Fault>) -> Result<Response, Problem> {
    let answer = flow::answer::or_stored(&http.app, call, Refusal::Invalid(faults)).await?;
    Ok(respond::answer(answer))
}

/// Confirm a payment: have it tried.
///
/// 200 with the payment, 202 while the outcome is not final. What a confirm does depends on the payment's status; one
/// that is under way or has succeeded is answered as it is, and no gateway is asked.
#[utoipa::path(
    post, path = "/v1/payments/{id}/confirm", tag = "payments", request_body = ConfirmPayment,
    params(("id" = String, Path, description = "`pay_…`")),
    responses(
        (status = 200, description = "Its outcome", body = PaymentView),
        (status = 202, description = "Its outcome is not known yet", body = PaymentView))
)]
async fn confirm(
    State(http): State<Http>,
    PathId(payment): PathId<PaymentId>,
    keyed: Keyed,
    body: Body,
) -> Result<Response, Problem> {
    let call = keyed.call(&http, &body, 200);
    let confirmation = match body::confirmation(body.value(), month(&http)) {
        Ok(confirmation) => confirmation,
        Err(faults) => return refused(&http, &call, faults).await,
    };
    drop(body);
    Ok(respond::answer(flow::confirm_payment::confirm_payment(&http.app, call, payment, confirmation).await?))
}

/// List payments, newest first.
#[utoipa::path(
    get, path = "/v1/payments", tag = "payments",
    params(
        ("status" = Option<String>, Query, description = "Only payments with this status"),
        ("order" = Option<String>, Query, description = "`ord_…`: only payments of this order"),
        ("created_after" = Option<String>, Query, description = "RFC 3339: only payments made later than this"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<PaymentView>))
)]
async fn list(State(http): State<Http>, Merchant(merchant): Merchant, query: Query) -> Result<Response, Problem> {
    let (filter, limit) = query.read(|fields| {
        let status = fields.optional("status", kinds::word(PaymentState::VARIANTS));
        let order = fields.optional("order", kinds::id::<OrderId>);
        let created_after = fields.optional("created_after", kinds::time);
        let before = fields.optional("cursor", kinds::id::<PaymentId>).map(PaymentId::uuid);
        let limit = respond::limit(fields);
        Some((Filter { status, order, created_after, before, limit: limit + 1 }, limit))
    })?;
    let rows = store::payments::list(&mut *connection(&http).await?, merchant, &filter).await?;
    Ok(respond::ok(&List::page(&rows, limit, |row| row.id().to_string(), PaymentView::new)))
}

/// One payment.
#[utoipa::path(
    get, path = "/v1/payments/{id}", tag = "payments", params(("id" = String, Path, description = "`pay_…`")),
    responses((status = 200, description = "The payment", body = PaymentView))
)]
async fn get(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(payment): PathId<PaymentId>,
) -> Result<Response, Problem> {
    let found = store::payments::get(&mut *connection(&http).await?, merchant, payment).await?;
    let found = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(respond::ok(&PaymentView::new(&found)))
}

/// The attempts of a payment, in the order they were made; at most 20, so there is one page.
#[utoipa::path(
    get, path = "/v1/payments/{id}/attempts", tag = "payments",
    params(("id" = String, Path, description = "`pay_…`")),
    responses((status = 200, description = "All attempts", body = List<AttemptView>))
)]
async fn attempts(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(payment): PathId<PaymentId>,
    query: Query,
) -> Result<Response, Problem> {
    query.read(|fields| Some(respond::limit(fields)))?;
    let mut conn = connection(&http).await?;
    let attempts = store::attempts::list(&mut conn, merchant, payment).await?;
    if attempts.is_empty() {
        exists(&mut conn, merchant, payment).await?;
    }
    Ok(respond::ok(&List::whole(attempts.iter().map(AttemptView::new).collect())))
}

/// The audit trail of a payment, oldest first.
#[utoipa::path(
    get, path = "/v1/payments/{id}/events", tag = "payments",
    params(
        ("id" = String, Path, description = "`pay_…`"),
        ("limit" = Option<i64>, Query, description = "1 to 100, else 10"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, description = "A page", body = List<PaymentEventView>))
)]
async fn events(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(payment): PathId<PaymentId>,
    query: Query,
) -> Result<Response, Problem> {
    let (after, limit) = query.read(|fields| {
        let after = fields.optional("cursor", kinds::whole_text(0..=i64::from(i32::MAX)));
        let after = after.and_then(|after| i32::try_from(after).ok()).unwrap_or(0);
        Some((after, respond::limit(fields)))
    })?;
    let mut conn = connection(&http).await?;
    let rows = store::payment_events::list(&mut conn, merchant, payment, after, limit + 1).await?;
    if rows.is_empty() {
        exists(&mut conn, merchant, payment).await?;
    }
    Ok(respond::ok(&List::page(&rows, limit, |row| row.sequence.to_string(), PaymentEventView::new)))
}

/// 404 unless the merchant has the payment.
async fn exists(conn: &mut store::pool::Connection, merchant: MerchantId, payment: PaymentId) -> Result<(), Problem> {
    match store::payments::get(conn, merchant, payment).await? {
        Some(_) => Ok(()),
        None => Err(Problem::new(Code::NotFound)),
    }
}

/// A connection for one read.
pub async fn connection(http: &Http) -> Result<store::pool::Connection, Problem> {
    Ok(http.app.pool.acquire().await.map_err(store::Error::from)?)
}

/// The month in which cards are judged.
pub fn month(http: &Http) -> method::Month {
    let now: DateTime<Utc> = http.app.clock.now();
    (now.year(), now.month())
}
