//! What nobody finishes: called off at the gateway first, and `expired` once the gateway has said so.

use interlock_tests::harness::{Builder, World, bodies, eventually};
use serde_json::json;

use super::fault_kit::quick;

/// A world in which customers have a second.
fn hasty() -> Builder {
    quick().setting("INTERLOCK_ACTION_TTL_S", "1").setting("INTERLOCK_CREATED_TTL_S", "1")
}

async fn nothing_is_under_way(world: &World) {
    eventually("nothing is under way any more", async || {
        let work = world.db_texts("select kind || ' ' || task from work").await;
        if work.is_empty() { Ok(()) } else { Err(format!("{work:?}")) }
    })
    .await;
}

/// Nobody has confirmed it: it ends without any gateway, and cannot be confirmed any more.
#[tokio::test]
async fn a_payment_that_nobody_confirms_expires() {
    let world = hasty().start().await;
    let id = world.post("/v1/payments", "p", &bodies::unconfirmed()).await.expect(201).id();
    world.payment_becomes(&id, "expired").await;
    assert_eq!(world.on(0).states(&id).await, ["created", "expired"]);
    assert_eq!(world.events_of(&id).await, ["payment.created", "payment.expired"]);
    assert_eq!(world.simulator.calls("POST").await, 0);
    let card = json!({ "payment_method": bodies::card(bodies::GOOD) });
    world.step(&id, "confirm", &card).await.expect_problem(409, "payment_not_confirmable");
    nothing_is_under_way(&world).await;
}

/// One that is confirmed in time does not.
#[tokio::test]
async fn a_payment_that_is_confirmed_does_not_expire() {
    let world = hasty().start().await;
    let id = world.post("/v1/payments", "p", &bodies::unconfirmed()).await.expect(201).id();
    let card = json!({ "payment_method": bodies::card(bodies::GOOD) });
    world.step(&id, "confirm", &card).await.expect(200);
    nothing_is_under_way(&world).await;
    assert_eq!(world.payment(&id).await["status"], "succeeded");
}

/// The customer never acts: cancelled at the gateway, then expired.
#[tokio::test]
async fn a_customer_who_never_acts_lets_it_expire() {
    let world = hasty().start().await;
    let id = world.on(0).challenged("pay", 1_000, "automatic").await.id();
    world.payment_becomes(&id, "expired").await;
    assert_eq!(world.simulator.charges().await[0]["status"], "cancelled");
    let events = world.events_of(&id).await;
    assert_eq!(events.last().map(String::as_str), Some("payment.expired"), "{events:?}");
    assert_eq!(world.operations_of(&id, "cancel").await.len(), 1);
    world.step(&id, "confirm", &json!({ "parameters": {} })).await.expect_problem(409, "payment_not_confirmable");
    nothing_is_under_way(&world).await;
}

/// The customer acts in the last moment and nobody tells us: the gateway refuses the cancel, and the money is ours.
#[tokio::test]
async fn a_customer_who_acts_in_the_last_moment_has_paid() {
    let world = hasty().start().await;
    let payment = world.on(0).challenged("pay", 1_000, "automatic").await;
    world.simulator.customer(&payment.json, "approve").await;
    world.payment_becomes(&payment.id(), "succeeded").await;
    nothing_is_under_way(&world).await;
    assert_eq!(world.simulator.charges().await[0]["captured"], 1_000);
}

/// The gateway does not answer when it is to be called off: that is no proof, and so it is not expired yet.
#[tokio::test]
async fn it_expires_by_proof_alone() {
    let world = hasty().start().await;
    let refuses = json!({ "match": { "path_prefix": "/charges/" }, "fault": "status_500" });
    world.simulator.add_faults(&refuses).await;
    let payment = world.on(0).challenged("pay", 1_000, "automatic").await;
    eventually("it is to be called off", async || {
        let calls = world.simulator.requests().await;
        let tried = calls.iter().filter(|call| call["fault"] == "status_500").count();
        if tried >= 3 { Ok(()) } else { Err(format!("{tried} calls")) }
    })
    .await;
    let status = world.payment(&payment.id()).await["status"].clone();
    assert!(status == "requires_action" || status == "pending_verification", "{status}");
    world.simulator.clear_faults().await;
    world.payment_becomes(&payment.id(), "expired").await;
    assert_eq!(world.simulator.charges().await[0]["status"], "cancelled");
    nothing_is_under_way(&world).await;
}

/// The gateway has called it off for us, and its reply is on its way, when somebody asks it about the charge itself: that
/// it is cancelled is our own cancel's doing, and the payment has expired, whichever of the two words comes first.
#[tokio::test]
async fn it_has_expired_whoever_says_first_that_it_is_called_off() {
    let world = hasty().start().await;
    let id = world.on(0).challenged("pay", 1_000, "automatic").await.id();
    world.simulator.fail_next_steps(1, json!({ "delay": { "ms": 1_000, "when": "after" } })).await;
    eventually("the gateway has called it off", async || {
        let charges = world.simulator.charges().await;
        if charges[0]["status"] == "cancelled" { Ok(()) } else { Err(format!("{charges:?}")) }
    })
    .await;
    world.step(&id, "sync", &json!({})).await.expect(200);
    world.payment_becomes(&id, "expired").await;
    nothing_is_under_way(&world).await;
    assert_eq!(world.on(0).states(&id).await, ["created", "processing", "requires_action", "expired"]);
    let events = world.events_of(&id).await;
    assert_eq!(events.last().map(String::as_str), Some("payment.expired"), "{events:?}");
}

/// Expired, and paid nevertheless: the gateway had taken the cancel and the money. A person decides.
#[tokio::test]
async fn what_is_paid_after_it_expired_is_for_a_person() {
    let world = hasty().gateway_misbehaves().start().await;
    let _door = world.listen(&world.merchant).await;
    world.simulator.fail_next_steps(1, json!({ "late_success": { "ms": 700 } })).await;
    let id = world.on(0).challenged("pay", 1_000, "automatic").await.id();
    world.payment_becomes(&id, "expired").await;
    world.payment_becomes(&id, "manual_review").await;
    assert_eq!(world.reviews_of(&id).await.len(), 1);
}

/// The host that was to call it off is gone: another one does.
#[tokio::test]
async fn expiry_survives_its_host() {
    let mut world = hasty().hosts(2).start().await;
    let id = world.on(1).challenged("pay", 1_000, "automatic").await.id();
    let created = world.on(1).post("/v1/payments", "p", &bodies::unconfirmed()).await.expect(201).id();
    world.host_mut(1).kill().await;
    world.payment_becomes(&id, "expired").await;
    world.payment_becomes(&created, "expired").await;
    nothing_is_under_way(&world).await;
}
