//! What may be done to a payment in each of its states, and what stays true of any operation: keys, races, unknown
//! outcomes, bad bodies.

use futures_util::future::join_all;
use interlock_tests::harness::{Answer, Caller, World, bodies};
use serde_json::{Value, json};

use super::fault_kit::{quick, shop};

/// What an operation does to a payment in some state: the answer's status, and the payment's status or the problem's
/// code.
type Expected = (u16, &'static str);

const NOT_CAPTURABLE: Expected = (409, "payment_not_capturable");
const NOT_CANCELABLE: Expected = (409, "payment_not_cancelable");
const NOT_REFUNDABLE: Expected = (409, "payment_not_refundable");
const IN_PROGRESS: Expected = (409, "operation_in_progress");

/// A state, and what a capture, a cancel and a refund do there.
type Row = (&'static str, [Expected; 3]);

/// The states that a payment reaches with a gateway that answers; the rest has its own world below.
const ROWS: &[Row] = &[
    ("created", [NOT_CAPTURABLE, (200, "cancelled"), NOT_REFUNDABLE]),
    ("processing", [NOT_CAPTURABLE, IN_PROGRESS, NOT_REFUNDABLE]),
    ("requires_action", [NOT_CAPTURABLE, (200, "cancelled"), NOT_REFUNDABLE]),
    ("authorized", [(200, "succeeded"), (200, "cancelled"), NOT_REFUNDABLE]),
    ("partially_captured", [(200, "succeeded"), (200, "succeeded"), NOT_REFUNDABLE]),
    ("succeeded", [NOT_CAPTURABLE, NOT_CANCELABLE, (201, "succeeded")]),
    ("partially_refunded", [NOT_CAPTURABLE, NOT_CANCELABLE, (201, "succeeded")]),
    ("refunded", [NOT_CAPTURABLE, NOT_CANCELABLE, NOT_REFUNDABLE]),
    ("failed", [NOT_CAPTURABLE, NOT_CANCELABLE, NOT_REFUNDABLE]),
    ("cancelled", [NOT_CAPTURABLE, NOT_CANCELABLE, NOT_REFUNDABLE]),
];
const VERBS: [&str; 3] = ["capture", "cancel", "refunds"];

/// A payment of 1000 in this state. `name` makes its keys its own.
async fn in_state(caller: &Caller, state: &str, name: &str) -> String {
    let key = |step: &str| format!("{name}-{step}");
    let id = match state {
        "created" => caller.post("/v1/payments", &key("create"), &bodies::unconfirmed()).await.expect(201).id(),
        "processing" => caller.pay(&key("pay"), bodies::PENDING, 1_000, "automatic").await.expect(202).id(),
        "requires_action" => caller.challenged(&key("pay"), 1_000, "automatic").await.id(),
        "failed" => caller.pay(&key("pay"), bodies::DECLINES, 1_000, "automatic").await.expect(201).id(),
        "authorized" | "partially_captured" | "cancelled" => caller.held(&key("pay"), 1_000).await,
        _ => caller.paid(&key("pay"), 1_000).await,
    };
    match state {
        "partially_captured" => {
            let body = json!({ "amount": 400, "final": false });
            caller.step(&id, "capture", &key("capture"), &body).await.expect(200);
        }
        "cancelled" => drop(caller.step(&id, "cancel", &key("cancel"), &json!({})).await.expect(200)),
        "partially_refunded" => {
            caller.step(&id, "refunds", &key("refund"), &json!({ "amount": 300 })).await.expect(201);
        }
        "refunded" => drop(caller.step(&id, "refunds", &key("refund"), &json!({})).await.expect(201)),
        _ => {}
    }
    assert_eq!(caller.payment(&id).await["status"], state);
    id
}

#[track_caller]
fn is(answer: &Answer, expected: Expected, story: &str) {
    let said = answer.json["code"].as_str().or(answer.json["status"].as_str()).unwrap_or_default();
    assert_eq!((answer.status, said), expected, "{story}: {}", answer.text());
}

/// Every state against every operation. What is refused leaves the payment as it was, and the gateway unasked.
#[tokio::test]
async fn every_state_answers_every_operation() {
    let world = quick().simulator_argument("--settle-ms=600000").start().await;
    let caller = world.on(0);
    for (state, row) in ROWS {
        for (verb, expected) in VERBS.into_iter().zip(row) {
            let story = format!("{verb} of {state}");
            let id = in_state(&caller, state, &format!("{state}-{verb}")).await;
            let (before, posts) = (caller.payment(&id).await, world.simulator.calls("POST").await);
            let answer = caller.step(&id, verb, &world.fresh_key(), &json!({})).await;
            is(&answer, *expected, &story);
            if expected.0 >= 400 {
                assert_eq!(caller.payment(&id).await, before, "{story}");
                assert_eq!(world.simulator.calls("POST").await, posts, "{story}");
            }
        }
        assert_eq!(world.broken_invariants().await, Vec::<String>::new(), "{state}");
    }
}

/// A confirm of what is past being confirmed, or not yet known, calls no gateway.
#[tokio::test]
async fn every_state_answers_a_confirm() {
    let world = quick().simulator_argument("--settle-ms=600000").start().await;
    let caller = world.on(0);
    let other_card = json!({ "payment_method": bodies::card("5555555555554444") });
    let not_confirmable = (409, "payment_not_confirmable");
    for (state, with_other, alone) in [
        ("created", (200, "succeeded"), (422, "invalid_request")),
        ("processing", (202, "processing"), (202, "processing")),
        ("requires_action", not_confirmable, (200, "requires_action")),
        ("authorized", (200, "authorized"), (200, "authorized")),
        ("partially_captured", (200, "partially_captured"), (200, "partially_captured")),
        ("succeeded", (200, "succeeded"), (200, "succeeded")),
        ("partially_refunded", (200, "partially_refunded"), (200, "partially_refunded")),
        ("refunded", (200, "refunded"), (200, "refunded")),
        ("failed", (200, "succeeded"), not_confirmable),
        ("cancelled", not_confirmable, not_confirmable),
    ] {
        for (name, body, expected) in [("other", &other_card, with_other), ("alone", &json!({}), alone)] {
            let id = in_state(&caller, state, &format!("{state}-{name}")).await;
            let posts = world.simulator.calls("POST").await;
            let answer = caller.step(&id, "confirm", &world.fresh_key(), body).await;
            is(&answer, expected, &format!("confirm of {state}, {name}"));
            if state != "created" && state != "failed" {
                assert_eq!(world.simulator.calls("POST").await, posts, "confirm of {state}, {name}");
            }
        }
    }
}

/// A sync asks the gateway, and changes nothing where nothing is new.
#[tokio::test]
async fn every_state_answers_a_sync() {
    let world = quick().simulator_argument("--settle-ms=600000").start().await;
    let caller = world.on(0);
    for (state, _) in ROWS {
        let id = in_state(&caller, state, state).await;
        let (states, posts) = (caller.states(&id).await, world.simulator.calls("POST").await);
        let answer = caller.step(&id, "sync", &world.fresh_key(), &json!({})).await;
        is(&answer, (if *state == "processing" { 202 } else { 200 }, state), &format!("sync of {state}"));
        assert_eq!(caller.states(&id).await, states, "sync of {state}");
        assert_eq!(world.simulator.calls("POST").await, posts, "a sync only asks");
    }
}

/// What nobody knows, what a person must decide and what time has ended: nothing new begins there.
#[tokio::test]
async fn nothing_begins_where_the_outcome_is_not_known_or_over() {
    let not_confirmable = (409, "payment_not_confirmable");
    let unknown = quick().setting("INTERLOCK_VERIFY_DELAYS", "600").start().await;
    unknown.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let id = unknown.pay(bodies::GOOD).await.expect(202).id();
    is(&unknown.step(&id, "confirm", &json!({})).await, (202, "pending_verification"), "confirm");
    // Before anything new begins, the gateway is asked, and what it says decides.
    is(&unknown.step(&id, "cancel", &json!({})).await, NOT_CANCELABLE, "cancel of what was paid all the same");
    assert_eq!(unknown.payment(&id).await["status"], "succeeded");
    unknown.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let id = unknown.pay(bodies::GOOD).await.expect(202).id();
    is(&unknown.step(&id, "sync", &json!({})).await, (200, "succeeded"), "sync");

    let lost = quick()
        .setting("INTERLOCK_VERIFY_DELAYS", "0.2")
        .setting("INTERLOCK_CREATED_TTL_S", "1")
        .account_setting("resend", "never")
        .account_setting("lookup", "none")
        .start()
        .await;
    lost.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let id = lost.pay(bodies::GOOD).await.expect(202).id();
    lost.payment_becomes(&id, "manual_review").await;
    refuses(&lost, &id, "manual_review", [NOT_CAPTURABLE, NOT_CANCELABLE, NOT_REFUNDABLE]).await;
    is(&lost.step(&id, "confirm", &json!({})).await, not_confirmable, "confirm");

    let id = lost.post("/v1/payments", "late", &bodies::unconfirmed()).await.expect(201).id();
    lost.payment_becomes(&id, "expired").await;
    refuses(&lost, &id, "expired", [NOT_CAPTURABLE, NOT_CANCELABLE, NOT_REFUNDABLE]).await;
    let card = json!({ "payment_method": bodies::card(bodies::GOOD) });
    is(&lost.step(&id, "confirm", &card).await, not_confirmable, "confirm");
}

async fn refuses(world: &World, id: &str, state: &str, row: [Expected; 3]) {
    let posts = world.simulator.calls("POST").await;
    for (verb, expected) in VERBS.into_iter().zip(row) {
        is(&world.step(id, verb, &json!({})).await, expected, &format!("{verb} of {state}"));
    }
    assert_eq!(world.payment(id).await["status"], state);
    assert_eq!(world.simulator.calls("POST").await, posts);
}

/// Operations that a merchant begins, each with the payment it begins from, its body and its answer's status.
const OPERATIONS: &[(&str, &str, &str, u16)] = &[
    ("capture", "authorized", r#"{"amount":1000}"#, 200),
    ("cancel", "authorized", r#"{"reason":"changed my mind"}"#, 200),
    ("cancel", "requires_action", "{}", 200),
    ("refunds", "succeeded", r#"{"amount":600,"reason":"damaged"}"#, 201),
    ("sync", "succeeded", "{}", 200),
    ("sync", "requires_action", "{}", 200),
    ("confirm", "requires_action", r#"{"parameters":{"charge":"x"}}"#, 200),
];

/// The same key, the same bytes, and nothing done twice; another body under it is refused, and so is a missing key.
#[tokio::test]
async fn every_operation_keeps_its_answer_under_its_key() {
    let world = quick().hosts(2).start().await;
    for (number, (verb, state, body, status)) in OPERATIONS.iter().enumerate() {
        let story = format!("{verb} of {state}");
        let body: Value = serde_json::from_str(body).expect("a body");
        let id = in_state(&world.on(0), state, &format!("{number}")).await;
        let key = format!("operation-{number}");
        let first = world.on(0).step(&id, verb, &key, &body).await.expect(*status);
        assert!(!first.is_replay(), "{story}");
        let posts = world.simulator.calls("POST").await;
        for host in [0, 1] {
            let again = world.on(host).step(&id, verb, &key, &body).await.expect(*status);
            assert!(again.is_replay() && again.bytes == first.bytes, "{story}: {}\n{}", first.text(), again.text());
        }
        assert_eq!(world.simulator.calls("POST").await, posts, "{story}");
        let other = match *verb {
            "capture" | "refunds" => Some(json!({ "amount": 7 })),
            "cancel" => Some(json!({ "reason": "another" })),
            "confirm" => Some(json!({ "return_url": "https://shop.test" })),
            // A sync has nothing to differ in.
            _ => None,
        };
        if let Some(other) = other {
            world.on(0).step(&id, verb, &key, &other).await.expect_problem(422, "idempotency_key_reused");
        }
        let keyless = world.on(0).request(http::Method::POST, &format!("/v1/payments/{id}/{verb}")).json(&body);
        interlock_tests::harness::answer(keyless).await.expect_problem(400, "idempotency_key_missing");
    }
}

/// Another merchant's payment is no payment, and so is one that is not there, and a malformed id.
#[tokio::test]
async fn operations_of_others_are_not_found() {
    let world = quick().start().await;
    let id = world.on(0).held("mine", 1_000).await;
    let stranger = world.of(&world.new_merchant("Stranger").await);
    for verb in ["capture", "cancel", "refunds", "sync", "confirm"] {
        for (caller, id) in
            [(&stranger, id.as_str()), (&world.on(0), "pay_00000000000000000000000000"), (&world.on(0), "pay_x")]
        {
            caller.step(id, verb, &world.fresh_key(), &json!({})).await.expect_problem(404, "not_found");
        }
    }
    let refund = world.on(0).paid("paid", 1_000).await;
    let refund = world.step(&refund, "refunds", &json!({})).await.expect(201).id();
    stranger.get(&format!("/v1/refunds/{refund}")).await.expect_problem(404, "not_found");
    world.get("/v1/refunds/op_00000000000000000000000000").await.expect_problem(404, "not_found");
    world.get("/v1/refunds/pay_x").await.expect_problem(404, "not_found");
    assert_eq!(world.payment(&id).await["status"], "authorized");
}

/// Bodies that cannot be meant are refused with the place of each fault, before anything is done.
#[tokio::test]
async fn bodies_of_operations_are_checked() {
    let world = quick().start().await;
    let held = world.on(0).held("held", 1_000).await;
    let paid = world.on(0).paid("paid", 1_000).await;
    let posts = world.simulator.calls("POST").await;
    for (id, verb, body, pointer) in [
        (&held, "capture", json!({ "amount": 0 }), "/amount"),
        (&held, "capture", json!({ "amount": -1 }), "/amount"),
        (&held, "capture", json!({ "amount": 1.5 }), "/amount"),
        (&held, "capture", json!({ "amount": "1" }), "/amount"),
        (&held, "capture", json!({ "final": "no" }), "/final"),
        (&held, "capture", json!({ "amont": 1 }), "/amont"),
        (&held, "cancel", json!({ "reason": 7 }), "/reason"),
        (&held, "cancel", json!({ "amount": 7 }), "/amount"),
        (&paid, "refunds", json!({ "amount": 0 }), "/amount"),
        (&paid, "refunds", json!({ "reason": [] }), "/reason"),
        (&paid, "refunds", json!({ "currency": "EUR" }), "/currency"),
        (&paid, "sync", json!({ "now": true }), "/now"),
    ] {
        let refused = world.step(id, verb, &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), [pointer], "{verb} {body}: {}", refused.text());
    }
    world.step(&held, "capture", &json!({ "amount": 1_001 })).await.expect_problem(422, "amount_too_large");
    world.step(&paid, "refunds", &json!({ "amount": 1_001 })).await.expect_problem(422, "amount_too_large");
    assert_eq!(world.simulator.calls("POST").await, posts);
}

/// What a gateway may do instead of answering, and whether it acts then.
const SILENCES: [&str; 7] = [
    r#""act_then_drop""#,
    r#""drop_before""#,
    r#""act_then_500""#,
    r#""status_500""#,
    r#""garbage""#,
    r#"{"delay":{"ms":2500,"when":"after"}}"#,
    r#"{"delay":{"ms":2500,"when":"before"}}"#,
];

/// Nobody can tell what became of it. The merchant is told 202 at once, the same request finds it out later, and the
/// gateway has done it once.
#[tokio::test]
async fn every_silence_ends_in_one_deed() {
    let world = quick().start().await;
    let mut stories = Vec::new();
    for (number, silence) in SILENCES.into_iter().enumerate() {
        for (place, (verb, end)) in
            [("capture", "succeeded"), ("cancel", "cancelled"), ("refunds", "refunded")].into_iter().enumerate()
        {
            let amount = i64::try_from(1_000 + number * 10 + place).expect("small");
            let fault: Value = serde_json::from_str(silence).expect("a fault");
            let steps = json!({ "method": "POST", "path_prefix": "/charges/", "amount": amount });
            let rule = json!({ "match": steps, "times": 1, "fault": fault });
            world.simulator.add_faults(&rule).await;
            // A shop for each, so that the breaker of one account has no say in another's story.
            let caller = world.of(&shop(&world, &format!("{verb} {number}"), &[]).await);
            stories.push(one_deed(caller, amount, verb, end, silence));
        }
    }
    join_all(stories).await;
    let calls = world.simulator.requests().await;
    let acted = |reference: &str| {
        calls.iter().filter(|call| call["reference"] == reference && call["method"] == "POST").count()
    };
    for line in
        world.db_texts("select operation_id::text from operations where kind in ('capture', 'cancel', 'refund')").await
    {
        let id = interlock::domain::id::OperationId::from_uuid(line.parse().expect("an id")).to_string();
        assert!(acted(&id) >= 1, "{id} was never sent");
    }
}

async fn one_deed(caller: Caller, amount: i64, verb: &str, end: &str, silence: &str) {
    let story = format!("{verb}, {silence}");
    let id = if verb == "refunds" { caller.paid("pay", amount).await } else { caller.held("pay", amount).await };
    let answer = caller.step(&id, verb, "key", &json!({})).await;
    assert_eq!(answer.status, 202, "{story}: {}", answer.text());
    if verb == "refunds" {
        assert_eq!(answer.payment_status(), "pending", "{story}");
    } else {
        // While it is not known nothing else begins; and what asks has it found out first.
        let other = caller.step(&id, "capture", "other", &json!({})).await;
        let code = other.json["code"].as_str().unwrap_or_default();
        assert!(
            other.status == 409 && ["operation_in_progress", "payment_not_capturable"].contains(&code),
            "{}",
            other.text()
        );
    }
    let payment = caller.payment_has(&id, &json!({ "status": end })).await;
    let (captured, refunded) = match verb {
        "capture" => (amount, 0),
        "refunds" => (amount, amount),
        _ => (0, 0),
    };
    assert_eq!(
        (&payment["amount_captured"], &payment["amount_refunded"]),
        (&json!(captured), &json!(refunded)),
        "{story}"
    );
    let final_answer = caller.step(&id, verb, "key", &json!({})).await;
    assert_eq!(final_answer.status, if verb == "refunds" { 201 } else { 200 }, "{story}: {}", final_answer.text());
    let again = caller.step(&id, verb, "key", &json!({})).await;
    assert!(again.is_replay() && again.bytes == final_answer.bytes, "{story}");
}
