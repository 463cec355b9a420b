//! The conformance kit: every rule over every cassette, and over what the descriptor alone promises.

use std::collections::BTreeMap;

use super::cassette::{Cassette, Performed};
use super::finding::{Finding, Rule};
use super::made_up::{self, Known};
use super::subject::{Spent, Subject, Verifier};
use super::{amounts, coverage, replay, rules, spoil, webhooks};
use crate::types::{Context, Outcome};

/// In how many ways a reply is spoilt, whatever a run costs.
const WAYS_MIN: u64 = 24;
/// In how many places a settlement file is cut.
const FILE_CUTS_MAX: u64 = 4096;
/// No cassette has more findings than this: what is wrong everywhere is wrong once.
const FINDINGS_PER_CASSETTE_MAX: usize = 16;

/// How much is tried. By instructions and not by time, so that a component gets the same answer on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Instructions for spoiling one reply.
    pub fuel_per_reply_max: u64,
    /// Instructions for everything; once they are used up, replies are spoilt in as few ways as may be.
    pub fuel_max: u64,
    /// The same in runs.
    pub runs_max: u64,
}

impl Effort {
    /// Everything that can be thought of: for native tests, where nothing is counted.
    pub const WHOLE: Self = Self { fuel_per_reply_max: u64::MAX, fuel_max: u64::MAX, runs_max: u64::MAX };

    /// In how many ways to spoil a reply, when a run costs `fuel_per_run`.
    fn ways(self, spent: Spent, fuel_per_run: u64) -> u64 {
        if spent.fuel >= self.fuel_max || spent.runs >= self.runs_max {
            return WAYS_MIN;
        }
        (self.fuel_per_reply_max / fuel_per_run.max(1)).max(WAYS_MIN)
    }
}

/// A cassette and what it is called.
pub struct Named {
    pub name: String,
    pub cassette: Cassette,
}

/// Everything: each cassette of `texts` (name and JSON), what they cover, and what the descriptor promises.
#[must_use]
pub fn check(subject: &dyn Subject, texts: &[(String, String)], effort: Effort) -> Vec<Finding> {
    let mut findings = rules::of_settings(subject.descriptor());
    let mut cassettes = Vec::new();
    for (name, text) in texts {
        match Cassette::read(text) {
            Ok(cassette) => cassettes.push(Named { name: name.clone(), cassette }),
            Err(error) => findings.push(Finding::error(Rule::Cassette, error).in_cassette(name)),
        }
    }
    for Named { name, cassette } in &cassettes {
        let found = of_cassette(subject, cassette, effort).into_iter().take(FINDINGS_PER_CASSETTE_MAX);
        findings.extend(found.map(|finding| finding.in_cassette(name)));
    }
    findings.extend(coverage::check(subject.descriptor(), cassettes.iter().map(|named| &named.cassette)));
    findings.extend(made_up::check(subject, &known(subject, &cassettes)));
    findings
}

/// What one cassette shows to be wrong.
#[must_use]
pub fn of_cassette(subject: &dyn Subject, cassette: &Cassette, effort: Effort) -> Vec<Finding> {
    let mut findings = Vec::new();
    let before = subject.spent();
    match cassette {
        Cassette::Operation(performed) => of_operation(subject, performed, effort, before, &mut findings),
        Cassette::Webhook(received) => {
            if let Some(ctx) = replay::webhook(subject, received, &mut findings) {
                let inbound = received.inbound.inbound();
                let verifier = Verifier::of(&received.secrets, subject.descriptor());
                let ways = ways(subject, effort, before);
                let found = webhooks::check(subject, &ctx, &inbound, &verifier, ways);
                findings.extend(spoil::few(found));
                findings.extend(amounts::of_webhook(subject, &ctx, &inbound));
            }
        }
        Cassette::Settlement(settled) => {
            let cuts_max = effort.ways(before, 1).min(FILE_CUTS_MAX);
            replay::settlement(subject, settled, usize::try_from(cuts_max).unwrap_or(usize::MAX), &mut findings);
        }
        Cassette::Session(opened) => {
            let Some(ctx) = replay::context(opened.given.context(), &mut findings) else { return findings };
            replay::session(subject, opened, &ctx, &mut findings);
        }
    }
    findings
}

fn of_operation(
    subject: &dyn Subject,
    performed: &Performed,
    effort: Effort,
    before: Spent,
    findings: &mut Vec<Finding>,
) {
    let Some(played) = replay::operation(subject, performed, findings) else { return };
    let (ctx, transcript) = (&played.ctx, played.transcript.as_slice());
    let outcome = played.result.as_ref().and_then(|result| result.as_ref().ok());
    findings.extend(rules::check(subject, ctx, &performed.operation, transcript, outcome));
    if let Some(outcome) = outcome {
        findings.extend(amounts::of_outcome(subject, ctx, &performed.operation, transcript, outcome));
    }
    findings.extend(amounts::of_request(subject, ctx, &performed.operation));
    let ways = ways(subject, effort, before);
    findings.extend(spoil::check(subject, ctx, &performed.operation, transcript, ways));
}

/// By what the runs since `before` cost.
fn ways(subject: &dyn Subject, effort: Effort, before: Spent) -> usize {
    let spent = subject.spent();
    let per_run = (spent.fuel - before.fuel) / (spent.runs - before.runs).max(1);
    usize::try_from(effort.ways(spent, per_run)).unwrap_or(usize::MAX)
}

/// What made-up operations can take from cassettes: an account's settings, and references that were given out.
fn known(subject: &dyn Subject, cassettes: &[Named]) -> Known {
    let performed = || {
        cassettes.iter().filter_map(|named| match &named.cassette {
            Cassette::Operation(performed) => Some(&**performed),
            Cassette::Webhook(_) | Cassette::Settlement(_) | Cassette::Session(_) => None,
        })
    };
    // Of operations that went well, and the most usual ones: others may have settings that are wrong on purpose.
    let approves =
        |performed: &&Performed| matches!(performed.outcome, Some(Ok(Outcome::Authorized(_) | Outcome::Captured(_))));
    let mut counts = BTreeMap::new();
    for performed in performed().filter(approves) {
        *counts.entry(&performed.given.settings).or_insert(0_u32) += 1;
    }
    let made_up = made_up::context(subject.descriptor());
    let ctx = match counts.into_iter().max_by_key(|(_, count)| *count) {
        Some((settings, _)) => Context { settings: settings.clone().into_iter().collect(), ..made_up },
        None => made_up,
    };
    let given = performed().filter(|performed| !performed.operation.references.is_empty());
    let references =
        given.map(|it| (coverage::kind_of(&it.operation.action), it.operation.references.clone())).collect();
    Known { ctx, references }
}
