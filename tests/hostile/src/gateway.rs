//! The few calls of the mock gateway's protocol that it takes to charge a card, and what their answers mean.

use interlock_connector::request::{idempotency_key, json_object, with_query};
use interlock_connector::types::{
    Action, ActionNeeded, Approval, Authorize, CaptureMethod, Context, CustomerAction, Decline, DeclineCode, Failure,
    Method, Money, Operation, Outcome, Pairs, Redirect, Request, Response, RetryAdvice, Segment, Sync, SyncTarget,
};
use interlock_connector::{Host, references};
use serde::Deserialize;

use crate::session::bearer;

#[derive(Deserialize)]
struct Charge {
    id: String,
    reference: String,
    amount: u64,
    currency: String,
    status: String,
    action: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    url: String,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    reference: String,
    amount: u64,
    status: String,
}

/// The name under which the charge's id is kept between operations.
const CHARGE: &str = "charge";

/// `POST /charges`; `reworded` with a header that means nothing.
pub fn charge(
    ctx: &Context,
    operation: &Operation,
    authorize: &Authorize,
    reworded: bool,
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
        .header("authorization", bearer(ctx))
        .header("idempotency-key", idempotency_key(operation, 1))
        .json(body)
        .resendable(true);
    let request = if reworded { request.header("x-note", "reworded") } else { request };
    outcome(&host.exchange(&request), &operation.id)
}

/// What is done with a charge that is there: `GET /charges/{id}`, and `POST` to what is below it.
pub fn act(ctx: &Context, operation: &Operation, action: &Action, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if let Action::Cancel(cancel) = action
        && operation.reference(CHARGE).is_none()
    {
        return call_off(ctx, operation, &cancel.target_id, host);
    }
    let charge = operation.required_reference(CHARGE)?;
    let (below, amount) = match action {
        Action::Capture(capture) => ("/capture", Some(capture.amount.minor_units)),
        Action::Cancel(_) => ("/cancel", None),
        Action::Refund(refund) => ("/refunds", Some(refund.amount.minor_units)),
        _ => {
            let url = ctx.url("base_url", &["/charges/", charge].concat())?;
            let reply = host.exchange(&Request::get(url).header("authorization", bearer(ctx)));
            let shown: Charge = reply.json()?;
            return outcome(&reply, &shown.reference);
        }
    };
    let body = json_object(|body| {
        body.string("reference", &operation.id);
        if let Some(amount) = amount {
            body.integer("amount", amount);
        }
    });
    let request = Request::post(ctx.url("base_url", &["/charges/", charge, below].concat())?)
        .header("authorization", bearer(ctx))
        .header("idempotency-key", idempotency_key(operation, 1))
        .json(body)
        .resendable(true);
    let reply = host.exchange(&request);
    match action {
        Action::Refund(refund) => refunded(&reply, &operation.id, &refund.amount.currency),
        _ => outcome(&reply, &operation.id),
    }
}

/// A cancel of what has no name at the gateway as far as we know: it is looked for by our own.
fn call_off(ctx: &Context, operation: &Operation, target: &str, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let url = with_query(&ctx.url("base_url", "/charges")?, [("reference", target)]);
    let found = host.exchange(&Request::get(url).header("authorization", bearer(ctx)));
    if found.status == 404 {
        return Ok(refused("no_such_charge"));
    }
    let charge: Charge = found.json()?;
    let request = Request::post(ctx.url("base_url", &["/charges/", &charge.id, "/cancel"].concat())?)
        .header("authorization", bearer(ctx))
        .header("idempotency-key", idempotency_key(operation, 1))
        .json(json_object(|body| body.string("reference", &operation.id)))
        .resendable(true);
    let reply = host.exchange(&request);
    if reply.status == 400 { Ok(refused("not_cancellable")) } else { outcome(&reply, &operation.id) }
}

fn refused(code: &str) -> Outcome {
    Outcome::Declined(Decline {
        code: DeclineCode::Other,
        gateway_code: code.to_owned(),
        network_code: None,
        message: String::new(),
        advice: RetryAdvice::Never,
        gateway_reference: None,
        references: Pairs::new(),
        reopenable_for_seconds: 0,
    })
}

/// `GET /charges?reference=…`, `GET /refunds?reference=…`
pub fn look_up(ctx: &Context, operation: &Operation, sync: &Sync, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let reference = sync.target_id.as_str();
    let place = match &sync.target {
        SyncTarget::Complete(complete) => {
            return act(ctx, operation, &Action::Complete(complete.clone()), host);
        }
        SyncTarget::Refund(_) => "/refunds",
        _ => "/charges",
    };
    let url = with_query(&ctx.url("base_url", place)?, [("reference", reference)]);
    let reply = host.exchange(&Request::get(url).header("authorization", bearer(ctx)));
    match &sync.target {
        _ if reply.status == 404 => Ok(Outcome::NeverReceived),
        SyncTarget::Refund(refund) => refunded(&reply, reference, &refund.amount.currency),
        _ => outcome(&reply, reference),
    }
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
    let known = references([(CHARGE, charge.id.as_str())]);
    let action = charge.action.map(|action| action.url);
    let approval = Approval {
        references: known.clone(),
        ..Approval::of(charge.id.as_str(), Money::new(charge.amount, charge.currency))
    };
    match (charge.status.as_str(), action) {
        ("captured", _) => Ok(Outcome::Captured(approval)),
        ("authorized", _) => Ok(Outcome::Authorized(approval)),
        ("cancelled", _) => Ok(Outcome::Cancelled(approval)),
        ("requires_action", Some(url)) => Ok(Outcome::ActionRequired(ActionNeeded {
            gateway_reference: Some(charge.id),
            references: known,
            actions: vec![CustomerAction::Redirect(Redirect { url, method: Method::Get, fields: Vec::new() })],
            expires_at: None,
        })),
        _ => Err(Failure::new("the charge has a status that these tests do not use")),
    }
}

fn refunded(reply: &Response, reference: &str, currency: &str) -> Result<Outcome, Failure> {
    if !reply.is_success() {
        return Err(Failure::new("the gateway says nothing of use"));
    }
    let refund: Refund = reply.json()?;
    if refund.reference != reference || refund.status != "succeeded" {
        return Err(Failure::new("the gateway speaks of something else"));
    }
    Ok(Outcome::Refunded(Approval::of(refund.id, Money::new(refund.amount, currency))))
}
