//! Payment intents, charges and refunds as Stripe shows them.

use serde_json::{Value, json};

use super::books::{Books, Intent, Status};
use super::cards::words;
use super::units::to_stripe;
use crate::gateway::Gateway;
use crate::gateway::charges::{Action, Charge, Decline};
use crate::gateway::refunds::{self, Refund};

/// A week, after which what is held is given back.
const HOLD_SECONDS: u64 = 7 * 86_400;
/// What the network calls a transaction here.
const NETWORK_TRANSACTION: &str = "101103117788275";

/// A payment; its charge as a whole, or by its id.
pub fn intent(intent: &Intent, gateway: &Gateway, expand: bool) -> Value {
    let status = intent.status(gateway);
    let of = intent.charge(gateway);
    let units = |amount: i64| to_stripe(amount, &intent.currency);
    let latest = of.map(|of| if expand { charge(of, intent, gateway) } else { json!(of.id) });
    let failed = of.filter(|_| status == Status::RequiresPaymentMethod).and_then(|of| of.decline.as_ref());
    let redirect = of.filter(|_| status == Status::RequiresAction).and_then(|of| of.action.as_ref());
    json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": units(intent.amount),
        "amount_capturable": units(of.map_or(0, |of| of.held)),
        "amount_received": units(of.map_or(0, |of| of.captured)),
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": if intent.manual { "manual" } else { "automatic" },
        "client_secret": format!("{}_secret_simulated", intent.id),
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency.to_ascii_lowercase(),
        "customer": intent.customer,
        "description": intent.description,
        "last_payment_error": failed.map(|decline| error(decline, of)),
        "latest_charge": latest,
        "livemode": false,
        "metadata": intent.metadata(gateway),
        "next_action": redirect.map(|action| next_action(action, intent)),
        "payment_method": intent.paying.as_ref().map(|paying| &paying.id),
        "payment_method_types": ["card"],
        "processing": null,
        "return_url": null,
        "status": status.word(),
    })
}

fn next_action(action: &Action, intent: &Intent) -> Value {
    let (Action::Redirect { url } | Action::OpenApp { url }) = action;
    json!({ "type": "redirect_to_url", "redirect_to_url": { "url": url, "return_url": intent.return_url } })
}

/// What went wrong with a card.
pub fn error(decline: &Decline, charge: Option<&Charge>) -> Value {
    let (code, decline_code, network) = words(decline);
    let mut error = json!({ "type": "card_error", "code": code, "message": decline.message });
    if let Some(members) = error.as_object_mut() {
        members.extend(charge.map(|charge| ("charge".to_owned(), json!(charge.id))));
        members.extend(decline_code.map(|word| ("decline_code".to_owned(), json!(word))));
        members.extend(network.map(|word| ("network_decline_code".to_owned(), json!(word))));
    }
    error
}

fn charge(charge: &Charge, intent: &Intent, gateway: &Gateway) -> Value {
    let units = |amount: i64| to_stripe(amount, &intent.currency);
    let before = (charge.held > 0).then_some(intent.created + HOLD_SECONDS);
    let card = json!({
        "amount_authorized": units(charge.amount),
        "authorization_code": "524931",
        "brand": "visa",
        "capture_before": before,
        "last4": charge.card_last4,
        "multicapture": { "status": if intent.multicapture { "available" } else { "unavailable" } },
        "network_transaction_id": NETWORK_TRANSACTION,
    });
    json!({
        "id": charge.id,
        "object": "charge",
        "amount": units(charge.amount),
        "amount_captured": units(charge.captured),
        "amount_refunded": units(charge.refunded + charge.refunding),
        "captured": charge.captured > 0,
        "currency": intent.currency.to_ascii_lowercase(),
        "failure_code": charge.decline.as_ref().map(|decline| words(decline).0),
        "livemode": false,
        "metadata": intent.metadata(gateway),
        "paid": charge.held > 0 || charge.captured > 0,
        "payment_intent": intent.id,
        "payment_method": intent.paying.as_ref().map(|paying| &paying.id),
        "payment_method_details": { "type": "card", "card": card },
        "refunded": charge.captured > 0 && charge.refunded == charge.captured,
        "status": if charge.decline.is_some() { "failed" } else { "succeeded" },
    })
}

/// A refund.
pub fn refund(refund: &Refund, charge: &Charge, books: &Books) -> Value {
    let notes = books.refunds.get(&refund.id);
    let (status, failure) = match refund.status {
        refunds::Status::Succeeded => ("succeeded", None),
        refunds::Status::Pending => ("pending", None),
        refunds::Status::Declined => ("failed", Some("expired_or_canceled_card")),
    };
    let mut view = json!({
        "id": refund.id,
        "object": "refund",
        "amount": to_stripe(refund.amount, &charge.currency),
        "balance_transaction": null,
        "charge": charge.id,
        "created": notes.map(|notes| notes.created),
        "currency": charge.currency.to_ascii_lowercase(),
        "metadata": notes.map(|notes| &notes.metadata),
        "payment_intent": books.of_charge(&charge.id).map(|intent| &intent.id),
        "reason": notes.and_then(|notes| notes.reason.as_ref()),
        "receipt_number": null,
        "status": status,
    });
    if let (Some(members), Some(reason)) = (view.as_object_mut(), failure) {
        members.insert("failure_reason".to_owned(), json!(reason));
    }
    view
}

/// A part of a list.
pub fn list(url: &str, data: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "url": url, "has_more": has_more, "data": data })
}
