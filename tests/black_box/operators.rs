//! The operators' side: who may enter, merchants, their keys, connectors, and what is not known.

use std::time::Duration;

use http::Method;
use interlock_tests::harness::{Merchant, World, answer, bodies, eventually};
use serde_json::{Value, json};

/// Everything under `/admin` asks for the operator's token; a merchant's key is none.
#[tokio::test]
async fn operators_need_their_token() {
    let world = World::start().await;
    let operator = world.operator();
    for path in [
        "/admin/merchants",
        "/admin/connectors",
        "/admin/operations",
        "/admin/reviews",
        "/admin/quarantine",
        "/admin/sinks",
        "/admin/audit_log",
    ] {
        operator.get(path).await.expect(200);
        operator.without_token().get(path).await.expect_problem(401, "unauthenticated");
        for token in
            ["", "x", &world.merchant.key, "operator-token-of-the-tests-c0ffe", "operator-token-of-the-tests-c0ffee0"]
        {
            operator.with_token(token).get(path).await.expect_problem(401, "unauthenticated");
        }
    }
    operator
        .without_token()
        .post_plain("/admin/merchants", &json!({ "name": "x" }))
        .await
        .expect_problem(401, "unauthenticated");
    // And the operator is no merchant.
    let base = world.on(0).with_token("operator-token-of-the-tests-c0ffee");
    base.get("/v1/payments").await.expect_problem(401, "unauthenticated");
}

/// A merchant and a key: the key is shown once, afterwards only its end.
#[tokio::test]
async fn a_key_is_shown_once() {
    let world = World::start().await;
    let operator = world.operator();
    let merchant = operator.post_plain("/admin/merchants", &json!({ "name": "Bücher & mehr" })).await.expect(201);
    assert_eq!(merchant.json["name"], "Bücher & mehr");
    assert!(merchant.id().starts_with("mer_"));
    let path = format!("/admin/merchants/{}/api_keys", merchant.id());
    let made = operator.post_plain(&path, &json!({})).await.expect(201);
    let key = made.json["key"].as_str().unwrap();
    assert!(key.starts_with("sk_") && key.ends_with(made.json["hint"].as_str().unwrap()));
    let listed = operator.get(&path).await.expect(200);
    assert_eq!(listed.json["data"][0]["id"], made.json["id"]);
    assert!(!listed.text().contains(key));
    world.on(0).with_token(key).get("/v1/payments").await.expect(200);
}

#[tokio::test]
async fn merchants_that_cannot_be_are_refused() {
    let world = World::start().await;
    let operator = world.operator();
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({ "name": "" }), "/name"),
        (json!({ "name": "x".repeat(201) }), "/name"),
        (json!({ "name": 7 }), "/name"),
        (json!({ "name": "x", "id": "mer_1" }), "/id"),
    ] {
        let refused = operator.post_plain("/admin/merchants", &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), [pointer]);
    }
    for id in ["x", "mer_00000000000000000000000000"] {
        let path = format!("/admin/merchants/{id}/api_keys");
        operator.post_plain(&path, &json!({})).await.expect_problem(404, "not_found");
        operator.get(&path).await.expect_problem(404, "not_found");
    }
}

/// A key that leaked is revoked: the host that did it refuses it at once, every other host within two seconds.
#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_soon() {
    let world = World::builder().hosts(2).start().await;
    for host in [0, 1] {
        world.on(host).get("/v1/payments").await.expect(200);
    }
    let keys = format!("/admin/merchants/{}/api_keys", world.merchant.id);
    let key = world.operator().get(&keys).await.expect(200).json["data"][0]["id"].as_str().unwrap().to_owned();
    world.operator().delete(&format!("{keys}/{key}")).await.expect(200);
    world.on(0).get("/v1/payments").await.expect_problem(401, "unauthenticated");
    let revoked = std::time::Instant::now();
    eventually("the other host refuses it too", async || {
        let answer = world.on(1).get("/v1/payments").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    assert!(revoked.elapsed() < Duration::from_secs(2), "{:?}", revoked.elapsed());
    world.operator().delete(&format!("{keys}/key_00000000000000000000000000")).await.expect_problem(404, "not_found");
    let other = Merchant::make(&world.operator(), "Other").await;
    let theirs = format!("/admin/merchants/{}/api_keys", other.id);
    world.operator().delete(&format!("{theirs}/{key}")).await.expect_problem(404, "not_found");
}

/// The installed connectors, with what they ask for.
#[tokio::test]
async fn connectors_are_listed_with_their_descriptors() {
    let world = World::start().await;
    let listed = world.get("/v1/connectors").await.expect(200).json;
    let mock = listed["data"].as_array().unwrap().iter().find(|connector| connector["name"] == "mock").unwrap();
    assert_eq!((&mock["object"], &mock["state"]), (&json!("connector"), &json!("active")));
    assert_eq!(mock["digest"].as_str().unwrap().len(), 64);
    let names: Vec<_> =
        mock["descriptor"]["settings"].as_array().unwrap().iter().map(|setting| &setting["name"]).collect();
    assert_eq!(names, ["base_url", "api_key", "webhook_secret", "resend", "lookup"]);
    let shown = world.operator().get("/admin/connectors/mock").await.expect(200).json;
    assert_eq!(shown["active_version"], mock["version"]);
    assert_eq!(shown["versions"][0]["digest"], mock["digest"]);
    world.operator().get("/admin/connectors/nothing").await.expect_problem(404, "not_found");
}

/// What is no component is refused with every reason, and the host goes on.
#[tokio::test]
async fn what_is_no_connector_is_refused() {
    let world = World::start().await;
    let install = |media_type: &str, bytes: Vec<u8>| {
        let request = world.operator().request(Method::POST, "/admin/connectors");
        answer(request.header("content-type", media_type).body(bytes))
    };
    for bytes in [
        b"".to_vec(),
        b"not wasm".to_vec(),
        b"\0asm\x01\0\0\0".to_vec(),
        b"\0asm\x0d\0\x01\0".to_vec(),
        vec![0; 1 << 16],
    ] {
        let refused = install("application/wasm", bytes).await.expect_problem(422, "connector_refused");
        assert!(refused.json["errors"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{}", refused.text());
    }
    install("application/json", b"{}".to_vec()).await.expect_problem(415, "unsupported_media_type");
    install("application/wasm", vec![0; (32 << 20) + 1]).await.expect_problem(413, "body_too_large");
    world.pay(bodies::GOOD).await.expect(201);
}

/// The same component again is no second version.
#[tokio::test]
async fn a_connector_can_be_installed_without_a_restart() {
    let world = World::builder().without_connectors().start().await;
    assert_eq!(world.get("/v1/connectors").await.expect(200).json["data"], json!([]));
    let account = json!({ "connector": "mock", "name": "x", "settings": {} });
    let refused = world.post("/v1/gateway_accounts", "early", &account).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/connector"]);

    let component = std::fs::read(interlock_tests::harness::target("connectors").join("mock.wasm")).unwrap();
    let install = || {
        let request = world.operator().request(Method::POST, "/admin/connectors");
        answer(request.header("content-type", "application/wasm").body(component.clone()))
    };
    let installed = install().await.expect(201);
    assert_eq!((&installed.json["name"], &installed.json["state"]), (&json!("mock"), &json!("staged")));
    install().await.expect(201);
    assert_eq!(world.db_count("select count(*) from connector_versions").await, 1);
    let version = installed.json["version"].as_str().unwrap();
    let path = format!("/admin/connectors/mock/versions/{version}/activate");
    world.operator().post_plain(&path, &json!({})).await.expect(200);
    let merchant = world.new_merchant("Late").await;
    let paid = world.of(&merchant).post("/v1/payments", "p", &bodies::payment(bodies::GOOD)).await.expect(201);
    assert_eq!(paid.payment_status(), "succeeded");
    world
        .operator()
        .post_plain("/admin/connectors/mock/versions/9.9.9/activate", &json!({}))
        .await
        .expect_problem(404, "not_found");
}

/// What nobody knows the outcome of is in the operators' list, and leaves it when it is known.
#[tokio::test]
async fn unknown_operations_are_listed() {
    let world = World::builder().setting("INTERLOCK_VERIFY_DELAYS", "1.5,1").start().await;
    world.simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let payment = world.pay(bodies::GOOD).await.expect(202);
    let listed = world.operator().get("/admin/operations?status=unknown").await.expect(200).json;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(
        (&listed["data"][0]["payment"], &listed["data"][0]["merchant"]),
        (&json!(payment.id()), &json!(world.merchant.id))
    );
    world.payment_becomes(&payment.id(), "succeeded").await;
    let listed = world.operator().get("/admin/operations").await.expect(200).json;
    assert_eq!(listed["data"], Value::Array(Vec::new()));
}
