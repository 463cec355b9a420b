//! What is the same for every face: paths, the root, webhooks.

use axum::http::Method;
use interlock_simulator::{Settings, Simulator};
use serde_json::{Value, json};

use crate::client::{World, charge, hold};
use crate::receiver::Receiver;

const FACES: [&str; 4] = ["stripe", "razorpay", "adyen", "paypal"];

/// Each speaks under its own name, and refuses strangers in its own words; whatever is no face's name is the mock's.
#[tokio::test]
async fn the_first_segment_names_the_face() {
    let world = World::new().await;
    let mut refusals = Vec::new();
    for face in FACES {
        let authority = world.authority();
        let nobody = crate::client::request(authority, Method::GET, &format!("/{face}/"), &[], &Value::Null).await;
        let nobody = nobody.unwrap();
        assert_eq!(nobody.status, 401, "{face}");
        refusals.push(nobody.body);
    }
    refusals.dedup();
    assert_eq!(refusals.len(), FACES.len());
    assert_eq!(world.get("/stripes/v1").await.json()["error"]["code"], "not_found");
    assert_eq!(world.post("/mock/charges", "op_1", charge("op_1", 1_000, "4242424242424242")).await.status, 201);
    assert_eq!(world.get("/charges?reference=op_1").await.status, 200);
}

/// One face may be served without its name; the others and the controls stay where they are.
#[tokio::test]
async fn one_face_is_served_at_the_root() {
    let world = World::with(Settings { root: "adyen".to_owned(), ..Settings::default() }).await;
    let (root, named) = (world.get("/charges").await, world.get("/adyen/charges").await);
    assert_eq!((root.status, root.body), (named.status, named.body));
    let mut body = charge("op_1", 1_000, "4000000000003220");
    body["return_url"] = json!("https://shop.test/");
    let made = world.post("/mock/charges", "op_1", body).await.json();
    let page = made["action"]["url"].as_str().unwrap().strip_prefix(world.simulator.url()).unwrap();
    assert_eq!(world.get(page).await.status, 200);
    assert_eq!(world.ledger().await["charges"][0]["status"], "requires_action");
    let unknown = Simulator::start(Settings { root: "nobody".to_owned(), ..Settings::default() }).await;
    assert!(unknown.is_err());
}

/// A target hears of its own face's charges alone, and a face that nobody has is no face.
#[tokio::test]
async fn a_target_listens_to_one_face() {
    let world = World::new().await;
    let (ours, theirs) = (Receiver::new(0).await, Receiver::new(0).await);
    for (receiver, face) in [(&ours, "mock"), (&theirs, "stripe")] {
        let target = json!({ "url": receiver.url, "secret": "s", "face": face });
        assert_eq!(world.post("/__webhooks", "", target).await.status, 200);
    }
    let nobody = json!({ "url": ours.url, "secret": "s", "face": "nobody" });
    assert_eq!(world.post("/__webhooks", "", nobody).await.status, 400);
    let id = world.post("/charges", "op_1", hold("op_1", 1_000)).await.json()["id"].as_str().unwrap().to_owned();
    world.post(&format!("/charges/{id}/cancel"), "v1", json!({ "reference": "v1" })).await;
    assert_eq!(ours.wait_for(1).await[0].json()["data"]["reference"], "v1");
    // Words of its own, to its own targets alone: what was meant for the other one would have arrived before.
    let forged = json!({ "face": "stripe", "body": "{\"says\": \"who\"}" });
    let told = world.post("/__webhooks/forge", "", forged).await.json();
    assert_eq!(told["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(theirs.wait_for(1).await[0].bytes, "{\"says\": \"who\"}");
    assert_eq!(world.post("/__webhooks/forge", "", json!({ "face": "stripe" })).await.status, 400);
}

/// A gateway that was not heard says it again: the same object, another event.
#[tokio::test]
async fn what_was_told_is_told_again() {
    let world = World::new().await;
    let receiver = Receiver::new(0).await;
    world.post("/__webhooks", "", json!({ "url": receiver.url, "secret": "s" })).await;
    let id = world.post("/charges", "op_1", hold("op_1", 1_000)).await.json()["id"].as_str().unwrap().to_owned();
    let capture = json!({ "reference": "c1", "amount": 600, "final": true });
    world.post(&format!("/charges/{id}/capture"), "c1", capture).await;
    assert_eq!(world.post("/__webhooks/again", "", json!({ "reference": "c1" })).await.status, 204);
    let told: Vec<Value> = receiver.wait_for(2).await.iter().map(crate::receiver::Webhook::json).collect();
    assert_eq!(told[0]["data"], told[1]["data"]);
    assert_ne!(told[0]["id"], told[1]["id"]);
    assert_eq!(world.post("/__webhooks/again", "", json!({ "reference": "nobody's" })).await.status, 404);
}
