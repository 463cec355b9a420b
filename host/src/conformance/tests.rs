//! What a component is told that breaks a rule which no setting of an account could break, and what stands between the
//! two mirrors of the contract.

use interlock_connector::harness::{Effort, Rule};

use super::{EFFORT, Finding, Report, cross::cross};
use crate::{
    conformance,
    connector::{
        Engine, EngineConfig, Named, embed, embedded,
        tests::fixture::{self, Fixture},
        types::{self, SettingKind},
    },
};

/// What the kit says of a component.
fn report(component: &[u8]) -> Report {
    let engine = Engine::new(EngineConfig::new([7; 32])).unwrap();
    let version = engine.admit(component).unwrap_or_else(|refused| panic!("{refused}"));
    conformance::check(&engine, &version, component).unwrap()
}

fn of(report: &Report, rule: Rule) -> Vec<&Finding> {
    report.findings.iter().filter(|finding| finding.rule == rule).collect()
}

/// Nothing but the component is needed, and where that is little, it is said.
#[test]
fn a_component_without_cassettes_is_tried_out_and_told_how_little_that_proves() {
    let report = report(&Fixture::default().component());
    assert_eq!((report.verdict(), report.cassettes, report.errors), (Ok(()), 0, 0), "{report}");
    assert!(report.runs > 20, "{report}");
    let [finding] = of(&report, Rule::Coverage)[..] else { panic!("{report}") };
    assert!(finding.says.starts_with("it has no cassettes"), "{report}");
}

#[test]
fn a_component_that_traps_is_found_without_a_single_cassette() {
    let report = report(&fixture::performing(fixture::TRAP));
    let [finding, ..] = of(&report, Rule::Totality)[..] else { panic!("{report}") };
    assert!(finding.says.starts_with("it trapped (unreachable)"), "{report}");
    assert_eq!(finding.at.cassette.as_deref(), Some("a made-up authorize by card in EUR"));
}

/// It asks nobody, and says that the money is taken.
#[test]
fn money_out_of_nothing_is_found_without_a_single_cassette() {
    let report = report(&fixture::performing("(global.get $captured)"));
    let [finding, ..] = of(&report, Rule::Garbage)[..] else { panic!("{report}") };
    assert!(finding.says.starts_with("without a single exchange: it returned Ok(Outcome::Captured("), "{report}");
}

#[test]
fn a_secret_that_is_declared_as_plain_text_is_found() {
    let mut descriptor = fixture::descriptor();
    let open = types::Setting { name: "api_key".to_owned(), kind: SettingKind::Text, ..descriptor.settings[0].clone() };
    descriptor.settings.push(open);
    let report = report(&Fixture { descriptor, ..Fixture::default() }.component());
    let [finding] = of(&report, Rule::Secret)[..] else { panic!("{report}") };
    assert!(finding.says.contains("the setting `api_key` is no secret"), "{report}");
}

/// A run of more than half of what a host gives is found before a longer reply makes it too long.
#[test]
fn what_comes_close_to_the_bounds_is_found() {
    let slow = "(local $left i32) (local.set $left (i32.const 20000000))
        (loop $again
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $again (local.get $left)))
        (global.get $not_processed)";
    let found = report(&fixture::performing(slow));
    assert!(of(&found, Rule::Budget)[0].says.contains("instructions"), "{found}");
    // 56 MiB of 64.
    let greedy = report(&fixture::performing("(drop (memory.grow (i32.const 896))) (global.get $not_processed)"));
    assert!(of(&greedy, Rule::Budget)[0].says.contains("bytes of memory"), "{greedy}");
}

/// The cassettes are in the component, and the component is otherwise the same.
#[test]
fn cassettes_travel_in_the_component() {
    let component = Fixture::default().component();
    let cassettes = ["a.json", "b.json"].map(|name| Named { name: name.to_owned(), text: "{}".to_owned() });
    let with = embed(&component, &cassettes).unwrap();
    let names: Vec<_> = embedded(&with).unwrap().into_iter().map(|named| named.name).collect();
    assert_eq!(names, ["a.json", "b.json"]);
    assert!(with.starts_with(&component));
    assert!(embed(&with, &cassettes).is_err(), "they are there already");
    let report = report(&with);
    assert_eq!(report.cassettes, 2);
    assert_eq!(of(&report, Rule::Cassette).len(), 2, "neither says what it is: {report}");
}

#[test]
fn cassettes_that_are_none_are_refused_by_name() {
    let component = Fixture::default().component();
    let refused =
        |text: String| embed(&component, &[Named { name: "x.json".to_owned(), text }]).unwrap_err().to_string();
    assert!(refused("[1".to_owned()).starts_with("the cassette x.json is no JSON object"));
    assert!(refused("[]".to_owned()).starts_with("the cassette x.json is no JSON object"));
    assert!(refused(format!("{{\"a\":\"{}\"}}", "x".repeat(4 << 20))).contains("at most 4194304"));
}

/// A section that somebody else wrote is a finding, not a fault of the host.
#[test]
fn a_section_that_is_torn_is_a_finding() {
    use wasm_encoder::{ComponentSection as _, CustomSection};
    for data in [&b"[{"[..], b"{}", b"[{}]", b"[1]", &[0xff]] {
        let mut component = Fixture::default().component();
        CustomSection { name: "interlock:cassettes".into(), data: data.into() }.append_to_component(&mut component);
        let report = report(&component);
        assert!(report.verdict().is_err() && report.findings[0].rule == Rule::Cassette, "{report}");
    }
}

/// Whatever the contract has crosses between the SDK's mirror of it and ours, and comes back the same. The journal's
/// form is what both write.
#[test]
fn both_mirrors_of_the_contract_have_one_form() {
    let descriptor = fixture::descriptor();
    let theirs: interlock_connector::types::Descriptor = cross(&descriptor);
    assert_eq!(cross::<_, types::Descriptor>(&theirs), descriptor);
    let json = |ours: &types::Descriptor| serde_json::to_value(ours).unwrap();
    assert_eq!(serde_json::to_value(&theirs).unwrap(), json(&descriptor));
}

#[test]
fn the_effort_is_finite() {
    let Effort { fuel_per_reply_max, fuel_max, runs_max } = EFFORT;
    assert!(fuel_per_reply_max < fuel_max && runs_max < u64::MAX);
}
