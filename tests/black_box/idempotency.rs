//! One key, one effect: repeats, races, and answers that are replayed byte for byte.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::Method;
use interlock_tests::harness::{Answer, Caller, World, answer, bodies, eventually, plain};
use serde_json::{Value, json};

/// Retries as the contract asks of merchants: while the first request is worked on it is 409 with `Retry-After`, and 503 with
/// the same where the database of a machine with much else to do took too long.
async fn until_answered(caller: &Caller, path: &str, key: &str, body: &Value) -> Answer {
    eventually(&format!("{path} under {key} is answered"), async || {
        let answer = caller.post(path, key, body).await;
        match answer.status {
            409 | 503 if ["idempotency_in_progress", "unavailable"].map(Value::from).contains(&answer.json["code"]) => {
                assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()));
                Err(answer.text())
            }
            _ => Ok(answer),
        }
    })
    .await
}

/// The merchant's connection dropped after we had charged. They send the request again with the same key, and then by
/// mistake a different one.
#[tokio::test]
async fn one_key_charges_once() {
    let world = World::start().await;
    let first = world.post("/v1/payments", "order-7", &bodies::payment(bodies::GOOD)).await.expect(201);
    let again = world.post("/v1/payments", "order-7", &bodies::payment(bodies::GOOD)).await.expect(201);
    assert_eq!(first.bytes, again.bytes);
    assert!(!first.is_replay() && again.is_replay());
    assert_eq!(first.header("content-type"), again.header("content-type"));
    assert_ne!(first.header("request-id"), again.header("request-id"));
    assert_eq!(world.simulator.charges().await.len(), 1);

    let other = bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": 9900 }));
    let refused = world.post("/v1/payments", "order-7", &other).await;
    let refused = refused.expect_problem(422, "idempotency_key_reused");
    insta::assert_json_snapshot!(plain(&refused.json), @r#"
    {
      "code": "idempotency_key_reused",
      "request_id": "…",
      "status": 422,
      "title": "This idempotency key was used with another body",
      "type": "/docs/errors#idempotency_key_reused"
    }
    "#);
    assert_eq!(world.simulator.charges().await.len(), 1);
}

/// Bodies are compared by what they say, not by how they are written; every difference in value counts.
#[tokio::test]
async fn bodies_are_compared_by_value() {
    let world = World::start().await;
    let caller = world.on(0);
    let first = r#"{"amount":1250,"currency":"EUR","metadata":{"a":"é","b":"2"}}"#;
    let same = ["{ \"metadata\" : {\"b\":\"2\",\"a\":\"\\u00e9\"},\n\t\"currency\":\"EUR\", \"amount\":1250 }", first];
    let made = caller.post_bytes("/v1/payments", "k", first).await.expect(201);
    for text in same {
        let again = caller.post_bytes("/v1/payments", "k", text).await.expect(201);
        assert!(again.is_replay() && again.bytes == made.bytes, "{text}");
    }
    for text in [
        r#"{"amount":1251,"currency":"EUR","metadata":{"a":"é","b":"2"}}"#,
        r#"{"amount":1250,"currency":"EUR","metadata":{"a":"e","b":"2"}}"#,
        r#"{"amount":1250,"currency":"EUR","metadata":{"a":"é","b":"2"},"confirm":false}"#,
        r#"{"amount":1250,"currency":"EUR"}"#,
    ] {
        caller.post_bytes("/v1/payments", "k", text).await.expect_problem(422, "idempotency_key_reused");
    }
}

/// A key means something within one merchant, one method and one path.
#[tokio::test]
async fn a_key_belongs_to_its_path_and_merchant() {
    let world = World::start().await;
    let payment = world.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await.expect(201);
    let card = json!({ "card": bodies::card_fields(bodies::GOOD) });
    let token = world.post("/v1/tokens", "k", &card).await.expect(201);
    let confirm = format!("/v1/payments/{}/confirm", payment.id());
    assert!(!world.post(&confirm, "k", &json!({})).await.expect(200).is_replay());
    assert!(world.post("/v1/tokens", "k", &card).await.expect(201).bytes == token.bytes);

    let other = world.new_merchant("Other").await;
    let theirs = world.of(&other).post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await.expect(201);
    assert!(!theirs.is_replay() && theirs.id() != payment.id());
    assert_eq!(world.simulator.charges().await.len(), 2);
}

/// A decline is an answer that followed an effect: it is stored, and the gateway is not asked again.
#[tokio::test]
async fn a_decline_is_stored() {
    let world = World::start().await;
    let first = world.post("/v1/payments", "k", &bodies::payment(bodies::DECLINES)).await.expect(201);
    let again = world.post("/v1/payments", "k", &bodies::payment(bodies::DECLINES)).await.expect(201);
    assert!(again.is_replay() && again.bytes == first.bytes);
    assert_eq!(world.simulator.calls("POST").await, 1);
}

/// What changed nothing stores nothing: the same key may be used for the body that was meant.
#[tokio::test]
async fn refusals_are_not_stored() {
    let world = World::start().await;
    let wrong = bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": 0 }));
    world.post("/v1/payments", "k", &wrong).await.expect_problem(422, "invalid_request");
    world.on(0).post_bytes("/v1/payments", "k", "{").await.expect_problem(400, "malformed_json");
    let stranger = world.on(0).with_token("sk_nobody");
    stranger.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await.expect_problem(401, "unauthenticated");
    world
        .post("/v1/payments/pay_00000000000000000000000000/confirm", "k", &json!({}))
        .await
        .expect_problem(404, "not_found");
    let made = world.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await.expect(201);
    assert!(!made.is_replay());
}

/// The first answer stands, whatever becomes of the payment.
#[tokio::test]
async fn an_answer_stays_what_it_was() {
    let world = World::start().await;
    let created = world.post("/v1/payments", "create", &bodies::unconfirmed()).await.expect(201);
    let confirm = format!("/v1/payments/{}/confirm", created.id());
    let method = json!({ "payment_method": bodies::card(bodies::GOOD) });
    let confirmed = world.post(&confirm, "confirm", &method).await.expect(200);
    let again = world.post("/v1/payments", "create", &bodies::unconfirmed()).await.expect(201);
    assert_eq!((again.payment_status(), again.is_replay()), ("created", true));
    assert!(world.post(&confirm, "confirm", &method).await.expect(200).bytes == confirmed.bytes);
}

/// A shop's queue goes wild: the same request, fifty times at once. One charge, one set of bytes.
#[tokio::test]
async fn fifty_equal_requests_at_once_charge_once() {
    let world = World::builder().hosts(2).start().await;
    let body = bodies::payment(bodies::GOOD);
    let callers = [world.on(0), world.on(1)];
    let answers =
        join_all((0..50).map(|number| until_answered(&callers[number % 2], "/v1/payments", "order-7", &body))).await;
    for answer in &answers {
        assert_eq!((answer.status, answer.payment_status()), (201, "succeeded"), "{}", answer.text());
    }
    let bytes: BTreeSet<_> = answers.iter().map(|answer| answer.bytes.clone()).collect();
    assert_eq!(bytes.len(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.is_replay()).count(), 1);
    assert_eq!(world.simulator.calls("POST").await, 1);
    assert_eq!(world.db_count("select count(*) from payments").await, 1);
    assert_eq!(world.db_count("select count(*) from tokens").await, 1, "the card is in the vault once");
}

/// Fifty of the shop's workers confirm one payment, each under a key of its own. One charge.
#[tokio::test]
async fn fifty_keys_confirming_one_payment_charge_once() {
    let world = World::builder().hosts(2).start().await;
    let created = world.post("/v1/payments", "create", &bodies::unconfirmed()).await.expect(201);
    let path = format!("/v1/payments/{}/confirm", created.id());
    let body = json!({ "payment_method": bodies::card(bodies::GOOD) });
    let callers = [world.on(0), world.on(1)];
    let confirms = (0..50).map(|number| {
        let (caller, key) = (callers[number % 2].clone(), format!("worker-{number}"));
        let (path, body) = (path.clone(), body.clone());
        async move { caller.post(&path, &key, &body).await }
    });
    for answer in join_all(confirms).await {
        match answer.status {
            200 => assert_eq!(answer.payment_status(), "succeeded"),
            202 => assert_eq!(answer.payment_status(), "processing"),
            _ => panic!("{}", answer.text()),
        }
    }
    let payment = world.payment_becomes(&created.id(), "succeeded").await;
    assert_eq!(payment["attempt_count"], 1);
    assert_eq!(world.simulator.calls("POST").await, 1);
}

/// One request, sent twenty times to two hosts: each gets the answer that the first one got.
#[tokio::test]
async fn twenty_equal_confirms_at_once_have_one_answer() {
    let world = World::builder().hosts(2).start().await;
    let created = world.post("/v1/payments", "create", &bodies::unconfirmed()).await.expect(201);
    let path = format!("/v1/payments/{}/confirm", created.id());
    let body = json!({ "payment_method": bodies::card(bodies::DECLINES) });
    let callers = [world.on(0), world.on(1)];
    let answers = join_all((0..20).map(|number| until_answered(&callers[number % 2], &path, "k", &body))).await;
    let bytes: BTreeSet<_> = answers.into_iter().map(|answer| answer.expect(200).bytes).collect();
    assert_eq!(bytes.len(), 1);
    assert_eq!(world.payment(&created.id()).await["attempt_count"], 1);
    assert_eq!(world.simulator.calls("POST").await, 1);
}

/// Two different requests race for one key: one of them is done, the other is told.
#[tokio::test]
async fn of_two_bodies_that_race_for_a_key_one_is_refused() {
    let world = World::builder().hosts(2).start().await;
    let callers = [world.on(0), world.on(1)];
    for round in 0..10 {
        let key = format!("order-{round}");
        let answers = join_all([100, 200].map(|amount| {
            let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": amount }));
            let (caller, key) = (callers[amount % 200 / 100].clone(), key.clone());
            async move { caller.post("/v1/payments", &key, &body).await }
        }))
        .await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 422], "{} {}", answers[0].text(), answers[1].text());
    }
    assert_eq!(world.simulator.charges().await.len(), 10);
}

/// The same, with payments that are made and confirmed at once: fifty payments, fifty charges, none mixed up.
#[tokio::test]
async fn fifty_different_payments_at_once_are_fifty_charges() {
    let world = World::start().await;
    let answers = join_all((0..50).map(|number| {
        let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": 1_000 + number }));
        let (caller, key) = (world.on(0), format!("order-{number}"));
        async move { caller.post("/v1/payments", &key, &body).await.expect(201) }
    }))
    .await;
    let amounts: BTreeSet<_> = answers.iter().filter_map(|answer| answer.json["amount_captured"].as_i64()).collect();
    assert_eq!(amounts, (1_000..1_050).collect());
    assert_eq!(world.simulator.charges().await.len(), 50);
}

/// Tokens and accounts are made once per key too.
#[tokio::test]
async fn twenty_equal_tokens_at_once_are_one() {
    let world = World::start().await;
    let body = json!({ "card": bodies::card_fields(bodies::GOOD) });
    let caller = world.on(0);
    let answers = join_all((0..20).map(|_| until_answered(&caller, "/v1/tokens", "t", &body))).await;
    let bytes: BTreeSet<_> = answers.into_iter().map(|answer| answer.expect(201).bytes).collect();
    assert_eq!(bytes.len(), 1);
    assert_eq!(world.db_count("select count(*) from tokens").await, 1);
}

/// A key of yesterday is free again where its answer's time is over.
#[tokio::test]
async fn a_key_is_free_again_after_its_time() {
    let world = World::builder().setting("INTERLOCK_IDEMPOTENCY_TTL_S", "1").start().await;
    let first = world.post("/v1/payments", "k", &bodies::unconfirmed()).await.expect(201);
    let second = eventually("the key is free again", async || {
        let answer = world.post("/v1/payments", "k", &bodies::unconfirmed()).await.expect(201);
        if answer.is_replay() { Err(answer.text()) } else { Ok(answer) }
    })
    .await;
    assert_ne!(first.id(), second.id());
}

/// Only POSTs have keys: a GET with one is a GET.
#[tokio::test]
async fn a_get_ignores_the_key() {
    let world = World::start().await;
    let request = world.on(0).request(Method::GET, "/v1/payments").header("idempotency-key", "k");
    assert!(!answer(request).await.expect(200).is_replay());
}
