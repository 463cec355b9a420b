//! Previews of routing: where a payment would go and why nowhere else, without paying.

use interlock_tests::harness::{World, bodies, plain};
use serde_json::{Value, json};

use super::routing::{account, each, preview, rule};

#[tokio::test]
async fn a_preview_says_where_and_why() {
    let world = World::start().await;
    let usual = world.merchant.account.clone();
    let (heavy, off, upi) = (
        account(&world, "heavy", &json!({ "weight": 9 })).await,
        account(&world, "off", &json!({ "enabled": false })).await,
        account(&world, "upi", &json!({ "methods": ["upi_qr"] })).await,
    );
    rule(&world, "dollars", &json!({ "currencies": ["USD"] }), &[&usual]).await;
    rule(&world, "from France", &json!({ "countries": ["FR"] }), &[&off, &upi]).await;
    rule(&world, "visa", &json!({ "bin_prefixes": ["4"] }), &[&heavy, &off, &usual]).await;

    let visa = json!({ "bin": "42424242", "country": "DE" });
    let shown = preview(&world, &visa).await.expect(200);
    insta::assert_json_snapshot!(plain(&shown.json), @r#"
    {
      "candidates": [
        {
          "account": "gwa_…",
          "breaker": "closed",
          "connector": "mock",
          "name": "heavy",
          "priority": 0,
          "weight": 9
        },
        {
          "account": "gwa_…",
          "breaker": "closed",
          "connector": "mock",
          "name": "simulator",
          "priority": 0,
          "weight": 1
        }
      ],
      "excluded": [
        {
          "account": "gwa_…",
          "detail": "The account is disabled.",
          "name": "off",
          "reason": "disabled"
        },
        {
          "account": "gwa_…",
          "detail": "The account is narrowed to other payment methods.",
          "name": "upi",
          "reason": "method_not_allowed"
        }
      ],
      "object": "routing_preview",
      "passed_over": [
        {
          "rule": {
            "id": "rrl_…",
            "name": "dollars",
            "position": 0
          },
          "unmet": "currencies"
        },
        {
          "rule": {
            "id": "rrl_…",
            "name": "from France",
            "position": 1
          },
          "unmet": "countries"
        }
      ],
      "refusal": null,
      "rule": {
        "id": "rrl_…",
        "name": "visa",
        "position": 2
      }
    }
    "#);
    assert_eq!(each(&shown.json, "candidates", "account"), [&heavy, &usual]);
    assert_eq!(each(&shown.json, "excluded", "account"), [&off, &upi]);

    let body = bodies::with(json!({ "amount": 1250, "currency": "EUR", "method": "card" }), &visa);
    let of_merchant = bodies::with(body, &json!({ "merchant": world.merchant.id }));
    let by_operator = world.operator().post_plain("/admin/routing/preview", &of_merchant).await.expect(200);
    assert_eq!(by_operator.json, shown.json);

    assert!(world.simulator.requests().await.is_empty());
    for table in ["payments", "operations", "outbox", "idempotency_keys where scope like '%preview'"] {
        assert_eq!(world.db_count(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
}

/// What would be refused is told in a preview as it would be in a payment.
#[tokio::test]
async fn a_preview_tells_of_a_refusal() {
    let world = World::start().await;
    let usual = world.merchant.account.clone();
    let off = account(&world, "off", &json!({ "enabled": false })).await;
    let upi = account(&world, "upi", &json!({ "methods": ["upi_qr"] })).await;
    rule(&world, "dollars", &json!({ "currencies": ["USD"] }), &[&usual]).await;
    rule(&world, "from France", &json!({ "countries": ["FR"] }), &[&off, &upi]).await;

    let none = preview(&world, &json!({ "country": "FR" })).await.expect(200);
    assert_eq!((&none.json["candidates"], &none.json["rule"]["name"]), (&json!([]), &json!("from France")));
    assert_eq!(each(&none.json, "excluded", "reason"), ["not_in_rule", "disabled", "method_not_allowed"]);
    let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "customer": { "country": "FR" } }));
    let refused = world.post("/v1/payments", "refused", &body).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.json["errors"][0]["detail"], none.json["refusal"]);

    let dollars = preview(&world, &json!({ "currency": "USD" })).await.expect(200);
    assert_eq!(each(&dollars.json, "candidates", "account"), [&usual]);
    let wanted = preview(&world, &json!({ "country": "FR", "gateway_account": usual })).await.expect(200);
    assert_eq!(
        (each(&wanted.json, "candidates", "account"), &wanted.json["rule"]),
        (vec![usual.as_str()], &Value::Null)
    );
    let cannot = preview(&world, &json!({ "gateway_account": upi })).await.expect(200);
    assert!(cannot.json["refusal"].as_str().unwrap().contains(&upi), "{}", cannot.text());
    let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "gateway_account": upi }));
    let refused = world.post("/v1/payments", "cannot", &body).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/gateway_account"]);
}

#[tokio::test]
async fn previews_that_cannot_be_are_refused() {
    let world = World::start().await;
    let cases = [
        (json!({ "amount": 0 }), "/amount"),
        (json!({ "currency": "euro" }), "/currency"),
        (json!({ "method": "cash" }), "/method"),
        (json!({ "bin": "4242" }), "/bin"),
        (json!({ "bin": "424242", "method": "upi_qr" }), "/bin"),
        (json!({ "country": "UK" }), "/country"),
        (json!({ "gateway_account": "gwa_00000000000000000000000000" }), "/gateway_account"),
        (json!({ "payment": "ord_00000000000000000000000000" }), "/payment"),
        (json!({ "cuntry": "DE" }), "/cuntry"),
    ];
    for (changes, pointer) in cases {
        let refused = preview(&world, &changes).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), [pointer], "{changes}");
    }
    let body = json!({ "amount": 1, "currency": "EUR", "method": "card" });
    world.on(0).post_plain("/v1/routing_rules/preview", &body).await.expect_problem(400, "idempotency_key_missing");
    let operator = world.operator();
    let refused = operator.post_plain("/admin/routing/preview", &body).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/merchant"]);
    let of_nobody = bodies::with(body, &json!({ "merchant": "mer_00000000000000000000000000" }));
    let refused =
        operator.post_plain("/admin/routing/preview", &of_nobody).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/merchant"]);
    let stranger = operator.without_token();
    stranger.post_plain("/admin/routing/preview", &of_nobody).await.expect_problem(401, "unauthenticated");
}
