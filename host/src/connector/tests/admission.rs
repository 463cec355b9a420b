//! What is let in, and what every kind of unfit component is told.

use wasmparser::Parser;

use super::{
    admitted, config, engine,
    fixture::{BOMB, Fixture, SPIN, TRAP, WIT, descriptor, performing},
};
use crate::connector::{Engine, EngineConfig, ReasonCode, Refused, WrapError, wrap};

pub fn refused(component: &[u8]) -> Refused {
    engine().admit(component).unwrap_err()
}

pub fn codes(refused: &Refused) -> Vec<&'static str> {
    refused.reasons.iter().map(|reason| reason.code.name()).collect()
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// The contract as written in `wit/` is the one that the host's types are derived for: nothing is let in otherwise.
#[test]
fn a_component_of_the_contract_is_let_in() {
    let engine = engine();
    let component = Fixture { describe: "(call $say)", ..Fixture::default() }.component();
    let version = admitted(&engine, &component);
    assert_eq!((version.name(), version.version()), ("fixture", "1.2.3"));
    assert_eq!(version.descriptor(), &descriptor());
    assert_eq!(version.digest_hex().len(), 64);
    assert_eq!(version.digest(), admitted(&engine, &component).digest());
}

#[test]
fn what_is_no_webassembly_is_refused() {
    for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\n", b"(component)", &[0xff; 100]] {
        assert_eq!(codes(&refused(bytes)), ["not_wasm"], "{bytes:?}");
    }
}

#[test]
fn a_core_module_is_told_how_to_become_a_component() {
    let module = Fixture::default().module();
    let refused = refused(&module);
    assert_eq!(codes(&refused), ["core_module"]);
    assert!(refused.to_string().contains("interlock connector build"), "{refused}");
}

#[test]
fn a_component_that_is_too_large_is_refused() {
    let engine = Engine::new(EngineConfig { component_max_bytes: 1000, ..config() }).unwrap();
    let refused = engine.admit(&performing(TRAP)).unwrap_err();
    assert_eq!(codes(&refused), ["too_large"]);
    assert!(refused.to_string().contains("at most 1000"), "{refused}");
}

/// Cut anywhere, a component is refused, and nothing panics.
#[test]
fn a_torn_component_is_refused() {
    let engine = engine();
    let component = performing(TRAP);
    for length in (8..component.len()).step_by(97) {
        let refused = engine.admit(&component[..length]).unwrap_err();
        assert!(!refused.reasons.is_empty());
    }
}

#[test]
fn features_that_connectors_may_not_use_are_refused() {
    for (what, module) in [
        ("threads", "(memory 1 1 shared)"),
        ("64-bit memory", "(memory i64 1)"),
        ("garbage collection", "(type (struct (field i32)))"),
        ("exceptions", "(tag)"),
        ("tail calls", "(func $f (return_call $f))"),
        ("several memories", "(memory 1) (memory 1)"),
        ("relaxed SIMD", "(func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))"),
    ] {
        let refused = refused(&component(&format!("(component (core module {module}))")));
        assert_eq!(codes(&refused), ["invalid"], "{what}: {refused}");
    }
}

#[test]
fn every_import_that_is_not_allowed_is_named() {
    let refused = refused(&component(
        r#"(component
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64)))))
            (import "wasi:sockets/tcp@0.2.0" (instance))
            (import "acme:secrets/all@1.0.0" (instance (export "read" (func))))
            (import "interlock:connector/vault@0.3.0" (instance))
            (import "interlock:connector/log@0.3.0" (instance (export "write" (func)))))"#,
    ));
    let imports: Vec<_> = refused.reasons.iter().take(4).map(|r| (r.code, r.detail.as_str())).collect();
    assert_eq!(
        imports,
        [
            (ReasonCode::WasiImport, "it imports wasi:clocks/monotonic-clock@0.2.0"),
            (ReasonCode::WasiImport, "it imports wasi:sockets/tcp@0.2.0"),
            (ReasonCode::UnknownImport, "it imports acme:secrets/all@1.0.0"),
            (ReasonCode::UnknownImport, "it imports interlock:connector/vault@0.3.0"),
        ]
    );
}

#[test]
fn plain_functions_and_modules_are_no_imports() {
    let refused = refused(&component(
        r#"(component (import "exit" (func)) (import "interlock:connector/log@0.3.0" (func)) (import "m" (core module)))"#,
    ));
    assert_eq!(codes(&refused).iter().filter(|code| **code == "unknown_import").count(), 3, "{refused}");
}

#[test]
fn every_missing_export_is_named() {
    let refused = refused(&component("(component)"));
    assert_eq!(codes(&refused), ["wrong_world"; 5]);
    for name in ["description", "gateway", "sessions", "webhooks", "settlement"] {
        assert!(refused.to_string().contains(&format!("interlock:connector/{name}@0.3.0")), "{refused}");
    }
}

/// The same component under versions that nobody has heard of, and under one that once was: each is told what this host
/// serves and what helps, and not what it lacks of a contract that it does not mean to keep.
#[test]
fn a_version_of_the_contract_that_is_not_served_is_refused_by_its_number() {
    for (version, update) in [("0.4.0", true), ("0.3.1", true), ("0.2.1", false), ("0.1.0", false)] {
        let wit = WIT.replace("interlock:connector@0.3.0", &format!("interlock:connector@{version}"));
        let refused = refused(&Fixture { wit, ..Fixture::default() }.component());
        assert_eq!(codes(&refused), ["contract_version"], "{refused}");
        let reason = &refused.reasons[0];
        let detail = format!("it is built against interlock:connector@{version}; this host serves 0.3.0 and 0.2.0");
        assert_eq!(reason.detail, detail);
        assert!(reason.hint.contains("rebuild it with the SDK of 0.3.0"), "{reason}");
        assert_eq!(reason.hint.contains("update the host"), update, "{reason}");
    }
}

/// One that was linked of two halves.
#[test]
fn a_component_of_two_versions_is_refused() {
    let refused = refused(&component(
        r#"(component
            (import "interlock:connector/egress@0.2.0" (instance))
            (import "interlock:connector/log@0.3.0" (instance))
            (import "wasi:sockets/tcp@0.2.0" (instance)))"#,
    ));
    assert_eq!(codes(&refused), ["wasi_import", "contract_version"]);
    assert!(refused.to_string().contains("it mixes the versions 0.2.0 and 0.3.0 of interlock:connector"), "{refused}");
}

/// The right names with other types: a connector that was built against another draft of the contract.
#[test]
fn another_shape_of_the_contract_is_refused() {
    for (ours, theirs) in [
        ("record failure {", "record failure { retry: bool,"),
        ("enum level {", "enum level { trace,"),
        ("minor-units: u64", "minor-units: u32"),
    ] {
        let wit = WIT.replace(ours, theirs);
        assert_ne!(wit, WIT, "the contract has {ours}");
        let refused = refused(&Fixture { wit, ..Fixture::default() }.component());
        assert_eq!(codes(&refused), ["wrong_world"], "{theirs}: {refused}");
    }
}

#[test]
fn more_memory_than_an_instance_has_is_refused() {
    let two = "(core module (memory 1))".repeat(3);
    assert!(codes(&refused(&component(&format!("(component {two})")))).contains(&"too_many_memories"));
    assert!(codes(&refused(&component("(component (core module (memory 2000)))"))).contains(&"limits"));
}

#[test]
fn more_functions_than_the_compiler_is_given_are_refused() {
    let functions = "(func)".repeat(100_001);
    assert!(codes(&refused(&component(&format!("(component (core module {functions}))")))).contains(&"limits"));
    let function = "i32.const 1 drop ".repeat(400_000);
    assert!(codes(&refused(&component(&format!("(component (core module (func {function})))")))).contains(&"limits"));
}

/// A component may hold modules that are valid and within all counts, and still ask for more than the pool has.
#[test]
fn what_the_pool_cannot_hold_is_refused_when_it_is_compiled() {
    let fixture = Fixture::default().component();
    let text = "(component (core module $m (table 30000 funcref)) (core instance (instantiate $m)))";
    // Only the compiler looks at tables; so the contract has to be kept besides.
    let refused = engine().admit(&beside(&fixture, &component(text))).unwrap_err();
    assert_eq!(codes(&refused), ["compile_failed"], "{refused}");
}

/// `first`, with `second` nested in it and instantiated.
pub fn beside(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut components = 0;
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(first) {
        match payload.unwrap() {
            wasmparser::Payload::Version { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            wasmparser::Payload::ComponentSection { .. } if depth == 1 => components += 1,
            _ => {}
        }
    }
    let mut bytes = first.to_vec();
    section(&mut bytes, 4, second);
    // One component instance: instantiate, that component, without arguments.
    section(&mut bytes, 5, &[1, 0, components, 0]);
    bytes
}

pub fn section(bytes: &mut Vec<u8>, id: u8, contents: &[u8]) {
    bytes.push(id);
    let mut length = contents.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend_from_slice(contents);
}

#[test]
fn what_goes_wrong_at_start_is_told() {
    for (what, start, expected) in [
        ("a loop", SPIN, "fuel"),
        ("a memory bomb", BOMB, "memory"),
        ("a trap", TRAP, "unreachable"),
        ("a recursion", "(drop (call $deep))", "stack"),
        // At this moment the functions that a component imports are not linked in yet.
        ("an exchange", "(call $ask)", "fault"),
    ] {
        let refused = refused(&Fixture { start: Some(start), ..Fixture::default() }.component());
        assert_eq!(codes(&refused), ["start_trapped"], "{what}: {refused}");
        assert!(refused.reasons[0].detail.starts_with(expected), "{what}: {refused}");
    }
}

#[test]
fn what_goes_wrong_in_describe_is_told() {
    for (what, describe, expected) in [
        ("a loop", SPIN, "fuel"),
        ("a memory bomb", BOMB, "memory"),
        ("a trap", TRAP, "unreachable"),
        ("a recursion", "(drop (call $deep))", "stack"),
        ("an exchange", "(call $ask)", "forbidden"),
    ] {
        let refused = refused(&Fixture { describe, ..Fixture::default() }.component());
        assert_eq!(codes(&refused), ["describe_trapped"], "{what}: {refused}");
        assert!(refused.reasons[0].detail.starts_with(expected), "{what}: {refused}");
    }
}

/// Without a bound on instructions the clock ends it.
#[test]
fn a_loop_in_describe_ends_by_the_clock_too() {
    let engine = Engine::new(EngineConfig {
        fuel_max: u64::MAX,
        run_time_max: std::time::Duration::from_millis(50),
        ..config()
    })
    .unwrap();
    let refused = engine.admit(&Fixture { describe: SPIN, ..Fixture::default() }.component()).unwrap_err();
    assert!(refused.reasons[0].detail.starts_with("time"), "{refused}");
}

#[test]
fn a_descriptor_that_changes_is_no_promise() {
    // The first letter of the version counts how often it was asked.
    let describe = "(i32.store8 (i32.load offset=8 (global.get $descriptor))
        (i32.add (i32.const 1) (i32.load8_u (i32.load offset=8 (global.get $descriptor)))))";
    let refused = refused(&Fixture { describe, ..Fixture::default() }.component());
    assert_eq!(codes(&refused), ["describe_changes"]);
}

#[test]
fn every_fault_of_a_descriptor_is_told() {
    let mut bad = descriptor();
    bad.name = "Fixture!".to_owned();
    bad.version = "one".to_owned();
    bad.origins.push("https://gateway.example/path".to_owned());
    let refused = refused(&Fixture { descriptor: bad, ..Fixture::default() }.component());
    assert_eq!(codes(&refused), ["bad_descriptor"; 3], "{refused}");
}

#[test]
fn only_core_modules_of_the_contract_are_wrapped() {
    let component = Fixture::default().component();
    assert!(matches!(wrap(&component), Err(WrapError::AlreadyComponent)));
    assert!(matches!(wrap(b"text"), Err(WrapError::NotWasm)));
    let wasi = wat::parse_str(r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#).unwrap();
    assert!(matches!(wrap(&wasi), Err(WrapError::Encode(_))));
    assert_eq!(Fixture::default().component(), component, "the same bytes every time");
}
