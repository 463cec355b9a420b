//! An authorization that nobody can find out about, at a gateway that calls off by our own id: after the last question, and
//! before a person is asked. Nobody's success is taken away by it, and nothing is called a success before its cancel has
//! spoken.

use std::os::unix::process::ExitStatusExt as _;

use interlock_tests::harness::{
    Caller, Merchant, TokenGateway, World, bodies, eventually,
    merchant::{GATEWAY_API_KEY, GATEWAY_WEBHOOK_SECRET},
};
use serde_json::{Value, json};

use super::{
    fault_kit::quick,
    life_kit::active,
    webhook_kit::{Charge, deliver, latest_charge, signed},
};

/// Two checks, and as long as the second pause to hear what became of the cancel.
const DELAYS: &str = "0.2,8";
/// Of a payment whose merchant waits.
const KEY: &str = "k";

/// A payment whose outcome nobody can read, and a gateway in front of which a test may stand.
struct Story {
    world: World,
    gateway: TokenGateway,
    merchant: Merchant,
}

impl Story {
    async fn begin() -> Self {
        let world = quick().setting("INTERLOCK_GATEWAY_TIMEOUT_MS", "10000").setting("INTERLOCK_LEASE_MS", "12000");
        let world = world.setting("INTERLOCK_VERIFY_DELAYS", DELAYS).start().await;
        active(&world, "0.9.0", "calls_off").await;
        let gateway = TokenGateway::before(&world.simulator.url).await;
        let mut merchant = Merchant::make(&world.operator(), "in the dark").await;
        // The charge is made, and whatever is asked about it nothing is understood.
        let body = json!({ "connector": "hostile", "name": "in the dark", "settings": {
            "base_url": gateway.url, "api_key": GATEWAY_API_KEY, "webhook_secret": GATEWAY_WEBHOOK_SECRET,
            "behaviour": "fail_always", "sessions": "on",
        }});
        merchant.account = world.of(&merchant).post("/v1/gateway_accounts", "dark", &body).await.expect(201).id();
        Self { world, gateway, merchant }
    }

    fn caller(&self) -> Caller {
        self.world.of(&self.merchant)
    }

    async fn pays(&self, capture: &str) -> String {
        let answer = self.caller().pay(KEY, bodies::GOOD, 1_250, capture).await.expect(202);
        assert_eq!(answer.payment_status(), "pending_verification", "{}", answer.text());
        answer.id()
    }

    /// The cancels that the host has begun by itself.
    async fn cancels(&self) -> Vec<String> {
        self.world.db_texts("select input::text from operations where kind = 'cancel' and purpose = 'call_off'").await
    }

    /// Waits until the cancel is on its way, and is held there.
    async fn is_being_called_off(&self) {
        eventually("the cancel is at the gateway", async || {
            let calls = self.gateway.calls();
            if calls.iter().any(|call| call.path.ends_with("/cancel")) { Ok(()) } else { Err(format!("{calls:?}")) }
        })
        .await;
    }

    /// The gateway tells that this was approved: held, or taken, as it was asked.
    async fn tells(&self, charge: &Charge) {
        let event = json!({ "id": "late", "operation": charge.operation, "reference": charge.id, "amount": 1_250,
                            "currency": "EUR", "proof": "whole", "approved": true });
        let body = json!({ "events": [event] }).to_string();
        let signature = signed(GATEWAY_WEBHOOK_SECRET, body.as_bytes());
        let told = deliver(&self.world, &self.merchant.account, &[("x-signature", &signature)], body).await;
        assert_eq!(told.status, 200, "{}", told.text());
    }

    /// The key has its answer, of a payment in this status.
    async fn is_answered(&self, capture: &str, status: &str) {
        let answer = self.caller().pay(KEY, bodies::GOOD, 1_250, capture).await.expect(201);
        assert!(answer.is_replay(), "{}", answer.text());
        assert_eq!(answer.payment_status(), status, "{}", answer.text());
    }
}

/// The gateway holds the money, and nobody knows. It is called off by the authorization's id; the payment is cancelled when
/// the gateway has said so, and the merchant who has waited all the time gets that for an answer.
#[tokio::test]
async fn what_nobody_can_find_out_is_called_off() {
    let story = Story::begin().await;
    let payment = story.pays("manual").await;
    let charge = latest_charge(&story.world).await;
    story.caller().payment_has(&payment, &json!({ "status": "cancelled", "amount_captured": 0 })).await;
    let cancels = story.cancels().await;
    assert_eq!(cancels.len(), 1);
    assert!(cancels[0].contains(&charge.operation), "{} does not name {}", cancels[0], charge.operation);
    assert_eq!(story.world.simulator.charges().await[0]["status"], "cancelled");
    assert_eq!(story.caller().states(&payment).await, ["created", "processing", "pending_verification", "cancelled"]);
    assert_eq!(story.world.reviews_of(&payment).await, Vec::<String>::new());
    story.is_answered("manual", "cancelled").await;
    assert_eq!(story.world.db_count("select count(*) from work where kind <> 'expiry'").await, 0);
}

/// The gateway has heard of nothing that could be called off. That says nothing of what is still on its way: a person is
/// asked, as without this way.
#[tokio::test]
async fn what_cannot_be_called_off_is_left_to_a_person() {
    let story = Story::begin().await;
    let lost = json!({ "match": { "method": "POST" }, "times": 100, "fault": "drop_before" });
    story.world.simulator.add_faults(&lost).await;
    let payment = story.pays("automatic").await;
    story.caller().payment_has(&payment, &json!({ "status": "manual_review" })).await;
    assert_eq!(story.cancels().await.len(), 1);
    assert_eq!(story.world.reviews_of(&payment).await, ["unresolved"]);
    let authorize = story.world.operations_of(&payment, "authorize").await.remove(0);
    let sent = story.world.simulator.sent(&authorize).await;
    // Nothing is sent again once it was called off, whoever asks.
    story.caller().step(&payment, "sync", "again", &json!({})).await;
    assert_eq!(story.world.simulator.sent(&authorize).await, sent);
}

/// While it is being called off the gateway tells that the money is held. It is shown, and goes when the cancel is done.
#[tokio::test]
async fn what_turns_out_to_be_held_is_cancelled_all_the_same() {
    let story = Story::begin().await;
    story.gateway.hold_calls_to("/cancel");
    let payment = story.pays("manual").await;
    let charge = latest_charge(&story.world).await;
    story.is_being_called_off().await;
    story.tells(&charge).await;
    story.caller().payment_has(&payment, &json!({ "status": "authorized" })).await;
    story.caller().step(&payment, "capture", "c", &json!({})).await.expect_problem(409, "operation_in_progress");
    story.gateway.let_go();
    story.caller().payment_has(&payment, &json!({ "status": "cancelled", "amount_captured": 0 })).await;
    assert_eq!(story.world.simulator.charges().await[0]["status"], "cancelled");
}

/// While it is being called off the gateway tells that the money is taken. Nobody is told of a success before the cancel has
/// spoken; it came too late, and what the gateway said holds.
#[tokio::test]
async fn what_was_taken_before_its_cancel_succeeds_after_it() {
    let story = Story::begin().await;
    story.gateway.hold_calls_to("/cancel");
    let payment = story.pays("automatic").await;
    let charge = latest_charge(&story.world).await;
    story.is_being_called_off().await;
    story.tells(&charge).await;
    let shown = story.caller().payment_has(&payment, &json!({ "status": "authorized" })).await;
    assert_eq!(shown["amount_captured"], 0);
    story.gateway.let_go();
    story.caller().payment_has(&payment, &json!({ "status": "succeeded", "amount_captured": 1_250 })).await;
    let states = story.caller().states(&payment).await;
    assert_eq!(states, ["created", "processing", "pending_verification", "authorized", "succeeded"]);
    assert_eq!(story.world.reviews_of(&payment).await, Vec::<String>::new());
    assert_eq!(story.caller().payment(&payment).await["last_error"], Value::Null);
}

/// The host has found what is to be called off, has written that down, and dies before it is sent. Another one brings both to
/// their end.
#[tokio::test]
async fn a_host_may_die_while_it_calls_off() {
    let mut story = Story::begin().await;
    story.world.host_mut(0).kill().await;
    story.world.host_mut(0).start_again(&[("INTERLOCK_FAULT", "cancel/after_next_exchange")]).await;
    let answer = story.caller().try_post("/v1/payments", KEY, &held()).await;
    assert!(answer.is_ok_and(|answer| answer.payment_status() == "pending_verification"));
    let status = story.world.host_mut(0).ended().await;
    assert!(status.signal().is_some(), "it was to abort, and ended with {status}");
    assert_eq!(story.cancels().await.len(), 1);
    story.world.host_mut(0).start_again(&[]).await;
    eventually("the payment has ended", async || {
        let status = story.world.db_text("select status from payments").await.unwrap_or_default();
        if ["cancelled", "manual_review"].contains(&status.as_str()) { Ok(()) } else { Err(status) }
    })
    .await;
    eventually("the gateway holds nothing", async || {
        let status = story.world.simulator.charges().await[0]["status"].clone();
        if status == "cancelled" { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    assert_eq!(story.cancels().await.len(), 1);
}

fn held() -> Value {
    bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": 1_250, "capture_method": "manual" }))
}
