//! Recorded operations are replayed on a new version: it must ask for the same, and read the same out of the replies.
//! Nothing is sent for it.

use interlock_tests::harness::{Caller, World, bodies, eventually};
use serde_json::{Value, json};

use super::{
    fault_kit::{quick, victim},
    life_kit::{active, audit, becomes, installed, life, pay, states},
};

/// Authorizes, captures, refunds, and one that the gateway is asked about.
async fn record(world: &World, caller: &Caller) {
    for _ in 0..3 {
        pay(world, caller).await;
    }
    let held = caller.held(&world.fresh_key(), 900).await;
    caller.step(&held, "capture", &world.fresh_key(), &json!({})).await.expect(200);
    let paid = caller.paid(&world.fresh_key(), 700).await;
    let refund = caller.step(&paid, "refunds", &world.fresh_key(), &json!({})).await;
    assert!(refund.status < 300, "{}", refund.text());
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let unknown = caller.post("/v1/payments", &world.fresh_key(), &bodies::payment(bodies::GOOD)).await.expect(202);
    caller.payment_has(&unknown.id(), &json!({ "status": "succeeded" })).await;
}

/// Asks for a replay and waits for what it shows.
async fn shadow(world: &World, version: &str, body: &Value) -> Value {
    let asked = life(world, version, "shadow", body).await.expect(202).json;
    assert!(matches!(asked["status"].as_str(), Some("waiting" | "running" | "done")), "{asked}");
    let path = format!("/admin/connectors/hostile/versions/{version}/shadow");
    eventually("the replay is done", async || {
        let shadow = world.operator().get(&path).await.expect(200).json;
        if shadow["status"] == "done" { Ok(shadow["report"].clone()) } else { Err(shadow.to_string()) }
    })
    .await
}

/// A version that asks for the same is equal in every operation; of one that words a request differently each is told, with
/// the place; and of one that makes something else of the replies, what.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_is_tried_on_what_is_recorded() {
    let world = quick().hosts(2).start().await;
    active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    let caller = world.on(0).with_token(&shop.key);
    let before = {
        installed(&world, "0.2.0", "").await;
        let path = "/admin/connectors/hostile/versions/0.2.0/shadow";
        world.operator().get(path).await.expect(200).json
    };
    assert_eq!((&before["status"], &before["report"]), (&json!("never"), &Value::Null));
    record(&world, &caller).await;
    let recorded = world
        .db_count(
            "select count(*) from operations o where finished_at is not null
                   and exists (select 1 from exchanges e where e.operation_id = o.operation_id)",
        )
        .await;
    let calls = world.simulator.requests().await.len();

    let same = shadow(&world, "0.2.0", &json!({})).await;
    assert_eq!((&same["replayed"], &same["equal"]), (&json!(recorded), &json!(recorded)), "{same}");
    assert_eq!((&same["different"], &same["skipped"], &same["traps"]), (&json!([]), &json!(0), &json!(0)), "{same}");
    assert_eq!(states(&world).await, "0.1.0 active, 0.2.0 shadow");
    let few = shadow_again(&world, "0.2.0", 2, &same).await;
    assert_eq!((&few["transcripts"], &few["replayed"]), (&json!(2), &json!(2)), "{few}");

    installed(&world, "0.3.0", "reworded").await;
    let other = shadow(&world, "0.3.0", &json!({ "transcripts": 1000 })).await;
    let charges = world.db_count("select count(*) from operations where kind = 'authorize'").await;
    assert_eq!(other["different_count"], charges, "{other}");
    assert_eq!(other["equal"], recorded - charges, "{other}");
    let told = &other["different"][0];
    assert!(told["operation"].as_str().unwrap().starts_with("op_") && told["merchant"] == shop.id.as_str(), "{told}");
    let differs = &told["differences"][0];
    assert_eq!((&differs["position"], &differs["expected"]), (&json!(1), &Value::Null), "{told}");
    assert!(differs["pointer"].as_str().unwrap().starts_with("/headers/"), "{told}");
    assert_eq!(differs["got"], json!(["x-note", "reworded"]), "{told}");

    // It asks for the same, and says afterwards that it makes no sense of the answer.
    installed(&world, "0.4.0", "fail_after").await;
    let misread = shadow(&world, "0.4.0", &json!({})).await;
    let differs = &misread["different"][0]["differences"][0];
    assert_eq!(differs["position"], Value::Null, "{misread}");
    assert!(differs["expected"]["outcome"].is_object() && differs["got"]["failure"].is_string(), "{misread}");

    assert_eq!(world.simulator.requests().await.len(), calls, "something was sent");
    assert_eq!(states(&world).await, "0.1.0 active, 0.2.0 shadow, 0.3.0 shadow, 0.4.0 shadow");
    let asked = audit(&world).await.into_iter().filter(|line| line.starts_with("connector.shadow")).count();
    assert_eq!(asked, 4);
    let health = world.operator().get("/admin/connectors/hostile/health").await.expect(200).json;
    let shadows = health["versions"].as_array().unwrap().iter().filter(|row| row["state"] == "shadow");
    assert!(shadows.clone().count() == 3 && shadows.clone().all(|row| row["last_hour"]["runs"] == 0), "{health}");
    for transcripts in [json!(0), json!(1001), json!("x")] {
        let refused = life(&world, "0.2.0", "shadow", &json!({ "transcripts": transcripts })).await;
        assert_eq!(refused.expect_problem(422, "invalid_request").pointers(), ["/transcripts"]);
    }
}

/// A further replay: waits until its report stands in the place of `before`.
async fn shadow_again(world: &World, version: &str, transcripts: u16, before: &Value) -> Value {
    life(world, version, "shadow", &json!({ "transcripts": transcripts })).await.expect(202);
    let path = format!("/admin/connectors/hostile/versions/{version}/shadow");
    eventually("the replay is done again", async || {
        let shadow = world.operator().get(&path).await.expect(200).json;
        if shadow["report"] == *before { Err(shadow.to_string()) } else { Ok(shadow["report"].clone()) }
    })
    .await
}

/// A version that breaks down on what is recorded never comes near a payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_traps_on_what_is_recorded_is_put_in_quarantine() {
    let world = quick().setting("INTERLOCK_QUARANTINE_TRAPS", "5").start().await;
    active(&world, "0.1.0", "").await;
    let shop = victim(&world, "well").await;
    let caller = world.on(0).with_token(&shop.key);
    record(&world, &caller).await;
    installed(&world, "0.2.0", "trap").await;
    let report = shadow(&world, "0.2.0", &json!({})).await;
    assert!(report["traps"].as_u64().unwrap() >= 5, "{report}");
    assert!(report["different"][0]["differences"][0]["got"]["error"].is_string(), "{report}");
    becomes(&world, "0.1.0 active, 0.2.0 quarantined").await;
    assert_eq!(audit(&world).await.last().unwrap(), "connector.quarantine 0.2.0 by switch");
    assert_eq!(pay(&world, &caller).await["status"], "succeeded");
}
