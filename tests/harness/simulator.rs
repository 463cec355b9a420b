//! The gateway simulator as a process, and the controls a test steers it by.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{client, process::Process};

/// A running simulator. It ends with the test.
pub struct Simulator {
    process: Process,
    http: reqwest::Client,
    /// Its base URL.
    pub url: String,
}

impl Simulator {
    /// Starts one, with `arguments` added to its command line.
    pub async fn start(arguments: &[String], log: PathBuf) -> Self {
        let mut all = vec!["--addr".to_owned(), "127.0.0.1:0".to_owned(), "--until-stdin-closes".to_owned()];
        all.extend_from_slice(arguments);
        let process = Process::start("interlock-simulator", &all, [("RUST_BACKTRACE", "1")], log).await;
        let url = process.url("url");
        Self { process, http: client::connections(), url }
    }

    /// The truth about money: `GET /__ledger`.
    pub async fn ledger(&self) -> Value {
        self.get("/__ledger").await
    }

    /// The last calls it got, oldest first: `GET /__requests`.
    pub async fn requests(&self) -> Vec<Value> {
        self.get("/__requests").await["requests"].as_array().cloned().expect("a list of requests")
    }

    /// How many calls with this method it got.
    pub async fn calls(&self, method: &str) -> usize {
        self.requests().await.iter().filter(|request| request["method"] == method).count()
    }

    /// Its charges, in the order they were made.
    pub async fn charges(&self) -> Vec<Value> {
        self.ledger().await["charges"].as_array().cloned().expect("a list of charges")
    }

    /// The next `times` POSTs meet `fault`, such as `{"delay": {"ms": 50}}` or `"act_then_drop"`.
    pub async fn fail_next_posts(&self, times: u32, fault: Value) {
        self.control("/__faults", &json!({ "match": { "method": "POST" }, "times": times, "fault": fault })).await;
    }

    /// The next `times` captures, cancels and refunds meet `fault`.
    pub async fn fail_next_steps(&self, times: u32, fault: Value) {
        let steps = json!({ "method": "POST", "path_prefix": "/charges/" });
        self.control("/__faults", &json!({ "match": steps, "times": times, "fault": fault })).await;
    }

    /// Whether operations are found by the merchant's ids.
    pub async fn lookup(&self, is_on: bool) {
        self.control("/__settings", &json!({ "lookup": is_on })).await;
    }

    /// Adds a rule, or several, as its README has them.
    pub async fn add_faults(&self, rules: &Value) {
        self.control("/__faults", rules).await;
    }

    /// Forgets all rules.
    pub async fn clear_faults(&self) {
        let answer = self.http.delete(format!("{}/__faults", self.url)).send().await;
        let status = answer.expect("the simulator answers").status();
        assert!(status.is_success(), "clearing faults: {status}");
    }

    /// Ends everything that is open now, as it was to end.
    pub async fn settle_all(&self) {
        for charge in self.charges().await.iter().filter(|charge| charge["status"] == "pending") {
            self.control("/__settle", &json!({ "id": charge["id"] })).await;
        }
    }

    /// Ends what the operation of this reference left open: `due`, `approve`, `decline`; or takes back what it had done:
    /// `fail`.
    pub async fn settle(&self, reference: &str, outcome: &str) -> Value {
        self.control("/__settle", &json!({ "reference": reference, "outcome": outcome })).await
    }

    /// The customer follows the link that the payment shows as its next action, and presses `approve` or `decline`.
    pub async fn customer(&self, payment: &Value, choice: &str) {
        let url = payment["next_action"]["url"].as_str();
        let url = url.unwrap_or_else(|| panic!("there is no link in {payment}"));
        assert!(self.press(url, choice).await, "{choice} at {url} was refused");
    }

    /// The same for a link; whether the gateway's page let the customer do so.
    pub async fn press(&self, url: &str, choice: &str) -> bool {
        let answer = self.http.post(format!("{url}/{choice}")).send().await.expect("the simulator answers");
        answer.status().as_u16() < 400
    }

    /// How webhooks travel: `{"mode": "doubled"}`.
    pub async fn webhooks(&self, weather: Value) {
        self.control("/__faults", &json!({ "webhooks": weather })).await;
    }

    /// How often a writing call came under this idempotency key, whatever became of it.
    pub async fn sent(&self, key: &str) -> usize {
        self.requests().await.iter().filter(|call| call["idempotency_key"] == key).count()
    }

    /// How many calls that asked came about this reference.
    pub async fn asked(&self, reference: &str) -> usize {
        let calls = self.requests().await;
        calls.iter().filter(|call| call["method"] == "GET" && call["reference"] == reference).count()
    }

    /// What it has told or tried to tell, oldest first: `GET /__webhooks`.
    pub async fn deliveries(&self) -> Vec<Value> {
        self.get("/__webhooks").await["deliveries"].as_array().cloned().expect("a list of deliveries")
    }

    /// Tells once more what has become of the operation of this reference, in its face's words; whether there is one.
    pub async fn tell_again(&self, reference: &str) -> bool {
        let request = self.http.post(format!("{}/__webhooks/again", self.url)).json(&json!({ "reference": reference }));
        let answer = client::try_answer(request).await.expect("the simulator answers");
        assert!(matches!(answer.status, 204 | 404), "{}", answer.text());
        answer.status == 204
    }

    /// Approves what the operation of this reference left open, if it is.
    pub async fn settle_if_open(&self, reference: &str) {
        let body = json!({ "reference": reference, "outcome": "approve" });
        let answer = client::try_answer(self.http.post(format!("{}/__settle", self.url)).json(&body)).await;
        let answer = answer.expect("the simulator answers");
        assert!(answer.status < 300 || answer.json["error"]["code"] == "not_pending", "{}", answer.text());
    }

    /// Its refunds, in the order they were made.
    pub async fn refunds(&self) -> Vec<Value> {
        self.ledger().await["refunds"].as_array().cloned().expect("a list of refunds")
    }

    /// Any control endpoint that takes a POST.
    pub async fn control(&self, path: &str, body: &Value) -> Value {
        let answer = client::try_answer(self.http.post(format!("{}{path}", self.url)).json(body)).await;
        let answer = answer.expect("the simulator answers");
        assert!(answer.status < 300, "POST {path} {body}: {}", answer.text());
        answer.json
    }

    async fn get(&self, path: &str) -> Value {
        let answer = client::try_answer(self.http.get(format!("{}{path}", self.url))).await;
        answer.expect("the simulator answers").expect(200).json
    }

    /// The end of its log, for a person.
    pub fn log_tail(&self) -> String {
        super::process::tail(&self.process.log)
    }
}
