//! Webhooks: the items of a notification, and their signatures.
//! <https://docs.adyen.com/development-resources/webhooks/webhook-types>

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use super::payments::amount;
use super::state::{Payment, State};
use super::{bytes, cards};
use crate::faces::{Ground, Notice, Signing, hmac};
use crate::gateway::charges::{Charge, Decline, Status};
use crate::gateway::refunds;
use crate::gateway::steps::{Kind, Progress, Step};
use crate::gateway::{Cause, Change, Gateway, Subject};

/// What an item says.
struct Event<'a> {
    code: &'static str,
    success: bool,
    psp_reference: &'a str,
    /// The payment's, of a change to it.
    original: Option<&'a str>,
    merchant_account: &'a str,
    merchant_reference: &'a str,
    amount: Value,
    reason: String,
    data: Map<String, Value>,
}

/// What Adyen tells of a change; nothing where that is not decided yet.
pub fn of(gateway: &Gateway, state: &mut State, ground: &Ground, change: &Change, now: u64) -> Option<Value> {
    match &change.subject {
        Subject::Charge { id, reference, step } => {
            let charge = gateway.charge(id)?;
            let payment = state.payment(id, ground, "").clone();
            match step {
                Some(step) if step.kind != Kind::Charge => {
                    of_step(charge, &payment, state, reference, *step, change.cause, now)
                }
                _ => of_payment(charge, &payment, change.cause, now),
            }
        }
        Subject::Refund { id } => of_refund(gateway, state, ground, id, change.cause, now),
        Subject::Own(operation) => of_refused(state, operation, now),
    }
}

fn of_payment(charge: &Charge, payment: &Payment, cause: Cause, now: u64) -> Option<Value> {
    let event = |code, success, reason, data| Event {
        code,
        success,
        psp_reference: &payment.psp_reference,
        original: None,
        merchant_account: &payment.merchant_account,
        merchant_reference: &charge.reference,
        amount: amount(charge.amount, &charge.currency),
        reason,
        data,
    };
    if cause == Cause::TakenBack {
        let failed = event("CAPTURE_FAILED", true, "Capture Failed".to_owned(), Map::new());
        return Some(item(Event { original: Some(&payment.psp_reference), ..failed }, now));
    }
    let mut data: Map<String, Value> =
        payment.metadata.iter().map(|(name, value)| (format!("metadata.{name}"), value.clone())).collect();
    match charge.status {
        Status::Authorized | Status::Captured => {
            data.insert("authCode".to_owned(), json!("044925"));
            let last4 = charge.card_last4.as_deref().unwrap_or_default();
            Some(item(event("AUTHORISATION", true, format!("044925:{last4}:03/2030"), data), now))
        }
        Status::Declined => {
            let decline = charge.decline?;
            if let Some(raw) = cards::raw(&decline) {
                data.insert("refusalReasonRaw".to_owned(), json!(raw));
            }
            let reason = cards::refusal(&decline).reason.to_owned();
            Some(item(event("AUTHORISATION", false, reason, data), now))
        }
        Status::Pending | Status::RequiresAction | Status::Cancelled => None,
    }
}

/// A capture or a cancel.
fn of_step(
    charge: &Charge,
    payment: &Payment,
    state: &State,
    operation: &str,
    step: Step,
    cause: Cause,
    now: u64,
) -> Option<Value> {
    let modification = state.modification(operation)?;
    let (code, success, reason) = match step.progress {
        Progress::Open { .. } => return None,
        Progress::Done => (modification.event_code, true, String::new()),
        Progress::Failed(_) if cause == Cause::TakenBack => ("CAPTURE_FAILED", true, "Capture Failed".to_owned()),
        Progress::Failed(decline) => (modification.event_code, false, told(&decline)),
    };
    let event = Event {
        code,
        success,
        psp_reference: &modification.psp_reference,
        original: Some(&payment.psp_reference),
        merchant_account: &payment.merchant_account,
        merchant_reference: &modification.merchant_reference,
        amount: amount(step.amount, &charge.currency),
        reason,
        data: Map::new(),
    };
    Some(item(event, now))
}

fn of_refund(gateway: &Gateway, state: &mut State, ground: &Ground, id: &str, cause: Cause, now: u64) -> Option<Value> {
    let (refund, charge) = gateway.refund_of(id)?;
    let payment = state.payment(&charge.id, ground, "").clone();
    let modification = state.modification(&refund.reference)?;
    let (code, success, reason) = match (refund.status, cause) {
        (refunds::Status::Pending, _) => return None,
        (refunds::Status::Succeeded, _) => ("REFUND", true, ""),
        (refunds::Status::Declined, Cause::TakenBack) => ("REFUND_FAILED", true, "Refund Failed"),
        (refunds::Status::Declined, Cause::Asked | Cause::Settled) => ("REFUND", false, "Refund refused"),
    };
    let event = Event {
        code,
        success,
        psp_reference: &modification.psp_reference,
        original: Some(&payment.psp_reference),
        merchant_account: &payment.merchant_account,
        merchant_reference: &modification.merchant_reference,
        amount: amount(refund.amount, &charge.currency),
        reason: reason.to_owned(),
        data: Map::new(),
    };
    Some(item(event, now))
}

fn of_refused(state: &State, operation: &str, now: u64) -> Option<Value> {
    let (refused, modification) = (state.refused(operation)?, state.modification(operation)?);
    let event = Event {
        code: modification.event_code,
        success: false,
        psp_reference: &modification.psp_reference,
        original: Some(refused.original.as_str()).filter(|original| !original.is_empty()),
        merchant_account: &refused.merchant_account,
        merchant_reference: &modification.merchant_reference,
        amount: json!({ "value": refused.value, "currency": refused.currency }),
        reason: refused.reason.to_owned(),
        data: Map::new(),
    };
    Some(item(event, now))
}

fn told(decline: &Decline) -> String {
    decline.message.to_owned()
}

fn item(event: Event<'_>, now: u64) -> Value {
    let Event { code, success, psp_reference, original, merchant_account, merchant_reference, amount, reason, data } =
        event;
    let date = i64::try_from(now).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0)).unwrap_or_default();
    let mut item = Map::from_iter([
        ("amount".to_owned(), amount),
        ("eventCode".to_owned(), json!(code)),
        ("eventDate".to_owned(), json!(date.to_rfc3339_opts(SecondsFormat::Secs, false))),
        ("merchantAccountCode".to_owned(), json!(merchant_account)),
        ("merchantReference".to_owned(), json!(merchant_reference)),
        ("paymentMethod".to_owned(), json!("visa")),
        ("pspReference".to_owned(), json!(psp_reference)),
        ("reason".to_owned(), json!(reason)),
        ("success".to_owned(), json!(success.to_string())),
        ("additionalData".to_owned(), Value::Object(data)),
    ]);
    if let Some(original) = original {
        item.insert("originalReference".to_owned(), json!(original));
    }
    Value::Object(item)
}

/// All items of one deed in one notification; nothing where there is none.
pub fn notice(items: Vec<Value>) -> Option<Notice> {
    let first = items.first()?;
    let text = |name: &str| first.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = format!("{}:{}:{}", text("pspReference"), text("eventCode"), text("success"));
    let kind = text("eventCode").to_owned();
    let items: Vec<_> = items.into_iter().map(|item| json!({ "NotificationRequestItem": item })).collect();
    Some(Notice { id, kind, body: bytes(&json!({ "live": "false", "notificationItems": items })) })
}

/// The notification with a signature in each of its items. What is none is left as it is.
pub fn signed(body: &Bytes, signing: &Signing) -> Bytes {
    let Ok(mut notification) = serde_json::from_slice::<Value>(body) else { return body.clone() };
    let Some(items) = notification.get_mut("notificationItems").and_then(Value::as_array_mut) else {
        return body.clone();
    };
    // The Customer Area gives keys as hexadecimal digits; whoever forges may have something else.
    let key = hmac::from_hex(signing.secret).unwrap_or_else(|| signing.secret.as_bytes().to_vec());
    for wrapped in items {
        let Some(item) = wrapped.get_mut("NotificationRequestItem").and_then(Value::as_object_mut) else { continue };
        let signature =
            signing.signature.map_or_else(|| hmac::base64(&key, &[signed_text(item).as_bytes()]), str::to_owned);
        let data = item.entry("additionalData").or_insert_with(|| json!({}));
        if let Some(data) = data.as_object_mut() {
            data.insert("hmacSignature".to_owned(), json!(signature));
        }
    }
    bytes(&notification)
}

fn signed_text(item: &Map<String, Value>) -> String {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let amount = |name: &str| item.get("amount").and_then(|amount| amount.get(name)).cloned().unwrap_or_default();
    [
        text("pspReference"),
        text("originalReference"),
        text("merchantAccountCode"),
        text("merchantReference"),
        amount("value").to_string(),
        amount("currency").as_str().unwrap_or_default().to_owned(),
        text("eventCode"),
        text("success"),
    ]
    .join(":")
}
