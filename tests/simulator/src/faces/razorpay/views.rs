//! Orders, payments and refunds as Razorpay shows them.

use serde_json::{Value, json};

use super::state::{Order, Paid, State};
use super::words;
use crate::gateway::Gateway;
use crate::gateway::charges::{Charge, Status};
use crate::gateway::refunds::{self, Refund};

/// Razorpay's id of a charge.
pub fn payment_id(charge: &str) -> String {
    charge.replacen("ch_", "pay_", 1)
}

/// Razorpay's id of a refund.
pub fn refund_id(refund: &str) -> String {
    refund.replacen("re_", "rfnd_", 1)
}

/// `{"entity":"collection","count","items"}`
pub fn collection(items: &[Value]) -> Value {
    json!({"entity": "collection", "count": items.len(), "items": items})
}

pub fn order(order: &Order, gateway: &Gateway) -> Value {
    let paid: i64 = order.charges.iter().filter_map(|id| gateway.charge(id)).map(|charge| charge.captured).sum();
    let status = match (paid, order.charges.len()) {
        (0, 0) => "created",
        (0, _) => "attempted",
        _ => "paid",
    };
    json!({
        "id": order.id, "entity": "order", "amount": order.amount, "amount_paid": paid,
        "amount_due": order.amount - paid, "currency": order.currency, "receipt": order.receipt, "offer_id": null,
        "status": status, "attempts": order.charges.len(), "notes": order.notes, "created_at": order.created_at,
    })
}

/// The status of a payment, by its charge: `created`, `authorized`, `captured`, `refunded`, `failed`.
pub fn status(charge: &Charge) -> &'static str {
    match charge.status {
        Status::Pending | Status::RequiresAction => "created",
        Status::Authorized => "authorized",
        Status::Captured if charge.refunded == charge.amount => "refunded",
        Status::Captured => "captured",
        Status::Declined => "failed",
        // Nothing but a lapse cancels here.
        Status::Cancelled => "refunded",
    }
}

pub fn payment(charge: &Charge, state: &State) -> Value {
    payment_as(charge, state, status(charge))
}

/// A payment as it stood when it had this status: events are snapshots.
pub fn payment_as(charge: &Charge, state: &State, status: &str) -> Value {
    let Some(told) = state.payments.get(&charge.id) else { return Value::Null };
    let lapsed = charge.status == Status::Cancelled;
    let refunded = if lapsed { charge.amount } else { charge.refunded };
    let was_captured = charge.captured > 0 && status != "authorized";
    let failed =
        (status == "failed").then(|| told.reason.unwrap_or_else(|| words::of(charge.decline, charge.fate.is_some())));
    let approved = matches!(status, "authorized" | "captured" | "refunded");
    // Numbers of the banks, made from the charge's own.
    let digits: String = charge.id.bytes().filter(u8::is_ascii_digit).map(char::from).collect();
    let rrn = approved.then(|| format!("5325{digits:0>8}"));
    let (card, upi) = match &told.method {
        Paid::Card { last4, network } => {
            (json!({"entity": "card", "last4": last4, "network": network, "type": "debit"}), None)
        }
        Paid::Token => (Value::Null, None),
        Paid::Upi { vpa } => (Value::Null, Some(json!({"vpa": vpa}))),
    };
    let auth_code = (approved && upi.is_none()).then_some("299196");
    json!({
        "id": payment_id(&charge.id), "entity": "payment", "amount": charge.amount, "currency": charge.currency,
        "status": status, "order_id": told.order, "invoice_id": null, "international": charge.currency != "INR",
        "method": if upi.is_some() { "upi" } else { "card" },
        "amount_refunded": refunded, "refund_status": refund_status(refunded, charge.amount),
        "captured": was_captured, "description": told.description, "card": card, "bank": null, "wallet": null,
        "vpa": upi.as_ref().and_then(|upi| upi.get("vpa")), "upi": upi,
        "email": told.email, "contact": told.contact, "notes": told.notes,
        "fee": was_captured.then(|| charge.amount * 2 / 100), "tax": was_captured.then_some(0),
        "error_code": failed.map(|words| words.code), "error_description": failed.map(|words| words.description),
        "error_source": failed.map(|words| words.source), "error_step": failed.map(|words| words.step),
        "error_reason": failed.map(|words| words.reason), "acquirer_data": {"auth_code": auth_code, "rrn": rrn},
        "created_at": told.created_at,
    })
}

fn refund_status(refunded: i64, amount: i64) -> Option<&'static str> {
    (refunded > 0).then_some(if refunded == amount { "full" } else { "partial" })
}

pub fn refund(refund: &Refund, charge: &Charge, state: &State) -> Value {
    let status = match refund.status {
        refunds::Status::Pending => "pending",
        refunds::Status::Succeeded => "processed",
        refunds::Status::Declined => "failed",
    };
    refund_as(refund, charge, state, status)
}

/// A refund as it stood when it had this status.
pub fn refund_as(refund: &Refund, charge: &Charge, state: &State, status: &str) -> Value {
    let told = state.refunds.get(&refund.id);
    let arn = (status == "processed").then_some("10000000000000");
    json!({
        "id": refund_id(&refund.id), "entity": "refund", "amount": refund.amount, "currency": charge.currency,
        "payment_id": payment_id(&charge.id), "notes": told.map_or_else(|| json!([]), |told| told.notes.clone()),
        "receipt": told.and_then(|told| told.receipt.clone()), "acquirer_data": {"arn": arn},
        "created_at": told.map_or(0, |told| told.created_at), "batch_id": null, "status": status,
        "speed_processed": "normal", "speed_requested": told.map_or("normal", |told| told.speed),
    })
}

/// The refund by which Razorpay gave a payment back that nobody captured.
pub fn lapse(id: &str, charge: &Charge, now: u64) -> Value {
    json!({
        "id": id, "entity": "refund", "amount": charge.amount, "currency": charge.currency,
        "payment_id": payment_id(&charge.id), "notes": [], "receipt": null, "acquirer_data": {"arn": null},
        "created_at": now, "batch_id": null, "status": "processed", "speed_processed": "normal",
        "speed_requested": "normal",
    })
}
