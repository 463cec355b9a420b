//! The requests that PayPal understands, but for the order's, which has a file of its own.

use interlock_connector::request::{idempotency_key, json_object, path_segment, session};
use interlock_connector::types::{Capture, Context, Failure, Money, Operation, Request, Segment, Template};

use crate::session::TOKEN;

/// What follows an approved order: `POST /v2/checkout/orders/{id}/capture`, or `/authorize`.
#[derive(Clone, Copy)]
pub enum Finish {
    Capture,
    Authorize,
}

pub fn finish(ctx: &Context, operation: &Operation, order: &str, how: Finish) -> Result<Request, Failure> {
    let verb = match how {
        Finish::Capture => "/capture",
        Finish::Authorize => "/authorize",
    };
    let path = ["/v2/checkout/orders/", &path_segment(order), verb].concat();
    write(ctx, &path, &idempotency_key(operation, 1), json_object(|_| {}))
}

/// `POST /v2/payments/authorizations/{id}/capture`. Its `invoice_id` is how it is found again.
pub fn capture(
    ctx: &Context,
    operation: &Operation,
    authorization: &str,
    capture: &Capture,
    value: &str,
) -> Result<Request, Failure> {
    let body = json_object(|body| {
        body.object("amount", |amount| {
            amount.string("currency_code", &capture.amount.currency);
            amount.string("value", value);
        });
        body.string("invoice_id", &operation.id);
        body.boolean("final_capture", capture.is_final);
    });
    let path = ["/v2/payments/authorizations/", &path_segment(authorization), "/capture"].concat();
    write(ctx, &path, &idempotency_key(operation, 1), body)
}

/// `POST /v2/payments/authorizations/{id}/void`
pub fn void(ctx: &Context, operation: &Operation, authorization: &str) -> Result<Request, Failure> {
    let path = ["/v2/payments/authorizations/", &path_segment(authorization), "/void"].concat();
    write(ctx, &path, &idempotency_key(operation, 1), json_object(|_| {}))
}

/// One of the requests of a refund, the `nth`, counted from 1.
pub struct Share<'a> {
    pub capture: &'a str,
    pub amount: &'a Money,
    /// As PayPal writes it.
    pub value: &'a str,
    pub nth: u32,
}

/// `POST /v2/payments/captures/{id}/refund`. All shares have the operation's id as `custom_id`, by which they are found
/// again; `invoice_id` must be another one each time. The merchant's reason stays with the merchant: what PayPal would take
/// it as is a note to the payer.
pub fn refund(ctx: &Context, operation: &Operation, share: &Share<'_>) -> Result<Request, Failure> {
    let key = idempotency_key(operation, share.nth);
    let body = json_object(|body| {
        body.object("amount", |amount| {
            amount.string("currency_code", &share.amount.currency);
            amount.string("value", share.value);
        });
        body.string("custom_id", &operation.id);
        body.string("invoice_id", &key);
    });
    let path = ["/v2/payments/captures/", &path_segment(share.capture), "/refund"].concat();
    write(ctx, &path, &key, body)
}

/// `GET /v2/checkout/orders/{id}`
pub fn order(ctx: &Context, id: &str) -> Result<Request, Failure> {
    read(ctx, &["/v2/checkout/orders/", &path_segment(id)].concat())
}

/// The same, with how it is paid: 3-D Secure's result may need to be asked for.
pub fn payment_source(ctx: &Context, id: &str) -> Result<Request, Failure> {
    read(ctx, &["/v2/checkout/orders/", &path_segment(id), "?fields=payment_source"].concat())
}

/// `GET /v2/payments/authorizations/{id}`
pub fn authorization(ctx: &Context, id: &str) -> Result<Request, Failure> {
    read(ctx, &["/v2/payments/authorizations/", &path_segment(id)].concat())
}

fn read(ctx: &Context, path: &str) -> Result<Request, Failure> {
    Ok(Request::get(ctx.url("base_url", path)?).header("authorization", bearer()))
}

/// The same `PayPal-Request-Id` gets the latest state of what the first one did, so the host may send it again.
pub fn write(ctx: &Context, path: &str, key: &str, body: Template) -> Result<Request, Failure> {
    Ok(Request::post(ctx.url("base_url", path)?)
        .header("authorization", bearer())
        .header("paypal-request-id", key)
        .header("prefer", "return=representation")
        .json(body)
        .resendable(true))
}

fn bearer() -> [Segment; 2] {
    ["Bearer ".into(), session(TOKEN)]
}

/// The text up to so many characters.
pub fn shortened(text: &str, max_chars: usize) -> &str {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shortened("grün", 3), "grü");
        assert_eq!(shortened("grün", 4), "grün");
        assert_eq!(shortened("", 4), "");
    }
}
