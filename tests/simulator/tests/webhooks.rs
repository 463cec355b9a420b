//! Webhooks, as their receiver sees them.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use interlock_simulator::Settings;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{API_KEY, World, charge, hold};
use crate::receiver::{Receiver, Webhook};

const SECRET: &str = "whsec_1";

async fn listening(refusals: usize) -> (World, Receiver) {
    let receiver = Receiver::new(refusals).await;
    let webhook = Some((receiver.url.clone(), SECRET.to_owned()));
    let world = World::with(Settings { webhook, settle_ms: 20, ..Settings::default() }).await;
    (world, receiver)
}

/// The signature is checked as a receiver would, from the header and the bytes alone.
fn signed_with(secret: &str, webhook: &Webhook) -> bool {
    let (time, mac) = webhook.signature.split_once(",v1=").unwrap();
    let time = time.strip_prefix("t=").unwrap();
    let mac: Vec<u8> = (0..mac.len()).step_by(2).map(|n| u8::from_str_radix(&mac[n..n + 2], 16).unwrap()).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, &[time.as_bytes(), b".", &webhook.bytes].concat(), &mac).is_ok()
}

async fn pending(world: &World, reference: &str) -> Value {
    world.post("/charges", reference, charge(reference, 1_000, "4000000000000341")).await.json()
}

#[tokio::test]
async fn a_settled_charge_is_told_and_signed() {
    let (world, receiver) = listening(0).await;
    let id = pending(&world, "op_1").await["id"].clone();
    let webhook = receiver.wait_for(1).await.remove(0);
    assert!(signed_with(SECRET, &webhook));
    assert!(!signed_with("another", &webhook));
    let event = webhook.json();
    assert!(event["id"].as_str().unwrap().starts_with("gwe_"));
    assert_eq!(event["type"], "charge.updated");
    assert!(event["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(
        event["data"],
        json!({"id": id, "reference": "op_1", "amount": 1000, "captured": 1000, "refunded": 0, "currency": "USD",
               "status": "captured"})
    );
    let listed = world.get("/__webhooks").await.json();
    assert_eq!(
        (&listed["deliveries"][0]["state"], &listed["deliveries"][0]["attempts"]),
        (&json!("delivered"), &json!([204]))
    );
    assert_eq!(listed["targets"], json!([receiver.url]));
}

#[tokio::test]
async fn every_change_is_told_under_the_operation_that_made_it() {
    let (world, receiver) = listening(0).await;
    let id = world.post("/charges", "op_1", hold("op_1", 1_000)).await.json()["id"].as_str().unwrap().to_owned();
    world.post(&format!("/charges/{id}/capture"), "c1", json!({"reference": "c1", "amount": 600, "final": true})).await;
    receiver.wait_for(1).await;
    world.post(&format!("/charges/{id}/refunds"), "r1", json!({"reference": "r1", "amount": 100})).await;
    let told: Vec<_> = receiver.wait_for(2).await.iter().map(Webhook::json).collect();
    assert_eq!((&told[0]["type"], &told[0]["data"]["reference"]), (&json!("charge.updated"), &json!("c1")));
    assert_eq!(told[0]["data"]["captured"], 600);
    assert_eq!((&told[1]["type"], &told[1]["data"]["reference"]), (&json!("refund.updated"), &json!("r1")));

    world.faults(json!({"webhooks": {"events": "all"}})).await;
    world.charge("op_2").await;
    assert_eq!(receiver.wait_for(3).await[2].json()["data"]["reference"], "op_2");
}

#[tokio::test]
async fn a_late_success_is_told() {
    let (world, receiver) = listening(0).await;
    world.faults(json!({"fault": {"late_success": {"ms": 20}}})).await;
    assert_eq!(world.charge("op_1").await.status, 402);
    assert_eq!(receiver.wait_for(1).await[0].json()["data"]["status"], "captured");
}

#[tokio::test]
async fn a_doubled_webhook_comes_twice_with_one_id() {
    let (world, receiver) = listening(0).await;
    world.faults(json!({"webhooks": {"mode": "doubled"}})).await;
    pending(&world, "op_1").await;
    let both = receiver.wait_for(2).await;
    assert_eq!(both[0].bytes, both[1].bytes);
    assert!(both.iter().all(|webhook| signed_with(SECRET, webhook)));
}

#[tokio::test]
async fn reordered_webhooks_overtake_each_other() {
    let (world, receiver) = listening(0).await;
    world.faults(json!({"webhooks": {"mode": "reordered"}})).await;
    let id = world.post("/charges", "op_1", hold("op_1", 1_000)).await.json()["id"].as_str().unwrap().to_owned();
    for (reference, amount) in [("c1", 100), ("c2", 200), ("c3", 300)] {
        let body = json!({"reference": reference, "amount": amount, "final": false});
        world.post(&format!("/charges/{id}/capture"), reference, body).await;
    }
    let told: Vec<_> = receiver.wait_for(3).await.iter().map(|w| w.json()["data"]["reference"].clone()).collect();
    assert_eq!(told, ["c2", "c1", "c3"], "the last one found nobody to overtake it and went alone");
}

#[tokio::test]
async fn webhooks_can_be_late_or_lost() {
    let (world, receiver) = listening(0).await;
    world.faults(json!({"webhooks": {"mode": "lost"}})).await;
    let id = pending(&world, "op_1").await["id"].as_str().unwrap().to_owned();
    world.until(&id, "captured").await;
    receiver.wait_for(0).await;
    assert_eq!(world.get("/__webhooks").await.json()["deliveries"][0]["state"], "lost");

    world.faults(json!({"webhooks": {"mode": "delayed", "delay_ms": 200}})).await;
    let begun = Instant::now();
    pending(&world, "op_2").await;
    receiver.wait_for(1).await;
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_refused_webhook_comes_again() {
    let (world, receiver) = listening(2).await;
    pending(&world, "op_1").await;
    let tries = receiver.wait_for(3).await;
    assert!(tries.iter().all(|webhook| webhook.bytes == tries[0].bytes && signed_with(SECRET, webhook)));
    sleep(Duration::from_millis(50)).await;
    let listed = world.get("/__webhooks").await.json();
    assert_eq!(listed["deliveries"][0]["attempts"], json!([503, 503, 204]));
}

#[tokio::test]
async fn a_forged_webhook_is_sent_with_a_signature_that_is_not_ours() {
    let (world, receiver) = listening(0).await;
    let data = json!({"id": "ch_1", "reference": "op_1", "amount": 1, "status": "captured"});
    let forged = world.post("/__webhooks/forge", "", json!({"type": "charge.updated", "data": data})).await.json();
    assert_eq!(forged["deliveries"][0]["status"], 204);
    let stale = json!({"type": "charge.updated", "data": data, "secret": SECRET, "timestamp": 1_600_000_000});
    world.post("/__webhooks/forge", "", stale).await;
    let webhooks = receiver.wait_for(2).await;
    assert!(!signed_with(SECRET, &webhooks[0]));
    assert!(signed_with(SECRET, &webhooks[1]) && webhooks[1].signature.starts_with("t=1600000000,"));
    assert_eq!(webhooks[0].json()["data"], data);
    assert_ne!(webhooks[0].json()["id"], webhooks[1].json()["id"]);
}

#[tokio::test]
async fn targets_can_be_added_and_bound_to_an_api_key() {
    let world = World::with(Settings { settle_ms: 20, ..Settings::default() }).await;
    let (own, other) = (Receiver::new(0).await, Receiver::new(0).await);
    let target = |receiver: &Receiver, key: &str| json!({"url": receiver.url, "secret": SECRET, "api_key": key});
    world.post("/__webhooks", "", target(&own, API_KEY)).await;
    world.post("/__webhooks", "", target(&other, "sk_of_somebody_else")).await;
    pending(&world, "op_1").await;
    own.wait_for(1).await;
    other.wait_for(0).await;
    let refused = world.post("/__webhooks", "", json!({"url": "https://example.test/", "secret": "x"})).await;
    assert_eq!(refused.status, 400);
}

/// Two runs with the same receiver must not use the same ids, or the second run's events would pass for repeats.
#[tokio::test]
async fn two_runs_have_different_ids_unless_seeded_alike() {
    let mut ids = Vec::new();
    for seed in [None, None, Some(5), Some(5)] {
        let world = World::with(Settings { seed, ..Settings::default() }).await;
        ids.push(world.charge("op_1").await.json()["id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[2], ids[3]);
}
