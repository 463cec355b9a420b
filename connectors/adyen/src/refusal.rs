//! Adyen's reasons for refusing a payment, by `refusalReasonCode` and by the words that webhooks have instead.
//! <https://docs.adyen.com/development-resources/refusal-reasons>

use interlock_connector::types::{Decline, DeclineCode, RetryAdvice};
use interlock_connector::{DeclineTable, Host};

/// What the contract has room for, of a word that no table has.
const WORD_MAX_BYTES: usize = 64;

/// Another gateway is worth asking where Adyen or its acquirer stood in the way, or money was short.
const DECLINES: DeclineTable = DeclineTable(&[
    // Error, and nobody knows why. Final nevertheless.
    ("0", DeclineCode::GatewayError, RetryAdvice::SameGatewayLater),
    ("2", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("3", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("4", DeclineCode::GatewayError, RetryAdvice::OtherGateway),
    ("5", DeclineCode::LostOrStolen, RetryAdvice::Never),
    ("6", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("7", DeclineCode::Other, RetryAdvice::Never),
    ("8", DeclineCode::IncorrectNumber, RetryAdvice::Never),
    ("9", DeclineCode::GatewayError, RetryAdvice::SameGatewayLater),
    ("10", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("11", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    ("12", DeclineCode::InsufficientFunds, RetryAdvice::OtherGateway),
    ("14", DeclineCode::FraudSuspected, RetryAdvice::Never),
    ("15", DeclineCode::CustomerCancelled, RetryAdvice::Never),
    ("16", DeclineCode::CustomerCancelled, RetryAdvice::Never),
    ("17", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    ("18", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    ("19", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    ("20", DeclineCode::FraudSuspected, RetryAdvice::Never),
    ("21", DeclineCode::GatewayError, RetryAdvice::OtherGateway),
    ("22", DeclineCode::FraudSuspected, RetryAdvice::Never),
    ("23", DeclineCode::MethodUnsupported, RetryAdvice::Never),
    ("24", DeclineCode::IncorrectCvc, RetryAdvice::Never),
    ("25", DeclineCode::MethodUnsupported, RetryAdvice::Never),
    // The customer has told the issuer to end a subscription.
    ("26", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("27", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("28", DeclineCode::LimitExceeded, RetryAdvice::SameGatewayLater),
    ("29", DeclineCode::LimitExceeded, RetryAdvice::SameGatewayLater),
    ("31", DeclineCode::FraudSuspected, RetryAdvice::Never),
    // The address that the customer entered is not the issuer's.
    ("32", DeclineCode::Other, RetryAdvice::Never),
    ("33", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("34", DeclineCode::MethodUnsupported, RetryAdvice::Never),
    ("35", DeclineCode::MethodUnsupported, RetryAdvice::Never),
    ("36", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    // 37, 40, 44 and 45 are of card readers.
    ("37", DeclineCode::Other, RetryAdvice::Never),
    ("38", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("39", DeclineCode::AuthenticationFailed, RetryAdvice::SameGatewayLater),
    ("40", DeclineCode::Other, RetryAdvice::Never),
    ("41", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("42", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    ("43", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("44", DeclineCode::Other, RetryAdvice::Never),
    ("45", DeclineCode::Other, RetryAdvice::Never),
    // Blocked by Adyen, because the networks charge for further tries.
    ("46", DeclineCode::LimitExceeded, RetryAdvice::Never),
]);

/// Webhooks bring the reason and not its code.
const REASONS: [(&str, &str); 44] = [
    ("Unknown", "0"),
    ("Refused", "2"),
    ("Referral", "3"),
    ("Acquirer Error", "4"),
    ("Blocked Card", "5"),
    ("Expired Card", "6"),
    ("Invalid Amount", "7"),
    ("Invalid Card Number", "8"),
    ("Issuer Unavailable", "9"),
    ("Not supported", "10"),
    ("3D Not Authenticated", "11"),
    ("Not enough balance", "12"),
    ("Acquirer Fraud", "14"),
    ("Cancelled", "15"),
    ("Shopper Cancelled", "16"),
    ("Invalid Pin", "17"),
    ("Pin tries exceeded", "18"),
    ("Pin validation not possible", "19"),
    ("FRAUD", "20"),
    ("Not Submitted", "21"),
    ("FRAUD-CANCELLED", "22"),
    ("Transaction Not Permitted", "23"),
    ("CVC Declined", "24"),
    ("Restricted Card", "25"),
    ("Revocation Of Auth", "26"),
    ("Declined Non Generic", "27"),
    ("Withdrawal amount exceeded", "28"),
    ("Withdrawal count exceeded", "29"),
    ("Issuer Suspected Fraud", "31"),
    ("AVS Declined", "32"),
    ("Card requires online pin", "33"),
    ("No checking account available on Card", "34"),
    ("No savings account available on Card", "35"),
    ("Mobile pin required", "36"),
    ("Contactless fallback", "37"),
    ("Authentication required", "38"),
    ("RReq not received from DS", "39"),
    ("Current AID is in Penalty Box.", "40"),
    ("CVM Required Restart Payment", "41"),
    ("3DS Authentication Error", "42"),
    ("Online PIN required", "43"),
    ("Try another interface", "44"),
    ("Chip downgrade mode", "45"),
    ("Transaction blocked by Adyen to prevent excessive retry fees", "46"),
];

/// The decline that a reply's code means; `reason` is for the merchant.
pub fn by_code(code: &str, reason: String, host: &mut dyn Host) -> Decline {
    DECLINES.decline(code, reason, host)
}

/// The decline that a webhook's reason means. One that no table has is its own code.
pub fn by_reason(reason: String, host: &mut dyn Host) -> Decline {
    let known = REASONS.iter().find(|(known, _)| reason.eq_ignore_ascii_case(known));
    let word = match known {
        Some((_, code)) => (*code).to_owned(),
        None => {
            reason.chars().filter(|sign| sign.is_ascii() && !sign.is_ascii_control()).take(WORD_MAX_BYTES).collect()
        }
    };
    DECLINES.decline(&word, reason, host)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a webhook can say has a row, and no row is without its words.
    #[test]
    fn both_tables_have_the_same_codes() {
        let coded: Vec<_> = DECLINES.0.iter().map(|(code, ..)| *code).collect();
        let worded: Vec<_> = REASONS.iter().map(|(_, code)| *code).collect();
        assert_eq!(coded, worded);
    }
}
