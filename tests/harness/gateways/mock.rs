//! The mock: our own protocol, at the root of the simulator.

use serde_json::json;

use super::{Approval, Forged, Gateway, Lost, Steps, Way};
use crate::harness::{
    bodies,
    merchant::{GATEWAY_API_KEY, GATEWAY_WEBHOOK_SECRET},
};

/// Its row.
pub const MOCK: Gateway = Gateway {
    name: "mock",
    base: "",
    settings: &[("api_key", GATEWAY_API_KEY), ("webhook_secret", GATEWAY_WEBHOOK_SECRET)],
    merchant: GATEWAY_API_KEY,
    webhook_secret: GATEWAY_WEBHOOK_SECRET,
    currency: "EUR",
    more: || json!({}),
    declined: (bodies::POOR, "insufficient_funds"),
    charges: "/charges",
    lost: Lost::SentAgain,
    forged: Forged::Refused,
    ways: &[
        Way { method: || json!({ "type": "wallet", "wallet": { "provider": "mock" } }), approval: Approval::OnPage },
        Way { method: || json!({ "type": "upi", "upi": { "flow": "intent" } }), approval: Approval::InApp },
        Way {
            method: || json!({ "type": "upi", "upi": { "flow": "collect", "vpa": "success@mock" } }),
            approval: Approval::InApp,
        },
    ],
    steps: Steps::ALL,
    tells_later: false,
};
