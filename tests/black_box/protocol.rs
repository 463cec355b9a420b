//! HTTP itself: paths, methods, media types, sizes, headers, keys. What is refused has done nothing.

use bytes::Bytes;
use http::{HeaderValue, Method};
use http_body_util::StreamBody;
use hyper::body::Frame;
use interlock_tests::harness::{World, answer, bodies, plain};
use serde_json::json;

/// Text that is no JSON, or not the JSON it seems to be, is told with its place.
#[tokio::test]
async fn malformed_json_is_refused_with_its_place() {
    let world = World::start().await;
    let deep = format!("{{\"metadata\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let malformed: Vec<Vec<u8>> = [
        "{",
        "}",
        "nul",
        "{'amount':1}",
        "{\"amount\":01}",
        "{\"amount\":1,}",
        "{\"amount\":1} {}",
        "{\"amount\":1e999}",
        "{\"amount\":NaN}",
        "{\"amount\":1,\"amount\":2}",
        "{\"metadata\":{\"a\":\"1\",\"a\":\"2\"}}",
        "\u{feff}{}",
        "{\"description\":\"\\ud800\"}",
        " ",
        &deep,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([b"{\"description\":\"\xff\xfe\"}".to_vec(), vec![0], b"{\"a\":\"\n\"}".to_vec()])
    .collect();
    for body in malformed {
        let refused = world.on(0).post_bytes("/v1/payments", &world.fresh_key(), body).await;
        let refused = refused.expect_problem(400, "malformed_json");
        assert!(refused.json["detail"].as_str().is_some_and(|detail| detail.contains("line")), "{}", refused.text());
    }
    for body in ["[]", "7", "\"text\"", "null", "true"] {
        let refused = world.on(0).post_bytes("/v1/payments", &world.fresh_key(), body).await;
        assert_eq!(refused.expect_problem(422, "invalid_request").pointers(), [""], "{body}");
    }
    assert_eq!(world.db_count("select count(*) from payments").await, 0);
}

/// One byte above the limit, announced or not, is one too many.
#[tokio::test]
async fn bodies_above_the_limit_are_refused() {
    let world = World::start().await;
    let limit = 1 << 20;
    let padded = |size: usize| {
        let body = bodies::unconfirmed().to_string();
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    world.on(0).post_bytes("/v1/payments", "fits", padded(limit)).await.expect(201);
    world.on(0).post_bytes("/v1/payments", "large", padded(limit + 1)).await.expect_problem(413, "body_too_large");
    let chunk = || Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b' '; 1 << 15])));
    let chunks = futures_util::stream::iter((0..40).map(move |_| chunk()));
    let chunked = reqwest::Body::wrap(StreamBody::new(chunks));
    world.on(0).post_bytes("/v1/payments", "chunked", chunked).await.expect_problem(413, "body_too_large");
}

/// Only JSON is read, whatever its parameters say.
#[tokio::test]
async fn other_media_types_are_refused() {
    let world = World::start().await;
    let send = async |media_type: Option<&str>| {
        let request = world.on(0).request(Method::POST, "/v1/payments").header("idempotency-key", world.fresh_key());
        let request = request.body(bodies::unconfirmed().to_string());
        answer(match media_type {
            Some(media_type) => request.header("content-type", media_type),
            None => request,
        })
        .await
    };
    for refused in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")] {
        send(refused).await.expect_problem(415, "unsupported_media_type");
    }
    for accepted in ["application/json", "Application/JSON; charset=utf-8"] {
        send(Some(accepted)).await.expect(201);
    }
}

/// Paths that are not there, and methods that a path does not have.
#[tokio::test]
async fn unknown_paths_and_methods_are_told() {
    let world = World::start().await;
    for path in
        ["/", "/v1", "/v1/payment", "/v1/payments/", "/v2/payments", "/admin/merchants", "/metrics", "/%2e%2e/x"]
    {
        world.get(path).await.expect_problem(404, "not_found");
    }
    let operator = world.operator();
    for path in ["/v1/payments", "/admin", "/admin/merchant"] {
        operator.get(path).await.expect_problem(404, "not_found");
    }
    for (method, path, allowed) in [
        (Method::PUT, "/v1/payments", "GET,HEAD,POST"),
        (Method::DELETE, "/v1/payments", "GET,HEAD,POST"),
        (Method::GET, "/v1/tokens", "POST"),
        (Method::POST, "/v1/connectors", "GET,HEAD"),
    ] {
        let refused = answer(world.on(0).request(method, path)).await.expect_problem(405, "method_not_allowed");
        let mut told: Vec<_> = refused.header("allow").unwrap_or_default().split(',').map(str::trim).collect();
        told.sort_unstable();
        assert_eq!(told.join(","), allowed, "{path}");
    }
}

/// Who does not say who they are, or says it wrongly, learns nothing else.
#[tokio::test]
async fn a_merchant_needs_a_key() {
    let world = World::start().await;
    let operator_token = world.operator();
    let stranger = world.on(0).without_token();
    for path in ["/v1/payments", "/v1/connectors", "/v1/gateway_accounts"] {
        let refused = stranger.get(path).await.expect_problem(401, "unauthenticated");
        assert!(refused.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")));
    }
    let cut = &world.merchant.key[..world.merchant.key.len() - 1];
    let swapped = format!("{cut}{}", if world.merchant.key.ends_with('0') { '1' } else { '0' });
    for token in ["sk_", "x", cut, &swapped, "sk_live_0000000000000000000000000000"] {
        stranger.with_token(token).get("/v1/payments").await.expect_problem(401, "unauthenticated");
    }
    drop(operator_token);
    for scheme in ["Basic", "Token"] {
        let request = stranger.request(Method::GET, "/v1/payments");
        let request = request.header("authorization", format!("{scheme} {}", world.merchant.key));
        answer(request).await.expect_problem(401, "unauthenticated");
    }
    // A body is not even read.
    stranger.post("/v1/payments", "k", &bodies::payment(bodies::GOOD)).await.expect_problem(401, "unauthenticated");
    assert_eq!(world.simulator.calls("POST").await, 0);
}

/// Every POST needs its key: one header, 1 to 255 visible ASCII characters.
#[tokio::test]
async fn idempotency_keys_are_checked() {
    let world = World::start().await;
    let post = |keys: Vec<HeaderValue>| {
        let mut request = world.on(0).request(Method::POST, "/v1/payments").json(&bodies::unconfirmed());
        for key in keys {
            request = request.header("idempotency-key", key);
        }
        answer(request)
    };
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
    post(vec![]).await.expect_problem(400, "idempotency_key_missing");
    for refused in ["", "two words", "Schlüssel", "a\tb", &"x".repeat(256)] {
        post(vec![value(refused)]).await.expect_problem(400, "idempotency_key_invalid");
    }
    post(vec![value("one"), value("two")]).await.expect_problem(400, "idempotency_key_invalid");
    for accepted in ["x", "~!@#$%^&*()_+|", &"x".repeat(255), "order-7"] {
        post(vec![value(accepted)]).await.expect(201);
    }
    assert!(post(vec![value("order-7"), value("order-7")]).await.expect(201).is_replay());
    for path in ["/v1/tokens", "/v1/gateway_accounts", "/v1/payments/pay_00000000000000000000000000/confirm"] {
        let request = world.on(0).request(Method::POST, path).json(&json!({}));
        answer(request).await.expect_problem(400, "idempotency_key_missing");
    }
}

/// Every answer names its request, by the client's name for it where that is a sane one.
#[tokio::test]
async fn every_answer_carries_its_requests_id() {
    let world = World::start().await;
    let get = |path: &str, id: &[u8]| {
        let value = HeaderValue::from_bytes(id).unwrap();
        answer(world.on(0).request(Method::GET, path).header("request-id", value))
    };
    for path in ["/v1/payments", "/nowhere", "/openapi.json"] {
        assert_eq!(get(path, b"mine-7").await.header("request-id"), Some("mine-7"));
        for odd in [b"two words".as_slice(), "ä".as_bytes(), &[b'x'; 200], b"{}"] {
            let id = get(path, odd).await.header("request-id").unwrap().to_owned();
            assert!(id.starts_with("req_"), "{id}");
        }
    }
    let (one, two) = (world.get("/v1/payments").await, world.get("/v1/payments").await);
    assert_ne!(one.header("request-id"), two.header("request-id"));
    assert_eq!(world.operator().get("/livez").await.expect(200).header("request-id").map(|id| &id[..4]), Some("req_"));
}

/// The shape of a problem is part of the contract.
#[tokio::test]
async fn a_problem_looks_like_this() {
    let world = World::start().await;
    let body = bodies::with(bodies::unconfirmed(), &json!({ "amount": 0 }));
    let refused = world.post("/v1/payments", "k", &body).await.expect_problem(422, "invalid_request");
    insta::assert_json_snapshot!(plain(&refused.json), @r#"
    {
      "code": "invalid_request",
      "errors": [
        {
          "detail": "must be at least 1",
          "pointer": "/amount"
        }
      ],
      "request_id": "…",
      "status": 422,
      "title": "The request is not valid",
      "type": "/docs/errors#invalid_request"
    }
    "#);
}
