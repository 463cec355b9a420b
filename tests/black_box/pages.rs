//! What machines and people read: probes, metrics, the contract and its pages.

use std::collections::BTreeSet;

use interlock_tests::harness::{World, bodies, eventually};
use serde_json::{Value, json};

/// The probes are open, the rest of that listener is not.
#[tokio::test]
async fn probes_tell_how_a_host_is() {
    let world = World::start().await;
    let stranger = world.operator().without_token();
    stranger.get("/livez").await.expect(200);
    let ready = stranger.get("/readyz").await.expect(200);
    assert_eq!(ready.json, json!({ "ready": true, "draining": false, "database": true, "connectors": true }));
}

/// Postgres is gone: the host lives, says that it is not ready, answers 503 with when to come back, and heals itself.
#[tokio::test]
async fn without_its_database_a_host_is_alive_and_not_ready() {
    let mut world = World::builder().own_postgres().start().await;
    world.pay(bodies::GOOD).await.expect(201);
    world.stop_postgres().await;
    let operator = world.operator();
    operator.get("/livez").await.expect(200);
    assert_eq!(operator.get("/readyz").await.expect(503).json["database"], false);
    let refused = world.pay(bodies::GOOD).await.expect_problem(503, "unavailable");
    assert!(
        refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|seconds| seconds > 0))
    );
    let unread = world.get("/v1/payments").await.expect_problem(503, "unavailable");
    assert!(unread.header("retry-after").is_some());

    world.start_postgres().await;
    eventually("the host is ready again", async || {
        let ready = operator.get("/readyz").await;
        if ready.status == 200 { Ok(()) } else { Err(ready.text()) }
    })
    .await;
    eventually("payments go through again", async || {
        let answer = world.pay(bodies::GOOD).await;
        if answer.status == 201 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

/// Prometheus reads them; paths that clients make up and ids are no labels.
#[tokio::test]
async fn metrics_count_without_telling_names() {
    let world = World::start().await;
    let payment = world.pay(bodies::GOOD).await.expect(201);
    world.payment(&payment.id()).await;
    world.get("/v1/made-up-by-a-client").await.expect(404);
    let metrics = world.operator().without_token().get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    let text = metrics.text();
    assert!(text.contains("interlock_http_requests_total{"), "{text}");
    assert!(text.contains(r#"route="/v1/payments/{id}""#), "{text}");
    for named in [payment.id().as_str(), "made-up-by-a-client", &world.merchant.id, &world.merchant.key] {
        assert!(!text.contains(named), "{named}");
    }
}

/// The contract, generated from the code: valid as far as we can tell, and complete.
#[tokio::test]
async fn the_contract_is_served() {
    let world = World::start().await;
    let answer = world.on(0).without_token().get("/openapi.json").await.expect(200);
    let document = answer.json;
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let paths = document["paths"].as_object().unwrap();
    let mut operation_ids = BTreeSet::new();
    for (path, item) in paths {
        let parameters: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            let responses = operation["responses"].as_object().unwrap_or_else(|| panic!("{place}: no responses"));
            assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
            assert!(
                operation_ids.insert(operation["operationId"].to_string()),
                "{place}: its operationId is there twice"
            );
            let declared: BTreeSet<_> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            assert_eq!(declared, parameters, "{place}");
        }
    }
    for path in [
        "/v1/payments",
        "/v1/payments/{id}",
        "/v1/payments/{id}/confirm",
        "/v1/payments/{id}/attempts",
        "/v1/payments/{id}/events",
        "/v1/orders",
        "/v1/orders/{id}",
        "/v1/orders/{id}/payments",
        "/v1/orders/{id}/cancel",
        "/v1/tokens",
        "/v1/tokens/{id}",
        "/v1/gateway_accounts",
        "/v1/gateway_accounts/{id}",
        "/v1/connectors",
        "/admin/merchants",
        "/admin/merchants/{id}/api_keys",
        "/admin/connectors",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    assert_references_lead_somewhere(&document, &document);
}

fn assert_references_lead_somewhere(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            members.values().for_each(|member| assert_references_lead_somewhere(document, member));
        }
        Value::Array(items) => items.iter().for_each(|item| assert_references_lead_somewhere(document, item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A page that needs no other host: what it loads, this one serves, and its policy lets nothing else in.
#[tokio::test]
async fn the_page_needs_no_other_host() {
    let world = World::start().await;
    let stranger = world.on(0).without_token();
    let moved = stranger.get("/docs").await;
    let page = match moved.header("location") {
        Some(location) => {
            assert!((301..=308).contains(&moved.status), "{}", moved.status);
            assert!(location.starts_with('/'), "{location}");
            location.to_owned()
        }
        None => "/docs".to_owned(),
    };
    let html = stranger.get(&page).await.expect(200);
    let policy = html.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'"), "{policy}");
    let text = String::from_utf8(html.bytes.to_vec()).unwrap();
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for (at, _) in text.match_indices(attribute) {
            let target = text[at + attribute.len()..].split('"').next().unwrap();
            assert!(!target.contains("//"), "{target} is another host's");
            let path = if target.starts_with('/') {
                target.to_owned()
            } else {
                format!("/docs/{}", target.trim_start_matches("./"))
            };
            stranger.get(&path).await.expect(200);
            loaded += 1;
        }
    }
    assert!(loaded > 0, "the page loads nothing: {text}");
    let initializer = stranger.get("/docs/swagger-initializer.js").await.expect(200);
    let script = String::from_utf8(initializer.bytes.to_vec()).unwrap();
    assert!(script.contains("/openapi.json") && !script.contains("https://"), "{script}");
}

/// The `type` of every problem leads to a place on a page.
#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_explanation() {
    let world = World::start().await;
    let problem = world.get("/v1/payments/x").await.expect_problem(404, "not_found");
    let (page, anchor) = problem.json["type"].as_str().unwrap().split_once('#').unwrap();
    let page = world.on(0).without_token().get(page).await.expect(200);
    assert!(page.text().contains(&format!("id=\"{anchor}\"")));
}
