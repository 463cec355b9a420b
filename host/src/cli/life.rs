//! `interlock connector activate|rollback|retire|shadow`: what becomes of an installed version.

use std::{fmt, time::Duration};

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::{Value, json};

use super::progress;
use crate::client::{Body, Client};

/// How often it is asked whether a replay is done, and how long at most.
const SHADOW_LOOK_EVERY: Duration = Duration::from_millis(500);
const SHADOW_PATIENCE: Duration = Duration::from_mins(10);

/// The version that somebody speaks of.
pub struct Target {
    name: String,
    version: String,
    /// Of the component, in hex; none: the one that was installed last under the number.
    digest: Option<String>,
}

impl Target {
    pub fn new(name: String, version: String, digest: Option<String>) -> Self {
        Self { name, version, digest }
    }

    /// The very version that the host speaks of.
    pub fn of(version: &Value) -> Self {
        let member = |name: &str| version.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            name: member("name").unwrap_or_default(),
            version: member("version").unwrap_or_default(),
            digest: member("digest"),
        }
    }

    fn path(&self, verb: &str) -> anyhow::Result<String> {
        let mut path = path(&self.name, Some(&self.version), verb)?;
        if let Some(digest) = &self.digest {
            if !digest.bytes().all(|sign| sign.is_ascii_hexdigit()) {
                bail!("{digest} is no digest: 64 hexadecimal digits, as `interlock connector list` prints them");
            }
            path.extend(["?digest=", digest]);
        }
        Ok(path)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// Makes a version the one that new payments use, or a canary where the share is less than all of them.
pub async fn activate(client: &Client, target: &Target, share: Option<u8>) -> anyhow::Result<Value> {
    let body = share.map_or_else(|| json!({}), |share| json!({ "share": share }));
    client
        .call(Method::POST, &target.path("activate")?, Body::Json(body))
        .await
        .with_context(|| format!("{target} was not activated"))
}

/// Takes the canary back, or goes back from the active version to the one before. Which one that is, is looked up first and
/// said: when somebody else, or the switch itself, was faster, nothing more is taken back.
pub async fn rollback(client: &Client, name: &str) -> anyhow::Result<Value> {
    let failed = || format!("{name} was not rolled back");
    let shown_at = path(name, None, "")?;
    let shown = client.call(Method::GET, shown_at.trim_end_matches('/'), Body::Nothing).await.with_context(failed)?;
    let versions = shown.get("versions").and_then(Value::as_array).cloned().unwrap_or_default();
    let in_state = |state: &str| {
        versions.iter().find(|version| version.get("state").and_then(Value::as_str) == Some(state)).map(Target::of)
    };
    let from = in_state("canary").or_else(|| in_state("active"));
    let body = from.map_or_else(|| json!({}), |from| json!({ "version": from.version, "digest": from.digest }));
    client.call(Method::POST, &path(name, None, "rollback")?, Body::Json(body)).await.with_context(failed)
}

/// Lets a version go for good.
pub async fn retire(client: &Client, target: &Target) -> anyhow::Result<Value> {
    client
        .call(Method::POST, &target.path("retire")?, Body::Json(json!({})))
        .await
        .with_context(|| format!("{target} was not retired"))
}

/// Has recorded operations replayed on a version, and waits until that is done.
pub async fn shadow(client: &Client, target: &Target, transcripts: Option<u16>) -> anyhow::Result<Value> {
    let path = target.path("shadow")?;
    let body = transcripts.map_or_else(|| json!({}), |transcripts| json!({ "transcripts": transcripts }));
    let mut shadow = client
        .call(Method::POST, &path, Body::Json(body))
        .await
        .with_context(|| format!("nothing was replayed on {target}"))?;
    progress::step("a host replays it");
    let patience = tokio::time::Instant::now() + SHADOW_PATIENCE;
    while matches!(shadow.get("status").and_then(Value::as_str), Some("waiting" | "running")) {
        if tokio::time::Instant::now() > patience {
            bail!("no host has finished the replay; is {target} loaded by one that runs?");
        }
        tokio::time::sleep(SHADOW_LOOK_EVERY).await;
        shadow = client.call(Method::GET, &path, Body::Nothing).await.context("the replay cannot be looked at")?;
    }
    Ok(shadow)
}

/// What a replay has shown: a line of numbers, and for each difference what was expected and what came.
pub fn shadow_lines(shadow: &Value) -> String {
    let report = shadow.get("report").unwrap_or(&Value::Null);
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let mut lines = vec![format!(
        "{} replayed, {} equal, {} different",
        number("replayed"),
        number("equal"),
        number("different_count")
    )];
    let listed = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    for operation in listed(report, "different") {
        lines.push(operation.get("operation").and_then(Value::as_str).unwrap_or_default().to_owned());
        for differs in listed(&operation, "differences") {
            let member = |name: &str| differs.get(name).cloned().unwrap_or_default();
            let place = member("position").as_u64().map_or("outcome".to_owned(), |number| format!("request {number}"));
            lines.push(format!("  {place} {}", member("pointer").as_str().unwrap_or_default()));
            lines.push(format!("  - {}", member("expected")));
            lines.push(format!("  + {}", member("got")));
        }
    }
    lines.join("\n")
}

/// The path of what is done to a connector, or to one version of it. Anything but the letters of names and versions would
/// lead elsewhere.
pub fn path(name: &str, version: Option<&str>, verb: &str) -> anyhow::Result<String> {
    let is_plain = |part: &str| {
        !part.is_empty()
            && part != ".."
            && part.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_.+".contains(sign))
    };
    if !is_plain(name) || !version.is_none_or(is_plain) {
        bail!("a name has letters, digits and `-`, a version is one such as 1.2.3");
    }
    Ok(match version {
        Some(version) => format!("/admin/connectors/{name}/versions/{}/{verb}", version.replace('+', "%2B")),
        None => format!("/admin/connectors/{name}/{verb}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_else() {
        assert_eq!(path("mock", None, "rollback").unwrap(), "/admin/connectors/mock/rollback");
        let build = path("mock", Some("1.2.3+b"), "retire").unwrap();
        assert_eq!(build, "/admin/connectors/mock/versions/1.2.3%2Bb/retire");
        for name in ["", "..", "a/b", "a b", "a?b"] {
            assert!(path(name, None, "rollback").is_err() && path("mock", Some(name), "retire").is_err(), "{name}");
        }
    }

    #[test]
    fn a_replay_is_told_as_a_diff() {
        let differs = json!({ "position": 1, "pointer": "/body/text/amount", "expected": 5, "got": 6 });
        let outcome = json!({ "position": null, "pointer": "/Captured", "expected": {}, "got": null });
        let shadow = json!({ "status": "done", "report": {
            "replayed": 2, "equal": 1, "different_count": 1,
            "different": [{ "operation": "op_1", "differences": [differs, outcome] }],
        }});
        let lines = "2 replayed, 1 equal, 1 different\nop_1\n  request 1 /body/text/amount\n  - 5\n  + 6\n  \
                     outcome /Captured\n  - {}\n  + null";
        assert_eq!(shadow_lines(&shadow), lines);
    }
}
