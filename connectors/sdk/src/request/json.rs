//! JSON bodies with holes, written straight into a template: no tree of values is built.

use super::push_decimal;
use crate::types::{Segment, Template};

/// Room for the text between two holes, in bytes: a small body grows seldom.
const TEXT_CAPACITY_BYTES: usize = 256;

/// A JSON object as the template of a body. Members stand in the order in which they are added; adding a name twice
/// writes it twice.
#[must_use]
pub fn json_object(members: impl FnOnce(&mut JsonObject<'_>)) -> Template {
    let mut out = Writer { done: Vec::new(), text: String::with_capacity(TEXT_CAPACITY_BYTES) };
    out.object(members);
    out.done.push(Segment::Text(out.text));
    out.done
}

/// The members of an object that is being written.
pub struct JsonObject<'a> {
    out: &'a mut Writer,
    empty: bool,
}

impl JsonObject<'_> {
    /// A string.
    pub fn string(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.string(value);
    }

    /// A string, where there is one; else no member.
    pub fn optional_string(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.string(name, value);
        }
    }

    /// A string that is one hole.
    pub fn hole(&mut self, name: &str, hole: Segment) {
        self.template(name, [hole]);
    }

    /// A string of text and holes. The text is escaped here, what fills the holes by the host.
    pub fn template(&mut self, name: &str, pieces: impl IntoIterator<Item = Segment>) {
        self.name(name);
        self.out.template(pieces);
    }

    /// A number without a fraction: an amount in minor units.
    pub fn integer(&mut self, name: &str, value: u64) {
        self.name(name);
        push_decimal(&mut self.out.text, value);
    }

    /// A number with a sign.
    pub fn signed(&mut self, name: &str, value: i64) {
        self.name(name);
        self.out.signed(value);
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, name: &str, value: bool) {
        self.name(name);
        self.out.text.push_str(if value { "true" } else { "false" });
    }

    /// `null`: for gateways that tell it from a missing member.
    pub fn null(&mut self, name: &str) {
        self.name(name);
        self.out.text.push_str("null");
    }

    /// An object.
    pub fn object(&mut self, name: &str, members: impl FnOnce(&mut JsonObject<'_>)) {
        self.name(name);
        self.out.object(members);
    }

    /// An array.
    pub fn array(&mut self, name: &str, items: impl FnOnce(&mut JsonArray<'_>)) {
        self.name(name);
        self.out.array(items);
    }

    fn name(&mut self, name: &str) {
        self.out.comma(&mut self.empty);
        self.out.string(name);
        self.out.text.push(':');
    }
}

/// The items of an array that is being written.
pub struct JsonArray<'a> {
    out: &'a mut Writer,
    empty: bool,
}

impl JsonArray<'_> {
    /// A string.
    pub fn string(&mut self, value: &str) {
        self.out.comma(&mut self.empty);
        self.out.string(value);
    }

    /// A string of text and holes.
    pub fn template(&mut self, pieces: impl IntoIterator<Item = Segment>) {
        self.out.comma(&mut self.empty);
        self.out.template(pieces);
    }

    /// A number without a fraction.
    pub fn integer(&mut self, value: u64) {
        self.out.comma(&mut self.empty);
        push_decimal(&mut self.out.text, value);
    }

    /// An object.
    pub fn object(&mut self, members: impl FnOnce(&mut JsonObject<'_>)) {
        self.out.comma(&mut self.empty);
        self.out.object(members);
    }

    /// An array.
    pub fn array(&mut self, items: impl FnOnce(&mut JsonArray<'_>)) {
        self.out.comma(&mut self.empty);
        self.out.array(items);
    }
}

/// The template so far: finished segments, and the text since the last hole.
struct Writer {
    done: Template,
    text: String,
}

impl Writer {
    fn object(&mut self, members: impl FnOnce(&mut JsonObject<'_>)) {
        self.text.push('{');
        members(&mut JsonObject { out: self, empty: true });
        self.text.push('}');
    }

    fn array(&mut self, items: impl FnOnce(&mut JsonArray<'_>)) {
        self.text.push('[');
        items(&mut JsonArray { out: self, empty: true });
        self.text.push(']');
    }

    fn comma(&mut self, empty: &mut bool) {
        if !std::mem::replace(empty, false) {
            self.text.push(',');
        }
    }

    fn string(&mut self, value: &str) {
        self.text.push('"');
        self.escaped(value);
        self.text.push('"');
    }

    fn template(&mut self, pieces: impl IntoIterator<Item = Segment>) {
        self.text.push('"');
        for piece in pieces {
            match piece {
                Segment::Text(text) => self.escaped(&text),
                hole => {
                    self.done.push(Segment::Text(std::mem::take(&mut self.text)));
                    self.done.push(hole);
                }
            }
        }
        self.text.push('"');
    }

    fn signed(&mut self, value: i64) {
        if value < 0 {
            self.text.push('-');
        }
        push_decimal(&mut self.text, value.unsigned_abs());
    }

    fn escaped(&mut self, value: &str) {
        let mut plain_from = 0;
        for (at, byte) in value.bytes().enumerate() {
            if byte >= b' ' && byte != b'"' && byte != b'\\' {
                continue;
            }
            // Both ends are at ASCII bytes, so never inside a character.
            self.text.push_str(value.get(plain_from..at).unwrap_or_default());
            plain_from = at + 1;
            match byte {
                b'"' => self.text.push_str("\\\""),
                b'\\' => self.text.push_str("\\\\"),
                b'\n' => self.text.push_str("\\n"),
                control => {
                    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' + value - 10 });
                    self.text.push_str("\\u00");
                    self.text.push(digit(control >> 4));
                    self.text.push(digit(control & 0xf));
                }
            }
        }
        self.text.push_str(value.get(plain_from..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(template: &[Segment]) -> String {
        template
            .iter()
            .map(|segment| match segment {
                Segment::Text(text) => text.clone(),
                hole => format!("<{hole:?}>"),
            })
            .collect()
    }

    #[test]
    fn an_object_is_written_in_order() {
        let template = json_object(|o| {
            o.string("a", "x");
            o.optional_string("b", None);
            o.integer("c", u64::MAX);
            o.signed("d", i64::MIN);
            o.boolean("e", false);
            o.null("f");
            o.object("g", |_| {});
            o.array("h", |a| {
                a.integer(1);
                a.string("two");
                a.object(|o| o.boolean("three", true));
                a.array(|_| {});
            });
        });
        let expected = r#"{"a":"x","c":18446744073709551615,"d":-9223372036854775808,"e":false,"f":null,"g":{},"h":[1,"two",{"three":true},[]]}"#;
        assert_eq!(text_of(&template), expected);
    }

    /// Whatever stands in a value, a reader gets it back.
    #[test]
    fn text_is_escaped() {
        let nasty = "\"\\\n\r\t\u{0}\u{1f}\u{7f}é\u{2028}😀</script>";
        let template = json_object(|o| o.string(nasty, nasty));
        let read: serde_json::Value = serde_json::from_str(&text_of(&template)).unwrap();
        assert_eq!(read, serde_json::json!({ nasty: nasty }));
    }

    #[test]
    fn holes_stand_inside_strings() {
        let template = json_object(|o| {
            o.hole("number", Segment::CardNumber);
            o.template("expiry", [Segment::CardExpiryMonth, "/\"".into(), Segment::CardExpiryYear]);
        });
        assert_eq!(
            template,
            [
                Segment::Text(r#"{"number":""#.into()),
                Segment::CardNumber,
                Segment::Text(r#"","expiry":""#.into()),
                Segment::CardExpiryMonth,
                Segment::Text(r#"/\""#.into()),
                Segment::CardExpiryYear,
                Segment::Text(r#""}"#.into()),
            ]
        );
    }
}
