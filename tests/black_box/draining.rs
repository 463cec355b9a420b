//! A host that is told to go: it takes nothing new, ends what it has, and leaves without a fault.

use std::time::Duration;

use interlock_tests::harness::{World, bodies};
use serde_json::json;

/// A deployment in the middle of a payment: the merchant gets the answer, and the process ends with 0.
#[tokio::test]
async fn what_is_under_way_is_finished() {
    let mut world = World::builder().hosts(2).start().await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 1_500 } })).await;
    let caller = world.on(0);
    let under_way = tokio::spawn(async move { caller.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let status = world.host_mut(0).terminate().await;
    assert_eq!(status.code(), Some(0));
    let answer = under_way.await.unwrap().expect(201);
    assert_eq!(answer.payment_status(), "succeeded");
    // The other host has the answer too: nothing is one host's own.
    let again = world.on(1).post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await.expect(201);
    assert!(again.is_replay() && again.bytes == answer.bytes);
}

/// An idle host goes at once, and its successor has everything.
#[tokio::test]
async fn a_host_that_starts_again_has_everything() {
    let mut world = World::start().await;
    let before = world.pay(bodies::GOOD).await.expect(201);
    let started = std::time::Instant::now();
    assert_eq!(world.host_mut(0).terminate().await.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    world.host_mut(0).start_again(&[]).await;
    assert_eq!(world.payment(&before.id()).await, before.json);
    world.pay(bodies::GOOD).await.expect(201);
}

/// Killed while it waits for the gateway: the other host finds out what happened, and the merchant's key gets it.
#[tokio::test]
async fn a_killed_hosts_payment_is_finished_by_another() {
    let mut world = World::builder()
        .hosts(2)
        .setting("INTERLOCK_GATEWAY_TIMEOUT_MS", "1000")
        .setting("INTERLOCK_LEASE_MS", "1500")
        .setting("INTERLOCK_VERIFY_DELAYS", "0.2,0.5,1")
        .start()
        .await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 700, "when": "before" } })).await;
    let caller = world.on(0);
    let lost = tokio::spawn(async move { caller.try_post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await });
    tokio::time::sleep(Duration::from_millis(350)).await;
    world.host_mut(0).kill().await;
    assert!(lost.await.unwrap().is_err(), "the merchant gets no answer");
    let answer = interlock_tests::harness::eventually("the key has its answer", async || {
        let answer = world.on(1).post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await;
        if answer.status == 201 { Ok(answer) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(answer.payment_status(), "succeeded");
    assert_eq!(world.simulator.charges().await.len(), 1);
    world.host_mut(0).start_again(&[]).await;
}
