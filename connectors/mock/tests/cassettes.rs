//! Every cassette of the connector: what it sends, what it makes of the replies, and of spoilt ones.

use interlock_connector::{Connector, harness};
use interlock_mock::Mock;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes");

#[test]
fn every_cassette_comes_out_as_it_says() {
    harness::replay_all::<Mock>(FOLDER);
}

/// What nobody wrote a cassette for, nobody has looked at.
#[test]
fn every_operation_method_and_outcome_has_a_cassette() {
    let shown = harness::shown(FOLDER);
    let kinds = shown.cases("/operation/action");
    assert_eq!(kinds.split(' ').count(), Mock::describe().operations.len(), "{kinds}");
    let targets = shown.cases("/operation/action/Sync/target");
    assert_eq!(targets, "Authorize Cancel Capture Complete Refund");

    let methods = shown.cases("/operation/action/Authorize/method");
    assert_eq!(methods, "Card GatewayToken Upi Wallet");
    let upi = shown.cases("/operation/action/Authorize/method/Upi");
    assert_eq!(upi, "Collect Intent Qr");

    // `expired` and `ready-to-complete` are words that this gateway does not have.
    let outcomes = shown.cases("/outcome/Ok");
    let expected = "ActionRequired Authorized Cancelled Captured Declined NeverReceived NotProcessed Pending Refunded";
    assert_eq!(outcomes, expected);
    assert!(shown.has("/outcome/Err"));
    assert!(shown.fails("/delivery"));
}
