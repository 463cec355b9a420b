//! What Stripe tells of its own accord: of the events that it has, those that the connector's README asks for.

use serde_json::{Value, json};

use super::books::{Books, Status};
use super::{API_VERSION, views};
use crate::faces::Notice;
use crate::faces::serials::Serials;
use crate::gateway::refunds;
use crate::gateway::steps::{Kind, Progress};
use crate::gateway::{Cause, Change, Gateway, Subject};

/// The event of a change; none where Stripe says nothing.
pub fn notice(change: &Change, gateway: &Gateway, books: &Books, serials: &Serials, now: u64) -> Option<Notice> {
    let (kind, object, name) = match &change.subject {
        Subject::Charge { id, reference, step } => {
            let intent = books.of_charge(id)?;
            // Its client has the answer, and the payment is as it was.
            let refused = step.is_some_and(|step| {
                step.kind == Kind::Capture
                    && matches!(step.progress, Progress::Failed(_))
                    && change.cause == Cause::Asked
            });
            let kind = if refused { None } else { of_status(intent.status(gateway)) };
            (kind?, views::intent(intent, gateway, false), reference.clone())
        }
        Subject::Refund { id } => {
            let (refund, charge) = gateway.refund_of(id)?;
            let kind = match (refund.status, change.cause) {
                (refunds::Status::Declined, _) => "refund.failed",
                (_, Cause::Asked) => "refund.created",
                (_, Cause::Settled | Cause::TakenBack) => "refund.updated",
            };
            (kind, views::refund(refund, charge, books), refund.reference.clone())
        }
        Subject::Own(id) => {
            let intent = books.intent(id, change.maker.owner)?;
            ("payment_intent.canceled", views::intent(intent, gateway, false), String::new())
        }
    };
    let key = books.keys.get(&name).filter(|_| change.cause == Cause::Asked);
    Some(event(kind, &object, key.map(String::as_str), &serials.next(), now))
}

fn of_status(status: Status) -> Option<&'static str> {
    match status {
        // The last two are told too, but not to those who listen to what the connector's README says.
        Status::RequiresConfirmation | Status::RequiresAction | Status::Processing => None,
        Status::RequiresPaymentMethod => Some("payment_intent.payment_failed"),
        Status::RequiresCapture => Some("payment_intent.amount_capturable_updated"),
        Status::Succeeded => Some("payment_intent.succeeded"),
        Status::Canceled => Some("payment_intent.canceled"),
    }
}

fn event(kind: &str, object: &Value, key: Option<&str>, serial: &str, now: u64) -> Notice {
    let id = format!("evt_{serial}");
    let request = key.map(|_| format!("req_{serial}"));
    let body = json!({
        "id": id,
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": { "object": object },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": request, "idempotency_key": key },
        "type": kind,
    });
    Notice { id, kind: kind.to_owned(), body: body.to_string().into() }
}
