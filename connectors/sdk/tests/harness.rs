//! The harness finds what it is there to find: a connector with one fault at a time, and what is said about it.
#![expect(clippy::unwrap_used, reason = "helpers of tests may end at the first surprise too")]

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU32, Ordering};

use interlock_connector::request::{idempotency_key, json_object, secret};
use interlock_connector::types::{
    Approval, Capture, Context, Delivery, Descriptor, Effect, Event, EventKind, Failure, Features, Inbound, Keep,
    Level, Location, Mac, Method, Money, Opening, Operation, Outcome, Placement, Request, Response, Segment,
};
use interlock_connector::webhook::{acknowledged, from_hex};
use interlock_connector::{Connector, Host, harness};
use serde_json::{Value, json};

const API: &str = "https://api.example.test";

#[derive(PartialEq)]
enum Fault {
    None,
    Impure,
    Panics,
    BelievesAnything,
    IgnoresStatus,
    NoKey,
    OtherOrigin,
    StrayHole,
    OtherOutcome,
    AsksAgain,
    AsksNothing,
    BelievesWebhooks,
    SessionForACustomer,
}

const FAULTS: [Fault; 13] = [
    Fault::None,
    Fault::Impure,
    Fault::Panics,
    Fault::BelievesAnything,
    Fault::IgnoresStatus,
    Fault::NoKey,
    Fault::OtherOrigin,
    Fault::StrayHole,
    Fault::OtherOutcome,
    Fault::AsksAgain,
    Fault::AsksNothing,
    Fault::BelievesWebhooks,
    Fault::SessionForACustomer,
];

/// A connector that captures, with the fault of that number.
struct Faulty<const FAULT: usize>;

impl<const FAULT: usize> Faulty<FAULT> {
    fn has(fault: &Fault) -> bool {
        FAULTS.get(FAULT) == Some(fault)
    }

    fn request(operation: &Operation) -> Request {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let origin = if Self::has(&Fault::OtherOrigin) { "https://api.example.test.evil" } else { API };
        let key = if Self::has(&Fault::NoKey) { "always-the-same".to_owned() } else { idempotency_key(operation, 1) };
        let body = json_object(|body| {
            body.integer("amount", 100);
            if Self::has(&Fault::Impure) {
                body.integer("run", RUNS.fetch_add(1, Ordering::Relaxed).into());
            }
            if Self::has(&Fault::StrayHole) {
                body.hole("note", Segment::CardNumber);
            }
        });
        Request::post([origin, "/captures"].concat())
            .header("authorization", ["Bearer ".into(), secret("api_key")])
            .header("idempotency-key", key)
            .json(body)
    }

    fn outcome(reply: &Response) -> Result<Outcome, Failure> {
        let captured = |id: &str, amount| Ok(Outcome::Captured(Approval::of(id, Money::new(amount, "EUR"))));
        if Self::has(&Fault::BelievesAnything) {
            return captured("c_1", 100);
        }
        if !reply.is_success() && !Self::has(&Fault::IgnoresStatus) {
            return Err(Failure::new("refused"));
        }
        if Self::has(&Fault::Panics) {
            let read: Value = serde_json::from_slice(&reply.body).expect("gateways always send JSON");
            return captured("c_1", read.get("amount").and_then(Value::as_u64).expect("they do"));
        }
        let read = reply.document()?;
        let amount = if Self::has(&Fault::OtherOutcome) { 99 } else { read.integer("/amount")? };
        captured(read.text("/id")?, amount)
    }
}

impl<const FAULT: usize> Connector for Faulty<FAULT> {
    fn describe() -> Descriptor {
        Descriptor {
            name: "faulty".to_owned(),
            version: "0.1.0".to_owned(),
            display_name: "Faulty".to_owned(),
            methods: Vec::new(),
            currencies: Vec::new(),
            origins: vec![API.to_owned()],
            settings: Vec::new(),
            placements: vec![Placement {
                hole: "secret:api_key".to_owned(),
                method: Method::Post,
                origin: API.to_owned(),
                path_prefix: "/".to_owned(),
                location: Location::Header,
                name: "authorization".to_owned(),
            }],
            operations: Vec::new(),
            features: Features {
                partial_capture: false,
                multiple_capture: false,
                partial_refund: false,
                cancel: false,
            },
        }
    }

    fn perform(_: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
        if Self::has(&Fault::AsksNothing) {
            return Err(Failure::new("no wish to"));
        }
        let reply = host.exchange(&Self::request(operation));
        if Self::has(&Fault::AsksAgain) {
            host.exchange(&Request::get([API, "/captures/c_1"].concat()));
        }
        host.log(Level::Debug, "read the reply");
        Self::outcome(&reply)
    }

    /// The faulty one takes the gateway for somebody who wants to be paid.
    fn open_session(_: &Context) -> Option<Opening> {
        let request = Request::post([API, "/token"].concat())
            .header("authorization", ["Basic ".into(), secret("api_key")])
            .effect(Effect::Reads);
        let request = if Self::has(&Fault::SessionForACustomer) {
            request.header("x-card", Segment::CardNumber).effect(Effect::MovesMoney)
        } else {
            request
        };
        let keep = Keep {
            name: "token".to_owned(),
            pointer: "/token".to_owned(),
            lifetime_pointer: None,
            lifetime_seconds: 60,
        };
        Some(Opening { request, keep: vec![keep] })
    }

    fn receive(_: &Context, inbound: &Inbound, host: &mut dyn Host) -> Result<Delivery, Failure> {
        let signature = inbound.header("signature").and_then(from_hex).unwrap_or_default();
        // Signed is the whole body; the faulty one signs nothing at all.
        let signed: &[u8] = if Self::has(&Fault::BelievesWebhooks) { b"" } else { &inbound.body };
        let proof = host.verify(Mac::HmacSha256, "webhook_secret", signed, &signature);
        let event = Event {
            id: "e_1".to_owned(),
            occurred_at: None,
            operation_id: None,
            gateway_reference: None,
            references: Vec::new(),
            kind: EventKind::Notice("hello".to_owned()),
            proof,
        };
        Ok(Delivery { events: vec![event], acknowledgement: acknowledged() })
    }
}

/// A cassette on which a faultless connector passes.
fn operation() -> Value {
    let capture = Capture { amount: Money::new(100, "EUR"), is_final: true };
    let operation = Operation {
        id: "op_1".to_owned(),
        payment_id: "pay_1".to_owned(),
        references: Vec::new(),
        action: interlock_connector::types::Action::Capture(capture),
    };
    json!({
        "about": "a capture",
        "now": 1_700_000_000_000_u64,
        "operation": operation,
        "exchanges": [{
            "request": Faulty::<0>::request(&operation),
            "reply": { "status": 200, "headers": [], "body": { "id": "c_1", "amount": 100 } },
        }],
        "outcome": Ok::<_, Failure>(Outcome::Captured(Approval::of("c_1", Money::new(100, "EUR")))),
    })
}

/// Replays a cassette with `C` and gives what is said about it; nothing where all is well.
fn report<C: Connector>(cassette: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cassette.json"), cassette.to_string()).unwrap();
    let path = folder.path().to_owned();
    match catch_unwind(move || harness::replay_all::<C>(path)) {
        Ok(()) => String::new(),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    }
}

/// The report of the connector with the fault `FAULT` holds `expected`.
fn finds<const FAULT: usize>(expected: &str) {
    let report = report::<Faulty<FAULT>>(&operation());
    assert!(report.contains(expected), "{expected:?} is not in the report {report}");
    assert!(report.contains("1 of 1 cassettes fail") && report.contains("cassette.json"), "{report}");
}

#[test]
fn a_good_connector_passes() {
    assert_eq!(report::<Faulty<0>>(&operation()), "");
}

#[test]
fn an_impure_connector_is_found() {
    finds::<1>("two runs of the same differ");
}

#[test]
fn a_panic_is_found() {
    finds::<2>("it panicked: gateways always send JSON");
}

#[test]
fn money_out_of_garbage_is_found() {
    finds::<3>("replaced by nothing: it returned Ok");
}

#[test]
fn money_out_of_an_error_is_found() {
    finds::<4>("with status 301: it returned Ok");
}

#[test]
fn a_write_without_its_key_is_found() {
    finds::<5>("exchange 1 is another one than expected");
    // Even where the cassette agrees.
    let mut cassette = operation();
    cassette["exchanges"][0]["request"] = json!(Faulty::<5>::request(&an_operation(&cassette)));
    let report = report::<Faulty<5>>(&cassette);
    assert!(report.contains(r#"it writes, and sends "op_1" neither"#), "{report}");
}

#[test]
fn another_origin_is_found() {
    let mut cassette = operation();
    cassette["exchanges"][0]["request"] = json!(Faulty::<6>::request(&an_operation(&cassette)));
    let report = report::<Faulty<6>>(&cassette);
    assert!(report.contains("https://api.example.test.evil/captures is at no declared origin"), "{report}");
}

#[test]
fn a_stray_hole_is_found() {
    let mut cassette = operation();
    cassette["exchanges"][0]["request"] = json!(Faulty::<7>::request(&an_operation(&cassette)));
    let report = report::<Faulty<7>>(&cassette);
    assert!(report.contains("no placement allows card-number"), "{report}");
}

#[test]
fn another_outcome_is_shown_as_a_difference() {
    finds::<8>("\n   | -         \"minor_units\": 100,\n   | +         \"minor_units\": 99,\n");
    finds::<8>(", at /Ok/Captured/amount/minor_units");
    finds::<8>("error[amount]: the outcome says 99 EUR (minor units), and no reply does");
}

#[test]
fn an_unexpected_exchange_is_found() {
    finds::<9>("another exchange was asked for");
}

#[test]
fn a_missing_exchange_is_found() {
    finds::<10>("exchange 1 was never asked for: it returned");
}

/// The signature is right for the body in the cassette; a connector that does not look at the body is found out by
/// others.
#[test]
fn a_webhook_is_believed_for_its_body_alone() {
    let cassette = |signature: &str| {
        json!({
            "about": "a webhook",
            "secrets": { "webhook_secret": ["whsec"] },
            "inbound": { "headers": [["Signature", signature]], "body": "{}" },
            "delivery": {
                "events": [{
                    "id": "e_1", "references": [], "kind": { "Notice": "hello" }, "proof": 0,
                }],
                "acknowledgement": { "status": 200, "headers": [], "body": [] },
            },
        })
    };
    // `printf '{}' | openssl dgst -sha256 -hmac whsec`, and the same of nothing.
    let of_body = "ae6341ea7f40a435db57d903d02cba19085efb8a913f8cfbd8cff3d7df0c7a2d";
    let of_nothing = "30b8ae759085dd8ae9890354d6a941d37f53008e834e2e4a819d9fc155e99438";
    assert_eq!(report::<Faulty<0>>(&cassette(of_body)), "");
    let report = report::<Faulty<11>>(&cassette(of_nothing));
    assert!(report.contains("its body is not the one that was signed"), "{report}");
}

/// What opens a session are the account's secrets: no customer's card goes there, and no money is moved by it.
#[test]
fn a_session_is_opened_by_secrets_alone() {
    let cassette = |opening: Option<Opening>| json!({ "about": "a session", "opening": opening });
    let context = Context { settings: Vec::new(), now: 0, nonce: Vec::new() };
    assert_eq!(report::<Faulty<0>>(&cassette(Faulty::<0>::open_session(&context))), "");
    let report = report::<Faulty<12>>(&cassette(Faulty::<12>::open_session(&context)));
    assert!(report.contains("card-number opens no session"), "{report}");
    assert!(report.contains("opening a session moves no money"), "{report}");
}

#[test]
fn what_is_no_cassette_is_told() {
    let report_of = |cassette: Value| report::<Faulty<0>>(&cassette);
    assert!(report_of(json!({ "about": "nothing" })).contains("it has neither `operation` nor"));
    let mut cassette = operation();
    cassette["outcome"] = Value::Null;
    assert!(report_of(cassette).contains("it does not say which outcome is expected"));
    let mut cassette = operation();
    cassette["nonce"] = "xyz".into();
    assert!(report_of(cassette).contains("`nonce` is not hexadecimal"));
    let mut cassette = operation();
    cassette["operation"]["id"] = 7.into();
    assert!(report_of(cassette).contains("invalid type: integer `7`, expected a string"));
}

#[test]
#[should_panic(expected = "there are no cassettes in")]
fn no_cassettes_prove_nothing() {
    harness::replay_all::<Faulty<0>>(tempfile::tempdir().unwrap().path());
}

fn an_operation(cassette: &Value) -> Operation {
    serde_json::from_value(cassette["operation"].clone()).unwrap()
}
