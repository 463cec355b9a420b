//! Razorpay's words for what went wrong (`error.reason`, a payment's `error_reason`), and what they mean to us.
//!
//! Razorpay calls a payment failed when no bank has answered for 10 minutes, goes on asking for 3 days, and may then call
//! it authorized. So there are two tables: reasons that somebody gave, and reasons that only stand in for an answer. By
//! UPI no answer is the last one: in their app customers try the same payment again.

use interlock_connector::types::{Decline, DeclineCode as Code, RetryAdvice as Advice};
use interlock_connector::{DeclineTable, Host};

/// For how long a payment that failed for want of an answer may still become authorized: 3 days from its creation.
const REOPENABLE_S: u32 = 3 * 86_400;

/// Somebody said no: the customer's bank, the customer, Razorpay's own checks.
const ANSWERED: DeclineTable = DeclineTable(&[
    ("amount_less_than_minimum_amount", Code::LimitExceeded, Advice::OtherGateway),
    ("authorisation_declined_by_psp", Code::DoNotHonor, Advice::Never),
    ("bank_account_invalid", Code::Other, Advice::Never),
    ("bank_account_validation_failed", Code::Other, Advice::Never),
    ("beneficiary_account_does_not_exist", Code::Misconfigured, Advice::OtherGateway),
    ("beneficiary_account_dormant", Code::Misconfigured, Advice::OtherGateway),
    ("card_declined", Code::DoNotHonor, Advice::Never),
    ("card_disabled_for_online_payments", Code::DoNotHonor, Advice::Never),
    ("card_expired", Code::ExpiredCard, Advice::Never),
    ("card_network_not_enabled", Code::MethodUnsupported, Advice::OtherGateway),
    ("card_not_enrolled", Code::DoNotHonor, Advice::Never),
    ("card_number_invalid", Code::IncorrectNumber, Advice::Never),
    ("card_type_invalid", Code::MethodUnsupported, Advice::OtherGateway),
    ("collect_on_mcc_blocked", Code::MethodUnsupported, Advice::OtherGateway),
    ("compliance_violation", Code::Other, Advice::Never),
    ("credit_limit_exceeded", Code::LimitExceeded, Advice::Never),
    ("credit_limit_expired", Code::LimitExceeded, Advice::Never),
    ("credit_limit_inactive", Code::LimitExceeded, Advice::Never),
    ("credit_limit_not_approved", Code::LimitExceeded, Advice::Never),
    ("credit_not_permitted", Code::MethodUnsupported, Advice::Never),
    ("debit_declined", Code::DoNotHonor, Advice::Never),
    ("debit_instrument_blocked", Code::LostOrStolen, Advice::Never),
    ("debit_instrument_inactive", Code::DoNotHonor, Advice::Never),
    ("funds_blocked_by_mandate", Code::InsufficientFunds, Advice::Never),
    ("incorrect_atm_pin", Code::AuthenticationFailed, Advice::Never),
    ("incorrect_card_details", Code::IncorrectNumber, Advice::Never),
    ("incorrect_card_expiry_date", Code::ExpiredCard, Advice::Never),
    ("incorrect_cardholder_name", Code::Other, Advice::Never),
    ("incorrect_cvv", Code::IncorrectCvc, Advice::Never),
    ("incorrect_otp", Code::AuthenticationFailed, Advice::Never),
    ("incorrect_pin", Code::AuthenticationFailed, Advice::Never),
    ("input_validation_failed", Code::Misconfigured, Advice::OtherGateway),
    // As Razorpay's page of test cards spells it.
    ("insufficient_fund", Code::InsufficientFunds, Advice::OtherGateway),
    ("insufficient_funds", Code::InsufficientFunds, Advice::OtherGateway),
    ("international_transaction_not_allowed", Code::MethodUnsupported, Advice::OtherGateway),
    ("invalid_amount", Code::Misconfigured, Advice::OtherGateway),
    ("invalid_currency", Code::CurrencyUnsupported, Advice::OtherGateway),
    ("invalid_device", Code::Other, Advice::Never),
    ("invalid_email", Code::Misconfigured, Advice::OtherGateway),
    ("invalid_mobile_number", Code::Misconfigured, Advice::OtherGateway),
    ("invalid_order_id", Code::Misconfigured, Advice::OtherGateway),
    ("invalid_otp", Code::AuthenticationFailed, Advice::Never),
    ("invalid_request", Code::Misconfigured, Advice::OtherGateway),
    ("invalid_user_details", Code::Other, Advice::Never),
    ("invalid_vpa", Code::Other, Advice::Never),
    ("live_mode_not_enabled", Code::Misconfigured, Advice::OtherGateway),
    ("mcc_amount_limit_exceeded", Code::LimitExceeded, Advice::Never),
    ("merchant_not_activated", Code::Misconfigured, Advice::OtherGateway),
    ("mismatch_in_transaction_details", Code::Misconfigured, Advice::OtherGateway),
    ("mobile_number_invalid", Code::Misconfigured, Advice::OtherGateway),
    ("order_amount_mismatch", Code::Misconfigured, Advice::OtherGateway),
    ("order_payment_method_mismatch", Code::Misconfigured, Advice::OtherGateway),
    ("otp_attempts_exceeded", Code::AuthenticationFailed, Advice::Never),
    ("otp_expired", Code::Expired, Advice::Never),
    ("payment_amount_tampered", Code::FraudSuspected, Advice::Never),
    ("payment_method_not_enabled", Code::MethodUnsupported, Advice::OtherGateway),
    ("payment_risk_check_failed", Code::FraudSuspected, Advice::Never),
    ("pin_attempts_exceeded", Code::AuthenticationFailed, Advice::Never),
    ("pin_not_set", Code::AuthenticationFailed, Advice::Never),
    ("psp_app_not_supported", Code::MethodUnsupported, Advice::Never),
    ("psp_not_registered", Code::MethodUnsupported, Advice::Never),
    ("record_not_found", Code::Misconfigured, Advice::Never),
    ("recurring_payment_not_enabled", Code::MethodUnsupported, Advice::OtherGateway),
    ("refund_limit_crossed", Code::LimitExceeded, Advice::Never),
    ("transaction_daily_count_exceeded", Code::LimitExceeded, Advice::Never),
    ("transaction_daily_limit_exceeded", Code::LimitExceeded, Advice::Never),
    ("transaction_frequency_limit_exceeded", Code::LimitExceeded, Advice::Never),
    ("transaction_limit_exceeded", Code::LimitExceeded, Advice::Never),
    ("transaction_on_vpa_restricted", Code::DoNotHonor, Advice::Never),
    ("upi_collect_not_enabled", Code::MethodUnsupported, Advice::OtherGateway),
    ("upi_intent_not_enabled", Code::MethodUnsupported, Advice::OtherGateway),
    ("user_not_eligible", Code::Other, Advice::Never),
]);

/// Nobody said anything, or the customer went away when the bank had been asked. What is in no table is here too.
const UNANSWERED: DeclineTable = DeclineTable(&[
    ("authentication_failed", Code::AuthenticationFailed, Advice::Never),
    ("bank_cutoff_in_progress", Code::GatewayError, Advice::SameGatewayLater),
    ("bank_not_available", Code::GatewayError, Advice::SameGatewayLater),
    ("bank_technical_error", Code::GatewayError, Advice::SameGatewayLater),
    ("capture_failed", Code::Other, Advice::Never),
    ("collect_request_pending", Code::Other, Advice::SameGatewayLater),
    ("credit_failed", Code::GatewayError, Advice::OtherGateway),
    ("deemed_transaction", Code::Other, Advice::Never),
    ("duplicate_rrn_found", Code::GatewayError, Advice::OtherGateway),
    ("gateway_technical_error", Code::GatewayError, Advice::OtherGateway),
    ("invalid_response_from_gateway", Code::GatewayError, Advice::OtherGateway),
    ("issuer_technical_error", Code::GatewayError, Advice::SameGatewayLater),
    ("payment_cancelled", Code::CustomerCancelled, Advice::Never),
    ("payment_collect_request_expired", Code::Expired, Advice::Never),
    ("payment_declined", Code::DoNotHonor, Advice::Never),
    ("payment_declined_due_to_high_traffic", Code::GatewayError, Advice::OtherGateway),
    ("payment_failed", Code::DoNotHonor, Advice::OtherGateway),
    ("payment_pending", Code::GatewayError, Advice::Never),
    ("payment_session_expired", Code::Expired, Advice::Never),
    ("payment_timed_out", Code::Expired, Advice::Never),
    ("psp_app_not_available", Code::GatewayError, Advice::SameGatewayLater),
    ("psp_not_available", Code::GatewayError, Advice::SameGatewayLater),
    ("request_timed_out", Code::GatewayError, Advice::OtherGateway),
    ("server_error", Code::GatewayError, Advice::OtherGateway),
    ("upi_app_technical_error", Code::GatewayError, Advice::SameGatewayLater),
    ("verification_failed", Code::GatewayError, Advice::SameGatewayLater),
    ("vpa_resolution_failed", Code::GatewayError, Advice::SameGatewayLater),
    // A payment that failed without a reason has its kind of error alone.
    ("BAD_REQUEST_ERROR", Code::Other, Advice::Never),
    ("GATEWAY_ERROR", Code::GatewayError, Advice::OtherGateway),
    ("SERVER_ERROR", Code::GatewayError, Advice::OtherGateway),
]);

/// A request that was refused without a reason: keys, switches of the account, members of the request.
const REFUSED: DeclineTable = DeclineTable(&[("BAD_REQUEST_ERROR", Code::Misconfigured, Advice::OtherGateway)]);

/// Razorpay's words, as they stand in an error and in a payment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// `BAD_REQUEST_ERROR`, `GATEWAY_ERROR` or `SERVER_ERROR`.
    pub code: Option<String>,
    pub reason: Option<String>,
    pub description: Option<String>,
}

impl Words {
    /// The reason, where there is one. `NA` and nothing are Razorpay's ways to give none.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref().filter(|reason| !matches!(*reason, "" | "NA"))
    }

    /// Why a payment failed. There is one, so where nobody answered for it, or where the customer may try it again in an
    /// app, it may still succeed.
    pub fn of_payment(self, is_upi: bool, host: &mut dyn Host) -> Decline {
        let word = self.word().to_owned();
        let is_answered = ANSWERED.find(&word).is_some();
        let table = if is_answered { &ANSWERED } else { &UNANSWERED };
        let decline = table.decline(&word, self.description.unwrap_or_default(), host);
        if is_answered && !is_upi { decline } else { decline.reopenable_for(REOPENABLE_S) }
    }

    /// Why a request was refused. Nothing came of it, so nothing can come of it later.
    pub fn of_request(self, host: &mut dyn Host) -> Decline {
        let word = self.word().to_owned();
        let table = match self.reason() {
            None => &REFUSED,
            Some(_) if UNANSWERED.find(&word).is_some() => &UNANSWERED,
            Some(_) => &ANSWERED,
        };
        table.decline(&word, self.description.unwrap_or_default(), host)
    }

    /// Whether the reason is one that somebody gave.
    pub fn is_answer(&self) -> bool {
        self.reason().is_some_and(|reason| ANSWERED.find(reason).is_some())
    }

    /// Whether the reason is one that Razorpay gives where nobody has answered.
    pub fn stands_in_for_an_answer(&self) -> bool {
        self.reason().is_some_and(|reason| UNANSWERED.find(reason).is_some())
    }

    fn word(&self) -> &str {
        self.reason().or(self.code.as_deref()).unwrap_or("unknown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_stands_in_two_tables_or_twice_in_one() {
        let mut seen = std::collections::BTreeSet::new();
        for (word, ..) in ANSWERED.0.iter().chain(UNANSWERED.0) {
            assert!(seen.insert(*word), "{word}");
        }
    }
}
