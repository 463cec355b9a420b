//! How an order stands: what was made of it, or what it waits for.

use interlock_connector::Host;
use interlock_connector::types::{Accepted, Context, Failure, Outcome};

use crate::money::{Authorization, AuthorizationStatus, Capture};
use crate::order::{Authentication, Order, Status};
use crate::payer::{self, Verdict};

/// What the order says of the authorize or complete that it belongs to.
pub fn outcome(order: &Order, ctx: &Context, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if let Some(authorization) = authorization(order) {
        return authorization.outcome(Some(&order.id), ctx.now, host);
    }
    if let Some(capture) = first_capture(order) {
        return capture.outcome(Some(&order.id), host);
    }
    let verdict = order.authentication().map_or(Verdict::None, Authentication::verdict);
    match (order.status, verdict) {
        (Status::Completed, _) => Err(Failure::new("the order is completed, and names no payment")),
        (Status::Saved, _) => Err(Failure::new("the order is saved for later, which nobody asked for")),
        (Status::Voided, _) => Ok(Outcome::Expired(Accepted::of(order.id.as_str(), order.references()))),
        (_, Verdict::Failed | Verdict::Unclear) => Ok(payer::unauthenticated(order, verdict, host)),
        (Status::Approved, Verdict::None) if order.hides_authentication() => {
            Err(Failure::new("the order does not say what came of 3-D Secure"))
        }
        (Status::Approved, _) => Ok(Outcome::ReadyToComplete(order.references())),
        // A card that was authenticated has nothing to approve any more.
        (Status::Created | Status::PayerActionRequired, Verdict::Passed) if order.is_by_card() => {
            Ok(Outcome::ReadyToComplete(order.references()))
        }
        (Status::Created | Status::PayerActionRequired, _) => {
            payer::action(order, &order.links).ok_or_else(|| Failure::new("the order waits, and does not say for what"))
        }
    }
}

/// The authorization that counts: one order has one, after some that were denied perhaps.
pub fn authorization(order: &Order) -> Option<&Authorization> {
    let all = order.authorizations();
    all.iter().rfind(|one| one.status != AuthorizationStatus::Denied).or_else(|| all.last())
}

/// The capture of an order whose intent is to capture; the same.
fn first_capture(order: &Order) -> Option<&Capture> {
    let all = order.captures();
    all.iter().find(|one| one.holds_money()).or_else(|| all.last())
}

/// The capture that the operation made.
pub fn capture_of<'a>(order: &'a Order, operation_id: &str) -> Option<&'a Capture> {
    order.captures().iter().find(|one| one.invoice_id.as_deref() == Some(operation_id))
}
