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
