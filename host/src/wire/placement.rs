//! Where holes stand in a JSON template, and whether a declared pointer means that place.
//!
//! The template is read with a marker in place of each hole. A marker is no JSON by itself, so a hole outside a string
//! (or inside an escape) makes the text unreadable, and one in a key is seen as such. The reader visits every member,
//! doubled ones too: what one parser skips another may read.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use crate::connector::types::Segment;

/// Two code points that Unicode keeps out of text for ever: a connector has no reason to send them, and where it
/// forges a marker with them the count no longer fits.
const MARK_START: char = '\u{FDD0}';
const MARK_END: char = '\u{FDD1}';

/// One step of the way from the root of a JSON document to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// Why the holes of a JSON template have no places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// With the position that the reader gives; never the text.
    #[error("the template is no JSON with its holes inside strings (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("a hole stands in the name of a member")]
    HoleInName,
    #[error("the template forges the marks of holes")]
    Forged,
}

/// The path of every hole of a JSON template, in their order.
pub fn json_holes(template: &[Segment]) -> Result<Vec<Vec<Step>>, JsonFault> {
    let mut text = String::new();
    let mut holes = 0_usize;
    for segment in template {
        if let Segment::Text(part) = segment {
            text.push_str(part);
        } else {
            text.push(MARK_START);
            text.push_str(&holes.to_string());
            text.push(MARK_END);
            holes += 1;
        }
    }
    let mut walk = Walk::default();
    let mut reader = serde_json::Deserializer::from_str(&text);
    let read = Here(&mut walk).deserialize(&mut reader).and_then(|()| reader.end());
    if walk.mark_in_name {
        return Err(JsonFault::HoleInName);
    }
    read.map_err(|fault| JsonFault::NotJson { line: fault.line(), column: fault.column() })?;
    // Every marker once and in order: one more means a forged one, in whatever spelling.
    let in_order = walk.found.iter().enumerate().all(|(position, (number, _))| position == *number);
    if walk.found.len() != holes || !in_order {
        return Err(JsonFault::Forged);
    }
    Ok(walk.found.into_iter().map(|(_, path)| path).collect())
}

/// Whether an RFC 6901 pointer, in which `*` stands for any index, names `path`.
pub fn pointer_names(pointer: &str, path: &[Step]) -> bool {
    let Some(rest) = pointer.strip_prefix('/') else {
        return pointer.is_empty() && path.is_empty();
    };
    let mut tokens = rest.split('/');
    let fits = path.iter().all(|step| tokens.next().is_some_and(|token| token_names(token, step)));
    fits && tokens.next().is_none()
}

fn token_names(token: &str, step: &Step) -> bool {
    match step {
        Step::Index(index) => token == "*" || token == index.to_string(),
        Step::Key(key) if token.contains('~') => token.replace("~1", "/").replace("~0", "~") == *key,
        Step::Key(key) => token == key,
    }
}

/// The path as a pointer, for messages.
pub fn pointer_of(path: &[Step]) -> String {
    path.iter().fold(String::new(), |mut pointer, step| {
        pointer.push('/');
        match step {
            Step::Key(key) => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => pointer.push_str(&index.to_string()),
        }
        pointer
    })
}

#[derive(Default)]
struct Walk {
    path: Vec<Step>,
    found: Vec<(usize, Vec<Step>)>,
    mark_in_name: bool,
}

/// Reads one JSON value at the walk's present path.
struct Here<'a>(&'a mut Walk);

impl<'de> DeserializeSeed<'de> for Here<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Here<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let found = marks(text).map(|number| (number, self.0.path.clone()));
        self.0.found.extend(found);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0;
        loop {
            self.0.path.push(Step::Index(index));
            let more = items.next_element_seed(Here(self.0))?;
            self.0.path.pop();
            if more.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if marks(&name).next().is_some() {
                self.0.mark_in_name = true;
                return Err(A::Error::custom("a hole in a name"));
            }
            self.0.path.push(Step::Key(name));
            members.next_value_seed(Here(self.0))?;
            self.0.path.pop();
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The numbers of the markers in a text.
fn marks(text: &str) -> impl Iterator<Item = usize> {
    text.split(MARK_START).skip(1).filter_map(|after| after.split_once(MARK_END)?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(part: &str) -> Segment {
        Segment::Text(part.to_owned())
    }

    fn pointers(template: &[Segment]) -> Result<Vec<String>, JsonFault> {
        json_holes(template).map(|paths| paths.iter().map(|path| pointer_of(path)).collect())
    }

    #[test]
    fn holes_are_found_where_they_stand() {
        let template = [
            text(r#"{"method":{"number":""#),
            Segment::CardNumber,
            text(r#"","cvc":""#),
            Segment::CardCvc,
            text(r#""},"list":[1,{"a/b~":"x "#),
            Segment::WalletToken,
            text(" y"),
            Segment::GatewayToken,
            text(r#""}],"n":1.5,"u":null,"b":true}"#),
        ];
        let found = pointers(&template).unwrap();
        assert_eq!(found, ["/method/number", "/method/cvc", "/list/1/a~1b~0", "/list/1/a~1b~0"]);
    }

    #[test]
    fn a_hole_alone_can_be_the_document() {
        assert_eq!(pointers(&[text("\""), Segment::CardNumber, text("\"")]).unwrap(), [""]);
    }

    /// Both members of a doubled name are seen: the gateway may read either.
    #[test]
    fn doubled_names_hide_nothing() {
        let template =
            [text(r#"{"note":""#), Segment::CardNumber, text(r#"","note":"harmless","number":""#), text(r#""}"#)];
        assert_eq!(pointers(&template).unwrap(), ["/note"]);
    }

    #[test]
    fn holes_outside_strings_are_refused() {
        let cases: [&[Segment]; 8] = [
            &[text(r#"{"number":"#), Segment::CardNumber, text("}")],
            &[Segment::CardNumber],
            &[text("[1,"), Segment::CardNumber, text("]")],
            &[text(r#"{"a":"\"#), Segment::CardNumber, text(r#""}"#)],
            &[text(r#"{"a":"\u00"#), Segment::CardNumber, text(r#""}"#)],
            &[text(r#"{"a":""#), Segment::CardNumber, text("}")],
            &[text(r#"{"a":""#), Segment::CardNumber, text(r#""} {"b":1}"#)],
            &[text(r#"{"a":1} // ""#), Segment::CardNumber, text("\"")],
        ];
        for template in cases {
            let outcome = json_holes(template);
            assert!(matches!(outcome, Err(JsonFault::NotJson { .. })), "{template:?} gave {outcome:?}");
        }
    }

    #[test]
    fn a_hole_in_a_name_is_refused() {
        let template = [text("{\""), Segment::CardNumber, text("\":1}")];
        assert_eq!(json_holes(&template), Err(JsonFault::HoleInName));
    }

    #[test]
    fn forged_marks_are_refused() {
        let raw = format!("{{\"number\":\"{MARK_START}0{MARK_END}\",\"note\":\"");
        for start in [raw.as_str(), r#"{"number":"\ufdd00\uFDD1","note":""#] {
            let template = [text(start), Segment::CardNumber, text("\"}")];
            assert_eq!(json_holes(&template), Err(JsonFault::Forged), "{start}");
        }
        // Also where it pretends to be one more hole behind the last.
        let template = [text("[\""), Segment::CardNumber, text(r#"","\ufdd01\ufdd1"]"#)];
        assert_eq!(json_holes(&template), Err(JsonFault::Forged));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(matches!(json_holes(&[text(&deep)]), Err(JsonFault::NotJson { .. })));
    }

    #[test]
    fn pointers_name_paths() {
        let key = |name: &str| Step::Key(name.to_owned());
        let cases: [(&str, Vec<Step>, bool); 14] = [
            ("", vec![], true),
            ("", vec![key("a")], false),
            ("/", vec![key("")], true),
            ("/a", vec![key("a")], true),
            ("/a", vec![key("a"), key("b")], false),
            ("/a/b", vec![key("a")], false),
            ("/a/*/b", vec![key("a"), Step::Index(7), key("b")], true),
            ("/a/7/b", vec![key("a"), Step::Index(7), key("b")], true),
            ("/a/07/b", vec![key("a"), Step::Index(7), key("b")], false),
            ("/a/*", vec![key("a"), key("b")], false),
            ("/*", vec![key("*")], true),
            ("/a~1b", vec![key("a/b")], true),
            ("/a~01", vec![key("a~1")], true),
            ("a", vec![key("a")], false),
        ];
        for (pointer, path, named) in cases {
            assert_eq!(pointer_names(pointer, &path), named, "{pointer} for {path:?}");
        }
    }
}
