//! Operations: what is asked of the gateway, and which of its answers speaks of what was asked.

use interlock_connector::Host;
use interlock_connector::request::{idempotency_key, json_object, path_segment, secret, with_query};
use interlock_connector::types::{
    Action, Authorize, Capture, CaptureMethod, Context, Failure, Operation, Outcome, PaymentMethod, Refund, Request,
    Response, Segment, Sync, SyncTarget, Template,
};

use crate::reply::{self, CHARGE, Charge, Refunded};

pub fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match &operation.action {
        Action::Authorize(action) => authorize(ctx, operation, action, host),
        Action::Capture(action) => capture(ctx, operation, action, host),
        Action::Refund(action) => refund(ctx, operation, action, host),
        Action::Sync(action) => sync(ctx, action, host),
        Action::Complete(_) | Action::Cancel(_) => Err(Failure::new("the gateway has no such operation")),
    }
}

fn authorize(
    ctx: &Context,
    operation: &Operation,
    authorize: &Authorize,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let PaymentMethod::Card(card) = &authorize.method else {
        return Err(Failure::new("the gateway takes cards alone"));
    };
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
            if card.has_cvc {
                method.hole("cvc", Segment::CardCvc);
            }
        });
        charge.optional_string("description", authorize.description.as_deref());
    });
    let reply = write(ctx, operation, "/charges", body, host)?;
    match charge_about(&reply, &operation.id)? {
        Some(charge) => Ok(charge.outcome(host)),
        None => reply::refused(&reply, host),
    }
}

fn capture(ctx: &Context, operation: &Operation, capture: &Capture, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(CHARGE)?;
    let body = json_object(|body| {
        body.string("reference", &operation.id);
        body.integer("amount", capture.amount.minor_units);
        body.boolean("final", capture.is_final);
    });
    let path = ["/charges/", &path_segment(id), "/capture"].concat();
    let reply = write(ctx, operation, &path, body, host)?;
    match charge_about(&reply, &operation.id)? {
        Some(charge) => charge.capture_outcome(host),
        None => reply::refused(&reply, host),
    }
}

fn refund(ctx: &Context, operation: &Operation, refund: &Refund, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(CHARGE)?;
    let body = json_object(|body| {
        body.string("reference", &operation.id);
        body.integer("amount", refund.amount.minor_units);
        body.optional_string("reason", refund.reason.as_deref());
    });
    let path = ["/charges/", &path_segment(id), "/refunds"].concat();
    let reply = write(ctx, operation, &path, body, host)?;
    match refund_about(&reply, &operation.id)? {
        Some(refund) => Ok(refund.outcome(host)),
        None => reply::refused(&reply, host),
    }
}

/// What became of an operation whose outcome is unknown: looked up by its id, which the gateway knows as `reference`.
fn sync(ctx: &Context, sync: &Sync, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let path = match &sync.target {
        SyncTarget::Authorize(_) | SyncTarget::Capture(_) => "/charges",
        SyncTarget::Refund(_) => "/refunds",
        SyncTarget::Complete(_) | SyncTarget::Cancel(_) => {
            return Err(Failure::new("the gateway has no such operation"));
        }
    };
    let url = with_query(&ctx.url("base_url", path)?, [("reference", sync.target_id.as_str())]);
    let reply = host.exchange(&Request::get(url).header("authorization", bearer()));
    if reply::is_not_found(&reply) {
        return Ok(Outcome::NeverReceived);
    }
    let outcome = match &sync.target {
        SyncTarget::Refund(_) => refund_about(&reply, &sync.target_id)?.map(|refund| Ok(refund.outcome(host))),
        SyncTarget::Capture(_) => charge_about(&reply, &sync.target_id)?.map(|charge| charge.capture_outcome(host)),
        _ => charge_about(&reply, &sync.target_id)?.map(|charge| Ok(charge.outcome(host))),
    };
    // A refusal here refuses the question; it says nothing about the operation that was asked about.
    outcome.unwrap_or_else(|| Err(Failure::new("the gateway refused the question")))
}

/// No operation of this gateway writes twice, so every key is the operation's first. The gateway promises that the same
/// request under the same key has no second effect.
fn write(
    ctx: &Context,
    operation: &Operation,
    path: &str,
    body: Template,
    host: &mut dyn Host,
) -> Result<Response, Failure> {
    let request = Request::post(ctx.url("base_url", path)?)
        .header("authorization", bearer())
        .header("idempotency-key", idempotency_key(operation, 1))
        .json(body)
        .resendable(true);
    Ok(host.exchange(&request))
}

fn bearer() -> [Segment; 2] {
    ["Bearer ".into(), secret("api_key")]
}

/// The charge that a reply carries, where it carries one. One about another operation is somebody else's money.
fn charge_about(reply: &Response, operation_id: &str) -> Result<Option<Charge>, Failure> {
    let charge = reply::charge(reply)?;
    speaks_of(charge.as_ref().map(|charge| charge.reference.as_str()), operation_id)?;
    Ok(charge)
}

fn refund_about(reply: &Response, operation_id: &str) -> Result<Option<Refunded>, Failure> {
    let refund = reply::refund(reply)?;
    speaks_of(refund.as_ref().map(|refund| refund.reference.as_str()), operation_id)?;
    Ok(refund)
}

fn speaks_of(reference: Option<&str>, operation_id: &str) -> Result<(), Failure> {
    match reference {
        Some(other) if other != operation_id => Err(Failure::new("the reply speaks of another operation")),
        _ => Ok(()),
    }
}
