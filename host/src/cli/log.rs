//! `interlock connector log`: lines of a connector's log, the oldest first as one reads them, and those that follow.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;
use clap::Args;
use http::Method;
use serde_json::Value;

use super::{life, print, signals};
use crate::client::{Body, Client};

/// How often it is asked for new lines.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Lines of one page: the most that the API gives.
const PAGE_MAX: usize = 100;
/// Hosts write their lines about once a second, each by itself: a line may come after one that is younger. So many of the
/// latest are looked at again.
const LOOKED_AT_AGAIN: usize = 300;

/// Which lines.
#[derive(Args)]
pub struct LogArguments {
    name: String,
    /// Only lines of this version
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Only lines that matter so much, or more
    #[arg(long, value_name = "LEVEL", value_parser = ["debug", "info", "warn", "error"])]
    level: Option<String>,
    /// How many, the latest of them
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// Goes on with the lines that come, until Ctrl-C
    #[arg(long)]
    follow: bool,
}

/// Prints them: a line each for people, an object in a line each for programs.
pub async fn run(client: &Client, arguments: &LogArguments, as_json: bool) -> anyhow::Result<()> {
    let stop = signals::shutdown()?;
    let mut seen = Vec::new();
    let lines = newest(client, arguments, usize::from(arguments.limit), None).await?;
    show(lines, &mut seen, as_json);
    if !arguments.follow {
        return Ok(());
    }
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let again = seen.len().saturating_sub(LOOKED_AT_AGAIN);
        let after = seen.get(again).cloned();
        let lines = newest(client, arguments, usize::MAX, after.as_deref()).await?;
        show(lines, &mut seen, as_json);
        seen.drain(..seen.len().saturating_sub(LOOKED_AT_AGAIN));
    }
}

/// Prints what was not printed before, and remembers it.
fn show(newest_first: Vec<Value>, seen: &mut Vec<String>, as_json: bool) {
    let known: BTreeSet<String> = seen.iter().cloned().collect();
    let id = |line: &Value| text(line, "id").to_owned();
    for line in newest_first.into_iter().rev().filter(|line| !known.contains(&id(line))) {
        print(&if as_json { line.to_string() } else { self::line(&line) });
        seen.push(id(&line));
    }
    seen.sort_unstable();
}

/// The latest lines, newest first, no more than `limit`, and none older than `after`.
async fn newest(
    client: &Client,
    arguments: &LogArguments,
    limit: usize,
    after: Option<&str>,
) -> anyhow::Result<Vec<Value>> {
    let mut lines: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = (limit - lines.len()).min(PAGE_MAX);
        let mut path = format!("{}?limit={page}", life::path(&arguments.name, None, "log")?);
        let parts = [
            ("version", arguments.version.as_deref()),
            ("level", arguments.level.as_deref()),
            ("after", after),
            ("cursor", cursor.as_deref()),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                path.extend(["&", name, "=", &value]);
            }
        }
        let answer = client
            .call(Method::GET, &path, Body::Nothing)
            .await
            .with_context(|| format!("the log of {} was not read", arguments.name))?;
        lines.extend(answer.get("data").and_then(Value::as_array).cloned().unwrap_or_default());
        cursor = answer.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() || lines.len() >= limit {
            return Ok(lines);
        }
    }
}

/// A line for people: when, which version, how much it matters, about what, and what.
pub fn line(line: &Value) -> String {
    let about = [text(line, "operation"), text(line, "operation_id")];
    let about: Vec<&str> = about.into_iter().filter(|part| !part.is_empty()).collect();
    let about = if about.is_empty() { String::new() } else { format!("{}: ", about.join(" ")) };
    let host = if text(line, "origin") == "host" { "host: " } else { "" };
    format!(
        "{}  {}  {:5}  {host}{about}{}",
        text(line, "at"),
        text(line, "version"),
        text(line, "level"),
        text(line, "message")
    )
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_when_who_and_what() {
        let said = json!({
            "id": "log_1", "at": "2030-01-31T00:00:00Z", "version": "1.2.3", "level": "warn", "origin": "connector",
            "operation": "authorize", "operation_id": "op_1", "message": "an unknown decline",
        });
        assert_eq!(line(&said), "2030-01-31T00:00:00Z  1.2.3  warn   authorize op_1: an unknown decline");
        let found = json!({ "at": "t", "version": "1.2.3", "level": "error", "origin": "host", "message": "gone" });
        assert_eq!(line(&found), "t  1.2.3  error  host: gone");
    }
}
