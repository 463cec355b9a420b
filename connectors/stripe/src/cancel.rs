//! Releasing held money, and calling off what is not decided yet.

use interlock_connector::Host;
use interlock_connector::types::{Cancel, Context, Failure, Operation, Outcome, Response};

use crate::capture::{captured_before, known};
use crate::intent::{Intent, Status, contradiction, intent_of, is_intent, other_status};
use crate::{ask, refused, sync};

/// The reasons that Stripe knows. What the merchant says in other words is not handed on.
const REASONS: [&str; 4] = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];

pub fn cancel(ctx: &Context, operation: &Operation, asked: &Cancel, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = sync::id_of(ctx, operation, &asked.target_id, host)?;
    let before = captured_before(operation)?;
    // Of a payment of which a part was captured, the rest is released by a last capture of nothing.
    let request = if before > 0 {
        ask::release(ctx, operation, &id)?
    } else {
        let reason = asked.reason.as_deref().filter(|reason| REASONS.contains(reason));
        ask::cancel(ctx, operation, &id, reason)?
    };
    let reply = host.exchange(&request);
    match intent_of(&reply)? {
        Some(intent) => {
            is_intent(&intent, &id)?;
            released(&intent, before)?.ok_or_else(other_status)
        }
        None => refused_cancel(&reply, operation, &id, host),
    }
}

/// That the payment holds nothing any more, and that no more was captured than `before`, in Stripe's unit; none where it
/// is otherwise.
pub fn released(intent: &Intent, before: u64) -> Result<Option<Outcome>, Failure> {
    Ok(match intent.status {
        Status::Canceled => Some(intent.called_off()?),
        Status::Succeeded if before > 0 && intent.amount_received == before => {
            Some(Outcome::Cancelled(intent.released()?))
        }
        _ => None,
    })
}

/// The customer, or a capture, may have been faster: then that is what became of the payment.
fn refused_cancel(reply: &Response, operation: &Operation, id: &str, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if let Some(intent) = refused::brought(reply)? {
        is_intent(&intent, id)?;
        if intent.status == Status::Canceled || intent.status == Status::Succeeded {
            let is_said = reply.status == refused::OUT_OF_PLACE;
            return if is_said { intent.outcome(host) } else { Err(contradiction()) };
        }
    }
    refused::outcome(reply, known(operation, id), host)
}
