//! What the gateway tells of its own accord, signed.

use interlock_connector::Host;
use interlock_connector::types::{
    Context, Delivery, Event, EventKind, Failure, Inbound, OperationKind, Outcome, Pairs,
};
use interlock_connector::webhook::{acknowledged, verify_stamped};
use serde::Deserialize;

use crate::charge::{Charge, Refund, RefundStatus, Status, Step, StepKind};
use crate::perform::other_status;

/// What all events have.
#[derive(Deserialize)]
struct Head {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    /// Unix time in seconds.
    created: u64,
}

#[derive(Deserialize)]
struct About<T> {
    data: T,
}

/// Reads a delivery. One that is unsigned, stale, forged or unreadable is refused as a whole.
pub fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
    let proof = verify_stamped(ctx, inbound, "mock-signature", "webhook_secret", host)?;
    let head: Head = inbound.json()?;
    let (references, told) = match head.kind.as_str() {
        "charge.updated" => charge_updated(inbound.json::<About<Charge>>()?.data, host)?,
        "refund.updated" => refund_updated(inbound.json::<About<Refund>>()?.data, host),
        // Worth keeping, and nothing that we asked for.
        _ => (None, Told { kind: EventKind::Notice(head.kind), decides: true }),
    };
    let (operation_id, gateway_reference) = references.unzip();
    let event = Event {
        id: head.id,
        occurred_at: head.created.checked_mul(1000),
        operation_id,
        gateway_reference,
        references: Pairs::new(),
        kind: told.kind,
        proof: told.decides.then_some(proof),
    };
    Ok(Delivery { events: vec![event], acknowledgement: acknowledged() })
}

/// What an event says, and whether that is all there is to know. Where it is not, it goes without its proof, and the
/// host asks the gateway instead of believing half a story.
struct Told {
    kind: EventKind,
    decides: bool,
}

/// Our operation's id and the gateway's.
type Names = Option<(String, String)>;

fn charge_updated(charge: Charge, host: &mut dyn Host) -> Result<(Names, Told), Failure> {
    let names = Some((charge.reference.clone(), charge.id.clone()));
    let (kind, outcome, decides) = match charge.step {
        Some(Step { kind: StepKind::Capture, amount }) => {
            (OperationKind::Capture, charge.capture_outcome(amount, host).ok_or_else(other_status)?, true)
        }
        Some(Step { kind: StepKind::Cancel, .. }) => (OperationKind::Cancel, charge.outcome(host)?, true),
        None => {
            let cancelled = charge.status == Status::Cancelled;
            let kind = if cancelled { OperationKind::Cancel } else { OperationKind::Authorize };
            // A charge tells the sum of its captures. Below the charge's amount there was more than one step, and
            // which part of it is this operation's, the event does not say.
            let decides = charge.status != Status::Captured || charge.captured == charge.amount;
            (kind, charge.outcome(host)?, decides)
        }
    };
    Ok((names, Told { kind: EventKind::Outcome((kind, outcome)), decides }))
}

fn refund_updated(refund: Refund, host: &mut dyn Host) -> (Names, Told) {
    let names = Some((refund.reference.clone(), refund.id.clone()));
    let (outcome, decides) = match (refund.status, refund.currency.clone()) {
        (RefundStatus::Declined, _) => (refund.declined(host), true),
        (RefundStatus::Pending, _) => (Outcome::Pending(refund.accepted()), true),
        (RefundStatus::Succeeded, Some(currency)) => (refund.outcome(&currency, host), true),
        // Without its currency the event alone does not say what was given back.
        (RefundStatus::Succeeded, None) => (Outcome::Pending(refund.accepted()), false),
    };
    (names, Told { kind: EventKind::Outcome((OperationKind::Refund, outcome)), decides })
}
