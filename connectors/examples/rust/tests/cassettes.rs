//! Every cassette: what the connector sends, what it makes of the replies, and of spoilt ones. Runs natively.

use interlock_connector::harness;
use tiny_rust::Gateway;

#[test]
fn every_cassette_comes_out_as_it_says() {
    harness::replay_all::<Gateway>(concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes"));
}
