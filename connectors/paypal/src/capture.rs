//! Taking money that an authorization holds, in one part or several.

use interlock_connector::Host;
use interlock_connector::types::{Accepted, Capture, Context, Failure, Operation, Outcome, Response};

use crate::money::{self, AUTHORIZATION, AuthorizationStatus};
use crate::order::{ORDER, Order, another_object};
use crate::perform::asked;
use crate::refused::{self, Refused, Said};
use crate::{amount, ask, standing};

pub fn perform(
    ctx: &Context,
    operation: &Operation,
    capture: &Capture,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let authorization = operation.required_reference(AUTHORIZATION)?;
    let Some(value) = amount::written(&capture.amount)? else { return Ok(refused::has_fraction(host)) };
    let reply = host.exchange(&ask::capture(ctx, operation, authorization, capture, &value)?);
    if let Some(capture) = capture_in(&reply)? {
        if capture.invoice_id.as_deref().is_some_and(|invoice_id| invoice_id != operation.id) {
            return Err(another_object());
        }
        return capture.outcome(operation.reference(ORDER), host);
    }
    match refused::said(&reply)? {
        Said::No(refused) | Said::BackToPayer(refused) => Ok(refused.declined(operation.references.clone(), host)),
        Said::Later(seconds) => Ok(Outcome::NotProcessed(seconds)),
        Said::Ask(refused) => {
            let order = asked(ctx, operation.required_reference(ORDER)?, host)?;
            refused_by_standing(&order, operation, refused, ctx, host)
        }
    }
}

/// PayPal says that the authorization is no longer what it was. Where that was this very capture, there it is; else there
/// is nothing to capture any more.
fn refused_by_standing(
    order: &Order,
    operation: &Operation,
    refused: Refused,
    ctx: &Context,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    if let Some(capture) = standing::capture_of(order, &operation.id) {
        return capture.outcome(Some(&order.id), host);
    }
    if refused.is_seen_before() {
        return Err(Failure::new("PayPal has seen the capture before, and the order does not show it"));
    }
    let authorization = standing::authorization(order);
    match authorization.map(|it| it.status) {
        Some(AuthorizationStatus::Voided | AuthorizationStatus::Expired) => {
            authorization.map_or_else(|| Err(another_object()), |it| it.outcome(Some(&order.id), ctx.now, host))
        }
        _ if refused.issue() == "AUTHORIZATION_EXPIRED" => {
            Ok(Outcome::Expired(Accepted::of(order.id.as_str(), order.references())))
        }
        _ => Ok(refused.declined(operation.references.clone(), host)),
    }
}

fn capture_in(reply: &Response) -> Result<Option<money::Capture>, Failure> {
    match reply.status {
        200 | 201 => reply.json().map(Some),
        _ => Ok(None),
    }
}
