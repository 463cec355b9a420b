//! How the gateways behave: a mix of faults for a while, then another.

use interlock_tests::harness::Simulator;
use serde_json::{Value, json};

use crate::dice::Dice;

/// One mix of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Mix {
    Calm,
    /// A little of everything.
    Usual,
    /// It acts, and its answers are lost.
    Silent,
    /// Nothing arrives.
    Outage,
    /// Some things take longer than a host waits, and are done when it has given up.
    Slow,
    /// Everything takes a while.
    Sluggish,
    /// It is busy and says so.
    Busy,
    /// Every second call fails somehow.
    Storm,
}

/// How webhooks travel meanwhile.
const WEBHOOKS: &[&str] = &["normal", "doubled", "reordered", "lost", "delayed"];

const MIXES: &[(u32, Mix)] =
    &[(3, Mix::Calm), (8, Mix::Usual), (2, Mix::Silent), (1, Mix::Outage), (1, Mix::Slow), (2, Mix::Busy)];

/// Changes the weather at a gateway; what it is now, for the report.
pub async fn change(gateway: &Simulator, dice: &mut Dice, hosts_listen: bool) -> Mix {
    let mix = dice.weighted(MIXES);
    let webhooks = dice.one(WEBHOOKS);
    set(gateway, mix, webhooks, hosts_listen).await;
    mix
}

/// Sets this weather. A gateway that changes its mind tells it by webhook alone: to hosts that do not listen it never
/// does.
pub async fn set(gateway: &Simulator, mix: Mix, webhooks: &str, hosts_listen: bool) {
    gateway.clear_faults().await;
    let mut random = mix.random();
    if !hosts_listen {
        for (part, fault) in
            ["probability", "parameters"].into_iter().flat_map(|part| CHANGES.map(|fault| (part, fault)))
        {
            random.get_mut(part).and_then(Value::as_object_mut).and_then(|part| part.remove(fault));
        }
    }
    let wish = json!({ "random": random, "webhooks": { "mode": webhooks, "delay_ms": 700, "events": "all" } });
    gateway.add_faults(&wish).await;
}

/// Faults that are told by webhook alone.
const CHANGES: [&str; 3] = ["late_success", "capture_fails_later", "refund_fails_later"];

impl Mix {
    /// As the simulator takes it. Delays before the deed stay below the time after which a gateway's "never received"
    /// counts, and are the reason why that time exists.
    fn random(self) -> Value {
        let delay = |ms: u64, when: &str| json!({ "delay": { "ms": ms, "when": when } });
        match self {
            Self::Calm => json!({ "probability": {} }),
            Self::Usual => json!({
                "probability": {
                    "delay": 0.05, "drop_before": 0.01, "act_then_drop": 0.02, "act_then_500": 0.01, "status_500": 0.01,
                    "status_409": 0.01, "not_processed_409": 0.01, "status_429": 0.01, "garbage": 0.01,
                    "huge_body": 0.003, "slow_body": 0.005, "truncated": 0.01, "late_success": 0.01, "pending": 0.01,
                    "redirect": 0.005, "echo_card": 0.01, "status": 0.01, "decline": 0.01, "capture_fails_later": 0.005,
                    "refund_fails_later": 0.005
                },
                "parameters": {
                    "delay": { "ms": 300, "when": "before" }, "huge_body": { "bytes": 3_000_000 },
                    "slow_body": { "ms_per_chunk": 20 }, "late_success": { "ms": 1_500 }, "pending": { "ms": 1_000 },
                    "status": { "code": 503, "act": true }, "capture_fails_later": { "ms": 1_200 },
                    "refund_fails_later": { "ms": 1_200 }
                }
            }),
            Self::Silent => json!({
                "probability": { "act_then_drop": 0.5, "act_then_500": 0.1, "truncated": 0.1 }, "methods": ["POST"]
            }),
            Self::Outage => json!({ "probability": { "drop_before": 0.9 } }),
            Self::Slow => json!({ "probability": { "delay": 0.3 }, "parameters": delay(3_000, "before") }),
            Self::Sluggish => json!({ "probability": { "delay": 1.0 }, "parameters": delay(200, "after") }),
            Self::Busy => json!({ "probability": { "status_429": 0.15, "not_processed_409": 0.15, "delay": 0.3 } }),
            Self::Storm => json!({
                "probability": { "act_then_drop": 0.35, "status_500": 0.25 }
            }),
        }
    }
}
