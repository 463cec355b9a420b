//! `interlock connector show`: one connector at a glance, in 100 columns.

use anyhow::Context as _;
use http::Method;
use serde_json::Value;

use super::{life, log};
use crate::client::{Body, Client};

const COLUMNS: usize = 100;
/// Digits of a digest that tell versions apart.
const DIGEST_SHOWN: usize = 12;
/// Warnings of the log that are shown.
const WARNINGS: usize = 5;

/// The API's answer.
pub async fn connector(client: &Client, name: &str) -> anyhow::Result<Value> {
    let path = life::path(name, None, "")?;
    let path = path.trim_end_matches('/');
    client.call(Method::GET, path, Body::Nothing).await.with_context(|| format!("{name} cannot be shown"))
}

/// What its log warned of last.
pub async fn warnings(client: &Client, name: &str) -> anyhow::Result<Value> {
    let path = format!("{}?level=warn&limit={WARNINGS}", life::path(name, None, "log")?);
    client.call(Method::GET, &path, Body::Nothing).await.with_context(|| format!("the log of {name} cannot be read"))
}

/// All of it for people.
pub fn lines(shown: &Value, warnings: &Value) -> String {
    let versions = array(shown, "versions");
    let mut lines = vec![text(shown, "name").to_owned(), String::new()];
    lines.extend(table(versions));
    for version in versions.iter().filter(|version| text(version, "state") != "retired") {
        lines.push(String::new());
        lines.extend(details(version));
    }
    let warnings = array(warnings, "data");
    if !warnings.is_empty() {
        lines.extend([String::new(), "Last warnings (`interlock connector log` has more)".to_owned()]);
        lines.extend(warnings.iter().rev().flat_map(|line| wrapped(&log::line(line), 2, 4)));
    }
    lines.join("\n")
}

/// The versions, one in a line.
fn table(versions: &[Value]) -> Vec<String> {
    let head = ["version", "state", "since", "digest", "contract", "size", "signed by"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    for version in versions {
        let report = version.get("report").unwrap_or(&Value::Null);
        let share = version.get("share").and_then(Value::as_u64);
        let state = text(version, "state");
        rows.push(vec![
            text(version, "version").to_owned(),
            share.map_or_else(|| state.to_owned(), |share| format!("{state} {share} %")),
            text(version, "since").get(..19).unwrap_or_default().to_owned(),
            text(version, "digest").get(..DIGEST_SHOWN).unwrap_or_default().to_owned(),
            text(report, "contract").to_owned(),
            number(report, "bytes").map_or_else(String::new, bytes),
            signed(version.get("signature").unwrap_or(&Value::Null)),
        ]);
    }
    aligned(&rows)
}

fn signed(signature: &Value) -> String {
    if signature.is_null() {
        return "nobody".to_owned();
    }
    let who = signature.get("key_name").and_then(Value::as_str).unwrap_or_else(|| text(signature, "public_key"));
    let trusted = signature.get("trusted").and_then(Value::as_bool).unwrap_or(false);
    format!("{}{}", who.get(..16).unwrap_or(who), if trusted { "" } else { " (not trusted)" })
}

fn details(version: &Value) -> Vec<String> {
    let mut lines = vec![format!("{} {}", text(version, "version"), text(version, "state"))];
    let report = version.get("report").unwrap_or(&Value::Null);
    lines.extend(array(report, "reach").iter().filter_map(Value::as_str).flat_map(|line| wrapped(line, 2, 4)));
    let windows = [("last_hour", "the last hour"), ("since_state", "in this state")];
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    for (window, words) in windows {
        let figures = version.pointer(&format!("/figures/{window}")).unwrap_or(&Value::Null);
        rows.push(figures_row(words, figures));
        let of_one = array(figures, "by_operation").iter();
        rows.extend(of_one.map(|operation| figures_row(&format!("  {}", text(operation, "operation")), operation)));
    }
    if version.pointer("/figures/since_state/runs").and_then(Value::as_u64).is_some_and(|runs| runs > 0) {
        lines.extend(aligned(&rows).into_iter().map(|line| format!("  {line}")));
    } else {
        lines.push("  nothing has run in this state".to_owned());
    }
    if let Some(shadow) = version.get("shadow").filter(|shadow| shadow.is_object()) {
        lines.push(format!(
            "  last replay: {} replayed, {} equal, {} different, {} traps",
            number(shadow, "replayed").unwrap_or(0),
            number(shadow, "equal").unwrap_or(0),
            number(shadow, "different_count").unwrap_or(0),
            number(shadow, "traps").unwrap_or(0),
        ));
    }
    lines
}

const HEAD: [&str; 11] =
    ["", "ended", "failed", "unknown", "runs", "traps", "diverg.", "guest ms", "p99", "net ms", "memory"];

fn figures_row(words: &str, figures: &Value) -> Vec<String> {
    let count = |name: &str| number(figures, name).unwrap_or(0).to_string();
    let time = |name: &str| match figures.get(name).and_then(Value::as_f64) {
        Some(ms) if ms < 10.0 => format!("{ms:.2}"),
        Some(ms) => format!("{ms:.0}"),
        None => "-".to_owned(),
    };
    vec![
        words.to_owned(),
        count("operations"),
        count("failed"),
        count("unknown"),
        count("runs"),
        count("traps"),
        count("divergences"),
        time("guest_ms_mean"),
        time("guest_ms_p99"),
        time("network_ms_mean"),
        bytes(number(figures, "memory_max_bytes").unwrap_or(0)),
    ]
}

/// Columns as wide as the widest of each.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let row = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(at, cell)| {
            let missing = width(at).unwrap_or(0) - cell.chars().count();
            format!("{cell}{}", " ".repeat(missing))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(row).collect()
}

/// A sentence in lines of [`COLUMNS`], the first indented by `first` blanks and the others by `rest`.
fn wrapped(sentence: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![" ".repeat(first)];
    for word in sentence.split_whitespace() {
        let line = lines.last_mut().expect("it begins with one");
        let is_fresh = line.trim().is_empty();
        if !is_fresh && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines.push(" ".repeat(rest) + word);
        } else {
            line.push_str(if is_fresh { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes >> 10) & 1_023) * 10 / 1_024),
    }
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name).and_then(Value::as_u64)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown() -> Value {
        let figures = json!({
            "operations": 12, "failed": 1, "unknown": 0, "runs": 24, "traps": 0, "divergences": 0,
            "guest_ms_mean": 0.0421, "guest_ms_p99": 0.1, "network_ms_mean": 112.7, "memory_max_bytes": 1_179_648,
            "by_operation": [],
        });
        json!({ "name": "tiny", "versions": [{
            "version": "0.2.0", "state": "canary", "share": 5, "since": "2030-01-31T10:00:00.000Z",
            "digest": "ab".repeat(32), "signature": { "key_name": "ops", "trusted": true },
            "report": { "contract": "0.1.0", "bytes": 104_000, "reach": ["It can ask for https://a.example. ".repeat(6)] },
            "figures": { "last_hour": figures, "since_state": figures },
            "shadow": { "replayed": 100, "equal": 99, "different_count": 1, "traps": 0 },
        }, { "version": "0.1.0", "state": "retired", "since": "2030-01-30T10:00:00.000Z", "digest": "cd".repeat(32) }] })
    }

    #[test]
    fn a_connector_is_shown_at_a_glance() {
        let warnings = json!({ "data": [{ "at": "t", "version": "0.2.0", "level": "warn", "message": "look" }] });
        let lines = lines(&shown(), &warnings);
        for told in [
            "0.2.0    canary 5 %  2030-01-31T10:00:00  abababababab  0.1.0     101 KiB  ops",
            "0.1.0    retired     2030-01-30T10:00:00  cdcdcdcdcdcd                     nobody",
            "It can ask for https://a.example.",
            "the last hour  12     1       0        24    0      0        0.04      0.10  113     1.1 MiB",
            "last replay: 100 replayed, 99 equal, 1 different, 0 traps",
            "t 0.2.0 warn look",
        ] {
            assert!(lines.contains(told), "`{told}` is not in\n{lines}");
        }
        assert!(!lines.contains("0.1.0 retired"), "what is gone has no details:\n{lines}");
        assert!(lines.lines().all(|line| line.chars().count() <= COLUMNS), "{lines}");
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!([bytes(12), bytes(104_000), bytes(12_900_000)], ["12 B", "101 KiB", "12.3 MiB"]);
    }
}
