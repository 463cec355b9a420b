//! The operations that act, from request to outcome.

use interlock_connector::Host;
use interlock_connector::types::{
    Action, Authorize, Cancel, Capture, Context, Failure, Operation, Outcome, Refund, Response,
};

use crate::charge::{CHARGE, Charge, RefundStatus, Status};
use crate::{ask, charge, refused, sync};

pub fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match &operation.action {
        Action::Authorize(action) => authorize(ctx, operation, action, host),
        Action::Complete(_) => complete(ctx, operation, host),
        Action::Capture(action) => capture(ctx, operation, action, host),
        Action::Cancel(action) => cancel(ctx, operation, action, host),
        Action::Refund(action) => refund(ctx, operation, action, host),
        Action::Sync(action) => sync::sync(ctx, operation, action, host),
    }
}

fn authorize(
    ctx: &Context,
    operation: &Operation,
    authorize: &Authorize,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let reply = host.exchange(&ask::create(ctx, operation, authorize)?);
    match charge_of(&reply)? {
        Some(charge) => {
            speaks_of(&charge.reference, &operation.id)?;
            charge.outcome(host)
        }
        None => refused::outcome(&reply, host),
    }
}

/// The customer is back. What the browser brought along proves nothing, so the gateway is asked.
fn complete(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(CHARGE)?;
    let reply = host.exchange(&ask::charge(ctx, id)?);
    known_charge(&reply, id)?.outcome(host)
}

fn capture(ctx: &Context, operation: &Operation, capture: &Capture, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(CHARGE)?;
    let reply = host.exchange(&ask::capture(ctx, operation, id, capture)?);
    let Some(charge) = charge_of(&reply)? else { return refused::outcome(&reply, host) };
    speaks_of(&charge.reference, &operation.id)?;
    is_charge(&charge, id)?;
    // A reply to a capture that says "cancelled" speaks of something else.
    if charge.status == Status::Cancelled {
        return Err(other_status());
    }
    charge.capture_outcome(capture.amount.minor_units, host).ok_or_else(other_status)
}

/// Calls off a charge; where its id is not known yet, it is looked up first.
fn cancel(ctx: &Context, operation: &Operation, cancel: &Cancel, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = match operation.reference(CHARGE) {
        Some(id) => id.to_owned(),
        None if !ask::has_lookup(ctx) => return Err(no_lookup()),
        None => {
            let reply = host.exchange(&ask::charge_by_reference(ctx, &cancel.target_id)?);
            match charge_of(&reply)? {
                Some(charge) => {
                    speaks_of(&charge.reference, &cancel.target_id)?;
                    charge.id
                }
                None => return refused::outcome(&reply, host),
            }
        }
    };
    let reply = host.exchange(&ask::cancel(ctx, operation, &id)?);
    let Some(charge) = charge_of(&reply)? else { return refused::outcome(&reply, host) };
    speaks_of(&charge.reference, &operation.id)?;
    is_charge(&charge, &id)?;
    match charge.status {
        Status::Cancelled => Ok(Outcome::Cancelled(charge.released())),
        Status::Declined => charge.outcome(host),
        Status::Authorized | Status::Captured | Status::Pending | Status::RequiresAction => Err(other_status()),
    }
}

fn refund(ctx: &Context, operation: &Operation, refund: &Refund, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(CHARGE)?;
    let reply = host.exchange(&ask::refund(ctx, operation, id, refund.amount.minor_units)?);
    let Some(made) = refund_of(&reply)? else { return refused::outcome(&reply, host) };
    speaks_of(&made.reference, &operation.id)?;
    if made.charge != id {
        return Err(another_object());
    }
    Ok(made.outcome(&refund.amount.currency, host))
}

/// The charge that a reply carries; none where its status says that it carries none. 402 carries a declined one.
pub fn charge_of(reply: &Response) -> Result<Option<Charge>, Failure> {
    let charge: Charge = match reply.status {
        200 | 201 | 402 => reply.json()?,
        _ => return Ok(None),
    };
    if (reply.status == 402) == (charge.status == Status::Declined) || is_question_answered(reply, &charge) {
        return Ok(Some(charge));
    }
    Err(contradiction())
}

/// A declined charge comes with 402 when it is made, and with 200 when it is asked for.
fn is_question_answered(reply: &Response, charge: &Charge) -> bool {
    reply.status == 200 && charge.status == Status::Declined
}

/// As [`charge_of`], for a refund.
pub fn refund_of(reply: &Response) -> Result<Option<charge::Refund>, Failure> {
    let refund: charge::Refund = match reply.status {
        200 | 201 | 402 => reply.json()?,
        _ => return Ok(None),
    };
    if reply.status == 402 && refund.status != RefundStatus::Declined {
        return Err(contradiction());
    }
    Ok(Some(refund))
}

/// The charge `id`, which the gateway gave us itself: anything else but that charge makes no sense.
pub fn known_charge(reply: &Response, id: &str) -> Result<Charge, Failure> {
    let charge = charge_of(reply)?.ok_or_else(|| Failure::new("the gateway did not show the charge"))?;
    is_charge(&charge, id)?;
    Ok(charge)
}

/// A reply about another operation than the one that was asked about is somebody else's money.
pub fn speaks_of(reference: &str, operation_id: &str) -> Result<(), Failure> {
    if reference == operation_id { Ok(()) } else { Err(another_object()) }
}

pub fn is_charge(charge: &Charge, id: &str) -> Result<(), Failure> {
    if charge.id == id { Ok(()) } else { Err(another_object()) }
}

pub fn no_lookup() -> Failure {
    Failure::new("this account has no lookup")
}

pub fn other_status() -> Failure {
    Failure::new("the charge has a status that does not follow from what was asked")
}

fn another_object() -> Failure {
    Failure::new("the reply speaks of another operation or charge")
}

fn contradiction() -> Failure {
    Failure::new("the reply's status and body contradict each other")
}
