//! What tests of the command line share: the program itself, and a gateway that is a stub.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use axum::{Json, Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use interlock_tests::harness::{OPERATOR_TOKEN, World, target};
use serde_json::{Value, json};
use tokio::{net::TcpListener, process::Command, task::JoinHandle};

/// A secret as gateways give them out: long enough to be told apart from other text.
pub const KEY: &str = "sk_test_a_key_that_nobody_may_see";

/// What a call of the program came to.
pub struct Told {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Told {
    /// It ended with this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// Standard output, which is one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The error, as programs get it.
    pub fn error(&self) -> Value {
        let last = self.err.lines().last().unwrap_or_default();
        let told: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {}", self.err));
        told["error"].clone()
    }
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// `interlock …`, ready to be started; the secret is in its environment.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(target("debug").join("interlock"));
    command.args(arguments).env("GATEWAY_KEY", KEY).env("CARGO_TARGET_DIR", target("")).stdin(Stdio::null());
    command
}

/// `interlock …` to its end.
pub async fn interlock(arguments: &[&str]) -> Told {
    program(arguments).output().await.expect("it was built").into()
}

/// `interlock connector …` at the first host, as its operator.
pub fn operating(world: &World, arguments: &[&str]) -> Command {
    let mut command = program(&["connector"]);
    command.args(arguments);
    command.env("INTERLOCK_OPERATOR_URL", &world.host(0).operator);
    command.env("INTERLOCK_OPERATOR_TOKEN", OPERATOR_TOKEN);
    command
}

/// Where a connector of the tests is built.
pub fn built(folder: &str, name: &str) -> String {
    let path = target(folder).join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is not there: `make test` builds it", path.display());
    path.display().to_string()
}

/// Whether any cassette of the folder has this text in it.
pub fn stands_in(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).expect("it is there").flatten();
    files.map(|file| std::fs::read_to_string(file.path()).expect("a text")).any(|kept| kept.contains(text))
}

/// A gateway of the mock's protocol that repeats all that it is told. It ends with the test.
pub struct Stub {
    pub url: String,
    task: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    /// One that takes everything, or declines everything with a code of its own.
    pub async fn start(decline: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let routes = Router::new().route("/charges", post(charge)).with_state(decline);
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { url, task }
    }
}

async fn charge(
    State(decline): State<Option<&'static str>>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let captured = if decline.is_some() { 0 } else { asked["amount"].as_i64().unwrap_or(0) };
    let mut charge = json!({
        "id": "ch_stub", "reference": asked["reference"], "amount": asked["amount"], "currency": asked["currency"],
        "captured": captured, "refunded": 0, "status": "captured", "you_sent": key, "you_charged": asked["method"],
    });
    match decline {
        None => (StatusCode::CREATED, Json(charge)),
        Some(code) => {
            charge["status"] = json!("declined");
            charge["decline"] = json!({ "code": code, "message": "No." });
            (StatusCode::PAYMENT_REQUIRED, Json(charge))
        }
    }
}
