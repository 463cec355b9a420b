//! Stripe, at the simulator's face.

use serde_json::json;

use super::{Approval, Forged, Gateway, Lost, Steps, Way};
use crate::harness::bodies;

/// The secret key of a test account.
const API_KEY: &str = "sk_test_5f2d7c91e4b84a0f9d3e6b7a1c2d8e90";
/// The signing secret of its webhook endpoint.
const WEBHOOK_SECRET: &str = "whsec_8b1f0e7d6c5b4a392817f6e5d4c3b2a1";

/// Its row.
pub const STRIPE: Gateway = Gateway {
    name: "stripe",
    base: "/stripe",
    settings: &[("api_key", API_KEY), ("webhook_secret", WEBHOOK_SECRET), ("multicapture", "if_available")],
    merchant: API_KEY,
    webhook_secret: WEBHOOK_SECRET,
    currency: "EUR",
    more: || json!({}),
    declined: (bodies::POOR, "insufficient_funds"),
    charges: "/v1/payment_intents",
    lost: Lost::SentAgain,
    forged: Forged::Refused,
    ways: &[
        Way {
            method: || json!({ "type": "wallet", "wallet": { "provider": "apple_pay", "token": "tok_visa" } }),
            approval: Approval::Unasked,
        },
        Way {
            method: || json!({ "type": "gateway_token", "gateway_token": "pm_card_visa" }),
            approval: Approval::Unasked,
        },
        Way {
            method: || json!({ "type": "gateway_token", "gateway_token": "pm_card_threeDSecure2Required" }),
            approval: Approval::OnPage,
        },
    ],
    steps: Steps::ALL,
    tells_later: false,
};
