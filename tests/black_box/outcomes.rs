//! What becomes of a payment that the gateway accepts: each way of paying, each way of capturing.

use std::time::Duration;

use interlock_tests::harness::{World, bodies};
use serde_json::{Value, json};

/// The whole way: a card that approves is charged once, and the books of both sides say so.
#[tokio::test]
async fn a_good_card_is_charged_once() {
    let world = World::start().await;
    let answer = world.pay(bodies::GOOD).await.expect(201);
    assert_eq!(answer.payment_status(), "succeeded");
    assert_eq!(answer.json["amount_captured"], 1250);
    let charges = world.simulator.charges().await;
    assert_eq!(charges.len(), 1);
    assert_eq!((&charges[0]["captured"], &charges[0]["currency"]), (&json!(1250), &json!("EUR")));
    assert_eq!(charges[0]["id"], answer.json["gateway_reference"]);
    assert_eq!(world.states(&answer.id()).await, ["created", "processing", "succeeded"]);
}

/// A shop that first creates the payment and confirms it when the customer has entered the card.
#[tokio::test]
async fn a_payment_can_be_created_first_and_confirmed_later() {
    let world = World::start().await;
    let created = world.post("/v1/payments", "order-7", &bodies::unconfirmed()).await.expect(201);
    assert_eq!(created.payment_status(), "created");
    assert_eq!(world.simulator.charges().await.len(), 0);

    let path = format!("/v1/payments/{}/confirm", created.id());
    let confirmed =
        world.post(&path, "pay-7", &json!({ "payment_method": bodies::card(bodies::GOOD) })).await.expect(200);
    assert_eq!(confirmed.payment_status(), "succeeded");
    assert_eq!(confirmed.json["version"], 3);
    assert_eq!(world.payment(&created.id()).await, confirmed.json);
    assert_eq!(world.states(&created.id()).await, ["created", "processing", "succeeded"]);
}

/// The method comes with the payment, and the confirmation brings nothing.
#[tokio::test]
async fn a_payment_remembers_its_method_until_it_is_confirmed() {
    let world = World::start().await;
    let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "confirm": false }));
    let created = world.post("/v1/payments", "order-7", &body).await.expect(201);
    assert_eq!(created.json["payment_method"]["card"]["last4"], "4242");
    let path = format!("/v1/payments/{}/confirm", created.id());
    let confirmed = world.post(&path, "pay-7", &json!({})).await.expect(200);
    assert_eq!(confirmed.payment_status(), "succeeded");
}

/// The shop's page put the card into the vault; its server never sees the number.
#[tokio::test]
async fn a_token_pays() {
    let world = World::start().await;
    let token = world.post("/v1/tokens", "t", &json!({ "card": bodies::card_fields(bodies::GOOD) })).await.expect(201);
    let method = json!({ "type": "card", "token": token.id() });
    let body = json!({ "amount": 500, "currency": "USD", "confirm": true, "payment_method": method });
    let answer = world.post("/v1/payments", "p", &body).await.expect(201);
    assert_eq!(answer.payment_status(), "succeeded");
    assert_eq!(world.simulator.charges().await[0]["card_last4"], "4242");

    let again = world.post("/v1/payments", "q", &body).await.expect(201);
    assert_eq!(again.payment_status(), "succeeded", "without its code, which is gone, the card still pays");
}

/// Each method that is no card, and what the customer has to do about it.
#[tokio::test]
async fn other_methods_than_cards_pay_too() {
    let world = World::builder().simulator_argument("--settle-ms=100000").start().await;
    let wallet_token = json!({ "type": "wallet", "wallet": { "provider": "google_pay", "token": "eyJhbGciOiJ" } });
    let wallet_page = json!({ "type": "wallet", "wallet": { "provider": "paypal" } });
    let gateway_token = json!({ "type": "gateway_token", "gateway_token": "pm_1234" });
    let intent = json!({ "type": "upi", "upi": { "flow": "intent" } });
    let collect = json!({ "type": "upi", "upi": { "flow": "collect", "vpa": "success@mock" } });
    let cases = [
        (wallet_token, 201, "succeeded", Value::Null),
        (wallet_page, 201, "requires_action", json!("redirect")),
        (gateway_token, 201, "succeeded", Value::Null),
        (intent, 201, "requires_action", json!("open_app")),
        (collect, 202, "processing", Value::Null),
    ];
    for (method, status, state, action) in cases {
        let body = json!({
            "amount": 900, "currency": "INR", "confirm": true, "payment_method": method, "return_url": "https://shop.example/back"
        });
        let answer = world.post("/v1/payments", &world.fresh_key(), &body).await;
        let told = (answer.status, answer.payment_status(), &answer.json["next_action"]["type"]);
        assert_eq!(told, (status, state, &action), "{method}: {}", answer.text());
        assert_eq!(answer.json["payment_method"]["type"], method["type"]);
    }
}

/// The bank wants to see the customer: the shop is told where to send them.
#[tokio::test]
async fn a_challenged_card_sends_the_customer_elsewhere() {
    let world = World::start().await;
    let body = bodies::with(bodies::payment(bodies::CHALLENGED), &json!({ "return_url": "https://shop.example/back" }));
    let answer = world.post("/v1/payments", "p", &body).await.expect(201);
    assert_eq!(answer.payment_status(), "requires_action");
    let action = &answer.json["next_action"];
    assert_eq!(action["type"], "redirect");
    assert!(action["url"].as_str().unwrap().starts_with(&world.simulator.url), "{action}");
    assert_eq!(world.ledger().await["totals"], json!({}), "nothing is held before the customer has acted");

    let replay = world.post("/v1/payments", "p", &body).await.expect(201);
    assert!(replay.is_replay() && replay.bytes == answer.bytes, "the gateway has answered, so the answer is stored");
}

/// The gateway takes its time: the shop gets 202 and learns of the outcome by asking.
#[tokio::test]
async fn a_pending_payment_is_processing_until_the_gateway_decides() {
    let world = World::builder().simulator_argument("--settle-ms=100000").start().await;
    let answer = world.pay(bodies::PENDING).await.expect(202);
    assert_eq!(answer.payment_status(), "processing");
    assert_eq!(world.attempts(&answer.id()).await[0]["status"], "pending");

    let path = format!("/v1/payments/{}/confirm", answer.id());
    let again = world.post(&path, "again", &json!({})).await.expect(202);
    assert_eq!(again.payment_status(), "processing");
    assert_eq!(world.simulator.calls("POST").await, 1, "a confirm of what is under way asks nobody");
}

/// The shop takes the money when it ships.
#[tokio::test]
async fn with_manual_capture_the_money_is_held() {
    let world = World::start().await;
    let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "capture_method": "manual" }));
    let answer = world.post("/v1/payments", "p", &body).await.expect(201);
    assert_eq!(answer.payment_status(), "authorized");
    assert_eq!((&answer.json["amount_capturable"], &answer.json["amount_captured"]), (&json!(1250), &json!(0)));
    assert_eq!(world.ledger().await["totals"]["EUR"]["held"], 1250);
}

/// Yen have no minor unit and dinars have a thousand of them: the gateway gets the same number as we.
#[tokio::test]
async fn amounts_reach_the_gateway_as_they_are() {
    let world = World::start().await;
    for (amount, currency) in [(1, "JPY"), (999_999_999_999_i64, "EUR"), (1_234, "KWD"), (100, "INR")] {
        let body = bodies::with(bodies::payment(bodies::GOOD), &json!({ "amount": amount, "currency": currency }));
        let answer = world.post("/v1/payments", &world.fresh_key(), &body).await.expect(201);
        assert_eq!((&answer.json["amount"], &answer.json["currency"]), (&json!(amount), &json!(currency)));
    }
    let taken: Vec<_> = world.simulator.charges().await.iter().map(|charge| charge["captured"].clone()).collect();
    assert_eq!(taken, [json!(1), json!(999_999_999_999_i64), json!(1_234), json!(100)]);
}

/// What the merchant says of a payment comes back as it was sent, in every script.
#[tokio::test]
async fn a_payment_keeps_what_the_merchant_said() {
    let world = World::start().await;
    let said = json!({
        "description": "Zwei Bücher, 本 📚", "metadata": { "cart": "17", "note": "a\"b\\c\n", "empty": "" },
        "return_url": "https://shop.example/back?order=7",
        "customer": {
            "reference": "c-1", "name": "Ada Lovelace", "email": "ada@shop.example", "phone": "+44 20 7946 0000",
            "ip": "2001:db8::7", "user_agent": "Mozilla/5.0",
            "browser": {
                "accept": "*/*", "language": "en-GB", "color_depth": 24, "screen_height": 1080, "screen_width": 1920,
                "timezone_offset_minutes": -60, "java": false, "java_script": true
            }
        }
    });
    let answer = world.post("/v1/payments", "p", &bodies::with(bodies::payment(bodies::GOOD), &said)).await.expect(201);
    assert_eq!((&answer.json["description"], &answer.json["metadata"]), (&said["description"], &said["metadata"]));
    assert_eq!(world.payment(&answer.id()).await["metadata"], said["metadata"]);
}

/// Only accounts that may take a payment are asked; where none may, the merchant is told before anything happens.
#[tokio::test]
async fn a_payment_that_no_account_may_take_is_refused() {
    let world = World::builder().without_account().start().await;
    let answer = world.pay(bodies::GOOD).await;
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(world.db_count("select count(*) from payments").await, 0);
    assert_eq!(world.simulator.calls("POST").await, 0);
}

/// A gateway that is slow and still in time is simply waited for.
#[tokio::test]
async fn a_slow_gateway_is_waited_for() {
    let world = World::start().await;
    world.simulator.fail_next_posts(1, json!({ "delay": { "ms": 700 } })).await;
    let started = std::time::Instant::now();
    let answer = world.pay(bodies::GOOD).await.expect(201);
    assert_eq!(answer.payment_status(), "succeeded");
    assert!(started.elapsed() >= Duration::from_millis(700));
}
