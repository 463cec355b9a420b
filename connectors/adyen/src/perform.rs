//! The operations that act, from request to outcome.

use interlock_connector::Host;
use interlock_connector::types::{
    Action, Authorize, Cancel, Capture, Complete, Context, Failure, Operation, Outcome, Refund,
};

use crate::currency::Amount;
use crate::method::Method;
use crate::payment::{self, Asked, PAYMENT, REFERENCE};
use crate::reference::Modification;
use crate::unfit::Unfit;
use crate::{ask, details, modification, refused};

pub fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match &operation.action {
        Action::Authorize(action) => authorize(ctx, operation, action, host),
        Action::Complete(action) => complete(ctx, operation, action, host),
        Action::Capture(action) => capture(ctx, operation, action, host),
        Action::Cancel(action) => cancel(ctx, operation, action, host),
        Action::Refund(action) => refund(ctx, operation, action, host),
        Action::Sync(_) => Err(Failure::new("Adyen has no way to ask about a payment; its webhooks tell")),
    }
}

fn authorize(
    ctx: &Context,
    operation: &Operation,
    authorize: &Authorize,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let Some(amount) = Amount::of(&authorize.amount) else { return Ok(Unfit::Amount.declined(host)) };
    let method = match Method::of(authorize) {
        Ok(method) => method,
        Err(unfit) => return Ok(unfit.declined(host)),
    };
    let reply = host.exchange(&ask::payment(ctx, operation, authorize, &amount, &method)?);
    if reply.status != 200 {
        return refused::outcome(&reply, host);
    }
    let asked = Asked { amount: &authorize.amount, capture: authorize.capture, reference: Some(&operation.id) };
    payment::outcome(&reply, &asked, host)
}

/// The customer is back, and Adyen waits to be told what the browser brought along. Where it brought nothing, there is
/// nothing to tell, and the customer may still come back with it: nothing was done.
fn complete(
    ctx: &Context,
    operation: &Operation,
    complete: &Complete,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let Some(brought) = details::brought(&complete.parameters) else { return Ok(Outcome::NotProcessed(None)) };
    let reply = host.exchange(&ask::details(ctx, operation, &brought)?);
    if reply.status != 200 {
        return refused::outcome(&reply, host);
    }
    let reference = operation.reference(REFERENCE);
    payment::outcome(&reply, &Asked { amount: &complete.amount, capture: complete.capture, reference }, host)
}

fn capture(ctx: &Context, operation: &Operation, capture: &Capture, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let payment = operation.required_reference(PAYMENT)?;
    let Some(amount) = Amount::of(&capture.amount) else { return Ok(Unfit::Amount.declined(host)) };
    let reply = host.exchange(&ask::capture(ctx, operation, payment, &amount)?);
    modification::outcome(&reply, operation, Modification::Capture, Some(payment), host)
}

/// By Adyen's reference where the payment is authorised, else by ours.
fn cancel(ctx: &Context, operation: &Operation, cancel: &Cancel, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let payment = operation.reference(PAYMENT);
    let request = match payment {
        Some(payment) => ask::cancel(ctx, operation, payment)?,
        None => ask::cancel_by_reference(ctx, operation, cancel)?,
    };
    let reply = host.exchange(&request);
    modification::outcome(&reply, operation, Modification::Cancel, payment, host)
}

fn refund(ctx: &Context, operation: &Operation, refund: &Refund, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let payment = operation.required_reference(PAYMENT)?;
    let Some(amount) = Amount::of(&refund.amount) else { return Ok(Unfit::Amount.declined(host)) };
    let reply = host.exchange(&ask::refund(ctx, operation, payment, refund, &amount)?);
    modification::outcome(&reply, operation, Modification::Refund, Some(payment), host)
}
