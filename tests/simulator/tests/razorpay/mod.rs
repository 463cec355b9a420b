//! The face of Razorpay, as a client of its API sees it.

mod events;

use aws_lc_rs::hmac;
use axum::http::Method;
use base64::Engine as _;
use interlock_simulator::Settings;
use serde_json::{Value, json};

use crate::client::{GOOD_CARD, Reply, World, request};
use crate::receiver::{Receiver, Webhook};

const KEY: &str = "rzp_test_1";
const SECRET: &str = "key_secret_1";
const WEBHOOK_SECRET: &str = "webhook_secret_1";

/// A merchant of Razorpay's.
struct Merchant {
    world: World,
}

impl Merchant {
    async fn new() -> Self {
        Self { world: World::with(Settings { seed: Some(7), settle_ms: 20, ..Settings::default() }).await }
    }

    /// With somebody who gets the webhooks.
    async fn told() -> (Self, Receiver) {
        let merchant = Self::new().await;
        let receiver = Receiver::new(0).await;
        let target = json!({"url": receiver.url, "secret": WEBHOOK_SECRET, "face": "razorpay"});
        assert_eq!(merchant.world.post("/__webhooks", "", target).await.status, 200);
        (merchant, receiver)
    }

    async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{KEY}:{SECRET}"));
        let authorization = format!("Basic {token}");
        let headers = [&[("authorization", authorization.as_str())], headers].concat();
        request(self.world.authority(), method, &format!("/razorpay{path}"), &headers, body).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, &[], &body).await
    }

    async fn get(&self, path: &str) -> Value {
        let reply = self.call(Method::GET, path, &[], &Value::Null).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        reply.json()
    }

    /// The id of a new order of ₹10.
    async fn order(&self, receipt: &str, capture: &str) -> String {
        let reply = self.post("/v1/orders", order(receipt, capture)).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        id(&reply.json())
    }

    /// A payment under a new order.
    async fn pay(&self, receipt: &str, capture: &str, method: Value) -> Reply {
        let order = self.order(receipt, capture).await;
        self.post("/v1/payments/create/json", payment(&order, &method)).await
    }

    /// The id of a payment that was approved at once.
    async fn paid(&self, receipt: &str, capture: &str) -> String {
        let reply = self.pay(receipt, capture, card(GOOD_CARD)).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        reply.json()["razorpay_payment_id"].as_str().unwrap().to_owned()
    }

    async fn refund(&self, payment: &str, key: &str, body: Value) -> Reply {
        let path = format!("/v1/payments/{payment}/refund");
        self.call(Method::POST, &path, &[("x-refund-idempotency", key)], &body).await
    }

    /// Waits until a payment has this status.
    async fn until(&self, payment: &str, status: &str) -> Value {
        let charge = payment.replacen("pay_", "ch_", 1);
        for _ in 0..300 {
            let shown = self.get(&format!("/v1/payments/{payment}")).await;
            if shown["status"] == status {
                return shown;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{charge} never became {status}")
    }
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap().to_owned()
}

fn order(receipt: &str, capture: &str) -> Value {
    let mut options = json!({"manual_expiry_period": 7200, "refund_speed": "normal"});
    if capture == "automatic" {
        options["automatic_expiry_period"] = json!(30);
    }
    json!({"amount": 1000, "currency": "INR", "receipt": receipt, "payment": {"capture": capture, "capture_options": options}})
}

fn payment(order: &str, method: &Value) -> Value {
    let mut body = json!({
        "amount": 1000, "currency": "INR", "order_id": order, "email": "ada@example.com", "contact": "+919876543210",
        "ip": "192.0.2.1",
        "browser": {"java_enabled": false, "javascript_enabled": true}, "callback_url": "https://shop.test/back?order=7",
        "notes": {"interlock_operation": "op_1-2"},
    });
    body.as_object_mut().unwrap().extend(method.as_object().unwrap().clone());
    body
}

fn card(number: &str) -> Value {
    json!({"method": "card", "card": {"number": number, "name": "Ada", "expiry_month": "05", "expiry_year": "99", "cvv": "123"}})
}

fn upi(flow: &str, vpa: Option<&str>) -> Value {
    json!({"method": "upi", "upi": {"flow": flow, "vpa": vpa}})
}

fn reason(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"]["reason"].as_str().unwrap().to_owned())
}

/// Hexadecimal digits of the HMAC, by another way than the simulator's.
fn mac(secret: &str, parts: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), parts);
    tag.as_ref().iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// The name of the event, and what its payment or refund says of itself.
fn told(webhooks: &[Webhook]) -> Vec<(String, String)> {
    let one = |webhook: &Webhook| {
        let body = webhook.json();
        let main = body["contains"][0].as_str().unwrap();
        let status = body["payload"][main]["entity"]["status"].as_str().unwrap();
        (body["event"].as_str().unwrap().to_owned(), status.to_owned())
    };
    let mut told: Vec<_> = webhooks.iter().map(one).collect();
    told.sort();
    told
}

fn names(told: &[(&str, &str)]) -> Vec<(String, String)> {
    told.iter().map(|(event, status)| ((*event).to_owned(), (*status).to_owned())).collect()
}

/// The order waits; the payment under it is approved at once, and its answer is signed with the key's secret.
#[tokio::test]
async fn a_payment_without_a_challenge_is_captured_and_its_answer_signed() {
    let merchant = Merchant::new().await;
    let order = merchant.order("op_1", "automatic").await;
    let shown = merchant.get(&format!("/v1/orders/{order}")).await;
    assert_eq!((&shown["status"], &shown["attempts"], &shown["notes"]), (&json!("created"), &json!(0), &json!([])));
    let paid = merchant.post("/v1/payments/create/json", payment(&order, &card(GOOD_CARD))).await.json();
    let id = paid["razorpay_payment_id"].as_str().unwrap();
    assert_eq!(paid["razorpay_signature"], mac(SECRET, format!("{order}|{id}").as_bytes()));
    let payment = merchant.get(&format!("/v1/payments/{id}")).await;
    assert_eq!(
        (&payment["status"], &payment["captured"], &payment["order_id"]),
        (&json!("captured"), &json!(true), &json!(order))
    );
    assert_eq!(payment["card"]["last4"], "4242");
    assert_eq!(payment["notes"], json!({"interlock_operation": "op_1-2"}));
    let shown = merchant.get(&format!("/v1/orders/{order}")).await;
    assert_eq!((&shown["status"], &shown["amount_paid"]), (&json!("paid"), &json!(1000)));
    // The ledger has it under the receipt.
    assert_eq!(merchant.world.ledger().await["charges"][0]["reference"], "op_1");
}

/// Orders are found by their receipt, and by nobody else's key.
#[tokio::test]
async fn an_order_and_its_payments_are_found_by_the_receipt() {
    let merchant = Merchant::new().await;
    assert_eq!(
        merchant.get("/v1/orders?receipt=op_1&count=100").await,
        json!({"entity": "collection", "count": 0, "items": []})
    );
    let (first, second) = (merchant.order("op_1", "automatic").await, merchant.order("op_1", "automatic").await);
    merchant.order("op_10", "automatic").await;
    merchant.post("/v1/payments/create/json", payment(&first, &card(GOOD_CARD))).await;
    let found = merchant.get("/v1/orders?receipt=op_1&count=100").await;
    assert_eq!(found["count"], 2);
    assert_eq!((&found["items"][0]["id"], &found["items"][1]["id"]), (&json!(second), &json!(first)));
    assert_eq!((&found["items"][0]["attempts"], &found["items"][1]["attempts"]), (&json!(0), &json!(1)));
    assert_eq!(merchant.get(&format!("/v1/orders/{second}/payments")).await["count"], 0);
    assert_eq!(merchant.get(&format!("/v1/orders/{first}/payments")).await["items"][0]["status"], "captured");
    let again = merchant.post("/v1/payments/create/json", payment(&first, &card(GOOD_CARD))).await;
    assert_eq!(reason(&again), (400, "order_already_paid".to_owned()));

    let stranger = [("authorization", "Basic c29tZWJvZHk6ZWxzZQ==")];
    let path = format!("/razorpay/v1/orders/{first}");
    let hidden = request(merchant.world.authority(), Method::GET, &path, &stranger, &Value::Null).await.unwrap();
    assert_eq!(
        (hidden.status, &hidden.json()["error"]["description"]),
        (400, &json!("The id provided does not exist"))
    );
    let nobody = request(merchant.world.authority(), Method::GET, &path, &[], &Value::Null).await.unwrap();
    assert_eq!((nobody.status, &nobody.json()["error"]["description"]), (401, &json!("Authentication failed")));
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_in_razorpays_words() {
    let merchant = Merchant::new().await;
    let with = |changes: Value| {
        let mut body = order("op_1", "automatic");
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    for (body, field) in [
        (with(json!({"amount": 99})), "amount"),
        (with(json!({"amount": "1000"})), "amount"),
        (with(json!({"amount": 99_991, "currency": "KWD"})), "amount"),
        (with(json!({"currency": "inr"})), "currency"),
        (with(json!({"receipt": "x".repeat(41)})), "receipt"),
        (with(json!({"payment": {"capture": "automatic"}})), "automatic_expiry_period"),
        (
            with(json!({"payment": {"capture": "manual", "capture_options": {"manual_expiry_period": 7201}}})),
            "manual_expiry_period",
        ),
        (with(json!({"notes": {"long": "x".repeat(257)}})), "notes"),
    ] {
        let reply = merchant.post("/v1/orders", body.clone()).await;
        assert_eq!((reply.status, &reply.json()["error"]["field"]), (400, &json!(field)), "{body}");
        assert_eq!(reply.json()["error"]["code"], "BAD_REQUEST_ERROR");
    }
    let order = merchant.order("op_1", "automatic").await;
    let with = |changes: Value| {
        let mut body = payment(&order, &card(GOOD_CARD));
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    for (body, why) in [
        (with(json!({"amount": 1001})), "order_amount_mismatch"),
        (with(json!({"order_id": "order_x"})), "invalid_order_id"),
        (with(json!({"email": null})), "input_validation_failed"),
        (with(json!({"contact": ""})), "input_validation_failed"),
        (with(json!({"ip": null})), "input_validation_failed"),
        (with(json!({"browser": null})), "input_validation_failed"),
        (with(json!({"method": "netbanking"})), "input_validation_failed"),
        (with(json!({"method": "upi", "upi": {"flow": "collect"}})), "invalid_vpa"),
    ] {
        assert_eq!(
            reason(&merchant.post("/v1/payments/create/json", body.clone()).await),
            (400, why.to_owned()),
            "{body}"
        );
    }
    let nowhere = merchant.post("/v1/payments/create/upi", json!({})).await;
    assert_eq!(reason(&nowhere), (400, "NA".to_owned()));
    assert_eq!(merchant.get(&format!("/v1/orders/{order}")).await["attempts"], 0);
}

/// Declined at once: the payment is there, and has failed with the reason that the answer gives.
#[tokio::test]
async fn a_declined_payment_is_there_and_has_failed() {
    let merchant = Merchant::new().await;
    for (number, status, why) in [
        ("4000000000000002", 400, "card_declined"),
        ("4000000000009995", 400, "insufficient_funds"),
        ("4000000000000069", 400, "card_expired"),
        ("4242424242424241", 400, "card_number_invalid"),
        ("4000000000000259", 502, "gateway_technical_error"),
    ] {
        let reply = merchant.pay(number, "automatic", card(number)).await;
        assert_eq!(reason(&reply), (status, why.to_owned()), "{number}");
        let told = reply.json()["error"]["metadata"].clone();
        let payment = merchant.get(&format!("/v1/payments/{}", told["payment_id"].as_str().unwrap())).await;
        assert_eq!(
            (&payment["status"], &payment["error_reason"], &payment["order_id"]),
            (&json!("failed"), &json!(why), &told["order_id"])
        );
    }
    assert_eq!(merchant.world.ledger().await["totals"], json!({}));
}

/// Razorpay's own test cards lead to the bank's page, and fail there as their page of documentation says.
#[tokio::test]
async fn the_banks_page_approves_and_declines() {
    let merchant = Merchant::new().await;
    let reply = merchant.pay("op_1", "manual", card("4100280000001007")).await.json();
    let id = reply["razorpay_payment_id"].as_str().unwrap();
    let url = reply["next"][0]["url"].as_str().unwrap();
    let page = url.strip_prefix(merchant.world.simulator.url()).unwrap();
    assert_eq!(
        (reply["next"][0]["action"].as_str(), page),
        (Some("redirect"), format!("/razorpay/__pay/{id}").as_str())
    );
    assert_eq!(merchant.get(&format!("/v1/payments/{id}")).await["status"], "created");
    let shown = merchant.world.get(page).await;
    assert!(String::from_utf8_lossy(&shown.body).contains(&format!("{page}/approve")));
    let back = merchant.world.call(Method::POST, &format!("{page}/approve"), "", &Value::Null).await;
    let order = merchant.get(&format!("/v1/payments/{id}")).await["order_id"].as_str().unwrap().to_owned();
    let signature = mac(SECRET, format!("{order}|{id}").as_bytes());
    // The browser posts a form to the merchant.
    let form = String::from_utf8(back.body.to_vec()).unwrap();
    assert!(form.contains("<form method=post action=\"https://shop.test/back?order=7\">"), "{form}");
    for (name, value) in
        [("razorpay_payment_id", id), ("razorpay_order_id", order.as_str()), ("razorpay_signature", signature.as_str())]
    {
        assert!(form.contains(&format!("name=\"{name}\" value=\"{value}\"")), "{name}: {form}");
    }
    assert_eq!(merchant.get(&format!("/v1/payments/{id}")).await["status"], "authorized");
    let twice = merchant.world.call(Method::POST, &format!("{page}/decline"), "", &Value::Null).await;
    assert_eq!(twice.status, 400);

    let reply = merchant.pay("op_2", "automatic", card("4100280000080001")).await.json();
    let id = reply["razorpay_payment_id"].as_str().unwrap();
    let page = format!("/razorpay/__pay/{id}");
    let back = merchant.world.call(Method::POST, &format!("{page}/decline"), "", &Value::Null).await;
    assert!(String::from_utf8_lossy(&back.body).contains("name=\"error[reason]\" value=\"insufficient_funds\""));
    assert_eq!(merchant.get(&format!("/v1/payments/{id}")).await["error_reason"], "insufficient_funds");
}

/// UPI: a link or a code that an app opens, a request in an app, Razorpay's own addresses.
#[tokio::test]
async fn upi_waits_for_the_customers_app() {
    let merchant = Merchant::new().await;
    let intent = merchant.pay("op_1", "automatic", upi("intent", None)).await.json();
    let id = intent["razorpay_payment_id"].as_str().unwrap();
    assert_eq!((&intent["next"][0]["action"], &intent["next"][1]["action"]), (&json!("intent"), &json!("poll")));
    assert!(intent["next"][0]["url"].as_str().unwrap().starts_with("upi://pay?pa="));
    let app = format!("/razorpay/__pay/{id}/approve");
    assert_eq!(merchant.world.call(Method::POST, &app, "", &Value::Null).await.status, 200);
    assert_eq!(merchant.get(&format!("/v1/payments/{id}")).await["status"], "captured");

    for (vpa, status, why) in
        [("success@razorpay", "captured", Value::Null), ("failure@razorpay", "failed", json!("payment_failed"))]
    {
        let asked = merchant.pay(vpa, "automatic", upi("collect", Some(vpa))).await.json();
        assert_eq!(asked["next"][0]["action"], "poll");
        let ended = merchant.until(asked["razorpay_payment_id"].as_str().unwrap(), status).await;
        assert_eq!((&ended["error_reason"], &ended["vpa"]), (&why, &json!(vpa)));
    }
}

/// The wrong PIN, and the right one: one payment, which had failed in between.
#[tokio::test]
async fn a_upi_payment_may_be_tried_again_in_the_app() {
    let (merchant, receiver) = Merchant::told().await;
    let intent = merchant.pay("op_1", "automatic", upi("intent", None)).await.json();
    let id = intent["razorpay_payment_id"].as_str().unwrap();
    let press = async |button: &str| {
        let path = format!("/razorpay/__pay/{id}/{button}");
        merchant.world.call(Method::POST, &path, "", &Value::Null).await.status
    };
    assert_eq!(press("decline").await, 200);
    let failed = merchant.get(&format!("/v1/payments/{id}")).await;
    assert_eq!((&failed["status"], &failed["error_reason"]), (&json!("failed"), &json!("incorrect_pin")));
    assert_eq!(press("approve").await, 200);
    let paid = merchant.get(&format!("/v1/payments/{id}")).await;
    assert_eq!((&paid["status"], &paid["error_reason"]), (&json!("captured"), &Value::Null));
    assert_eq!(press("approve").await, 400);
    let expected = [
        ("order.paid", "captured"),
        ("payment.authorized", "authorized"),
        ("payment.captured", "captured"),
        ("payment.failed", "failed"),
    ];
    assert_eq!(told(&receiver.wait_for(4).await), names(&expected));
}

/// What is held counts as paid, and lists may leave out what nobody has decided.
#[tokio::test]
async fn an_order_has_one_payment_that_went_well() {
    let merchant = Merchant::new().await;
    let order = merchant.order("op_1", "manual").await;
    let tries = async |method: Value| merchant.post("/v1/payments/create/json", payment(&order, &method)).await;
    assert_eq!(tries(card("4000000000000002")).await.status, 400);
    let waiting = tries(upi("intent", None)).await;
    assert_eq!(waiting.status, 200);
    let listed = format!("/v1/orders/{order}/payments");
    assert_eq!(merchant.get(&listed).await["count"], 2);
    assert_eq!(merchant.world.call(Method::POST, "/razorpay/__lists/decided", "", &Value::Null).await.status, 200);
    let decided = merchant.get(&listed).await;
    assert_eq!((&decided["count"], &decided["items"][0]["status"]), (&json!(1), &json!("failed")));
    merchant.world.call(Method::POST, "/razorpay/__lists/all", "", &Value::Null).await;
    assert_eq!(tries(card(GOOD_CARD)).await.status, 200);
    assert_eq!(reason(&tries(card(GOOD_CARD)).await), (400, "order_already_paid".to_owned()));
    assert_eq!(merchant.get(&listed).await["items"][0]["status"], "authorized");
}

/// All of it, once. A second capture is refused, and so is a part.
#[tokio::test]
async fn a_payment_is_captured_in_whole_and_once() {
    let merchant = Merchant::new().await;
    let id = merchant.paid("op_1", "manual").await;
    let capture = async |body: Value| {
        let path = format!("/v1/payments/{id}/capture");
        merchant.call(Method::POST, &path, &[("x-request-id", "op_2")], &body).await
    };
    let part = capture(json!({"amount": 400, "currency": "INR"})).await;
    assert_eq!(part.json()["error"]["description"], "Capture amount must be equal to the amount authorized");
    let more = capture(json!({"amount": 1000, "currency": "INR", "receipt": "op_2"})).await;
    assert_eq!(more.json()["error"]["description"], "receipt is/are not required and should not be sent");
    let whole = capture(json!({"amount": 1000, "currency": "INR"})).await;
    assert_eq!((whole.status, &whole.json()["status"]), (200, &json!("captured")));
    let again = capture(json!({"amount": 1000, "currency": "INR"})).await;
    assert_eq!(
        (again.status, &again.json()["error"]["description"]),
        (400, &json!("This payment has already been captured"))
    );
    assert_eq!(merchant.world.ledger().await["totals"]["INR"], json!({"held": 0, "captured": 1000, "refunded": 0}));
}

/// A key repeats its answer, another body under it is refused, and a new key is a new refund.
#[tokio::test]
async fn a_refund_key_has_one_effect() {
    let merchant = Merchant::new().await;
    let id = merchant.paid("op_1", "automatic").await;
    let body = |amount: i64, receipt: &str| json!({"amount": amount, "receipt": receipt, "notes": {"interlock_operation": receipt}});
    let first = merchant.refund(&id, "op_refund_1", body(300, "op_refund_1")).await;
    assert_eq!(
        (first.status, &first.json()["status"], &first.json()["receipt"]),
        (200, &json!("processed"), &json!("op_refund_1"))
    );
    let again = merchant.refund(&id, "op_refund_1", body(300, "op_refund_1")).await;
    assert_eq!(again.body, first.body);
    let other = merchant.refund(&id, "op_refund_1", body(301, "op_refund_1")).await;
    assert_eq!(
        (other.status, &other.json()["error"]["description"]),
        (400, &json!("Different request with the same idempotency key has already been processed."))
    );
    assert_eq!(merchant.refund(&id, "short", body(1, "short")).await.status, 400);
    let too_much = merchant.refund(&id, "op_refund_2", body(701, "op_refund_2")).await;
    assert_eq!(too_much.json()["error"]["description"], "The refund amount provided is greater than amount captured");
    assert_eq!(merchant.refund(&id, "op_refund_2", body(700, "op_refund_2")).await.status, 200);
    let none_left = merchant.refund(&id, "op_refund_3", body(1, "op_refund_3")).await;
    assert_eq!(none_left.json()["error"]["description"], "The payment has been fully refunded already");

    let listed = merchant.get(&format!("/v1/payments/{id}/refunds?count=100&skip=0")).await;
    assert_eq!((&listed["count"], &listed["items"][1]), (&json!(2), &first.json()));
    assert_eq!(merchant.get(&format!("/v1/payments/{id}/refunds?count=1&skip=1")).await["items"][0], first.json());
    let refund = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(merchant.get(&format!("/v1/refunds/{refund}")).await, first.json());
    let payment = merchant.get(&format!("/v1/payments/{id}")).await;
    assert_eq!((&payment["status"], &payment["refund_status"]), (&json!("refunded"), &json!("full")));
}
