//! Replays a cassette the way the host carries an operation out, and says where it comes out differently.

use std::fmt::Debug;

use serde::Serialize;

use super::BLESS;
use super::cassette::{Cassette, Exchange, Opened, OrFailure, Performed, Received, Settled};
use super::finding::{Finding, Rule};
use super::rules;
use super::subject::{End, Subject, Verifier};
use crate::types::{Context, Failure, Operation, Outcome, Response};

/// How many exchanges the host lets an operation have.
pub const EXCHANGES_MAX: usize = 8;

/// What came of playing an operation's cassette, for further rules to look at.
pub struct Played {
    pub ctx: Context,
    pub transcript: Vec<Exchange>,
    /// None where there was no result.
    pub result: Option<Result<Outcome, Failure>>,
}

/// As the host does it: the transcript grows by one exchange at a time, and each run begins at the start. A request
/// that is not the expected one is told, and then played on with, so that the rules see it.
pub fn operation(subject: &dyn Subject, cassette: &Performed, findings: &mut Vec<Finding>) -> Option<Played> {
    let ctx = context(cassette.given.context(), findings)?;
    if cassette.exchanges.len() > EXCHANGES_MAX {
        findings.push(Finding::error(Rule::Cassette, format!("an operation has at most {EXCHANGES_MAX} exchanges")));
        return None;
    }
    let mut transcript = Vec::new();
    for (position, recorded) in cassette.exchanges.iter().enumerate() {
        let end = performed_twice(subject, &ctx, &cassette.operation, &transcript, findings);
        let asked = match end {
            End::Asked(request) => request,
            end => {
                let rule = rule_of(&end);
                let says = format!("exchange {} was never asked for: {}", position + 1, told(&end));
                findings.push(Finding::error(rule, says).at_exchange(position));
                return Some(Played { ctx, transcript, result: returned(end) });
            }
        };
        match &recorded.request {
            None => findings.push(unblessed("request").at_exchange(position)),
            Some(expected) if *expected != *asked => {
                let says = format!("exchange {} is another one than expected", position + 1);
                findings.push(Finding::error(Rule::Replay, says).at_exchange(position).between(expected, &asked));
            }
            Some(_) => {}
        }
        transcript.push(Exchange { request: *asked, response: recorded.reply.response() });
    }
    let end = performed_twice(subject, &ctx, &cassette.operation, &transcript, findings);
    match &end {
        End::Returned(result) => match &cassette.outcome {
            None => findings.push(unblessed("outcome")),
            Some(expected) if expected != result => {
                let says = "the outcome is another one than expected";
                findings.push(Finding::error(Rule::Replay, says).between(expected, result));
            }
            Some(_) => {}
        },
        End::Asked(request) => {
            findings.push(Finding::error(Rule::Replay, "another exchange was asked for").got(request));
        }
        End::Diverged { .. } | End::Trapped(_) | End::Unfit(_) => {
            findings.push(Finding::error(rule_of(&end), told(&end)));
        }
    }
    Some(Played { ctx, transcript, result: returned(end) })
}

/// A webhook; returns its context where that could be made.
pub fn webhook(subject: &dyn Subject, cassette: &Received, findings: &mut Vec<Finding>) -> Option<Context> {
    let ctx = context(cassette.given.context(), findings)?;
    let (inbound, verifier) = (cassette.inbound.inbound(), Verifier::of(&cassette.secrets, subject.descriptor()));
    let end = twice(|| subject.receive(&ctx, &inbound, &verifier), findings);
    compare("delivery", cassette.delivery.as_ref(), end, findings);
    Some(ctx)
}

/// A settlement file, and every beginning of it.
pub fn settlement(subject: &dyn Subject, cassette: &Settled, cuts_max: usize, findings: &mut Vec<Finding>) {
    let Some(ctx) = context(cassette.given.context(), findings) else { return };
    let file = cassette.file.as_bytes();
    for end in (0..file.len()).step_by(file.len().div_ceil(cuts_max).max(1)) {
        // In the middle of a character too: files come as bytes.
        let cut = subject.settlement(&ctx, file.get(..end).unwrap_or_default());
        // Half a line that makes no sense is refused by the host too.
        if !matches!(cut, End::Returned(_) | End::Unfit(_)) {
            findings.push(Finding::error(rule_of(&cut), format!("the file, cut after {end} bytes: {}", told(&cut))));
            return;
        }
    }
    let end = twice(|| subject.settlement(&ctx, file), findings);
    compare("lines", cassette.lines.as_ref(), end, findings);
}

/// How a session is opened, and whether a host would send that.
pub fn session(subject: &dyn Subject, cassette: &Opened, ctx: &Context, findings: &mut Vec<Finding>) {
    match twice(|| subject.open_session(ctx), findings) {
        End::Returned(opening) => {
            if let Some(opening) = &opening {
                let objections = rules::of_opening(subject, ctx, opening);
                findings.extend(objections.into_iter().map(|(rule, says)| Finding::error(rule, says)));
            }
            if opening != cassette.opening {
                let says = "the opening is another one than expected";
                findings.push(Finding::error(Rule::Replay, says).between(&cassette.opening, &opening));
            }
        }
        end => findings.push(Finding::error(rule_of(&end), told(&end))),
    }
}

/// Writes down what the connector does as what it should do. A cassette for which it does nothing useful is left as it
/// is: replaying it then says why.
pub fn bless(subject: &dyn Subject, cassette: &mut Cassette) {
    match cassette {
        Cassette::Operation(cassette) => bless_operation(subject, cassette),
        Cassette::Webhook(cassette) => {
            let Ok(ctx) = cassette.given.context() else { return };
            let verifier = Verifier::of(&cassette.secrets, subject.descriptor());
            if let End::Returned(result) = subject.receive(&ctx, &cassette.inbound.inbound(), &verifier) {
                cassette.delivery = Some(result.into());
            }
        }
        Cassette::Settlement(cassette) => {
            let Ok(ctx) = cassette.given.context() else { return };
            if let End::Returned(result) = subject.settlement(&ctx, cassette.file.as_bytes()) {
                cassette.lines = Some(result.into());
            }
        }
        Cassette::Session(cassette) => {
            let Ok(ctx) = cassette.given.context() else { return };
            if let End::Returned(opening) = subject.open_session(&ctx) {
                cassette.opening = opening;
            }
        }
    }
}

fn bless_operation(subject: &dyn Subject, cassette: &mut Performed) {
    let Ok(ctx) = cassette.given.context() else { return };
    let mut transcript = Vec::new();
    for recorded in &mut cassette.exchanges {
        let End::Asked(request) = subject.perform(&ctx, &cassette.operation, &transcript) else { return };
        recorded.request = Some((*request).clone());
        transcript.push(Exchange { request: *request, response: recorded.reply.response() });
    }
    if let End::Returned(result) = subject.perform(&ctx, &cassette.operation, &transcript) {
        cassette.outcome = Some(result);
    }
}

/// Carries an operation out with these replies, whatever is asked: the transcript, and how it ended.
pub fn with_replies(
    subject: &dyn Subject,
    ctx: &Context,
    operation: &Operation,
    replies: &[Response],
) -> (Vec<Exchange>, End<Result<Outcome, Failure>>) {
    let mut transcript = Vec::new();
    for response in replies {
        match subject.perform(ctx, operation, &transcript) {
            End::Asked(request) => transcript.push(Exchange { request: *request, response: response.clone() }),
            end => return (transcript, end),
        }
    }
    let end = subject.perform(ctx, operation, &transcript);
    (transcript, end)
}

pub fn context(made: Result<Context, String>, findings: &mut Vec<Finding>) -> Option<Context> {
    made.map_err(|error| findings.push(Finding::error(Rule::Cassette, error))).ok()
}

fn performed_twice(
    subject: &dyn Subject,
    ctx: &Context,
    operation: &Operation,
    transcript: &[Exchange],
    findings: &mut Vec<Finding>,
) -> End<Result<Outcome, Failure>> {
    let first = subject.perform(ctx, operation, transcript);
    let second = subject.perform_again(ctx, operation, transcript);
    judge_twice(first, &second, findings)
}

/// Runs twice; the same must come of it.
pub fn twice<T: PartialEq + Debug>(run: impl Fn() -> End<T>, findings: &mut Vec<Finding>) -> End<T> {
    let (first, second) = (run(), run());
    judge_twice(first, &second, findings)
}

fn judge_twice<T: PartialEq + Debug>(first: End<T>, second: &End<T>, findings: &mut Vec<Finding>) -> End<T> {
    if first != *second {
        let says = "two runs of the same differ; a connector must depend on nothing but its arguments";
        let mut finding = Finding::error(Rule::Determinism, says);
        finding.expected = Some(format!("{first:#?}"));
        finding.got = Some(format!("{second:#?}"));
        findings.push(finding);
    }
    first
}

fn compare<T: Serialize + PartialEq + Debug>(
    what: &str,
    expected: Option<&OrFailure<T>>,
    end: End<Result<T, Failure>>,
    findings: &mut Vec<Finding>,
) {
    let result = match end {
        End::Returned(result) => result,
        end => return findings.push(Finding::error(rule_of(&end), told(&end))),
    };
    // What it said is lost in the comparison, and the first thing one wants to know.
    let why = result.as_ref().err().map(|failure| format!(" (it failed: {})", failure.message)).unwrap_or_default();
    let got = OrFailure::from(result);
    match expected {
        None => {
            let mut finding = unblessed(what);
            finding.says.push_str(&why);
            findings.push(finding);
        }
        Some(expected) if *expected != got => {
            let says = format!("`{what}` is another one than expected{why}");
            findings.push(Finding::error(Rule::Replay, says).between(expected, &got));
        }
        Some(_) => {}
    }
}

fn returned<T>(end: End<T>) -> Option<T> {
    match end {
        End::Returned(result) => Some(result),
        End::Asked(_) | End::Diverged { .. } | End::Trapped(_) | End::Unfit(_) => None,
    }
}

/// Which rule an end breaks that should not have been.
pub fn rule_of<T>(end: &End<T>) -> Rule {
    match end {
        End::Returned(_) | End::Asked(_) => Rule::Replay,
        End::Diverged { .. } => Rule::Determinism,
        End::Trapped(_) => Rule::Totality,
        End::Unfit(_) => Rule::Contract,
    }
}

/// How a run ended, as the end of a sentence.
pub fn told<T: Debug>(end: &End<T>) -> String {
    match end {
        End::Returned(result) => format!("it returned {result:?}"),
        End::Asked(request) => format!("it asked for {}", request.url),
        End::Diverged { position } => {
            format!("it diverged: with more of the transcript, exchange {} became another one", position + 1)
        }
        End::Trapped(sentence) | End::Unfit(sentence) => sentence.clone(),
    }
}

fn unblessed(what: &str) -> Finding {
    let hint = format!("write it, or run the native test with {BLESS}=1 and read what it is");
    Finding::error(Rule::Cassette, format!("it does not say which {what} is expected")).hint(hint)
}
