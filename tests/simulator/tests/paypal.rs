//! The face of PayPal, as its clients see it.

use axum::http::Method;
use interlock_simulator::Settings;
use serde_json::{Value, json};

use crate::client::{GOOD_CARD, Reply, World, request, send};
use crate::receiver::Receiver;

/// A merchant at PayPal: a token, and a number for the next request.
struct Shop {
    world: World,
    token: String,
}

/// A Basic header of `client:secret`.
const BASIC: &str = "Basic Y2xpZW50OnNlY3JldA==";
/// A card whose issuer wants to see its holder.
const CHALLENGED: &str = "4000000000003220";

impl Shop {
    async fn new() -> Self {
        Self::with(Settings { seed: Some(7), ..Settings::default() }).await
    }

    async fn with(settings: Settings) -> Self {
        let world = World::with(settings).await;
        let token = token(&world).await.json()["access_token"].as_str().unwrap().to_owned();
        Self { world, token }
    }

    async fn call(&self, method: Method, path: &str, id: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", &*bearer), ("paypal-request-id", id), ("prefer", "return=representation")];
        request(self.world.authority(), method, &format!("/paypal{path}"), &headers, body).await.unwrap()
    }

    async fn post(&self, path: &str, id: &str, body: Value) -> Reply {
        self.call(Method::POST, path, id, &body).await
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, "", &Value::Null).await.json()
    }

    /// Makes an order, which must work.
    async fn order(&self, id: &str, body: Value) -> Value {
        let reply = self.post("/v2/checkout/orders", id, body).await;
        assert!(matches!(reply.status, 200 | 201), "{}", reply.json());
        reply.json()
    }

    /// An order whose money is held: its authorization.
    async fn held(&self, id: &str) -> String {
        let order = self.order(id, by_card(id, "AUTHORIZE", GOOD_CARD)).await;
        text(&order, "/purchase_units/0/payments/authorizations/0/id")
    }

    /// Presses a button of the page that the order leads to; where the payer is sent then.
    async fn press(&self, order: &Value, button: &str) -> String {
        let links = order["links"].as_array().unwrap();
        let page = links.iter().find(|link| link["rel"] == "payer-action").unwrap()["href"].as_str().unwrap();
        let path = page.strip_prefix(self.world.simulator.url()).unwrap();
        let shown = send(self.world.authority(), Method::GET, path, &[], Vec::new().into()).await.unwrap();
        assert!(String::from_utf8_lossy(&shown.body).contains(&format!("action={path}/{button}")), "{shown:?}");
        let pressed = format!("{path}/{button}");
        let reply = send(self.world.authority(), Method::POST, &pressed, &[], Vec::new().into()).await.unwrap();
        assert_eq!(reply.status, 303);
        reply.headers["location"].to_str().unwrap().to_owned()
    }
}

async fn token(world: &World) -> Reply {
    let headers = [("authorization", BASIC), ("content-type", "application/x-www-form-urlencoded")];
    let body = "grant_type=client_credentials".into();
    send(world.authority(), Method::POST, "/paypal/v1/oauth2/token", &headers, body).await.unwrap()
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

fn issue(reply: &Reply) -> (u16, String) {
    (reply.status, text(&reply.json(), "/details/0/issue"))
}

fn euros(value: &str) -> Value {
    json!({"currency_code": "EUR", "value": value})
}

fn order(id: &str, intent: &str, source: &Value) -> Value {
    json!({"intent": intent, "payment_source": source,
           "purchase_units": [{"custom_id": id, "invoice_id": id, "amount": euros("10.00")}]})
}

fn by_card(id: &str, intent: &str, number: &str) -> Value {
    let card = json!({"number": number, "expiry": "2099-05", "security_code": "123", "name": "Jane Roe",
                      "attributes": {"verification": {"method": "SCA_WHEN_REQUIRED"}}, "experience_context": pages()});
    order(id, intent, &json!({ "card": card }))
}

fn by_wallet(id: &str, intent: &str) -> Value {
    order(id, intent, &json!({"paypal": {"experience_context": pages()}}))
}

/// Where payers come back to.
fn pages() -> Value {
    json!({"return_url": "https://shop.test/back?order=7", "cancel_url": "https://shop.test/cancelled"})
}

/// Without a token nothing; with one everything, until it is over or void.
#[tokio::test]
async fn tokens_are_given_and_end() {
    let mut shop = Shop::new().await;
    let given = token(&shop.world).await.json();
    assert_eq!((given["token_type"].as_str(), given["expires_in"].as_u64()), (Some("Bearer"), Some(32_400)));
    shop.order("op_1", by_wallet("op_1", "CAPTURE")).await;

    shop.world.post("/paypal/__tokens", "", json!({"revoke": true})).await;
    let refused = shop.post("/v2/checkout/orders", "op_2", by_wallet("op_2", "CAPTURE")).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("invalid_token")));

    shop.world.post("/paypal/__tokens", "", json!({"lifetime_s": 0})).await;
    let short = token(&shop.world).await.json();
    assert_eq!(short["expires_in"], 0);
    shop.token = text(&short, "/access_token");
    assert_eq!(shop.post("/v2/checkout/orders", "op_3", by_wallet("op_3", "CAPTURE")).await.status, 401);

    for (authorization, body) in
        [(BASIC, "grant_type=password"), ("Basic Og==", "grant_type=client_credentials"), ("", "")]
    {
        let headers = [("authorization", authorization)];
        let path = "/paypal/v1/oauth2/token";
        let reply = send(shop.world.authority(), Method::POST, path, &headers, body.into()).await.unwrap();
        assert!(matches!(reply.status, 400 | 401), "{authorization} {body}");
    }
}

#[tokio::test]
async fn a_card_is_captured_with_its_order() {
    let shop = Shop::new().await;
    let made = shop.post("/v2/checkout/orders", "op_1", by_card("op_1", "CAPTURE", GOOD_CARD)).await;
    assert_eq!(made.status, 201);
    let order = made.json();
    assert_eq!(order["status"], "COMPLETED");
    let capture = &order["purchase_units"][0]["payments"]["captures"][0];
    assert_eq!((&capture["status"], &capture["amount"]), (&json!("COMPLETED"), &euros("10.00")));
    assert_eq!((&capture["custom_id"], &capture["invoice_id"]), (&json!("op_1"), &json!("op_1")));
    assert_eq!(capture["processor_response"]["response_code"], "0000");
    assert_eq!(shop.get(&format!("/v2/checkout/orders/{}", text(&order, "/id"))).await, order);
    assert_eq!(shop.get(&format!("/v2/payments/captures/{}", text(capture, "/id"))).await, *capture);
    let ledger = shop.world.ledger().await;
    assert_eq!(
        (&ledger["charges"][0]["reference"], &ledger["totals"]["EUR"]["captured"]),
        (&json!("op_1"), &json!(1000))
    );
}

/// The mock's cards, and the names that PayPal's sandbox knows.
#[tokio::test]
async fn declines_have_the_processors_code() {
    let shop = Shop::new().await;
    let named = |name: &str| {
        let mut body = by_card(name, "CAPTURE", GOOD_CARD);
        body["payment_source"]["card"]["name"] = json!(name);
        body
    };
    for (id, body, code) in [
        ("a", by_card("a", "CAPTURE", "4000000000000002"), "0500"),
        ("b", by_card("b", "CAPTURE", "4000000000009995"), "5120"),
        ("c", by_card("c", "CAPTURE", "4000000000000069"), "5400"),
        ("d", named("CCREJECT-SF"), "9500"),
        ("e", named("CCREJECT-CVV_F"), "00N7"),
    ] {
        let order = shop.order(id, body).await;
        let capture = &order["purchase_units"][0]["payments"]["captures"][0];
        let told = (&order["status"], &capture["status"], &capture["processor_response"]["response_code"]);
        assert_eq!(told, (&json!("COMPLETED"), &json!("DECLINED"), &json!(code)), "{id}");
    }
    assert_eq!(shop.world.ledger().await["totals"], json!({}));
}

#[tokio::test]
async fn a_wallet_is_approved_and_then_captured() {
    let shop = Shop::new().await;
    let order = shop.order("op_1", by_wallet("op_1", "CAPTURE")).await;
    let path = format!("/v2/checkout/orders/{}", text(&order, "/id"));
    assert_eq!(order["status"], "PAYER_ACTION_REQUIRED");
    let early = shop.post(&format!("{path}/capture"), "op_2", json!({})).await;
    assert_eq!(issue(&early), (422, "ORDER_NOT_APPROVED".to_owned()));
    assert_eq!(
        shop.press(&order, "decline").await,
        format!("https://shop.test/cancelled?token={}", text(&order, "/id"))
    );
    assert_eq!(shop.get(&path).await["status"], "PAYER_ACTION_REQUIRED");
    let back = shop.press(&order, "approve").await;
    assert!(back.starts_with("https://shop.test/back?order=7&token="), "{back}");
    assert_eq!(shop.get(&path).await["status"], "APPROVED");
    assert_eq!(shop.world.ledger().await["charges"], json!([]), "nobody has asked for the money");

    assert_eq!(
        issue(&shop.post(&format!("{path}/authorize"), "op_3", json!({})).await).1,
        "ACTION_DOES_NOT_MATCH_INTENT"
    );
    let captured = shop.post(&format!("{path}/capture"), "op_2", json!({})).await;
    assert_eq!((captured.status, &captured.json()["status"]), (201, &json!("COMPLETED")));
    let again = shop.post(&format!("{path}/capture"), "op_2", json!({})).await;
    assert_eq!((again.status, again.json()), (200, captured.json()));
    let other = shop.post(&format!("{path}/capture"), "op_4", json!({})).await;
    assert_eq!(issue(&other), (422, "ORDER_ALREADY_CAPTURED".to_owned()));
    assert_eq!(shop.world.ledger().await["totals"]["EUR"]["captured"], 1000);
}

/// The payer chooses another instrument on the page that the refusal links.
#[tokio::test]
async fn a_wallet_whose_instrument_is_declined_goes_back_to_its_payer() {
    let shop = Shop::new().await;
    let order = shop.order("op_1", by_wallet("op_1", "CAPTURE")).await;
    let path = format!("/v2/checkout/orders/{}", text(&order, "/id"));
    shop.press(&order, "approve").await;
    let decline = json!({"match": {"path_prefix": "/paypal/v2", "method": "POST"}, "times": 1,
                         "fault": {"decline": {"code": "do_not_honor"}}});
    shop.world.faults(decline).await;
    let declined = shop.post(&format!("{path}/capture"), "op_2", json!({})).await;
    assert_eq!(issue(&declined), (422, "INSTRUMENT_DECLINED".to_owned()));
    assert_eq!(declined.json()["links"][0]["rel"], "redirect");
    let waiting = shop.get(&path).await;
    assert_eq!(waiting["status"], "PAYER_ACTION_REQUIRED");
    shop.press(&waiting, "approve").await;
    assert_eq!(shop.post(&format!("{path}/capture"), "op_3", json!({})).await.status, 201);
    assert_eq!(shop.world.ledger().await["totals"]["EUR"]["captured"], 1000);
}

#[tokio::test]
async fn a_challenged_card_is_authenticated_and_then_captured() {
    let shop = Shop::new().await;
    for (id, button, shift, status) in
        [("a", "approve", "POSSIBLE", "APPROVED"), ("b", "decline", "NO", "PAYER_ACTION_REQUIRED")]
    {
        let order = shop.order(id, by_card(id, "CAPTURE", CHALLENGED)).await;
        let path = format!("/v2/checkout/orders/{}", text(&order, "/id"));
        assert_eq!(order["status"], "PAYER_ACTION_REQUIRED");
        shop.press(&order, button).await;
        let seen = shop.get(&path).await;
        let result = &seen["payment_source"]["card"]["authentication_result"];
        assert_eq!((&seen["status"], &result["liability_shift"]), (&json!(status), &json!(shift)));
        let finished = shop.post(&format!("{path}/capture"), &format!("{id}-2"), json!({})).await;
        assert_eq!(finished.status, if id == "a" { 201 } else { 422 });
    }
    let mut unasked = by_card("c", "CAPTURE", CHALLENGED);
    unasked["payment_source"]["card"]["attributes"] = json!({});
    let order = shop.order("c", unasked).await;
    let capture = &order["purchase_units"][0]["payments"]["captures"][0];
    assert_eq!(capture["processor_response"]["response_code"], "5650", "{order}");
    assert_eq!(shop.world.ledger().await["totals"]["EUR"]["captured"], 1000);
}

#[tokio::test]
async fn held_money_is_taken_in_parts_and_no_further() {
    let shop = Shop::new().await;
    let id = shop.held("op_1").await;
    let path = format!("/v2/payments/authorizations/{id}");
    let part = |value: &str, invoice: &str, last: bool| json!({"amount": euros(value), "invoice_id": invoice, "final_capture": last});
    let first = shop.post(&format!("{path}/capture"), "op_2", part("3.00", "op_2", false)).await;
    assert_eq!(
        (first.status, &first.json()["invoice_id"], &first.json()["custom_id"]),
        (201, &json!("op_2"), &json!("op_1"))
    );
    assert_eq!(shop.get(&path).await["status"], "PARTIALLY_CAPTURED");
    for (key, body, word) in [
        ("op_3", part("7.01", "op_3", false), "MAX_CAPTURE_AMOUNT_EXCEEDED"),
        ("op_4", part("1.00", "op_2", false), "DUPLICATE_INVOICE_ID"),
        ("op_2", part("3.01", "op_2", false), "DUPLICATE_REQUEST_ID"),
    ] {
        assert_eq!(issue(&shop.post(&format!("{path}/capture"), key, body).await), (422, word.to_owned()));
    }
    shop.post(&format!("{path}/capture"), "op_5", part("2.00", "op_5", true)).await;
    assert_eq!(shop.get(&path).await["status"], "CAPTURED");
    let late = shop.post(&format!("{path}/capture"), "op_6", part("1.00", "op_6", true)).await;
    assert_eq!(issue(&late).1, "AUTHORIZATION_ALREADY_CAPTURED");
    assert_eq!(issue(&shop.post(&format!("{path}/void"), "op_7", json!({})).await).1, "PREVIOUSLY_CAPTURED");
    let totals = &shop.world.ledger().await["totals"]["EUR"];
    assert_eq!((&totals["held"], &totals["captured"]), (&json!(0), &json!(500)));
}

#[tokio::test]
async fn held_money_is_released_once() {
    let shop = Shop::new().await;
    let path = format!("/v2/payments/authorizations/{}", shop.held("op_1").await);
    let voided = shop.post(&format!("{path}/void"), "op_2", json!({})).await;
    assert_eq!((voided.status, &voided.json()["status"]), (200, &json!("VOIDED")));
    assert_eq!(issue(&shop.post(&format!("{path}/void"), "op_3", json!({})).await).1, "PREVIOUSLY_VOIDED");
    let late = shop.post(&format!("{path}/capture"), "op_4", json!({})).await;
    assert_eq!(issue(&late).1, "AUTHORIZATION_VOIDED");
    assert_eq!(shop.world.ledger().await["totals"]["EUR"]["held"], 0);
}

#[tokio::test]
async fn captures_are_given_back_in_parts_and_no_further() {
    let shop = Shop::new().await;
    let order = shop.order("op_1", by_card("op_1", "CAPTURE", GOOD_CARD)).await;
    let capture = text(&order, "/purchase_units/0/payments/captures/0/id");
    let path = format!("/v2/payments/captures/{capture}");
    let back = |value: &str, id: &str| json!({"amount": euros(value), "custom_id": id, "invoice_id": id});
    let refund = shop.post(&format!("{path}/refund"), "op_2", back("4.00", "op_2")).await;
    assert_eq!((refund.status, &refund.json()["status"]), (201, &json!("COMPLETED")));
    assert!(text(&refund.json(), "/links/1/href").ends_with(&path));
    assert_eq!(shop.get(&path).await["status"], "PARTIALLY_REFUNDED");
    let more = shop.post(&format!("{path}/refund"), "op_3", back("6.01", "op_3")).await;
    assert_eq!(issue(&more).1, "REFUND_AMOUNT_EXCEEDED");
    shop.post(&format!("{path}/refund"), "op_4", json!({"custom_id": "op_4"})).await;
    assert_eq!(shop.get(&path).await["status"], "REFUNDED");
    let over = shop.post(&format!("{path}/refund"), "op_5", back("0.01", "op_5")).await;
    assert_eq!(issue(&over).1, "CAPTURE_FULLY_REFUNDED");
    let seen = shop.get(&format!("/v2/checkout/orders/{}", text(&order, "/id"))).await;
    let refunds = seen["purchase_units"][0]["payments"]["refunds"].as_array().unwrap();
    assert_eq!(refunds.iter().map(|refund| text(refund, "/custom_id")).collect::<Vec<_>>(), ["op_2", "op_4"]);
    assert_eq!(shop.world.ledger().await["totals"]["EUR"]["refunded"], 1000);
}

/// Whether a real order shows the merchant's ids of its refunds, nobody could confirm.
#[tokio::test]
async fn without_lookup_an_order_hides_whose_its_refunds_are() {
    let shop = Shop::with(Settings { lookup: false, ..Settings::default() }).await;
    let order = shop.order("op_1", by_card("op_1", "CAPTURE", GOOD_CARD)).await;
    let path = format!("/v2/payments/captures/{}/refund", text(&order, "/purchase_units/0/payments/captures/0/id"));
    let refund = shop.post(&path, "op_2", json!({"custom_id": "op_2", "invoice_id": "op_2"})).await.json();
    assert_eq!(refund["custom_id"], "op_2");
    let seen = shop.get(&format!("/v2/checkout/orders/{}", text(&order, "/id"))).await;
    let listed = &seen["purchase_units"][0]["payments"]["refunds"][0];
    assert_eq!(
        (&listed["id"], &listed["custom_id"], &listed["invoice_id"]),
        (&refund["id"], &Value::Null, &Value::Null)
    );
}

/// The same request again gets what became of it by now, and does nothing.
#[tokio::test]
async fn a_repeated_request_gets_the_latest_state() {
    let shop = Shop::with(Settings { settle_ms: 10_000_000, ..Settings::default() }).await;
    let body = by_card("op_1", "CAPTURE", "4000000000000341");
    let first = shop.post("/v2/checkout/orders", "op_1", body.clone()).await;
    let status = |reply: &Reply| text(&reply.json(), "/purchase_units/0/payments/captures/0/status");
    assert_eq!((first.status, status(&first)), (201, "PENDING".to_owned()));
    shop.world.post("/__settle", "", json!({"reference": "op_1", "outcome": "approve"})).await;
    let again = shop.post("/v2/checkout/orders", "op_1", body).await;
    assert_eq!((again.status, status(&again)), (200, "COMPLETED".to_owned()));
    assert_eq!(shop.world.ledger().await["charges"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_paypal_does_not_take_is_refused_in_its_words() {
    let shop = Shop::new().await;
    let with = |pointer: &str, value: Value| {
        let mut body = by_wallet("op_1", "CAPTURE");
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let amount = "/purchase_units/0/amount";
    let of = |currency: &str, value: &str| json!({"currency_code": currency, "value": value});
    for (body, expected) in [
        (with("/intent", json!("SALE")), (400, "INVALID_PARAMETER_VALUE")),
        (with("/purchase_units", json!([])), (400, "INVALID_ARRAY_MIN_ITEMS")),
        (with("/purchase_units/0/custom_id", json!("x".repeat(128))), (400, "INVALID_STRING_LENGTH")),
        (with(amount, of("KWD", "1.000")), (422, "INVALID_CURRENCY_CODE")),
        (with(amount, of("HUF", "12.50")), (422, "DECIMALS_NOT_SUPPORTED")),
        (with(amount, of("EUR", "12.505")), (422, "DECIMAL_PRECISION")),
        (with(amount, of("EUR", "0.00")), (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        (with("/payment_source", json!({"card": {"expiry": "2099-05"}})), (422, "CARD_NUMBER_REQUIRED")),
        (json!("no object"), (400, "MALFORMED_REQUEST_JSON")),
    ] {
        let reply = shop.post("/v2/checkout/orders", "op_1", body.clone()).await;
        assert_eq!(issue(&reply), (expected.0, expected.1.to_owned()), "{body}");
    }
    let nameless = shop.post("/v2/checkout/orders", "", by_wallet("op_1", "CAPTURE")).await;
    assert_eq!(issue(&nameless), (400, "PAYPAL_REQUEST_ID_REQUIRED".to_owned()));
    for path in ["/v2/checkout/orders/NONE", "/v2/payments/captures/NONE", "/v1/nothing"] {
        let missing = shop.call(Method::GET, path, "", &Value::Null).await;
        assert_eq!(issue(&missing), (404, "INVALID_RESOURCE_ID".to_owned()), "{path}");
    }
    let forints = shop.order("op_2", with(amount, of("HUF", "1250"))).await;
    assert_eq!(forints["purchase_units"][0]["amount"], of("HUF", "1250"));
}

#[tokio::test]
async fn changes_are_told_with_paypals_headers() {
    let shop = Shop::with(Settings { settle_ms: 10_000_000, ..Settings::default() }).await;
    let receiver = Receiver::new(0).await;
    let target = json!({"url": receiver.url, "secret": "any", "face": "paypal", "api_key": "client"});
    shop.world.post("/__webhooks", "", target).await;
    let order = shop.order("op_1", by_wallet("op_1", "AUTHORIZE")).await;
    shop.press(&order, "approve").await;
    let path = format!("/v2/checkout/orders/{}/authorize", text(&order, "/id"));
    let held = shop.post(&path, "op_2", json!({})).await.json();
    let path = format!("/v2/payments/authorizations/{}", text(&held, "/purchase_units/0/payments/authorizations/0/id"));
    let capture = shop.post(&format!("{path}/capture"), "op_3", json!({"invoice_id": "op_3"})).await.json();
    let path = format!("/v2/payments/captures/{}/refund", text(&capture, "/id"));
    shop.post(&path, "op_4", json!({"amount": euros("1.00"), "custom_id": "op_4"})).await;
    let told = receiver.wait_for(4).await;
    let mut kinds: Vec<_> = told.iter().map(|webhook| text(&webhook.json(), "/event_type")).collect();
    kinds.sort();
    let expected = [
        "CHECKOUT.ORDER.APPROVED",
        "PAYMENT.AUTHORIZATION.CREATED",
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.CAPTURE.REFUNDED",
    ];
    assert_eq!(kinds, expected);
    for webhook in told {
        for header in ["id", "time", "sig"] {
            assert!(webhook.headers.contains_key(format!("paypal-transmission-{header}")), "{webhook:?}");
        }
        assert_eq!(webhook.headers["paypal-auth-algo"], "SHA256withRSA");
        assert!(text(&webhook.json(), "/id").starts_with("WH-"));
    }
}
