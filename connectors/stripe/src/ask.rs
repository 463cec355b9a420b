//! The requests that Stripe understands, all but the one that makes a payment.

use interlock_connector::request::{Form, idempotency_key, path_segment, secret, with_query};
use interlock_connector::types::{Context, Failure, Operation, Request};

/// The version of Stripe's API that every request and reply here is written for. It is that of the public libraries
/// which the tests compare with.
const VERSION: &str = "2026-10-28.endive";
/// As many as Stripe lists at once.
const PAGE: &str = "100";

/// In a payment's metadata: the operation that made it. In a refund's: the refund's own.
pub const OPERATION: &str = "metadata[interlock_operation]";
/// In the metadata of both: the payment.
pub const PAYMENT: &str = "metadata[interlock_payment]";
/// In a payment's metadata: the last capture's operation.
const CAPTURE: &str = "metadata[interlock_capture]";
/// In a payment's metadata: what had been captured before it, in Stripe's unit.
const CAPTURED_BEFORE: &str = "metadata[interlock_captured_before]";

/// `GET /v1/payment_intents/{id}`
pub fn intent(ctx: &Context, id: &str) -> Result<Request, Failure> {
    let url = ctx.url("base_url", &intent_path(id, ""))?;
    Ok(read(ctx, with_query(&url, [("expand[0]", "latest_charge")])))
}

/// `GET /v1/payment_intents/search`: by the operation that made it. Lags behind, usually by less than a minute.
pub fn search(ctx: &Context, operation_id: &str) -> Result<Request, Failure> {
    // A quote would end the text early; no id of ours has one.
    let wanted = operation_id.replace(['\'', '\\'], "");
    let query = ["metadata['interlock_operation']:'", &wanted, "'"].concat();
    let url = ctx.url("base_url", "/v1/payment_intents/search")?;
    Ok(read(ctx, with_query(&url, [("query", query.as_str())])))
}

/// `GET /v1/refunds`: a page of a payment's refunds, newest first, from the one after `after`.
pub fn refunds(ctx: &Context, intent: &str, after: Option<&str>) -> Result<Request, Failure> {
    let url = ctx.url("base_url", "/v1/refunds")?;
    let query = [("payment_intent", intent), ("limit", PAGE)];
    let after = after.map(|id| ("starting_after", id));
    Ok(read(ctx, with_query(&url, query.into_iter().chain(after))))
}

/// `POST /v1/payment_intents/{id}/confirm`
pub fn confirm(ctx: &Context, operation: &Operation, id: &str) -> Result<Request, Failure> {
    write(ctx, operation, &intent_path(id, "/confirm"), expanded(Form::new()))
}

/// `POST /v1/payment_intents/{id}/capture` of an `amount` in Stripe's unit, `before` of which were captured already.
pub fn capture(
    ctx: &Context,
    operation: &Operation,
    id: &str,
    amount: u64,
    before: u64,
    is_final: bool,
) -> Result<Request, Failure> {
    let mut form = Form::new().integer("amount_to_capture", amount);
    // To be said only where an authorization can be captured several times; without it a capture is the last.
    if !is_final {
        form = form.field("final_capture", "false");
    } else if before > 0 {
        form = form.field("final_capture", "true");
    }
    let form = form.field(CAPTURE, operation.id.as_str()).integer(CAPTURED_BEFORE, before);
    write(ctx, operation, &intent_path(id, "/capture"), expanded(form))
}

/// `POST /v1/payment_intents/{id}/capture` of nothing: how the rest of an authorization is released of which a part was
/// captured.
pub fn release(ctx: &Context, operation: &Operation, id: &str) -> Result<Request, Failure> {
    let form = Form::new().integer("amount_to_capture", 0).field("final_capture", "true");
    write(ctx, operation, &intent_path(id, "/capture"), expanded(form))
}

/// `POST /v1/payment_intents/{id}/cancel`
pub fn cancel(ctx: &Context, operation: &Operation, id: &str, reason: Option<&str>) -> Result<Request, Failure> {
    let form = Form::new().optional_field("cancellation_reason", reason);
    write(ctx, operation, &intent_path(id, "/cancel"), expanded(form))
}

/// `POST /v1/refunds` of an `amount` in Stripe's unit. `reason` is one of Stripe's words, `words` are the merchant's.
pub fn refund(
    ctx: &Context,
    operation: &Operation,
    intent: &str,
    amount: u64,
    reason: Option<&str>,
    words: Option<&str>,
) -> Result<Request, Failure> {
    let form = Form::new()
        .field("payment_intent", intent)
        .integer("amount", amount)
        .optional_field("reason", reason)
        .field(OPERATION, operation.id.as_str())
        .field(PAYMENT, operation.payment_id.as_str())
        .optional_field("metadata[reason]", words);
    write(ctx, operation, "/v1/refunds", form)
}

/// A POST under the operation's own key. No operation here writes twice, so it is always its first.
pub fn write(ctx: &Context, operation: &Operation, path: &str, form: Form) -> Result<Request, Failure> {
    let request = Request::post(ctx.url("base_url", path)?);
    Ok(headers(ctx, request).header("idempotency-key", idempotency_key(operation, 1)).form(form).resendable(true))
}

/// Has the reply hold the charge, and not its id alone.
pub fn expanded(form: Form) -> Form {
    form.field("expand[0]", "latest_charge")
}

fn read(ctx: &Context, url: String) -> Request {
    headers(ctx, Request::get(url))
}

fn headers(ctx: &Context, request: Request) -> Request {
    let request =
        request.header("authorization", ["Bearer ".into(), secret("api_key")]).header("stripe-version", VERSION);
    match ctx.setting("stripe_account") {
        Some(account) => request.header("stripe-account", account),
        None => request,
    }
}

fn intent_path(id: &str, verb: &str) -> String {
    ["/v1/payment_intents/", &path_segment(id), verb].concat()
}
