//! Stripe's test cards and test tokens beside those that every face knows, and its words for declines.

use super::errors::Refused;
use crate::gateway::ask::{Card, Method};
use crate::gateway::charges::{Action, Decline};
use crate::gateway::methods::Verdict;

/// Test cards of Stripe's own that are declined, and their words.
const DECLINED: [(&str, &str); 7] = [
    ("4000000000009987", "lost_card"),
    ("4000000000009979", "stolen_card"),
    ("4000000000000127", "incorrect_cvc"),
    ("4000000000000119", "processing_error"),
    ("4000000000006975", "card_velocity_exceeded"),
    ("4100000000000019", "fraudulent"),
    ("4000000000005126", "generic_decline"),
];
/// Test cards whose customer has to prove who they are.
const CHALLENGED: [&str; 4] = ["4000000000003220", "4000000000003063", "4000002760003184", "4000002500003155"];
/// Stored payment methods and tokens of Stripe's documentation, and the cards behind them.
const STORED: [(&str, &str); 10] = [
    ("pm_card_visa", "4242424242424242"),
    ("pm_card_mastercard", "5555555555554444"),
    ("pm_card_chargeDeclined", "4000000000000002"),
    ("pm_card_chargeDeclinedInsufficientFunds", "4000000000009995"),
    ("pm_card_chargeDeclinedExpiredCard", "4000000000000069"),
    ("pm_card_threeDSecure2Required", "4000000000003220"),
    ("pm_card_authenticationRequired", "4000002760003184"),
    ("tok_visa", "4242424242424242"),
    ("tok_mastercard", "5555555555554444"),
    ("tok_chargeDeclined", "4000000000000002"),
];
const LAST_YEAR: &str = "2099";

/// What a payment is made with: nothing of a card but what the gateway needs.
#[derive(Clone)]
pub struct Paying {
    pub method: Method,
    /// `pm_…`
    pub id: String,
}

impl Paying {
    /// A card's number, whatever it stands behind.
    fn number(&self) -> Option<&str> {
        match &self.method {
            Method::Card(card) => Some(&card.number),
            Method::Token { token } => STORED.iter().find(|(known, _)| known == token).map(|(_, number)| *number),
            Method::Upi { .. } | Method::Wallet { .. } => None,
        }
    }

    /// What becomes of it, where that is Stripe's to say. `page` is where a customer proves who they are; none where
    /// nobody could come back from there.
    pub fn verdict(&self, challenge_all: bool, page: Option<&str>) -> Option<Verdict> {
        let number = self.number()?;
        if challenge_all || CHALLENGED.contains(&number) {
            return Some(match page {
                Some(url) => Verdict::Act(Action::Redirect { url: url.to_owned() }),
                None => Verdict::Decline(NOT_HANDLED),
            });
        }
        DECLINED.iter().find(|(known, _)| *known == number).map(|(_, word)| Verdict::Decline(declined(word)))
    }

    /// As the gateway charges it: a test token as the card behind it.
    pub fn charged(&self) -> Method {
        match (&self.method, self.number()) {
            (Method::Token { .. }, Some(number)) => Method::Card(Card {
                number: number.to_owned(),
                expiry_month: "12".to_owned(),
                expiry_year: LAST_YEAR.to_owned(),
                cvc: None,
            }),
            (method, _) => method.clone(),
        }
    }
}

const NOT_HANDLED: Decline =
    Decline::new("authentication_not_handled", "This payment required an authentication action to complete.");

/// A decline of Stripe's own.
fn declined(word: &'static str) -> Decline {
    Decline::new(word, "Your card was declined.")
}

/// The stored payment method of this id.
pub fn stored(id: &str) -> Result<Paying, Refused> {
    if !["pm_", "card_", "src_"].iter().any(|prefix| id.starts_with(prefix)) {
        return Err(Refused::missing("PaymentMethod", id, "payment_method"));
    }
    Ok(Paying { method: Method::Token { token: id.to_owned() }, id: id.to_owned() })
}

/// Stripe's words for a decline: `code`, `decline_code`, the network's code.
pub fn words(decline: &Decline) -> (&'static str, Option<&'static str>, Option<&'static str>) {
    match decline.code {
        "do_not_honor" => ("card_declined", Some("generic_decline"), decline.network_code),
        "bank_silent" => ("card_declined", Some("issuer_not_available"), decline.network_code),
        "authentication_failed" => ("payment_intent_authentication_failure", None, None),
        "incorrect_number" => ("incorrect_number", None, None),
        "expired_card" => ("expired_card", Some("expired_card"), decline.network_code),
        "incorrect_cvc" => ("incorrect_cvc", Some("incorrect_cvc"), None),
        "processing_error" => ("processing_error", Some("processing_error"), None),
        "authentication_not_handled" => ("authentication_required", Some("authentication_not_handled"), None),
        other => ("card_declined", Some(other), decline.network_code),
    }
}
