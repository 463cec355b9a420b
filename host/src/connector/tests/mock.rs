//! The real thing: the mock connector, as it is built for use.

use std::{env, fs, path::PathBuf, sync::Arc};

use super::{admitted, answered, authorize, context, engine};
use crate::connector::{RunError, Step, types::Outcome};

/// The component, from where `INTERLOCK_TEST_MOCK_WASM` says or `make build` leaves it.
fn component() -> Vec<u8> {
    let path = env::var_os("INTERLOCK_TEST_MOCK_WASM").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/connectors/mock.wasm")),
        PathBuf::from,
    );
    fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "the mock connector is not there ({}: {error}): build it with `make build`, or name it in \
             INTERLOCK_TEST_MOCK_WASM",
            path.display()
        )
    })
}

const CAPTURED: &str = r#"{"id":"ch_1","reference":"op_1","amount":1250,"captured":1250,"refunded":0,"currency":"EUR",
    "status":"captured"}"#;

#[tokio::test]
async fn a_payment_is_asked_for_and_captured() {
    let engine = engine();
    let version = admitted(&engine, &component());
    assert_eq!(version.name(), "mock");
    let step = engine.perform(&version, &context(), &authorize(), Arc::default()).await.unwrap();
    let Step::Send(request) = step else { panic!("{step:?}") };
    assert_eq!(request.url, "https://gateway.example/charges");
    let written = serde_json::to_string(&request).unwrap();
    assert!(written.contains("CardNumber"), "the number is a hole: {written}");

    let again = engine.perform(&version, &context(), &authorize(), Arc::default()).await;
    assert_eq!(again, Ok(Step::Send(request.clone())), "the same every time");

    let transcript = Arc::new(vec![answered(request.clone(), 201, CAPTURED)]);
    let step = engine.perform(&version, &context(), &authorize(), transcript).await.unwrap();
    let Step::Done(Outcome::Captured(approval)) = step else { panic!("{step:?}") };
    assert_eq!((approval.gateway_reference.as_str(), approval.amount.minor_units), ("ch_1", 1250));

    let mut other = request;
    other.url.push_str("?2");
    let transcript = Arc::new(vec![answered(other, 201, CAPTURED)]);
    let diverged = engine.perform(&version, &context(), &authorize(), transcript).await;
    assert!(matches!(diverged, Err(RunError::Diverged { position: 0, .. })), "{diverged:?}");
}

/// Whatever the gateway sends, it is a step, and money never came out of garbage.
#[tokio::test]
async fn garbage_is_never_money() {
    let engine = engine();
    let version = admitted(&engine, &component());
    let step = engine.perform(&version, &context(), &authorize(), Arc::default()).await.unwrap();
    let Step::Send(request) = step else { panic!("{step:?}") };
    for status in [200, 201, 302, 400, 402, 404, 409, 429, 500, 503] {
        for body in ["", "<html>", "{", "[]", "null", "{\"status\":\"captured\"}", &"[".repeat(100_000)] {
            let transcript = Arc::new(vec![answered(request.clone(), status, body)]);
            let step = engine.perform(&version, &context(), &authorize(), transcript).await;
            let money = matches!(step, Ok(Step::Done(Outcome::Captured(_) | Outcome::Authorized(_))));
            assert!(step.is_ok() && !money, "{status} {}: {step:?}", &body[..body.len().min(30)]);
        }
    }
}
