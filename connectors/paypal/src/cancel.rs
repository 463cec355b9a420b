//! Calling off: an authorization is voided. An order that nobody has finished cannot be called off at PayPal, and need
//! not be: money moves only where we ask for it.

use interlock_connector::Host;
use interlock_connector::types::{Approval, Context, Failure, Operation, Outcome, Response};

use crate::money::{AUTHORIZATION, Authorization, AuthorizationStatus};
use crate::order::{ORDER, Order, another_object};
use crate::perform::{holds_nothing, known_order, lapsed};
use crate::refused::{self, Said};
use crate::{ask, standing};

/// PayPal says that there is nothing left to void.
const VOIDED_BEFORE: [&str; 2] = ["AUTHORIZATION_VOIDED", "PREVIOUSLY_VOIDED"];

pub fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if let Some(authorization) = operation.reference(AUTHORIZATION) {
        return void(ctx, operation, authorization, host);
    }
    let id = operation.required_reference(ORDER)?;
    let reply = host.exchange(&ask::order(ctx, id)?);
    if refused::is_not_found(&reply) && holds_nothing(operation) {
        return Ok(lapsed(id));
    }
    let order = known_order(&reply, id)?;
    if let Some(authorization) = standing::authorization(&order) {
        return void(ctx, operation, &authorization.id, host);
    }
    of_unfinished(&order, ctx, host)
}

/// What an order without an authorization says of its being called off.
pub fn of_unfinished(order: &Order, ctx: &Context, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match standing::outcome(order, ctx, host)? {
        // Not finished, and nobody will finish it.
        Outcome::ReadyToComplete(references) => {
            let amount = order.amount().ok_or_else(|| Failure::new("the order names no amount"))?.money()?;
            Ok(Outcome::Cancelled(Approval { references, ..Approval::of(order.id.as_str(), amount) }))
        }
        Outcome::ActionRequired(action) => {
            let amount = order.amount().ok_or_else(|| Failure::new("the order names no amount"))?.money()?;
            let references = action.references;
            Ok(Outcome::Cancelled(Approval { references, ..Approval::of(order.id.as_str(), amount) }))
        }
        outcome => Ok(outcome),
    }
}

fn void(ctx: &Context, operation: &Operation, id: &str, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let reply = host.exchange(&ask::void(ctx, operation, id)?);
    match reply.status {
        200 | 201 => voided(&reply, operation, id, ctx, host),
        // Done, in few words: how much that was, the authorization tells.
        204 => voided(&shown(ctx, id, host)?, operation, id, ctx, host),
        _ => match refused::said(&reply)? {
            Said::No(refused) | Said::BackToPayer(refused) => Ok(refused.declined(operation.references.clone(), host)),
            Said::Later(seconds) => Ok(Outcome::NotProcessed(seconds)),
            Said::Ask(refused) if refused.has_one_of(&VOIDED_BEFORE) || refused.is_seen_before() => {
                voided(&shown(ctx, id, host)?, operation, id, ctx, host)
            }
            Said::Ask(_) => standing_of(&shown(ctx, id, host)?, operation, id, ctx, host),
        },
    }
}

fn shown(ctx: &Context, id: &str, host: &mut dyn Host) -> Result<Response, Failure> {
    let reply = host.exchange(&ask::authorization(ctx, id)?);
    if reply.status == 200 { Ok(reply) } else { Err(Failure::new("PayPal did not show the authorization")) }
}

/// What the authorization says after PayPal said that it is voided, or at it. Where it is anything else, one of the two is not true
/// yet.
fn voided(
    reply: &Response,
    operation: &Operation,
    id: &str,
    ctx: &Context,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let authorization: Authorization = reply.json()?;
    match authorization.status {
        AuthorizationStatus::Captured | AuthorizationStatus::PartiallyCaptured => {
            Err(Failure::new("the authorization was voided, and shows what was captured"))
        }
        _ => standing_of(reply, operation, id, ctx, host),
    }
}

/// What the authorization says of its cancel. Where it is still held, the cancel did not happen.
fn standing_of(
    reply: &Response,
    operation: &Operation,
    id: &str,
    ctx: &Context,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let authorization: Authorization = reply.json()?;
    if authorization.id != id {
        return Err(another_object());
    }
    match authorization.status {
        AuthorizationStatus::Created | AuthorizationStatus::Pending => {
            Err(Failure::new("the authorization was to be voided, and is not"))
        }
        _ => authorization.outcome(operation.reference(ORDER), ctx.now, host),
    }
}
