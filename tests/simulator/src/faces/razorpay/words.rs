//! Why a payment fails, in Razorpay's words.

use crate::gateway::charges::Decline;

/// `error_code`, `error_reason` and their like.
#[derive(Clone, Copy)]
pub struct Words {
    pub code: &'static str,
    pub reason: &'static str,
    pub description: &'static str,
    pub source: &'static str,
    pub step: &'static str,
}

const BAD_REQUEST: &str = "BAD_REQUEST_ERROR";
const GATEWAY: &str = "GATEWAY_ERROR";
const AUTHENTICATION: &str = "payment_authentication";
const AUTHORIZATION: &str = "payment_authorization";

/// Nobody answered within 10 minutes.
pub const TIMED_OUT: Words = Words {
    code: BAD_REQUEST,
    reason: "payment_timed_out",
    description: "Your payment could not be completed due to a temporary issue. Try again later.",
    source: "customer",
    step: AUTHENTICATION,
};
const CANCELLED: Words = Words {
    code: BAD_REQUEST,
    reason: "payment_cancelled",
    description: "Your payment has been cancelled. Try again or complete the payment later.",
    source: "customer",
    step: AUTHENTICATION,
};
const NO_FUNDS: Words = Words {
    code: BAD_REQUEST,
    reason: "insufficient_funds",
    description: "Your payment could not be completed due to insufficient account balance. Try another card or payment \
                  method.",
    source: "issuer_bank",
    step: AUTHORIZATION,
};
const CARD_DECLINED: Words = Words {
    code: BAD_REQUEST,
    reason: "card_declined",
    description: "Your payment did not go through as it was declined by the bank. Try another payment method or contact \
                  your bank.",
    source: "issuer_bank",
    step: AUTHORIZATION,
};
const CARD_DISABLED: Words = Words {
    code: BAD_REQUEST,
    reason: "card_disabled_for_online_payments",
    description: "Your card is disabled for online payments. Please reach to your bank or try with another card.",
    source: "issuer_bank",
    step: AUTHORIZATION,
};
const CARD_NUMBER: Words = Words {
    code: BAD_REQUEST,
    reason: "card_number_invalid",
    description: "You have entered an incorrect card number. Try again.",
    source: "customer",
    step: "payment_initiation",
};
const CARD_EXPIRED: Words = Words {
    code: BAD_REQUEST,
    reason: "card_expired",
    description: "The payment could not be completed because the customer's card is expired.",
    source: "customer",
    step: "payment_initiation",
};
const BANK_SILENT: Words = Words {
    code: GATEWAY,
    reason: "gateway_technical_error",
    description: "Your payment did not go through due to a temporary issue. Any debited amount will be refunded in 4-5 \
                  business days.",
    source: "gateway",
    step: AUTHORIZATION,
};
const NOT_AUTHENTICATED: Words = Words {
    code: GATEWAY,
    reason: "authentication_failed",
    description: "Your payment could not be completed due to incorrect OTP or verification details. Try another payment \
                  method or contact your bank for details.",
    source: "customer",
    step: AUTHENTICATION,
};
/// The customer may try again in the app, under the same payment.
pub const INCORRECT_PIN: Words = Words {
    code: BAD_REQUEST,
    reason: "incorrect_pin",
    description: "You have entered an incorrect UPI PIN. Try again.",
    source: "customer",
    step: AUTHENTICATION,
};
/// What Razorpay's page of the test address `failure@razorpay` says.
pub const UPI_FAILED: Words = Words {
    code: BAD_REQUEST,
    reason: "payment_failed",
    description: "Payment was unsuccessful due to a temporary issue. If amount got deducted, it will be refunded within \
                  5-7 working days.",
    source: "gateway",
    step: "payment_response",
};

/// Razorpay's test cards for errors: the failure that the bank's page leads to.
const TEST_CARDS: [(&str, Words); 12] = [
    ("4100280000090000", TIMED_OUT),
    ("5305620000060000", TIMED_OUT),
    ("4100280000080001", NO_FUNDS),
    ("5305620000050001", NO_FUNDS),
    ("4100280000070002", CANCELLED),
    ("5305620000040002", CANCELLED),
    ("4100280000060003", CARD_DECLINED),
    ("5305620000030003", CARD_DECLINED),
    ("4100280000030006", CARD_DISABLED),
    ("4100280000010008", CARD_NUMBER),
    ("4100280000020007", BANK_SILENT),
    ("4100280000000009", NOT_AUTHENTICATED),
];
/// Razorpay's test cards for payments that go well.
const GOOD_CARDS: [&str; 5] =
    ["4100280000001007", "5500670000001002", "6527658900001005", "36082800091007", "340256000401007"];

/// Whether it is one of Razorpay's test cards. All of them lead to the bank's page first.
pub fn is_test_card(number: &str) -> bool {
    GOOD_CARDS.contains(&number) || of_test_card(number).is_some()
}

/// How a payment with this card fails where the customer declines on the bank's page.
pub fn of_test_card(number: &str) -> Option<Words> {
    TEST_CARDS.iter().find(|(known, _)| *known == number).map(|(_, words)| *words)
}

/// The words for a decline of the ledger. One that may still become a success is one that nobody answered.
pub fn of(decline: Option<Decline>, may_come_back: bool) -> Words {
    match decline.map(|decline| decline.code) {
        _ if may_come_back => BANK_SILENT,
        Some("insufficient_funds") => NO_FUNDS,
        Some("expired_card") => CARD_EXPIRED,
        Some("incorrect_number") => CARD_NUMBER,
        Some("bank_silent") => BANK_SILENT,
        Some("authentication_failed") => NOT_AUTHENTICATED,
        Some("customer_declined") => UPI_FAILED,
        _ => CARD_DECLINED,
    }
}
