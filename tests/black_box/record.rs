//! `interlock connector record`, and the exit codes that scripts rely on.

use std::path::Path;

use interlock_tests::harness::{Giving, Simulator, TokenGateway};
use serde_json::{Value, json};

use super::tools_kit::{KEY, Stub, Told, built, interlock, stands_in};

const CARD: &str = "4242424242424242";

/// `record` of a component at a gateway, with more arguments.
fn arguments<'a>(component: &'a str, base: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["connector", "record", component, "--setting", base, "--secret", "api_key=env:GATEWAY_KEY"];
    all.extend(["--authorize", "12.50", "EUR", "--out", out]);
    all.extend(more);
    all
}

fn out(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn cassette(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("it was written")).expect("a cassette is JSON")
}

/// The mock's connector at the simulator: a payment and its refund, each in a cassette of its own. Both are what `check`
/// plays, and neither has a secret or the card in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_recorded_at_the_simulator_passes_the_check() {
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let simulator = Simulator::start(&[], logs.path().join("simulator.log")).await;
    let (mock, first) = (built("connectors", "mock"), out(folder.path(), "paid.json"));
    let base = format!("base_url={}", simulator.url);
    let all = arguments(&mock, &base, &first, &["--then", "refund", "--allow-private", "--json"]);
    let told = interlock(&all).await.expect(0).json();
    assert_eq!(told["cassettes"][0]["outcome"], "Captured", "{told}");
    assert_eq!(told["cassettes"][1]["outcome"], "Refunded", "{told}");
    let refund = cassette(&out(folder.path(), "paid-refund.json"));
    let charge = refund["operation"]["references"][0][1].clone();
    assert_eq!(charge, simulator.charges().await[0]["id"], "{refund}");
    for hidden in [KEY, CARD] {
        assert!(!stands_in(folder.path(), hidden), "{hidden} stands in a cassette");
    }
    let checked = interlock(&["connector", "check", &mock, "--cassettes", &folder.path().display().to_string()]).await;
    checked.expect(0);

    // What is there is not written over, and nothing is sent.
    let charges = simulator.charges().await.len();
    let again = interlock(&arguments(&mock, &base, &first, &["--allow-private", "--json"])).await.expect(2);
    assert!(again.error()["message"].as_str().unwrap().contains("--force"), "{}", again.err);
    assert_eq!(simulator.charges().await.len(), charges);
}

/// The gateway acts and says nothing: nobody knows what it did, so there is nothing to be replayed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_leaves_no_cassette() {
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let simulator = Simulator::start(&[], logs.path().join("simulator.log")).await;
    let (mock, path) = (built("connectors", "mock"), out(folder.path(), "lost.json"));
    simulator.fail_next_posts(1, json!("act_then_drop")).await;
    let base = format!("base_url={}", simulator.url);
    let told = interlock(&arguments(&mock, &base, &path, &["--allow-private", "--json"])).await.expect(4);
    assert_eq!((&told.error()["code"], &told.error()["exit_code"]), (&json!("outcome_unknown"), &json!(4)));
    assert!(told.error()["hints"][0].as_str().unwrap().contains("Look at the gateway"), "{}", told.err);
    assert!(!Path::new(&path).exists() && told.out.is_empty());
}

/// An example at a stub that repeats the key and the card in its reply: they stand in no file and in no output.
#[tokio::test]
async fn what_a_gateway_repeats_is_not_written_down() {
    let stub = Stub::start(None).await;
    let folder = tempfile::tempdir().unwrap();
    let (tiny, path) = (built("examples", "tiny-rust"), out(folder.path(), "paid.json"));
    let base = format!("base_url={}", stub.url);
    let told = interlock(&arguments(&tiny, &base, &path, &["--allow-private"])).await.expect(0);
    assert!(told.out.contains("Captured  passes"), "{}", told.out);
    assert!(told.err.contains(&format!("→ POST {}/charges", stub.url)), "progress tells each exchange: {}", told.err);
    let kept = cassette(&path);
    let reply = &kept["exchanges"][0]["reply"];
    assert_eq!(reply["body"]["id"], "ch_stub", "{reply}");
    for hidden in [KEY, CARD] {
        assert!(!stands_in(folder.path(), hidden), "{hidden} stands in {kept:#}");
        assert!(!told.out.contains(hidden) && !told.err.contains(hidden));
    }
    let header = kept["exchanges"][0]["request"]["headers"].to_string();
    assert!(header.contains(r#"{"Secret":"api_key"}"#), "a hole stays one: {header}");
    let checked = interlock(&["connector", "check", &tiny, "--cassettes", &folder.path().display().to_string()]).await;
    checked.expect(0);
}

/// A gateway that wants a token: it is fetched once for all that is recorded, and stands in no file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_opened_for_a_recording() {
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let simulator = Simulator::start(&[], logs.path().join("simulator.log")).await;
    let gateway = TokenGateway::before(&simulator.url).await;
    gateway.takes_key(KEY);
    let (hostile, path) = (built("test-connectors", "hostile"), out(folder.path(), "paid.json"));
    let base = format!("base_url={}", gateway.url);
    let more = ["--setting", "sessions=on", "--then", "sync", "--allow-private", "--json"];
    let told = interlock(&arguments(&hostile, &base, &path, &more)).await.expect(0);
    assert_eq!(told.json()["cassettes"][1]["outcome"], "Captured", "{}", told.out);
    let given = gateway.given();
    assert_eq!((given.len(), gateway.turned_away()), (1, 0));
    for hidden in [KEY, given[0].as_str()] {
        assert!(!stands_in(folder.path(), hidden), "{hidden} stands in a cassette");
        assert!(!told.out.contains(hidden) && !told.err.contains(hidden));
    }
    assert!(
        cassette(&path)["exchanges"][0]["request"]["headers"].to_string().contains(r#"{"Session":"access_token"}"#)
    );

    // Where there is none, nothing of the operation is sent.
    gateway.gives(Giving::Status(503));
    let other = out(folder.path(), "other.json");
    let told = interlock(&arguments(&hostile, &base, &other, &more)).await.expect(1);
    assert_eq!(told.error()["code"], "no_session", "{}", told.err);
    assert_eq!((simulator.charges().await.len(), Path::new(&other).exists()), (1, false));
}

/// Each exit code, with what a script is told beside it.
#[tokio::test]
async fn exit_codes_say_what_kind_of_failure_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (mock, path) = (built("connectors", "mock"), out(folder.path(), "a.json"));
    let code = |told: &Told| told.error()["code"].as_str().unwrap_or_default().to_owned();

    // 0: done.
    let checked = interlock(&["connector", "check", &mock, "--json"]).await.expect(0);
    assert_eq!(checked.json()["name"], "mock");

    // 1: nobody is there, for a host and for a gateway.
    let list = ["connector", "list", "--operator", "http://127.0.0.1:1", "--operator-token", "x", "--json"];
    let told = interlock(&list).await.expect(1);
    assert_eq!(code(&told), "unreachable");
    let nobody = arguments(&mock, "base_url=http://127.0.0.1:1", &path, &["--allow-private", "--json"]);
    assert_eq!(code(&interlock(&nobody).await.expect(1)), "connect");

    // 2: the command line, whoever finds it out.
    let told = interlock(&["connector", "check", "--colour", &mock, "--json"]).await.expect(2);
    assert_eq!(code(&told), "usage");
    let plain = arguments(&mock, "base_url=http://127.0.0.1:1", &path, &["--json"]);
    let told = interlock(&plain).await.expect(2);
    assert!(told.error()["message"].as_str().unwrap().contains("--allow-private"), "{}", told.err);
    let open = ["--setting", "api_key=sk_live_in_the_open", "--json"];
    let told = interlock(&arguments(&mock, "base_url=https://a.example", &path, &open)).await.expect(2);
    assert!(!told.err.contains("sk_live") && told.err.contains("api_key=env:"), "{}", told.err);

    // 3: a refusal.
    let bad = folder.path().join("bad.wasm");
    std::fs::write(&bad, "no component").unwrap();
    let told = interlock(&["connector", "check", &bad.display().to_string(), "--json"]).await.expect(3);
    assert_eq!(code(&told), "component_refused");
    assert_eq!(told.error()["reasons"][0]["code"], "not_wasm", "{}", told.err);
    assert!(told.out.is_empty(), "standard output has answers alone: {}", told.out);
    // 4 is told above.
}

/// `new` and `sign` answer programs too.
#[tokio::test]
async fn new_and_sign_answer_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let into = out(folder.path(), "fresh");
    let told = interlock(&["connector", "new", "fresh", "--folder", &into, "--json"]).await.expect(0);
    assert_eq!((&told.json()["name"], &told.json()["folder"]), (&json!("fresh"), &json!(into)));
    let key = out(folder.path(), "key.pem");
    let told = interlock(&["connector", "sign", "--new-key", &key, "--json"]).await.expect(0);
    assert!(told.json()["public_key"].is_string());
}
