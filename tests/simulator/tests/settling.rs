//! What is open and how it ends.

use std::time::Duration;

use axum::http::Method;
use interlock_simulator::Settings;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{GOOD_CARD, World, charge, hold};

fn collect(reference: &str, vpa: &str) -> Value {
    let mut body = charge(reference, 1_000, GOOD_CARD);
    body["method"] = json!({"type": "upi", "flow": "collect", "vpa": vpa});
    body
}

async fn id_of(world: &World, key: &str, body: Value) -> String {
    world.post("/charges", key, body).await.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn pending_charges_end_by_themselves() {
    let world = World::with(Settings { settle_ms: 30, ..Settings::default() }).await;
    let card = id_of(&world, "a", charge("a", 1_000, "4000000000000341")).await;
    let good = id_of(&world, "b", collect("b", "success@mock")).await;
    let bad = id_of(&world, "c", collect("c", "failure@mock")).await;
    world.until(&card, "captured").await;
    world.until(&good, "captured").await;
    assert_eq!(world.until(&bad, "declined").await["decline"]["code"], "customer_declined");
    assert_eq!(world.ledger().await["totals"]["USD"]["captured"], 2000);
}

#[tokio::test]
async fn a_test_can_settle_now_and_otherwise() {
    let world = World::with(Settings { settle_ms: 600_000, ..Settings::default() }).await;
    let id = id_of(&world, "a", collect("a", "success@mock")).await;
    let settled = world.post("/__settle", "", json!({"id": id})).await.json();
    assert_eq!(settled["status"], "captured");
    let again = world.post("/__settle", "", json!({"id": id})).await;
    assert_eq!((again.status, &again.json()["error"]["code"]), (400, &json!("not_pending")));
    world.post("/charges", "b", collect("b", "success@mock")).await;
    let settled = world.post("/__settle", "", json!({"reference": "b", "outcome": "decline"})).await.json();
    assert_eq!(settled["status"], "declined");
    assert_eq!(world.post("/__settle", "", json!({"reference": "zzz"})).await.status, 404);
}

#[tokio::test]
async fn a_cancelled_pending_charge_stays_cancelled() {
    let world = World::with(Settings { settle_ms: 40, ..Settings::default() }).await;
    let id = id_of(&world, "a", collect("a", "success@mock")).await;
    let cancelled = world.post(&format!("/charges/{id}/cancel"), "x", json!({"reference": "x"})).await;
    assert_eq!(cancelled.json()["status"], "cancelled");
    sleep(Duration::from_millis(120)).await;
    assert_eq!(world.get(&format!("/charges/{id}")).await.json()["status"], "cancelled");
    assert_eq!(world.ledger().await["totals"], json!({}));
}

/// The customer follows the link, approves, and comes back to the shop.
#[tokio::test]
async fn the_redirect_page_approves_and_sends_the_customer_back() {
    let world = World::new().await;
    let mut body = hold("a", 1_000);
    body["method"]["number"] = json!("4000000000003220");
    body["return_url"] = json!("https://shop.test/done?order=7");
    let charge = world.post("/charges", "a", body).await.json();
    let (id, url) = (charge["id"].as_str().unwrap(), charge["action"]["url"].as_str().unwrap());
    let page = url.strip_prefix(world.simulator.url()).unwrap();
    assert_eq!(page, format!("/redirect/{id}"));
    let shown = world.get(page).await;
    assert!(String::from_utf8_lossy(&shown.body).contains(&format!("{page}/approve")));

    let back = world.call(Method::POST, &format!("{page}/approve"), "", &Value::Null).await;
    assert_eq!(back.status, 303);
    assert_eq!(back.headers["location"], format!("https://shop.test/done?order=7&charge={id}&result=approved"));
    let charge = world.get(&format!("/charges/{id}")).await.json();
    assert_eq!((&charge["status"], &charge["action"]), (&json!("authorized"), &Value::Null));
    let twice = world.call(Method::POST, &format!("{page}/decline"), "", &Value::Null).await;
    assert_eq!(twice.status, 400);
    assert_eq!(world.ledger().await["totals"]["USD"]["held"], 1000);
}

#[tokio::test]
async fn the_redirect_page_declines() {
    let world = World::new().await;
    let id = id_of(&world, "a", charge("a", 1_000, "4000000000003220")).await;
    let done = world.call(Method::POST, &format!("/redirect/{id}/decline"), "", &Value::Null).await;
    assert_eq!(done.status, 200, "without a return URL there is a page");
    let charge = world.get(&format!("/charges/{id}")).await.json();
    assert_eq!((&charge["status"], &charge["decline"]["code"]), (&json!("declined"), &json!("authentication_failed")));
    assert_eq!(world.get("/redirect/ch_0").await.status, 404);
}
