//! docs/receiving-webhooks.md does what it says: its three programs take what is genuine, once, and nothing else.

use std::{fs, path::Path, time::UNIX_EPOCH};

use http::HeaderMap;
use interlock_tests::harness::{World, bodies, eventually, receiver::signature_headers};
use serde_json::{Value, json};

use super::{
    delivery_kit::all_settled,
    receiving_kit::{Language, Program, in_document},
};

/// Of nobody's endpoint.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// What is compiled is what the document shows.
#[test]
fn the_rust_program_is_that_of_the_document() {
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers/receiver.rs");
    assert_eq!(in_document(Language::Rust), fs::read_to_string(compiled).unwrap());
}

#[tokio::test]
async fn the_rust_program_takes_what_is_genuine_and_nothing_else() {
    tells_genuine_from_forged(Language::Rust).await;
}

#[tokio::test]
async fn the_python_program_takes_what_is_genuine_and_nothing_else() {
    tells_genuine_from_forged(Language::Python).await;
}

#[tokio::test]
async fn the_javascript_program_takes_what_is_genuine_and_nothing_else() {
    tells_genuine_from_forged(Language::JavaScript).await;
}

#[tokio::test]
async fn the_rust_program_hears_of_real_payments() {
    hears_of_real_payments(Language::Rust).await;
}

#[tokio::test]
async fn the_python_program_hears_of_real_payments() {
    hears_of_real_payments(Language::Python).await;
}

#[tokio::test]
async fn the_javascript_program_hears_of_real_payments() {
    hears_of_real_payments(Language::JavaScript).await;
}

/// The how-to from its beginning to its end: an endpoint, a test event, payments, an event once more, another secret. The
/// host delivers, the program takes all of it.
async fn hears_of_real_payments(language: Language) {
    let world = World::start().await;
    let merchant = world.on(0);
    // The program needs the secret, the endpoint the program's port.
    let nowhere = "http://127.0.0.1:9/webhooks";
    let endpoint = merchant.make_endpoint(nowhere, &json!({ "enabled": false })).await;
    let program = Program::start(language, &endpoint.secret).await;
    merchant.change_endpoint(&endpoint, &json!({ "url": program.url, "enabled": true })).await;

    let test = merchant.test_endpoint(&endpoint, "test").await;
    program.says(&format!("new {} webhook_endpoint.test {} ", test["id"].as_str().unwrap(), endpoint.id)).await;
    let paid = world.pay(bodies::GOOD).await.expect(201).id();
    let refund = world.step(&paid, "refunds", &json!({ "amount": 250 })).await.expect(201).id();
    let mut first = String::new();
    for object in [&paid, &refund] {
        for (kind, sequence) in world.events_of(object).await.iter().zip(1..) {
            first = program.says_one(&format!(" {kind} {object} {sequence}")).await;
        }
    }
    let event = first.split(' ').nth(1).expect("`new` and an id").to_owned();
    // What is being delivered is not sent a second time: first it must be written down that it was taken.
    all_settled(&world).await;
    merchant.redeliver_event(&event, "again", &json!({})).await.expect(202);
    program.says(&format!("again {event}")).await;

    // The program still has the old secret, and nothing is refused.
    merchant.rotate_secret(&endpoint, "rotate", &json!({})).await;
    let paid = world.pay(bodies::GOOD).await.expect(201).id();
    program.says_one(&format!(" payment.succeeded {paid} 3")).await;
    assert_eq!(program.said("refused"), Vec::<String>::new());
    let log = eventually("all is in the log", async || {
        let log = merchant.delivery_log(&endpoint, "?limit=100").await;
        // Every one of its events, and the repeat.
        let all = program.said("new ").len() + 1;
        if log.len() >= all { Ok(log) } else { Err(format!("{} of {all}", log.len())) }
    })
    .await;
    for delivery in log {
        assert_eq!((&delivery["outcome"], &delivery["status"]), (&json!("delivered"), &json!(204)), "{delivery}");
    }
}

/// Every way in which a request may be wrong is tried on the program, and none leaves a trace in what it keeps.
async fn tells_genuine_from_forged(language: Language) {
    let program = Program::start(language, SECRET).await;
    let sender = Sender { url: program.url.clone(), http: reqwest::Client::builder().no_proxy().build().unwrap() };

    // Late, repeated and missing: all genuine, and noticed.
    for (id, sequence) in [("evt_1", 1), ("evt_3", 3), ("evt_3", 3), ("evt_2", 2)] {
        let body = event(id, sequence);
        assert_eq!(sender.send(genuine(id, &body), body).await, 204, "{language:?} refuses {id}");
    }
    // As while the secret is changed: one of two signatures is under the secret that it knows.
    let body = event("evt_4", 4);
    let (ours, others) = (genuine("evt_4", &body), signature_headers(OTHER_SECRET, "evt_4", now(), body.as_bytes()));
    let mut both = ours.clone();
    let signatures = [&others, &ours].map(|headers| headers["webhook-signature"].to_str().unwrap()).join(" ");
    both.insert("webhook-signature", signatures.parse().unwrap());
    assert_eq!(sender.send(both, body).await, 204, "{language:?} refuses two signatures");

    for (what, headers, body) in forgeries() {
        assert_eq!(sender.send(headers, body).await, 401, "{language:?}: {what}");
    }
    // What came last is there: so is all before it.
    program.says("new evt_4").await;
    assert_eq!(
        program.said("new "),
        [(1, 1), (3, 3), (2, 2), (4, 4)].map(|(id, sequence)| format!("evt_{id} payment.created pay_1 {sequence}"))
    );
    assert_eq!(program.said("again "), ["evt_3"]);
    assert_eq!(program.said("gap "), ["pay_1 from 1 to 3"]);
    assert_eq!(program.said("late "), ["evt_2"]);
    assert_eq!(program.said("refused").len(), forgeries().len(), "{:?}", program.lines());
}

/// What somebody could send who does not know the secret.
fn forgeries() -> Vec<(&'static str, HeaderMap, Vec<u8>)> {
    let body = event("evt_9", 9);
    let bytes = body.clone().into_bytes();
    let without = |name: &str| {
        let mut headers = genuine("evt_9", &body);
        headers.remove(name);
        headers
    };
    let with_signature = |signature: &str| {
        let mut headers = genuine("evt_9", &body);
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    };
    let signed_by = |secret: &str, id: &str, at: i64| signature_headers(secret, id, at, body.as_bytes());
    let another_id = {
        let mut headers = genuine("evt_9", &body);
        headers.insert("webhook-id", "evt_8".parse().unwrap());
        headers
    };
    vec![
        ("another secret", signed_by(OTHER_SECRET, "evt_9", now()), bytes.clone()),
        ("another body", genuine("evt_9", &body), body.replace("pay_1", "pay_2").into_bytes()),
        ("white space added", genuine("evt_9", &body), format!("{body}\n").into_bytes()),
        ("another id", another_id, bytes.clone()),
        ("an hour old", signed_by(SECRET, "evt_9", now() - 3600), bytes.clone()),
        ("an hour ahead", signed_by(SECRET, "evt_9", now() + 3600), bytes.clone()),
        ("no signature", without("webhook-signature"), bytes.clone()),
        ("no time", without("webhook-timestamp"), bytes.clone()),
        ("no id", without("webhook-id"), bytes.clone()),
        ("no base64", with_signature("v1,what is it"), bytes.clone()),
        ("no version", with_signature("K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="), bytes.clone()),
        ("another version", with_signature(&another_version(&body)), bytes.clone()),
        ("no text", genuine("evt_9", &body), vec![0xff, 0xfe]),
    ]
}

fn another_version(body: &str) -> String {
    let headers = genuine("evt_9", body);
    headers["webhook-signature"].to_str().unwrap().replace("v1,", "v2,")
}

fn event(id: &str, sequence: u32) -> String {
    let event: Value = json!({ "id": id, "type": "payment.created", "created_at": "2026-01-01T00:00:00Z",
        "sequence": sequence, "data": { "object": { "id": "pay_1", "object": "payment", "description": "Grüße 🙂" } } });
    event.to_string()
}

fn genuine(id: &str, body: &str) -> HeaderMap {
    signature_headers(SECRET, id, now(), body.as_bytes())
}

/// Seconds since 1970: what a sender would write.
fn now() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().expect("it is later than 1970").as_secs()).unwrap()
}

struct Sender {
    url: String,
    http: reqwest::Client,
}

impl Sender {
    /// The status of the program's answer.
    async fn send(&self, headers: HeaderMap, body: impl Into<reqwest::Body>) -> u16 {
        let request = self.http.post(&self.url).headers(headers).header("content-type", "application/json");
        request.body(body).send().await.expect("the program answers").status().as_u16()
    }
}
