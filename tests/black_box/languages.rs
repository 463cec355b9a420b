//! One small connector in Rust, JavaScript and Python: the same requests byte for byte, and payments through each.

use std::{path::Path, process::Stdio, sync::Arc};

use interlock::connector::{
    Engine, Step, Version,
    types::{Context, Exchange, Operation, Response},
};
use interlock_tests::harness::{Merchant, World, bodies, engine, merchant, target};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    fault_kit::install,
    languages_kit::{EXAMPLES, cassettes, component, play, root},
};

/// What a cassette says, as [`play`] tells what came out.
fn expected(cassette: &Value) -> Value {
    if !cassette["inbound"].is_null() {
        return json!({ "delivery": cassette["delivery"] });
    }
    let exchanges = cassette["exchanges"].as_array().unwrap();
    let requests: Vec<_> = exchanges.iter().map(|exchange| exchange["request"].clone()).collect();
    json!({ "requests": requests, "outcome": cassette["outcome"] })
}

fn admitted(engine: &Engine, name: &str) -> Arc<Version> {
    let version = engine.admit(&component(name)).unwrap_or_else(|refused| panic!("{name}: {refused}"));
    assert_eq!(version.name(), name);
    version
}

async fn plays_every_cassette(name: &str) {
    let engine = engine();
    let version = admitted(&engine, name);
    for (cassette, text) in cassettes() {
        let first = play(&engine, &version, &text).await;
        assert_eq!(first, expected(&text), "{name}: {cassette}");
        assert_eq!(play(&engine, &version, &text).await, first, "{name}: {cassette}, the second time");
    }
}

/// The cassettes hold the requests, so what plays them all sends the same bytes as the others do.
#[tokio::test]
async fn the_example_in_rust_plays_every_cassette() {
    plays_every_cassette("tiny-rust").await;
}

/// As in Rust: holes, escapes, large amounts, ids that would leave their place.
#[tokio::test]
async fn the_example_in_javascript_plays_every_cassette() {
    plays_every_cassette("tiny-javascript").await;
}

/// As in Rust.
#[tokio::test]
async fn the_example_in_python_plays_every_cassette() {
    plays_every_cassette("tiny-python").await;
}

/// Descriptors are what operators approve: those of the three differ in names alone.
#[tokio::test]
async fn the_examples_describe_themselves_alike() {
    let engine = engine();
    let described = EXAMPLES.map(|name| {
        let mut descriptor = admitted(&engine, name).descriptor().clone();
        descriptor.name.clear();
        descriptor.display_name.clear();
        descriptor
    });
    assert_eq!(described[0], described[1]);
    assert_eq!(described[0], described[2]);
}

/// A gateway, or something in front of it, sends nonsense: no language's reader traps on it, and none takes it for money.
#[tokio::test]
async fn garbage_is_no_trap_and_no_money_in_any_language() {
    let deep = "[".repeat(100_000);
    let deep_object = format!("{}1{}", r#"{"a":"#.repeat(20_000), "}".repeat(20_000));
    let number = format!(r#"{{"id":{},"status":"captured"}}"#, "9".repeat(6000));
    let bodies = [
        "",
        "<html>",
        "{",
        "[]",
        "null",
        "NaN",
        "\u{feff}{}",
        r#"{"status":"captured"}"#,
        r#"{"__proto__":{"id":"ch_1","status":"captured"}}"#,
        r#"{"id":"ch_1","reference":"op_1","amount":1250.5,"captured":1250.5,"currency":"EUR","status":"captured"}"#,
        r#"{"id":"ch_1","reference":"op_1","amount":true,"captured":true,"currency":"EUR","status":"captured"}"#,
        r#"{"id":"ch_1","reference":"op_1","amount":-1,"captured":-1,"currency":"EUR","status":"captured"}"#,
        r#"{"id":"ch_1","reference":"op_1","amount":1,"captured":18446744073709551616,"currency":"EUR","status":"captured"}"#,
        &deep,
        &deep_object,
        &number,
    ];
    let engine = engine();
    let context = Arc::default();
    let operation: Arc<Operation> =
        Arc::new(serde_json::from_value(cassettes()["authorize-captured"]["operation"].clone()).unwrap());
    for name in EXAMPLES {
        let version = admitted(&engine, name);
        let failed = engine.perform(&version, &context, &operation, Arc::default()).await.unwrap();
        assert!(matches!(failed, Step::Failed(_)), "{name}: without its setting: {failed:?}");
        let context = Arc::new(Context {
            settings: vec![("base_url".to_owned(), "https://gateway.example".to_owned())],
            ..Default::default()
        });
        let Ok(Step::Send(request)) = engine.perform(&version, &context, &operation, Arc::default()).await else {
            panic!("{name} asks")
        };
        for status in [200, 201, 302, 400, 402, 404, 409, 429, 500] {
            for body in bodies.iter().map(|body| body.as_bytes()).chain([&b"\xff\xfe{}"[..]]) {
                let response = Response { status, headers: vec![], body: body.to_vec() };
                let transcript = Arc::new(vec![Exchange { request: request.clone(), response }]);
                let step = engine.perform(&version, &context, &operation, transcript).await;
                let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
                assert!(matches!(step, Ok(Step::Failed(_))), "{name}, {status}, {shown}: {step:?}");
            }
        }
    }
}

/// A merchant of the connector in that language, at the simulator.
async fn shop(world: &World, connector: &str) -> Merchant {
    // Compiled by nobody's request: no client waits for that.
    admitted(&engine(), connector);
    let (status, answer) = install(world, component(connector)).await;
    assert_eq!(status, 201, "{answer}");
    let activate = format!("/admin/connectors/{connector}/versions/0.1.0/activate");
    world.operator().post_plain(&activate, &json!({})).await.expect(200);
    let mut made = Merchant::make(&world.operator(), connector).await;
    let body = json!({ "connector": connector, "name": connector, "settings": {
        "base_url": world.simulator.url,
        "api_key": merchant::GATEWAY_API_KEY,
        "webhook_secret": merchant::GATEWAY_WEBHOOK_SECRET,
    }});
    made.account = world.of(&made).post("/v1/gateway_accounts", "account", &body).await.expect(201).id();
    made
}

/// A payment that is taken, given back in part, and one that is declined; one that a webhook decides.
async fn takes_payments(connector: &str) {
    let world = World::builder().without_account().start().await;
    let shop = shop(&world, connector).await;
    let caller = world.of(&shop);
    let paid = caller.pay("paid", "4242424242424242", 1250, "automatic").await.expect(201);
    assert_eq!(paid.json["status"], "succeeded", "{}", paid.text());
    let id = paid.id();
    let refund = caller.step(&id, "refunds", "refund", &json!({ "amount": 500 })).await.expect(201);
    assert_eq!(refund.json["status"], "succeeded", "{}", refund.text());
    let held = caller.held("held", 990).await;
    let captured = caller.step(&held, "capture", "capture", &json!({})).await.expect(200);
    assert_eq!(captured.json["status"], "succeeded", "{}", captured.text());
    let declined = caller.pay("declined", "4000000000000002", 1250, "automatic").await.expect(201);
    assert_eq!(declined.json["status"], "failed", "{}", declined.text());

    let _door = world.listen(&shop).await;
    let pending = caller.post("/v1/payments", "pending", &bodies::payment("4000000000000341")).await.expect(202);
    caller.payment_has(&pending.id(), &json!({ "status": "succeeded" })).await;
    world.check_invariants().await;
}

/// From the merchant's request to the gateway and back, in Rust.
#[tokio::test]
async fn payments_go_through_the_example_in_rust() {
    takes_payments("tiny-rust").await;
}

/// From the merchant's request to the gateway and back, in JavaScript.
#[tokio::test]
async fn payments_go_through_the_example_in_javascript() {
    takes_payments("tiny-javascript").await;
}

/// From the merchant's request to the gateway and back, in Python.
#[tokio::test]
async fn payments_go_through_the_example_in_python() {
    takes_payments("tiny-python").await;
}

/// `interlock …` in `folder`, with the tools that `make test` installs.
async fn interlock(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(target("debug").join("interlock"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target(""))
        .env("CARGO_NET_OFFLINE", "true")
        .env("INTERLOCK_JAVASCRIPT_TOOLS", target("connector-tools/javascript"))
        .env("INTERLOCK_PYTHON_TOOLS", target("connector-tools/python"))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// `new` writes the example under another name, and under its own name the very same connector: what is built of it, its
/// cassettes and its payments are tested above.
async fn new_writes_the_example(language: &str, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (done, said) = interlock(folder.path(), &["connector", "new", name, "--lang", language]).await;
    assert!(done, "{said}");
    assert!(said.contains(&format!("interlock connector build {name}")), "{said}");
    // The versions that we test with, without asking the registry.
    std::fs::copy(root().join("Cargo.lock"), folder.path().join(name).join("Cargo.lock")).unwrap();
    let out = folder.path().join("out");
    let (done, said) = interlock(folder.path(), &["connector", "build", name, "--out", &out.to_string_lossy()]).await;
    assert!(done, "{said}");
    let built = std::fs::read(out.join(format!("{name}.wasm"))).unwrap();
    if language != "rust" {
        // Rust writes folders into its panics' places.
        assert!(built == component(name), "it is another component than the example");
    }
}

/// The SDK's crate is in the folder, and so is all that it inherited from this workspace.
#[tokio::test]
async fn a_new_connector_in_rust_builds_and_is_let_in() {
    new_writes_the_example("rust", "tiny-rust").await;
}

/// With its lock file and the contract's types.
#[tokio::test]
async fn a_new_connector_in_javascript_builds_and_is_let_in() {
    new_writes_the_example("javascript", "tiny-javascript").await;
}

/// With its list of packages and the contract's types.
#[tokio::test]
async fn a_new_connector_in_python_builds_and_is_let_in() {
    new_writes_the_example("python", "tiny-python").await;
}

/// The first thing that an author sees who has not installed anything: what is missing, and the command that mends it.
#[tokio::test]
async fn what_is_missing_for_a_build_is_said_with_how_to_install_it() {
    let folder = tempfile::tempdir().unwrap();
    for (language, how) in [("python", "-m venv .venv"), ("javascript", "npm ci --ignore-scripts")] {
        let (done, said) = interlock(folder.path(), &["connector", "new", "acme", "--lang", language]).await;
        assert!(done, "{said}");
        let output = Command::new(target("debug").join("interlock"))
            .args(["connector", "build", "acme"])
            .current_dir(folder.path())
            .env("PATH", "")
            .env_remove("VIRTUAL_ENV")
            .env_remove("INTERLOCK_JAVASCRIPT_TOOLS")
            .env_remove("INTERLOCK_PYTHON_TOOLS")
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("is missing") && said.contains(how), "{said}");
        std::fs::remove_dir_all(folder.path().join("acme")).unwrap();
    }
}

/// A connector in TypeScript whose module has no exports of the contract, and one that does not even parse: the author
/// reads which file, and what is wrong.
#[tokio::test]
async fn what_cannot_be_bundled_is_shown_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("package.json"), r#"{"main":"main.ts"}"#).unwrap();
    std::fs::write(folder.path().join("main.ts"), "export const description: = 1;\n").unwrap();
    let (done, said) = interlock(folder.path(), &["connector", "build", "."]).await;
    assert!(!done && said.contains("main.ts") && said.contains("Unexpected \"=\""), "{said}");
}

/// Types are a promise to authors: the SDK and the example keep it, as the compiler sees it.
#[tokio::test]
async fn the_javascript_sdk_keeps_its_types() {
    let tools = target("connector-tools/javascript");
    let output = Command::new("node")
        .arg(tools.join("node_modules/typescript/bin/tsc"))
        .args(["-p", "."])
        .current_dir(root().join("connectors/examples/javascript"))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The generated types are those of the contract as it is now, in both languages.
#[tokio::test]
async fn generated_types_are_those_of_the_contract() {
    let out = tempfile::tempdir().unwrap();
    let wit = root().join("wit/connector.wit");
    let jco = target("connector-tools/javascript/node_modules/@bytecodealliance/jco/src/jco.js");
    let mut javascript = Command::new("node");
    javascript.arg(jco).arg("guest-types").arg(&wit).args(["-n", "connector", "-o"]).arg(out.path().join("types"));
    let mut python = Command::new(target("connector-tools/python/bin/componentize-py"));
    python.arg("-d").arg(&wit).args(["-w", "connector", "bindings"]).arg(out.path().join("stubs"));
    for mut command in [javascript, python] {
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    same_files(&root().join("connectors/sdk-js/types"), &out.path().join("types"));
    same_files(&root().join("connectors/sdk-python/stubs"), &out.path().join("stubs"));
}

/// Every file of the first folder is in the second, with the same text.
fn same_files(ours: &Path, made: &Path) {
    for entry in std::fs::read_dir(ours).unwrap() {
        let ours = entry.unwrap().path();
        let made = made.join(ours.file_name().unwrap());
        if ours.ends_with("__pycache__") {
            continue;
        }
        if ours.is_dir() {
            same_files(&ours, &made);
        } else {
            let is_same = std::fs::read(&ours).unwrap() == std::fs::read(&made).unwrap_or_default();
            assert!(is_same, "{} is not what the tool makes of wit/connector.wit", ours.display());
        }
    }
}

/// What the three SDKs have in common beyond requests: amounts, escapes, encodings. The vectors are in one file.
#[tokio::test]
async fn the_sdks_agree_on_money_and_encodings() {
    let folder = root().join("tests/sdks");
    let sdk = root().join("connectors/sdk-python");
    let mut javascript = Command::new("node");
    javascript.arg("--test").arg(folder.join("vectors.test.js"));
    let mut python = Command::new(target("connector-tools/python/bin/python"));
    python.arg("-B").arg(folder.join("test_vectors.py"));
    let paths = [sdk.join("stubs"), sdk];
    python.env("PYTHONPATH", std::env::join_paths(paths).unwrap());
    for mut command in [javascript, python] {
        let output = command.output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}
