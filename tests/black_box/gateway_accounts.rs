//! Gateway accounts: public settings shown, secrets never, identities kept.

use interlock_tests::harness::{World, bodies, plain};
use serde_json::{Value, json};

fn body(world: &World) -> Value {
    json!({
        "connector": "mock", "name": "main",
        "settings": { "base_url": world.simulator.url, "api_key": "first-secret-of-mine", "webhook_secret": "second-secret-of-mine" }
    })
}

#[tokio::test]
async fn an_account_shows_its_settings_and_hides_its_secrets() {
    let world = World::builder().without_account().start().await;
    let made = world.post("/v1/gateway_accounts", "a", &body(&world)).await.expect(201);
    insta::assert_json_snapshot!(plain(&made.json), @r#"
    {
      "auto_refund_surplus": false,
      "connector": "mock",
      "created_at": "…",
      "enabled": true,
      "id": "gwa_…",
      "methods": null,
      "name": "main",
      "object": "gateway_account",
      "priority": 0,
      "secrets": {
        "api_key": {
          "set": true,
          "updated_at": "…"
        },
        "webhook_secret": {
          "set": true,
          "updated_at": "…"
        }
      },
      "settings": {
        "base_url": "http://…",
        "lookup": "reference",
        "resend": "safe"
      },
      "updated_at": "…",
      "version": 1,
      "weight": 1
    }
    "#);
    let path = format!("/v1/gateway_accounts/{}", made.id());
    let read = world.get(&path).await.expect(200);
    assert_eq!(read.json, made.json);
    let listed = world.get("/v1/gateway_accounts").await.expect(200);
    assert_eq!(listed.json["data"], json!([made.json]));
    for answer in [&made, &read, &listed] {
        assert!(!answer.text().contains("secret-of-mine"), "{}", answer.text());
    }
}

/// The key at the gateway was renewed: the account gets the new one, the webhook's old secret holds a day longer.
#[tokio::test]
async fn a_secret_is_rotated_by_a_patch() {
    let world = World::start().await;
    let path = format!("/v1/gateway_accounts/{}", world.merchant.account);
    let change = json!({ "name": "renamed", "priority": 7, "settings": { "webhook_secret": "third-secret-of-mine" } });
    let changed = world.on(0).patch(&path, &change).await.expect(200);
    assert_eq!(
        (&changed.json["name"], &changed.json["priority"], &changed.json["version"]),
        (&json!("renamed"), &json!(7), &json!(2))
    );
    assert!(changed.json["secrets"]["webhook_secret"]["previous_valid_until"].is_string(), "{}", changed.text());
    assert!(!changed.text().contains("secret-of-mine"));
    world.pay(bodies::GOOD).await.expect(201);
}

/// What names the account at the gateway stays: old operations must be asked for where they were sent.
#[tokio::test]
async fn an_identity_cannot_be_changed() {
    let world = World::start().await;
    let path = format!("/v1/gateway_accounts/{}", world.merchant.account);
    let change = json!({ "settings": { "base_url": "http://127.0.0.1:9" } });
    let refused = world.on(0).patch(&path, &change).await.expect_problem(409, "setting_is_identity");
    assert_eq!(refused.pointers(), ["/settings/base_url"]);
    let same = json!({ "settings": { "base_url": world.simulator.url } });
    world.on(0).patch(&path, &same).await.expect(200);
}

/// Every field with each of its faults.
#[tokio::test]
async fn accounts_that_cannot_be_are_refused() {
    let world = World::builder().without_account().start().await;
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({ "connector": null }), &["/connector"]),
        (json!({ "connector": "stripr" }), &["/connector"]),
        (json!({ "name": "" }), &["/name"]),
        (json!({ "name": null }), &["/name"]),
        (json!({ "priority": 1_001 }), &["/priority"]),
        (json!({ "priority": -1 }), &["/priority"]),
        (json!({ "weight": "much" }), &["/weight"]),
        (json!({ "enabled": "yes" }), &["/enabled"]),
        (json!({ "methods": "card" }), &["/methods"]),
        (json!({ "methods": ["cash"] }), &["/methods/0"]),
        (json!({ "settings": { "base_url": null } }), &["/settings/base_url"]),
        (json!({ "settings": { "base_url": "gateway" } }), &["/settings/base_url"]),
        (json!({ "settings": { "base_url": "ftp://gateway.example" } }), &["/settings/base_url"]),
        (json!({ "settings": { "api_key": null } }), &["/settings/api_key"]),
        (json!({ "settings": { "api_key": 7 } }), &["/settings/api_key"]),
        (json!({ "settings": { "apikey": "x" } }), &["/settings/apikey"]),
        (json!({ "nmae": "x" }), &["/nmae"]),
    ];
    for (change, pointers) in cases {
        let body = bodies::with(body(&world), &change);
        let refused = world.post("/v1/gateway_accounts", &world.fresh_key(), &body).await;
        let refused = refused.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), pointers, "{change}: {}", refused.text());
        assert!(!refused.text().contains("secret-of-mine"), "{}", refused.text());
    }
    assert_eq!(world.db_count("select count(*) from gateway_accounts").await, 0);
}

/// The account with the lower priority goes first; one that is disabled or deleted takes nothing.
#[tokio::test]
async fn payments_go_to_the_first_account_that_takes_them() {
    let world = World::start().await;
    let first = world.merchant.account.clone();
    let second = world
        .post("/v1/gateway_accounts", "b", &bodies::with(body(&world), &json!({ "priority": 5 })))
        .await
        .expect(201)
        .id();
    let paid_by =
        async || world.pay(bodies::GOOD).await.expect(201).json["gateway_account"].as_str().unwrap().to_owned();
    assert_eq!(paid_by().await, first);
    let chosen = bodies::with(bodies::payment(bodies::GOOD), &json!({ "gateway_account": second }));
    let answer = world.post("/v1/payments", "chosen", &chosen).await.expect(201);
    assert_eq!(answer.json["gateway_account"], second);

    let path = format!("/v1/gateway_accounts/{first}");
    world.on(0).patch(&path, &json!({ "enabled": false })).await.expect(200);
    assert_eq!(paid_by().await, second);
    world.on(0).patch(&path, &json!({ "enabled": true, "methods": ["upi_collect"] })).await.expect(200);
    assert_eq!(paid_by().await, second);
    world.on(0).patch(&path, &json!({ "methods": null })).await.expect(200);
    assert_eq!(paid_by().await, first);
    world.on(0).delete(&path).await.expect(200);
    assert_eq!(paid_by().await, second);
    world.get(&path).await.expect_problem(404, "not_found");
}
