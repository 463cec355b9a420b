//! The protocol when nothing goes wrong.

use axum::http::Method;
use interlock_simulator::Settings;
use serde_json::{Value, json};

use crate::client::{GOOD_CARD, World, charge, hold, request};

#[tokio::test]
async fn a_charge_is_what_the_protocol_says() {
    let world = World::new().await;
    let reply = world.charge("op_1").await;
    assert_eq!(reply.status, 201);
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("ch_"));
    let expected = json!({
        "id": id, "reference": "op_1", "amount": 1000, "captured": 1000, "refunded": 0, "currency": "USD",
        "status": "captured"
    });
    assert_eq!(reply.json(), expected);
    assert_eq!(world.get(&format!("/charges/{id}")).await.json(), expected);
    assert_eq!(world.get("/charges?reference=op_1").await.json(), expected);
    for path in ["/charges/ch_0", "/charges?reference=op_2", "/refunds?reference=op_1"] {
        let missing = world.get(path).await;
        assert_eq!((missing.status, missing.json()["error"]["code"].clone()), (404, json!("not_found")), "{path}");
    }
}

/// The answer was lost; the client sends the very same request again.
#[tokio::test]
async fn a_repeated_key_gets_the_first_answer_and_charges_once() {
    let world = World::new().await;
    let (first, again) = (world.charge("op_1").await, world.charge("op_1").await);
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.body, again.body);

    let other = world.post("/charges", "op_1", charge("op_1", 2_000, GOOD_CARD)).await;
    assert_eq!((other.status, other.json()["error"]["code"].clone()), (409, json!("idempotency_key_reused")));

    let declined = charge("op_2", 1_000, "4000000000000002");
    let (first, again) =
        (world.post("/charges", "op_2", declined.clone()).await, world.post("/charges", "op_2", declined).await);
    assert_eq!((first.status, again.status), (402, 402), "a decline stays one");
    assert_eq!(first.body, again.body);

    let ledger = world.ledger().await;
    assert_eq!(ledger["charges_by_reference"], json!({"op_1": 1, "op_2": 1}));
    assert_eq!(ledger["totals"]["USD"]["captured"], 1000);
    assert_eq!(ledger["charged_twice"], json!([]));
}

/// Fifty equal requests arrive at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_requests_at_once_are_one_charge() {
    let world = World::new().await;
    let replies = futures_util::future::join_all((0..50).map(|_| world.charge("op_1"))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert!(replies.iter().all(|reply| reply.body == replies[0].body));
    assert_eq!(world.ledger().await["totals"]["USD"]["captured"], 1000);
}

#[tokio::test]
async fn without_idempotency_a_second_post_is_a_second_charge() {
    let world = World::with(Settings { idempotency: false, ..Settings::default() }).await;
    let (first, second) = (world.charge("op_1").await, world.charge("op_1").await);
    assert_eq!((first.status, second.status), (201, 201));
    assert_ne!(first.json()["id"], second.json()["id"]);
    let ledger = world.ledger().await;
    assert_eq!(ledger["totals"]["USD"]["captured"], 2000);
    assert_eq!(ledger["charges_by_reference"], json!({"op_1": 2}));
    assert_eq!(ledger["charged_twice"], json!(["op_1"]));
}

#[tokio::test]
async fn without_lookup_nothing_is_found_by_reference() {
    let world = World::with(Settings { lookup: false, ..Settings::default() }).await;
    let id = world.charge("op_1").await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(world.get("/charges?reference=op_1").await.status, 404);
    assert_eq!(world.get(&format!("/charges/{id}")).await.status, 200);
    world.post("/__settings", "", json!({"lookup": true})).await;
    assert_eq!(world.get("/charges?reference=op_1").await.status, 200);
}

#[tokio::test]
async fn test_cards_decide_the_outcome() {
    let world = World::new().await;
    for (number, status, code) in [
        ("4000000000000002", "declined", "do_not_honor"),
        ("4000000000009995", "declined", "insufficient_funds"),
        ("4000000000000069", "declined", "expired_card"),
        ("4242424242424241", "declined", "incorrect_number"),
    ] {
        let reply = world.post("/charges", number, charge(number, 500, number)).await;
        assert_eq!((reply.status, &reply.json()["status"]), (402, &json!(status)), "{number}");
        assert_eq!(reply.json()["decline"]["code"], code);
        assert!(reply.json()["decline"]["message"].is_string());
    }
    for (number, status) in [
        ("4242424242424242", "captured"),
        ("5555555555554444", "captured"),
        ("4000000000003220", "requires_action"),
        ("4000000000000341", "pending"),
    ] {
        let reply = world.post("/charges", number, charge(number, 500, number)).await;
        assert_eq!((reply.status, &reply.json()["status"]), (201, &json!(status)), "{number}");
    }
    let mut old = charge("op_old", 500, GOOD_CARD);
    old["method"]["expiry_year"] = json!("2020");
    assert_eq!(world.post("/charges", "op_old", old).await.json()["decline"]["code"], "expired_card");
}

#[tokio::test]
async fn other_methods_decide_too() {
    let world = World::with(Settings { settle_ms: 60_000, ..Settings::default() }).await;
    for (name, method, status, action) in [
        ("1", json!({"type": "upi", "flow": "collect", "vpa": "success@mock"}), "pending", Value::Null),
        ("2", json!({"type": "upi", "flow": "intent"}), "requires_action", json!("open_app")),
        ("3", json!({"type": "upi", "flow": "qr"}), "requires_action", json!("open_app")),
        ("4", json!({"type": "wallet", "provider": "acme", "token": "wt_1"}), "captured", Value::Null),
        ("5", json!({"type": "wallet", "provider": "acme"}), "requires_action", json!("redirect")),
        ("6", json!({"type": "token", "token": "tok_1"}), "captured", Value::Null),
    ] {
        let mut body = charge(name, 700, GOOD_CARD);
        body["method"] = method;
        let charge = world.post("/charges", name, body).await.json();
        assert_eq!((&charge["status"], &charge["action"]["type"]), (&json!(status), &action), "{charge}");
    }
    let intent = world.get("/charges?reference=2").await.json();
    assert!(intent["action"]["url"].as_str().unwrap().starts_with("upi://pay?"));
}

#[tokio::test]
async fn a_call_that_cannot_be_understood_is_refused_and_does_nothing() {
    let world = World::new().await;
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut body = charge("op_1", 100, GOOD_CARD);
        change(&mut body);
        body
    };
    for (code, body) in [
        ("invalid_amount", broken(&|body| body["amount"] = json!(0))),
        ("invalid_amount", broken(&|body| body["amount"] = json!(-5))),
        ("invalid_request", broken(&|body| body["amount"] = json!(1.5))),
        ("invalid_currency", broken(&|body| body["currency"] = json!("usd"))),
        ("invalid_reference", broken(&|body| body["reference"] = json!(""))),
        ("invalid_expiry", broken(&|body| body["method"]["expiry_month"] = json!("13"))),
        ("invalid_number", broken(&|body| body["method"]["number"] = json!("4242 4242 4242 4242"))),
        ("invalid_cvc", broken(&|body| body["method"]["cvc"] = json!("12"))),
        ("invalid_request", broken(&|body| body["method"]["type"] = json!("cash"))),
        ("invalid_vpa", broken(&|body| body["method"] = json!({"type": "upi", "flow": "collect"}))),
        ("invalid_token", broken(&|body| body["method"] = json!({"type": "token", "token": ""}))),
        ("invalid_request", Value::Null),
    ] {
        let reply = world.post("/charges", "", body).await;
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!(code)), "{}", reply.json());
    }
    assert_eq!(world.get("/charges").await.status, 400);
    assert_eq!(world.call(Method::DELETE, "/charges/ch_1", "", &Value::Null).await.status, 405);
    assert_eq!(world.get("/elsewhere").await.status, 404);
    let long = "x".repeat(300_000);
    assert_eq!(world.post("/charges", "", broken(&|body| body["return_url"] = json!(long))).await.status, 413);
    assert_eq!(world.ledger().await["charges"], json!([]));
}

#[tokio::test]
async fn only_known_keys_are_let_in() {
    let world = World::with(Settings { api_keys: vec!["sk_right".to_owned()], ..Settings::default() }).await;
    for (authorization, status) in [("Bearer sk_wrong", 401), ("", 401), ("sk_right", 401), ("Bearer sk_right", 404)] {
        let headers = [("authorization", authorization)];
        let reply = request(world.authority(), Method::GET, "/charges/ch_1", &headers, &Value::Null).await.unwrap();
        assert_eq!(reply.status, status, "{authorization}");
    }
    let world = World::new().await;
    let reply = request(world.authority(), Method::GET, "/charges/ch_1", &[], &Value::Null).await.unwrap();
    assert_eq!(reply.status, 401, "some token is always wanted");
}

#[tokio::test]
async fn captures_cancels_and_refunds_stay_within_their_bounds() {
    let world = World::new().await;
    let id = world.post("/charges", "op_1", hold("op_1", 1_000)).await.json()["id"].as_str().unwrap().to_owned();
    let path = |what: &str| format!("/charges/{id}/{what}");
    let code = |reply: crate::client::Reply| (reply.status, reply.json()["error"]["code"].as_str().unwrap().to_owned());
    let refused = |code: &str| (400, code.to_owned());

    let body = json!({"reference": "r0", "amount": 1});
    assert_eq!(code(world.post(&path("refunds"), "r0", body).await), refused("not_refundable"));
    let body = json!({"reference": "c0", "amount": 1001, "final": true});
    assert_eq!(code(world.post(&path("capture"), "c0", body).await), refused("amount_too_large"));

    let captured = world.post(&path("capture"), "c1", json!({"reference": "c1", "amount": 300, "final": false})).await;
    assert_eq!(captured.status, 200);
    assert_eq!(captured.json()["reference"], "c1", "the answer speaks of the capture");
    assert_eq!((&captured.json()["captured"], &captured.json()["status"]), (&json!(300), &json!("captured")));
    let captured = world.post(&path("capture"), "c2", json!({"reference": "c2", "amount": 200, "final": true})).await;
    assert_eq!(captured.json()["captured"], 500);
    assert_eq!(world.get("/charges?reference=c1").await.json()["reference"], "c1");
    let body = json!({"reference": "c3", "amount": 1, "final": true});
    assert_eq!(code(world.post(&path("capture"), "c3", body).await), refused("not_capturable"));
    assert_eq!(code(world.post(&path("cancel"), "x1", json!({"reference": "x1"})).await), refused("not_cancellable"));

    let refund = world.post(&path("refunds"), "r1", json!({"reference": "r1", "amount": 400})).await;
    let refund_id = refund.json()["id"].as_str().unwrap().to_owned();
    let expected = json!({"id": refund_id, "charge": id, "reference": "r1", "amount": 400, "currency": "USD", "status": "succeeded"});
    assert_eq!((refund.status, refund.json()), (201, expected.clone()));
    assert_eq!(world.get("/refunds?reference=r1").await.json(), expected);
    let body = json!({"reference": "r2", "amount": 101});
    assert_eq!(code(world.post(&path("refunds"), "r2", body).await), refused("amount_too_large"));
    assert_eq!(code(world.post("/charges/ch_9/cancel", "x2", json!({"reference": "x2"})).await).0, 404);

    let totals = world.ledger().await["totals"]["USD"].clone();
    assert_eq!(totals, json!({"held": 0, "captured": 500, "refunded": 400}));
}

#[tokio::test]
async fn a_cancel_gives_back_what_is_held() {
    let world = World::new().await;
    let id = world.post("/charges", "op_1", hold("op_1", 1_000)).await.json()["id"].as_str().unwrap().to_owned();
    world
        .post(&format!("/charges/{id}/capture"), "c1", json!({"reference": "c1", "amount": 300, "final": false}))
        .await;
    let cancelled = world.post(&format!("/charges/{id}/cancel"), "x1", json!({"reference": "x1"})).await.json();
    assert_eq!((&cancelled["status"], &cancelled["captured"]), (&json!("cancelled"), &json!(300)));
    let ledger = world.ledger().await;
    assert_eq!(ledger["totals"]["USD"], json!({"held": 0, "captured": 300, "refunded": 0}));
    let kinds: Vec<_> =
        ledger["entries"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["authorize", "authorize", "capture", "capture", "release", "release"]);
}

#[tokio::test]
async fn the_settlement_file_lists_what_moved() {
    let world = World::new().await;
    let id = world.charge("op_1").await.json()["id"].as_str().unwrap().to_owned();
    let refund = world.post(&format!("/charges/{id}/refunds"), "r1", json!({"reference": "r1", "amount": 250})).await;
    let refund = refund.json()["id"].as_str().unwrap().to_owned();
    let file = world.get("/settlement.csv").await;
    let text = String::from_utf8(file.body.to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "kind,id,reference,gross,fee,currency,settled_on");
    assert!(lines[1].starts_with(&format!("payment,{id},op_1,1000,20,USD,20")), "{}", lines[1]);
    assert!(lines[2].starts_with(&format!("refund,{refund},r1,-250,0,USD,20")), "{}", lines[2]);
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn the_log_of_calls_knows_keys_and_no_card_numbers() {
    let world = World::new().await;
    world.charge("op_1").await;
    let log = world.get("/__requests").await;
    assert!(!String::from_utf8_lossy(&log.body).contains(GOOD_CARD));
    assert_eq!(
        log.json(),
        json!({"total": 1, "requests": [{
            "number": 1, "method": "POST", "path": "/charges", "idempotency_key": "op_1", "reference": "op_1",
            "amount": 1000, "card_last4": "4242", "acted": true, "status": 201
        }]})
    );
}

/// Old timers and old ids must not reach what comes after a reset.
#[tokio::test]
async fn a_reset_forgets_everything_but_the_settings() {
    let world = World::with(Settings { settle_ms: 7, ..Settings::default() }).await;
    let old = world.charge("op_1").await.json()["id"].clone();
    world.faults(json!({"fault": "garbage"})).await;
    assert_eq!(world.post("/__reset", "", Value::Null).await.status, 204);
    let new = world.charge("op_1").await;
    assert_eq!(new.status, 201);
    assert_ne!(new.json()["id"], old);
    assert_eq!(world.get(&format!("/charges/{}", old.as_str().unwrap())).await.status, 404);
    assert_eq!(world.ledger().await["totals"]["USD"]["captured"], 1000);
    assert_eq!(world.get("/__settings").await.json()["settle_ms"], 7);
    assert_eq!(world.get("/__health").await.json(), json!({"status": "ok"}));
}
