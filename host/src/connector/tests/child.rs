//! The host's side of judging in a process of its own, against programs that are not the one that it expects. That the
//! real one keeps its limits is tested with the real one, from outside.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    config,
    fixture::{ASK_NEVER, performing},
};
use crate::connector::{
    Engine, EngineConfig, Reason,
    child::{Admission, Child, Limits},
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_mins(1);

fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("program");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

fn told_by(program: PathBuf, time_max: Duration) -> Reason {
    let limits = Limits { time_max, ..Limits::default() };
    let admission = Admission::Child(Child { program, limits });
    let engine = Engine::new(EngineConfig { admission, ..config() }).unwrap();
    let mut refused = engine.admit(&performing(ASK_NEVER)).unwrap_err();
    assert_eq!(refused.reasons.len(), 1, "{refused}");
    refused.reasons.remove(0)
}

/// Nothing that such a program says or fails to say lets a component in, or is put down to the component.
#[test]
fn a_program_that_is_not_ours_judges_nothing() {
    let dir = TempDir::new().unwrap();
    for text in [
        "exit 0",
        "exit 7",
        "cat",
        "kill -9 $$",
        "echo complaint >&2; exec sleep 0",
        "printf 'interlock admit1'",
        "printf 'interlock admit1\\377\\377\\377\\377\\377\\377\\377\\377\\0\\0\\0\\0\\0\\0\\0\\0'",
        "exec yes interlock",
    ] {
        let reason = told_by(script(dir.path(), text), LONG);
        assert_eq!(reason.code.name(), "not_judged", "{text}: {reason}");
    }
    let reason = told_by(dir.path().join("nothing"), LONG);
    assert!(reason.code.name() == "not_judged" && reason.detail.contains("could not be run"), "{reason}");
}

/// It has closed nothing and says nothing: it is ended when its time is over, and the caller is not held any longer.
#[test]
fn a_program_that_says_nothing_is_ended() {
    let dir = TempDir::new().unwrap();
    let began = Instant::now();
    let reason = told_by(script(dir.path(), "exec sleep 1000"), Duration::from_millis(300));
    assert_eq!(reason.code.name(), "not_judged", "{reason}");
    assert!(reason.detail.contains("by the clock"), "{reason}");
    assert!(began.elapsed() < Duration::from_secs(500));
}

/// The host's environment holds the keys of everything; none of it is handed on.
#[test]
fn the_process_gets_nothing_of_the_hosts_environment() {
    let dir = TempDir::new().unwrap();
    let seen = dir.path().join("seen");
    told_by(script(dir.path(), &format!("env > {0}; pwd >> {0}; echo \"$1\" >> {0}", seen.display())), LONG);
    let seen = fs::read_to_string(seen).unwrap();
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")), "this test's own has something to hide");
    assert!(!seen.contains("CARGO") && !seen.contains("HOME="), "{seen}");
    assert!(seen.ends_with("/\nadmit-component\n"), "{seen}");
}
