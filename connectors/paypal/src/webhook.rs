//! What PayPal tells of its own accord.
//!
//! Its signature (RSA, with a certificate from PayPal's web server) cannot be checked without asking PayPal, so no event
//! has a proof: each only says of which operation the host should ask.

use interlock_connector::types::{
    Accepted, Delivery, Event, EventKind, Failure, Inbound, OperationKind, Outcome, Pairs,
};
use interlock_connector::webhook::acknowledged;
use interlock_connector::{references, time};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::money::CAPTURE;
use crate::order::ORDER;

/// Headers that every delivery of PayPal's has. What lacks them is not worth a question.
const HEADERS: [&str; 5] = [
    "paypal-transmission-id",
    "paypal-transmission-time",
    "paypal-transmission-sig",
    "paypal-cert-url",
    "paypal-auth-algo",
];

/// What a capture's money is taken back by, without anybody here having asked for it.
const REVERSED: &str = "PAYMENT.CAPTURE.REVERSED";

#[derive(Deserialize)]
struct Told {
    /// `WH-…`
    id: String,
    event_type: String,
    /// RFC 3339.
    create_time: Option<String>,
    /// Read where the type is one of ours.
    resource: Option<Box<RawValue>>,
}

/// What the event is about: an order, an authorization, a capture or a refund, or something that we do not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource {
    id: Option<String>,
    /// In place of `id` where an approval was taken back.
    order_id: Option<String>,
    custom_id: Option<String>,
    invoice_id: Option<String>,
    purchase_units: Vec<Unit>,
    supplementary_data: Option<SupplementaryData>,
}

#[derive(Deserialize)]
struct Unit {
    custom_id: Option<String>,
}

#[derive(Deserialize)]
struct SupplementaryData {
    related_ids: Option<RelatedIds>,
}

#[derive(Deserialize)]
struct RelatedIds {
    order_id: Option<String>,
    capture_id: Option<String>,
}

pub fn receive(inbound: &Inbound) -> Result<Delivery, Failure> {
    if HEADERS.iter().any(|name| inbound.header(name).is_none_or(str::is_empty)) {
        return Err(Failure::new("the webhook has not the headers of PayPal's"));
    }
    let told: Told =
        serde_json::from_slice(&inbound.body).map_err(|_| Failure::new("the webhook's body cannot be read"))?;
    if told.id.is_empty() {
        return Err(Failure::new("the webhook's event has no id"));
    }
    let occurred_at = told.create_time.as_deref().and_then(time::from_rfc3339);
    let Some(kind) = Subject::of(&told.event_type) else {
        let kind = EventKind::Notice(told.event_type);
        return Ok(delivery(vec![Event { id: told.id, occurred_at, kind, ..nothing() }]));
    };
    let resource = told.resource.ok_or_else(|| unreadable("has no resource"))?;
    let resource: Resource = serde_json::from_str(resource.get()).map_err(|_| unreadable("has another resource"))?;
    let (operation_kind, operation_id) = resource.operation(kind);
    let references = resource.references(kind);
    let gateway_reference = resource.id.or(resource.order_id);
    // Whatever it says, it is PayPal that knows what came of it.
    let accepted = Accepted { gateway_reference: gateway_reference.clone(), references: references.clone() };
    let kind = EventKind::Outcome((operation_kind, Outcome::Pending(accepted)));
    let operation_id = operation_id.filter(|id| !id.is_empty());
    let event = Event { id: told.id, occurred_at, operation_id, gateway_reference, references, kind, ..nothing() };
    Ok(delivery(if told.event_type == REVERSED { kept_and_asked(event) } else { vec![event] }))
}

/// PayPal took money back by itself: kept for people to see, and the capture is asked about besides.
fn kept_and_asked(event: Event) -> Vec<Event> {
    let kind = EventKind::Notice(REVERSED.to_owned());
    let kept = Event { id: event.id.clone(), occurred_at: event.occurred_at, kind, ..nothing() };
    vec![kept, Event { id: [&event.id, ":asked"].concat(), ..event }]
}

fn delivery(events: Vec<Event>) -> Delivery {
    Delivery { events, acknowledgement: acknowledged() }
}

fn unreadable(why: &str) -> Failure {
    Failure::new(["the webhook ", why].concat())
}

/// An event before anything is known of it.
fn nothing() -> Event {
    Event {
        id: String::new(),
        occurred_at: None,
        operation_id: None,
        gateway_reference: None,
        references: Pairs::new(),
        kind: EventKind::Notice(String::new()),
        proof: None,
    }
}

/// What an event is about. All others are kept and shown: disputes, notices about the account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Order,
    Authorization,
    Capture,
    Refund,
}

impl Subject {
    fn of(event_type: &str) -> Option<Self> {
        Some(match event_type {
            "CHECKOUT.ORDER.APPROVED"
            | "CHECKOUT.ORDER.COMPLETED"
            | "CHECKOUT.ORDER.VOIDED"
            | "CHECKOUT.PAYMENT-APPROVAL.REVERSED" => Self::Order,
            "PAYMENT.AUTHORIZATION.CREATED" | "PAYMENT.AUTHORIZATION.VOIDED" => Self::Authorization,
            "PAYMENT.CAPTURE.COMPLETED"
            | "PAYMENT.CAPTURE.DECLINED"
            | "PAYMENT.CAPTURE.DENIED"
            | "PAYMENT.CAPTURE.PENDING"
            | REVERSED => Self::Capture,
            "PAYMENT.CAPTURE.REFUNDED"
            | "PAYMENT.REFUND.COMPLETED"
            | "PAYMENT.REFUND.FAILED"
            | "PAYMENT.REFUND.PENDING" => Self::Refund,
            _ => return None,
        })
    }
}

impl Resource {
    /// Which kind of operation it belongs to, and our id of it.
    fn operation(&self, subject: Subject) -> (OperationKind, Option<String>) {
        let custom_id = self.custom_id.clone();
        match subject {
            Subject::Order => {
                let of_unit = self.purchase_units.first().and_then(|unit| unit.custom_id.clone());
                (OperationKind::Authorize, of_unit.or(custom_id))
            }
            // A capture inherits its order's `custom_id`; that of an authorization has an `invoice_id` of its own.
            Subject::Capture if self.invoice_id.is_some() && self.invoice_id != self.custom_id => {
                (OperationKind::Capture, self.invoice_id.clone())
            }
            Subject::Authorization | Subject::Capture => (OperationKind::Authorize, custom_id),
            Subject::Refund => (OperationKind::Refund, custom_id),
        }
    }

    fn references(&self, subject: Subject) -> Pairs {
        let related = self.supplementary_data.as_ref().and_then(|data| data.related_ids.as_ref());
        let own = self.id.as_deref().filter(|_| subject == Subject::Order);
        let order = related.and_then(|ids| ids.order_id.as_deref()).or(self.order_id.as_deref()).or(own);
        let capture = related.and_then(|ids| ids.capture_id.as_deref());
        let pairs = [(ORDER, order), (CAPTURE, capture)];
        references(pairs.into_iter().filter_map(|(name, id)| Some((name, id?))))
    }
}
