//! What became of an operation whose outcome is unknown: looked up by its id, which the gateway knows as `reference`.

use interlock_connector::Host;
use interlock_connector::types::{Context, Failure, Operation, Outcome, Sync, SyncTarget};

use crate::charge::{CHARGE, Charge, Status};
use crate::perform::{charge_of, known_charge, no_lookup, other_status, refund_of, speaks_of};
use crate::{ask, refused};

pub fn sync(ctx: &Context, operation: &Operation, sync: &Sync, host: &mut dyn Host) -> Result<Outcome, Failure> {
    // Where the gateway cannot look up, its 404 would prove nothing; so it is not asked.
    if !ask::has_lookup(ctx) {
        return Err(no_lookup());
    }
    match &sync.target {
        // A complete sends nothing that the gateway could look up: the charge itself tells how far it is.
        SyncTarget::Complete(_) => {
            let id = operation.required_reference(CHARGE)?;
            let reply = host.exchange(&ask::charge(ctx, id)?);
            known_charge(&reply, id)?.outcome(host)
        }
        SyncTarget::Authorize(_) => found_charge(ctx, sync, host, |charge, host| charge.outcome(host)),
        SyncTarget::Capture(capture) => found_charge(ctx, sync, host, |charge, host| {
            charge.capture_outcome(capture.amount.minor_units, host).ok_or_else(other_status)
        }),
        SyncTarget::Cancel(_) => found_charge(ctx, sync, host, |charge, host| match charge.status {
            Status::Cancelled => Ok(Outcome::Cancelled(charge.released())),
            Status::Declined => charge.outcome(host),
            _ => Err(other_status()),
        }),
        SyncTarget::Refund(refund) => {
            let reply = host.exchange(&ask::refund_by_reference(ctx, &sync.target_id)?);
            if refused::is_not_found(&reply) {
                return Ok(Outcome::NeverReceived);
            }
            let Some(found) = refund_of(&reply)? else { return asked_in_vain(&reply, host) };
            speaks_of(&found.reference, &sync.target_id)?;
            Ok(found.outcome(&refund.amount.currency, host))
        }
    }
}

fn found_charge(
    ctx: &Context,
    sync: &Sync,
    host: &mut dyn Host,
    outcome: impl FnOnce(Charge, &mut dyn Host) -> Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    let reply = host.exchange(&ask::charge_by_reference(ctx, &sync.target_id)?);
    if refused::is_not_found(&reply) {
        return Ok(Outcome::NeverReceived);
    }
    let Some(charge) = charge_of(&reply)? else { return asked_in_vain(&reply, host) };
    speaks_of(&charge.reference, &sync.target_id)?;
    outcome(charge, host)
}

/// A refusal here refuses the question; it says nothing about the operation that was asked about. Only "come again
/// later" is worth telling.
fn asked_in_vain(reply: &interlock_connector::types::Response, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match refused::outcome(reply, host)? {
        Outcome::NotProcessed(_) => Err(Failure::new("the gateway was too busy to be asked")),
        _ => Err(Failure::new("the gateway refused the question")),
    }
}
