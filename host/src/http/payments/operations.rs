//! What is done with a payment once it is there: captured, cancelled, refunded, asked about. And the refunds themselves.

use axum::{extract::State, response::Response};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::connection;
use crate::{
    domain::{
        id::{OperationId, PaymentId},
        money::AMOUNT_MAX_MINOR,
    },
    flow::{self, Refusal, operate::Ask, refunds},
    http::{
        Http,
        extract::{Keyed, Merchant, PathId},
        json::{Body, Fields, kinds, read},
        problem::{Code, Problem},
        respond,
    },
    store,
    view::{payment::PaymentView, refund::RefundView},
};

const REASON_MAX_CHARACTERS: usize = 500;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .routes(routes!(capture))
        .routes(routes!(cancel))
        .routes(routes!(refund))
        .routes(routes!(sync))
        .routes(routes!(get_refund))
}

/// What a capture takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "this type is read by the documentation alone")]
struct CapturePayment {
    /// In the currency's minor unit; else all that is left.
    #[schema(minimum = 1, maximum = 999_999_999_999_i64, example = 10_000)]
    amount: Option<i64>,
    /// Whether it is the last one: what is left is released.
    #[schema(default = true)]
    r#final: Option<bool>,
}

/// Why a payment is called off.
#[derive(ToSchema)]
#[expect(dead_code, reason = "this type is read by the documentation alone")]
struct CancelPayment {
    /// For the gateway and for your own records.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// What is given back.
#[derive(ToSchema)]
#[expect(dead_code, reason = "this type is read by the documentation alone")]
struct RefundPayment {
    /// In the currency's minor unit; else all that is left.
    #[schema(minimum = 1, maximum = 999_999_999_999_i64, example = 10_000)]
    amount: Option<i64>,
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Nothing: the body is `{}`.
#[derive(ToSchema)]
struct SyncPayment {}

/// Capture an authorized payment: take the money.
///
/// All that is left, unless `amount` says less. A capture is the last one unless `final` is false, which the gateway must
/// be able to do. A capture that the gateway refuses leaves the payment as it was; `last_error` says why.
#[utoipa::path(
    post, path = "/v1/payments/{id}/capture", tag = "payments", request_body = CapturePayment,
    params(("id" = String, Path, description = "`pay_…`")),
    responses(
        (status = 200, description = "What came of it", body = PaymentView),
        (status = 202, description = "What came of it is not known yet", body = PaymentView))
)]
async fn capture(
    State(http): State<Http>,
    PathId(payment): PathId<PaymentId>,
    keyed: Keyed,
    body: Body,
) -> Result<Response, Problem> {
    operate(&http, payment, keyed, body, 200, |fields| {
        let amount = fields.optional("amount", kinds::whole(1..=AMOUNT_MAX_MINOR));
        Some(Ask::Capture { amount, is_final: fields.optional("final", kinds::flag) })
    })
    .await
}

/// Cancel a payment before its money is taken.
///
/// What is authorized is released at the gateway; what waits for the customer is called off; of what is captured in part
/// the rest is released. What is captured is refunded instead.
#[utoipa::path(
    post, path = "/v1/payments/{id}/cancel", tag = "payments", request_body = CancelPayment,
    params(("id" = String, Path, description = "`pay_…`")),
    responses(
        (status = 200, description = "What came of it", body = PaymentView),
        (status = 202, description = "What came of it is not known yet", body = PaymentView))
)]
async fn cancel(
    State(http): State<Http>,
    PathId(payment): PathId<PaymentId>,
    keyed: Keyed,
    body: Body,
) -> Result<Response, Problem> {
    operate(&http, payment, keyed, body, 200, |fields| {
        Some(Ask::Cancel { reason: fields.optional("reason", kinds::text(1..=REASON_MAX_CHARACTERS)) })
    })
    .await
}

/// Refund a payment: give back what was captured, all of it or a part, as often as something is left.
///
/// What is under way counts as given back: of two refunds that together are too much, one is refused.
#[utoipa::path(
    post, path = "/v1/payments/{id}/refunds", tag = "refunds", request_body = RefundPayment,
    params(("id" = String, Path, description = "`pay_…`")),
    responses(
        (status = 201, description = "The refund, with what came of it", body = RefundView),
        (status = 202, description = "The refund; what came of it is not known yet", body = RefundView))
)]
async fn refund(
    State(http): State<Http>,
    PathId(payment): PathId<PaymentId>,
    keyed: Keyed,
    body: Body,
) -> Result<Response, Problem> {
    operate(&http, payment, keyed, body, 201, |fields| {
        let amount = fields.optional("amount", kinds::whole(1..=AMOUNT_MAX_MINOR));
        Some(Ask::Refund { amount, reason: fields.optional("reason", kinds::text(1..=REASON_MAX_CHARACTERS)) })
    })
    .await
}

/// Ask the gateway now what became of a payment.
///
/// 200 with the payment as it is then, 202 where it is still not final. Asking moves no money.
#[utoipa::path(
    post, path = "/v1/payments/{id}/sync", tag = "payments", request_body = SyncPayment,
    params(("id" = String, Path, description = "`pay_…`")),
    responses(
        (status = 200, description = "The payment as it is now", body = PaymentView),
        (status = 202, description = "It is still not final", body = PaymentView))
)]
async fn sync(
    State(http): State<Http>,
    PathId(payment): PathId<PaymentId>,
    keyed: Keyed,
    body: Body,
) -> Result<Response, Problem> {
    let call = keyed.call(&http, &body, 200);
    read(body.value(), |_| Some(())).map_err(Refusal::Invalid)?;
    Ok(respond::answer(flow::sync_payment::sync_payment(&http.app, call, payment).await?))
}

/// One refund.
#[utoipa::path(
    get, path = "/v1/refunds/{id}", tag = "refunds", params(("id" = String, Path, description = "`op_…`")),
    responses((status = 200, description = "The refund", body = RefundView))
)]
async fn get_refund(
    State(http): State<Http>,
    Merchant(merchant): Merchant,
    PathId(refund): PathId<OperationId>,
) -> Result<Response, Problem> {
    let row = store::operations::get(&mut *connection(&http).await?, merchant.uuid(), refund.uuid()).await?;
    // What the host gives back by itself is not one of the merchant's refunds.
    let row = row.filter(|row| row.kind == "refund" && row.purpose.is_none());
    let row = row.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(respond::ok(&RefundView::new(&refunds::of_row(&row)?)))
}

/// Does what the body asks of the payment.
async fn operate(
    http: &Http,
    payment: PaymentId,
    keyed: Keyed,
    body: Body,
    final_status: u16,
    ask: impl FnOnce(&mut Fields<'_>) -> Option<Ask>,
) -> Result<Response, Problem> {
    let call = keyed.call(http, &body, final_status);
    let ask = read(body.value(), ask).map_err(Refusal::Invalid)?;
    drop(body);
    Ok(respond::answer(flow::operate::operate(&http.app, call, payment, ask).await?))
}
