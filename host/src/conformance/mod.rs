//! The conformance kit for components: whether a connector keeps the contract where the sandbox cannot make it.
//!
//! The rules are the SDK's ([`interlock_connector::harness`]), the same that a connector's author runs natively; here
//! they are held against the finished component, in the sandbox, and requests against the very check that the wire
//! makes. Needs no source, no network and no database.

mod admission;
mod cross;
mod report;
mod subject;

#[cfg(test)]
mod tests;

use interlock_connector::harness::{self, Effort, Rule};

pub use admission::play;
pub use interlock_connector::harness::{Finding, Place, Severity};
pub use report::{NotConforming, Report};

use crate::connector::{Engine, EngineConfig, Named, Trial, TrialError, Version, embedded};
use subject::Component;

/// How much is tried. A Rust connector is tried out in full by this, within seconds; one in JavaScript or Python, whose
/// runs take a hundred times as many instructions, in fewer ways.
const EFFORT: Effort = Effort { fuel_per_reply_max: 200_000_000, fuel_max: 10_000_000_000, runs_max: 50_000 };

/// Findings of one report: a component that breaks everything is told enough.
const FINDINGS_MAX: usize = 200;

/// Tries out a version with the cassettes that its component carries. Takes some seconds of the processor: call it where
/// blocking is allowed.
pub fn check(engine: &Engine, version: &Version, component: &[u8]) -> Result<Report, TrialError> {
    played(component, |cassettes| check_with(engine, version, component.len(), cassettes))
}

/// Has the cassettes that the component carries played. That they cannot be read is a finding among the others.
fn played(component: &[u8], play: impl FnOnce(&[Named]) -> Result<Report, TrialError>) -> Result<Report, TrialError> {
    match embedded(component) {
        Ok(cassettes) => play(&cassettes),
        Err(error) => {
            let mut report = play(&[])?;
            let hint = "build it again with `interlock connector build`";
            report.findings.insert(0, Finding::error(Rule::Cassette, error.to_string()).hint(hint));
            report.errors += 1;
            Ok(report)
        }
    }
}

/// As [`check`], with these cassettes for those that the component carries.
pub fn check_with(
    engine: &Engine,
    version: &Version,
    component_bytes: usize,
    cassettes: &[Named],
) -> Result<Report, TrialError> {
    engine.try_out(version, |trial| try_out(trial, version, component_bytes, cassettes))
}

fn try_out(trial: &Trial<'_>, version: &Version, component_bytes: usize, cassettes: &[Named]) -> Report {
    let subject = Component::new(trial, version.descriptor());
    let texts: Vec<_> = cassettes.iter().map(|named| (named.name.clone(), named.text.clone())).collect();
    let mut findings = harness::check(&subject, &texts, EFFORT);
    let (fuel_max, memory_max_bytes) = subject.largest();
    findings.extend(budget(trial.config(), fuel_max, memory_max_bytes, component_bytes));
    let used = trial.used();
    let unshown = findings.len().saturating_sub(FINDINGS_MAX);
    // Errors first, in the order in which they were found.
    findings.sort_by_key(|finding| finding.severity);
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    findings.truncate(FINDINGS_MAX);
    Report {
        cassettes: cassettes.len(),
        runs: used.runs,
        fuel: used.fuel,
        fuel_max,
        memory_max_bytes,
        errors,
        warnings,
        unshown,
        findings,
    }
}

/// What an ordinary run and the component may use: a part of the bounds, because what comes close to them in a test is
/// beyond them one day, with a longer reply.
fn budget(config: &EngineConfig, fuel_max: u64, memory_max_bytes: usize, component_bytes: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let fuel_budget = config.fuel_max / 2;
    if fuel_max > fuel_budget {
        let says = format!("a run takes {fuel_max} instructions; {fuel_budget} are within budget");
        findings.push(Finding::error(Rule::Budget, says));
    }
    let memory_budget = config.memory_max_bytes / 4 * 3;
    if memory_max_bytes > memory_budget {
        let says = format!("a run takes {memory_max_bytes} bytes of memory; {memory_budget} are within budget");
        findings.push(Finding::error(Rule::Budget, says));
    }
    let component_budget = config.component_max_bytes / 4 * 3;
    if component_bytes > component_budget {
        let says = format!("the component has {component_bytes} bytes; {component_budget} are within budget");
        findings.push(Finding::warning(Rule::Budget, says));
    }
    findings
}
