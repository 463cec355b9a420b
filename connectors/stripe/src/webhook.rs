//! What Stripe tells of its own accord, signed.
//!
//! Sources: <https://docs.stripe.com/webhooks/signature>, <https://docs.stripe.com/api/events/types>.

use interlock_connector::Host;
use interlock_connector::types::{
    Accepted, Context, Delivery, Event, EventKind, Failure, Inbound, OperationKind, Outcome, Pairs,
};
use interlock_connector::webhook::{acknowledged, verify_stamped};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::intent::{INTENT, Intent, Notes, Status};
use crate::refund::Refund;

/// What all events have.
#[derive(Deserialize)]
struct Head {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    /// Unix time in seconds.
    created: u64,
    /// The request that it came of, where it came of one.
    request: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
struct About<T> {
    data: Data<T>,
}

#[derive(Deserialize)]
struct Data<T> {
    object: T,
}

/// A charge, as far as it says which payment is to be asked about.
#[derive(Deserialize)]
struct Charge {
    payment_intent: Option<String>,
    #[serde(default)]
    metadata: Notes,
}

/// Any object that belongs to a payment.
#[derive(Deserialize)]
struct OfPayment {
    payment_intent: Option<String>,
}

/// What is read of an object where the rest of it has an unexpected shape.
#[derive(Deserialize)]
struct Named {
    id: String,
    #[serde(default)]
    metadata: Notes,
}

/// What an event says.
struct Told {
    operation_id: Option<String>,
    gateway_reference: Option<String>,
    kind: EventKind,
    /// Whether that is all there is to know. Where it is not, it goes without its proof, and the host asks Stripe instead
    /// of believing half a story.
    decides: bool,
}

/// Reads a delivery. One that is unsigned, stale, forged or unreadable is refused.
pub fn receive(ctx: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
    let proof = verify_stamped(ctx, inbound, "stripe-signature", "webhook_secret", host)?;
    let head: Head = inbound.json()?;
    let told = told(&head, &inbound.body, host).unwrap_or_else(|| notice(&head, &inbound.body));
    let event = Event {
        id: head.id,
        occurred_at: head.created.checked_mul(1000),
        operation_id: told.operation_id,
        gateway_reference: told.gateway_reference,
        references: Pairs::new(),
        kind: told.kind,
        proof: told.decides.then_some(proof),
    };
    Ok(Delivery { events: vec![event], acknowledgement: acknowledged() })
}

/// What it says of one of our operations; none where it speaks of none: the account may have other payments than ours.
fn told(head: &Head, body: &[u8], host: &mut dyn Host) -> Option<Told> {
    match head.kind.as_str() {
        // Not `processing` and `requires_action`: steps on the way, of which the host has the answer, or asks for it. An
        // event would only make it ask just when the customer comes back.
        "payment_intent.amount_capturable_updated"
        | "payment_intent.canceled"
        | "payment_intent.payment_failed"
        | "payment_intent.succeeded" => payment(head, body, host),
        "charge.refund.updated" | "refund.created" | "refund.failed" | "refund.updated" => refund(body, host),
        "charge.captured" | "charge.expired" | "charge.failed" | "charge.succeeded" => charge(body),
        _ => None,
    }
}

/// Worth keeping, and nothing that we asked for. A dispute, or a refund made elsewhere, names the payment.
fn notice(head: &Head, body: &[u8]) -> Told {
    let gateway_reference = object::<OfPayment>(body).and_then(|object| object.payment_intent);
    Told { operation_id: None, gateway_reference, kind: EventKind::Notice(head.kind.clone()), decides: true }
}

fn payment(head: &Head, body: &[u8], host: &mut dyn Host) -> Option<Told> {
    let named: Named = object(body)?;
    let made_by = named.metadata.operation?;
    let read = object::<Intent>(body).and_then(|intent| outcome(head, intent, &made_by, host).ok());
    Some(read.map_or_else(
        || ask(made_by.clone(), &named.id),
        |(operation_id, kind, outcome)| {
            // Events carry the charge's id alone: until when it is held they do not say. It is believed all the same; a host
            // that asked would be in the way of the customer who comes back just then.
            let kind = EventKind::Outcome((kind, outcome));
            Told { operation_id: Some(operation_id), gateway_reference: Some(named.id.clone()), kind, decides: true }
        },
    ))
}

/// Which operation the payment's state is the outcome of: the one that made it, its last capture, or what the event came
/// of.
fn outcome(
    head: &Head,
    intent: Intent,
    made_by: &str,
    host: &mut dyn Host,
) -> Result<(String, OperationKind, Outcome), Failure> {
    let capture = intent.metadata.capture.clone();
    // A cancel leaves no trace in the payment itself.
    let other = cause(head).filter(|id| *id != made_by && Some(*id) != capture.as_deref()).map(str::to_owned);
    if intent.status == Status::Canceled {
        let outcome = intent.called_off()?;
        return Ok(match other {
            Some(cancel) => (cancel, OperationKind::Cancel, outcome),
            None => (made_by.to_owned(), OperationKind::Authorize, outcome),
        });
    }
    match (capture, other) {
        (Some(_), Some(cancel)) if intent.status == Status::Succeeded => {
            Ok((cancel, OperationKind::Cancel, Outcome::Cancelled(intent.released()?)))
        }
        (Some(capture), _) => {
            let outcome = intent.captured(&capture)?;
            Ok((capture, OperationKind::Capture, outcome))
        }
        (None, _) => Ok((made_by.to_owned(), OperationKind::Authorize, intent.outcome(host)?)),
    }
}

/// The operation whose request the event came of: Stripe echoes its idempotency key.
fn cause(head: &Head) -> Option<&str> {
    let key = head.request.as_ref()?.idempotency_key.as_deref()?;
    let id = key.split('-').next().unwrap_or(key);
    id.starts_with("op_").then_some(id)
}

fn refund(body: &[u8], host: &mut dyn Host) -> Option<Told> {
    let named: Named = object(body)?;
    let operation_id = named.metadata.operation?;
    let outcome = object::<Refund>(body).and_then(|refund| refund.outcome(host).ok());
    let decides = outcome.is_some();
    let outcome = outcome.unwrap_or_else(|| Outcome::Pending(Accepted::of(named.id.as_str(), Pairs::new())));
    Some(Told {
        operation_id: Some(operation_id),
        gateway_reference: Some(named.id),
        kind: EventKind::Outcome((OperationKind::Refund, outcome)),
        decides,
    })
}

/// A charge is a part of its payment, and says a part of the story.
fn charge(body: &[u8]) -> Option<Told> {
    let charge: Charge = object(body)?;
    Some(ask(charge.metadata.operation?, &charge.payment_intent?))
}

/// That something happened to the payment, and Stripe is to be asked what.
fn ask(operation_id: String, intent: &str) -> Told {
    let references = interlock_connector::references([(INTENT, intent)]);
    let outcome = Outcome::Pending(Accepted::of(intent, references));
    Told {
        operation_id: Some(operation_id),
        gateway_reference: Some(intent.to_owned()),
        kind: EventKind::Outcome((OperationKind::Authorize, outcome)),
        decides: false,
    }
}

fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice::<About<T>>(body).ok().map(|about| about.data.object)
}
