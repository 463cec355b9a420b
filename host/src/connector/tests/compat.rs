//! Components of the contract before the newest, in the newest types.

use std::{fs, path::Path, sync::Arc};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    admitted, answered, authorize, cancel, config, context, engine,
    fixture::{ASK_ONCE, Fixture, WIT, descriptor},
};
use crate::connector::{
    Engine, EngineConfig, Step, Verify,
    contract::Contract,
    digest_of,
    types::{EventKind, Exchange, Inbound, Mac, Outcome},
};

/// Built when 0.2.0 was the newest, and never again.
fn old_mock() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/wit-0.2.0");
    fs::read(folder.join("mock.wasm")).unwrap()
}

const DECLINED: &str = r#"{"id":"ch_1","reference":"op_1","amount":1250,"captured":0,"refunded":0,"currency":"EUR",
    "status":"declined","decline":{"code":"insufficient_funds","message":"Too little.","network_code":"51"}}"#;

/// The whole of 0.2.0 is known, and not only what the mock connector uses of it: a component made by its text is let in,
/// runs, and is the same to whoever asks.
#[test]
fn a_component_of_the_contract_before_is_let_in_and_runs() {
    let engine = engine();
    let fixture = |contract: Contract| {
        Fixture { wit: contract.wit().to_owned(), perform: ASK_ONCE.to_owned(), ..Fixture::default() }.component()
    };
    let (old, new) = (fixture(Contract::V0_2), fixture(Contract::Newest));
    assert_eq!(Contract::Newest.wit(), WIT);
    assert_ne!(digest_of(&old), digest_of(&new));
    let (old, new) = (admitted(&engine, &old), admitted(&engine, &new));
    assert_eq!((old.descriptor(), new.descriptor()), (&descriptor(), &descriptor()));
    assert_eq!(old.report().unwrap().contract, "0.2.0");
    assert_eq!(new.report().unwrap().contract, "0.3.0");
    // Byte for byte the same: what one wrote down, the other would ask for.
    let first = |version| engine.perform_here(version, &context(), &cancel(), Arc::default()).unwrap();
    let Step::Send(request) = first(&old) else { panic!("it asks") };
    assert_eq!(Step::Send(request.clone()), first(&new));
    let transcript = Arc::new(vec![answered(request, 200, "")]);
    let done = engine.perform_here(&old, &context(), &cancel(), transcript).unwrap();
    assert_eq!(done, Step::Done(Outcome::NotProcessed(None)));
}

/// A decline crosses with all that it has.
#[test]
fn an_old_decline_is_whole() {
    let engine = engine();
    let version = admitted(&engine, &old_mock());
    let perform =
        |transcript: Vec<Exchange>| engine.perform_here(&version, &context(), &authorize(), Arc::new(transcript));
    let Ok(Step::Send(request)) = perform(vec![]) else { panic!("it asks") };
    let Ok(Step::Done(outcome)) = perform(vec![answered(request, 402, DECLINED)]) else { panic!("it is read") };
    assert_eq!(
        serde_json::to_value(&outcome).unwrap(),
        json!({ "Declined": {
            "code": "InsufficientFunds", "gateway_code": "insufficient_funds", "network_code": "51",
            "message": "Too little.", "advice": "OtherGateway", "gateway_reference": "ch_1",
            "references": [["charge", "ch_1"]], "reopenable_for_seconds": 0,
        }})
    );
}

struct Fits;

impl Verify for Fits {
    fn verify(&self, _: Mac, _: &str, _: &[u8], _: &[u8]) -> Option<u32> {
        Some(7)
    }
}

/// A webhook crosses with its events in their order, outcomes and proofs among them.
#[tokio::test]
async fn an_old_components_webhooks_are_read() {
    let engine = engine();
    let version = admitted(&engine, &old_mock());
    let cassette: Value =
        serde_json::from_str(include_str!("../../../../connectors/mock/cassettes/webhook-charge-declined.json"))
            .unwrap();
    let mut context = (*context()).clone();
    context.now = cassette["now"].as_u64().unwrap();
    let inbound = Inbound {
        headers: serde_json::from_value(cassette["inbound"]["headers"].clone()).unwrap(),
        query: String::new(),
        body: match &cassette["inbound"]["body"] {
            Value::String(text) => text.clone().into_bytes(),
            body => body.to_string().into_bytes(),
        },
    };
    let delivery = engine.receive(&version, &Arc::new(context), inbound, Arc::new(Fits)).await.unwrap().unwrap();
    let [event] = &delivery.events[..] else { panic!("{delivery:?}") };
    assert!(event.proof.is_some() && event.operation_id.is_some(), "{event:?}");
    assert!(matches!(&event.kind, EventKind::Outcome((_, Outcome::Declined(_)))), "{event:?}");
    assert_eq!(delivery.acknowledgement.status, 200);
}

/// The image says which contract it is of, and nobody has to look at the component for that.
#[test]
fn an_old_components_image_is_loaded_as_what_it_is() {
    let dir = TempDir::new().unwrap();
    let cached = || Engine::new(EngineConfig { cache_dir: Some(dir.path().to_owned()), ..config() }).unwrap();
    let component = old_mock();
    let judged = admitted(&cached(), &component);
    let engine = cached();
    let version = engine.cached(&digest_of(&component)).expect("it was kept");
    assert_eq!(version.report(), judged.report());
    let ask = |version| engine.perform_here(version, &context(), &authorize(), Arc::default()).unwrap();
    let Step::Send(request) = ask(&version) else { panic!("it asks") };
    let transcript = Arc::new(vec![answered(request, 402, DECLINED)]);
    let step = engine.perform_here(&version, &context(), &authorize(), transcript).unwrap();
    assert!(matches!(step, Step::Done(Outcome::Declined(_))), "{step:?}");
}

/// What was written down before there was such a code is still read.
#[test]
fn a_journal_of_the_contract_before_is_read() {
    let written = r#"{"Declined":{"code":"DoNotHonor","gateway_code":"05","message":"No.","advice":"Never",
        "gateway_reference":null,"references":[],"reopenable_for_seconds":0}}"#;
    let Ok(Outcome::Declined(decline)) = serde_json::from_str(written) else { panic!("it is an outcome") };
    assert_eq!((decline.gateway_code.as_str(), decline.network_code), ("05", None));
}
