//! Where two requests, or two outcomes, are not the same: by RFC 6901 pointers into them as a person reads them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{connector::types::Request, flow::prepare, view::exchange::readable};

/// Differences that are told of one operation. Whoever has changed everything need not be told of everything.
const TOLD_MAX: usize = 20;
/// Characters of a text that are told, from shortly before it differs.
const TEXT_TOLD_CHARACTERS: usize = 200;
/// Of these, how many stand before the difference.
const TEXT_BEFORE_CHARACTERS: usize = 40;

/// One place where two values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    pub pointer: String,
    /// As it was; null where there was nothing.
    pub expected: Value,
    pub got: Value,
}

/// Where two requests differ. Nowhere, where they are equal; and else somewhere, even where a person would read the same.
pub fn of_requests(expected: &Request, got: &Request) -> Vec<Differs> {
    if expected == got {
        return Vec::new();
    }
    let found = of_values(&shown(expected), &shown(got));
    if found.is_empty() { of_values(&prepare::json(expected), &prepare::json(got)) } else { found }
}

/// Where two values differ.
pub fn of_values(expected: &Value, got: &Value) -> Vec<Differs> {
    let mut found = Vec::new();
    walk("", Some(expected), Some(got), &mut found);
    found
}

/// A request as a person reads it; a body that is JSON is taken apart.
pub fn shown(request: &Request) -> Value {
    let mut shown = readable(&prepare::json(request));
    if let Some(text) = shown.pointer("/body/text").and_then(Value::as_str)
        && let Ok(body) = serde_json::from_str::<Value>(text)
        && let Some(place) = shown.pointer_mut("/body/text")
    {
        *place = body;
    }
    if let Some(members) = shown.as_object_mut() {
        members.insert("effect".to_owned(), json!(<&str>::from(request.effect)));
        members.insert("resendable".to_owned(), json!(request.resendable));
        members.insert("computed".to_owned(), prepare::json(&request.computed));
    }
    shown
}

fn walk(at: &str, expected: Option<&Value>, got: Option<&Value>, found: &mut Vec<Differs>) {
    if expected == got || found.len() >= TOLD_MAX {
        return;
    }
    match (expected, got) {
        (Some(Value::Object(expected)), Some(Value::Object(got))) => {
            let names: BTreeSet<&String> = expected.keys().chain(got.keys()).collect();
            for name in names {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                walk(&at, expected.get(name), got.get(name), found);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(got))) => {
            for place in 0..expected.len().max(got.len()) {
                walk(&format!("{at}/{place}"), expected.get(place), got.get(place), found);
            }
        }
        (expected, got) => {
            let from = match (expected, got) {
                (Some(Value::String(expected)), Some(Value::String(got))) => first_difference(expected, got),
                _ => 0,
            };
            let told = |value: Option<&Value>| value.map_or(Value::Null, |value| shortened(value, from));
            found.push(Differs { pointer: at.to_owned(), expected: told(expected), got: told(got) });
        }
    }
}

/// Characters that two texts have in common at their beginning.
fn first_difference(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// The value, as much of it as is told; of a text the part around character `from`.
fn shortened(value: &Value, from: usize) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return value.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let count = text.chars().count();
    if count <= TEXT_TOLD_CHARACTERS {
        return value.clone();
    }
    let from = from.saturating_sub(TEXT_BEFORE_CHARACTERS).min(count - TEXT_TOLD_CHARACTERS);
    let part: String = text.chars().skip(from).take(TEXT_TOLD_CHARACTERS).collect();
    let (before, after) = (if from > 0 { "…" } else { "" }, if from + TEXT_TOLD_CHARACTERS < count { "…" } else { "" });
    json!(format!("{before}{part}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::types::{Body, Effect, Method, Segment};

    fn request(body: &str) -> Request {
        Request {
            method: Method::Post,
            url: "https://gateway.example/charges".to_owned(),
            headers: vec![("authorization".to_owned(), vec![Segment::Secret("key".to_owned())])],
            body: Body::Json(vec![
                Segment::Text(format!("{{{body}\"number\":\"")),
                Segment::CardNumber,
                Segment::Text("\"}".to_owned()),
            ]),
            computed: Vec::new(),
            effect: Effect::MovesMoney,
            resendable: true,
        }
    }

    #[test]
    fn a_body_differs_at_its_member() {
        let found = of_requests(&request("\"amount\":1250,"), &request("\"amount\":1251,\"note\":\"x\","));
        let told: Vec<_> = found.iter().map(|d| (d.pointer.as_str(), d.expected.clone(), d.got.clone())).collect();
        let amount = ("/body/text/amount", json!(1250), json!(1251));
        assert_eq!(told, [amount, ("/body/text/note", Value::Null, json!("x"))]);
        assert!(of_requests(&request(""), &request("")).is_empty());
    }

    /// What a person reads is the same, what is sent is not promised to be.
    #[test]
    fn what_reads_the_same_and_is_not_is_told_as_it_is_kept() {
        let mut other = request("");
        other.body = Body::Json(vec![Segment::Text("{\"number\":\"{{card_number}}\"}".to_owned())]);
        let found = of_requests(&request(""), &other);
        assert!(!found.is_empty() && found.iter().all(|differs| differs.pointer.starts_with("/body")), "{found:?}");
        let harmless = Request { effect: Effect::Reads, ..request("") };
        assert_eq!(of_requests(&request(""), &harmless)[0].pointer, "/effect");
    }

    #[test]
    fn long_texts_are_told_from_where_they_differ() {
        let (one, other) = (format!("{}a{}", "x".repeat(1000), "y".repeat(1000)), "x".repeat(2001));
        let found = of_values(&json!({ "a/b": one }), &json!({ "a/b": other }));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].pointer, "/a~1b");
        let told = found[0].expected.as_str().unwrap();
        assert!(told.starts_with("…xxx") && told.contains("xay") && told.chars().count() == TEXT_TOLD_CHARACTERS + 2);
        let many: Vec<i32> = (0..100).collect();
        assert_eq!(of_values(&json!(many), &json!([])).len(), TOLD_MAX);
    }
}
