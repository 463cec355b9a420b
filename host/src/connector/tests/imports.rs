//! Everything that a component might want of a system, and does not get.

use wasm_encoder::{
    ComponentImportSection, ComponentSection as _, ComponentTypeRef, ComponentTypeSection, CoreTypeSection,
    InstanceType, ModuleType, PrimitiveValType,
};

use super::{
    admission::{beside, codes, refused, section},
    fixture::Fixture,
};

/// Every interface of WASI 0.2, and those that are proposed besides.
const WASI: [&str; 40] = [
    "wasi:blobstore/blobstore",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/run",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/timezone",
    "wasi:clocks/wall-clock",
    "wasi:config/store",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/incoming-handler",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:keyvalue/store",
    "wasi:logging/logging",
    "wasi:messaging/producer",
    "wasi:nn/inference",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
    "wasi:sql/types",
    "wasi:threads/threads",
];

/// A good component that also imports an instance of this name, with one function in it.
fn wanting(name: &str) -> Vec<u8> {
    let mut component = Fixture::default().component();
    let mut instance = InstanceType::new();
    instance.ty().function().params([("to", PrimitiveValType::String)]).result(None);
    instance.export("get", ComponentTypeRef::Func(0));
    let mut types = ComponentTypeSection::new();
    types.instance(&instance);
    let index = types_of(&component);
    types.append_to_component(&mut component);
    let mut imports = ComponentImportSection::new();
    imports.import(name, ComponentTypeRef::Instance(index));
    imports.append_to_component(&mut component);
    component
}

/// How many types a component has: the index of the next one.
fn types_of(component: &[u8]) -> u32 {
    let mut validator = wasmparser::Validator::new();
    let mut count = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        // It has no types to count where it is outside of every component.
        validator.payload(&payload.unwrap()).unwrap();
        count = validator.types(0).map_or(count, |types| types.component_type_count());
    }
    count
}

#[test]
fn nothing_of_a_system_is_let_in() {
    for name in WASI {
        for version in ["", "@0.2.0", "@0.2.6", "@0.3.0"] {
            let refused = refused(&wanting(&format!("{name}{version}")));
            assert_eq!(codes(&refused), ["wasi_import"], "{name}{version}: {refused}");
        }
    }
}

/// Names that look like ours, or like nobody's.
#[test]
fn nothing_beside_the_contract_is_let_in() {
    for (name, expected) in [
        ("interlock:connector/vault@0.3.0", "unknown_import"),
        ("interlock:connector/egress-raw@0.3.0", "unknown_import"),
        ("interlock:connector2/egress@0.3.0", "unknown_import"),
        ("interlock:host/egress@0.3.0", "unknown_import"),
        // Beside one that is served; also where both are.
        ("interlock:connector/egress@0.2.0", "contract_version"),
        ("interlock:connector/egress@0.2.1", "contract_version"),
        ("interlock:connector/egress@9.0.0", "contract_version"),
        ("interlock:connector/egress", "contract_version"),
        // An export is no import, even of the right version.
        ("interlock:connector/gateway@0.3.0", "unknown_import"),
        ("wasix:clocks/clock@0.2.0", "unknown_import"),
        ("env", "unknown_import"),
    ] {
        let refused = refused(&wanting(name));
        assert_eq!(codes(&refused), [expected], "{name}: {refused}");
    }
}

/// Our own interface a second time, with a function that it does not have.
#[test]
fn our_own_interfaces_are_what_they_are() {
    let refused = refused(&wanting("interlock:connector/log@0.3.0"));
    assert_eq!(codes(&refused), ["invalid"], "{refused}");
    // `types` has no functions; one that it is said to have is nobody's.
    let refused = super::admission::refused(&wanting("interlock:connector/types@0.3.0"));
    assert!(matches!(codes(&refused)[..], ["wrong_world" | "invalid"]), "{refused}");
}

/// A module of the host's, which would bring its own imports along.
#[test]
fn core_modules_are_no_imports() {
    let mut component = Fixture::default().component();
    let mut types = CoreTypeSection::new();
    types.ty().module(&ModuleType::new());
    types.append_to_component(&mut component);
    let mut imports = ComponentImportSection::new();
    imports.import("m", ComponentTypeRef::Module(0));
    imports.append_to_component(&mut component);
    assert_eq!(codes(&refused(&component)), ["unknown_import"]);
}

/// As many instances, tables and memories as the pool has for one component, and one more of each.
#[test]
fn what_the_pool_reserves_for_one_component_is_all_that_it_gets() {
    let fixture = Fixture::default().component();
    for (what, text) in [
        ("instances", format!("(core module $m) {}", "(core instance (instantiate $m))".repeat(65))),
        (
            "tables of a module",
            format!("(core module $m {}) (core instance (instantiate $m))", "(table 1 funcref)".repeat(3)),
        ),
        (
            "tables of the component",
            format!(
                "(core module $m (table 1 funcref) (table 1 funcref)) {}",
                "(core instance (instantiate $m))".repeat(3)
            ),
        ),
        ("memories", format!("(core module $m (memory 1)) {}", "(core instance (instantiate $m))".repeat(3))),
    ] {
        let nested = wat::parse_str(format!("(component {text})")).unwrap();
        let refused = refused(&beside(&fixture, &nested));
        assert!(matches!(codes(&refused)[..], ["compile_failed"]), "{what}: {refused}");
    }
}

/// Types of types, names, data, exports and custom sections beyond all measure: refused in the time that it takes to
/// read them, or let in because they cost nothing.
#[test]
fn what_is_made_to_be_hard_to_read_is_read() {
    let fixture = Fixture::default().component();
    let nested = wat::parse_str(format!("(component {})", "(component ".repeat(90) + &")".repeat(90))).unwrap();
    let types = wat::parse_str(format!("(component {})", "(type (list u8))".repeat(200_000))).unwrap();
    let lists =
        (0..5000).fold("(type $t0 (list u8))".to_owned(), |text, n| text + &format!("(type $t{} (list $t{n}))", n + 1));
    let lists = wat::parse_str(format!("(component {lists})")).unwrap();
    let exports = (0..120_000).fold(String::new(), |text, n| text + &format!("(export \"e{n}\" (func 0))"));
    let exports = wat::parse_str(format!("(component (core module (func) {exports}))")).unwrap();
    let data = wat::parse_str(format!(
        "(component (core module (memory 1) {}))",
        "(data (i32.const 0) \"x\")".repeat(120_000)
    ))
    .unwrap();
    let name =
        wat::parse_str(format!("(component (core module (func (export \"{}\"))))", "n".repeat(200_000))).unwrap();
    for (what, second) in [
        ("nesting", nested),
        ("types", types),
        ("lists of lists", lists),
        ("exports", exports),
        ("data", data),
        ("a name", name),
    ] {
        match crate::connector::tests::engine().admit(&beside(&fixture, &second)) {
            Ok(version) => assert_eq!(version.name(), "fixture", "{what}"),
            Err(refused) => assert!(
                matches!(codes(&refused)[..], ["invalid" | "compile_failed" | "wrong_world"]),
                "{what}: {refused}"
            ),
        }
    }
    let mut custom = fixture.clone();
    (0..20_000).for_each(|_| section(&mut custom, 0, b"\x04note"));
    assert_eq!(crate::connector::tests::engine().admit(&custom).unwrap().name(), "fixture");
}
