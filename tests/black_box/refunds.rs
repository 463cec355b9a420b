//! Refunds: in parts, at once, undecided, refused, unknown, taken back. The money of a refund that is under way is
//! spoken for.

use std::time::Duration;

use futures_util::future::join_all;
use interlock_tests::harness::{Answer, eventually, plain};
use serde_json::json;

use super::fault_kit::quick;

/// The object, and what its payment and its events say.
#[tokio::test]
async fn a_refund_is_an_object_of_its_own() {
    let world = quick().start().await;
    let id = world.on(0).paid("pay", 1_000).await;
    let made = world.step(&id, "refunds", &json!({ "amount": 400, "reason": "damaged" })).await.expect(201);
    insta::assert_json_snapshot!(plain(&made.json), @r#"
    {
      "amount": 400,
      "created_at": "…",
      "currency": "EUR",
      "gateway_reference": "re_…",
      "id": "op_…",
      "last_error": null,
      "object": "refund",
      "payment": "pay_…",
      "reason": "damaged",
      "status": "succeeded"
    }
    "#);
    assert_eq!(made.json["payment"], id);
    assert_eq!(world.on(0).refund(&made.id()).await, made.json);
    assert_eq!(world.events_of(&made.id()).await, ["refund.created", "refund.succeeded"]);
    let payment = world.payment(&id).await;
    assert_eq!((&payment["status"], &payment["amount_refunded"]), (&json!("partially_refunded"), &json!(400)));
    let refunds = world.simulator.refunds().await;
    assert_eq!((refunds.len(), &refunds[0]["reference"]), (1, &json!(made.id())));
}

/// By default all that is left; then there is nothing left.
#[tokio::test]
async fn refunds_add_up_to_what_was_captured() {
    let world = quick().start().await;
    let id = world.on(0).paid("pay", 1_000).await;
    world.step(&id, "refunds", &json!({ "amount": 1 })).await.expect(201);
    world.step(&id, "refunds", &json!({ "amount": 1_000 })).await.expect_problem(422, "amount_too_large");
    world.step(&id, "refunds", &json!({ "amount": 499 })).await.expect(201);
    let rest = world.step(&id, "refunds", &json!({})).await.expect(201);
    assert_eq!(rest.json["amount"], 500);
    let payment = world.payment(&id).await;
    assert_eq!((&payment["status"], &payment["amount_refunded"]), (&json!("refunded"), &json!(1_000)));
    world.step(&id, "refunds", &json!({})).await.expect_problem(409, "payment_not_refundable");
    let events = world.events_of(&id).await;
    let told: Vec<_> = events.iter().skip(3).map(String::as_str).collect();
    assert_eq!(told, ["payment.partially_refunded", "payment.partially_refunded", "payment.refunded"]);
}

/// Two refunds of 60 from 100 at the same moment, at two hosts: one is made, the other is told that it is too much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_refunds_at_once_cannot_exceed_what_was_captured() {
    let world = quick().hosts(2).start().await;
    for round in 0..5 {
        let id = world.on(0).paid(&format!("pay-{round}"), 100).await;
        world.simulator.fail_next_steps(2, json!({ "delay": { "ms": 100 } })).await;
        let asks = (0..2).map(|host| {
            let (caller, id) = (world.on(host), id.clone());
            let key = format!("refund-{round}-{host}");
            async move { caller.step(&id, "refunds", &key, &json!({ "amount": 60 })).await }
        });
        let mut answers = join_all(asks).await;
        answers.sort_by_key(|answer| answer.status);
        let refused = answers.pop().expect("two answers").expect_problem(422, "amount_too_large");
        assert_eq!(answers[0].status, 201, "{}\n{}", answers[0].text(), refused.text());
        assert_eq!(world.payment(&id).await["amount_refunded"], 60);
        world.simulator.clear_faults().await;
    }
    let totals = world.ledger().await["totals"]["EUR"].clone();
    assert_eq!((&totals["captured"], &totals["refunded"]), (&json!(500), &json!(300)));
}

/// Many small ones at once: as many as there is money for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_refunds_as_there_is_money() {
    let world = quick().hosts(2).start().await;
    let id = world.on(0).paid("pay", 1_000).await;
    let asks = (0..12).map(|number| {
        let (caller, id) = (world.on(number % 2), id.clone());
        async move {
            // Who is told that others were faster comes again.
            loop {
                let answer = caller.step(&id, "refunds", &format!("refund-{number}"), &json!({ "amount": 100 })).await;
                if answer.json["code"] != "operation_in_progress" {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let answers = join_all(asks).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 10, "{:?}", answers.iter().map(Answer::text).collect::<Vec<_>>());
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer.json["code"].as_str(), Some("amount_too_large" | "payment_not_refundable")));
    assert_eq!(refused.count(), 2);
    assert_eq!(world.payment(&id).await["status"], "refunded");
    assert_eq!(world.simulator.refunds().await.len(), 10);
}

/// The gateway refuses: the refund has failed, the money can be given back some other time, and the answer stands.
#[tokio::test]
async fn a_declined_refund_gives_its_amount_back() {
    let world = quick().start().await;
    let id = world.on(0).paid("pay", 1_000).await;
    world.simulator.fail_next_steps(1, json!("decline")).await;
    let declined = world.on(0).step(&id, "refunds", "r", &json!({ "amount": 600 })).await.expect(201);
    assert_eq!(declined.payment_status(), "failed");
    assert_eq!(declined.json["last_error"]["gateway_code"], "refund_declined", "{}", declined.text());
    assert_eq!(world.events_of(&declined.id()).await, ["refund.created", "refund.failed"]);
    assert_eq!(world.payment(&id).await["status"], "succeeded");
    let again = world.on(0).step(&id, "refunds", "r", &json!({ "amount": 600 })).await.expect(201);
    assert!(again.is_replay() && again.bytes == declined.bytes);
    world.step(&id, "refunds", &json!({})).await.expect(201);
    assert_eq!(world.payment(&id).await["amount_refunded"], 1_000);
}

/// The gateway accepts it and decides later: pending and reserved until its webhook comes, with either outcome.
#[tokio::test]
async fn a_refund_may_be_decided_later() {
    let world = quick().start().await;
    let _door = world.listen(&world.merchant).await;
    for (outcome, status, refunded) in [("approve", "succeeded", 600), ("decline", "failed", 0)] {
        let id = world.on(0).paid(&format!("pay-{outcome}"), 1_000).await;
        world.simulator.fail_next_steps(1, json!({ "pending": { "ms": 600_000 } })).await;
        let key = format!("refund-{outcome}");
        let made = world.on(0).step(&id, "refunds", &key, &json!({ "amount": 600 })).await.expect(202);
        assert_eq!(made.payment_status(), "pending");
        assert_eq!(world.payment(&id).await["status"], "succeeded");
        world.step(&id, "refunds", &json!({ "amount": 600 })).await.expect_problem(422, "amount_too_large");
        world.on(0).step(&id, "refunds", &key, &json!({ "amount": 600 })).await.expect(202);
        world.simulator.settle(&made.id(), outcome).await;
        let refund = world.on(0).refund_becomes(&made.id(), status).await;
        assert_eq!(world.payment(&id).await["amount_refunded"], refunded);
        let last = world.on(0).step(&id, "refunds", &key, &json!({ "amount": 600 })).await.expect(201);
        assert_eq!(last.json, refund);
        assert_eq!(world.events_of(&made.id()).await, ["refund.created".to_owned(), format!("refund.{status}")]);
    }
}

/// An unknown refund leaves its payment alone, keeps its amount reserved, and waits for a person in the end.
#[tokio::test]
async fn an_unknown_refund_keeps_its_amount() {
    let world = quick()
        .setting("INTERLOCK_VERIFY_DELAYS", "0.2,0.2")
        .account_setting("resend", "never")
        .account_setting("lookup", "none")
        .start()
        .await;
    let id = world.on(0).paid("pay", 1_000).await;
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let made = world.on(0).step(&id, "refunds", "r", &json!({ "amount": 600 })).await.expect(202);
    let refund = world.on(0).refund_becomes(&made.id(), "manual_review").await;
    assert_eq!(refund["amount"], 600);
    let payment = world.payment(&id).await;
    assert_eq!((&payment["status"], &payment["amount_refunded"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(world.reviews_of(&id).await, ["unresolved"]);
    world.step(&id, "refunds", &json!({ "amount": 401 })).await.expect_problem(422, "amount_too_large");
    world.step(&id, "refunds", &json!({ "amount": 400 })).await.expect(201);
    assert_eq!(world.simulator.sent(&made.id()).await, 1);
    assert_eq!(world.simulator.refunds().await.len(), 2);
}

/// Before a new refund begins, the host finds out about the one whose outcome it does not know.
#[tokio::test]
async fn an_unknown_refund_is_found_out_before_the_next_one_begins() {
    let world = quick().setting("INTERLOCK_VERIFY_DELAYS", "600").start().await;
    let id = world.on(0).paid("pay", 1_000).await;
    world.simulator.fail_next_posts(1, json!("drop_before")).await;
    let first = world.on(0).step(&id, "refunds", "r1", &json!({ "amount": 600 })).await.expect(202);
    let second = world.on(0).step(&id, "refunds", "r2", &json!({ "amount": 400 })).await.expect(201);
    assert_eq!(second.payment_status(), "succeeded");
    assert_eq!(world.on(0).refund(&first.id()).await["status"], "succeeded");
    assert_eq!(world.payment(&id).await["status"], "refunded");
    assert_eq!(world.simulator.refunds().await[0]["reference"], first.id());
}

/// A refund that had succeeded comes back: the totals say so, the merchant is told, and a person looks.
#[tokio::test]
async fn a_refund_that_fails_later_is_a_correction() {
    let world = quick().start().await;
    let _door = world.listen(&world.merchant).await;
    let id = world.on(0).paid("pay", 1_000).await;
    world.simulator.fail_next_steps(1, json!({ "refund_fails_later": { "ms": 300 } })).await;
    let made = world.step(&id, "refunds", &json!({ "amount": 600 })).await.expect(201);
    assert_eq!(made.payment_status(), "succeeded");
    world.step(&id, "refunds", &json!({ "amount": 400 })).await.expect(201);
    let payment = world.on(0).payment_has(&id, &json!({ "amount_refunded": 400 })).await;
    assert_eq!(payment["status"], "partially_refunded");
    assert_eq!(world.on(0).refund(&made.id()).await["status"], "failed");
    assert_eq!(world.reviews_of(&id).await, ["correction"]);
    let events = world.events_of(&id).await;
    assert!(events.iter().any(|event| event == "payment.corrected"), "{events:?}");
    assert_eq!(world.events_of(&made.id()).await, ["refund.created", "refund.succeeded", "refund.failed"]);
    // The money is there again, and may be given back again.
    world.step(&id, "refunds", &json!({})).await.expect(201);
    assert_eq!(world.payment(&id).await["status"], "refunded");
}

/// The gateway had refused, and did it nevertheless.
#[tokio::test]
async fn a_refund_that_succeeds_later_is_booked() {
    let world = quick().start().await;
    let _door = world.listen(&world.merchant).await;
    let id = world.on(0).paid("pay", 1_000).await;
    world.simulator.fail_next_steps(1, json!({ "late_success": { "ms": 300 } })).await;
    let made = world.step(&id, "refunds", &json!({ "amount": 600 })).await.expect(201);
    assert_eq!(made.payment_status(), "failed");
    world.on(0).payment_has(&id, &json!({ "amount_refunded": 600, "status": "partially_refunded" })).await;
    eventually("a person is told", async || {
        let reviews = world.reviews_of(&id).await;
        if reviews == ["correction"] { Ok(()) } else { Err(format!("{reviews:?}")) }
    })
    .await;
}

/// What was captured in part is not refunded while more may be captured.
#[tokio::test]
async fn what_may_still_be_captured_is_not_refunded() {
    let world = quick().start().await;
    let id = world.on(0).held("pay", 1_000).await;
    world.step(&id, "capture", &json!({ "amount": 400, "final": false })).await.expect(200);
    world.step(&id, "refunds", &json!({ "amount": 1 })).await.expect_problem(409, "payment_not_refundable");
    world.step(&id, "cancel", &json!({})).await.expect(200);
    world.step(&id, "refunds", &json!({ "amount": 1 })).await.expect(201);
    assert_eq!(world.payment(&id).await["status"], "partially_refunded");
}
