//! What admission reports of a component that it lets in, and what the conformance kit adds to that.

use std::sync::Arc;

use super::{admitted, config, engine, fixture::Fixture};
use crate::connector::{
    Engine, EngineConfig, Version,
    report::{Conformance, FINDINGS_MAX, Finding, NotPlayed, Severity, Used},
};

#[test]
fn a_report_says_what_the_component_is_and_can_reach() {
    let engine = engine();
    let component = Fixture { describe: "(call $say)", ..Fixture::default() }.component();
    let version = admitted(&engine, &component);
    let report = version.report().unwrap();
    assert_eq!((report.digest.as_str(), report.bytes), (version.digest_hex().as_str(), component.len() as u64));
    assert_eq!(report.contract, "0.3.0");
    assert!(report.imports.contains(&"interlock:connector/egress@0.3.0".to_owned()), "{:?}", report.imports);
    assert!(report.reach[0].contains("https://gateway.example"), "{:?}", report.reach);
    assert!(report.resources.modules >= 1 && report.resources.memories == 1, "{:?}", report.resources);
    assert!(report.describe.fuel > 0 && report.describe.memory_bytes >= 1 << 16, "{:?}", report.describe);
    assert!(report.image_bytes > 0);
    assert_eq!(report.conformance, None, "this engine has no kit");
    let kept = serde_json::to_string(report).unwrap();
    assert_eq!(&serde_json::from_str::<super::super::Report>(&kept).unwrap(), report);
}

fn finding(severity: Severity) -> Finding {
    Finding {
        rule: "amounts".to_owned(),
        severity,
        at: "charge.json".to_owned(),
        says: "the outcome has 1 EUR, the reply 2 EUR".to_owned(),
        hint: "take the amount from the reply".to_owned(),
        details: serde_json::Value::Null,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a kit may fail")]
fn warns(_: &Engine, version: &Arc<Version>, component: &[u8]) -> Result<Conformance, NotPlayed> {
    assert!(version.report().is_none() && !component.is_empty(), "the judging is not over");
    Ok(Conformance {
        runs: 7,
        most: Used { fuel: 1, memory_bytes: 2 },
        findings: vec![finding(Severity::Warning); FINDINGS_MAX + 10],
    })
}

fn cannot(_: &Engine, _: &Arc<Version>, _: &[u8]) -> Result<Conformance, NotPlayed> {
    Err(NotPlayed("no thread".to_owned()))
}

#[expect(clippy::unnecessary_wraps, reason = "a kit may fail")]
fn refuses(_: &Engine, _: &Arc<Version>, _: &[u8]) -> Result<Conformance, NotPlayed> {
    let mut findings = vec![finding(Severity::Warning); FINDINGS_MAX];
    findings.push(finding(Severity::Error));
    Ok(Conformance { findings, ..Conformance::default() })
}

#[test]
fn warnings_of_the_kit_are_reported_and_let_it_in() {
    let engine = Engine::new(EngineConfig { kit: Some(warns), ..config() }).unwrap();
    let component = Fixture::default().component();
    let version = admitted(&engine, &component);
    let conformance = version.report().unwrap().conformance.as_ref().unwrap();
    assert_eq!((conformance.runs, conformance.findings.len()), (7, FINDINGS_MAX));
    assert!(engine.load(&component).unwrap().report().unwrap().conformance.is_none(), "another host has played it");
}

#[test]
fn an_error_of_the_kit_keeps_a_component_out() {
    let engine = Engine::new(EngineConfig { kit: Some(refuses), ..config() }).unwrap();
    let refused = engine.admit(&Fixture::default().component()).unwrap_err();
    let reasons: Vec<_> = refused.reasons.iter().map(|reason| (reason.code.name(), reason.hint.as_str())).collect();
    assert_eq!(reasons, [("conformance", "take the amount from the reply")]);
}

#[test]
fn a_kit_that_cannot_be_played_is_not_the_components_fault() {
    let engine = Engine::new(EngineConfig { kit: Some(cannot), ..config() }).unwrap();
    let refused = engine.admit(&Fixture::default().component()).unwrap_err();
    assert_eq!(refused.reasons[0].code.name(), "not_judged", "{refused}");
}

/// An image that was kept when nothing was played to it is no proof that it would pass.
#[test]
fn what_the_kit_has_not_seen_is_judged_again() {
    let dir = tempfile::TempDir::new().unwrap();
    let cached = |kit| EngineConfig { cache_dir: Some(dir.path().to_owned()), kit, ..config() };
    let component = Fixture::default().component();
    admitted(&Engine::new(cached(None)).unwrap(), &component);
    let engine = Engine::new(cached(Some(refuses))).unwrap();
    assert!(engine.admit(&component).is_err());
    assert!(engine.load(&component).is_ok(), "that is for what the cluster has let in");
}
