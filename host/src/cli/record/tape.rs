//! The cassette: what went in and what came out, in the form that the kit replays.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{RecordError, perform::Performed};
use crate::connector::{
    hex,
    types::{Context, Exchange, Failure, Operation, Outcome, Response},
};

/// Headers of replies that are of no use to a connector and may be somebody's way in.
const NOT_KEPT: [&str; 1] = ["set-cookie"];

/// The text of the file.
pub fn text(
    about: &str,
    context: &Context,
    operation: &Operation,
    performed: &Performed,
) -> Result<String, RecordError> {
    let exchanges: Result<Vec<Value>, RecordError> = performed
        .transcript
        .iter()
        .enumerate()
        .map(|(number, Exchange { request, response })| {
            Ok(json!({ "request": request, "reply": reply(response, number + 1)? }))
        })
        .collect();
    let settings: BTreeMap<&String, &String> = context.settings.iter().map(|(name, value)| (name, value)).collect();
    let cassette = json!({
        "about": about,
        "settings": settings,
        "now": context.now,
        "nonce": hex(&context.nonce),
        "operation": operation,
        "exchanges": exchanges?,
        "outcome": performed.result,
    });
    let text = serde_json::to_string_pretty(&cassette).expect("types of the contract have a JSON form");
    Ok(text + "\n")
}

fn reply(response: &Response, position: usize) -> Result<Value, RecordError> {
    let body = std::str::from_utf8(&response.body).map_err(|_| RecordError::NoText { position })?;
    let headers: Vec<&(String, String)> = response
        .headers
        .iter()
        .filter(|(name, _)| !NOT_KEPT.iter().any(|other| name.eq_ignore_ascii_case(other)))
        .collect();
    Ok(json!({ "status": response.status, "headers": headers, "body": readable(body) }))
}

/// The body as JSON where that says the same, else as text: numbers such as `1.50` would be read as others.
fn readable(body: &str) -> Value {
    let as_text = || Value::String(body.to_owned());
    match serde_json::from_str::<Value>(body) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) if letters(body) == letters(&value.to_string()) => value,
        Ok(_) | Err(_) => as_text(),
    }
}

/// What a JSON text is made of, whatever the order of its members and the blanks between them.
fn letters(text: &str) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let mut letters: Vec<u8> = text
        .bytes()
        .filter(|byte| {
            if in_string {
                in_string = escaped || *byte != b'"';
                escaped = !escaped && *byte == b'\\';
                return true;
            }
            in_string = *byte == b'"';
            !byte.is_ascii_whitespace()
        })
        .collect();
    letters.sort_unstable();
    letters
}

/// Writes it whole or not at all.
pub fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
    }
    let mut options = fs::OpenOptions::new();
    // Somebody may have written it since it was looked for.
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options.write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("{} could not be written", path.display()))
}

/// The outcome in a word.
pub fn outcome_word(result: &Result<Outcome, Failure>) -> String {
    match result {
        Ok(outcome) => match serde_json::to_value(outcome) {
            Ok(Value::Object(members)) => members.into_iter().next().map(|(name, _)| name).unwrap_or_default(),
            Ok(Value::String(name)) => name,
            Ok(_) | Err(_) => String::new(),
        },
        Err(failure) => format!("failure: {}", failure.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_written_as_json_only_where_nothing_is_lost() {
        assert_eq!(readable(r#"{ "b": 1, "a": "x y" }"#), json!({ "a": "x y", "b": 1 }));
        for kept in [r#"{"amount":12.50}"#, r#"{"a":1,"a":2}"#, "1", "\"text\"", "<html>", "", r#"{"a":"\u00e4"}"#] {
            assert_eq!(readable(kept), json!(kept), "{kept}");
        }
        assert_eq!(readable(r#"{"a":"b \" c"}"#), json!({ "a": "b \" c" }));
    }

    #[test]
    fn cookies_are_not_kept() {
        let headers = vec![("Set-Cookie".to_owned(), "session=1".to_owned()), ("x".to_owned(), "y".to_owned())];
        let reply = reply(&Response { status: 200, headers, body: b"ok".to_vec() }, 1).unwrap();
        assert_eq!(reply, json!({ "status": 200, "headers": [["x", "y"]], "body": "ok" }));
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cassettes").join("a.json");
        write(&path, "one", false).unwrap();
        assert!(write(&path, "two", false).is_err());
        write(&path, "two", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    }
}
