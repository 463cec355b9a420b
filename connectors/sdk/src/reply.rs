//! Reading what the gateway said. What cannot be read is a [`Failure`], never a guess.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::types::{Failure, Response};

impl Failure {
    /// The connector cannot make sense of what the gateway said, and why. No place for personal data.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl Response {
    /// The first header of that name, capitals or not.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        crate::find_ignoring_case(&self.headers, name)
    }

    /// Whether the status is one of 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON of the shape `T`, the whole of it: what follows the value is an error too.
    ///
    /// Name the members that are needed and leave out the rest; a member that may be missing is an `Option`, and an
    /// enum of the known words makes an unknown one a failure.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| unreadable(self.status, &error))
    }

    /// The body as JSON of any shape, to be read by pointers. For gateways whose replies have no one shape; a struct
    /// and [`Response::json`] make a smaller and faster component.
    pub fn document(&self) -> Result<Document, Failure> {
        self.json().map(|value| Document { value, status: self.status })
    }
}

/// Where reading stopped and why, without the text itself: the error's own words could quote it.
#[cold]
fn unreadable(status: u16, error: &serde_json::Error) -> Failure {
    use serde_json::error::Category;
    let why = match error.classify() {
        Category::Eof => "it ends too early",
        Category::Data => "it has another shape than expected",
        Category::Syntax | Category::Io => "it is no JSON",
    };
    let mut message = String::from("the reply with status ");
    push(&mut message, status.into());
    message.push_str(" cannot be read: ");
    message.push_str(why);
    message.push_str(" (line ");
    push(&mut message, error.line() as u64);
    message.push_str(", column ");
    push(&mut message, error.column() as u64);
    message.push(')');
    Failure { message }
}

fn push(message: &mut String, number: u64) {
    crate::request::push_decimal(message, number);
}

/// A JSON reply, read by RFC 6901 pointers: `/data/0/id`.
#[derive(Clone, Debug)]
pub struct Document {
    value: Value,
    status: u16,
}

impl Document {
    /// The value at `pointer`; none where there is none, and where it is null.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer).filter(|value| !value.is_null())
    }

    /// The text at `pointer`; a failure that names the place where there is none.
    pub fn text(&self, pointer: &str) -> Result<&str, Failure> {
        self.optional_text(pointer)?.ok_or_else(|| self.no("text", pointer))
    }

    /// The text at `pointer`, where there is something; a failure where that is no text.
    pub fn optional_text(&self, pointer: &str) -> Result<Option<&str>, Failure> {
        self.at(pointer).map(|value| value.as_str().ok_or_else(|| self.no("text", pointer))).transpose()
    }

    /// The number at `pointer`, which must be whole and not below zero: an amount in minor units.
    pub fn integer(&self, pointer: &str) -> Result<u64, Failure> {
        self.optional_integer(pointer)?.ok_or_else(|| self.no("whole number", pointer))
    }

    /// The number at `pointer`, where there is something.
    pub fn optional_integer(&self, pointer: &str) -> Result<Option<u64>, Failure> {
        self.at(pointer).map(|value| value.as_u64().ok_or_else(|| self.no("whole number", pointer))).transpose()
    }

    /// `true` or `false` at `pointer`.
    pub fn boolean(&self, pointer: &str) -> Result<bool, Failure> {
        self.at(pointer).and_then(Value::as_bool).ok_or_else(|| self.no("boolean", pointer))
    }

    #[cold]
    fn no(&self, what: &str, pointer: &str) -> Failure {
        let mut message = String::from("the reply with status ");
        push(&mut message, self.status.into());
        message.push_str(&[" has no ", what, " at ", pointer].concat());
        Failure { message }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn reply(body: &str) -> Response {
        let headers = vec![("Retry-After".to_owned(), "7".to_owned())];
        Response { status: 200, headers, body: body.as_bytes().to_vec() }
    }

    #[derive(Debug, Deserialize)]
    struct Charge {
        #[expect(dead_code, reason = "only its reading is tested")]
        id: String,
    }

    /// A failure says where, and never what: the body may hold a customer's data.
    #[test]
    fn failures_name_the_place_and_quote_nothing() {
        let cases = [
            ("", "it ends too early (line 1, column 0)"),
            (r#"{"id":"secret-text"#, "it ends too early (line 1, column 18)"),
            ("<html>secret-text", "it is no JSON (line 1, column 1)"),
            (r#"{"id":["secret-text"]}"#, "it has another shape than expected (line 1, column 6)"),
            (r#"{"id":"x"} secret-text"#, "it is no JSON (line 1, column 12)"),
        ];
        for (body, why) in cases {
            let failure = reply(body).json::<Charge>().unwrap_err();
            assert_eq!(failure.message, format!("the reply with status 200 cannot be read: {why}"), "{body}");
        }
    }

    #[test]
    fn pointers_read_what_is_there() {
        let document = reply(r#"{"data":[{"id":"ch_1","amount":1250,"live":false,"note":null}]}"#).document().unwrap();
        assert_eq!(document.text("/data/0/id").unwrap(), "ch_1");
        assert_eq!(document.integer("/data/0/amount").unwrap(), 1250);
        assert!(!document.boolean("/data/0/live").unwrap());
        assert_eq!(document.optional_text("/data/0/note").unwrap(), None);
        let failure = document.text("/data/0/amount").unwrap_err();
        assert_eq!(failure.message, "the reply with status 200 has no text at /data/0/amount");
        assert!(document.optional_integer("/data/0/id").is_err());
        assert!(document.integer("/data/1/amount").is_err());
    }

    #[test]
    fn headers_are_found_in_any_spelling() {
        assert_eq!(reply("").header("retry-after"), Some("7"));
        assert_eq!(reply("").header("etag"), None);
    }
}
