//! The vault as merchants see it: a card goes in, and its number never comes out.

use interlock_tests::harness::{World, bodies, plain};
use serde_json::json;

#[tokio::test]
async fn a_token_shows_what_may_be_shown() {
    let world = World::start().await;
    let body =
        json!({ "card": bodies::with(bodies::card_fields(bodies::GOOD), &json!({ "number": "4242 4242-4242 4242" })) });
    let token = world.post("/v1/tokens", "t", &body).await.expect(201);
    insta::assert_json_snapshot!(plain(&token.json), @r#"
    {
      "card": {
        "bin": "424242",
        "brand": "visa",
        "expiry_month": 12,
        "expiry_year": 2040,
        "has_cvc": true,
        "last4": "4242"
      },
      "created_at": "…",
      "id": "tok_…",
      "object": "token",
      "type": "card"
    }
    "#);
    assert!(token.id().starts_with("tok_"));
    let again = world.post("/v1/tokens", "t", &body).await.expect(201);
    assert!(again.is_replay() && again.bytes == token.bytes);
}

/// Brands are told by the number; the code may be left out.
#[tokio::test]
async fn brands_are_told_by_the_number() {
    let world = World::start().await;
    for (number, cvc, brand) in [
        ("5555555555554444", Some("123"), "mastercard"),
        ("378282246310005", Some("1234"), "amex"),
        ("6011111111111117", None, "discover"),
        ("3530111333300000", None, "jcb"),
        ("4222222222222", None, "visa"),
    ] {
        let card = json!({ "number": number, "expiry_month": 1, "expiry_year": bodies::YEAR, "cvc": cvc });
        let token = world.post("/v1/tokens", &world.fresh_key(), &json!({ "card": card })).await.expect(201);
        assert_eq!(token.json["card"]["brand"], brand, "{}", token.text());
        assert_eq!(token.json["card"]["has_cvc"], cvc.is_some());
    }
}

/// Once deleted, a card pays no more, and what was sealed of it is gone; its payments stay.
#[tokio::test]
async fn a_deleted_token_is_gone() {
    let world = World::start().await;
    let token =
        world.post("/v1/tokens", "t", &json!({ "card": bodies::card_fields(bodies::GOOD) })).await.expect(201).id();
    let method = json!({ "type": "card", "token": token });
    let body = json!({ "amount": 100, "currency": "EUR", "confirm": true, "payment_method": method });
    let paid = world.post("/v1/payments", "p", &body).await.expect(201);
    let held =
        world.post("/v1/payments", "h", &bodies::with(body.clone(), &json!({ "confirm": false }))).await.expect(201);

    let deleted = world.on(0).delete(&format!("/v1/tokens/{token}")).await.expect(200);
    assert_eq!(deleted.json, json!({ "id": token, "object": "token", "deleted": true }));
    assert_eq!(world.db_count("select count(*) from tokens where sealed is not null").await, 0);
    assert_eq!(world.db_count("select count(*) from token_codes").await, 0);

    let refused = world.post("/v1/payments", "q", &body).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/payment_method/token"]);
    let refused = world.post(&format!("/v1/payments/{}/confirm", held.id()), "c", &json!({})).await;
    assert!(refused.status == 422 || refused.status == 409, "{}", refused.text());
    assert_eq!(world.payment(&paid.id()).await["status"], "succeeded");
    world.on(0).delete("/v1/tokens/tok_00000000000000000000000000").await.expect_problem(404, "not_found");
}

/// The code serves one authorization, and is not in the database afterwards.
#[tokio::test]
async fn a_code_is_deleted_with_its_authorization() {
    let world = World::start().await;
    let token =
        world.post("/v1/tokens", "t", &json!({ "card": bodies::card_fields(bodies::GOOD) })).await.expect(201).id();
    assert_eq!(world.db_count("select count(*) from token_codes").await, 1);
    let body = json!({ "amount": 100, "currency": "EUR", "confirm": true, "payment_method": { "type": "card", "token": token } });
    world.post("/v1/payments", "p", &body).await.expect(201);
    assert_eq!(world.db_count("select count(*) from token_codes").await, 0);
    world.pay(bodies::DECLINES).await.expect(201);
    assert_eq!(world.db_count("select count(*) from token_codes").await, 0, "a decline ends it too");
}
