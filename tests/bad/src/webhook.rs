//! Webhooks: `Signature: t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">`.

use interlock_connector::Host;
use interlock_connector::types::{
    Approval, Context, Delivery, Event, EventKind, Failure, Inbound, Mac, Money, OperationKind, Outcome, Pairs,
};
use interlock_connector::webhook::{acknowledged, from_hex};
use serde::Deserialize;

use crate::fault::{Fault, plays};

/// How far a signature's time may lie from ours.
const TOLERANCE_S: u64 = 300;

/// "The charge of this operation was paid."
#[derive(Deserialize)]
struct Told {
    event: String,
    reference: String,
    charge: String,
    amount: u64,
    currency: String,
}

pub fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
    let proof = proof(ctx, inbound, host);
    if proof.is_none() && !plays(ctx, Fault::KeepsUnsigned) {
        return Err(Failure::new("the webhook's signature does not fit"));
    }
    let told: Told =
        serde_json::from_slice(&inbound.body).map_err(|_| Failure::new("the webhook's body cannot be read"))?;
    let approval = Approval::of(told.charge.as_str(), Money::new(told.amount, told.currency));
    let event = Event {
        id: told.event,
        occurred_at: None,
        operation_id: Some(told.reference),
        gateway_reference: Some(told.charge),
        references: Pairs::new(),
        kind: EventKind::Outcome((OperationKind::Authorize, Outcome::Captured(approval))),
        proof,
    };
    Ok(Delivery { events: vec![event], acknowledgement: acknowledged() })
}

fn proof(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Option<u32> {
    let header = inbound.header("signature")?;
    let part = |name: &str| header.split(',').find_map(|part| part.strip_prefix(name));
    let (time, signature) = (part("t=")?, part("v1=").and_then(from_hex)?);
    if !ctx.is_recent(time.parse().ok()?, TOLERANCE_S) && !plays(ctx, Fault::BelievesOldWebhooks) {
        return None;
    }
    let signed =
        if plays(ctx, Fault::SignsNothing) { Vec::new() } else { [time.as_bytes(), b".", &inbound.body].concat() };
    host.verify(Mac::HmacSha256, "webhook_secret", &signed, &signature)
}
