//! What became of an operation whose outcome is unknown, or not final.
//!
//! A payment whose id is known is read by it. One whose id never came is looked for by Stripe's search, which lags
//! behind: what it does not find proves nothing, and "never received" is never said of it. A payment's refunds are listed,
//! and a capture or a cancel shows in the payment itself; both are up to date.

use interlock_connector::Host;
use interlock_connector::types::{Context, Failure, Operation, Outcome, Sync, SyncTarget};
use serde::Deserialize;

use crate::ask;
use crate::cancel::released;
use crate::capture::captured_before;
use crate::intent::{INTENT, Intent, Notes, Status, known_intent};
use crate::refund::Refund;

/// How many pages of a payment's refunds are looked through; an operation has eight requests.
const PAGES_MAX: usize = 8;

/// A page of a list, or of what a search found.
#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    has_more: bool,
}

/// A payment as the search shows it: its status may be one of a while ago, so only the id is taken from it.
#[derive(Deserialize)]
struct Found {
    id: String,
    #[serde(default)]
    metadata: Notes,
}

pub fn sync(ctx: &Context, operation: &Operation, asked: &Sync, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match &asked.target {
        SyncTarget::Authorize(_) => {
            let id = id_of(ctx, operation, &asked.target_id, host)?;
            let reply = host.exchange(&ask::intent(ctx, &id)?);
            known_intent(&reply, &id)?.outcome(host)
        }
        SyncTarget::Complete(_) => known(ctx, operation, host)?.outcome(host),
        SyncTarget::Capture(_) => {
            let intent = known(ctx, operation, host)?;
            if intent.metadata.capture.as_deref() == Some(asked.target_id.as_str()) {
                return intent.captured(&asked.target_id);
            }
            not_captured(&intent, captured_before(operation)?)
        }
        SyncTarget::Cancel(cancel) => {
            let id = id_of(ctx, operation, &cancel.target_id, host)?;
            let reply = host.exchange(&ask::intent(ctx, &id)?);
            of_cancel(known_intent(&reply, &id)?, captured_before(operation)?, host)
        }
        SyncTarget::Refund(_) => refund(ctx, operation, &asked.target_id, host),
    }
}

/// The payment of the references.
fn known(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Intent, Failure> {
    let id = operation.required_reference(INTENT)?;
    let reply = host.exchange(&ask::intent(ctx, id)?);
    known_intent(&reply, id)
}

/// The payment's id: from the references, or found by the operation that made it.
pub fn id_of(ctx: &Context, operation: &Operation, made_by: &str, host: &mut dyn Host) -> Result<String, Failure> {
    match operation.reference(INTENT) {
        Some(id) => Ok(id.to_owned()),
        None => search(ctx, made_by, host)?
            .ok_or_else(|| Failure::new("the gateway's search does not find the payment, which proves nothing")),
    }
}

/// The id of the payment that an operation made, as far as the search has it.
fn search(ctx: &Context, operation_id: &str, host: &mut dyn Host) -> Result<Option<String>, Failure> {
    let reply = host.exchange(&ask::search(ctx, operation_id)?);
    if reply.status != 200 {
        return Err(Failure::new("the gateway did not search"));
    }
    let page: Page<Found> = reply.json()?;
    let found = page.data.into_iter().find(|found| found.metadata.operation.as_deref() == Some(operation_id));
    Ok(found.map(|found| found.id))
}

/// The last capture was another one, or there was none.
fn not_captured(intent: &Intent, before: u64) -> Result<Outcome, Failure> {
    match intent.status {
        Status::Canceled => intent.called_off(),
        Status::RequiresCapture if intent.amount_received == before => Ok(Outcome::NeverReceived),
        _ => Err(Failure::new("somebody else captured, or released, what was held")),
    }
}

/// A cancel leaves no trace of its own: what is held yet was not released, and what is taken cannot be.
fn of_cancel(intent: Intent, before: u64, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if let Some(outcome) = released(&intent, before)? {
        return Ok(outcome);
    }
    match intent.status {
        Status::Succeeded => intent.outcome(host),
        Status::Processing => Err(Failure::new("the payment is being processed")),
        _ => Ok(Outcome::NeverReceived),
    }
}

/// The refund of that operation, among all of the payment's.
fn refund(ctx: &Context, operation: &Operation, target_id: &str, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let intent = operation.required_reference(INTENT)?;
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let reply = host.exchange(&ask::refunds(ctx, intent, after.as_deref())?);
        if reply.status != 200 {
            return Err(Failure::new("the gateway did not list the refunds"));
        }
        let page: Page<Refund> = reply.json()?;
        if page.data.iter().any(|refund| refund.payment_intent.as_deref() != Some(intent)) {
            return Err(Failure::new("the gateway listed another payment's refunds"));
        }
        if let Some(found) = page.data.iter().find(|refund| refund.operation() == Some(target_id)) {
            return found.outcome(host);
        }
        match page.data.into_iter().next_back() {
            Some(last) if page.has_more => after = Some(last.id),
            _ => return Ok(Outcome::NeverReceived),
        }
    }
    Err(Failure::new("the payment has more refunds than can be looked through"))
}
