//! Takes out of a gateway's reply what the host had filled into the request, before connector, journal or log see it.
//!
//! Card numbers, secrets, session values and tokens go wherever they stand, if they are long enough not to be there by
//! accident. A card's code, expiry and holder are short and look like other things, so they go only where one is a
//! whole JSON string or form value: a `123` inside an id or a number stays. An expiry also stays where the member's
//! name says that it is an amount, an identifier or a code: `"response_code": "05"` is not the month of May.

use std::fmt::Write as _;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use zeroize::Zeroizing;

use super::needle::{Needle, plain_at_start};
use crate::connector::types::{Pairs, Response};
use crate::vault::{HoleKind, Holes};

/// Values shorter than this are not looked for inside of text: they would be found by accident.
const ANYWHERE_BYTES_MIN: usize = 8;

/// Parts of member names under which a short number is an amount, an identifier or a code, not an expiry.
const NOT_AN_EXPIRY: [&str; 17] = [
    "amount",
    "balance",
    "captured",
    "code",
    "cost",
    "count",
    "error",
    "fee",
    "minor",
    "price",
    "reason",
    "reference",
    "refunded",
    "result",
    "status",
    "total",
    "value",
];

/// A value that is looked for everywhere, with what stands there instead.
struct Anywhere {
    label: String,
    needles: Vec<Needle>,
}

/// A value that is looked for as a whole string or form value only.
struct Whole {
    label: String,
    value: Zeroizing<Vec<u8>>,
    is_expiry: bool,
}

/// Knows the values of one operation. Holds secrets: neither printed nor cloned.
pub struct Scrubber {
    anywhere: Vec<Anywhere>,
    whole: Vec<Whole>,
    /// Whether a spelling of anything in `anywhere` may begin with that byte.
    begins: [bool; 256],
    /// Whether a value in `anywhere` holds a character that ends a string of JSON or a field of a form: one that is echoed
    /// as it is does not stay inside of what the grammar calls one piece.
    crosses: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grammar {
    Json,
    Form,
    Text,
}

impl Scrubber {
    /// For the values of one operation, or of one gateway account.
    #[must_use]
    pub fn new(holes: &Holes) -> Self {
        let mut scrubber = Self { anywhere: Vec::new(), whole: Vec::new(), begins: [false; 256], crosses: false };
        let (mut month, mut year) = (None, None);
        for (kind, value) in holes.each() {
            let label = format!("[{kind}]");
            match kind {
                HoleKind::CardNumber => scrubber.seek(label, Needle::of_digits(value)),
                HoleKind::Secret(_) | HoleKind::Session(_) | HoleKind::WalletToken | HoleKind::GatewayToken => {
                    if value.len() >= ANYWHERE_BYTES_MIN {
                        scrubber.crosses |= value.iter().any(|byte| b"\"\\&=".contains(byte));
                        scrubber.seek(label, Needle::of(value));
                    }
                }
                HoleKind::CardCvc | HoleKind::CardHolder => scrubber.seek_whole(label, value, false),
                HoleKind::CardExpiryMonth => {
                    month = Some(value);
                    scrubber.seek_whole(label, value, true);
                }
                HoleKind::CardExpiryYear => {
                    year = Some(value);
                    scrubber.seek_whole(label, value, true);
                }
                HoleKind::CardExpiryYearShort => scrubber.seek_whole(label, value, true),
            }
        }
        if let (Some(month), Some(year)) = (month, year) {
            scrubber.seek_dates(month, year);
        }
        scrubber
    }

    /// The reply as everybody else may see it. Cookies are dropped: nobody here keeps them.
    #[must_use]
    pub fn response(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> Response {
        let grammar = grammar_of(headers, body);
        Response { status, headers: self.headers(headers), body: self.body(body, grammar) }
    }

    fn seek(&mut self, label: String, needles: Vec<Needle>) {
        for byte in needles.iter().flat_map(Needle::may_begin_with) {
            if let Some(begins) = self.begins.get_mut(usize::from(byte)) {
                *begins = true;
            }
        }
        self.anywhere.push(Anywhere { label, needles });
    }

    fn seek_whole(&mut self, label: String, value: &[u8], is_expiry: bool) {
        if !value.is_empty() {
            self.whole.push(Whole { label, value: Zeroizing::new(value.to_vec()), is_expiry });
        }
    }

    /// Month and year written together, in the orders that gateways use.
    fn seek_dates(&mut self, month: &[u8], year: &[u8]) {
        let short = year.get(year.len().saturating_sub(2)..).unwrap_or_default();
        for separator in [&b""[..], b"/", b"-"] {
            for (first, second) in [(month, short), (month, year), (year, month), (short, month)] {
                let date = Zeroizing::new([first, separator, second].concat());
                self.seek_whole("[card-expiry]".to_owned(), &date, true);
            }
        }
    }

    fn headers(&self, headers: &HeaderMap) -> Pairs {
        let kept = headers.iter().filter(|(name, _)| **name != SET_COOKIE);
        kept.map(|(name, value)| {
            let mut out = Vec::with_capacity(value.len());
            self.text(value.as_bytes(), &mut out);
            // Header bytes beyond ASCII have no agreed meaning; Latin-1 was the last one they had.
            let text =
                String::from_utf8(out).unwrap_or_else(|fault| fault.into_bytes().into_iter().map(char::from).collect());
            (name.as_str().to_owned(), text)
        })
        .collect()
    }

    fn body(&self, body: &[u8], grammar: Grammar) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len());
        match grammar {
            Grammar::Json => self.json(body, &mut out),
            Grammar::Form => self.form(body, &mut out),
            Grammar::Text => {
                self.text(body, &mut out);
                return out;
            }
        }
        if !self.crosses {
            return out;
        }
        let mut again = Vec::with_capacity(out.len());
        self.text(&out, &mut again);
        again
    }

    /// Copies `text`, with labels in place of what is looked for everywhere. True where there was any.
    fn text(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let mut changed = false;
        let mut rest = text;
        while let Some((first, tail)) = rest.split_first() {
            if let Some((length, label)) = self.sought_at_start(rest) {
                out.extend_from_slice(label.as_bytes());
                rest = rest.get(length..).unwrap_or_default();
                changed = true;
            } else {
                out.push(*first);
                rest = tail;
            }
        }
        changed
    }

    /// How much of the beginning of `text` spells something that is looked for everywhere, and its label.
    fn sought_at_start(&self, text: &[u8]) -> Option<(usize, &str)> {
        let first = text.first()?;
        if !self.begins.get(usize::from(*first)).copied().unwrap_or_default() {
            return None;
        }
        let found = self.anywhere.iter().flat_map(|sought| {
            sought.needles.iter().filter_map(|needle| Some((needle.at_start_of(text)?, sought.label.as_str())))
        });
        found.max_by_key(|(length, _)| *length)
    }

    /// The label of the short value that all of `text` is, where `name` does not say that it is something else.
    fn whole(&self, text: &[u8], name: &[u8]) -> Option<&str> {
        let sought = self.whole.iter().find(|sought| {
            let fits =
                plain_at_start(text, &sought.value) == Some(text.len()) || text.eq_ignore_ascii_case(&sought.value);
            fits && !(sought.is_expiry && says_otherwise(name))
        })?;
        Some(&sought.label)
    }

    /// Goes through strings and what is between them. Does not need the text to be sound JSON: a gateway's broken
    /// reply is kept as evidence too.
    fn json(&self, body: &[u8], out: &mut Vec<u8>) {
        let (mut rest, mut name, mut atom) = (body, &b""[..], Atom::default());
        while let Some((first, tail)) = rest.split_first() {
            if *first == b'"' {
                atom.end(out);
                let (inside, after) = tail.split_at(string_length(tail));
                out.push(b'"');
                if is_name(after) {
                    name = inside;
                    self.text(inside, out);
                } else if let Some(label) = self.whole(inside, name) {
                    out.extend_from_slice(label.as_bytes());
                } else {
                    self.text(inside, out);
                }
                // The closing quote, where there is one.
                let (quote, after) = after.split_at(after.len().min(1));
                out.extend_from_slice(quote);
                rest = after;
            } else if let Some((length, label)) = self.sought_at_start(rest) {
                // May reach beyond the atom: groups of a card number in what is no sound JSON.
                atom.begin(out);
                atom.changed = true;
                out.extend_from_slice(label.as_bytes());
                rest = rest.get(length..).unwrap_or_default();
            } else {
                if b"{}[],: \t\r\n".contains(first) {
                    atom.end(out);
                } else {
                    atom.begin(out);
                }
                out.push(*first);
                rest = tail;
            }
        }
        atom.end(out);
    }

    fn form(&self, body: &[u8], out: &mut Vec<u8>) {
        for (position, field) in body.split(|byte| *byte == b'&').enumerate() {
            if position > 0 {
                out.push(b'&');
            }
            let (name, value) = match field.iter().position(|byte| *byte == b'=') {
                Some(at) => (field.get(..at).unwrap_or_default(), field.get(at + 1..)),
                None => (field, None),
            };
            self.text(name, out);
            if let Some(value) = value {
                out.push(b'=');
                match self.whole(value, name) {
                    Some(label) => out.extend_from_slice(label.as_bytes()),
                    None => {
                        self.text(value, out);
                    }
                }
            }
        }
    }
}

/// A number or word of JSON, while it is copied. One that held a card number becomes a string, so that the reply stays
/// readable.
#[derive(Default)]
struct Atom {
    /// Where it begins in the copy; none between atoms.
    start: Option<usize>,
    changed: bool,
}

impl Atom {
    fn begin(&mut self, out: &[u8]) {
        self.start.get_or_insert(out.len());
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let ended = std::mem::take(self);
        if let Some(start) = ended.start.filter(|_| ended.changed) {
            out.insert(start, b'"');
            out.push(b'"');
        }
    }
}

fn grammar_of(headers: &HeaderMap, body: &[u8]) -> Grammar {
    let mut content_type = String::new();
    for value in headers.get_all(CONTENT_TYPE) {
        // Writing to a string does not fail.
        let _ = write!(content_type, "{} ", String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    }
    // What a body looks like counts: gateways send JSON as text/plain, and pages of HTML as JSON.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match body.trim_ascii_start().first() {
        Some(b'{' | b'[' | b'"') => Grammar::Json,
        _ if content_type.contains("x-www-form-urlencoded") => Grammar::Form,
        _ => Grammar::Text,
    }
}

/// How many bytes stand before the quote that ends a string.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| match (escaped, byte) {
        (true, _) => {
            escaped = false;
            false
        }
        (false, b'\\') => {
            escaped = true;
            false
        }
        (false, byte) => *byte == b'"',
    });
    end.unwrap_or(text.len())
}

/// Whether a string, seen from its closing quote, is the name of a member.
fn is_name(from_quote: &[u8]) -> bool {
    from_quote.get(1..).is_some_and(|after| after.trim_ascii_start().first() == Some(&b':'))
}

/// Whether a member's name says that its value is an amount, an identifier or a code.
fn says_otherwise(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name);
    let lower = name.to_ascii_lowercase();
    let is_identifier = lower == "id" || lower.ends_with("_id") || lower.ends_with("-id") || name.ends_with("Id");
    is_identifier || NOT_AN_EXPIRY.iter().any(|part| lower.contains(part))
}
