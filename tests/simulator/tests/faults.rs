//! Every fault, as a client meets it, and what the books say afterwards.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::client::{API_KEY, GOOD_CARD, Reply, World, charge, request};

/// A world in which the first charge meets this fault.
async fn broken(fault: Value) -> World {
    let world = World::new().await;
    world.faults(json!({"match": {"method": "POST", "path_prefix": "/charges"}, "times": 1, "fault": fault})).await;
    world
}

async fn charges(world: &World) -> usize {
    world.ledger().await["charges"].as_array().unwrap().len()
}

fn code(reply: &Reply) -> Value {
    reply.json()["error"]["code"].clone()
}

/// Nothing at all comes back, and a client sees a broken connection.
#[tokio::test]
async fn a_dropped_call_gets_no_byte() {
    for (fault, acted) in [("drop_before", 0), ("act_then_drop", 1)] {
        let world = broken(json!(fault)).await;
        assert_eq!(world.bytes_for_charge("op_1").await, b"", "{fault}");
        assert_eq!(charges(&world).await, acted, "{fault}");

        let world = broken(json!({fault: {}})).await;
        let body = charge("op_1", 1_000, GOOD_CARD);
        let error = world.attempt(axum::http::Method::POST, "/charges", "op_1", &body).await.unwrap_err();
        assert!(error.is_incomplete_message(), "{fault}: {error:?}");
        assert_eq!(charges(&world).await, acted, "{fault}");
        let log = world.get("/__requests").await.json();
        assert_eq!((&log["requests"][0]["status"], &log["requests"][0]["fault"]), (&Value::Null, &json!(fault)));

        // The same request again: a first answer or a replay, and one charge either way.
        assert_eq!(world.charge("op_1").await.status, if acted == 1 { 200 } else { 201 });
        assert_eq!(charges(&world).await, 1);
    }
}

#[tokio::test]
async fn statuses_come_with_and_without_a_deed() {
    for (fault, status, error, acted) in [
        (json!("act_then_500"), 500, "internal", 1),
        (json!("status_500"), 500, "internal", 0),
        (json!("status_409"), 409, "conflict", 0),
        (json!("not_processed_409"), 409, "not_processed", 0),
        (json!("status_429"), 429, "not_processed", 0),
        (json!({"status": {"code": 502, "body": {"error": {"code": "bad_gateway"}}}}), 502, "bad_gateway", 0),
        (json!({"status": {"code": 502, "act": true, "body": {"error": {"code": "x"}}}}), 502, "x", 1),
        (json!("status"), 503, "unavailable", 0),
    ] {
        let world = broken(fault.clone()).await;
        let reply = world.charge("op_1").await;
        assert_eq!((reply.status, code(&reply)), (status, json!(error)), "{fault}");
        assert_eq!(charges(&world).await, acted, "{fault}");
        let again = world.charge("op_1").await;
        assert_eq!((again.status, charges(&world).await), (if acted == 1 { 200 } else { 201 }, 1), "{fault}");
    }
    let world = broken(json!({"status": {"code": 200, "body": "OK"}})).await;
    assert_eq!(world.charge("op_1").await.body, "OK");
}

#[tokio::test]
async fn a_delay_lies_before_or_after_the_deed() {
    for (when, found) in [("after", 200), ("before", 404)] {
        let world = broken(json!({"delay": {"ms": 300, "when": when}})).await;
        let begun = Instant::now();
        // The client gives up after 100 ms.
        assert!(timeout(Duration::from_millis(100), world.charge("op_1")).await.is_err());
        assert_eq!(world.get("/charges?reference=op_1").await.status, found, "{when}");
        sleep(Duration::from_millis(350).saturating_sub(begun.elapsed())).await;
        // A gateway finishes what it began, whoever is still there.
        assert_eq!(world.get("/charges?reference=op_1").await.status, 200, "{when}");
        assert_eq!(charges(&world).await, 1);
    }
}

#[tokio::test]
async fn delays_add_to_other_faults() {
    let world = World::new().await;
    world.faults(json!([{"fault": {"delay": {"ms": 60}}}, {"fault": "status_500", "times": 1}])).await;
    let begun = Instant::now();
    assert_eq!(world.charge("op_1").await.status, 500);
    assert!(begun.elapsed() >= Duration::from_millis(60));
    assert_eq!(world.charge("op_1").await.status, 201);
    assert!(begun.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn garbage_is_a_success_that_nobody_can_read() {
    let world = broken(json!("garbage")).await;
    let reply = world.charge("op_1").await;
    assert_eq!(reply.status, 200);
    assert!(serde_json::from_slice::<Value>(&reply.body).is_err());
    assert_eq!(charges(&world).await, 1);
}

#[tokio::test]
async fn a_huge_answer_does_not_say_how_huge() {
    let world = broken(json!({"huge_body": {"bytes": 3_000_000}})).await;
    let reply = world.charge("op_1").await;
    assert_eq!(reply.headers.get("content-length"), None);
    assert!((3_000_000..3_001_000).contains(&reply.body.len()));
    assert_eq!(reply.json()["status"], "captured", "only its size is wrong");
}

#[tokio::test]
async fn a_slow_answer_comes_in_pieces() {
    let world = broken(json!({"slow_body": {"ms_per_chunk": 20}})).await;
    let begun = Instant::now();
    let reply = world.charge("op_1").await;
    assert_eq!(reply.json()["status"], "captured");
    let pieces = u32::try_from(reply.body.len() / 16).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(20) * pieces);
}

#[tokio::test]
async fn a_truncated_answer_ends_half_way() {
    let world = broken(json!("truncated")).await;
    let bytes = world.bytes_for_charge("op_1").await;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    let whole = world.charge("op_1").await;
    assert!(head.contains(&format!("content-length: {}", whole.body.len())), "{head}");
    assert_eq!(body.as_bytes(), &whole.body[..whole.body.len() / 2]);
    assert_eq!(charges(&world).await, 1);
}

/// Declined now, and approved when nobody expects it any more.
#[tokio::test]
async fn a_late_success_follows_a_decline() {
    let world = broken(json!({"late_success": {"ms": 50}})).await;
    let reply = world.charge("op_1").await;
    assert_eq!((reply.status, &reply.json()["status"]), (402, &json!("declined")));
    assert_eq!(world.ledger().await["totals"], json!({}));
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    let charge = world.until(&id, "captured").await;
    assert_eq!(charge["decline"], Value::Null);
    assert_eq!(world.ledger().await["totals"]["USD"]["captured"], 1000);
}

#[tokio::test]
async fn refunds_can_be_late_and_pending_too() {
    for (fault, status, shown) in [("late_success", 402, "declined"), ("pending", 201, "pending")] {
        let world = World::new().await;
        let id = world.charge("op_1").await.json()["id"].as_str().unwrap().to_owned();
        world.faults(json!({"match": {"amount": 400}, "times": 1, "fault": {fault: {"ms": 60_000}}})).await;
        let path = format!("/charges/{id}/refunds");
        let refund = world.post(&path, "r1", json!({"reference": "r1", "amount": 400})).await;
        assert_eq!((refund.status, &refund.json()["status"]), (status, &json!(shown)));
        assert_eq!(world.ledger().await["totals"]["USD"]["refunded"], 0);
        // What is pending is spoken for; what was declined is not.
        let rest = world.post(&path, "r2", json!({"reference": "r2", "amount": 700})).await;
        assert_eq!(rest.status, if fault == "pending" { 400 } else { 201 });
        let settled = world.post("/__settle", "", json!({"reference": "r1"})).await;
        assert_eq!(settled.status, if fault == "pending" { 200 } else { 400 });
        let refunded = if fault == "pending" { 400 } else { 700 };
        assert_eq!(world.ledger().await["totals"]["USD"]["refunded"], refunded);
    }
}

#[tokio::test]
async fn a_redirect_leads_elsewhere_and_does_nothing() {
    let world = broken(json!({"redirect": {"location": "http://169.254.169.254/latest"}})).await;
    let reply = world.charge("op_1").await;
    assert_eq!((reply.status, &reply.headers["location"]), (307, &"http://169.254.169.254/latest".parse().unwrap()));
    assert_eq!(charges(&world).await, 0);
}

#[tokio::test]
async fn an_echo_repeats_everything_it_was_told() {
    let world = broken(json!("echo_card")).await;
    let reply = world.charge("op_1").await;
    let echo = &reply.json()["echo"];
    assert_eq!((&echo["number"], &echo["api_key"]), (&json!(GOOD_CARD), &json!(API_KEY)));
    assert_eq!((&echo["number_spaced"], &echo["cvc"]), (&json!("4242 4242 4242 4242"), &json!("123")));
    assert_eq!(reply.headers["x-echo-authorization"], format!("Bearer {API_KEY}"));
    assert_eq!(reply.json()["status"], "captured");
}

#[tokio::test]
async fn rules_choose_by_what_a_call_is_about() {
    let world = World::new().await;
    world
        .faults(json!([
            {"match": {"amount": 666}, "fault": "status_500"},
            {"match": {"reference": "op_9"}, "fault": "status_429"},
            {"match": {"method": "GET", "nth": 2}, "fault": "status_409"},
        ]))
        .await;
    assert_eq!(world.post("/charges", "op_1", charge("op_1", 666, GOOD_CARD)).await.status, 500);
    assert_eq!(world.charge("op_9").await.status, 429);
    let id = world.charge("op_2").await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/charges/{id}");
    let statuses = [world.get(&path).await.status, world.get(&path).await.status, world.get(&path).await.status];
    assert_eq!(statuses, [200, 409, 200]);
    let rules = world.get("/__faults").await.json();
    assert_eq!((&rules["rules"][0]["fired"], &rules["rules"][2]["matched"]), (&json!(1), &json!(3)));

    let cleared = request(world.authority(), axum::http::Method::DELETE, "/__faults", &[], &Value::Null).await.unwrap();
    assert_eq!(cleared.status, 204);
    assert_eq!(world.charge("op_9").await.status, 201);
}

/// A call that names no amount is known by the amount of its charge.
#[tokio::test]
async fn a_cancel_is_known_by_its_charges_amount() {
    let world = World::new().await;
    let id = world.post("/charges", "a", crate::client::hold("a", 777)).await.json()["id"].as_str().unwrap().to_owned();
    world.faults(json!({"match": {"amount": 777, "path_prefix": "/charges/"}, "fault": "status_500"})).await;
    assert_eq!(world.post(&format!("/charges/{id}/cancel"), "x", json!({"reference": "x"})).await.status, 500);
    assert_eq!(world.ledger().await["totals"]["USD"]["held"], 777);
}

#[tokio::test]
async fn random_faults_repeat_with_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let world = World::new().await;
        let probability = json!({"status_429": 0.3, "status_500": 0.2});
        world.faults(json!({"random": {"probability": probability, "methods": ["POST"]}})).await;
        let mut statuses = Vec::new();
        for n in 0..60 {
            statuses.push(world.charge(&format!("op_{n}")).await.status);
        }
        assert_eq!(world.get("/charges?reference=zzz").await.status, 404, "a GET meets none");
        for status in [201, 429, 500] {
            assert!(statuses.contains(&status), "{statuses:?}");
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_fault_that_does_not_exist_is_refused() {
    let world = World::new().await;
    for faults in [
        json!({"fault": "explode"}),
        json!({"fault": {"delay": {"seconds": 1}}}),
        json!({"fault": {"status": {"code": 99}}}),
        json!({"match": {"colour": "red"}, "fault": "garbage"}),
        json!({"random": {"probability": {"garbage": 2}}}),
        json!([{"fault": "garbage"}, {"webhooks": {"mode": "singing"}}]),
    ] {
        let reply = world.post("/__faults", "", faults.clone()).await;
        assert_eq!((reply.status, code(&reply)), (400, json!("invalid_request")), "{faults}");
    }
    assert_eq!(world.get("/__faults").await.json()["rules"], json!([]), "all or nothing");
}

/// A decline where the method would have approved, with the reason that was asked for, of whatever is asked for.
#[tokio::test]
async fn a_decline_can_be_wished_for() {
    let world = broken(json!({"decline": {"code": "insufficient_funds"}})).await;
    let reply = world.charge("op_1").await;
    assert_eq!((reply.status, &reply.json()["decline"]["code"]), (402, &json!("insufficient_funds")));
    let id = world.post("/charges", "h", crate::client::hold("h", 500)).await.json()["id"].as_str().unwrap().to_owned();
    let decline = json!({"match": {"method": "POST"}, "times": 1, "fault": "decline"});
    world.faults(decline.clone()).await;
    let path = format!("/charges/{id}/capture");
    let declined = world.post(&path, "c1", json!({"reference": "c1", "amount": 500})).await;
    assert_eq!((declined.status, &declined.json()["status"]), (402, &json!("declined")));
    assert_eq!(world.get("/charges?reference=c1").await.json()["decline"]["code"], "do_not_honor");
    assert_eq!(world.post(&path, "c2", json!({"reference": "c2", "amount": 500})).await.json()["status"], "captured");
    world.faults(decline).await;
    let refund = world.post(&format!("/charges/{id}/refunds"), "r", json!({"reference": "r", "amount": 500})).await;
    assert_eq!((refund.status, &refund.json()["status"]), (402, &json!("declined")));
    assert_eq!(world.ledger().await["totals"]["USD"]["refunded"], 0);
    let unknown = world.post("/__faults", "", json!({"fault": {"decline": {"code": "no_such_word"}}})).await;
    assert_eq!(unknown.status, 400);
}

/// Captures can be accepted first and decided later; nothing has moved until then.
#[tokio::test]
async fn captures_can_be_pending() {
    for (decline, shown, captured) in [(false, "captured", 500), (true, "declined", 0)] {
        let world = World::new().await;
        let id =
            world.post("/charges", "h", crate::client::hold("h", 500)).await.json()["id"].as_str().unwrap().to_owned();
        world.faults(json!({"match": {"path_prefix": "/charges/"}, "times": 1, "fault": {"pending": {"ms": 60_000, "decline": decline}}})).await;
        let body = json!({"reference": "c", "amount": 500});
        let pending = world.post(&format!("/charges/{id}/capture"), "c", body).await;
        assert_eq!((pending.status, &pending.json()["status"]), (200, &json!("pending")));
        assert_eq!(world.ledger().await["totals"]["USD"]["captured"], 0);
        assert_eq!(world.post("/__settle", "", json!({"reference": "c"})).await.json()["status"], shown);
        assert_eq!(world.ledger().await["totals"]["USD"]["captured"], captured);
        assert_eq!(world.get("/charges?reference=c").await.json()["status"], shown);
    }
}

/// By themselves, a while after they were done, and only what the fault speaks of.
#[tokio::test]
async fn what_is_done_can_be_taken_back() {
    let world = broken(json!({"capture_fails_later": {"ms": 30}})).await;
    let reply = world.charge("op_1").await.json();
    assert_eq!(reply["status"], "captured");
    world.until(reply["id"].as_str().unwrap(), "declined").await;
    assert_eq!(world.ledger().await["totals"]["USD"]["captured"], 0);

    let world = World::new().await;
    let id = world.charge("op_1").await.json()["id"].as_str().unwrap().to_owned();
    world
        .faults(json!({"match": {"path_prefix": "/charges/"}, "times": 1, "fault": {"refund_fails_later": {"ms": 30}}}))
        .await;
    let refund = world.post(&format!("/charges/{id}/refunds"), "r", json!({"reference": "r", "amount": 400})).await;
    assert_eq!(refund.json()["status"], "succeeded");
    for _ in 0..200 {
        if world.get("/refunds?reference=r").await.json()["status"] == "declined" {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.ledger().await["totals"]["USD"]["refunded"], 0);
}

/// The cancel came too late, and the answer to it was too early.
#[tokio::test]
async fn what_was_cancelled_can_be_paid_nevertheless() {
    let world = World::new().await;
    let id = world.post("/charges", "a", charge("a", 1_000, "4000000000003220")).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world
        .faults(json!({"match": {"path_prefix": "/charges/"}, "times": 1, "fault": {"late_success": {"ms": 30}}}))
        .await;
    let cancelled = world.post(&format!("/charges/{id}/cancel"), "x", json!({"reference": "x"})).await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("cancelled")));
    assert_eq!(world.until(&id, "captured").await["captured"], 1_000);
}

/// A rule for the calls of one account.
#[tokio::test]
async fn rules_choose_by_the_caller() {
    let world = World::new().await;
    world
        .faults(json!([
            {"match": {"api_key": "somebody else's"}, "fault": "status_500"},
            {"match": {"api_key": API_KEY}, "times": 1, "fault": "status_429"},
        ]))
        .await;
    assert_eq!(world.charge("op_1").await.status, 429);
    assert_eq!(world.charge("op_1").await.status, 201);
}
