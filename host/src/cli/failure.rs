//! How a command ends that did not do what it was asked: what it says, and with which exit code.

use std::{error::Error as StdError, io::Write as _};

use serde_json::{Value, json};

use super::record::RecordError;
use crate::{client::CallError, config::ConfigError, conformance::NotConforming, connector::Refused};

/// What is said of exit codes in the help.
pub const HELP: &str = "Exit codes: 0 done; 1 failed; 2 wrong usage, or a setting that cannot be used; 3 refused by the \
                        host, or by a connector's check; 4 it is not known what the gateway did (`connector record`).";

/// The kinds of failures, by their exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was tried did not work: try again, or mend what is around it.
    Failed = 1,
    /// The command line, or a setting.
    Usage = 2,
    /// Somebody whose business it is has said no.
    Refused = 3,
    /// Something was sent to a gateway, and nobody knows what it did.
    Unknown = 4,
}

impl Kind {
    /// The exit code.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// As it stands in JSON, where nothing better is known.
    fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Unknown => "outcome_unknown",
        }
    }

    /// Of an error, by the first of its causes that says.
    pub fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(kind).unwrap_or(Self::Failed)
    }
}

/// What was asked for on the command line and cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

fn kind(cause: &(dyn StdError + 'static)) -> Option<Kind> {
    if cause.is::<ConfigError>() || cause.is::<Usage>() {
        return Some(Kind::Usage);
    }
    if let Some(error) = cause.downcast_ref::<RecordError>() {
        return Some(error.kind());
    }
    let is_refusal = cause.is::<Refused>()
        || cause.is::<NotConforming>()
        || matches!(cause.downcast_ref(), Some(CallError::Refused { .. }));
    is_refusal.then_some(Kind::Refused)
}

/// Says it on standard error: a line for people, or one object.
pub fn report(error: &anyhow::Error, as_json: bool) {
    // `{:#}` is the whole chain: what was attempted, and what came in its way.
    let line = if as_json { object(error).to_string() } else { format!("interlock: {error:#}") };
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says what the command line's parser has to say, and returns the exit code. Help is no failure.
pub fn report_usage(error: &clap::Error, as_json: bool) -> u8 {
    if !error.use_stderr() || !as_json {
        let _ = error.print();
        return if error.use_stderr() { Kind::Usage.code() } else { 0 };
    }
    let text = error.render().to_string();
    // What is missing or wrong may stand in lines of its own; what follows says how it is used.
    let said =
        text.lines().take_while(|line| !line.starts_with("Usage:")).map(str::trim).filter(|line| !line.is_empty());
    let message = said.collect::<Vec<_>>().join(" ");
    let object = shown(Kind::Usage.word(), message.trim_start_matches("error: "), Kind::Usage, &[]);
    let _ = writeln!(std::io::stderr(), "{object}");
    Kind::Usage.code()
}

/// The failure for programs: `code`, `message`, `exit_code`, and `reasons`, each with `code`, `message` and `hint`.
fn object(error: &anyhow::Error) -> Value {
    let kind = Kind::of(error);
    let (mut code, mut reasons) = (kind.word().to_owned(), Vec::new());
    for cause in error.chain() {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            "component_refused".clone_into(&mut code);
            reasons.extend(
                refused
                    .reasons
                    .iter()
                    .map(|reason| json!({ "code": reason.code.name(), "message": reason.detail, "hint": reason.hint })),
            );
        } else if cause.is::<NotConforming>() {
            "not_conforming".clone_into(&mut code);
        } else if let Some(CallError::Refused { status, problem }) = cause.downcast_ref() {
            code = text(problem, "code").map_or_else(|| status.as_u16().to_string(), str::to_owned);
            let errors = problem.get("errors").and_then(Value::as_array);
            reasons.extend(errors.into_iter().flatten().map(
                |error| json!({ "code": text(error, "pointer"), "message": text(error, "detail"), "hint": null }),
            ));
        } else if let Some(CallError::Unreachable { .. }) = cause.downcast_ref() {
            "unreachable".clone_into(&mut code);
        } else if let Some(error) = cause.downcast_ref::<RecordError>() {
            error.code().clone_into(&mut code);
            reasons.push(json!({ "code": error.code(), "message": error.to_string(), "hint": error.hint() }));
        }
    }
    shown(&code, &format!("{error:#}"), kind, &reasons)
}

fn shown(code: &str, message: &str, kind: Kind, reasons: &[Value]) -> Value {
    let hints: Vec<&Value> =
        reasons.iter().filter_map(|reason| reason.get("hint").filter(|hint| !hint.is_null())).collect();
    json!({ "error": {
        "code": code, "message": message, "exit_code": kind.code(), "reasons": reasons, "hints": hints,
    }})
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::{Reason, ReasonCode};

    #[test]
    fn the_exit_code_says_what_kind_of_failure_it_was() {
        let config = ConfigError::new("INTERLOCK_LEASE_MS", "is not set".into(), "set it".into());
        assert_eq!(Kind::of(&anyhow::Error::new(config).context("at the start")), Kind::Usage);
        assert_eq!(Kind::of(&anyhow::Error::new(Usage("both".into()))), Kind::Usage);
        let refused = CallError::Refused { status: http::StatusCode::NOT_FOUND, problem: Value::Null };
        assert_eq!(Kind::of(&anyhow::Error::new(refused).context("activating")), Kind::Refused);
        let unknown = RecordError::Unknown { detail: "timed_out".into() };
        assert_eq!(Kind::of(&anyhow::Error::new(unknown).context("recording")), Kind::Unknown);
        assert_eq!(Kind::of(&anyhow::anyhow!("anything else")), Kind::Failed);
        assert_eq!([Kind::Failed, Kind::Usage, Kind::Refused, Kind::Unknown].map(Kind::code), [1, 2, 3, 4]);
    }

    #[test]
    fn programs_are_told_code_reasons_and_hints() {
        let reason = Reason { code: ReasonCode::WasiImport, detail: "wasi:clocks".into(), hint: "no clock".into() };
        let refused = anyhow::Error::new(Refused { reasons: vec![reason] }).context("x.wasm");
        let told = object(&refused);
        assert_eq!(told["error"]["code"], "component_refused");
        assert_eq!(told["error"]["exit_code"], 3);
        assert_eq!(
            told["error"]["reasons"][0],
            json!({ "code": "wasi_import", "message": "wasi:clocks", "hint": "no clock" })
        );
        assert_eq!(told["error"]["hints"], json!(["no clock"]));
        let problem =
            json!({ "code": "invalid_request", "errors": [{ "pointer": "/share", "detail": "is too large" }] });
        let call = CallError::Refused { status: http::StatusCode::UNPROCESSABLE_ENTITY, problem };
        let told = object(&anyhow::Error::new(call));
        assert_eq!(told["error"]["code"], "invalid_request");
        assert_eq!(told["error"]["reasons"][0]["message"], "is too large");
    }
}
