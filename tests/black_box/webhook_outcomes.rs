//! What a webhook changes of a payment, through the gate: early ones, late ones, those that tell what nobody else could,
//! and those that contradict.

use interlock_tests::harness::{World, bodies, eventually, merchant::GATEWAY_WEBHOOK_SECRET};
use serde_json::{Value, json};

use super::webhook_kit::{address, all_applied, captured, forge, latest_charge, listen, told, tried};

/// A gateway that tells of every charge at once, and never finishes what is open.
async fn talkative() -> World {
    let world = World::builder()
        .setting("INTERLOCK_VERIFY_DELAYS", "3600,".repeat(9).trim_end_matches(','))
        .simulator_argument("--settle-ms=10000000")
        .start()
        .await;
    listen(&world, 0, &world.merchant, GATEWAY_WEBHOOK_SECRET).await;
    world.simulator.add_faults(&json!({ "webhooks": { "mode": "normal", "events": "all" } })).await;
    world
}

/// The webhook is faster than the reply. The host that waits for the reply has the word; the event waits its turn, and
/// then has nothing new to say.
#[tokio::test]
async fn an_event_that_comes_before_the_reply_waits_for_it() {
    let world = talkative().await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 1500, "when": "after" } })).await;
    let caller = world.on(0);
    let paying = tokio::spawn(async move { caller.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await });
    tried(&world, 2).await;
    assert_eq!(world.db_texts("select status from payments").await, ["processing"]);
    let paid = paying.await.expect("an answer").expect(201);
    assert_eq!(paid.payment_status(), "succeeded");
    all_applied(&world).await;
    assert_eq!(world.payment(&paid.id()).await, paid.json);
    assert_eq!(world.states(&paid.id()).await, ["created", "processing", "succeeded"]);
}

/// The reply is lost, the schedule would ask in an hour, and the webhook tells.
#[tokio::test]
async fn a_webhook_ends_what_nobody_knew() {
    let world = talkative().await;
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let paid = world.pay(bodies::GOOD).await;
    // The event may have been there first.
    assert!(matches!(paid.status, 201 | 202), "{}", paid.text());
    let payment = world.payment_becomes(&paid.id(), "succeeded").await;
    assert_eq!((&payment["amount_captured"], &payment["attempt_count"]), (&json!(1250), &json!(1)));
    assert_eq!(world.simulator.charges().await.len(), 1);
    // The key's answer is that of the payment as it ended.
    let again = world.post("/v1/payments", "key-1", &bodies::payment(bodies::GOOD)).await.expect(201);
    assert_eq!(again.json, payment);
    all_applied(&world).await;
}

/// Declined, and an hour later the gateway has the money after all.
#[tokio::test]
async fn a_late_success_is_taken_from_a_webhook() {
    let world = told(300).await;
    world.simulator.fail_next_posts(1, json!({ "late_success": { "ms": 1000 } })).await;
    let paid = world.pay(bodies::GOOD).await.expect(201);
    assert_eq!(paid.payment_status(), "failed");
    let payment = world.payment_becomes(&paid.id(), "succeeded").await;
    assert_eq!(payment["amount_captured"], 1250);
    let trail = world.trail(&paid.id()).await;
    let last = trail.last().expect("there is a trail");
    assert_eq!((&last["from"], &last["to"]), (&json!("failed"), &json!("succeeded")), "{last}");
    all_applied(&world).await;
    // The first final answer is the one that is kept.
    let again = world.post("/v1/payments", "key-1", &bodies::payment(bodies::GOOD)).await.expect(201);
    assert!(again.is_replay() && again.bytes == paid.bytes, "{}", again.text());
}

/// It proves another amount than ours: nothing that a program decides.
#[tokio::test]
async fn another_amount_than_ours_is_for_a_person() {
    let world = told(10_000_000).await;
    let paid = world.pay(bodies::PENDING).await.expect(202);
    let charge = latest_charge(&world).await;
    let less = bodies::with(captured(&charge), &json!({ "amount": 999, "captured": 999 }));
    assert_eq!(forge(&world, "charge.updated", &less, &json!({})).await, Some(200));
    world.payment_becomes(&paid.id(), "manual_review").await;
    all_applied(&world).await;
    assert_eq!(world.db_count("select count(*) from reviews where reason = 'amount_mismatch'").await, 1);
}

/// What is older than what is known changes nothing: no line, no version, no event.
#[tokio::test]
async fn an_event_older_than_what_is_known_changes_nothing() {
    let world = told(10_000_000).await;
    let paid = world.pay(bodies::GOOD).await.expect(201);
    let charge = latest_charge(&world).await;
    let of_status =
        |status: &str, taken: i64| bodies::with(captured(&charge), &json!({ "status": status, "captured": taken }));
    for (id, data) in [
        ("gwe_pending", of_status("pending", 0)),
        ("gwe_authorized", of_status("authorized", 0)),
        ("gwe_captured", of_status("captured", 1250)),
    ] {
        assert_eq!(forge(&world, "charge.updated", &data, &json!({ "id": id })).await, Some(200), "{id}");
    }
    all_applied(&world).await;
    assert_eq!(world.payment(&paid.id()).await, paid.json);
    assert_eq!(world.trail(&paid.id()).await.len(), 3);
    assert_eq!(world.db_count("select count(*) from reviews").await, 0);
    assert_eq!(world.operator().get("/admin/quarantine").await.expect(200).json["data"], json!([]));
}

/// Accepted, and decided later: the webhook tells, by itself or by having the host ask.
#[tokio::test]
async fn a_pending_refund_ends_when_its_gateway_tells() {
    let world = told(300).await;
    let paid = world.pay(bodies::GOOD).await.expect(201);
    world.simulator.fail_next_posts(1, json!({ "pending": { "ms": 700 } })).await;
    let path = format!("/v1/payments/{}/refunds", paid.id());
    let refund = world.post(&path, "r", &json!({ "amount": 500 })).await.expect(202);
    assert_eq!(refund.payment_status(), "pending");
    let refunded = world.payment_becomes(&paid.id(), "partially_refunded").await;
    assert_eq!(refunded["amount_refunded"], 500);
    let refund = world.get(&format!("/v1/refunds/{}", refund.id())).await.expect(200);
    assert_eq!(refund.payment_status(), "succeeded");
    all_applied(&world).await;
}

/// Every event reaches both hosts, and each is kept and applied once between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_apply_each_event_once() {
    const PAYMENTS: usize = 12;
    let world = World::builder().hosts(2).simulator_argument("--settle-ms=500").start().await;
    for host in 0..2 {
        let target = json!({ "url": address(&world, host, &world.merchant.account), "secret": GATEWAY_WEBHOOK_SECRET });
        world.simulator.control("/__webhooks", &target).await;
    }
    world.simulator.add_faults(&json!({ "webhooks": { "mode": "doubled" } })).await;
    let mut payments = Vec::new();
    for number in 0..PAYMENTS {
        let key = format!("k{number}");
        let paid = world.on(number % 2).post("/v1/payments", &key, &bodies::payment(bodies::PENDING)).await.expect(202);
        payments.push(paid.id());
    }
    for payment in &payments {
        world.payment_becomes(payment, "succeeded").await;
        assert_eq!(world.states(payment).await.iter().filter(|state| *state == "succeeded").count(), 1);
    }
    all_applied(&world).await;
    let kept = world.db_count("select count(*) from webhook_inbox").await;
    assert_eq!(usize::try_from(kept), Ok(PAYMENTS));
    let counted = async |host: usize| {
        let metrics = world.operator_at(host).without_token().get("/metrics").await.text();
        let value = |result: &str| {
            let name = format!("interlock_webhooks_received_total{{connector=\"mock\",result=\"{result}\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(name.as_str()));
            line.and_then(|value| value.parse::<usize>().ok()).unwrap_or_default()
        };
        [value("stored"), value("repeated")]
    };
    eventually("all four deliveries of each event were answered", async || {
        let [first, second] = [counted(0).await, counted(1).await];
        let [stored, repeated] = [first[0] + second[0], first[1] + second[1]];
        if (stored, repeated) == (PAYMENTS, 3 * PAYMENTS) { Ok(()) } else { Err(format!("{first:?} {second:?}")) }
    })
    .await;
    let quarantined: Value = world.operator().get("/admin/quarantine").await.expect(200).json;
    assert_eq!(quarantined["data"], json!([]));
}
