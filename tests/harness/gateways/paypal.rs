//! PayPal, at the simulator's face.

use serde_json::json;

use super::{Approval, Forged, Gateway, Lost, Steps, Way};
use crate::harness::bodies;

/// The client of a sandbox app.
const CLIENT_ID: &str = "AZ5f2d7c91e4b84a0f9d3e6b7a1c2d8e90";
/// Its secret.
const CLIENT_SECRET: &str = "EB1f0e7d6c5b4a392817f6e5d4c3b2a1";

/// Its row.
pub const PAYPAL: Gateway = Gateway {
    name: "paypal",
    base: "/paypal",
    settings: &[("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)],
    merchant: CLIENT_ID,
    webhook_secret: "",
    currency: "EUR",
    more: || json!({}),
    declined: (bodies::POOR, "insufficient_funds"),
    charges: "/v2/checkout/orders",
    lost: Lost::SentAgain,
    forged: Forged::AskedAbout,
    ways: &[
        Way { method: || json!({ "type": "wallet", "wallet": { "provider": "paypal" } }), approval: Approval::OnPage },
        Way { method: || json!({ "type": "gateway_token", "gateway_token": "8kk8451t" }), approval: Approval::Unasked },
    ],
    steps: Steps::ALL,
    tells_later: false,
};
