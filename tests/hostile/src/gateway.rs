//! The few calls of the mock gateway's protocol that it takes to charge a card, and what their answers mean.

use interlock_connector::Host;
use interlock_connector::request::{idempotency_key, json_object, secret, with_query};
use interlock_connector::types::{
    Approval, Authorize, CaptureMethod, Context, Failure, Money, Operation, Outcome, Request, Response, Segment,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Charge {
    id: String,
    reference: String,
    amount: u64,
    currency: String,
    status: String,
}

/// `POST /charges`
pub fn charge(
    ctx: &Context,
    operation: &Operation,
    authorize: &Authorize,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let body = json_object(|charge| {
        charge.string("reference", &operation.id);
        charge.integer("amount", authorize.amount.minor_units);
        charge.string("currency", &authorize.amount.currency);
        charge.boolean("capture", authorize.capture == CaptureMethod::Automatic);
        charge.object("method", |method| {
            method.string("type", "card");
            method.hole("number", Segment::CardNumber);
            method.hole("expiry_month", Segment::CardExpiryMonth);
            method.hole("expiry_year", Segment::CardExpiryYear);
        });
    });
    let request = Request::post(ctx.url("base_url", "/charges")?)
        .header("authorization", bearer())
        .header("idempotency-key", idempotency_key(operation, 1))
        .json(body)
        .resendable(true);
    outcome(&host.exchange(&request), &operation.id)
}

/// `GET /charges?reference=…`
pub fn look_up(ctx: &Context, reference: &str, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let url = with_query(&ctx.url("base_url", "/charges")?, [("reference", reference)]);
    let reply = host.exchange(&Request::get(url).header("authorization", bearer()));
    if reply.status == 404 { Ok(Outcome::NeverReceived) } else { outcome(&reply, reference) }
}

/// `GET /__health`: reads nothing and changes nothing.
pub fn ping(ctx: &Context, host: &mut dyn Host) -> Result<Response, Failure> {
    Ok(host.exchange(&Request::get(ctx.url("base_url", "/__health")?)))
}

fn outcome(reply: &Response, reference: &str) -> Result<Outcome, Failure> {
    if !reply.is_success() {
        return Err(Failure::new("the gateway says nothing of use"));
    }
    let charge: Charge = reply.json()?;
    if charge.reference != reference {
        return Err(Failure::new("the gateway speaks of something else"));
    }
    let approval = Approval::of(charge.id, Money::new(charge.amount, charge.currency));
    match charge.status.as_str() {
        "captured" => Ok(Outcome::Captured(approval)),
        "authorized" => Ok(Outcome::Authorized(approval)),
        _ => Err(Failure::new("the charge has a status that these tests do not use")),
    }
}

fn bearer() -> [Segment; 2] {
    ["Bearer ".into(), secret("api_key")]
}
