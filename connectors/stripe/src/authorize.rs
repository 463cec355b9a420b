//! Charging a customer, and what follows when the customer has acted.

use interlock_connector::Host;
use interlock_connector::types::{
    Authorize, Context, Decline, DeclineCode, Failure, Operation, Outcome, Pairs, PaymentMethod, Response, RetryAdvice,
};

use crate::intent::{INTENT, Status, another_operation, contradiction, intent_of, known_intent, other_status};
use crate::{ask, create, refused, units};

pub fn authorize(
    ctx: &Context,
    operation: &Operation,
    asked: &Authorize,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let Some(amount) = units::to_stripe(&asked.amount) else {
        return Ok(Outcome::Declined(units::unsayable(&asked.amount, RetryAdvice::OtherGateway)));
    };
    if !is_possible(&asked.method) {
        return Ok(Outcome::Declined(no_such_method()));
    }
    let reply = host.exchange(&create::create(ctx, operation, asked, amount)?);
    match intent_of(&reply)? {
        Some(intent) => {
            speaks_of(intent.metadata.operation.as_deref(), &operation.id)?;
            intent.outcome(host)
        }
        None => refused_attempt(&reply, operation, host),
    }
}

/// The customer is back. What the browser brought along proves nothing, so Stripe is asked; and where it waits for us, it
/// is told to go on.
pub fn complete(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(INTENT)?;
    let reply = host.exchange(&ask::intent(ctx, id)?);
    let intent = known_intent(&reply, id)?;
    if intent.status != Status::RequiresConfirmation {
        return intent.outcome(host);
    }
    let known = intent.references();
    let reply = host.exchange(&ask::confirm(ctx, operation, id)?);
    match intent_of(&reply)? {
        // It would have it confirmed again and again.
        Some(intent) if intent.status == Status::RequiresConfirmation => Err(other_status()),
        Some(_) => known_intent(&reply, id)?.outcome(host),
        None => refused_confirmation(&reply, id, known, host),
    }
}

/// A decline brings the payment that was declined, unless the card was refused before there was one. A payment that is
/// not declined, beside an error, is a contradiction.
fn refused_attempt(reply: &Response, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if let Some(intent) = refused::brought(reply)? {
        speaks_of(intent.metadata.operation.as_deref(), &operation.id)?;
        declined(intent.status)?;
    }
    refused::outcome(reply, Pairs::new(), host)
}

fn refused_confirmation(reply: &Response, id: &str, known: Pairs, host: &mut dyn Host) -> Result<Outcome, Failure> {
    // Any refusal may come of a payment that moved on by itself in the meantime.
    if let Some(intent) = refused::brought(reply)? {
        if intent.id != id {
            return Err(another_operation());
        }
        declined(intent.status)?;
    }
    refused::outcome(reply, known, host)
}

fn declined(status: Status) -> Result<(), Failure> {
    match status {
        Status::RequiresPaymentMethod | Status::Canceled => Ok(()),
        _ => Err(contradiction()),
    }
}

/// A reply about another operation than ours is somebody else's money.
fn speaks_of(noted: Option<&str>, operation_id: &str) -> Result<(), Failure> {
    if noted == Some(operation_id) { Ok(()) } else { Err(another_operation()) }
}

/// A wallet without a token would need a page of its own, which Stripe has for browsers alone.
fn is_possible(method: &PaymentMethod) -> bool {
    match method {
        PaymentMethod::Card(_) | PaymentMethod::GatewayToken => true,
        PaymentMethod::Wallet(wallet) => wallet.has_token,
        PaymentMethod::Upi(_) => false,
    }
}

fn no_such_method() -> Decline {
    Decline {
        code: DeclineCode::MethodUnsupported,
        gateway_code: "method_not_possible".to_owned(),
        network_code: None,
        message: "Stripe takes this method only with a token.".to_owned(),
        advice: RetryAdvice::OtherGateway,
        gateway_reference: None,
        references: Pairs::new(),
        reopenable_for_seconds: 0,
    }
}
