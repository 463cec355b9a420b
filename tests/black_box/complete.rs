//! The customer must act: the way to the gateway's page and back, and everything that can happen on it.

use futures_util::future::join_all;
use interlock_tests::harness::{bodies, eventually};
use serde_json::json;

use super::fault_kit::{install_hostile, quick, victim};

const BACK: &str = "confirm";

/// There and back: the customer approves, the shop brings what the browser brought, and the payment is what it was to
/// be. The gateway is asked; what the browser says proves nothing.
#[tokio::test]
async fn a_customer_approves_and_comes_back() {
    let world = quick().start().await;
    for (capture_method, status, captured) in [("automatic", "succeeded", 1_000), ("manual", "authorized", 0)] {
        let key = format!("pay-{capture_method}");
        let payment = world.on(0).challenged(&key, 1_000, capture_method).await;
        assert_eq!(payment.json["next_action"]["type"], "redirect", "{}", payment.text());
        world.simulator.customer(&payment.json, "approve").await;
        let parameters = json!({ "parameters": { "result": "approved", "charge": "ch_of_somebody_else" } });
        let done = world.step(&payment.id(), BACK, &parameters).await.expect(200);
        assert_eq!(done.payment_status(), status, "{}", done.text());
        assert_eq!((&done.json["amount_captured"], &done.json["next_action"]), (&json!(captured), &json!(null)));
        assert_eq!(world.attempts(&payment.id()).await.len(), 1);
        let states = ["created", "processing", "requires_action", "processing", status];
        assert_eq!(world.on(0).states(&payment.id()).await, states);
        // The first key goes on telling what was to be done first.
        let replayed = world.on(0).pay(&key, bodies::CHALLENGED, 1_000, capture_method).await.expect(201);
        assert!(replayed.is_replay() && replayed.bytes == payment.bytes);
        if capture_method == "manual" {
            world.step(&payment.id(), "capture", &json!({})).await.expect(200);
        }
    }
    assert_eq!(world.simulator.charges().await.len(), 2);
}

#[tokio::test]
async fn a_customer_declines_and_comes_back() {
    let world = quick().start().await;
    let payment = world.on(0).challenged("pay", 1_000, "automatic").await;
    world.simulator.customer(&payment.json, "decline").await;
    let done = world.step(&payment.id(), BACK, &json!({ "parameters": { "result": "approved" } })).await.expect(200);
    assert_eq!(done.payment_status(), "failed");
    assert_eq!(done.json["last_error"]["decline_code"], "authentication_failed", "{}", done.text());
    assert_eq!(world.simulator.charges().await[0]["captured"], 0);
    // Another card, another try.
    let other = json!({ "payment_method": bodies::card(bodies::GOOD) });
    let paid = world.step(&payment.id(), BACK, &other).await.expect(200);
    assert_eq!((paid.payment_status(), world.attempts(&payment.id()).await.len()), ("succeeded", 2));
}

/// Back without having acted: the way is shown again, and may be gone.
#[tokio::test]
async fn a_customer_who_has_not_acted_may_still_do_so() {
    let world = quick().start().await;
    let payment = world.on(0).challenged("pay", 1_000, "automatic").await;
    let id = payment.id();
    for body in [json!({ "parameters": {} }), json!({})] {
        let early = world.step(&id, BACK, &body).await.expect(200);
        assert_eq!(early.payment_status(), "requires_action", "{body}");
        assert_eq!(early.json["next_action"], payment.json["next_action"], "{body}");
    }
    let other = json!({ "payment_method": bodies::card(bodies::GOOD) });
    world.step(&id, BACK, &other).await.expect_problem(409, "payment_not_confirmable");
    world.simulator.customer(&payment.json, "approve").await;
    let done = world.step(&id, BACK, &json!({ "parameters": {} })).await.expect(200);
    assert_eq!(done.payment_status(), "succeeded");
    assert_eq!(world.simulator.charges().await.len(), 1);
}

/// The host cannot ask the gateway, which waits on all the same: nothing has failed. The customer has the same way before
/// them, and comes back once more.
#[tokio::test]
async fn a_complete_that_was_not_sent_leaves_the_way_open() {
    let world = quick().start().await;
    install_hostile(&world).await;
    let shop = victim(&world, "well").await;
    let caller = world.of(&shop);
    let payment = caller.challenged("pay", 1_000, "automatic").await;
    let behaves = async |how: &str| {
        let change = json!({ "settings": { "behaviour": how } });
        caller.patch(&format!("/v1/gateway_accounts/{}", shop.account), &change).await.expect(200);
    };
    behaves("fail").await;
    let back = caller.step(&payment.id(), BACK, "early", &json!({ "parameters": {} })).await.expect(200);
    assert_eq!(back.payment_status(), "requires_action", "{}", back.text());
    assert_eq!(back.json["next_action"], payment.json["next_action"]);
    behaves("well").await;
    world.simulator.customer(&payment.json, "approve").await;
    let done = caller.step(&payment.id(), BACK, "back", &json!({ "parameters": {} })).await.expect(200);
    assert_eq!(done.payment_status(), "succeeded", "{}", done.text());
    assert_eq!(world.simulator.charges().await.len(), 1);
    let others = "select count(*) from operations where kind = 'complete' and status = 'pending'";
    assert_eq!(world.db_count(others).await, 0, "the first complete has ended");
}

/// The customer closes the browser after having approved: a sync, or a confirm without parameters, finds out.
#[tokio::test]
async fn a_customer_who_does_not_come_back_is_asked_about() {
    let world = quick().start().await;
    for verb in ["sync", BACK] {
        let payment = world.on(0).challenged(verb, 1_000, "automatic").await;
        world.simulator.customer(&payment.json, "approve").await;
        let found = world.step(&payment.id(), verb, &json!({})).await.expect(200);
        assert_eq!(found.payment_status(), "succeeded", "{verb}");
    }
}

/// The gateway tells before the customer is back; who comes back then finds it done, and nothing is sent.
#[tokio::test]
async fn a_webhook_may_be_faster_than_the_customer() {
    let world = quick().start().await;
    let _door = world.listen(&world.merchant).await;
    let payment = world.on(0).challenged("pay", 1_000, "automatic").await;
    world.simulator.customer(&payment.json, "approve").await;
    world.payment_becomes(&payment.id(), "succeeded").await;
    let calls = world.simulator.requests().await.len();
    let back = world.step(&payment.id(), BACK, &json!({ "parameters": { "result": "approved" } })).await.expect(200);
    assert_eq!(back.payment_status(), "succeeded");
    assert_eq!(world.simulator.requests().await.len(), calls);
}

/// The customer presses reload, the shop retries, at both hosts: one end, one charge, the same bytes for the same key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_may_come_back_many_times_at_once() {
    let world = quick().hosts(2).start().await;
    let payment = world.on(0).challenged("pay", 1_000, "automatic").await;
    world.simulator.customer(&payment.json, "approve").await;
    let slow = json!({ "match": { "method": "GET" }, "times": 1, "fault": { "delay": { "ms": 200 } } });
    world.simulator.add_faults(&slow).await;
    let backs = (0..8).map(|number| {
        let (caller, id) = (world.on(number % 2), payment.id());
        async move { caller.step(&id, BACK, &format!("back-{number}"), &json!({ "parameters": {} })).await }
    });
    for answer in join_all(backs).await {
        let said = answer.json["code"].as_str().or(answer.json["status"].as_str()).unwrap_or_default();
        let known = ["succeeded", "processing", "operation_in_progress", "payment_not_confirmable"];
        assert!(known.contains(&said), "{}", answer.text());
    }
    world.payment_becomes(&payment.id(), "succeeded").await;
    assert_eq!(world.simulator.charges().await.len(), 1);
}

/// The question what became of it is lost on its way: unknown, and asked again. A read moves no money, but what the
/// customer did counts until the gateway has spoken.
#[tokio::test]
async fn a_complete_whose_answer_is_lost_is_found_out() {
    let world = quick().start().await;
    for fault in [json!("drop_before"), json!("status_500"), json!("garbage"), json!({ "delay": { "ms": 2_500 } })] {
        let payment = world.on(0).challenged(&fault.to_string(), 1_000, "automatic").await;
        world.simulator.customer(&payment.json, "approve").await;
        let rule = json!({ "match": { "method": "GET" }, "times": 1, "fault": fault });
        world.simulator.add_faults(&rule).await;
        let key = world.fresh_key();
        let back = world.on(0).step(&payment.id(), BACK, &key, &json!({ "parameters": {} })).await;
        assert_eq!(back.status, 202, "{fault}: {}", back.text());
        world.payment_becomes(&payment.id(), "succeeded").await;
        let last = world.on(0).step(&payment.id(), BACK, &key, &json!({ "parameters": {} })).await.expect(200);
        assert_eq!(last.payment_status(), "succeeded", "{fault}");
    }
}

/// UPI and wallets: a link for the customer's app, and a page.
#[tokio::test]
async fn apps_and_wallets_are_ways_to_act_too() {
    let world = quick().start().await;
    for (method, kind) in [
        (json!({ "type": "upi", "upi": { "flow": "intent" } }), "open_app"),
        (json!({ "type": "wallet", "wallet": { "provider": "mock" } }), "redirect"),
    ] {
        let body = bodies::with(bodies::unconfirmed(), &json!({ "confirm": true, "payment_method": method }));
        let payment = world.post("/v1/payments", &world.fresh_key(), &body).await.expect(201);
        assert_eq!(payment.payment_status(), "requires_action", "{}", payment.text());
        assert_eq!(payment.json["next_action"]["type"], kind);
        let operation = world.operations_of(&payment.id(), "authorize").await.remove(0);
        world.simulator.settle(&operation, "approve").await;
        let found = world.step(&payment.id(), "sync", &json!({})).await.expect(200);
        assert_eq!(found.payment_status(), "succeeded", "{kind}");
    }
}

/// Called off while the customer was on the page: the gateway lets nobody pay any more.
#[tokio::test]
async fn what_is_called_off_cannot_be_approved() {
    let world = quick().start().await;
    let payment = world.on(0).challenged("pay", 1_000, "automatic").await;
    let cancelled = world.step(&payment.id(), "cancel", &json!({})).await.expect(200);
    assert_eq!((cancelled.payment_status(), &cancelled.json["next_action"]), ("cancelled", &json!(null)));
    assert_eq!(world.simulator.charges().await[0]["status"], "cancelled");
    let back = world.step(&payment.id(), BACK, &json!({ "parameters": {} })).await;
    back.expect_problem(409, "payment_not_confirmable");
}

/// The customer was faster than the cancel: the gateway refuses it, and the payment is what the customer made of it.
#[tokio::test]
async fn a_cancel_that_comes_too_late_finds_the_payment_paid() {
    let world = quick().start().await;
    let payment = world.on(0).challenged("pay", 1_000, "automatic").await;
    world.simulator.customer(&payment.json, "approve").await;
    let cancelled = world.step(&payment.id(), "cancel", &json!({})).await;
    assert!(matches!(cancelled.status, 200 | 202), "{}", cancelled.text());
    world.payment_becomes(&payment.id(), "succeeded").await;
    eventually("nothing is under way any more", async || match world.db_count("select count(*) from work").await {
        0 => Ok(()),
        rows => Err(format!("{rows} rows of work")),
    })
    .await;
}
