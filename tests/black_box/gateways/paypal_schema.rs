//! What PayPal's connector sends, and what its face answers, against PayPal's own schemas.

use interlock_tests::harness::{Browser, Simulator, bodies, gateways};
use serde_json::{Value, json};

use super::schema_kit::{Api, Sent, sent_by};

/// Orders, version 2.13, and Payments, version 2.5.
const FILES: [&str; 2] = ["paypal-orders-v2.json", "paypal-payments-v2.json"];

/// Statuses that the files do not list: of OAuth, and of rate limits.
const NOT_LISTED: [u16; 2] = [401, 429];
/// Cassettes with what the files do not have: words of the future and of webhooks, the 200 of a repeated request.
const BEYOND: [&str; 5] = [
    "authorize-card-unknown-code",
    "authorize-unknown-issue",
    "capture-replayed",
    "sync-authorize-declined-later",
    "sync-authorize-3ds-passed",
];

/// The file that has the URL's path; none where the files are not here.
fn file_of(url: &str) -> Option<Api> {
    let [orders, payments] = FILES;
    Api::read(if url.contains("/v2/checkout/") { orders } else { payments })
}

/// Whatever the cassettes have the connector send, PayPal's schemas allow it to the last member. What PayPal knows and the
/// files do not is said in its README.
#[test]
fn every_request_is_as_the_schema_wants_it() {
    let mut looked_at = 0;
    for Sent { cassette, method, url, body, .. } in sent_by("paypal") {
        let Some(api) = file_of(&url) else { return };
        // Neither a GET nor a void has a body in the files.
        let Some(body) = body.filter(|_| !url.ends_with("/void")) else { continue };
        assert_eq!(api.of_request(&method, &url, &body), None, "{cassette}: {body:#}");
        looked_at += 1;
    }
    assert!(looked_at > 50, "{looked_at} requests are too few");
}

/// The replies that the cassettes are made of, where the connector can read them, are such as PayPal sends.
#[test]
fn every_reply_that_is_read_is_as_the_schema_has_it() {
    let mut faults = Vec::new();
    for Sent { cassette, method, url, reply: (status, body), made_sense, .. } in sent_by("paypal") {
        let Some(api) = file_of(&url) else { return };
        if made_sense && !NOT_LISTED.contains(&status) && !BEYOND.contains(&&*cassette) {
            faults.extend(api.of_answer(&method, &url, status, &body).map(|fault| format!("{cassette}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whatever PayPal's face answers, to what the connector asks and to what is wrong, is such as PayPal answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_the_face_is_as_the_schema_has_it() {
    let [Some(orders), Some(payments)] = FILES.map(Api::read) else { return };
    let logs = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(&["--settle-ms=200".to_owned()], logs.path().join("simulator.log")).await;
    let face = Face::of(&simulator, [orders, payments]).await;
    let made = "/v2/checkout/orders";

    let paid = face.says(made, "op_1", Some(card("op_1", bodies::GOOD, "CAPTURE")), 201).await;
    face.says(made, "op_1", Some(card("op_1", bodies::GOOD, "CAPTURE")), 200).await;
    let capture = format!("/v2/payments/captures/{}", at(&paid, "/purchase_units/0/payments/captures/0/id"));
    let part = json!({ "amount": euros("4.00"), "custom_id": "op_2", "invoice_id": "op_2" });
    let refund = face.says(&format!("{capture}/refund"), "op_2", Some(part), 201).await;
    face.says(&format!("/v2/payments/refunds/{}", at(&refund, "/id")), "", None, 200).await;
    face.says(&capture, "", None, 200).await;
    face.says(&format!("{made}/{}", at(&paid, "/id")), "", None, 200).await;
    let much = json!({ "amount": euros("7.00"), "custom_id": "op_3" });
    face.says(&format!("{capture}/refund"), "op_3", Some(much), 422).await;

    let held = face.says(made, "op_4", Some(card("op_4", bodies::GOOD, "AUTHORIZE")), 201).await;
    let authorization =
        format!("/v2/payments/authorizations/{}", at(&held, "/purchase_units/0/payments/authorizations/0/id"));
    face.says(&authorization, "", None, 200).await;
    let part = json!({ "amount": euros("3.00"), "invoice_id": "op_5", "final_capture": false });
    face.says(&format!("{authorization}/capture"), "op_5", Some(part), 201).await;
    face.says(&format!("{authorization}/void"), "op_6", Some(json!({})), 200).await;
    face.says(&format!("{authorization}/void"), "op_7", Some(json!({})), 422).await;
    face.says(&format!("{authorization}/capture"), "op_8", Some(json!({})), 422).await;

    for number in [bodies::POOR, bodies::PENDING] {
        face.says(made, number, Some(card(number, number, "CAPTURE")), 201).await;
    }
    let wallet = json!({ "paypal": { "experience_context": { "return_url": gateways::SHOP } } });
    let challenged = card("op_9", bodies::CHALLENGED, "CAPTURE");
    for (id, body) in [("op_9", challenged), ("op_10", order("op_10", "CAPTURE", &wallet))] {
        let waiting = face.says(made, id, Some(body), 200).await;
        let path = format!("{made}/{}", at(&waiting, "/id"));
        face.says(&format!("{path}/capture"), &format!("{id}-early"), Some(json!({})), 422).await;
        let page = waiting["links"].as_array().unwrap().iter().find(|link| link["rel"] == "payer-action").unwrap();
        let action = json!({ "next_action": { "type": "redirect", "url": page["href"] } });
        Browser::default().act(&action, "Approve").await;
        face.says(&path, "", None, 200).await;
        face.says(&format!("{path}/capture"), &format!("{id}-2"), Some(json!({})), 201).await;
    }

    face.says(made, "op_11", Some(json!({ "intent": "CAPTURE" })), 400).await;
    face.says(&format!("{made}/5O190127TN364715T"), "", None, 404).await;
    face.says("/v2/payments/captures/5O190127TN364715T", "", None, 404).await;
}

/// PayPal's face, and the schemas that it is held to.
struct Face {
    apis: [Api; 2],
    url: String,
    token: String,
    http: reqwest::Client,
}

impl Face {
    async fn of(simulator: &Simulator, apis: [Api; 2]) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client without TLS needs nothing");
        let url = format!("{}/paypal", simulator.url);
        let token = http.post(format!("{url}/v1/oauth2/token")).basic_auth("client", Some("secret"));
        let form = ("content-type", "application/x-www-form-urlencoded");
        let given = token.header(form.0, form.1).body("grant_type=client_credentials").send().await.unwrap();
        let token = at(&given.json().await.unwrap(), "/access_token");
        Self { apis, url, token, http }
    }

    /// The answer to a POST under this id, or to a GET, which has this status and is as the schema has it.
    async fn says(&self, path: &str, id: &str, body: Option<Value>, status: u16) -> Value {
        let url = format!("{}{path}", self.url);
        let [orders, payments] = &self.apis;
        let api = if path.starts_with("/v2/checkout/") { orders } else { payments };
        let (method, request) = match body {
            Some(body) => ("POST", self.http.post(&url).header("paypal-request-id", id).json(&body)),
            None => ("GET", self.http.get(&url)),
        };
        let request = request.bearer_auth(&self.token).header("prefer", "return=representation");
        let answer = request.send().await.unwrap();
        let (said, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        assert_eq!(said, status, "{method} {path}: {body:#}");
        assert_eq!(api.of_answer(method, &url, status, &body), None, "{method} {path}: {body:#}");
        body
    }
}

fn at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

fn euros(value: &str) -> Value {
    json!({ "currency_code": "EUR", "value": value })
}

fn order(id: &str, intent: &str, source: &Value) -> Value {
    json!({ "intent": intent, "payment_source": source,
            "purchase_units": [{ "custom_id": id, "invoice_id": id, "amount": euros("10.00") }] })
}

fn card(id: &str, number: &str, intent: &str) -> Value {
    let card = json!({
        "number": number, "expiry": "2099-03", "security_code": "737",
        "attributes": { "verification": { "method": "SCA_WHEN_REQUIRED" } },
        "experience_context": { "return_url": gateways::SHOP, "cancel_url": gateways::SHOP },
    });
    order(id, intent, &json!({ "card": card }))
}
