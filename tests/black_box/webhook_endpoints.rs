//! Webhook endpoints as merchants manage them: every field, every refusal, and secrets that are shown once.

use interlock_tests::harness::{Answer, World, bodies, plain};
use serde_json::{Value, json};

const PATH: &str = "/v1/webhook_endpoints";
/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9/webhooks";

fn body() -> Value {
    json!({ "url": NOWHERE, "event_types": ["payment.*", "refund.succeeded"], "description": "Main" })
}

async fn made(world: &World) -> Answer {
    world.post(PATH, &world.fresh_key(), &body()).await.expect(201)
}

fn path(endpoint: &Answer) -> String {
    format!("{PATH}/{}", endpoint.id())
}

fn secret(answer: &Answer) -> String {
    let secret = answer.json["secret"].as_str();
    secret.unwrap_or_else(|| panic!("no secret in {}", answer.text())).to_owned()
}

/// The secret is in the answer to its making, and in no other; nor is it anywhere in the database.
#[tokio::test]
async fn an_endpoint_shows_its_secret_once() {
    let world = World::builder().without_account().start().await;
    let made = made(&world).await;
    let secret = secret(&made);
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{secret}");
    let mut shown = made.json.clone();
    shown.as_object_mut().unwrap().remove("secret");
    insta::assert_json_snapshot!(plain(&shown), @r#"
    {
      "created_at": "…",
      "description": "Main",
      "disabled_at": null,
      "disabled_reason": null,
      "enabled": true,
      "event_types": [
        "payment.*",
        "refund.succeeded"
      ],
      "failing_since": null,
      "id": "whe_…",
      "mode": "parallel",
      "object": "webhook_endpoint",
      "resume_from": null,
      "updated_at": "…",
      "url": "http://…"
    }
    "#);
    assert_eq!(world.get(&path(&made)).await.expect(200).json, shown);
    assert_eq!(world.get(PATH).await.expect(200).json["data"], json!([shown]));
    let (_, key) = secret.split_once('_').unwrap();
    for row in world.db_dump().await {
        assert!(!row.text.contains(key), "the secret stands in {}: {}", row.table, row.text);
    }
}

/// The answer was lost on its way: asked again with the same key, it is the same, to the byte. One endpoint was made.
#[tokio::test]
async fn a_lost_answer_is_given_again_with_its_secret() {
    let world = World::builder().without_account().start().await;
    let first = world.post(PATH, "k", &body()).await.expect(201);
    let again = world.post(PATH, "k", &body()).await.expect(201);
    assert!(!first.is_replay() && again.is_replay());
    assert_eq!(first.bytes, again.bytes);
    world.post(PATH, "k", &json!({ "url": NOWHERE })).await.expect_problem(422, "idempotency_key_reused");
    let answers = futures_util::future::join_all((0..4).map(|_| {
        let (caller, body) = (world.on(0), body());
        async move { caller.post(PATH, "at-once", &body).await.expect(201) }
    }));
    let answers = answers.await;
    assert!(answers.iter().all(|answer| answer.bytes == answers[0].bytes));
    assert_eq!(world.db_count("select count(*) from webhook_endpoints").await, 2);

    let rotate = format!("{}/rotate_secret", path(&first));
    let rotated = world.post(&rotate, "k", &json!({})).await.expect(200);
    let again = world.post(&rotate, "k", &json!({})).await.expect(200);
    assert_eq!((rotated.bytes, true), (again.bytes.clone(), again.is_replay()));
}

/// Every field with each of its faults; what was probably meant is named.
#[tokio::test]
async fn endpoints_that_cannot_be_are_refused() {
    let world = World::builder().without_account().start().await;
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({ "url": null }), &["/url"]),
        (json!({ "url": "" }), &["/url"]),
        (json!({ "url": "/webhooks" }), &["/url"]),
        (json!({ "url": "ftp://shop.example" }), &["/url"]),
        (json!({ "url": "https://user:password@shop.example" }), &["/url"]),
        (json!({ "url": "https://shop.example/#top" }), &["/url"]),
        (json!({ "url": format!("https://shop.example/{}", "x".repeat(2048)) }), &["/url"]),
        (json!({ "event_types": [] }), &["/event_types"]),
        (json!({ "event_types": "*" }), &["/event_types"]),
        (json!({ "event_types": ["order.paid", "order.paid"] }), &["/event_types"]),
        (json!({ "event_types": ["order.paid", "order.payed", 7] }), &["/event_types/1", "/event_types/2"]),
        (json!({ "mode": "serial" }), &["/mode"]),
        (json!({ "enabled": 1 }), &["/enabled"]),
        (json!({ "description": "x".repeat(1001) }), &["/description"]),
        (json!({ "secret": "whsec_mine" }), &["/secret"]),
    ];
    for (change, pointers) in &cases {
        let body = bodies::with(body(), change);
        let refused = world.post(PATH, &world.fresh_key(), &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), *pointers, "{change}: {}", refused.text());
    }
    assert_eq!(world.db_count("select count(*) from webhook_endpoints").await, 0);
    let misspelt = bodies::with(body(), &json!({ "event_types": ["payment.succeded"] }));
    let refused = world.post(PATH, "misspelt", &misspelt).await.expect_problem(422, "invalid_request");
    assert!(refused.text().contains("did you mean `payment.succeeded`?"), "{}", refused.text());

    let endpoint = made(&world).await;
    // A change may leave the URL as it is.
    for (change, pointers) in cases.iter().filter(|(change, _)| !change["url"].is_null() || change.get("url").is_none())
    {
        let refused = world.on(0).patch(&path(&endpoint), change).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), *pointers, "{change}: {}", refused.text());
    }
    assert_eq!(world.get(&path(&endpoint)).await.json["updated_at"], endpoint.json["updated_at"]);
}

/// A host that is on the internet: nothing inside of its own network can be named, however it is spelt.
#[tokio::test]
async fn private_addresses_and_plain_http_are_refused() {
    let world = World::builder().without_account().setting("INTERLOCK_ALLOW_PRIVATE_NETWORKS", "false").start().await;
    let refused = [
        "http://shop.example/webhooks",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "https://1.1.1.1:22/",
    ];
    for url in refused {
        let refused = world.post(PATH, &world.fresh_key(), &json!({ "url": url })).await;
        let refused = refused.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), ["/url"], "{url}: {}", refused.text());
    }
    // It may lead somewhere tomorrow; it is looked at again whenever something is sent.
    let unknown = json!({ "url": "https://no-such-host.invalid/webhooks", "enabled": false });
    let made = world.post(PATH, "unknown", &unknown).await.expect(201);
    let change = json!({ "url": "https://192.168.0.1/" });
    let refused = world.on(0).patch(&path(&made), &change).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), ["/url"]);
}

/// Another merchant's endpoint is not there, whatever is asked of it.
#[tokio::test]
async fn another_merchants_endpoint_is_not_found() {
    let world = World::builder().without_account().start().await;
    let endpoint = made(&world).await;
    let tested = world.post(&format!("{}/test", path(&endpoint)), "t", &json!({})).await.expect(201);
    let stranger = interlock_tests::harness::Merchant::make(&world.operator(), "Stranger").await;
    let stranger = world.of(&stranger);
    let path = path(&endpoint);
    stranger.get(&path).await.expect_problem(404, "not_found");
    stranger.patch(&path, &json!({ "enabled": false })).await.expect_problem(404, "not_found");
    stranger.patch(&path, &json!({ "url": "https://shop.example" })).await.expect_problem(404, "not_found");
    stranger.delete(&path).await.expect_problem(404, "not_found");
    stranger.get(&format!("{path}/deliveries")).await.expect_problem(404, "not_found");
    let range = json!({ "from": "2020-01-01T00:00:00Z" });
    for (below, body) in [("rotate_secret", &json!({})), ("test", &json!({})), ("redeliver", &range)] {
        stranger.post(&format!("{path}/{below}"), "k", body).await.expect_problem(404, "not_found");
    }
    let event = format!("/v1/events/{}/redeliver", tested.id());
    stranger.post(&event, "k", &json!({})).await.expect_problem(404, "not_found");
    assert_eq!(stranger.get(PATH).await.expect(200).json["data"], json!([]));
    assert_eq!(world.get(&path).await.expect(200).json["enabled"], true);
    world.get(&format!("{PATH}/whe_x")).await.expect_problem(404, "not_found");
}

/// Everything about it can be changed but what it is; what is not named stays.
#[tokio::test]
async fn an_endpoint_is_changed_field_by_field() {
    let world = World::builder().without_account().start().await;
    let endpoint = made(&world).await;
    let path = path(&endpoint);
    let change = async |change: Value| world.on(0).patch(&path, &change).await.expect(200).json;
    let url = "http://127.0.0.1:9/other?shop=7";
    let changed = change(json!({ "url": url, "mode": "ordered", "event_types": null, "description": null })).await;
    assert_eq!((&changed["url"], &changed["mode"]), (&json!(url), &json!("ordered")));
    assert_eq!((&changed["event_types"], &changed["description"]), (&Value::Null, &Value::Null));
    assert!(changed.get("secret").is_none());
    // What changes nothing is no change.
    for nothing in [json!({}), json!({ "url": url, "enabled": true, "mode": "ordered" })] {
        assert_eq!(change(nothing).await, changed);
    }
    assert_eq!(world.db_count("select version::bigint from webhook_endpoints").await, 2);
    let changed = change(json!({ "event_types": ["*"] })).await;
    assert_eq!(changed["event_types"], json!(["*"]));
    assert_eq!(changed, world.get(&path).await.expect(200).json);

    let off = change(json!({ "enabled": false })).await;
    assert_eq!((&off["enabled"], &off["disabled_reason"]), (&json!(false), &json!("merchant")));
    assert!(off["disabled_at"].is_string() && off["resume_from"].is_string(), "{off}");
    assert_eq!(change(json!({ "enabled": false })).await["disabled_at"], off["disabled_at"]);
    let on = change(json!({ "enabled": true })).await;
    assert_eq!(
        (&on["enabled"], &on["disabled_reason"], &on["disabled_at"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    // Known until it is asked for.
    assert_eq!(on["resume_from"], off["resume_from"]);
}

/// Deleted, it is nowhere any more, its secret neither; the log of what was sent there needs its row.
#[tokio::test]
async fn a_deleted_endpoint_is_gone() {
    let world = World::builder().without_account().start().await;
    let endpoint = made(&world).await;
    let deleted = world.on(0).delete(&path(&endpoint)).await.expect(200);
    assert_eq!(deleted.json, json!({ "id": endpoint.id(), "object": "webhook_endpoint", "deleted": true }));
    world.get(&path(&endpoint)).await.expect_problem(404, "not_found");
    world.on(0).delete(&path(&endpoint)).await.expect_problem(404, "not_found");
    world.post(&format!("{}/test", path(&endpoint)), "t", &json!({})).await.expect_problem(404, "not_found");
    world.get(&format!("{}/deliveries", path(&endpoint))).await.expect_problem(404, "not_found");
    assert_eq!(world.get(PATH).await.expect(200).json["data"], json!([]));
    assert_eq!(world.db_text("select secrets::text from webhook_endpoints").await.as_deref(), Some("[]"));
}

/// Each event is matched with all of a merchant's endpoints, so there is a bound to them.
#[tokio::test]
async fn a_merchant_has_fifty_endpoints_at_most() {
    let world = World::builder().without_account().start().await;
    let endpoint = made(&world).await;
    let copies =
        "insert into webhook_endpoints (merchant_id, endpoint_id, url, mode, secrets, enabled, created_at, updated_at)
                  select merchant_id, gen_random_uuid(), url, mode, '[]', true, created_at, updated_at
                    from webhook_endpoints, generate_series(1, 49)";
    assert_eq!(world.db_run(copies).await, 49);
    let refused = world.post(PATH, "one-more", &body()).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.pointers(), [""]);
    world.on(0).delete(&path(&endpoint)).await.expect(200);
    // Nothing of the refusal is kept: the same key may be used when there is room.
    world.post(PATH, "one-more", &body()).await.expect(201);

    let page = world.get(&format!("{PATH}?limit=30")).await.expect(200).json;
    assert_eq!(page["data"].as_array().unwrap().len(), 30);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = world.get(&format!("{PATH}?limit=30&cursor={cursor}")).await.expect(200).json;
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["next_cursor"]), (20, &Value::Null));
    world.get(&format!("{PATH}?cursor=whe_x")).await.expect_problem(422, "invalid_request");
}

/// The old secret goes on for a day, or as long as the merchant says; five at most.
#[tokio::test]
async fn a_rotation_leaves_the_old_secret_for_a_while() {
    let world = World::builder().without_account().start().await;
    let endpoint = made(&world).await;
    let rotate = format!("{}/rotate_secret", path(&endpoint));
    let rotated = world.post(&rotate, "1", &json!({})).await.expect(200);
    assert_ne!(secret(&rotated), secret(&endpoint));
    assert!(world.get(&path(&endpoint)).await.json.get("secret").is_none());
    let lives = "select extract(epoch from (s.value ->> 'valid_until')::timestamptz - (n.value ->> 'since')::timestamptz)::bigint
                   from webhook_endpoints as e, jsonb_array_elements(e.secrets) with ordinality as s,
                        jsonb_path_query_first(e.secrets, '$[0]') as n (value)
                  where s.ordinality = 2";
    assert_eq!(world.db_count(lives).await, 86_400);
    world.post(&rotate, "2", &json!({ "expires_in_s": 3_600 })).await.expect(200);
    assert_eq!(world.db_count(lives).await, 3_600);

    let count = "select jsonb_array_length(secrets)::bigint from webhook_endpoints";
    assert_eq!(world.db_count(count).await, 3);
    world.post(&rotate, "3", &json!({ "expires_in_s": 0 })).await.expect(200);
    // The one of a minute ago is not to be believed any more; the one before that still is, as it was promised.
    assert_eq!(world.db_count(count).await, 3);
    for key in ["4", "5", "6", "7"] {
        world.post(&rotate, key, &json!({})).await.expect(200);
    }
    assert_eq!(world.db_count(count).await, 5);
    for (body, pointer) in [
        (json!({ "expires_in_s": 604_801 }), "/expires_in_s"),
        (json!({ "expires_in_s": -1 }), "/expires_in_s"),
        (json!({ "expires_at": "tomorrow" }), "/expires_at"),
    ] {
        let refused = world.post(&rotate, &world.fresh_key(), &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.pointers(), [pointer]);
    }
}

/// A test is an event like any other, in the endpoint's own sequence, asked for once under one key.
#[tokio::test]
async fn a_test_event_is_written_once() {
    let world = World::builder().without_account().start().await;
    let endpoint = made(&world).await;
    let test = format!("{}/test", path(&endpoint));
    let event = world.post(&test, "1", &json!({})).await.expect(201);
    assert_eq!((&event.json["type"], &event.json["sequence"]), (&json!("webhook_endpoint.test"), &json!(1)));
    assert_eq!(event.json["data"]["object"]["id"], endpoint.json["id"]);
    assert!(event.json["data"]["object"].get("secret").is_none());
    let again = world.post(&test, "1", &json!({})).await.expect(201);
    assert_eq!((&again.bytes, again.is_replay()), (&event.bytes, true));
    assert_eq!(world.post(&test, "2", &json!({})).await.expect(201).json["sequence"], 2);
    let kept =
        world.db_texts("select payload from outbox where type = 'webhook_endpoint.test' order by sequence").await;
    assert_eq!((kept.len(), kept[0].as_bytes()), (2, event.bytes.as_ref()));

    world.on(0).patch(&path(&endpoint), &json!({ "enabled": false })).await.expect(200);
    world.post(&test, "3", &json!({})).await.expect_problem(409, "webhook_endpoint_disabled");
    // What was answered stays answered.
    assert_eq!(world.post(&test, "1", &json!({})).await.expect(201).bytes, event.bytes);
    let unread = world.post(&test, "4", &json!({ "type": "payment.succeeded" })).await;
    assert_eq!(unread.expect_problem(422, "invalid_request").pointers(), ["/type"]);
}

/// The contract lists every type of event, with an example that a client can be written against.
#[tokio::test]
async fn the_contract_lists_every_type_of_event() {
    let world = World::builder().without_connectors().start().await;
    let document = world.on(0).without_token().get("/openapi.json").await.expect(200).json;
    let webhooks = document["webhooks"].as_object().unwrap();
    for kind in interlock::domain::event_types::CATALOGUE {
        let post = &webhooks[kind.name]["post"];
        assert_eq!(post["requestBody"]["content"]["application/json"]["example"]["type"], kind.name);
        assert!(post["summary"].is_string() && post["parameters"].is_array(), "{}", kind.name);
    }
    // The answer to a wish for a test is such an event.
    let answers = &document["paths"]["/v1/webhook_endpoints/{id}/test"]["post"]["responses"];
    assert_eq!(answers["201"]["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Event");
    assert_eq!(webhooks.len(), interlock::domain::event_types::CATALOGUE.len());
}
