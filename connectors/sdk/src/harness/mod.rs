//! Runs a connector natively against cassettes: `cargo test`, without Wasm, host or network.
//!
//! ```no_run
//! # use interlock_connector::{Connector, harness};
//! # fn test<MyConnector: Connector>() {
//! harness::replay_all::<MyConnector>(concat!(env!("CARGO_MANIFEST_DIR"), "/cassettes"));
//! # }
//! ```
//!
//! A cassette is a JSON file that says what goes in and what must come out. There are four kinds, told apart by what
//! goes in:
//!
//! - an operation: `{"about", "settings": {}, "now": ms, "nonce": "hex", "operation": {…}, "exchanges": [{"request":
//!   {…}, "reply": {"status", "headers": [["name", "value"]], "body"}}], "outcome": {"Ok": {…}} | {"Err": {…}}}`
//! - a webhook: `{"about", "settings", "now", "secrets": {"name": ["current", "older"]}, "inbound": {"headers", "query",
//!   "body"}, "delivery": {…} | "failure"}`
//! - a settlement file: `{"about", "settings", "now", "file": "text", "lines": […] | "failure"}`
//! - a session: `{"about", "settings", "now", "opening": {…} | null}`
//!
//! A `body` is JSON, sent without blanks, or a string, sent as it is. Values have the JSON form of [`crate::types`], the
//! one in which the host's journal keeps them. With the environment variable `INTERLOCK_BLESS=1` what must come out is
//! written into the files instead of being compared: begin with replies alone, bless, and read what was written.
//!
//! Every operation is carried out the way the host does it, step by step and from the start each time, and everything
//! twice, because a connector must be pure. Then every reply is spoilt in many ways, and no way may lead to a panic or,
//! out of garbage, to money; amounts and currencies are changed, and outcomes must follow; webhooks are forged and
//! delayed. The host does the same with the finished component when it is to be let in ([`check`]), with the cassettes
//! that `interlock connector build` puts into it.

mod amounts;
mod cassette;
mod coverage;
mod diff;
mod finding;
mod kit;
mod made_up;
mod play;
mod replay;
mod rules;
mod shown;
mod spoil;
mod subject;
mod verify;
mod webhooks;

use std::fs;
use std::path::{Path, PathBuf};

pub use cassette::{Exchange, Reply};
pub use finding::{Finding, Place, Rule, Severity};
pub use kit::{Effort, check};
pub use play::{perform, receive};
pub use shown::{Shown, case_of, shown};
pub use subject::{End, Native, Secrets, Spent, Subject, Verifier};

use crate::connector::Connector;
use cassette::Cassette;

/// Set to `1`, it has expectations written instead of compared.
const BLESS: &str = "INTERLOCK_BLESS";

/// Replays every `*.json` of the folder `cassettes` with `C`.
///
/// # Panics
/// Where something is not as a cassette says, with all that was found; where a cassette cannot be read; and where there
/// is none, because a test without a case proves nothing.
pub fn replay_all<C: Connector>(cassettes: impl AsRef<Path>) {
    let folder = cassettes.as_ref();
    let bless = std::env::var(BLESS).is_ok_and(|value| value == "1");
    let files = json_files(folder);
    assert!(!files.is_empty(), "there are no cassettes in {}", folder.display());
    let subject = Native::<C>::new();
    let mut report = String::new();
    let mut failed = 0;
    for file in &files {
        let findings = replay_file(&subject, file, bless);
        if findings.iter().any(Finding::is_error) {
            failed += 1;
        }
        for finding in findings.into_iter().filter(Finding::is_error) {
            report.extend(["\n", &finding.in_cassette(&file.display().to_string()).to_string(), "\n"]);
        }
    }
    assert!(failed == 0, "{failed} of {} cassettes fail\n{report}", files.len());
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

/// What is wrong with one cassette, or with the connector on it.
fn replay_file(subject: &dyn Subject, file: &Path, bless: bool) -> Vec<Finding> {
    let unreadable = |error: String| vec![Finding::error(Rule::Cassette, error)];
    let read = fs::read_to_string(file).map_err(|error| error.to_string()).and_then(|text| Cassette::read(&text));
    let mut cassette = match read {
        Ok(cassette) => cassette,
        Err(error) => return unreadable(error),
    };
    if bless {
        replay::bless(subject, &mut cassette);
        if let Err(error) = fs::write(file, cassette.to_text()) {
            return unreadable(error.to_string());
        }
    }
    kit::of_cassette(subject, &cassette, Effort::WHOLE)
}
