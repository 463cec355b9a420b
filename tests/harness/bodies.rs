//! Bodies that tests send, and the cards that decide what becomes of them.

use serde_json::{Value, json};

/// Approves.
pub const GOOD: &str = "4242424242424242";
/// Declines: `do_not_honor`.
pub const DECLINES: &str = "4000000000000002";
/// Declines: `insufficient_funds`; another gateway may be tried.
pub const POOR: &str = "4000000000009995";
/// Declines: `expired_card`.
pub const EXPIRED: &str = "4000000000000069";
/// Requires a redirect, then approves.
pub const CHALLENGED: &str = "4000000000003220";
/// Accepted as pending, approved by webhook.
pub const PENDING: &str = "4000000000000341";

/// A year in which no test card has expired.
pub const YEAR: i64 = 2040;

/// A card as a payment method.
pub fn card(number: &str) -> Value {
    json!({ "type": "card", "card": card_fields(number) })
}

/// A card's own fields, as the vault takes them.
pub fn card_fields(number: &str) -> Value {
    json!({ "number": number, "expiry_month": 12, "expiry_year": YEAR, "cvc": "737", "holder": "Ada Lovelace" })
}

/// A payment that is confirmed at once.
pub fn payment(number: &str) -> Value {
    json!({ "amount": 1250, "currency": "EUR", "confirm": true, "payment_method": card(number) })
}

/// A payment that waits for its confirmation.
pub fn unconfirmed() -> Value {
    json!({ "amount": 1250, "currency": "EUR" })
}

/// `body` with `changes` put over it, field by field.
pub fn with(mut body: Value, changes: &Value) -> Value {
    merge(&mut body, changes);
    body
}

fn merge(body: &mut Value, changes: &Value) {
    match (body, changes) {
        (Value::Object(body), Value::Object(changes)) => {
            for (name, value) in changes {
                merge(body.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (body, changes) => *body = changes.clone(),
    }
}
