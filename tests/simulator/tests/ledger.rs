//! The books over a long and random life.

use axum::http::Method;
use interlock_simulator::Settings;
use serde_json::{Value, json};

use crate::client::{World, charge, hold};

const STEPS: usize = 600;
const CARDS: [&str; 4] = ["4242424242424242", "4000000000000002", "4000000000003220", "4000000000000341"];

/// Charges, captures, cancels, refunds, settlements and faults in random order, many of them refused: the books agree
/// with every charge after each hundred steps, and with what the answers added up to at the end.
#[tokio::test]
async fn the_books_balance_over_a_random_life() {
    let world = World::with(Settings { seed: Some(3), settle_ms: 1, ..Settings::default() }).await;
    let probability = json!({"act_then_drop": 0.05, "drop_before": 0.05, "late_success": 0.05, "pending": 0.05});
    let parameters = json!({"late_success": {"ms": 2}, "pending": {"ms": 2}});
    world.faults(json!({"random": {"probability": probability, "parameters": parameters, "methods": ["POST"]}})).await;
    let mut chance = fastrand::Rng::with_seed(11);
    let mut ids: Vec<String> = Vec::new();
    for step in 0..STEPS {
        let (path, body) = random_call(&mut chance, &ids, &format!("op_{step}"));
        let reply = world.attempt(Method::POST, &path, &format!("op_{step}"), &body).await;
        if let Some(id) = reply.ok().and_then(|reply| reply.json()["id"].as_str().map(str::to_owned))
            && id.starts_with("ch_")
        {
            ids.push(id);
        }
        if step % 100 == 0 {
            world.ledger().await;
        }
    }
    let ledger = world.ledger().await;
    assert!(ledger["totals"]["USD"]["captured"].as_i64().unwrap() > 0);
    assert!(ledger["totals"]["USD"]["refunded"].as_i64().unwrap() > 0);
    assert_eq!(ledger["charged_twice"], json!([]));
    let postings: i64 =
        ledger["entries"].as_array().unwrap().iter().map(|entry| entry["amount"].as_i64().unwrap()).sum();
    assert_eq!(postings, 0);
    for field in ["held", "captured", "refunded"] {
        let sum: i64 = ledger["charges"].as_array().unwrap().iter().map(|charge| charge[field].as_i64().unwrap()).sum();
        assert_eq!(ledger["totals"]["USD"][field], sum, "{field}");
    }
    let sums = world.get("/__ledger?entries=false").await.json();
    assert_eq!((&sums["totals"], &sums["charges_by_reference"]), (&ledger["totals"], &Value::Null));
}

fn random_call(chance: &mut fastrand::Rng, ids: &[String], reference: &str) -> (String, Value) {
    let amount = chance.i64(1..600);
    let Some(id) = chance.choice(ids).filter(|_| chance.u8(0..10) >= 4) else {
        let body =
            if chance.bool() { hold(reference, 1_000) } else { charge(reference, 1_000, CARDS[chance.usize(0..4)]) };
        return ("/charges".to_owned(), body);
    };
    match chance.u8(0..5) {
        0 | 1 => {
            let body = json!({"reference": reference, "amount": amount, "final": chance.bool()});
            (format!("/charges/{id}/capture"), body)
        }
        2 | 3 => (format!("/charges/{id}/refunds"), json!({"reference": reference, "amount": amount})),
        _ => (format!("/charges/{id}/cancel"), json!({"reference": reference})),
    }
}
