//! Every cassette of the connector: what it sends, what it makes of the replies, and of spoilt ones.

use std::fs;

use interlock_connector::{Connector, harness};
use interlock_razorpay::Razorpay;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes");

#[test]
fn every_cassette_comes_out_as_it_says() {
    harness::replay_all::<Razorpay>(FOLDER);
}

/// What nobody wrote a cassette for, nobody has looked at.
#[test]
fn every_operation_method_and_outcome_has_a_cassette() {
    let shown = harness::shown(FOLDER);
    let kinds = shown.cases("/operation/action");
    assert_eq!(kinds.split(' ').count(), Razorpay::describe().operations.len(), "{kinds}");
    let targets = shown.cases("/operation/action/Sync/target");
    assert_eq!(targets, "Authorize Cancel Capture Complete Refund");

    let methods = shown.cases("/operation/action/Authorize/method");
    assert_eq!(methods, "Card GatewayToken Upi");
    let upi = shown.cases("/operation/action/Authorize/method/Upi");
    assert_eq!(upi, "Collect Intent Qr");

    // `cancelled` and `ready-to-complete` are words that this gateway does not have.
    let outcomes = shown.cases("/outcome/Ok");
    let expected = "ActionRequired Authorized Captured Declined Expired NeverReceived NotProcessed Pending Refunded";
    assert_eq!(outcomes, expected);
    assert!(shown.has("/outcome/Err"));
    assert!(shown.fails("/delivery"));
}

/// The event's id is made of what is signed: whoever sends a delivery again, under whatever event id, sends the same
/// event.
#[test]
fn an_event_has_one_id_whatever_the_header_says() {
    let id = |name: &str| {
        let text = fs::read_to_string(format!("{FOLDER}/webhook-{name}.json")).unwrap();
        let cassette: Value = serde_json::from_str(&text).unwrap();
        cassette["delivery"]["events"][0]["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(id("payment-captured"), id("other-event-id"));
    assert_ne!(id("payment-captured"), id("order-paid"));
}
