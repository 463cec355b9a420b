//! The rules of ARCHITECTURE.md that a machine can check, over the source as it lies in the folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What may stand only in one place, that place (a prefix of the path below `host/src`), and why.
const HOMES: &[(&str, &[&str], &str)] = &[
    ("sqlx::query", &["store/"], "one place to look for SQL"),
    ("sqlx::raw_sql", &["store/"], "one place to look for SQL"),
    (
        "StatusCode::",
        &["http/", "client.rs", "dev/bootstrap.rs"],
        "one table of statuses; clients of ours may read them",
    ),
    ("finish::finish(", &["flow/advance/"], "one gate for every change of a payment's state"),
    ("Utc::now(", &["clock.rs"], "everybody else is told the time"),
    ("SystemTime::now(", &["clock.rs"], "everybody else is told the time"),
    ("now_v7(", &["clock.rs"], "everybody else is given ids"),
    ("wasmtime::", &["connector/"], "the engine stops at the connector's edge"),
    ("async_nats::", &["sink/"], "one place that speaks to brokers"),
    ("rdkafka::", &["sink/"], "one place that speaks to brokers"),
    ("bindgen", &["connector/"], "generated names stop at the connector's edge"),
    ("unsafe ", &["connector/image.rs"], "one place that the lint table excuses"),
    ("fault::point(", &["flow/", "worker/"], "hosts die where work is done"),
];

/// What a layer may not name: calls go down only.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "domain/",
        &[
            "crate::http",
            "crate::flow",
            "crate::store",
            "crate::connector",
            "crate::wire",
            "crate::vault",
            "crate::worker",
        ],
    ),
    ("vault/", &["crate::http", "crate::flow", "crate::store", "crate::connector", "crate::wire", "crate::worker"]),
    ("wire/", &["crate::http", "crate::flow", "crate::store", "crate::worker"]),
    (
        "sink/",
        &[
            "crate::http",
            "crate::flow",
            "crate::store",
            "crate::connector",
            "crate::wire",
            "crate::vault",
            "crate::worker",
        ],
    ),
    ("connector/", &["crate::http", "crate::flow", "crate::store", "crate::wire", "crate::worker"]),
    ("conformance/", &["crate::http", "crate::flow", "crate::store", "crate::vault", "crate::worker"]),
    ("store/", &["crate::http", "crate::flow", "crate::wire", "crate::worker"]),
    ("view/", &["crate::http", "crate::flow", "crate::wire", "crate::worker"]),
    ("flow/", &["crate::http", "crate::worker"]),
];

/// What the domain does without.
const NOT_IN_DOMAIN: &[&str] = &["async fn", ".await", "serde", "sqlx", "tokio", "Instant", "SystemTime", "rand::"];

/// Lines of a file at most.
const FILE_LINES_MAX: usize = 500;

/// A file of the host's own source.
struct Source {
    /// Below `host/src`.
    name: String,
    /// Without comments.
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Everything that is or will be committed, as paths from the root.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git is needed to know which files are ours");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    // Listed and deleted a moment ago: no file.
    listed.lines().filter(|name| root().join(name).is_file()).map(str::to_owned).collect()
}

/// Whether the file is of this kind: `rs`, `toml`.
fn is_of(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

fn is_test(name: &str) -> bool {
    name.contains("tests/") || name.ends_with("/tests.rs") || name.ends_with("_tests.rs") || name.starts_with("tests/")
}

/// The code of a file up to its tests, without comments.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = before_tests.lines().map(|line| match line.find("//") {
        // A URL in a string is no comment.
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        Some(_) | None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn host_sources() -> Vec<Source> {
    let sources: Vec<_> = files()
        .into_iter()
        .filter(|name| is_of(name, "rs") && !is_test(name))
        .filter_map(|path| {
            let name = path.strip_prefix("host/src/")?.to_owned();
            let text = fs::read_to_string(root().join(&path)).unwrap();
            Some(Source { name, code: code(&text) })
        })
        .collect();
    assert!(sources.len() > 50, "the host's source is not where it is looked for");
    sources
}

fn report(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn everything_is_in_its_home() {
    let mut broken = Vec::new();
    for source in host_sources() {
        for (what, homes, why) in HOMES {
            let is_home = homes.iter().any(|home| source.name.starts_with(home)) || source.name == "fault.rs";
            if source.code.contains(what) && !is_home {
                broken.push(format!("{}: `{what}` belongs in {} ({why})", source.name, homes.join(" or ")));
            }
        }
    }
    report(&broken);
}

#[test]
fn calls_go_down_only() {
    let mut broken = Vec::new();
    for source in host_sources() {
        // The contract's types are everybody's, as `Bytes` is.
        let code = source.code.replace("crate::connector::types", "");
        for (layer, above) in LAYERS.iter().filter(|(layer, _)| source.name.starts_with(layer)) {
            for name in above.iter().filter(|name| code.contains(*name)) {
                broken.push(format!("{}: {layer} must not name `{name}`", source.name));
            }
        }
    }
    report(&broken);
}

#[test]
fn the_domain_is_pure() {
    let mut broken = Vec::new();
    for source in host_sources().iter().filter(|source| source.name.starts_with("domain/")) {
        for what in NOT_IN_DOMAIN.iter().filter(|what| source.code.contains(*what)) {
            broken.push(format!("{}: the domain knows no `{what}`", source.name));
        }
    }
    report(&broken);
}

/// No gateway is called inside a transaction: what sends and what begins a transaction are different files.
#[test]
fn nothing_sends_while_a_transaction_is_open() {
    let mut broken = Vec::new();
    for source in host_sources() {
        if source.code.contains(".begin()") && source.code.contains("wire.send(") {
            broken.push(format!("{}: opens transactions and sends", source.name));
        }
    }
    report(&broken);
}

/// Every statement names the function it stands in, so that a line of Postgres' log leads to the code.
#[test]
fn every_statement_names_its_function() {
    let mut broken = Vec::new();
    for name in files().into_iter().filter(|name| name.starts_with("host/src/store/") && is_of(name, "rs")) {
        let text = fs::read_to_string(root().join(&name)).unwrap();
        let module = name
            .trim_start_matches("host/src/store/")
            .trim_end_matches(".rs")
            .trim_end_matches("/mod")
            .replace('/', "::");
        let (statements, names) = (text.matches("sqlx::query").count(), text.matches("-- store::").count());
        if statements > names {
            broken.push(format!("{name}: of {statements} statements {names} begin with the name of their function"));
        }
        for (at, _) in text.match_indices("-- store::") {
            let named = text[at + 3..].split_whitespace().next().unwrap_or_default();
            let wanted = format!("store::{module}::");
            let function = named.strip_prefix(&wanted);
            if !function.is_some_and(|function| text.contains(&format!("fn {function}"))) {
                broken.push(format!("{name}: `{named}` is no function of this file"));
            }
        }
    }
    report(&broken);
}

#[test]
fn files_begin_with_their_purpose_and_end_in_time() {
    let mut broken = Vec::new();
    for name in files().into_iter().filter(|name| is_of(name, "rs")) {
        let text = fs::read_to_string(root().join(&name)).unwrap();
        if !text.starts_with("//!") {
            broken.push(format!("{name}: does not begin by saying what it is for (`//!`)"));
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{name}: has {lines} lines, {FILE_LINES_MAX} are enough"));
        }
    }
    report(&broken);
}

#[test]
fn nothing_is_left_undone() {
    // Put together here, so that this file does not break its own rule.
    let marks = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X:"].concat(),
        ["todo", "!("].concat(),
        ["unimpl", "emented!("].concat(),
    ];
    let mut broken = Vec::new();
    for name in files() {
        let Ok(text) = fs::read_to_string(root().join(&name)) else { continue };
        for mark in marks.iter().filter(|mark| text.contains(*mark)) {
            broken.push(format!("{name}: `{mark}`"));
        }
    }
    for source in host_sources() {
        for what in [".unwrap()", "dbg!("].iter().filter(|what| source.code.contains(**what)) {
            broken.push(format!("{}: `{what}` outside of tests", source.name));
        }
    }
    report(&broken);
}

/// A clone builds anywhere: no path of one machine, no registry of one place.
#[test]
fn nothing_is_tied_to_one_machine() {
    let paths =
        [["/wo", "rk/"].concat(), ["/root", "/."].concat(), ["/ho", "me/"].concat(), ["/tmp/", "brief"].concat()];
    let mut broken = Vec::new();
    for name in files() {
        let Ok(text) = fs::read_to_string(root().join(&name)) else { continue };
        for path in paths.iter().filter(|path| text.contains(*path)) {
            broken.push(format!("{name}: names `{path}`"));
        }
        let is_tooling = is_of(&name, "toml") || is_of(&name, "lock") || name == "Makefile" || name.starts_with(".ci/");
        if !is_tooling {
            continue;
        }
        for (at, _) in text.match_indices("://") {
            let host: String = text[at + 3..]
                .chars()
                .take_while(|sign| sign.is_ascii_alphanumeric() || "-.".contains(*sign))
                .collect();
            let is_known = [
                "github.com",
                "crates.io",
                "docs.rs",
                "rustup.rs",
                "sh.rustup.rs",
                "www.apache.org",
                "127.0.0.1",
                "localhost",
            ]
            .contains(&host.as_str());
            if !is_known && !host.ends_with(".example") && !host.is_empty() {
                broken.push(format!("{name}: names the host `{host}`"));
            }
        }
    }
    report(&broken);
}
