//! Every cassette of the connector: what it sends, what it makes of the replies, and of spoilt ones.

use interlock_connector::{Connector, harness};
use interlock_stripe::Stripe;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes");

#[test]
fn every_cassette_comes_out_as_it_says() {
    harness::replay_all::<Stripe>(FOLDER);
}

/// What nobody wrote a cassette for, nobody has looked at.
#[test]
fn every_operation_method_and_outcome_has_a_cassette() {
    let shown = harness::shown(FOLDER);
    let kinds = shown.cases("/operation/action");
    assert_eq!(kinds.split(' ').count(), Stripe::describe().operations.len(), "{kinds}");
    let targets = shown.cases("/operation/action/Sync/target");
    assert_eq!(targets, "Authorize Cancel Capture Complete Refund");

    let methods = shown.cases("/operation/action/Authorize/method");
    assert_eq!(methods, "Card GatewayToken Wallet");

    let outcomes = shown.cases("/outcome/Ok");
    let expected = "ActionRequired Authorized Cancelled Captured Declined Expired NeverReceived NotProcessed Pending \
                    ReadyToComplete Refunded";
    assert_eq!(outcomes, expected);
    assert!(shown.has("/outcome/Err"));
    assert!(shown.fails("/delivery"));
}
