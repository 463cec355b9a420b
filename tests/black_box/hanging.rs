//! Gateways that are slower than the merchant may wait, and merchants who do not wait at all.

use std::time::{Duration, Instant};

use interlock_tests::harness::{World, bodies, eventually};
use serde_json::{Value, json};

/// The gateway needs longer than the time to answer: 202 in time, the payment goes on, and the key replays the outcome.
#[tokio::test]
async fn a_slow_gateway_is_answered_202_and_the_key_gets_the_outcome() {
    let world = World::builder().setting("INTERLOCK_ANSWER_TIMEOUT_MS", "300").start().await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 2_500 } })).await;
    let body = bodies::payment(bodies::GOOD);
    let started = Instant::now();
    let waiting = world.post("/v1/payments", "k", &body).await.expect(202);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(waiting.payment_status(), "processing");

    // The first request's host still works on it.
    let early = world.post("/v1/payments", "k", &body).await.expect_problem(409, "idempotency_in_progress");
    assert!(early.header("retry-after").is_some());
    // Asking is always possible, and a confirm under another key starts nothing.
    let confirm = format!("/v1/payments/{}/confirm", waiting.id());
    world.post(&confirm, "other", &json!({})).await.expect(202);

    let payment = world.payment_becomes(&waiting.id(), "succeeded").await;
    let last = world.post("/v1/payments", "k", &body).await.expect(201);
    assert!(last.is_replay());
    assert_eq!(last.json, payment);
    assert_eq!(world.simulator.calls("POST").await, 1);
}

/// With a time to answer of nought nobody waits for anything.
#[tokio::test]
async fn without_patience_every_answer_is_202() {
    let world = World::builder().setting("INTERLOCK_ANSWER_TIMEOUT_MS", "0").start().await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 300 } })).await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    world.payment_becomes(&answer.id(), "succeeded").await;
}

/// The merchant's connection breaks while we talk to the gateway: the payment does not notice.
#[tokio::test]
async fn a_client_that_hangs_up_changes_nothing() {
    let world = World::start().await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 1_000 } })).await;
    let (caller, body) = (world.on(0), bodies::payment(bodies::GOOD));
    let impatient = tokio::time::timeout(Duration::from_millis(400), caller.post("/v1/payments", "k", &body)).await;
    assert!(impatient.is_err(), "the client was to hang up first");

    let answer = eventually("the retry gets the outcome", async || {
        let answer = world.post("/v1/payments", "k", &body).await;
        if answer.status == 201 { Ok(answer) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(answer.payment_status(), "succeeded");
    assert!(answer.is_replay(), "the first request's answer was stored though nobody read it");
    assert_eq!(world.simulator.calls("POST").await, 1);
}

/// The same for a confirm, by clients that hang up at every moment of it.
#[tokio::test]
async fn clients_that_hang_up_at_any_moment_change_nothing() {
    let world = World::start().await;
    let mut payments = Vec::new();
    for patience_ms in [0, 1, 2, 4, 8, 16, 32, 64] {
        let created = world.post("/v1/payments", &world.fresh_key(), &bodies::unconfirmed()).await.expect(201);
        let path = format!("/v1/payments/{}/confirm", created.id());
        let body = json!({ "payment_method": bodies::card(bodies::GOOD) });
        let caller = world.on(0);
        let _ = tokio::time::timeout(Duration::from_millis(patience_ms), caller.post(&path, "k", &body)).await;
        payments.push((created.id(), path, body));
    }
    for (id, path, body) in payments {
        let answer = eventually("the retry gets the outcome", async || {
            let answer = world.post(&path, "k", &body).await;
            if answer.status == 200 { Ok(answer) } else { Err(answer.text()) }
        })
        .await;
        assert_eq!((answer.payment_status(), &answer.json["attempt_count"]), ("succeeded", &json!(1)));
        assert_eq!(world.payment(&id).await["status"], "succeeded");
    }
    assert_eq!(world.simulator.calls("POST").await, 8);
}

/// The gateway acted and its answer was lost. Nobody can know: the merchant is told so at once, and asking finds it out.
#[tokio::test]
async fn a_lost_reply_is_pending_verification_and_then_succeeds_once() {
    let world = World::builder().setting("INTERLOCK_VERIFY_DELAYS", "0.2,0.2,0.2").start().await;
    for fault in ["act_then_drop", "act_then_500", "drop_before"] {
        world.simulator.fail_next_posts(1, json!(fault)).await;
        let started = Instant::now();
        let answer = world.pay(bodies::GOOD).await.expect(202);
        assert!(started.elapsed() < Duration::from_secs(5), "an unknown outcome is answered at once");
        let payment = world.payment_becomes(&answer.id(), "succeeded").await;
        assert_eq!(payment["amount_captured"], 1250, "{fault}");
        let states = world.states(&answer.id()).await;
        assert_eq!(states, ["created", "processing", "pending_verification", "succeeded"], "{fault}");
    }
    assert_eq!(world.simulator.charges().await.len(), 3);
}

/// Whatever a gateway does wrong, once: the payment is charged once and ends where the gateway's books say it is.
#[tokio::test]
async fn a_gateway_that_misbehaves_once_is_paid_once() {
    let world = World::builder()
        .setting("INTERLOCK_VERIFY_DELAYS", "0.1,0.2,0.5")
        .setting("INTERLOCK_GATEWAY_TIMEOUT_MS", "1500")
        .start()
        .await;
    let faults = [
        json!("drop_before"),
        json!("act_then_drop"),
        json!("act_then_500"),
        json!("status_500"),
        json!("status_409"),
        json!("garbage"),
        json!("truncated"),
        json!({ "huge_body": { "bytes": 64 << 20 } }),
        json!({ "slow_body": { "ms_per_chunk": 400 } }),
        json!({ "redirect": { "location": "http://169.254.169.254/latest/meta-data" } }),
        json!({ "status": { "code": 302, "body": "", "act": true } }),
        json!({ "status": { "code": 200, "body": "{}", "act": true } }),
        json!({ "status": { "code": 418, "body": "tea", "act": false } }),
        json!({ "delay": { "ms": 2_500, "when": "after" } }),
        json!({ "delay": { "ms": 2_500, "when": "before" } }),
    ];
    for (number, fault) in faults.iter().enumerate() {
        world.simulator.fail_next_posts(1, fault.clone()).await;
        let answer = world.pay(bodies::GOOD).await;
        assert!(matches!(answer.status, 201 | 202), "{fault}: {}", answer.text());
        let payment = world.payment_becomes(&answer.id(), "succeeded").await;
        assert_eq!(payment["amount_captured"], 1250, "{fault}");
        assert_eq!(world.simulator.charges().await.len(), number + 1, "{fault}");
        world.check_invariants().await;
    }
}

/// Where nothing can be found out, a person must decide: silence never becomes a failure.
#[tokio::test]
async fn an_outcome_that_nobody_knows_ends_in_review() {
    let world = World::builder()
        .setting("INTERLOCK_VERIFY_DELAYS", "0.1,0.1")
        .simulator_argument("--idempotency=off")
        .account_setting("resend", "never")
        .account_setting("lookup", "none")
        .start()
        .await;
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let answer = world.pay(bodies::GOOD).await.expect(202);
    let payment = world.payment_becomes(&answer.id(), "manual_review").await;
    assert_eq!(payment["next_action"], Value::Null);
    assert_eq!(world.db_count("select count(*) from reviews where closed_at is null").await, 1);
    assert_eq!(world.simulator.calls("POST").await, 1, "never sent again where the gateway knows no keys");
}
