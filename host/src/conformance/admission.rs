//! The kit as a part of admission: played in the process that judges, its findings in the words of the report.

use std::sync::Arc;

use serde_json::json;

use super::{Finding, Severity, played};
use crate::connector::{
    Engine, Version,
    report::{self, Conformance, NotPlayed, Used},
};

/// Each side of a comparison that the report keeps; what a connector's author needs, `interlock connector check` prints.
const SIDE_MAX_BYTES: usize = 1024;

/// Plays the cassettes that the component carries, and what the kit makes up, on the calling thread. A [`report::Kit`].
pub fn play(engine: &Engine, version: &Arc<Version>, component: &[u8]) -> Result<Conformance, NotPlayed> {
    let report = played(component, |cassettes| {
        Ok(engine.try_out_here(version, |trial| super::try_out(trial, version, component.len(), cassettes)))
    });
    // A thread that is not started cannot fail to start; said all the same, because the kit has one form of answer.
    let report = report.map_err(|error| NotPlayed(error.to_string()))?;
    Ok(Conformance {
        runs: report.runs,
        most: Used { fuel: report.fuel_max, memory_bytes: report.memory_max_bytes as u64 },
        findings: report.findings.into_iter().map(reported).collect(),
    })
}

fn reported(finding: Finding) -> report::Finding {
    let at = finding.at.to_string();
    let Finding { rule, severity, at: _, says, expected, got, hint } = finding;
    let side = |text: Option<String>| {
        text.map(|mut text| {
            text.truncate(text.floor_char_boundary(SIDE_MAX_BYTES));
            text
        })
    };
    report::Finding {
        rule: rule.name().to_owned(),
        severity: match severity {
            Severity::Error => report::Severity::Error,
            Severity::Warning => report::Severity::Warning,
        },
        at,
        says,
        hint,
        details: match (side(expected), side(got)) {
            (None, None) => serde_json::Value::Null,
            (expected, got) => json!({ "expected": expected, "got": got }),
        },
    }
}
