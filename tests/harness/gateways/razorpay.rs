//! Razorpay, at the simulator's face.

use serde_json::json;

use super::{Approval, Forged, Gateway, Lost, Steps, Way};
use crate::harness::bodies;

/// The id of a test key.
const KEY_ID: &str = "rzp_test_5f2d7c91e4b84a";
/// Its secret.
const KEY_SECRET: &str = "0f9d3e6b7a1c2d8e905f2d7c91";
/// The secret of its webhook.
const WEBHOOK_SECRET: &str = "8b1f0e7d6c5b4a392817f6e5d4c3b2a1";

/// Its row.
pub const RAZORPAY: Gateway = Gateway {
    name: "razorpay",
    base: "/razorpay",
    settings: &[("key_id", KEY_ID), ("key_secret", KEY_SECRET), ("webhook_secret", WEBHOOK_SECRET)],
    merchant: KEY_ID,
    webhook_secret: WEBHOOK_SECRET,
    currency: "INR",
    more: || {
        json!({ "customer": {
            "email": "ada@example.com", "phone": "+919876543210", "ip": "192.0.2.1", "user_agent": "Mozilla/5.0",
            "browser": { "accept": "text/html", "language": "en-IN", "color_depth": 24, "screen_height": 900,
                         "screen_width": 1440, "timezone_offset_minutes": -330, "java": false, "java_script": true },
        } })
    },
    declined: (bodies::POOR, "insufficient_funds"),
    charges: "/v1/payments/create",
    lost: Lost::GivenUp { after_s: 900 },
    forged: Forged::Refused,
    ways: &[
        Way { method: || json!({ "type": "upi", "upi": { "flow": "intent" } }), approval: Approval::InApp },
        Way { method: || json!({ "type": "upi", "upi": { "flow": "qr" } }), approval: Approval::InApp },
        Way {
            method: || json!({ "type": "upi", "upi": { "flow": "collect", "vpa": "success@razorpay" } }),
            approval: Approval::InApp,
        },
    ],
    steps: Steps { partial_capture: false, multiple_capture: false, cancel: false, partial_refund: true },
    tells_later: false,
};
