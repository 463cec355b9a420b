//! The program: its ready line and how it ends.

use std::process::Stdio;
use std::time::Duration;

use axum::http::Method;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::client::request;

async fn started(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_interlock-simulator"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(Duration::from_secs(10), lines.next_line()).await.unwrap().unwrap().unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["event"], "ready");
    (child, ready["url"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_program_says_where_it_is_and_ends_when_told() {
    let (mut child, url) = started(&["--seed", "1", "--idempotency", "off", "--settle-ms", "5"]).await;
    let authority = url.strip_prefix("http://").unwrap();
    let settings = request(authority, Method::GET, "/__settings", &[], &Value::Null).await.unwrap().json();
    assert_eq!(settings, serde_json::json!({"idempotency": false, "lookup": true, "settle_ms": 5}));
    let id = child.id().unwrap().to_string();
    Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
    let status = timeout(Duration::from_secs(5), child.wait()).await.unwrap().unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn the_program_can_end_with_the_one_that_started_it() {
    let (mut child, _) = started(&["--until-stdin-closes"]).await;
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    let status = timeout(Duration::from_secs(5), child.wait()).await.unwrap().unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_webhook_without_a_secret_is_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interlock-simulator"));
    let output = command.args(["--webhook-url", "http://127.0.0.1:1/"]).output().await.unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--webhook-secret"));
}
