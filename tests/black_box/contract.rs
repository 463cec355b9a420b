//! What is served is what the contract says: answers are held against the schemas in `/openapi.json`.

use http::Method;
use interlock_tests::harness::{Answer, World, bodies};
use serde_json::{Value, json};

/// Holds `value` against `schema`; each difference with its place. What the contract does not name must not be there.
fn differences(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointed = document.pointer(reference.trim_start_matches('#')).unwrap();
        return differences(document, pointed, value, place, found);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return differences(document, &all_of(document, parts), value, place, found);
    }
    for combined in ["oneOf", "anyOf"] {
        if let Some(options) = schema[combined].as_array() {
            let fits = options.iter().any(|option| {
                let mut inner = Vec::new();
                differences(document, option, value, place, &mut inner);
                inner.is_empty()
            });
            if !fits {
                found.push(format!("{place}: {value} is none of {combined}"));
            }
            return;
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.is_empty() && !kinds.contains(&kind) {
        return found.push(format!("{place}: is {kind}, and should be {}", kinds.join(" or ")));
    }
    match value {
        Value::Array(items) => {
            for item in items {
                differences(document, &schema["items"], item, &format!("{place}/*"), found);
            }
        }
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !members.contains_key(name) {
                    found.push(format!("{place}: lacks {name}"));
                }
            }
            for (name, member) in members {
                let inner = format!("{place}/{name}");
                match (schema["properties"].get(name), &schema["additionalProperties"]) {
                    (Some(property), _) => differences(document, property, member, &inner, found),
                    (None, Value::Object(_)) => {
                        differences(document, &schema["additionalProperties"], member, &inner, found);
                    }
                    // An object of which nothing is said may hold anything.
                    (None, _) if schema.get("properties").is_none() => {}
                    (None, _) => found.push(format!("{inner}: is not in the contract")),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The one object schema that several come to.
fn all_of(document: &Value, parts: &[Value]) -> Value {
    let mut whole = json!({ "type": "object", "required": [], "properties": {} });
    for part in parts {
        let pointed = part["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
        let part = pointed.unwrap_or(part);
        let required = part["required"].as_array().cloned().unwrap_or_default();
        whole["required"].as_array_mut().unwrap().extend(required);
        let properties = part["properties"].as_object().cloned().unwrap_or_default();
        whole["properties"].as_object_mut().unwrap().extend(properties);
    }
    whole
}

/// Panics unless `answer` is what the contract says that `method` of `path` answers.
fn assert_contract(document: &Value, method: &Method, path: &str, answer: &Answer) {
    let place = format!("{method} {path} {}", answer.status);
    let operation = &document["paths"][path][method.as_str().to_lowercase()];
    let responses = operation["responses"].as_object().unwrap_or_else(|| panic!("{place} is not in the contract"));
    let response = responses.get(&answer.status.to_string()).or_else(|| responses.get("default"));
    let response = response.unwrap_or_else(|| panic!("{place} is not in the contract"));
    let media_type = answer.header("content-type").unwrap_or_default();
    let schema = &response["content"][media_type]["schema"];
    assert!(schema.is_object(), "{place} has no schema for {media_type}: {response}");
    let mut found = Vec::new();
    differences(document, schema, &answer.json, "", &mut found);
    assert!(found.is_empty(), "{place}: {found:#?}\n{}", answer.text());
}

/// One answer of every kind, from both listeners.
#[tokio::test]
async fn answers_are_what_the_contract_says() {
    let world = World::start().await;
    let document = world.get("/openapi.json").await.expect(200).json;
    let (post, get) = (Method::POST, Method::GET);
    let check = |method: &Method, path: &str, answer: &Answer| assert_contract(&document, method, path, answer);

    let paid = world.pay(bodies::GOOD).await.expect(201);
    check(&post, "/v1/payments", &paid);
    for number in [bodies::DECLINES, bodies::CHALLENGED, bodies::PENDING] {
        check(&post, "/v1/payments", &world.pay(number).await);
    }
    check(&post, "/v1/payments", &world.on(0).post_bytes("/v1/payments", "bad", "{").await.expect(400));
    check(&post, "/v1/payments", &world.post("/v1/payments", "empty", &json!({})).await.expect(422));
    check(&get, "/v1/payments", &world.get("/v1/payments").await.expect(200));
    check(&get, "/v1/payments", &world.get("/v1/payments?limit=1").await.expect(200));
    let path = format!("/v1/payments/{}", paid.id());
    check(&get, "/v1/payments/{id}", &world.get(&path).await.expect(200));
    check(&get, "/v1/payments/{id}", &world.get("/v1/payments/x").await.expect(404));
    check(
        &post,
        "/v1/payments/{id}/confirm",
        &world.post(&format!("{path}/confirm"), "c", &json!({})).await.expect(200),
    );
    check(&get, "/v1/payments/{id}/attempts", &world.get(&format!("{path}/attempts")).await.expect(200));
    check(&get, "/v1/payments/{id}/events", &world.get(&format!("{path}/events")).await.expect(200));

    let card = json!({ "card": bodies::card_fields(bodies::GOOD) });
    let token = world.post("/v1/tokens", "t", &card).await.expect(201);
    check(&post, "/v1/tokens", &token);
    let deleted = world.on(0).delete(&format!("/v1/tokens/{}", token.id())).await.expect(200);
    check(&Method::DELETE, "/v1/tokens/{id}", &deleted);

    let order = json!({ "reference": "cart", "amount": 1250, "currency": "EUR" });
    let order = world.post("/v1/orders", "o", &order).await.expect(201);
    check(&post, "/v1/orders", &order);
    check(&get, "/v1/orders", &world.get("/v1/orders?reference=cart").await.expect(200));
    let path = format!("/v1/orders/{}", order.id());
    check(&get, "/v1/orders/{id}", &world.get(&path).await.expect(200));
    check(&get, "/v1/orders/{id}/payments", &world.get(&format!("{path}/payments")).await.expect(200));
    let cancelled = world.post(&format!("{path}/cancel"), "c", &json!({})).await.expect(200);
    check(&post, "/v1/orders/{id}/cancel", &cancelled);

    let account = format!("/v1/gateway_accounts/{}", world.merchant.account);
    check(&get, "/v1/gateway_accounts", &world.get("/v1/gateway_accounts").await.expect(200));
    check(&get, "/v1/gateway_accounts/{id}", &world.get(&account).await.expect(200));
    let rotated =
        world.on(0).patch(&account, &json!({ "settings": { "webhook_secret": "rotated" } })).await.expect(200);
    check(&Method::PATCH, "/v1/gateway_accounts/{id}", &rotated);
    let refused = world.on(0).patch(&account, &json!({ "settings": { "base_url": "http://x.example" } })).await;
    check(&Method::PATCH, "/v1/gateway_accounts/{id}", &refused.expect(409));
    check(&get, "/v1/connectors", &world.get("/v1/connectors").await.expect(200));

    let operator = world.operator();
    let merchant = operator.post_plain("/admin/merchants", &json!({ "name": "Other" })).await.expect(201);
    check(&post, "/admin/merchants", &merchant);
    check(&get, "/admin/merchants", &operator.get("/admin/merchants").await.expect(200));
    let keys = format!("/admin/merchants/{}/api_keys", merchant.id());
    let key = operator.post_plain(&keys, &json!({})).await.expect(201);
    check(&post, "/admin/merchants/{id}/api_keys", &key);
    check(&get, "/admin/merchants/{id}/api_keys", &operator.get(&keys).await.expect(200));
    let revoked = operator.delete(&format!("{keys}/{}", key.id())).await;
    check(&Method::DELETE, "/admin/merchants/{id}/api_keys/{key_id}", &revoked.expect(200));
    check(&get, "/admin/connectors", &operator.get("/admin/connectors").await.expect(200));
    check(&get, "/admin/connectors/{name}", &operator.get("/admin/connectors/mock").await.expect(200));
    let health = operator.get("/admin/connectors/mock/health").await.expect(200);
    check(&get, "/admin/connectors/{name}/health", &health);
    let log = operator.get("/admin/connectors/mock/log").await.expect(200);
    check(&get, "/admin/connectors/{name}/log", &log);
    let of_version =
        format!("/admin/connectors/mock/versions/{}", health.json["versions"][0]["version"].as_str().unwrap());
    let asked = operator.post_plain(&format!("{of_version}/shadow"), &json!({})).await.expect(202);
    check(&post, "/admin/connectors/{name}/versions/{version}/shadow", &asked);
    let shadow = operator.get(&format!("{of_version}/shadow")).await.expect(200);
    check(&get, "/admin/connectors/{name}/versions/{version}/shadow", &shadow);
    let activated = operator.post_plain(&format!("{of_version}/activate"), &json!({})).await.expect(200);
    check(&post, "/admin/connectors/{name}/versions/{version}/activate", &activated);
    let refused = operator.post_plain(&format!("{of_version}/retire"), &json!({})).await.expect(409);
    check(&post, "/admin/connectors/{name}/versions/{version}/retire", &refused);
    let refused = operator.post_plain("/admin/connectors/mock/rollback", &json!({})).await.expect(409);
    check(&post, "/admin/connectors/{name}/rollback", &refused);
    check(&get, "/admin/operations", &operator.get("/admin/operations").await.expect(200));
    check(&get, "/admin/reviews", &operator.get("/admin/reviews").await.expect(200));
    check(&get, "/admin/reviews/{id}", &operator.get("/admin/reviews/x").await.expect(404));
    check(&get, "/admin/audit_log", &operator.get("/admin/audit_log").await.expect(200));
    let resolve = operator.post_plain("/admin/payments/x/resolve", &json!({})).await;
    check(&post, "/admin/payments/{id}/resolve", &resolve.expect(404));
}

/// The longest answer there is: a review with the story of a payment that failed and then succeeded.
#[tokio::test]
async fn a_review_is_what_the_contract_says() {
    let world = World::start().await;
    let document = world.get("/openapi.json").await.expect(200).json;
    let declined = world.pay(bodies::DECLINES).await.expect(201);
    let confirm = format!("/v1/payments/{}/confirm", declined.id());
    let again = json!({ "payment_method": bodies::card(bodies::GOOD) });
    world.post(&confirm, "again", &again).await.expect(200);
    let opened = "insert into reviews (merchant_id, review_id, payment_id, reason, detail, opened_at)
                  select merchant_id, payment_id, payment_id, 'contradiction', '{}', now() from payments";
    assert_eq!(world.db_run(opened).await, 1);
    let operator = world.operator();
    let list = operator.get("/admin/reviews").await.expect(200);
    assert_contract(&document, &Method::GET, "/admin/reviews", &list);
    let review = list.json["data"][0]["id"].as_str().unwrap().to_owned();
    let story = operator.get(&format!("/admin/reviews/{review}")).await.expect(200);
    assert_contract(&document, &Method::GET, "/admin/reviews/{id}", &story);
    assert_eq!(story.json["story"]["operations"].as_array().map(Vec::len), Some(2));
    let close = operator.post_plain(&format!("/admin/reviews/{review}/close"), &json!({ "note": "Seen." })).await;
    assert_contract(&document, &Method::POST, "/admin/reviews/{id}/close", &close.expect(200));
    let log = operator.get("/admin/audit_log").await.expect(200);
    assert_contract(&document, &Method::GET, "/admin/audit_log", &log);
}

/// The same of routing rules and their preview.
#[tokio::test]
async fn answers_about_routing_are_what_the_contract_says() {
    let world = World::start().await;
    let document = world.get("/openapi.json").await.expect(200).json;
    let check = |method: &Method, path: &str, answer: &Answer| assert_contract(&document, method, path, answer);
    let (post, get) = (Method::POST, Method::GET);
    let accounts = json!([{ "account": world.merchant.account, "weight": 2 }]);
    let conditions = json!({ "amount": { "min": 1 }, "currencies": ["EUR"], "countries": ["DE"] });
    let body = json!({ "name": "r", "match": conditions, "gateway_accounts": accounts });
    let rule = world.post("/v1/routing_rules", "r", &body).await.expect(201);
    check(&post, "/v1/routing_rules", &rule);
    check(&post, "/v1/routing_rules", &world.post("/v1/routing_rules", "empty", &json!({})).await.expect(422));
    check(&get, "/v1/routing_rules", &world.get("/v1/routing_rules").await.expect(200));
    let path = format!("/v1/routing_rules/{}", rule.id());
    check(&get, "/v1/routing_rules/{id}", &world.get(&path).await.expect(200));
    for country in ["DE", "FR"] {
        let probe = json!({ "amount": 5, "currency": "EUR", "method": "card", "country": country });
        let shown = world.post("/v1/routing_rules/preview", country, &probe).await.expect(200);
        check(&post, "/v1/routing_rules/preview", &shown);
        let probe = bodies::with(probe, &json!({ "merchant": world.merchant.id }));
        let shown = world.operator().post_plain("/admin/routing/preview", &probe).await.expect(200);
        check(&post, "/admin/routing/preview", &shown);
    }
    let least = json!({ "match": {}, "gateway_accounts": [{ "account": world.merchant.account }] });
    let changed = world.on(0).patch(&path, &least).await.expect(200);
    check(&Method::PATCH, "/v1/routing_rules/{id}", &changed);
    check(&Method::DELETE, "/v1/routing_rules/{id}", &world.on(0).delete(&path).await.expect(200));
}

/// The check of the contract sees what is not in it.
#[test]
fn differences_are_seen() {
    let schema = json!({
        "type": "object", "required": ["id"],
        "properties": { "id": { "type": "string" }, "amount": { "type": ["integer", "null"] } }
    });
    let told = |value: Value| {
        let mut found = Vec::new();
        differences(&Value::Null, &schema, &value, "", &mut found);
        found
    };
    assert!(told(json!({ "id": "x", "amount": null })).is_empty());
    assert_eq!(told(json!({ "amount": "5", "more": 1 })).len(), 3);
    assert_eq!(told(json!([])).len(), 1);
    // Of two schemas that count together neither is forgotten.
    let both = json!({ "allOf": [schema, { "properties": { "more": { "type": "string" } } }] });
    let mut found = Vec::new();
    differences(&Value::Null, &both, &json!({ "more": 1, "less": 1 }), "", &mut found);
    assert_eq!(found.len(), 3, "{found:?}");
}
