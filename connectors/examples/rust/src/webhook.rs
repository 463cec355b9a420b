//! What the gateway tells of its own accord, signed.

use interlock_connector::Host;
use interlock_connector::types::{Context, Delivery, Event, EventKind, Failure, Inbound, Mac, OperationKind, Pairs};
use interlock_connector::webhook::{acknowledged, from_hex};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::reply::{Charge, Refunded};

/// How far a signature's time may lie from ours.
const TOLERANCE_S: u64 = 300;

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
    let proof = proof(ctx, inbound, host)?;
    let head: Head = read(inbound)?;
    let (kind, names) = match head.kind.as_str() {
        "charge.updated" => {
            let About { data: charge } = read::<About<Charge>>(inbound)?;
            let names = (charge.reference.clone(), charge.id.clone());
            let (kind, outcome) = match charge.step.as_ref().map(|step| step.kind.as_str()) {
                None => (OperationKind::Authorize, charge.outcome(host)),
                Some("capture") => (OperationKind::Capture, charge.capture_outcome(host)?),
                Some(_) => return Err(Failure::new("the webhook speaks of a step that is not known")),
            };
            (EventKind::Outcome((kind, outcome)), Some(names))
        }
        "refund.updated" => {
            let About { data: refund } = read::<About<Refunded>>(inbound)?;
            let names = (refund.reference.clone(), refund.id.clone());
            (EventKind::Outcome((OperationKind::Refund, refund.outcome(host))), Some(names))
        }
        // Worth keeping, and nothing that we asked for.
        _ => (EventKind::Notice(head.kind), None),
    };
    let (operation_id, gateway_reference) = names.unzip();
    let event = Event {
        id: head.id,
        occurred_at: head.created.checked_mul(1000),
        operation_id,
        gateway_reference,
        references: Pairs::new(),
        kind,
        proof: Some(proof),
    };
    Ok(Delivery { events: vec![event], acknowledgement: acknowledged() })
}

/// Checks `Mock-Signature: t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">`.
fn proof(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<u32, Failure> {
    let header = inbound.header("mock-signature").ok_or_else(|| Failure::new("the webhook is not signed"))?;
    let part = |name: &str| header.split(',').find_map(|part| part.trim().strip_prefix(name));
    let (Some(time), Some(signature)) = (part("t="), part("v1=").and_then(from_hex)) else {
        return Err(Failure::new("the webhook's signature cannot be read"));
    };
    let seconds: u64 = time.parse().map_err(|_| Failure::new("the webhook's signature has no time"))?;
    if !ctx.is_recent(seconds, TOLERANCE_S) {
        return Err(Failure::new("the webhook's signature is not of these minutes"));
    }
    let signed = [time.as_bytes(), b".", &inbound.body].concat();
    host.verify(Mac::HmacSha256, "webhook_secret", &signed, &signature)
        .ok_or_else(|| Failure::new("the webhook's signature does not fit"))
}

fn read<T: DeserializeOwned>(inbound: &Inbound) -> Result<T, Failure> {
    serde_json::from_slice(&inbound.body).map_err(|_| Failure::new("the webhook's body cannot be read"))
}
