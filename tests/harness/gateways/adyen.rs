//! Adyen, at the simulator's face.

use serde_json::json;

use super::{Approval, Forged, Gateway, Lost, Steps, Way};
use crate::harness::bodies;

/// The API key of a test account.
const API_KEY: &str = "AQE5f2d7c91e4b84a0f9d3e6b7a1c2d8e90-x";
/// The HMAC key of its webhook, in hexadecimal digits.
const WEBHOOK_SECRET: &str = "8B1F0E7D6C5B4A392817F6E5D4C3B2A18B1F0E7D6C5B4A392817F6E5D4C3B2A1";

/// Its row.
pub const ADYEN: Gateway = Gateway {
    name: "adyen",
    base: "/adyen",
    settings: &[("api_key", API_KEY), ("merchant_account", "InterlockCOM"), ("webhook_secret", WEBHOOK_SECRET)],
    merchant: API_KEY,
    webhook_secret: WEBHOOK_SECRET,
    currency: "EUR",
    more: || json!({ "customer": { "reference": "customer-7" } }),
    declined: (bodies::POOR, "insufficient_funds"),
    charges: "/v71/payments",
    lost: Lost::SentAgain,
    forged: Forged::Refused,
    ways: &[
        Way {
            method: || json!({ "type": "wallet", "wallet": { "provider": "apple_pay", "token": "an-apple-pay-token" } }),
            approval: Approval::Unasked,
        },
        Way {
            method: || json!({ "type": "wallet", "wallet": { "provider": "google_pay", "token": "a-google-pay-token" } }),
            approval: Approval::Unasked,
        },
        // Stored methods are the customer's: the payment needs his reference.
        Way {
            method: || json!({ "type": "gateway_token", "gateway_token": "M5N7TQ4TG5PFWR50" }),
            approval: Approval::Unasked,
        },
    ],
    steps: Steps::ALL,
    tells_later: true,
};
