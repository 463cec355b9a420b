//! Taking held money, at once or in parts.

use interlock_connector::Host;
use interlock_connector::types::{
    Capture, Context, Decline, DeclineCode, Failure, Operation, Outcome, Pairs, Response, RetryAdvice,
};

use crate::intent::{CAPTURED, INTENT, Status, contradiction, intent_of, is_intent};
use crate::{ask, create, refused, units};

pub fn capture(ctx: &Context, operation: &Operation, asked: &Capture, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(INTENT)?;
    let Some(amount) = units::to_stripe(&asked.amount) else {
        return Ok(Outcome::Declined(units::unsayable(&asked.amount, RetryAdvice::Never)));
    };
    if !asked.is_final && !create::multicapture(ctx) {
        return Ok(Outcome::Declined(only_once()));
    }
    let reply = host.exchange(&ask::capture(ctx, operation, id, amount, captured_before(operation)?, asked.is_final)?);
    match intent_of(&reply)? {
        Some(intent) => {
            is_intent(&intent, id)?;
            intent.captured(&operation.id)
        }
        None => refused_capture(&reply, operation, id, host),
    }
}

/// What was captured of the payment so far, in Stripe's unit, as its last outcome said.
pub fn captured_before(operation: &Operation) -> Result<u64, Failure> {
    let known = operation.reference(CAPTURED).unwrap_or("0");
    known.parse().map_err(|_| Failure::new("what was captured before is no number"))
}

/// Where there is nothing to capture any more, that is what became of the payment, and not only of the capture.
fn refused_capture(reply: &Response, operation: &Operation, id: &str, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if let Some(intent) = refused::brought(reply)? {
        is_intent(&intent, id)?;
        let is_done = intent.metadata.capture.as_deref() == Some(operation.id.as_str());
        if reply.status != refused::OUT_OF_PLACE && (is_done || intent.status == Status::Canceled) {
            return Err(contradiction());
        }
        if is_done {
            // It was done before, under a key that Stripe has forgotten.
            return intent.captured(&operation.id);
        }
        if intent.status == Status::Canceled {
            return intent.called_off();
        }
    }
    refused::outcome(reply, known(operation, id), host)
}

/// What an operation that was refused leaves known.
pub fn known(operation: &Operation, id: &str) -> Pairs {
    let mut known = interlock_connector::references([(INTENT, id)]);
    known.extend(operation.reference(CAPTURED).map(|total| (CAPTURED.to_owned(), total.to_owned())));
    known
}

fn only_once() -> Decline {
    Decline {
        code: DeclineCode::Misconfigured,
        gateway_code: "multicapture_off".to_owned(),
        network_code: None,
        message: "This account captures once: its setting multicapture is off.".to_owned(),
        advice: RetryAdvice::Never,
        gateway_reference: None,
        references: Pairs::new(),
        reopenable_for_seconds: 0,
    }
}
