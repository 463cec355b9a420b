//! What Adyen's connector sends and its face answers, against Adyen's own schemas.

use interlock_tests::harness::{Browser, Simulator, bodies, gateways};
use serde_json::{Value, json};

use super::schema_kit::{Api, sent_by};

/// Checkout, version 71.
const CHECKOUT: &str = "adyen-checkout-v71.json";
/// Adyen's page of status codes has it, and the file does not.
const TOO_MANY_REQUESTS: u16 = 429;

/// Whatever the cassettes have the connector send, Adyen's schema allows it to the last member.
#[test]
fn every_request_is_as_the_schema_wants_it() {
    let Some(api) = Api::read(CHECKOUT) else { return };
    for sent in sent_by("adyen") {
        let body = sent.body.expect("every request of this connector has a body");
        let fault = api.of_request(&sent.method, &sent.url, &body);
        assert_eq!(fault, None, "{}: {body:#}", sent.cassette);
    }
}

/// The replies that the cassettes are made of, where the connector can read them, are such as Adyen sends.
#[test]
fn every_reply_that_is_read_is_as_the_schema_has_it() {
    let Some(api) = Api::read(CHECKOUT) else { return };
    let read = sent_by("adyen").into_iter().filter(|sent| sent.made_sense && sent.reply.0 != TOO_MANY_REQUESTS);
    for sent in read {
        let (status, body) = &sent.reply;
        let fault = api.of_answer(&sent.method, &sent.url, *status, body);
        assert_eq!(fault, None, "{}: {body:#}", sent.cassette);
    }
}

/// Whatever Adyen's face answers, to what the connector asks and to what is wrong, is such as Adyen answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_the_face_is_as_the_schema_has_it() {
    let Some(api) = Api::read(CHECKOUT) else { return };
    let logs = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(&["--settle-ms=200".to_owned()], logs.path().join("simulator.log")).await;
    let face = Face { api, url: format!("{}/adyen/v71", simulator.url), http: client() };

    let held = face.says("/payments", payment("op_1", bodies::GOOD), 200).await;
    let made = format!("/payments/{}", held["pspReference"].as_str().unwrap());
    face.says(&format!("{made}/captures"), modification("op_2-part", 300), 201).await;
    face.says(&format!("{made}/cancels"), json!({ "merchantAccount": "Shop", "reference": "op_3-cancel" }), 201).await;
    face.says(&format!("{made}/refunds"), modification("op_4-refund", 100), 201).await;
    let technical = json!({ "merchantAccount": "Shop", "reference": "op_5-cancel", "paymentReference": "op_1" });
    face.says("/cancels", technical, 201).await;

    for (number, result) in [(bodies::POOR, "Refused"), (bodies::PENDING, "Received")] {
        let answer = face.says("/payments", payment(&format!("op_{number}"), number), 200).await;
        assert_eq!(answer["resultCode"], result);
    }
    let challenged = face.says("/payments", payment("op_6", bodies::CHALLENGED), 200).await;
    let action = json!({ "next_action": { "type": "redirect", "url": challenged["action"]["url"] } });
    let brought = Browser::default().act(&action, "Approve").await;
    let details = json!({ "details": { "redirectResult": brought["redirectResult"] } });
    let decided = face.says("/payments/details", details, 200).await;
    assert_eq!(decided["resultCode"], "Authorised");

    face.says("/payments", payment("op_7", "411"), 422).await;
    face.says("/payments", json!("no object"), 400).await;
    face.says("/payments/8815281505278237/captures", modification("op_8-capture", 1), 422).await;
    face.says("/payments/details", json!({ "details": {} }), 422).await;
}

/// Adyen's face, and the schema that it is held to.
struct Face {
    api: Api,
    url: String,
    http: reqwest::Client,
}

impl Face {
    /// The answer to a POST, which has this status and is as the schema has it.
    async fn says(&self, path: &str, body: Value, status: u16) -> Value {
        let url = format!("{}{path}", self.url);
        let answer = self.http.post(&url).header("x-api-key", "key").json(&body).send().await.unwrap();
        let said = answer.status().as_u16();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(said, status, "{path}: {answer}");
        assert_eq!(self.api.of_answer("POST", &url, status, &answer), None, "{path}: {answer}");
        answer
    }
}

/// What is held to pay 10.00 EUR with this card.
fn payment(reference: &str, number: &str) -> Value {
    json!({
        "amount": { "value": 1_000, "currency": "EUR" }, "merchantAccount": "Shop", "reference": reference,
        "returnUrl": gateways::SHOP, "additionalData": { "manualCapture": "true" },
        "paymentMethod": { "type": "scheme", "number": number, "expiryMonth": "03", "expiryYear": "2099", "cvc": "737" },
    })
}

fn modification(reference: &str, value: i64) -> Value {
    json!({ "merchantAccount": "Shop", "reference": reference, "amount": { "value": value, "currency": "EUR" } })
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client without TLS needs nothing")
}
