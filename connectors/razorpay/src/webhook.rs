//! What Razorpay tells of its own accord, signed.
//!
//! The signature covers the body alone: there is no time in it, and `x-razorpay-event-id` stands outside. Whoever has
//! recorded a delivery can send it again under another event id. So an event's id is made here, of what is signed: the
//! same event has the same id however often it comes, and the host takes it once.

use interlock_connector::Host;
use interlock_connector::types::{
    Accepted, CaptureMethod, Context, Delivery, Event, EventKind, Failure, Inbound, OperationKind, Outcome, Pairs,
};
use interlock_connector::webhook::{acknowledged, verify_body};
use serde::Deserialize;
use serde_json::Value;

use crate::payment::{Notes, OPERATION_PREFIX, Payment, Status};
use crate::refund::{self, Refund};

/// What all events have.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    event: String,
    /// The names of the objects in `payload`, the main one first.
    #[serde(default)]
    contains: Vec<String>,
    /// Unix time in seconds.
    created_at: Option<u64>,
    #[serde(default)]
    payload: Value,
}

/// What an event says, before it is given its id and time.
struct Told {
    operation_id: Option<String>,
    gateway_reference: Option<String>,
    kind: EventKind,
    /// Whether that is all there is to know. Where it is not, it goes without its proof, and the host asks Razorpay
    /// instead of believing half a story.
    decides: bool,
}

/// Reads a delivery. One that is unsigned, forged or no JSON is refused as a whole; all else is taken, because Razorpay
/// switches a webhook off that is refused for a day.
pub fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
    // After the secret was changed, older events come with the old one still; the host tries every live version.
    let proof = verify_body(inbound, "x-razorpay-signature", "webhook_secret", host)?;
    let head: Head = inbound.json()?;
    let told = match head.event.as_str() {
        "payment.authorized" => of_payment(ctx, &head, &[Status::Authorized], host),
        "payment.captured" | "order.paid" => of_payment(ctx, &head, &[Status::Captured, Status::Refunded], host),
        "payment.failed" => of_payment(ctx, &head, &[Status::Failed], host),
        "refund.created" => of_refund(&head, None, host),
        "refund.processed" => of_refund(&head, Some(refund::Status::Processed), host),
        "refund.failed" => of_refund(&head, Some(refund::Status::Failed), host),
        _ => None,
    };
    let entity = head.contains.first().and_then(|name| head.entity(name));
    let id = entity.and_then(|entity| entity.get("id")).and_then(Value::as_str).unwrap_or_default();
    let made_at = head.created_at.or_else(|| entity?.get("created_at")?.as_u64());
    let told = told.unwrap_or_else(|| notice(&head, id));
    let event = Event {
        id: [head.event.as_str(), ":", id, ":", &made_at.unwrap_or_default().to_string()].concat(),
        occurred_at: made_at.and_then(|seconds| seconds.checked_mul(1000)),
        operation_id: told.operation_id,
        gateway_reference: told.gateway_reference,
        references: Pairs::new(),
        kind: told.kind,
        proof: told.decides.then_some(proof),
    };
    Ok(Delivery { events: vec![event], acknowledgement: acknowledged() })
}

impl Head {
    /// One of the objects that it contains.
    fn entity(&self, name: &str) -> Option<&Value> {
        self.payload.get(name)?.get("entity")
    }
}

impl Told {
    /// Of an operation, by the gateway's id of what it made.
    fn of(operation_id: &str, gateway_reference: &str, kind: OperationKind, outcome: Outcome) -> Self {
        Self {
            operation_id: Some(operation_id.to_owned()),
            gateway_reference: Some(gateway_reference.to_owned()).filter(|id| !id.is_empty()),
            kind: EventKind::Outcome((kind, outcome)),
            decides: false,
        }
    }

    /// One of ours that cannot be read: that there is something to ask about.
    fn unreadable(operation_id: &str, gateway_reference: &str, kind: OperationKind) -> Self {
        let accepted = Accepted { gateway_reference: None, references: Pairs::new() };
        Self::of(operation_id, gateway_reference, kind, Outcome::Pending(accepted))
    }
}

/// Worth keeping, and nothing that we asked for: disputes, and what other systems of the merchant did at Razorpay.
fn notice(head: &Head, id: &str) -> Told {
    let payment = head.payload.pointer("/payment/entity/id").and_then(Value::as_str).unwrap_or(id);
    // Notices must have a name.
    let event = if head.event.is_empty() { "unnamed" } else { &head.event };
    Told {
        operation_id: None,
        gateway_reference: Some(payment.to_owned()).filter(|id| !id.is_empty()),
        kind: EventKind::Notice(event.to_owned()),
        decides: true,
    }
}

/// An event about a payment; none where it was not made here, whatever it looks like. An event whose name and payment
/// differ, and one that cannot be read, only make the host ask.
fn of_payment(ctx: &Context, head: &Head, expected: &[Status], host: &mut dyn Host) -> Option<Told> {
    let entity = head.entity("payment")?;
    let notes = notes(entity)?;
    let (operation_id, id) = (notes.operation_id()?, text(entity, "id"));
    let unreadable = || Some(Told::unreadable(operation_id, id, OperationKind::Authorize));
    let Ok(payment) = Payment::deserialize(entity) else { return unreadable() };
    let status = payment.status;
    // As it stood when it happened: an authorized payment that Razorpay takes by itself was on its way there, however
    // late the event comes. Where its notes do not say which of the two it is, Razorpay is asked.
    let happened_at = head.created_at.map_or(ctx.now, |seconds| seconds.saturating_mul(1000));
    let capture = notes.capture();
    let is_clear = capture.is_some() || status != Status::Authorized;
    let outcome = payment.outcome_at(happened_at, ctx, capture.unwrap_or(CaptureMethod::Manual), host);
    let Ok(outcome) = outcome else { return unreadable() };
    let decides = is_clear && expected.contains(&status);
    Some(Told { decides, ..Told::of(operation_id, id, OperationKind::Authorize, outcome) })
}

/// An event about a refund: of one of ours, or of a payment that nobody captured in time and that Razorpay gives back by
/// itself. None for refunds that were made elsewhere.
fn of_refund(head: &Head, expected: Option<refund::Status>, host: &mut dyn Host) -> Option<Told> {
    let entity = head.entity("refund")?;
    let (noted, receipt, id) = (notes(entity), text(entity, "receipt"), text(entity, "id"));
    let noted = noted.as_ref().and_then(Notes::operation_id);
    let ours = noted.or_else(|| Some(receipt).filter(|receipt| receipt.starts_with(OPERATION_PREFIX)));
    let read = Refund::deserialize(entity);
    if let Some(operation_id) = ours {
        let Ok(refund) = read else {
            return Some(Told::unreadable(operation_id, id, OperationKind::Refund));
        };
        let decides = expected.is_none_or(|status| status == refund.status);
        return Some(Told { decides, ..Told::of(operation_id, id, OperationKind::Refund, refund.outcome(host)) });
    }
    let (refund, payment) = (read.ok()?, Payment::deserialize(head.entity("payment")?).ok()?);
    let lapsed = !payment.captured && refund.status != refund::Status::Failed && refund.payment_id == payment.id;
    let operation_id = payment.operation_id().filter(|_| lapsed)?.to_owned();
    let id = payment.id.clone();
    let decides = expected.is_none_or(|status| status == refund.status);
    let expired = Outcome::Expired(payment.accepted());
    Some(Told { decides, ..Told::of(&operation_id, &id, OperationKind::Authorize, expired) })
}

fn notes(entity: &Value) -> Option<Notes> {
    Notes::deserialize(entity.get("notes")?).ok()
}

fn text<'a>(entity: &'a Value, name: &str) -> &'a str {
    entity.get(name).and_then(Value::as_str).unwrap_or_default()
}
