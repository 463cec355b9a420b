//! The operations that act, from request to outcome: here authorize and complete, the others in files of their own.

use interlock_connector::Host;
use interlock_connector::types::{
    Accepted, Action, Authorize, CaptureMethod, Complete, Context, Failure, Operation, Outcome, Response,
};

use crate::ask::{self, Finish};
use crate::money::{AUTHORIZATION, CAPTURE};
use crate::order::{ORDER, Order};
use crate::refused::{self, Said};
use crate::{amount, cancel, capture, create, payer, refund, standing, sync};

pub fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match &operation.action {
        Action::Authorize(action) => authorize(ctx, operation, action, host),
        Action::Complete(action) => complete(ctx, operation, action, host),
        Action::Capture(action) => capture::perform(ctx, operation, action, host),
        Action::Cancel(_) => cancel::perform(ctx, operation, host),
        Action::Refund(action) => refund::perform(ctx, operation, action, host),
        Action::Sync(action) => sync::sync(ctx, operation, action, host),
    }
}

fn authorize(
    ctx: &Context,
    operation: &Operation,
    authorize: &Authorize,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let Some(value) = amount::written(&authorize.amount)? else { return Ok(refused::has_fraction(host)) };
    let reply = host.exchange(&create::order(ctx, operation, authorize, &value)?);
    if let Some(order) = order_of(&reply)? {
        let order = with_authentication(order.of_operation(&operation.id)?, ctx, host)?;
        return standing::outcome(&order, ctx, host);
    }
    match refused::said(&reply)? {
        Said::No(refused) | Said::BackToPayer(refused) => Ok(refused.declined(Vec::new(), host)),
        Said::Later(seconds) => Ok(Outcome::NotProcessed(seconds)),
        // The id is this operation's alone, so it was this operation that PayPal has seen before.
        Said::Ask(_) => Err(Failure::new("PayPal has seen the operation before, and does not say what came of it")),
    }
}

/// The payer is back. What the browser brought along proves nothing, so the order is asked; where it is approved, it is
/// captured, or authorized, now.
fn complete(
    ctx: &Context,
    operation: &Operation,
    complete: &Complete,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let id = operation.required_reference(ORDER)?;
    let reply = host.exchange(&ask::order(ctx, id)?);
    if refused::is_not_found(&reply) && holds_nothing(operation) {
        return Ok(lapsed(id));
    }
    let order = with_authentication(known_order(&reply, id)?, ctx, host)?;
    let outcome = standing::outcome(&order, ctx, host)?;
    if !matches!(outcome, Outcome::ReadyToComplete(_)) {
        return Ok(outcome);
    }
    let how = match complete.capture {
        CaptureMethod::Automatic => Finish::Capture,
        CaptureMethod::Manual => Finish::Authorize,
    };
    let reply = host.exchange(&ask::finish(ctx, operation, id, how)?);
    if let Some(order) = order_of(&reply)? {
        return finished(&order.with_id(id)?, ctx, host);
    }
    match refused::said(&reply)? {
        Said::No(refused) => Ok(refused.declined(order.references(), host)),
        // Another card of the payer's may do, and PayPal lets them choose it. Where it names no page, this is the end.
        Said::BackToPayer(refused) => match payer::action(&order, refused.links()) {
            Some(action) => Ok(action),
            None => Ok(refused.declined(order.references(), host)),
        },
        Said::Ask(_) => finished(&asked(ctx, id, host)?, ctx, host),
        // The payer has approved: nobody else may be asked, and the host comes back to this request.
        Said::Later(_) => Err(Failure::new("PayPal had no time for an approved order")),
    }
}

/// What came of an order that was told to finish: not that it may be told to.
fn finished(order: &Order, ctx: &Context, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match standing::outcome(order, ctx, host)? {
        Outcome::ReadyToComplete(_) => Err(Failure::new("the order was told to finish, and still waits for that")),
        outcome => Ok(outcome),
    }
}

/// Whether no earlier outcome spoke of money that is held or taken. An order without is not missed.
pub fn holds_nothing(operation: &Operation) -> bool {
    operation.reference(AUTHORIZATION).is_none() && operation.reference(CAPTURE).is_none()
}

/// PayPal forgets orders that nobody approved after some hours. Money moves only where we ask for it, and we have not.
pub fn lapsed(order: &str) -> Outcome {
    Outcome::Expired(Accepted::of(order, interlock_connector::references([(ORDER, order)])))
}

/// The order that a reply carries; none where its status says that it carries none.
pub fn order_of(reply: &Response) -> Result<Option<Order>, Failure> {
    match reply.status {
        200 | 201 => reply.json().map(Some),
        _ => Ok(None),
    }
}

/// Asks for the order.
pub fn asked(ctx: &Context, id: &str, host: &mut dyn Host) -> Result<Order, Failure> {
    known_order(&host.exchange(&ask::order(ctx, id)?), id)
}

/// The order with what came of 3-D Secure, for which PayPal may have to be asked by name.
pub fn with_authentication(order: Order, ctx: &Context, host: &mut dyn Host) -> Result<Order, Failure> {
    if !order.hides_authentication() {
        return Ok(order);
    }
    let reply = host.exchange(&ask::payment_source(ctx, &order.id)?);
    let shown = known_order(&reply, &order.id)?;
    Ok(order.paid_as(shown))
}

/// The order `id`, which PayPal gave us itself: anything else but that order makes no sense.
pub fn known_order(reply: &Response, id: &str) -> Result<Order, Failure> {
    order_of(reply)?.ok_or_else(|| Failure::new("PayPal did not show the order"))?.with_id(id)
}
