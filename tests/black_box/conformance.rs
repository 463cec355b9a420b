//! The conformance kit as a connector's author meets it: `interlock connector check`, offline, on a finished component.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

use interlock_tests::harness::{programs, target};
use serde_json::{Value, json};

/// Refused: what scripts look for.
const REFUSED: Option<i32> = Some(3);

/// Each fault of the connector in tests/bad, by its cassette, and the rules that it breaks.
const FAULTS: [(&str, &[&str]); 19] = [
    ("other-outcome", &["amount", "replay"]),
    ("remembers", &["determinism"]),
    ("panics", &["totality"]),
    ("believes-anything", &["amount", "garbage"]),
    ("ignores-status", &["garbage"]),
    ("unfit", &["contract"]),
    ("takes-what-was-asked", &["amount"]),
    ("takes-its-own-currency", &["amount"]),
    ("two-decimals", &["amount"]),
    ("no-key", &["idempotency_key"]),
    ("says-it-reads", &["effect"]),
    ("sync-acts", &["effect"]),
    ("elsewhere", &["origin"]),
    ("stray-hole", &["placement"]),
    ("hardcoded", &["secret"]),
    ("quotes", &["secret"]),
    ("signs-nothing", &["webhook"]),
    ("believes-old-webhooks", &["webhook"]),
    ("keeps-unsigned", &["webhook"]),
];

/// `interlock connector check …`, by somebody who has nothing but the program.
fn check(arguments: &[&str]) -> Output {
    let mut command = Command::new(programs().join("interlock"));
    command.env_clear().args(["connector", "check"]).args(arguments).output().expect("the program is built")
}

fn bad() -> String {
    target("test-connectors").join("bad.wasm").display().to_string()
}

fn mock() -> String {
    target("connectors").join("mock.wasm").display().to_string()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What is found in each cassette, by its rule; under "" what is found in none.
fn rules(report: &Value) -> BTreeMap<String, Vec<String>> {
    let mut rules: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap() {
        let name = finding["at"]["cassette"].as_str().unwrap_or_default().trim_end_matches(".json");
        rules.entry(name.to_owned()).or_default().push(finding["rule"].as_str().unwrap().to_owned());
    }
    for found in rules.values_mut() {
        found.sort();
        found.dedup();
    }
    rules
}

/// A component breaks one rule after the other, as the cassettes that it carries say; each is found where it is broken,
/// and nothing is found where none is.
#[test]
fn every_rule_is_found_broken_by_a_component_that_breaks_it() {
    let output = check(&[&bad(), "--json"]);
    let answer = json_of(&output);
    assert_eq!(output.status.code(), REFUSED, "{answer}");
    let mut found = rules(&answer["conformance"]);
    for (cassette, expected) in FAULTS {
        assert_eq!(found.remove(cassette).unwrap_or_default(), expected, "{cassette}: {answer:#}");
    }
    // What it declares and never shows: a warning.
    assert_eq!(found.remove("").unwrap_or_default(), ["coverage"], "{answer:#}");
    assert!(found.is_empty(), "{found:?}");
}

/// The mock connector keeps every rule on all that its author wrote down.
#[test]
fn a_good_connector_passes_with_the_cassettes_that_it_carries() {
    let output = check(&[&mock(), "--json"]);
    let answer = json_of(&output);
    let report = &answer["conformance"];
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["errors"], 0);
    assert!(report["cassettes"].as_u64() > Some(80) && report["runs"].as_u64() > Some(5000), "{report:#}");
}

/// Two runs on the same component say the same to the byte: the kit counts instructions, not seconds.
#[test]
fn the_same_component_gets_the_same_report() {
    let first = check(&[&bad(), "--json"]);
    assert_eq!(first.stdout, check(&[&bad(), "--json"]).stdout);
}

/// A person reads what is wrong as a compiler would put it: what, where, the difference, and what helps.
#[test]
fn findings_read_like_a_compilers() {
    let folder = tempfile::tempdir().unwrap();
    // Beside two that are well, so that what the kit makes up has no fault.
    for name in ["no-key.json", "none.json", "none-yen.json"] {
        std::fs::copy(source("tests/bad/cassettes").join(name), folder.path().join(name)).unwrap();
    }
    let output = check(&[&bad(), "--cassettes", &folder.path().display().to_string()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), REFUSED, "{text}");
    let finding = r#"error[idempotency_key]: it writes, and sends "op_01jd0000000000000000000001" neither as a header nor in URL or body
  --> no-key.json, exchange 1
   = help: send the operation's id as the gateway's idempotency key or reference: "#;
    assert!(text.contains(finding), "{text}");
    assert!(text.contains("a host refuses it"), "{text}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "interlock: bad 0.1.0 is refused: it breaks the contract (1 error found)\n");
}

/// A cassette that is torn, one that says nothing of what it expects, one that expects something else: told apart.
#[test]
fn cassettes_that_prove_nothing_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let good: Value =
        serde_json::from_str(&std::fs::read_to_string(source("tests/bad/cassettes/none.json")).unwrap()).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("good.json", good.to_string());
    write("torn.json", "{\"about\":".to_owned());
    let mut unblessed = good.clone();
    unblessed["outcome"] = Value::Null;
    write("unblessed.json", unblessed.to_string());
    let mut other = good;
    other["exchanges"][0]["request"]["url"] = json!("https://gateway.example/charges?x=1");
    write("other.json", other.to_string());
    let output = check(&[&bad(), "--json", "--cassettes", &folder.path().display().to_string()]);
    let answer = json_of(&output);
    let found = rules(&answer["conformance"]);
    assert_eq!(output.status.code(), REFUSED);
    assert_eq!(found.get("good"), None, "{answer:#}");
    assert_eq!(
        (found["torn"].as_slice(), found["unblessed"].as_slice()),
        (&["cassette".to_owned()][..], &["cassette".to_owned()][..])
    );
    assert_eq!(found["other"], ["replay"]);
    let findings = answer["conformance"]["findings"].as_array().unwrap();
    let of_other = findings.iter().find(|finding| finding["rule"] == "replay").unwrap();
    assert_eq!(of_other["at"], json!({ "cassette": "other.json", "exchange": 1, "field": "/url" }));
}

fn source(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}
