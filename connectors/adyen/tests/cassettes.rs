//! Every cassette of the connector: what it sends, what it makes of the replies, and of spoilt ones.

use std::collections::BTreeSet;

use interlock_adyen::Adyen;
use interlock_connector::{Connector, harness};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes");

#[test]
fn every_cassette_comes_out_as_it_says() {
    harness::replay_all::<Adyen>(FOLDER);
}

/// What nobody wrote a cassette for, nobody has looked at.
#[test]
fn every_operation_method_and_outcome_has_a_cassette() {
    let shown = harness::shown(FOLDER);
    let kinds = shown.cases("/operation/action");
    assert_eq!(kinds.split(' ').count(), Adyen::describe().operations.len(), "{kinds}");
    let methods = shown.cases("/operation/action/Authorize/method");
    assert_eq!(methods, "Card GatewayToken Wallet");

    // Captures, cancels and refunds are received and no more; a webhook tells what became of them.
    let outcomes = shown.cases("/outcome/Ok");
    assert_eq!(outcomes, "ActionRequired Authorized Captured Declined NotProcessed Pending");
    assert!(shown.has("/outcome/Err"));

    let events = shown.each().filter_map(|cassette| cassette["delivery"]["events"].as_array()).flatten();
    let events: Vec<_> = events.collect();
    let told = events.iter().filter_map(|event| event["kind"]["Outcome"].as_array());
    let told: BTreeSet<_> = told
        .filter_map(|told| Some(format!("{}:{}", harness::case_of(&told[0])?, harness::case_of(&told[1])?)))
        .collect();
    assert!(events.iter().any(|event| !event["kind"]["Approved"].is_null()));
    assert_eq!(
        told.into_iter().collect::<Vec<_>>().join(" "),
        "Authorize:Cancelled Authorize:Captured Authorize:Declined Authorize:Expired \
         Cancel:Cancelled Cancel:Declined Capture:Captured Capture:Declined Refund:Declined Refund:Refunded"
    );
    assert!(shown.fails("/delivery"));
}
