//! Gateways as they are: with and without idempotency keys, with and without look-up, and those that only ever tell by
//! webhook. In each, every operation meets every silence, and ends as its gateway allows: by proof, or with a person.

use futures_util::future::join_all;
use interlock_tests::harness::{Builder, Caller, Merchant, World, bodies, eventually};
use serde_json::{Value, json};

use super::fault_kit::{quick, shop};

/// As the mock connector declares: after so long, what the gateway has not heard of is not on its way any more.
const LOOKUP_SETTLES_S: u32 = 30;

/// What goes wrong with the call that acts, if anything.
const SILENCES: [(&str, &str); 5] = [
    ("answered", "null"),
    ("acted and dropped", r#""act_then_drop""#),
    ("dropped before", r#""drop_before""#),
    ("answered too late", r#"{"delay":{"ms":2500,"when":"after"}}"#),
    ("acted too late", r#"{"delay":{"ms":2500,"when":"before"}}"#),
];

const VERBS: [&str; 4] = ["authorize", "capture", "cancel", "refunds"];

/// How a story ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As it was to be.
    Done,
    /// It is proved that nothing happened.
    NothingHappened,
    /// A person must say.
    Person,
}

/// One operation under one silence.
struct Story {
    name: String,
    verb: &'static str,
    silent: bool,
    acted: bool,
    amount: i64,
    caller: Caller,
    payment: String,
    /// The operation's public id, by which the gateway knows it.
    operation: String,
}

/// Every operation under every silence, each at a shop of its own: one account's breaker has no say in another's story.
async fn stories(world: &World, settings: &[(&str, &str)]) -> Vec<Story> {
    let mut begun = Vec::new();
    for (number, (silence, fault)) in SILENCES.into_iter().enumerate() {
        for (place, verb) in VERBS.into_iter().enumerate() {
            let amount = i64::try_from(1_000 + number * 10 + place).expect("small");
            let merchant = shop(world, &format!("{verb}, {silence}"), settings).await;
            begun.push(begin(world, merchant, verb, silence, fault, amount));
        }
    }
    join_all(begun).await
}

async fn begin(
    world: &World,
    merchant: Merchant,
    verb: &'static str,
    silence: &str,
    fault: &str,
    amount: i64,
) -> Story {
    let caller = world.of(&merchant);
    let before = match verb {
        "authorize" => None,
        "refunds" => Some(caller.paid("before", amount).await),
        _ => Some(caller.held("before", amount).await),
    };
    let fault: Value = serde_json::from_str(fault).expect("a fault");
    if !fault.is_null() {
        let rule = json!({ "match": { "method": "POST", "amount": amount }, "times": 1, "fault": fault });
        world.simulator.add_faults(&rule).await;
    }
    let answer = match &before {
        None => caller.pay("key", bodies::GOOD, amount, "automatic").await,
        Some(id) => caller.step(id, verb, "key", &json!({})).await,
    };
    let silent = !fault.is_null();
    assert_eq!(answer.status == 202, silent, "{verb}, {silence}: {}", answer.text());
    let payment = before.unwrap_or_else(|| answer.id());
    let kind = if verb == "refunds" { "refund" } else { verb };
    let operation = world.operations_of(&payment, kind).await.remove(0);
    let acted = !matches!(silence, "dropped before");
    Story { name: format!("{verb}, {silence}"), verb, silent, acted, amount, caller, payment, operation }
}

impl Story {
    /// What the payment or the refund is to be in the end, member by member.
    fn wanted(&self, end: End) -> Value {
        let amount = self.amount;
        match (self.verb, end) {
            ("authorize", End::Done) => json!({ "status": "succeeded", "amount_captured": amount }),
            ("authorize", End::NothingHappened) => json!({ "status": "failed", "amount_captured": 0 }),
            ("authorize", End::Person) => json!({ "status": "manual_review" }),
            ("capture", End::Done) => json!({ "status": "succeeded", "amount_captured": amount }),
            ("cancel", End::Done) => json!({ "status": "cancelled", "amount_captured": 0 }),
            ("capture" | "cancel", End::NothingHappened) => {
                json!({ "status": "authorized", "amount_capturable": amount, "amount_captured": 0 })
            }
            ("capture" | "cancel", End::Person) => json!({ "status": "authorized", "amount_captured": 0 }),
            (_, End::Done) => json!({ "status": "refunded", "amount_refunded": amount }),
            _ => json!({ "status": "succeeded", "amount_captured": amount, "amount_refunded": 0 }),
        }
    }

    async fn ends(&self, world: &World, end: End) {
        self.caller.payment_has(&self.payment, &self.wanted(end)).await;
        if end == End::Person {
            eventually(&format!("{}: a person is told", self.name), async || {
                let reviews = world.reviews_of(&self.payment).await;
                if reviews == ["unresolved"] { Ok(()) } else { Err(format!("{reviews:?}")) }
            })
            .await;
        }
        if self.verb == "refunds" {
            let status = match end {
                End::Done => "succeeded",
                End::NothingHappened => "failed",
                End::Person => "manual_review",
            };
            assert_eq!(self.caller.refund_becomes(&self.operation, status).await["amount"], self.amount);
        }
        if end != End::Person {
            self.key_has_its_answer().await;
        }
    }

    /// The same request gets the final answer, and the same bytes from then on.
    async fn key_has_its_answer(&self) {
        let ask = async || match self.verb {
            "authorize" => self.caller.pay("key", bodies::GOOD, self.amount, "automatic").await,
            verb => self.caller.step(&self.payment, verb, "key", &json!({})).await,
        };
        let answer = ask().await;
        let expected = if matches!(self.verb, "authorize" | "refunds") { 201 } else { 200 };
        assert_eq!(answer.status, expected, "{}: {}", self.name, answer.text());
        let again = ask().await;
        assert!(again.is_replay() && again.bytes == answer.bytes, "{}", self.name);
    }
}

/// As if every outcome had become unknown so much earlier.
async fn time_passes(world: &World) {
    world
        .db_run(&format!(
            "update work set unknown_since = unknown_since - interval '{LOOKUP_SETTLES_S} s'
              where unknown_since is not null"
        ))
        .await;
}

/// How the gateway's books must look: nothing under two charges, no refund twice.
async fn nothing_was_done_twice(world: &World) {
    let ledger = world.ledger().await;
    assert_eq!(ledger["charged_twice"], json!([]));
    let entries = ledger["entries"].as_array().cloned().unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry["account"] == "customer") {
        let deed = format!("{} {}", entry["kind"], entry["reference"]);
        assert!(seen.insert(deed.clone()), "done twice: {deed}");
    }
}

/// The gateway knows keys: whatever happens, the same request again finds out, with or without a look-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_keys_is_sent_the_same_again() {
    let world = quick().start().await;
    for settings in [&[][..], &[("lookup", "none")]] {
        for story in stories(&world, settings).await {
            story.ends(&world, End::Done).await;
        }
    }
    nothing_was_done_twice(&world).await;
}

/// The gateway knows no keys and finds things by our reference: nothing is sent twice, it is asked. "Never heard of it"
/// counts when it is said twice and late enough, and then nothing happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_keys_is_asked() {
    let world = keyless().start().await;
    let stories = stories(&world, &[("resend", "never")]).await;
    let lost: Vec<_> = stories.iter().filter(|story| !story.acted).collect();
    eventually("it was said often enough", async || {
        match world.db_count("select coalesce(min(never_received), 2)::bigint from work where task = 'resolve'").await {
            2.. => Ok(()),
            said => Err(format!("{said}")),
        }
    })
    .await;
    for story in &lost {
        let waits = if story.verb == "authorize" { "pending_verification" } else { "authorized" };
        let waits = if story.verb == "refunds" { "succeeded" } else { waits };
        assert_eq!(story.caller.payment(&story.payment).await["status"], waits, "{}: too early to tell", story.name);
    }
    time_passes(&world).await;
    for story in &stories {
        story.ends(&world, if story.acted { End::Done } else { End::NothingHappened }).await;
        assert_eq!(world.simulator.sent(&story.operation).await, 1, "{}", story.name);
    }
    nothing_was_done_twice(&world).await;
}

/// No keys, no look-up, no webhooks: whatever the gateway did, a person decides. Nothing was sent twice, nothing asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_tells_nothing_is_for_a_person() {
    let world = keyless().setting("INTERLOCK_VERIFY_DELAYS", "0.3,0.3,0.3").start().await;
    let stories = stories(&world, &[("resend", "never"), ("lookup", "none")]).await;
    for story in &stories {
        story.ends(&world, if story.silent { End::Person } else { End::Done }).await;
        assert_eq!(world.simulator.sent(&story.operation).await, 1, "{}", story.name);
    }
    assert_eq!(world.simulator.calls("GET").await, 0);
    nothing_was_done_twice(&world).await;
}

/// The same gateway, with webhooks: what it did is found out by them alone; what it did not do stays with a person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_only_tells_by_webhook_is_believed() {
    let world = keyless().setting("INTERLOCK_VERIFY_DELAYS", "1,1,2,2,2").start().await;
    world.simulator.webhooks(json!({ "mode": "delayed", "delay_ms": 500, "events": "all" })).await;
    let settings = [("resend", "never"), ("lookup", "none")];
    let mut begun = Vec::new();
    let mut doors = Vec::new();
    for (number, (silence, fault)) in SILENCES.into_iter().enumerate() {
        for (place, verb) in VERBS.into_iter().enumerate() {
            let amount = i64::try_from(1_000 + number * 10 + place).expect("small");
            // A key of its own, so that the gateway tells this account of its own charges alone.
            let key = format!("gwsk_of_shop_{amount}");
            let mut own = settings.to_vec();
            own.push(("api_key", &key));
            let merchant = shop(&world, &format!("{verb}, {silence}"), &own).await;
            doors.push(world.listen_at(&merchant.account, &key).await);
            begun.push(begin(&world, merchant, verb, silence, fault, amount));
        }
    }
    let stories = join_all(begun).await;
    for story in &stories {
        story.ends(&world, if story.acted { End::Done } else { End::Person }).await;
        assert_eq!(world.simulator.sent(&story.operation).await, 1, "{}", story.name);
    }
    assert_eq!(world.simulator.calls("GET").await, 0);
    nothing_was_done_twice(&world).await;
}

fn keyless() -> Builder {
    quick().simulator_argument("--idempotency=off")
}
