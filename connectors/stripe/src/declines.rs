//! Stripe's words for declines and refusals, and what may be tried after them.
//!
//! Sources: <https://docs.stripe.com/declines/codes>, <https://docs.stripe.com/error-codes>, the lists of codes in
//! Stripe's public libraries.

use interlock_connector::types::{Decline, DeclineCode, Pairs, RetryAdvice};
use interlock_connector::{DeclineTable, Host};
use serde::Deserialize;

use crate::intent::Intent;

/// What stands under `error` in a reply, and under `last_payment_error` in a payment intent.
#[derive(Default, Deserialize)]
pub struct Error {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<String>,
    /// The issuer's reason, or what Stripe makes of it.
    pub decline_code: Option<String>,
    /// What the issuer wants to be done next.
    pub advice_code: Option<String>,
    pub network_decline_code: Option<String>,
    pub message: Option<String>,
    /// The payment that the error is about; in a reply alone.
    pub payment_intent: Option<Box<Intent>>,
}

impl Error {
    /// As a decline of what `about` names. `references` is what later operations are to know.
    pub fn decline(self, about: Option<String>, references: Pairs, host: &mut dyn Host) -> Decline {
        let Self { kind, code, decline_code, advice_code, network_decline_code, message, .. } = self;
        let is_issuers = decline_code.is_some();
        let word = decline_code.or(code).or_else(|| kind.clone()).unwrap_or_default();
        let mut decline = WORDS.decline(&word, message.unwrap_or_default(), host);
        // Of a code that no table has, the error's type says at least whose fault it is.
        if let Some((code, advice)) = kind.and_then(|kind| WORDS.find(&kind))
            && !is_issuers
            && WORDS.find(&word).is_none()
        {
            (decline.code, decline.advice) = (code, advice);
        }
        // The issuer's own advice is worth more than ours. An unknown one says nothing.
        decline.advice = match advice_code.as_deref() {
            // The customer has to look at what was entered first; there is nothing to repeat by itself.
            Some("do_not_try_again" | "confirm_card_data") => RetryAdvice::Never,
            Some("try_again_later") => RetryAdvice::SameGatewayLater,
            _ => decline.advice,
        };
        let decline = decline.with_network_code(network_decline_code.as_deref()).with_references(references);
        Decline { gateway_reference: about, ..decline }
    }
}

/// Decline codes of issuers, and error codes of Stripe's. Where the account or the request is at fault, another gateway
/// may well take the payment; where the issuer or the card is, only what says "not just now" is worth another question.
const WORDS: DeclineTable = DeclineTable(&[
    // ---- issuers
    ("approve_with_id", DeclineCode::DoNotHonor, RetryAdvice::SameGatewayLater),
    ("authentication_not_handled", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("authentication_required", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("call_issuer", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("card_declined", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("card_not_supported", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("card_velocity_exceeded", DeclineCode::LimitExceeded, RetryAdvice::Never),
    ("currency_not_supported", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("do_not_honor", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("do_not_try_again", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("duplicate_transaction", DeclineCode::Other, RetryAdvice::Never),
    ("expired_card", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("fraudulent", DeclineCode::FraudSuspected, RetryAdvice::Never),
    ("generic_decline", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("incorrect_address", DeclineCode::Other, RetryAdvice::Never),
    ("incorrect_cvc", DeclineCode::IncorrectCvc, RetryAdvice::Never),
    ("incorrect_number", DeclineCode::IncorrectNumber, RetryAdvice::Never),
    ("incorrect_pin", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    ("incorrect_postal_code", DeclineCode::Other, RetryAdvice::Never),
    ("incorrect_zip", DeclineCode::Other, RetryAdvice::Never),
    ("india_recurring_payment_mandate_canceled", DeclineCode::CustomerCancelled, RetryAdvice::Never),
    ("insufficient_funds", DeclineCode::InsufficientFunds, RetryAdvice::OtherGateway),
    ("invalid_account", DeclineCode::IncorrectNumber, RetryAdvice::Never),
    ("invalid_amount", DeclineCode::LimitExceeded, RetryAdvice::Never),
    ("invalid_cvc", DeclineCode::IncorrectCvc, RetryAdvice::Never),
    ("invalid_expiry_month", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("invalid_expiry_year", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("invalid_number", DeclineCode::IncorrectNumber, RetryAdvice::Never),
    ("invalid_pin", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    ("issuer_not_available", DeclineCode::GatewayError, RetryAdvice::OtherGateway),
    ("lost_card", DeclineCode::LostOrStolen, RetryAdvice::Never),
    ("merchant_blacklist", DeclineCode::FraudSuspected, RetryAdvice::Never),
    ("mobile_device_authentication_required", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("new_account_information_available", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("no_action_taken", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("not_permitted", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("offline_pin_required", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("online_or_offline_pin_required", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("pickup_card", DeclineCode::LostOrStolen, RetryAdvice::Never),
    ("pin_try_exceeded", DeclineCode::LimitExceeded, RetryAdvice::Never),
    ("processing_error", DeclineCode::GatewayError, RetryAdvice::OtherGateway),
    ("reenter_transaction", DeclineCode::GatewayError, RetryAdvice::SameGatewayLater),
    ("requires_action_not_handled", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("restricted_card", DeclineCode::LostOrStolen, RetryAdvice::Never),
    ("revocation_of_all_authorizations", DeclineCode::CustomerCancelled, RetryAdvice::Never),
    ("revocation_of_authorization", DeclineCode::CustomerCancelled, RetryAdvice::Never),
    ("security_violation", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("service_not_allowed", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("stolen_card", DeclineCode::LostOrStolen, RetryAdvice::Never),
    ("stop_payment_order", DeclineCode::CustomerCancelled, RetryAdvice::Never),
    ("testmode_decline", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("transaction_not_allowed", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("try_again_later", DeclineCode::GatewayError, RetryAdvice::SameGatewayLater),
    ("withdrawal_count_limit_exceeded", DeclineCode::LimitExceeded, RetryAdvice::Never),
    // ---- the customer's authentication
    ("payment_intent_action_required", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("payment_intent_authentication_failure", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    ("payment_intent_payment_attempt_expired", DeclineCode::Expired, RetryAdvice::Never),
    ("payment_intent_payment_attempt_failed", DeclineCode::Other, RetryAdvice::Never),
    // ---- the payment cannot take what was asked for
    ("amount_too_large", DeclineCode::LimitExceeded, RetryAdvice::OtherGateway),
    ("amount_too_small", DeclineCode::LimitExceeded, RetryAdvice::OtherGateway),
    ("balance_insufficient", DeclineCode::Misconfigured, RetryAdvice::SameGatewayLater),
    ("capture_charge_authorization_expired", DeclineCode::Expired, RetryAdvice::Never),
    ("capture_unauthorized_payment", DeclineCode::Other, RetryAdvice::Never),
    ("card_decline_rate_limit_exceeded", DeclineCode::LimitExceeded, RetryAdvice::Never),
    ("charge_already_captured", DeclineCode::Other, RetryAdvice::Never),
    ("charge_already_refunded", DeclineCode::Other, RetryAdvice::Never),
    ("charge_disputed", DeclineCode::Other, RetryAdvice::Never),
    ("charge_exceeds_source_limit", DeclineCode::LimitExceeded, RetryAdvice::OtherGateway),
    ("charge_exceeds_transaction_limit", DeclineCode::LimitExceeded, RetryAdvice::OtherGateway),
    ("charge_expired_for_capture", DeclineCode::Expired, RetryAdvice::Never),
    ("charge_not_refundable", DeclineCode::Other, RetryAdvice::Never),
    ("expired_payment_method", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("intent_invalid_state", DeclineCode::Other, RetryAdvice::Never),
    ("payment_intent_mandate_invalid", DeclineCode::Other, RetryAdvice::Never),
    ("payment_intent_rate_limit_exceeded", DeclineCode::GatewayError, RetryAdvice::SameGatewayLater),
    ("payment_intent_unexpected_state", DeclineCode::Other, RetryAdvice::Never),
    ("payment_method_customer_decline", DeclineCode::CustomerCancelled, RetryAdvice::Never),
    ("payment_method_provider_decline", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("payment_method_provider_timeout", DeclineCode::GatewayError, RetryAdvice::OtherGateway),
    ("payment_method_unexpected_state", DeclineCode::Other, RetryAdvice::Never),
    ("postal_code_invalid", DeclineCode::Other, RetryAdvice::Never),
    ("refund_disputed_payment", DeclineCode::Other, RetryAdvice::Never),
    ("status_transition_invalid", DeclineCode::Other, RetryAdvice::Never),
    ("token_already_used", DeclineCode::Other, RetryAdvice::Never),
    ("token_in_use", DeclineCode::Other, RetryAdvice::Never),
    // ---- the account or the request
    ("account_invalid", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("action_blocked", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("api_key_expired", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("authentication_error", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("capability_not_active", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("card_error", DeclineCode::Other, RetryAdvice::Never),
    ("charge_invalid_parameter", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("country_code_invalid", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("country_unsupported", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("email_invalid", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("invalid_card_type", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("invalid_characters", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("invalid_charge_amount", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("invalid_request_error", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("livemode_mismatch", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("parameter_invalid_empty", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("parameter_invalid_integer", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("parameter_invalid_string_blank", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("parameter_invalid_string_empty", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("parameter_missing", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("parameter_unknown", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("parameters_exclusive", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("payment_intent_incompatible_payment_method", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("payment_intent_invalid_parameter", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("payment_method_billing_details_address_missing", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("payment_method_currency_mismatch", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("payment_method_invalid_parameter", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("payment_method_not_available", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("payment_method_restricted", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("payment_method_unactivated", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("payment_method_unsupported_type", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("platform_api_key_expired", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("request_blocked", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("resource_missing", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("secret_key_required", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("testmode_charges_only", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("tls_version_unsupported", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("token_card_network_invalid", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("url_invalid", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
]);
