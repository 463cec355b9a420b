//! The face of Adyen, as its clients see it.

use aws_lc_rs::hmac;
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interlock_simulator::Settings;
use serde_json::{Value, json};

use crate::client::{self, Reply, World};
use crate::receiver::Receiver;

const API_KEY: &str = "AQE-test-key";
const SECRET: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

/// A simulator whose modifications are decided after a moment.
async fn world() -> World {
    World::with(Settings { seed: Some(7), settle_ms: 20, ..Settings::default() }).await
}

async fn post(world: &World, path: &str, key: &str, body: &Value) -> Reply {
    let headers = [("x-api-key", API_KEY), ("idempotency-key", key)];
    client::request(world.authority(), Method::POST, &format!("/adyen/v71{path}"), &headers, body).await.unwrap()
}

/// A payment of 12.50 EUR with this card, only held.
fn held(reference: &str, number: &str) -> Value {
    json!({
        "amount": { "value": 1_250, "currency": "EUR" }, "merchantAccount": "ShopECOM", "reference": reference,
        "returnUrl": "https://shop.test/back?order=7", "additionalData": { "manualCapture": "true" },
        "metadata": { "cart": "9" },
        "paymentMethod": { "type": "scheme", "number": number, "expiryMonth": "03", "expiryYear": "2099", "cvc": "737" },
    })
}

fn modification(reference: &str, value: i64) -> Value {
    json!({ "merchantAccount": "ShopECOM", "reference": reference, "amount": { "value": value, "currency": "EUR" } })
}

async fn listen(world: &World) -> Receiver {
    let receiver = Receiver::saying("[accepted]").await;
    let target = json!({ "url": receiver.url, "secret": SECRET, "face": "adyen" });
    assert_eq!(world.post("/__webhooks", "", target).await.status, 200);
    receiver
}

/// The only item of the notification that came as number `index`.
async fn item(receiver: &Receiver, count: usize) -> Value {
    let webhooks = receiver.wait_for(count).await;
    let notification = webhooks.last().unwrap().json();
    let items = notification["notificationItems"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    items[0]["NotificationRequestItem"].clone()
}

/// Adyen's own card approves, and the answer is Adyen's; a name on the card decides otherwise, and so do the cards that
/// every face knows.
#[tokio::test]
async fn cards_and_names_decide() {
    let world = world().await;
    let reply = post(&world, "/payments", "op_1", &held("op_1", "4111111111111111")).await;
    let payment = reply.json();
    assert_eq!((reply.status, &payment["resultCode"]), (200, &json!("Authorised")));
    assert_eq!(payment["amount"], json!({ "value": 1_250, "currency": "EUR" }));
    assert_eq!(payment["merchantReference"], "op_1");
    assert_eq!(reply.headers["idempotency-key"], "op_1");
    assert_eq!(payment["pspReference"].as_str().unwrap().len(), 16);

    let mut named = held("op_2", "4111111111111111");
    named["paymentMethod"]["holderName"] = json!("CARD_EXPIRED");
    let refused = post(&world, "/payments", "op_2", &named).await.json();
    assert_eq!((&refused["resultCode"], &refused["refusalReasonCode"]), (&json!("Refused"), &json!("6")));
    let mut wanted = held("op_3", "4111111111111111");
    wanted["additionalData"]["RequestedTestAcquirerResponseCode"] = json!("4");
    let error = post(&world, "/payments", "op_3", &wanted).await.json();
    assert_eq!((&error["resultCode"], &error["refusalReason"]), (&json!("Error"), &json!("Acquirer Error")));
    let poor = post(&world, "/payments", "op_4", &held("op_4", "4000000000009995")).await.json();
    assert_eq!((&poor["refusalReasonCode"], &poor["refusalReason"]), (&json!("12"), &json!("Not enough balance")));
    assert!(poor["additionalData"]["refusalReasonRaw"].as_str().unwrap().starts_with("51 : "), "{poor}");

    let ledger = world.ledger().await;
    let charge = &ledger["charges"][0];
    assert_eq!((&charge["reference"], &charge["held"]), (&json!("op_1"), &json!(1_250)));
}

/// Adyen counts some currencies in its own way; the books are kept by the standard.
#[tokio::test]
async fn amounts_are_adyens() {
    let world = world().await;
    for (reference, currency, value, minor) in [("op_1", "ISK", 125_000, 1_250), ("op_2", "IDR", 1_250, 125_000)] {
        let mut body = held(reference, "4111111111111111");
        body["amount"] = json!({ "value": value, "currency": currency });
        let payment = post(&world, "/payments", reference, &body).await.json();
        assert_eq!(payment["amount"]["value"], value, "{payment}");
        let ledger = world.ledger().await;
        let charges = ledger["charges"].as_array().unwrap();
        let charge = charges.iter().find(|charge| charge["reference"] == reference).unwrap();
        assert_eq!(charge["amount"], minor, "{charge}");
    }
}

/// What is wrong is told in Adyen's words, and nothing is done.
#[tokio::test]
async fn what_is_wrong_is_refused() {
    let world = world().await;
    let without = |member: &str| {
        let mut body = held("op_1", "4111111111111111");
        body.as_object_mut().unwrap().remove(member);
        body
    };
    for (body, status, code) in [
        (without("returnUrl"), 422, "14_030"),
        (without("reference"), 422, "130"),
        (without("merchantAccount"), 403, "901"),
        (held("op_1", "411"), 422, "101"),
        (json!("no object"), 400, "702"),
    ] {
        let reply = post(&world, "/payments", "", &body).await;
        assert_eq!((reply.status, &reply.json()["errorCode"]), (status, &json!(code)), "{body}");
    }
    let long = "x".repeat(65);
    assert_eq!(post(&world, "/payments", &long, &held("op_1", "4111111111111111")).await.status, 422);
    let nowhere = post(&world, "/payments/8815281505278237/captures", "op_2", &modification("op_2-capture", 100)).await;
    assert_eq!((nowhere.status, &nowhere.json()["errorCode"]), (422, &json!("167")));
    assert_eq!(world.ledger().await["charges"], json!([]));
}

/// The same key gets the same answer, and another request under it gets none.
#[tokio::test]
async fn a_key_is_its_first_requests() {
    let world = world().await;
    let first = post(&world, "/payments", "op_1", &held("op_1", "4111111111111111")).await;
    let again = post(&world, "/payments", "op_1", &held("op_1", "4111111111111111")).await;
    assert_eq!((again.status, again.body), (first.status, first.body));
    let other = post(&world, "/payments", "op_1", &held("op_9", "4111111111111111")).await;
    assert_eq!((other.status, &other.json()["errorCode"]), (422, &json!("704")));
    assert_eq!(world.ledger().await["charges"].as_array().unwrap().len(), 1);
}

/// Captures, refunds and cancels are received, and told later: signed, under the caller's own references, and when they
/// cannot be done, too.
#[tokio::test]
async fn modifications_are_received_and_told() {
    let world = world().await;
    let receiver = listen(&world).await;
    let psp = |payment: &Value| payment["pspReference"].as_str().unwrap().to_owned();
    let payment = psp(&post(&world, "/payments", "op_1", &held("op_1", "4111111111111111")).await.json());
    let authorised = item(&receiver, 1).await;
    assert_eq!((&authorised["eventCode"], &authorised["success"]), (&json!("AUTHORISATION"), &json!("true")));
    assert_eq!(authorised["additionalData"]["metadata.cart"], "9");
    check(&authorised);

    let path = format!("/payments/{payment}/captures");
    let reply = post(&world, &path, "op_2", &modification("op_2-part", 300)).await;
    let received = reply.json();
    assert_eq!((reply.status, &received["status"]), (201, &json!("received")));
    assert_eq!((&received["paymentPspReference"], &received["reference"]), (&json!(payment), &json!("op_2-part")));
    let captured = item(&receiver, 2).await;
    assert_eq!((&captured["eventCode"], &captured["success"]), (&json!("CAPTURE"), &json!("true")));
    assert_eq!(
        (&captured["originalReference"], &captured["merchantReference"]),
        (&json!(payment), &json!("op_2-part"))
    );
    assert_eq!((&captured["pspReference"], &captured["amount"]["value"]), (&received["pspReference"], &json!(300)));
    check(&captured);

    post(&world, &path, "op_3", &modification("op_3-capture", 951)).await;
    let too_much = item(&receiver, 3).await;
    assert_eq!((&too_much["eventCode"], &too_much["success"]), (&json!("CAPTURE"), &json!("false")));
    assert_eq!(too_much["reason"], "Insufficient balance on payment");

    post(&world, &format!("/payments/{payment}/refunds"), "op_4", &modification("op_4-refund", 100)).await;
    assert_eq!(item(&receiver, 4).await["eventCode"], "REFUND");
    let cancel = json!({ "merchantAccount": "ShopECOM", "reference": "op_5-cancel", "paymentReference": "op_1" });
    assert_eq!(post(&world, "/cancels", "op_5", &cancel).await.json()["paymentReference"], "op_1");
    let cancelled = item(&receiver, 5).await;
    assert_eq!((&cancelled["eventCode"], &cancelled["success"]), (&json!("TECHNICAL_CANCEL"), &json!("true")));
    assert_eq!((&cancelled["merchantReference"], &cancelled["amount"]["value"]), (&json!("op_1"), &json!(950)));

    let charge = &world.ledger().await["charges"][0];
    let sums = ["held", "captured", "refunded"].map(|name| charge[name].as_i64().unwrap());
    assert_eq!(sums, [0, 300, 100]);
}

/// Whether the item is signed as Adyen signs.
fn check(item: &Value) {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let signed = [
        text("pspReference"),
        text("originalReference"),
        text("merchantAccountCode"),
        text("merchantReference"),
        item["amount"]["value"].to_string(),
        item["amount"]["currency"].as_str().unwrap().to_owned(),
        text("eventCode"),
        text("success"),
    ]
    .join(":");
    let digit = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let key: Vec<u8> = SECRET.as_bytes().chunks(2).map(digit).collect();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
    assert_eq!(item["additionalData"]["hmacSignature"], json!(STANDARD.encode(mac)), "{item}");
}

/// The bank's page asks, the browser brings the result back, and the payment is decided once the merchant hands it in.
#[tokio::test]
async fn the_customer_decides_on_a_page() {
    let world = world().await;
    for (reference, button, result) in [("op_1", "approve", "Authorised"), ("op_2", "decline", "Refused")] {
        let reply = post(&world, "/payments", reference, &held(reference, "4212345678901237")).await.json();
        assert_eq!(reply["resultCode"], "RedirectShopper");
        let page = reply["action"]["url"].as_str().unwrap().strip_prefix(world.simulator.url()).unwrap().to_owned();
        assert!(world.get(&page).await.body.starts_with(b"<!doctype html>"));
        let back = world.post(&format!("{page}/{button}"), "", Value::Null).await;
        let location = back.headers["location"].to_str().unwrap();
        let query = location.strip_prefix("https://shop.test/back?order=7&redirectResult=").unwrap();
        let brought: std::collections::HashMap<String, String> =
            serde_urlencoded::from_str(&format!("r={query}")).unwrap();
        // Nothing has happened yet.
        let open = world.ledger().await["charges"].as_array().unwrap().iter().any(|c| c["status"] == "requires_action");
        assert!(open);
        let details = json!({ "details": { "redirectResult": brought["r"] } });
        let decided = post(&world, "/payments/details", &format!("{reference}-d"), &details).await.json();
        assert_eq!((&decided["resultCode"], &decided["merchantReference"]), (&json!(result), &json!(reference)));
    }
    let made_up = json!({ "details": { "redirectResult": "made up" } });
    assert_eq!(post(&world, "/payments/details", "op_9", &made_up).await.status, 422);
}

/// What is not answered with `[accepted]` was not taken.
#[tokio::test]
async fn a_webhook_must_be_accepted_in_words() {
    let world = world().await;
    let receiver = Receiver::saying("thanks").await;
    let target = json!({ "url": receiver.url, "secret": SECRET, "face": "adyen" });
    assert_eq!(world.post("/__webhooks", "", target).await.status, 200);
    post(&world, "/payments", "op_1", &held("op_1", "4111111111111111")).await;
    for _ in 0..300 {
        if receiver.webhooks().len() > 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was not told again");
}
