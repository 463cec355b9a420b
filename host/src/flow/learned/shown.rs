//! What merchants see of an outcome: the error, and what the customer must do.

use serde_json::{Value, json};

use crate::connector::types::{ActionNeeded, CustomerAction, Decline, RetryAdvice};

/// Nothing reached the gateway, or it says that it did nothing.
#[must_use]
pub fn not_sent() -> Value {
    json!({
        "code": "gateway_unreachable", "decline_code": null, "gateway_code": null, "network_code": null,
        "message": "The gateway could not be reached, or did nothing; no money was moved.", "advice": "same_gateway_later",
    })
}

/// The gateway said no.
#[must_use]
pub fn declined(decline: &Decline) -> Value {
    let advice: &str = match decline.advice {
        RetryAdvice::Never => "never",
        RetryAdvice::SameGatewayLater => "same_gateway_later",
        RetryAdvice::OtherGateway => "other_gateway",
    };
    json!({
        "code": "payment_declined", "decline_code": <&str>::from(decline.code), "gateway_code": decline.gateway_code,
        "network_code": decline.network_code, "message": decline.message, "advice": advice,
    })
}

/// The first way in which the customer may act, with the others beside it.
pub(super) fn next_action(action: &ActionNeeded) -> Value {
    let mut shown: Vec<Value> = action.actions.iter().map(customer_action).collect();
    if shown.is_empty() {
        shown.push(json!({ "type": "await_approval" }));
    }
    let others = shown.split_off(1);
    let mut first = shown.pop().unwrap_or_default();
    if let Value::Object(first) = &mut first {
        if !others.is_empty() {
            first.insert("alternatives".into(), Value::Array(others));
        }
        if let Some(at) =
            action.expires_at.and_then(|at| i64::try_from(at).ok()).and_then(chrono::DateTime::from_timestamp_millis)
        {
            first.insert("expires_at".into(), Value::String(crate::view::time(at)));
        }
    }
    first
}

fn customer_action(action: &CustomerAction) -> Value {
    match action {
        CustomerAction::Redirect(redirect) => {
            let fields: serde_json::Map<String, Value> =
                redirect.fields.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
            let method = format!("{:?}", redirect.method).to_ascii_uppercase();
            json!({ "type": "redirect", "url": redirect.url, "method": method, "fields": fields })
        }
        CustomerAction::DisplayQr(text) => json!({ "type": "display_qr", "data": text }),
        CustomerAction::OpenApp(url) => json!({ "type": "open_app", "url": url }),
        CustomerAction::AwaitApproval => json!({ "type": "await_approval" }),
    }
}
