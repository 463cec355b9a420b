//! An example of each type of event: made of an object that could be, by what makes the real ones.

use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    domain::{
        event_types::{About, DISABLED, EventType},
        id::{EventId, OperationId, PaymentId},
        order::OrderStatus,
        payment::{CaptureMethod, State},
    },
    store::{
        orders::Order,
        payments::Payment,
        webhook_endpoints::{DisabledReason, Mode, WebhookEndpoint},
    },
    view::{
        event,
        order::OrderView,
        payment::PaymentView,
        refund::{Refund, RefundView},
        webhook_endpoint::WebhookEndpointView,
    },
};

/// The time of all examples: 15 January 2027, 09:30 UTC, in seconds since 1970.
const AT_S: i64 = 1_800_005_400;
const AMOUNT: i64 = 10_000;
const PART: i64 = 4_000;

/// The body of an event of this type.
pub(super) fn of(known: &EventType) -> Value {
    let (id, at) = (EventId::from_uuid(example_id(1)), at());
    let payload = match known.about {
        About::Payment => {
            let payment = payment(known.name);
            event::payload(id, known.name, at, payment.event_sequence, &PaymentView::new(&payment))
        }
        About::Refund => {
            let (refund, sequence) = refund(known.name);
            event::payload(id, known.name, at, sequence, &RefundView::new(&refund))
        }
        About::Order => {
            let order = order(known.name);
            event::payload(id, known.name, at, order.event_sequence, &OrderView::new(&order))
        }
        About::WebhookEndpoint => {
            let endpoint = endpoint(known.name);
            event::payload(id, known.name, at, endpoint.event_sequence, &WebhookEndpointView::new(&endpoint))
        }
    };
    serde_json::from_str(&payload).expect("an event's payload is JSON")
}

fn at() -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(AT_S, 0).expect("a time in this century")
}

/// An id of that time, told apart by its last digits.
fn example_id(number: u128) -> Uuid {
    let millis = u128::from(AT_S.unsigned_abs()) * 1_000;
    Uuid::from_u128((millis << 80) | (0x7 << 76) | (0x2 << 62) | number)
}

/// A payment that has come to where such an event is told of.
fn payment(kind: &str) -> Payment {
    let status = kind.strip_prefix("payment.").and_then(|state| state.parse().ok()).unwrap_or(State::Succeeded);
    let (authorized, captured, refunded) = match status {
        State::Authorized => (AMOUNT, 0, 0),
        State::PartiallyCaptured => (AMOUNT, PART, 0),
        State::Succeeded => (AMOUNT, AMOUNT, 0),
        State::PartiallyRefunded => (AMOUNT, AMOUNT, PART),
        State::Refunded => (AMOUNT, AMOUNT, AMOUNT),
        State::Created
        | State::Processing
        | State::RequiresAction
        | State::PendingVerification
        | State::Failed
        | State::Cancelled
        | State::Expired
        | State::ManualReview => (0, 0, 0),
    };
    let is_new = matches!(status, State::Created | State::Expired);
    Payment {
        merchant_id: example_id(0),
        payment_id: example_id(2),
        order_id: Some(example_id(3)),
        status,
        amount: AMOUNT,
        currency: "USD".to_owned(),
        capture_method: if kind == "payment.partially_captured" || status == State::Authorized {
            CaptureMethod::Manual
        } else {
            CaptureMethod::Automatic
        },
        amount_authorized: authorized,
        amount_capturing: 0,
        amount_captured: captured,
        amount_refunding: 0,
        amount_refunded: refunded,
        amount_surplus: 0,
        open_attempt: None,
        won_attempt: None,
        open_operation: None,
        amount_reserved: 0,
        attempt_count: i32::from(!is_new),
        version: if is_new { 1 } else { 2 },
        audit_sequence: 1,
        event_sequence: if status == State::Created { 1 } else { 3 },
        gateway_account_id: if is_new { None } else { Some(example_id(4)) },
        token_id: None,
        gateway_reference: if authorized > 0 { Some("ch_8Kq2".to_owned()) } else { None },
        payment_method: Some(json!({
            "type": "card", "card": { "brand": "visa", "last4": "4242", "expiry_month": 12, "expiry_year": 2030 },
        })),
        next_action: (status == State::RequiresAction).then(
            || json!({ "type": "redirect", "url": "https://gateway.example/3ds/8Kq2", "method": "GET", "fields": {} }),
        ),
        last_error: (status == State::Failed).then(|| {
            json!({
                "code": "payment_declined", "decline_code": "insufficient_funds",
                "gateway_code": "insufficient_funds", "network_code": "51", "message": "Insufficient funds",
                "advice": "other_gateway",
            })
        }),
        description: None,
        return_url: None,
        metadata: json!({}),
        customer: json!({}),
        created_at: at(),
        updated_at: at(),
    }
}

/// A refund, and which of its events this is.
fn refund(kind: &str) -> (Refund, i32) {
    let (status, sequence) = match kind {
        "refund.succeeded" => ("succeeded", 2),
        "refund.failed" => ("failed", 2),
        _ => ("pending", 1),
    };
    let refund = Refund {
        operation_id: OperationId::from_uuid(example_id(5)),
        payment_id: PaymentId::from_uuid(example_id(2)),
        amount: PART,
        currency: "USD".to_owned(),
        status,
        reason: Some("damaged".to_owned()),
        gateway_reference: if status == "succeeded" { Some("re_3Fw7".to_owned()) } else { None },
        last_error: (status == "failed").then(|| {
            json!({
                "code": "payment_declined", "decline_code": "other", "gateway_code": "refund_refused",
                "network_code": null, "message": "The refund was refused", "advice": "never",
            })
        }),
        created_at: at(),
    };
    (refund, sequence)
}

fn order(kind: &str) -> Order {
    let status = kind.strip_prefix("order.").and_then(|status| status.parse().ok()).unwrap_or(OrderStatus::Open);
    let (paid, refunded) = match status {
        OrderStatus::Open | OrderStatus::Cancelled => (0, 0),
        OrderStatus::PartiallyPaid => (PART, 0),
        OrderStatus::Paid => (AMOUNT, 0),
        OrderStatus::PartiallyRefunded => (AMOUNT, PART),
        OrderStatus::Refunded => (AMOUNT, AMOUNT),
    };
    Order {
        merchant_id: example_id(0),
        order_id: example_id(3),
        reference: "order-7".to_owned(),
        status,
        amount: AMOUNT,
        currency: "USD".to_owned(),
        amount_reserved: 0,
        amount_paid: paid,
        amount_refunded: refunded,
        amount_surplus: 0,
        metadata: json!({}),
        version: 2,
        event_sequence: if status == OrderStatus::Refunded { 2 } else { 1 },
        created_at: at(),
        updated_at: at(),
    }
}

fn endpoint(kind: &str) -> WebhookEndpoint {
    let disabled = (kind == DISABLED).then(at);
    WebhookEndpoint {
        merchant_id: example_id(0),
        endpoint_id: example_id(6),
        url: "https://shop.example/webhooks".to_owned(),
        event_types: Some(vec!["payment.*".to_owned()]),
        mode: Mode::Parallel,
        description: None,
        secrets: Vec::new(),
        enabled: disabled.is_none(),
        disabled_reason: disabled.map(|_| DisabledReason::Failing),
        disabled_at: disabled,
        resume_from: disabled.map(|at| at - chrono::TimeDelta::days(5)),
        resume_xid: None,
        failing_since: disabled.map(|at| at - chrono::TimeDelta::days(5)),
        event_sequence: 1,
        version: 2,
        created_at: at(),
        updated_at: at(),
        deleted_at: None,
    }
}
