//! What became of an operation whose outcome is unknown, or not final: the order tells, which lists all that was done
//! under it with our ids.

use interlock_connector::Host;
use interlock_connector::types::{Context, Failure, Operation, Outcome, Sync, SyncTarget};

use crate::money::AuthorizationStatus;
use crate::order::{ORDER, Order};
use crate::perform::{asked, holds_nothing, known_order, lapsed, with_authentication};
use crate::{ask, cancel, refund, refused, standing};

pub fn sync(ctx: &Context, operation: &Operation, sync: &Sync, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(ORDER)?;
    match &sync.target {
        SyncTarget::Authorize(_) => {
            let reply = host.exchange(&ask::order(ctx, id)?);
            // Nobody approved it in time: nothing was asked for that moves money. (A card's order is finished at once,
            // and stays.)
            if refused::is_not_found(&reply) && holds_nothing(operation) {
                return Ok(lapsed(id));
            }
            let order = known_order(&reply, id)?.of_operation(&sync.target_id)?;
            standing::outcome(&with_authentication(order, ctx, host)?, ctx, host)
        }
        // An order that still waits says nothing about a request that may be on its way: the same one, sent again, does.
        SyncTarget::Complete(_) => {
            let order = with_authentication(asked(ctx, id, host)?, ctx, host)?;
            match standing::outcome(&order, ctx, host)? {
                Outcome::ReadyToComplete(_) => Err(Failure::new("the order is approved, and not finished yet")),
                outcome => Ok(outcome),
            }
        }
        SyncTarget::Capture(_) => {
            let order = asked(ctx, id, host)?;
            let capture = standing::capture_of(&order, &sync.target_id).ok_or_else(not_listed)?;
            capture.outcome(Some(&order.id), host)
        }
        SyncTarget::Cancel(_) => {
            let reply = host.exchange(&ask::order(ctx, id)?);
            if refused::is_not_found(&reply) && holds_nothing(operation) {
                return Ok(lapsed(id));
            }
            cancelled(&known_order(&reply, id)?, ctx, host)
        }
        SyncTarget::Refund(asked_for) => {
            let order = asked(ctx, id, host)?;
            let given = refund::found(&order, &sync.target_id)?.ok_or_else(not_listed)?;
            if !given.is_all_of(&asked_for.amount) {
                return Err(Failure::new("the order shows a part of the refund"));
            }
            given.outcome(Some(&order.id), host)
        }
    }
}

/// What the order says of its being called off.
fn cancelled(order: &Order, ctx: &Context, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match standing::authorization(order) {
        Some(authorization) if authorization.status == AuthorizationStatus::Voided => {
            authorization.outcome(Some(&order.id), ctx.now, host)
        }
        Some(_) => Err(Failure::new("the authorization is not voided")),
        None => cancel::of_unfinished(order, ctx, host),
    }
}

/// A list that does not have it yet proves nothing: the request may be on its way.
fn not_listed() -> Failure {
    Failure::new("the order does not list the operation")
}
