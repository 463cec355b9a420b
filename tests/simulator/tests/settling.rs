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

/// The bank was silent: declined for now, and approved when somebody says so. Nothing happens by itself.
#[tokio::test]
async fn a_silent_bank_may_still_approve() {
    let world = World::new().await;
    let reply = world.post("/charges", "a", charge("a", 1_000, "4000000000000259")).await;
    assert_eq!((reply.status, &reply.json()["decline"]["code"]), (402, &json!("bank_silent")));
    assert_eq!(world.ledger().await["totals"], json!({}));
    let settled = world.post("/__settle", "", json!({"reference": "a"})).await.json();
    assert_eq!((&settled["status"], &settled["captured"]), (&json!("captured"), &json!(1_000)));
    assert_eq!(world.post("/__settle", "", json!({"reference": "a"})).await.status, 400);
}

/// What was taken is taken back: each by the reference of what took it, once, and only where nobody has it already.
#[tokio::test]
async fn what_was_done_can_fail_later() {
    let world = World::new().await;
    let fail =
        async |reference: &str| world.post("/__settle", "", json!({"reference": reference, "outcome": "fail"})).await;
    world.charge("whole").await;
    let failed = fail("whole").await.json();
    assert_eq!((&failed["status"], &failed["decline"]["code"]), (&json!("declined"), &json!("capture_failed")));
    assert_eq!(fail("whole").await.status, 400);

    let id = id_of(&world, "held", hold("held", 1_000)).await;
    assert_eq!(fail("held").await.status, 400, "nothing was taken");
    let capture = async |reference: &str, amount: i64, last: bool| {
        let body = json!({"reference": reference, "amount": amount, "final": last});
        world.post(&format!("/charges/{id}/capture"), reference, body).await.json()
    };
    let first = capture("first", 400, false).await;
    assert_eq!(first["step"], json!({"kind": "capture", "amount": 400}));
    assert_eq!(capture("second", 600, true).await["captured"], 1_000);
    let failed = fail("first").await.json();
    assert_eq!(
        (&failed["status"], &failed["captured"], &failed["reference"]),
        (&json!("declined"), &json!(600), &json!("first"))
    );
    assert_eq!(world.get("/charges?reference=first").await.json()["status"], "declined");
    assert_eq!(world.get("/charges?reference=second").await.json()["status"], "captured");

    world.post(&format!("/charges/{id}/refunds"), "back", json!({"reference": "back", "amount": 600})).await;
    assert_eq!(fail("second").await.status, 400, "it was given back");
    assert_eq!(fail("back").await.json()["status"], "declined");
    assert_eq!(fail("back").await.status, 400);
    assert_eq!(fail("second").await.json()["captured"], 0);
    let ledger = world.ledger().await;
    assert_eq!(ledger["totals"]["USD"], json!({"held": 0, "captured": 0, "refunded": 0}));
    assert_eq!(ledger["refunds"][0]["status"], "declined");
    let settlement = String::from_utf8(world.get("/settlement.csv").await.body.to_vec()).unwrap();
    assert_eq!(settlement.lines().filter(|line| line.starts_with("adjustment,")).count(), 4, "{settlement}");
}
