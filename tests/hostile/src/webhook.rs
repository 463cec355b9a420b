//! Webhooks of a gateway that tells several things at once. The body says what, and how each of them is proved; the
//! connector takes its word for it, and it is the host that must not.

use interlock_connector::Host;
use interlock_connector::types::{
    Accepted, Approval, Context, Decline, DeclineCode, Delivery, Event, EventKind, Failure, Inbound, Mac, Money,
    OperationKind, Outcome, Pairs, RetryAdvice,
};
use interlock_connector::webhook::{acknowledged, from_hex};
use serde::Deserialize;

/// Hex of the HMAC-SHA256 of the body.
const SIGNATURE: &str = "x-signature";

#[derive(Deserialize)]
struct Told {
    events: Vec<One>,
}

/// What became of the charge of this operation.
#[derive(Deserialize)]
struct One {
    id: String,
    operation: Option<String>,
    reference: String,
    amount: u64,
    currency: String,
    proof: Proof,
    #[serde(default)]
    says: Says,
    /// For `own`: hex of the HMAC-SHA256 of the event's id.
    #[serde(default)]
    signature: String,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Says {
    #[default]
    Captured,
    /// Captured or held, as was asked for.
    Approved,
    Declined,
    /// Held, and given back after a while.
    Expired,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Proof {
    /// The signature in the header.
    Whole,
    /// The event's own signature.
    Own,
    /// The signature of the event before it.
    Borrowed,
    /// A number that the host has not given.
    Invented,
    None,
}

pub fn receive(_: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
    let told: Told = serde_json::from_slice(&inbound.body).map_err(|_| Failure::new("this cannot be read"))?;
    let mut verify = |data: &[u8], signature: &str| -> Option<u32> {
        host.verify(Mac::HmacSha256, "webhook_secret", data, &from_hex(signature)?)
    };
    let whole = inbound.header(SIGNATURE).and_then(|signature| verify(&inbound.body, signature));
    let mut last = None;
    let mut events = Vec::with_capacity(told.events.len());
    for one in told.events {
        let proof = match one.proof {
            Proof::Whole => whole,
            Proof::Own => verify(one.id.as_bytes(), &one.signature),
            Proof::Borrowed => last,
            Proof::Invented => Some(4711),
            Proof::None => None,
        };
        last = proof;
        let approval = Approval::of(one.reference.clone(), Money::new(one.amount, one.currency));
        let outcome = |outcome| EventKind::Outcome((OperationKind::Authorize, outcome));
        let kind = match one.says {
            Says::Captured => outcome(Outcome::Captured(approval)),
            Says::Approved => EventKind::Approved(approval),
            Says::Declined => outcome(Outcome::Declined(declined(one.reference.clone()))),
            Says::Expired => outcome(Outcome::Expired(Accepted::of(one.reference.clone(), Pairs::new()))),
        };
        events.push(Event {
            id: one.id,
            occurred_at: None,
            operation_id: one.operation,
            gateway_reference: Some(one.reference),
            references: Pairs::new(),
            kind,
            proof,
        });
    }
    Ok(Delivery { events, acknowledgement: acknowledged() })
}

fn declined(reference: String) -> Decline {
    Decline {
        code: DeclineCode::DoNotHonor,
        gateway_code: "no".to_owned(),
        network_code: None,
        message: "No.".to_owned(),
        advice: RetryAdvice::Never,
        gateway_reference: Some(reference),
        references: Pairs::new(),
        reopenable_for_seconds: 0,
    }
}
