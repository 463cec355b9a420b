//! Every cassette of the connector: what it sends, what it makes of the replies, and of spoilt ones.
#![expect(clippy::unwrap_used, reason = "helpers of tests may end at the first surprise too")]

use std::collections::BTreeSet;
use std::fs;

use interlock_connector::{Connector, harness};
use interlock_mock::Mock;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes");

#[test]
fn every_cassette_comes_out_as_it_says() {
    harness::replay_all::<Mock>(FOLDER);
}

/// What nobody wrote a cassette for, nobody has looked at.
#[test]
fn every_operation_method_and_outcome_has_a_cassette() {
    let cassettes: Vec<_> = fs::read_dir(FOLDER).unwrap().map(|entry| read(&entry.unwrap().path())).collect();
    let all = |found: fn(&Value) -> Option<String>| cassettes.iter().filter_map(found).collect::<BTreeSet<_>>();

    let kinds = all(|cassette| name_of(&cassette["operation"]["action"]));
    assert_eq!(kinds.len(), Mock::describe().operations.len(), "{kinds:?}");

    let targets = all(|cassette| name_of(&cassette["operation"]["action"]["Sync"]["target"]));
    assert_eq!(listed(&targets), "Authorize Cancel Capture Complete Refund");

    let methods = all(|cassette| name_of(&cassette["operation"]["action"]["Authorize"]["method"]));
    assert_eq!(listed(&methods), "Card GatewayToken Upi Wallet");
    let upi = all(|cassette| name_of(&cassette["operation"]["action"]["Authorize"]["method"]["Upi"]));
    assert_eq!(listed(&upi), "Collect Intent Qr");

    // `expired` and `ready-to-complete` are words that this gateway does not have.
    let outcomes = all(|cassette| name_of(&cassette["outcome"]["Ok"]));
    let expected = "ActionRequired Authorized Cancelled Captured Declined NeverReceived NotProcessed Pending Refunded";
    assert_eq!(listed(&outcomes), expected);
    assert!(cassettes.iter().any(|cassette| !cassette["outcome"]["Err"].is_null()));
    assert!(cassettes.iter().any(|cassette| cassette["delivery"] == "failure"));
}

/// The name of a variant's case as it stands in JSON: a string, or the one member of an object.
fn name_of(variant: &Value) -> Option<String> {
    let name = variant.as_str().or_else(|| variant.as_object()?.keys().next().map(String::as_str));
    name.map(str::to_owned)
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn read(path: &std::path::Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}
