//! Payments that do not succeed, and what the merchant is told about it.

use interlock_tests::harness::{World, bodies};
use serde_json::{Value, json};

/// A decline is an answer, not an error: 201, `failed`, and why.
#[tokio::test]
async fn a_declined_card_fails_with_the_reason() {
    let world = World::start().await;
    let cases = [
        (bodies::DECLINES, "do_not_honor", "05"),
        (bodies::POOR, "insufficient_funds", "51"),
        (bodies::EXPIRED, "expired_card", "54"),
    ];
    for (number, gateway_code, network_code) in cases {
        let answer = world.pay(number).await.expect(201);
        assert_eq!(answer.payment_status(), "failed");
        let error = &answer.json["last_error"];
        assert_eq!((&error["code"], &error["gateway_code"]), (&json!("payment_declined"), &json!(gateway_code)));
        assert_eq!(error["network_code"], network_code, "{error}");
        for member in ["decline_code", "message", "advice"] {
            assert!(error[member].is_string(), "{member} in {error}");
        }
        let attempts = world.attempts(&answer.id()).await;
        assert_eq!((attempts.len(), &attempts[0]["status"]), (1, &json!("declined")));
        assert_eq!(&attempts[0]["last_error"], error);
    }
    assert_eq!(world.ledger().await["totals"], json!({}));
}

/// The customer takes another card: the same payment is tried again, and is paid once.
#[tokio::test]
async fn a_failed_payment_can_be_paid_with_another_card() {
    let world = World::start().await;
    let failed = world.pay(bodies::DECLINES).await.expect(201);
    let path = format!("/v1/payments/{}/confirm", failed.id());
    let paid = world.post(&path, "second card", &json!({ "payment_method": bodies::card(bodies::GOOD) })).await;
    paid.expect_problem(400, "idempotency_key_invalid");
    let paid =
        world.post(&path, "second-card", &json!({ "payment_method": bodies::card(bodies::GOOD) })).await.expect(200);
    assert_eq!(paid.payment_status(), "succeeded");
    assert_eq!((&paid.json["attempt_count"], &paid.json["last_error"]), (&json!(2), &Value::Null));
    let states = world.states(&failed.id()).await;
    assert_eq!(states, ["created", "processing", "failed", "processing", "succeeded"]);
    let numbers: Vec<_> = world.attempts(&failed.id()).await.iter().map(|attempt| attempt["number"].clone()).collect();
    assert_eq!(numbers, [json!(1), json!(2)]);
}

/// A card that was declined for good is not tried again by itself.
#[tokio::test]
async fn the_same_card_is_not_tried_again_where_the_bank_said_never() {
    let world = World::start().await;
    let failed = world.pay(bodies::EXPIRED).await.expect(201);
    assert_eq!(failed.json["last_error"]["advice"], "never", "{}", failed.text());
    let path = format!("/v1/payments/{}/confirm", failed.id());
    world.post(&path, "again", &json!({})).await.expect_problem(409, "payment_not_confirmable");
    assert_eq!(world.simulator.calls("POST").await, 1);
}

/// The gateway is down: nothing was sent, so the payment failed and may be tried again.
#[tokio::test]
async fn a_gateway_that_cannot_be_reached_fails_the_payment_without_doubt() {
    let world = World::builder().without_account().start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let settings = json!({ "base_url": url, "api_key": "k", "webhook_secret": "s" });
    let body = json!({ "connector": "mock", "name": "down", "settings": settings });
    world.post("/v1/gateway_accounts", "a", &body).await.expect(201);
    let answer = world.pay(bodies::GOOD).await.expect(201);
    assert_eq!(answer.payment_status(), "failed");
    assert_eq!(answer.json["last_error"]["code"], "gateway_unreachable");
    assert_eq!(world.attempts(&answer.id()).await[0]["status"], "not_sent");
}

/// The gateway says itself that it did nothing: as good as not sent.
#[tokio::test]
async fn a_gateway_that_did_nothing_fails_the_payment_without_doubt() {
    let world = World::start().await;
    for fault in ["not_processed_409", "status_429"] {
        world.simulator.fail_next_posts(1, json!(fault)).await;
        let answer = world.pay(bodies::GOOD).await.expect(201);
        assert_eq!(answer.payment_status(), "failed", "{fault}: {}", answer.text());
    }
    assert_eq!(world.simulator.charges().await.len(), 0);
}

/// What confirms of a payment do that is past being confirmed: nothing at the gateway.
#[tokio::test]
async fn a_paid_payment_is_answered_as_it_is() {
    let world = World::start().await;
    let paid = world.pay(bodies::GOOD).await.expect(201);
    let path = format!("/v1/payments/{}/confirm", paid.id());
    let body = json!({ "payment_method": bodies::card(bodies::GOOD) });
    let again = world.post(&path, "again", &body).await.expect(200);
    assert_eq!(again.json, paid.json);
    assert_eq!(world.simulator.calls("POST").await, 1);
}

/// A payment made without a method cannot be confirmed without one.
#[tokio::test]
async fn a_confirm_without_any_method_is_refused() {
    let world = World::start().await;
    let created = world.post("/v1/payments", "p", &bodies::unconfirmed()).await.expect(201);
    let path = format!("/v1/payments/{}/confirm", created.id());
    let refused = world.post(&path, "c", &json!({})).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/payment_method"]);
    assert_eq!(world.payment(&created.id()).await["status"], "created");
}
