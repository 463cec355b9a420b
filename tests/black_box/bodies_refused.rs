//! Bodies that are refused: each field with each fault, by its pointer. Nothing of them reaches database or gateway.

use interlock_tests::harness::{World, bodies};
use serde_json::{Map, Value, json};

/// A change to a good body, and the pointers that it must be told.
type Case = (Value, &'static [&'static str]);

/// Sends each case to `path`; all must be refused as told, and leave nothing behind.
async fn assert_refused(world: &World, path: &str, good: &Value, cases: Vec<Case>) {
    for (change, pointers) in cases {
        let answer = world.post(path, &world.fresh_key(), &bodies::with(good.clone(), &change)).await;
        assert_eq!(answer.status, 422, "{change}: {}", answer.text());
        let mut told = answer
            .clone()
            .expect_problem(422, "invalid_request")
            .pointers()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        told.sort();
        let mut wanted: Vec<_> = pointers.iter().map(ToString::to_string).collect();
        wanted.sort();
        assert_eq!(told, wanted, "{change}: {}", answer.text());
        for error in answer.json["errors"].as_array().unwrap() {
            assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{error}");
        }
    }
    assert_eq!(world.db_count("select count(*) from idempotency_keys where scope = 'POST /v1/payments'").await, 0);
    assert_eq!(world.simulator.calls("POST").await, 0);
}

#[tokio::test]
async fn amounts_that_are_none_are_refused() {
    let world = World::start().await;
    let mut cases: Vec<Case> = Vec::new();
    for amount in [
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(1_000_000_000_000_i64),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(12.5),
        json!(12.0),
        json!("1250"),
        json!(true),
        json!([1250]),
        json!({ "value": 1250 }),
        Value::Null,
    ] {
        cases.push((json!({ "amount": amount }), &["/amount"]));
    }
    for currency in [
        json!("eur"),
        json!("EURO"),
        json!("EU"),
        json!(""),
        json!("XXX"),
        json!("XTS"),
        json!("XAU"),
        json!("ZZZ"),
        json!("ÄÖÜ"),
        json!(978),
        json!(["EUR"]),
        Value::Null,
    ] {
        cases.push((json!({ "currency": currency }), &["/currency"]));
    }
    assert_refused(&world, "/v1/payments", &bodies::payment(bodies::GOOD), cases).await;
}

#[tokio::test]
async fn fields_of_the_wrong_kind_are_refused() {
    let world = World::start().await;
    let long = |count: usize| "x".repeat(count);
    let many: Map<String, Value> = (0..51).map(|number| (format!("n{number}"), json!("x"))).collect();
    let cases: Vec<Case> = vec![
        (json!({ "confirm": "true" }), &["/confirm"]),
        (json!({ "confirm": 1 }), &["/confirm"]),
        (json!({ "capture_method": "later" }), &["/capture_method"]),
        (json!({ "capture_method": true }), &["/capture_method"]),
        (json!({ "order": "ord_1" }), &["/order"]),
        (json!({ "order": 7 }), &["/order"]),
        (json!({ "gateway_account": "pay_00000000000000000000000000" }), &["/gateway_account"]),
        (json!({ "gateway_account": "gwa_00000000000000000000000000" }), &["/gateway_account"]),
        (json!({ "description": "" }), &["/description"]),
        (json!({ "description": long(1_001) }), &["/description"]),
        (json!({ "description": "a\u{0}b" }), &["/description"]),
        (json!({ "return_url": "shop.example/back" }), &["/return_url"]),
        (json!({ "return_url": "javascript:alert(1)" }), &["/return_url"]),
        (json!({ "return_url": "https://user:pass@shop.example" }), &["/return_url"]),
        (json!({ "return_url": format!("https://shop.example/{}", long(2_048)) }), &["/return_url"]),
        (json!({ "metadata": many }), &["/metadata"]),
        (json!({ "metadata": [] }), &["/metadata"]),
        (json!({ "metadata": { long(41): "x" } }), &["/metadata/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]),
        (json!({ "metadata": { "": "x" } }), &["/metadata/"]),
        (json!({ "metadata": { "note": long(501) } }), &["/metadata/note"]),
        (json!({ "metadata": { "note": 7 } }), &["/metadata/note"]),
        (json!({ "metadata": { "a/b~c": null } }), &["/metadata/a~1b~0c"]),
        (json!({ "customer": "Ada" }), &["/customer"]),
        (json!({ "customer": { "email": "ada" } }), &["/customer/email"]),
        (json!({ "customer": { "ip": "300.1.1.1" } }), &["/customer/ip"]),
        (json!({ "customer": { "name": long(201) } }), &["/customer/name"]),
        (
            json!({ "customer": { "browser": { "accept": "*/*" } } }),
            &[
                "/customer/browser/language",
                "/customer/browser/color_depth",
                "/customer/browser/screen_height",
                "/customer/browser/screen_width",
                "/customer/browser/timezone_offset_minutes",
            ],
        ),
        (json!({ "amount": 0, "currency": "x", "metadata": { "n": 1 } }), &["/amount", "/currency", "/metadata/n"]),
    ];
    assert_refused(&world, "/v1/payments", &bodies::payment(bodies::GOOD), cases).await;
}

#[tokio::test]
async fn methods_that_do_not_fit_together_are_refused() {
    let world = World::start().await;
    let good = json!({ "amount": 100, "currency": "EUR", "confirm": true });
    let upi = |fields: Value| json!({ "payment_method": { "type": "upi", "upi": fields } });
    let wallet = |fields: Value| json!({ "payment_method": { "type": "wallet", "wallet": fields } });
    let card = bodies::card_fields(bodies::GOOD);
    let cases: Vec<Case> = vec![
        (json!({}), &["/payment_method"]),
        (json!({ "payment_method": null }), &["/payment_method"]),
        (json!({ "payment_method": "card" }), &["/payment_method"]),
        (json!({ "payment_method": {} }), &["/payment_method/type"]),
        (json!({ "payment_method": { "type": "cash" } }), &["/payment_method/type"]),
        (json!({ "payment_method": { "type": "card" } }), &["/payment_method/card"]),
        (json!({ "payment_method": { "type": "card", "card": card, "token": "tok_1" } }), &["/payment_method/token"]),
        (json!({ "payment_method": { "type": "card", "token": "tok_1" } }), &["/payment_method/token"]),
        (
            json!({ "payment_method": { "type": "card", "token": "tok_00000000000000000000000000" } }),
            &["/payment_method/token"],
        ),
        (json!({ "payment_method": { "type": "card", "card": card, "upi": {} } }), &["/payment_method/upi"]),
        (json!({ "payment_method": { "type": "upi" } }), &["/payment_method/upi"]),
        (upi(json!({})), &["/payment_method/upi/flow"]),
        (upi(json!({ "flow": "collect" })), &["/payment_method/upi/vpa"]),
        (upi(json!({ "flow": "collect", "vpa": "nobody" })), &["/payment_method/upi/vpa"]),
        (upi(json!({ "flow": "intent", "vpa": "a@bank" })), &["/payment_method/upi/vpa"]),
        (wallet(json!({})), &["/payment_method/wallet/provider"]),
        (wallet(json!({ "provider": "Apple Pay" })), &["/payment_method/wallet/provider"]),
        (wallet(json!({ "provider": "google_pay", "token": "" })), &["/payment_method/wallet/token"]),
        (json!({ "payment_method": { "type": "gateway_token" } }), &["/payment_method/gateway_token"]),
        (
            json!({ "payment_method": { "type": "gateway_token", "gateway_token": 7 } }),
            &["/payment_method/gateway_token"],
        ),
    ];
    assert_refused(&world, "/v1/payments", &good, cases).await;
}

/// What is wrong with a card is told field by field, and never with the card in it.
#[tokio::test]
async fn cards_that_cannot_be_are_refused() {
    let world = World::start().await;
    let last_year = i64::from(chrono::Datelike::year(&chrono::Utc::now())) - 1;
    let faults: Vec<(Value, &'static [&'static str])> = vec![
        (json!({ "number": "4242424242424241" }), &["number"]),
        (json!({ "number": "424242424242" }), &["number"]),
        (json!({ "number": "42424242424242424242424242" }), &["number"]),
        (json!({ "number": "4242 4242 4242 424x" }), &["number"]),
        (json!({ "number": "" }), &["number"]),
        (json!({ "number": 4_242_424_242_424_242_i64 }), &["number"]),
        (json!({ "number": null }), &["number"]),
        (json!({ "expiry_month": 0 }), &["expiry_month"]),
        (json!({ "expiry_month": 13 }), &["expiry_month"]),
        (json!({ "expiry_month": "12" }), &["expiry_month"]),
        (json!({ "expiry_month": null }), &["expiry_month"]),
        (json!({ "expiry_year": last_year }), &["expiry_year"]),
        (json!({ "expiry_year": 40 }), &["expiry_year"]),
        (json!({ "expiry_year": 9_999 }), &["expiry_year"]),
        (json!({ "cvc": "12" }), &["cvc"]),
        (json!({ "cvc": "1234" }), &["cvc"]),
        (json!({ "cvc": "12a" }), &["cvc"]),
        (json!({ "cvc": 123 }), &["cvc"]),
        (json!({ "cvc": "" }), &["cvc"]),
        (json!({ "number": "378282246310005", "cvc": "123" }), &["cvc"]),
        (json!({ "holder": "x".repeat(101) }), &["holder"]),
        (json!({ "holder": 7 }), &["holder"]),
        (json!({ "number": "4242424242424241", "expiry_month": 13, "cvc": "x" }), &["number", "expiry_month", "cvc"]),
    ];
    for (path, good, prefix) in [
        ("/v1/payments", bodies::payment(bodies::GOOD), "/payment_method/card"),
        ("/v1/tokens", json!({ "card": bodies::card_fields(bodies::GOOD) }), "/card"),
    ] {
        for (change, fields) in &faults {
            let change = if path == "/v1/tokens" {
                json!({ "card": change })
            } else {
                json!({ "payment_method": { "card": change } })
            };
            let answer = world.post(path, &world.fresh_key(), &bodies::with(good.clone(), &change)).await;
            let answer = answer.expect_problem(422, "invalid_request");
            let wanted: Vec<_> = fields.iter().map(|field| format!("{prefix}/{field}")).collect();
            let mut told = answer.pointers();
            told.sort_unstable_by_key(|pointer| wanted.iter().position(|wanted| wanted == pointer));
            assert_eq!(told, wanted, "{change}: {}", answer.text());
            let text = answer.text();
            assert!(!text.contains("42424242") && !text.contains("37828224"), "{text}");
        }
    }
    assert_eq!(world.db_count("select count(*) from tokens").await, 0);
    assert_eq!(world.simulator.calls("POST").await, 0);
}

/// A misspelt field would silently take its default; it is refused instead, with the name that was meant.
#[tokio::test]
async fn unknown_fields_are_refused_with_the_nearest_name() {
    let world = World::start().await;
    let cases = [
        (json!({ "ammount": 5 }), "/ammount", Some("amount")),
        (json!({ "captureMethod": "manual" }), "/captureMethod", Some("capture_method")),
        (json!({ "payment_methods": {} }), "/payment_methods", Some("payment_method")),
        (json!({ "meta_data": {} }), "/meta_data", Some("metadata")),
        (json!({ "colour": "red" }), "/colour", None),
        (json!({ "payment_method": { "card": { "cvv": "123" } } }), "/payment_method/card/cvv", Some("cvc")),
        (
            json!({ "payment_method": { "card": { "exp_month": 5 } } }),
            "/payment_method/card/exp_month",
            Some("expiry_month"),
        ),
        (json!({ "customer": { "e-mail": "a@b.example" } }), "/customer/e-mail", Some("email")),
    ];
    for (change, pointer, meant) in cases {
        let body = bodies::with(bodies::payment(bodies::GOOD), &change);
        let answer = world.post("/v1/payments", &world.fresh_key(), &body).await.expect_problem(422, "invalid_request");
        assert_eq!(answer.pointers(), [pointer]);
        let detail = answer.json["errors"][0]["detail"].as_str().unwrap();
        match meant {
            Some(meant) => assert!(detail.contains(&format!("did you mean `{meant}`")), "{detail}"),
            None => assert!(detail.contains("known are: amount"), "{detail}"),
        }
    }
}

/// A confirmation has fields of its own.
#[tokio::test]
async fn confirmations_are_checked_as_strictly() {
    let world = World::start().await;
    let created = world.post("/v1/payments", "p", &bodies::unconfirmed()).await.expect(201);
    let path = format!("/v1/payments/{}/confirm", created.id());
    let many: Map<String, Value> = (0..101).map(|number| (format!("n{number}"), json!("x"))).collect();
    let cases: Vec<Case> = vec![
        (json!({ "amount": 5 }), &["/amount"]),
        (json!({ "payment_method": { "type": "cash" } }), &["/payment_method/type"]),
        (json!({ "return_url": "back" }), &["/return_url"]),
        (json!({ "gateway_account": "x" }), &["/gateway_account"]),
        (json!({ "order": "x" }), &["/order"]),
        (json!({ "parameters": [] }), &["/parameters"]),
        (json!({ "parameters": { "cres": 7 } }), &["/parameters/cres"]),
        (json!({ "parameters": many }), &["/parameters"]),
    ];
    for (body, pointers) in cases {
        let answer = world.post(&path, &world.fresh_key(), &body).await.expect_problem(422, "invalid_request");
        assert_eq!(answer.pointers(), pointers, "{body}");
    }
    assert_eq!(world.payment(&created.id()).await["version"], 1);
}
