//! Nothing secret is kept in clear, logged or answered: card numbers, codes, API keys, gateway secrets.

use std::fmt::Write as _;

use base64::Engine as _;
use interlock_tests::harness::{World, bodies, merchant};
use serde_json::json;

/// A number, a code and a holder that stand nowhere else.
const NUMBER: &str = "4917610000000000";
const CODE: &str = "8642";
const HOLDER: &str = "Zebulon Quackenbush";

/// A text as it could stand somewhere: raw, in hex (bytes in a dump of Postgres), in base64 at each of three offsets.
fn disguises(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let mut hex = String::new();
    for byte in bytes {
        write!(hex, "{byte:02x}").unwrap();
    }
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
    let mut found = vec![secret.to_owned(), hex];
    for skipped in 0..3_usize {
        let from = (3 - skipped) % 3;
        let whole = bytes.len().saturating_sub(from) / 3 * 3;
        if whole >= 6 {
            found.push(encode(&bytes[from..from + whole]));
        }
    }
    if bytes.len() == 16 && bytes.iter().all(u8::is_ascii_digit) {
        let groups: Vec<_> = bytes.chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        found.extend([groups.join(" "), groups.join("-")]);
    }
    found
}

/// Searches the whole database and all logs.
pub async fn assert_nowhere(world: &World, secrets: &[(&str, &str)]) {
    let rows = world.db_dump().await;
    assert!(rows.len() > 10, "the dump shows nothing");
    let logs = world.logs();
    assert!(logs.iter().any(|(_, text)| !text.is_empty()), "nothing was logged");
    for (what, secret) in secrets {
        for disguise in disguises(secret) {
            for row in &rows {
                assert!(!row.text.contains(&disguise), "{what} stands in {} as {disguise}: {}", row.table, row.text);
            }
            for (path, text) in logs.iter().filter(|(path, _)| !path.ends_with("simulator.log")) {
                let line = text.lines().find(|line| line.contains(&disguise));
                assert!(
                    line.is_none(),
                    "{what} stands in {} as {disguise}: {}",
                    path.display(),
                    line.unwrap_or_default()
                );
            }
        }
    }
}

fn secrets(world: &World) -> Vec<(&'static str, String)> {
    vec![
        ("the card number", NUMBER.to_owned()),
        ("the holder", HOLDER.to_owned()),
        ("the merchant's key", world.merchant.key.clone()),
        ("the gateway's API key", merchant::GATEWAY_API_KEY.to_owned()),
        ("the webhook secret", merchant::GATEWAY_WEBHOOK_SECRET.to_owned()),
        ("the operator's token", "operator-token-of-the-tests-c0ffee".to_owned()),
        ("the master key", "dGVzdHMgc2hhcmUgdGhpcyBrZXksIG5vYm9keSBlbHM".to_owned()),
        ("the wallet's token", "eyJ3YWxsZXQiOiJzZWNyZXQtYmxvYiJ9".to_owned()),
        ("the gateway token", "pm_card_on_file_9876543210".to_owned()),
    ]
}

async fn assert_no_secret_anywhere(world: &World) {
    let secrets = secrets(world);
    let borrowed: Vec<_> = secrets.iter().map(|(what, secret)| (*what, secret.as_str())).collect();
    assert_nowhere(world, &borrowed).await;
}

fn card() -> serde_json::Value {
    json!({ "number": NUMBER, "expiry_month": 11, "expiry_year": bodies::YEAR, "cvc": "864", "holder": HOLDER })
}

/// Every way in which a secret comes into the house; afterwards it is looked for in every corner.
#[tokio::test]
async fn no_secret_is_kept_in_clear_or_logged() {
    let world = World::start().await;
    let base = json!({ "amount": 700, "currency": "EUR", "confirm": true, "return_url": "https://shop.example/" });
    let pay = async |method: serde_json::Value| {
        let body = bodies::with(base.clone(), &json!({ "payment_method": method }));
        let answer = world.post("/v1/payments", &world.fresh_key(), &body).await;
        assert!(answer.status < 300, "{}", answer.text());
        for (what, secret) in secrets(&world) {
            assert!(!answer.text().contains(&secret), "{what} is in an answer");
        }
    };
    pay(json!({ "type": "card", "card": card() })).await;
    let token = world.post("/v1/tokens", "t", &json!({ "card": card() })).await.expect(201);
    assert!(!token.text().contains(NUMBER) && !token.text().contains(HOLDER));
    pay(json!({ "type": "card", "token": token.id() })).await;
    pay(json!({ "type": "wallet", "wallet": { "provider": "google_pay", "token": "eyJ3YWxsZXQiOiJzZWNyZXQtYmxvYiJ9" } })).await;
    pay(json!({ "type": "gateway_token", "gateway_token": "pm_card_on_file_9876543210" })).await;
    world.post("/v1/tokens", "unused", &json!({ "card": card() })).await.expect(201);
    assert_no_secret_anywhere(&world).await;
}

/// A gateway that repeats the card, the code, the expiry and its own API key in its answer.
#[tokio::test]
async fn what_a_gateway_echoes_is_scrubbed() {
    let world = World::start().await;
    world.simulator.fail_next_posts(1, json!("echo_card")).await;
    let amex = json!({ "number": "378282246310005", "expiry_month": 11, "expiry_year": bodies::YEAR, "cvc": CODE, "holder": HOLDER });
    let body = json!({ "amount": 700, "currency": "EUR", "confirm": true, "payment_method": { "type": "card", "card": amex } });
    let answer = world.post("/v1/payments", "k", &body).await.expect(201);
    assert_eq!(answer.payment_status(), "succeeded");
    assert!(!answer.text().contains("378282246310005"));
    let replies =
        world.db_texts("select convert_from(body, 'UTF8') from exchange_replies where body is not null").await;
    assert_eq!(replies.len(), 1);
    assert!(!replies[0].contains(&format!("\"{CODE}\"")), "the code is in the kept reply: {}", replies[0]);
    assert_nowhere(
        &world,
        &[("the number", "378282246310005"), ("the API key", merchant::GATEWAY_API_KEY), ("the holder", HOLDER)],
    )
    .await;
}

/// The request as it was written down has holes where the secrets go, and is otherwise what was sent.
#[tokio::test]
async fn what_is_written_down_has_holes() {
    let world = World::start().await;
    world.post("/v1/payments", "k", &json!({ "amount": 700, "currency": "EUR", "confirm": true, "payment_method": { "type": "card", "card": card() } })).await.expect(201);
    let requests = world.db_texts("select request::text from exchanges").await;
    assert_eq!(requests.len(), 1);
    for hole in ["CardNumber", "CardCvc", "api_key"] {
        assert!(requests[0].contains(hole), "{hole} in {}", requests[0]);
    }
    assert_eq!(world.simulator.requests().await[0]["card_last4"], "0000");
}

/// A body that is refused may hold a card in the wrong place; the refusal does not repeat it, and neither does a log.
#[tokio::test]
async fn refusals_repeat_nothing() {
    let world = World::start().await;
    let strays = [
        json!({ "amount": NUMBER, "currency": NUMBER, "capture_method": NUMBER, "order": NUMBER, "return_url": NUMBER }),
        json!({ "amount": 1, "currency": "EUR", "payment_method": { "type": NUMBER } }),
        json!({ "amount": 1, "currency": "EUR", "payment_method": { "type": "card", "token": NUMBER } }),
        json!({ "amount": 1, "currency": "EUR", "customer": { "ip": NUMBER, "email": NUMBER } }),
    ];
    for body in strays {
        let refused =
            world.post("/v1/payments", &world.fresh_key(), &body).await.expect_problem(422, "invalid_request");
        assert!(!refused.text().contains(NUMBER), "{}", refused.text());
    }
    let malformed = format!("{{\"amount\":1,\"card\":{NUMBER}");
    let refused = world.on(0).post_bytes("/v1/payments", "m", malformed).await.expect_problem(400, "malformed_json");
    assert!(!refused.text().contains(NUMBER), "{}", refused.text());
    world.get(&format!("/v1/payments/{NUMBER}")).await.expect_problem(404, "not_found");
    world.pay(bodies::GOOD).await.expect(201);
    assert_nowhere(&world, &[("the card number", NUMBER)]).await;
}
