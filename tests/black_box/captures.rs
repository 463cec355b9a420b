//! Captures and cancels: in parts, at once, too late, refused, undecided, taken back.

use futures_util::future::join_all;
use interlock_tests::harness::{Answer, World};
use serde_json::{Value, json};

use super::fault_kit::quick;

fn amounts(payment: &Value) -> (i64, i64) {
    let amount = |name: &str| payment[name].as_i64().expect("an amount");
    (amount("amount_capturable"), amount("amount_captured"))
}

/// In parts: each takes its own, the last one releases what is left, and the gateway's books say the same.
#[tokio::test]
async fn captures_add_up() {
    let world = quick().start().await;
    let id = world.on(0).held("pay", 1_000).await;
    assert_eq!(amounts(&world.payment(&id).await), (1_000, 0));
    let first = world.step(&id, "capture", &json!({ "amount": 300, "final": false })).await.expect(200);
    assert_eq!((first.payment_status(), amounts(&first.json)), ("partially_captured", (700, 300)));
    world.step(&id, "capture", &json!({ "amount": 701, "final": false })).await.expect_problem(422, "amount_too_large");
    let second = world.step(&id, "capture", &json!({ "amount": 200, "final": false })).await.expect(200);
    assert_eq!((second.payment_status(), amounts(&second.json)), ("partially_captured", (500, 500)));
    let last = world.step(&id, "capture", &json!({ "amount": 100 })).await.expect(200);
    assert_eq!((last.payment_status(), amounts(&last.json)), ("succeeded", (0, 600)));
    let charge = &world.simulator.charges().await[0];
    assert_eq!((&charge["held"], &charge["captured"]), (&json!(0), &json!(600)));
    let states = ["created", "processing", "authorized", "partially_captured", "succeeded"];
    assert_eq!(world.on(0).states(&id).await, states);
    assert_eq!(
        world.events_of(&id).await,
        [
            "payment.created",
            "payment.processing",
            "payment.authorized",
            "payment.partially_captured",
            "payment.partially_captured",
            "payment.succeeded"
        ]
    );
    // What was captured may be given back, and no more.
    world.step(&id, "refunds", &json!({ "amount": 601 })).await.expect_problem(422, "amount_too_large");
    world.step(&id, "refunds", &json!({})).await.expect(201);
    assert_eq!(world.payment(&id).await["status"], "refunded");
}

/// Without amount and `final` it takes all and ends.
#[tokio::test]
async fn a_capture_takes_the_rest_and_is_final_by_default() {
    let world = quick().start().await;
    let id = world.on(0).held("pay", 1_000).await;
    world.step(&id, "capture", &json!({ "amount": 300, "final": false })).await.expect(200);
    let rest = world.step(&id, "capture", &json!({})).await.expect(200);
    assert_eq!((rest.payment_status(), amounts(&rest.json)), ("succeeded", (0, 1_000)));

    let id = world.on(0).held("another", 1_000).await;
    // All of it leaves nothing to come, whatever is said about that.
    let all = world.step(&id, "capture", &json!({ "final": false })).await.expect(200);
    assert_eq!((all.payment_status(), amounts(&all.json)), ("succeeded", (0, 1_000)));
    world.step(&id, "cancel", &json!({})).await.expect_problem(409, "payment_not_cancelable");
}

/// A cancel after a part was captured gives back the rest; the payment has succeeded with what was taken.
#[tokio::test]
async fn a_cancel_releases_what_was_not_captured() {
    let world = quick().start().await;
    let id = world.on(0).held("pay", 1_000).await;
    world.step(&id, "capture", &json!({ "amount": 300, "final": false })).await.expect(200);
    let cancelled = world.step(&id, "cancel", &json!({ "reason": "sold out" })).await.expect(200);
    assert_eq!((cancelled.payment_status(), amounts(&cancelled.json)), ("succeeded", (0, 300)));
    let charge = &world.simulator.charges().await[0];
    assert_eq!((&charge["held"], &charge["captured"]), (&json!(0), &json!(300)));
}

/// Where no gateway has heard of the payment none is asked.
#[tokio::test]
async fn a_payment_that_was_never_tried_is_called_off_without_the_gateway() {
    let world = quick().start().await;
    let body = json!({ "amount": 1_000, "currency": "EUR" });
    let id = world.post("/v1/payments", "p", &body).await.expect(201).id();
    let cancelled = world.step(&id, "cancel", &json!({})).await.expect(200);
    assert_eq!(cancelled.payment_status(), "cancelled");
    assert_eq!(world.events_of(&id).await, ["payment.created", "payment.cancelled"]);
    assert_eq!(world.simulator.calls("POST").await, 0);
}

/// Captures and cancels at once, under different keys: one of them is it. The others are told that something is under
/// way, or that it is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_and_cancels_exclude_each_other() {
    let world = quick().hosts(2).start().await;
    for round in 0..4 {
        let id = world.on(0).held(&format!("pay-{round}"), 1_000).await;
        world.simulator.fail_next_steps(1, json!({ "delay": { "ms": 150 } })).await;
        let asks = (0..8).map(|number| {
            let (caller, id) = (world.on(number % 2), id.clone());
            let verb = if number % 4 == 3 { "cancel" } else { "capture" };
            async move { caller.step(&id, verb, &format!("ask-{round}-{number}"), &json!({})).await }
        });
        let answers = join_all(asks).await;
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 1, "{:?}", answers.iter().map(Answer::text).collect::<Vec<_>>());
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            let code = answer.json["code"].as_str().unwrap_or_default();
            let known = ["operation_in_progress", "payment_not_capturable", "payment_not_cancelable"];
            assert!(answer.status == 409 && known.contains(&code), "{}", answer.text());
        }
        assert_eq!(world.operations_of(&id, "capture").await.len() + world.operations_of(&id, "cancel").await.len(), 1);
    }
}

/// The gateway refuses the capture: nothing was taken, the money is still held, and it may be tried again.
#[tokio::test]
async fn a_declined_capture_leaves_the_money_held() {
    let world = quick().start().await;
    let id = world.on(0).held("pay", 1_000).await;
    world.simulator.fail_next_steps(1, json!("decline")).await;
    let declined = world.on(0).step(&id, "capture", "c", &json!({})).await.expect(200);
    assert_eq!((declined.payment_status(), amounts(&declined.json)), ("authorized", (1_000, 0)));
    assert!(!declined.json["last_error"].is_null(), "{}", declined.text());
    let again = world.on(0).step(&id, "capture", "c", &json!({})).await.expect(200);
    assert!(again.is_replay() && again.bytes == declined.bytes);
    let second = world.step(&id, "capture", &json!({})).await.expect(200);
    assert_eq!(second.payment_status(), "succeeded");
}

/// The gateway was not reached, or says that it did nothing: as if it had not been asked.
#[tokio::test]
async fn a_capture_that_was_not_processed_may_be_tried_again() {
    let world = quick().start().await;
    let id = world.on(0).held("pay", 1_000).await;
    for fault in ["status_429", "not_processed_409"] {
        world.simulator.fail_next_posts(1, json!(fault)).await;
        let answer = world.step(&id, "capture", &json!({})).await.expect(200);
        assert_eq!((answer.payment_status(), amounts(&answer.json)), ("authorized", (1_000, 0)), "{fault}");
    }
    assert_eq!(world.step(&id, "capture", &json!({})).await.expect(200).payment_status(), "succeeded");
}

/// The gateway takes the capture and decides later: nothing is known, nothing else begins, and its webhook ends it.
#[tokio::test]
async fn a_capture_may_be_decided_later() {
    let world = quick().start().await;
    let _door = world.listen(&world.merchant).await;
    for (outcome, end) in [("approve", ("succeeded", (0, 1_000))), ("decline", ("authorized", (1_000, 0)))] {
        let id = world.on(0).held(&format!("pay-{outcome}"), 1_000).await;
        undecided(&world).await;
        world.step(&id, "capture", &json!({})).await.expect(202);
        world.step(&id, "cancel", &json!({})).await.expect_problem(409, "operation_in_progress");
        let operation = world.operations_of(&id, "capture").await.remove(0);
        world.simulator.settle(&operation, outcome).await;
        let wanted = json!({ "status": end.0, "amount_capturable": end.1.0, "amount_captured": end.1.1 });
        world.on(0).payment_has(&id, &wanted).await;
    }
}

async fn undecided(world: &World) {
    let pending = json!({ "pending": { "ms": 600_000 } });
    world.simulator.fail_next_steps(1, json!(pending)).await;
}

/// The money was taken, and then it was not: told to the merchant, shown to a person, never silent. What was booked
/// stays until somebody has looked.
#[tokio::test]
async fn a_capture_that_fails_later_is_a_correction() {
    let world = quick().gateway_misbehaves().start().await;
    let _door = world.listen(&world.merchant).await;
    let whole = world.on(0).paid("whole", 1_000).await;
    let held = world.on(0).held("held", 1_000).await;
    world.step(&held, "capture", &json!({})).await.expect(200);
    for (id, kind) in [(&whole, "authorize"), (&held, "capture")] {
        let operation = world.operations_of(id, kind).await.remove(0);
        world.simulator.settle(&operation, "fail").await;
        interlock_tests::harness::eventually("a person is told", async || {
            let reviews = world.reviews_of(id).await;
            if reviews.len() == 1 { Ok(()) } else { Err(format!("{reviews:?}")) }
        })
        .await;
        let events = world.events_of(id).await;
        assert_eq!(events.last().map(String::as_str), Some("payment.corrected"), "{events:?}");
        assert_eq!(world.payment(id).await["status"], "succeeded");
    }
}

/// Before anything new begins the host finds out about what it does not know: what was lost is sent again, and the new
/// operation meets the payment as it is then.
#[tokio::test]
async fn what_is_unknown_is_found_out_before_the_next_operation_begins() {
    let world = quick().setting("INTERLOCK_VERIFY_DELAYS", "600").start().await;
    for fault in ["drop_before", "act_then_drop"] {
        let id = world.on(0).held(&format!("capture-{fault}"), 1_000).await;
        world.simulator.fail_next_steps(1, json!(fault)).await;
        world.step(&id, "capture", &json!({ "amount": 300, "final": false })).await.expect(202);
        let cancelled = world.step(&id, "cancel", &json!({})).await.expect(200);
        assert_eq!((cancelled.payment_status(), amounts(&cancelled.json)), ("succeeded", (0, 300)), "{fault}");

        let id = world.on(0).held(&format!("cancel-{fault}"), 1_000).await;
        world.simulator.fail_next_steps(1, json!(fault)).await;
        world.step(&id, "cancel", &json!({})).await.expect(202);
        world.step(&id, "capture", &json!({})).await.expect_problem(409, "payment_not_capturable");
        assert_eq!(world.payment(&id).await["status"], "cancelled", "{fault}");
    }
}

/// Where it cannot be found out just now, nothing new begins.
#[tokio::test]
async fn nothing_begins_while_an_operation_is_unknown() {
    let world = quick().setting("INTERLOCK_VERIFY_DELAYS", "600").start().await;
    let id = world.on(0).held("pay", 1_000).await;
    world.simulator.add_faults(&json!({ "fault": "act_then_drop" })).await;
    let unknown = world.on(0).step(&id, "capture", "c", &json!({})).await.expect(202);
    assert_eq!((unknown.payment_status(), amounts(&unknown.json)), ("authorized", (0, 0)));
    for verb in ["capture", "cancel"] {
        world.step(&id, verb, &json!({})).await.expect_problem(409, "operation_in_progress");
    }
    world.on(0).step(&id, "capture", "c", &json!({})).await.expect(202);
    world.simulator.clear_faults().await;
    // Asked by hand, or by a sync: then it is known.
    assert_eq!(world.step(&id, "sync", &json!({})).await.expect(200).payment_status(), "succeeded");
    let known = world.on(0).step(&id, "capture", "c", &json!({})).await.expect(200);
    assert_eq!((known.payment_status(), amounts(&known.json)), ("succeeded", (0, 1_000)));
    assert_eq!(world.operations_of(&id, "capture").await.len(), 1);
}
