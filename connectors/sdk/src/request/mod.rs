//! Building requests: headers, bodies and URLs, with holes where the host is to fill in what the connector must not see.
//!
//! ```
//! use interlock_connector::request::{json_object, secret};
//! use interlock_connector::types::{Request, Segment};
//!
//! let body = json_object(|charge| {
//!     charge.integer("amount", 1250);
//!     charge.object("card", |card| card.hole("number", Segment::CardNumber));
//! });
//! let request = Request::post("https://api.example.com/charges")
//!     .header("authorization", ["Bearer ".into(), secret("api_key")])
//!     .header("idempotency-key", "op_01h2xcejqtf2nbrexx3vqjhp41")
//!     .json(body)
//!     .resendable(true);
//! # assert_eq!(request.headers.len(), 2);
//! ```

mod form;
mod json;
mod url;

pub use form::Form;
pub use json::{JsonArray, JsonObject, json_object};
pub use url::{path_segment, with_query};

use crate::types::{Body, Computed, Effect, Method, Operation, Request, Segment, Template};

/// A hole for a secret of the gateway account, by the name that the descriptor declares.
#[must_use]
pub fn secret(name: &str) -> Segment {
    Segment::Secret(name.to_owned())
}

/// A hole for `base64("first:second")`, each the name of a secret, or "" for nothing: what stands after `Basic `.
#[must_use]
pub fn basic_auth(first: &str, second: &str) -> Segment {
    Segment::BasicAuth((first.to_owned(), second.to_owned()))
}

/// A hole for a value that `open_session` had the host keep.
#[must_use]
pub fn session(name: &str) -> Segment {
    Segment::Session(name.to_owned())
}

/// A hole for the result of one of the request's computed values.
#[must_use]
pub fn computed(name: &str) -> Segment {
    Segment::Computed(name.to_owned())
}

/// The gateway's idempotency key for the operation's `nth` writing request, counted from 1: `<id>`, `<id>-2`, …
#[must_use]
pub fn idempotency_key(operation: &Operation, nth: u32) -> String {
    let mut key = operation.id.clone();
    if nth > 1 {
        key.push('-');
        push_decimal(&mut key, u64::from(nth));
    }
    key
}

impl From<&str> for Segment {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Segment {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// What a header or a form field can be made of: plain text, one hole, or a row of pieces.
pub trait IntoTemplate {
    /// The pieces, in order.
    fn into_template(self) -> Template;
}

impl IntoTemplate for &str {
    fn into_template(self) -> Template {
        vec![self.into()]
    }
}

impl IntoTemplate for String {
    fn into_template(self) -> Template {
        vec![self.into()]
    }
}

impl IntoTemplate for Segment {
    fn into_template(self) -> Template {
        vec![self]
    }
}

impl<const N: usize> IntoTemplate for [Segment; N] {
    fn into_template(self) -> Template {
        self.into()
    }
}

impl IntoTemplate for Template {
    fn into_template(self) -> Template {
        self
    }
}

impl Request {
    /// A request that only reads, and may be sent again.
    pub fn get(url: impl Into<String>) -> Self {
        Self { effect: Effect::Reads, resendable: true, ..Self::new(Method::Get, url.into()) }
    }

    /// A request that moves money and may not be sent again, until [`Request::effect`] and [`Request::resendable`] say
    /// otherwise: what is safe where nothing is said.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::Post, url.into())
    }

    /// As [`Request::post`].
    pub fn put(url: impl Into<String>) -> Self {
        Self::new(Method::Put, url.into())
    }

    /// As [`Request::post`].
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new(Method::Patch, url.into())
    }

    /// As [`Request::post`].
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::Delete, url.into())
    }

    fn new(method: Method, url: String) -> Self {
        Self {
            method,
            url,
            headers: Vec::with_capacity(2),
            body: Body::Empty,
            computed: Vec::new(),
            effect: Effect::MovesMoney,
            resendable: false,
        }
    }

    /// Adds a header. `name` in lower case, once per request; those that frame the message (`host`, `content-length`,
    /// `connection` …) are the host's, and the body brings its own `content-type`.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl IntoTemplate) -> Self {
        self.headers.push((name.to_owned(), value.into_template()));
        self
    }

    /// The body, as [`json_object`] makes it.
    #[must_use]
    pub fn json(mut self, template: Template) -> Self {
        self.body = Body::Json(template);
        self
    }

    /// The body, as [`Form`] makes it.
    #[must_use]
    pub fn form(mut self, form: Form) -> Self {
        self.body = Body::Form(form.into_fields());
        self
    }

    /// A body of any other kind. Holes are filled as they are: escape nothing around them that they would need.
    #[must_use]
    pub fn raw(mut self, content_type: &str, template: impl IntoTemplate) -> Self {
        self.body = Body::Raw((content_type.to_owned(), template.into_template()));
        self
    }

    /// Adds a value for the host to compute once everything else is filled in; [`computed`] says where it stands.
    #[must_use]
    pub fn computing(mut self, computed: Computed) -> Self {
        self.computed.push(computed);
        self
    }

    /// What sending it can do at the gateway.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Whether the gateway promises that sending these very bytes again has no second effect.
    #[must_use]
    pub fn resendable(mut self, resendable: bool) -> Self {
        self.resendable = resendable;
        self
    }
}

/// Appends digits without the formatting machinery, which would be a good part of a small component.
pub(crate) fn push_decimal(out: &mut String, mut value: u64) {
    /// The longest `u64` has 20 digits.
    const DIGITS_MAX: usize = 20;
    let mut digits = [0_u8; DIGITS_MAX];
    let mut used = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(DIGITS_MAX - used).copied().map(char::from));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Action, Cancel};

    fn operation(id: &str) -> Operation {
        Operation {
            id: id.to_owned(),
            payment_id: "pay_1".to_owned(),
            references: Vec::new(),
            action: Action::Cancel(Cancel { target_id: "op_0".to_owned(), reason: None }),
        }
    }

    #[test]
    fn each_writing_request_has_a_key_of_its_own() {
        let keys = [1, 2, 12].map(|nth| idempotency_key(&operation("op_1"), nth));
        assert_eq!(keys, ["op_1", "op_1-2", "op_1-12"]);
    }

    #[test]
    fn what_is_not_said_to_be_safe_is_not() {
        let write = Request::post("https://example.com/");
        assert_eq!((write.effect, write.resendable), (Effect::MovesMoney, false));
        let read = Request::get("https://example.com/");
        assert_eq!((read.effect, read.resendable), (Effect::Reads, true));
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 1250, u64::MAX] {
            let mut text = String::new();
            push_decimal(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }
}
