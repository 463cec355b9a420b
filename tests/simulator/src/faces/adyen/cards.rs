//! Adyen's test cards, and what it does for the name on a card or a number in `additionalData`.
//! <https://docs.adyen.com/development-resources/testing/result-codes>

use crate::gateway::charges::{Action, Decline};
use crate::gateway::methods::Verdict;

/// Cards whose customer is sent to a page for 3-D Secure; others approve.
const CHALLENGED: [&str; 4] = ["4212345678901237", "5212345678901234", "4917610000000000", "5201281505129736"];

/// A refusal: what triggers it, `resultCode`, `refusalReasonCode`, `refusalReason`.
pub struct Refused {
    word: &'static str,
    pub result: &'static str,
    pub code: &'static str,
    pub reason: &'static str,
}

const fn refused(word: &'static str, code: &'static str, reason: &'static str) -> Refused {
    Refused { word, result: "Refused", code, reason }
}

const fn ended(result: &'static str, word: &'static str, code: &'static str, reason: &'static str) -> Refused {
    Refused { word, result, code, reason }
}

/// By the name on the card. The number that `RequestedTestAcquirerResponseCode` wants is the code.
static BY_NAME: [Refused; 36] = [
    ended("Error", "UNKNOWN", "0", "Unknown"),
    refused("DECLINED", "2", "Refused"),
    refused("REFERRAL", "3", "Referral"),
    ended("Error", "ERROR", "4", "Acquirer Error"),
    refused("BLOCK_CARD", "5", "Blocked Card"),
    refused("CARD_EXPIRED", "6", "Expired Card"),
    refused("INVALID_AMOUNT", "7", "Invalid Amount"),
    refused("INVALID_CARD", "8", "Invalid Card Number"),
    refused("ISSUER_UNAVAILABLE", "9", "Issuer Unavailable"),
    refused("NOT_SUPPORTED", "10", "Not supported"),
    refused("NOT_3D_AUTHENTICATED", "11", "3D Not Authenticated"),
    refused("NOT_ENOUGH_BALANCE", "12", "Not enough balance"),
    refused("ACQUIRER_FRAUD", "14", "Acquirer Fraud"),
    ended("Cancelled", "CANCELLED", "15", "Cancelled"),
    ended("Cancelled", "SHOPPER_CANCELLED", "16", "Shopper Cancelled"),
    refused("INVALID_PIN", "17", "Invalid Pin"),
    refused("PIN_TRIES_EXCEEDED", "18", "Pin tries exceeded"),
    refused("PIN_VALIDATION_NOT_POSSIBLE", "19", "Pin validation not possible"),
    refused("FRAUD", "20", "FRAUD"),
    refused("NOT_SUBMITTED", "21", "Not Submitted"),
    ended("Cancelled", "FRAUD_CANCELLED", "22", "FRAUD-CANCELLED"),
    refused("TRANSACTION_NOT_PERMITTED", "23", "Transaction Not Permitted"),
    refused("CVC_DECLINED", "24", "CVC Declined"),
    refused("RESTRICTED_CARD", "25", "Restricted Card"),
    refused("REVOCATION_OF_AUTH", "26", "Revocation Of Auth"),
    refused("DECLINED_NON_GENERIC", "27", "Declined Non Generic"),
    refused("WITHDRAWAL_AMOUNT_EXCEEDED", "28", "Withdrawal amount exceeded"),
    refused("WITHDRAWAL_COUNT_EXCEEDED", "29", "Withdrawal count exceeded"),
    refused("ISSUER_SUSPECTED_FRAUD", "31", "Issuer Suspected Fraud"),
    refused("AVS_DECLINED", "32", "AVS Declined"),
    refused("PIN_REQUIRED", "33", "Card requires online pin"),
    refused("NO_CHECKING_ACCOUNT", "34", "No checking account available on Card"),
    refused("NO_SAVINGS_ACCOUNT", "35", "No savings account available on Card"),
    refused("MOBILE_PIN_REQUIRED", "36", "Mobile pin required"),
    refused("CONTACTLESS_FALLBACK", "37", "Contactless fallback"),
    refused("AUTHENTICATION_REQUIRED", "38", "Authentication required"),
];

/// By the gateway's own words for a decline.
static BY_DECLINE: [Refused; 7] = [
    refused("do_not_honor", "2", "Refused"),
    refused("insufficient_funds", "12", "Not enough balance"),
    refused("expired_card", "6", "Expired Card"),
    refused("bank_silent", "9", "Issuer Unavailable"),
    refused("incorrect_number", "8", "Invalid Card Number"),
    refused("authentication_failed", "11", "3D Not Authenticated"),
    ended("Cancelled", "customer_declined", "16", "Shopper Cancelled"),
];

/// For what it has no word for.
static OTHER: Refused = refused("", "2", "Refused");

/// What Adyen says of a decline.
pub fn refusal(decline: &Decline) -> &'static Refused {
    let found = BY_DECLINE.iter().chain(&BY_NAME).find(|refused| refused.word == decline.code);
    found.unwrap_or(&OTHER)
}

/// What becomes of a payment with this card, name and number; nothing where the gateway's own cards decide.
pub fn verdict(number: Option<&str>, name: Option<&str>, wanted: Option<&str>, page: &str) -> Option<Verdict> {
    let refused = BY_NAME.iter().find(|refused| name == Some(refused.word) || wanted == Some(refused.code));
    if let Some(refused) = refused {
        return Some(Verdict::Decline(Decline::new(refused.word, refused.reason)));
    }
    let url = || Verdict::Act(Action::Redirect { url: page.to_owned() });
    number.filter(|number| CHALLENGED.contains(number)).map(|_| url())
}

/// What the networks say behind Adyen's words: `05 : Do not honor`.
pub fn raw(decline: &Decline) -> Option<String> {
    decline.network_code.map(|code| format!("{code} : {}", decline.message))
}
