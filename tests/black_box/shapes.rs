//! The exact JSON of what merchants get: names and kinds of fields are a promise.

use interlock_tests::harness::{World, bodies, plain};
use serde_json::{Value, json};

#[tokio::test]
async fn a_payment_looks_like_this() {
    let world = World::start().await;
    let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "metadata": { "cart": "17" } }));
    let answer = world.post("/v1/payments", "k", &body).await.expect(201);
    insta::assert_json_snapshot!(plain(&answer.json), @r#"
    {
      "amount": 1250,
      "amount_capturable": 0,
      "amount_captured": 1250,
      "amount_refunded": 0,
      "attempt_count": 1,
      "capture_method": "automatic",
      "created_at": "…",
      "currency": "EUR",
      "description": null,
      "gateway_account": "gwa_…",
      "gateway_reference": "ch_…",
      "id": "pay_…",
      "last_error": null,
      "metadata": {
        "cart": "17"
      },
      "next_action": null,
      "object": "payment",
      "order": null,
      "payment_method": {
        "card": {
          "brand": "visa",
          "expiry_month": 12,
          "expiry_year": 2040,
          "last4": "4242"
        },
        "type": "card"
      },
      "status": "succeeded",
      "updated_at": "…",
      "version": 3
    }
    "#);
    let first: Vec<_> = answer.text().split('"').nth(1).into_iter().map(str::to_owned).collect();
    assert_eq!(first, ["id"], "an object begins with its id");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for time in ["created_at", "updated_at"] {
        let text = answer.json[time].as_str().unwrap();
        assert!(text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok(), "{text}");
    }
}

#[tokio::test]
async fn a_decline_looks_like_this() {
    let world = World::start().await;
    let answer = world.pay(bodies::DECLINES).await.expect(201);
    insta::assert_json_snapshot!(answer.json["last_error"], @r#"
    {
      "advice": "never",
      "code": "payment_declined",
      "decline_code": "do_not_honor",
      "gateway_code": "do_not_honor",
      "message": "The bank refused without saying why.",
      "network_code": "05"
    }
    "#);
    let attempts = world.get(&format!("/v1/payments/{}/attempts", answer.id())).await.expect(200);
    insta::assert_json_snapshot!(plain(&attempts.json), @r#"
    {
      "data": [
        {
          "connector": "mock",
          "connector_digest": "…",
          "created_at": "…",
          "gateway_account": "gwa_…",
          "gateway_reference": "ch_…",
          "id": "att_…",
          "last_error": {
            "advice": "never",
            "code": "payment_declined",
            "decline_code": "do_not_honor",
            "gateway_code": "do_not_honor",
            "message": "The bank refused without saying why.",
            "network_code": "05"
          },
          "number": 1,
          "object": "attempt",
          "payment_method": {
            "card": {
              "brand": "visa",
              "expiry_month": 12,
              "expiry_year": 2040,
              "last4": "0002"
            },
            "type": "card"
          },
          "status": "declined",
          "updated_at": "…"
        }
      ],
      "next_cursor": null,
      "object": "list"
    }
    "#);
    let events = world.get(&format!("/v1/payments/{}/events", answer.id())).await.expect(200);
    insta::assert_json_snapshot!(plain(&events.json), @r#"
    {
      "data": [
        {
          "attempt": null,
          "created_at": "…",
          "detail": null,
          "event": "created",
          "from": null,
          "object": "payment_event",
          "operation": null,
          "sequence": 1,
          "to": "created"
        },
        {
          "attempt": 1,
          "created_at": "…",
          "detail": null,
          "event": "submitted",
          "from": "created",
          "object": "payment_event",
          "operation": "op_…",
          "sequence": 2,
          "to": "processing"
        },
        {
          "attempt": 1,
          "created_at": "…",
          "detail": {
            "advice": "never",
            "code": "payment_declined",
            "decline_code": "do_not_honor",
            "gateway_code": "do_not_honor",
            "message": "The bank refused without saying why.",
            "network_code": "05"
          },
          "event": "declined",
          "from": "processing",
          "object": "payment_event",
          "operation": "op_…",
          "sequence": 3,
          "to": "failed"
        }
      ],
      "next_cursor": null,
      "object": "list"
    }
    "#);
}

#[tokio::test]
async fn an_action_looks_like_this() {
    let world = World::start().await;
    let answer = world.pay(bodies::CHALLENGED).await.expect(201);
    insta::assert_json_snapshot!(plain(&answer.json["next_action"]), @r#"
    {
      "fields": {},
      "method": "GET",
      "type": "redirect",
      "url": "http://…"
    }
    "#);
}

/// What a merchant's endpoint will get: the events of a payment, in order, each with the payment as it was then.
#[tokio::test]
async fn events_carry_the_payment_as_it_was() {
    let world = World::start().await;
    let answer = world.pay(bodies::GOOD).await.expect(201);
    let payloads = world.db_texts("select payload from outbox order by sequence").await;
    let events: Vec<Value> = payloads.iter().map(|payload| serde_json::from_str(payload).unwrap()).collect();
    let story: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event["sequence"].clone(),
                event["type"].as_str().unwrap(),
                event["data"]["object"]["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        story,
        [
            (json!(1), "payment.created", "created"),
            (json!(2), "payment.processing", "processing"),
            (json!(3), "payment.succeeded", "succeeded"),
        ]
    );
    assert_eq!(events[2]["data"]["object"], answer.json);
    let names: Vec<_> = events[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["created_at", "data", "id", "sequence", "type"]);
    assert!(events[0]["id"].as_str().unwrap().starts_with("evt_"));
}
