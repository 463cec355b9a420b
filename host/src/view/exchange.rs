//! What went over the wire, for people: a request with its holes as holes, and what came back.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::time;
use crate::{
    connector::types::{Body, Method, Request, Segment, Template},
    store::story::{Exchange, Reply},
};

/// One request of an operation, with every reply that it got.
#[derive(Serialize, ToSchema)]
#[schema(as = Exchange)]
pub struct ExchangeView<'a> {
    /// From 1, in the order they were written down.
    position: i16,
    /// What sending it can do at the gateway: `reads`, `prepares` or `moves_money`.
    effect: &'a str,
    /// Whether the gateway promises that these very bytes have no second effect.
    resendable: bool,
    /// `{method, url, headers, body}`; `{{card_number}}` and the like are holes, which the host fills as it sends. Null
    /// where it is too long to be shown.
    #[schema(value_type = Option<Object>)]
    request: Option<Value>,
    /// How long it is as the journal keeps it.
    request_characters: i32,
    /// When it was written down, which is before it was sent.
    created_at: String,
    /// Oldest first. None: it was sent, or may have been, and nobody knows what came of it.
    replies: Vec<ReplyView<'a>>,
}

/// What came back, or what is known instead.
#[derive(Serialize, ToSchema)]
#[schema(as = ExchangeReply)]
pub struct ReplyView<'a> {
    /// `reply`, `not_sent` (proved: not one byte left) or `unknown`.
    kind: &'a str,
    /// The HTTP status.
    status: Option<i16>,
    /// Scrubbed of what the host had filled in, as the body is. Null where there are none, or too many to be shown.
    #[schema(value_type = Option<Vec<Vec<String>>>)]
    headers: Option<&'a Value>,
    /// The beginning of the body, as text where it is text.
    body: Option<String>,
    /// `text` or `base64`
    body_encoding: Option<&'static str>,
    /// How long the whole body is.
    body_bytes: Option<i32>,
    /// Why there is no reply.
    detail: Option<&'a str>,
    /// It came after its host had lost the operation to another: evidence that was not acted on at once.
    late: bool,
    /// Which lease it was sent under, counted from 1: one more for each time it was taken over or sent again.
    lease: i32,
    received_at: String,
}

impl<'a> ExchangeView<'a> {
    /// The exchange with those of `replies` that belong to it.
    #[must_use]
    pub fn new(exchange: &'a Exchange, replies: &'a [Reply]) -> Self {
        let is_its =
            |reply: &&Reply| reply.operation_id == exchange.operation_id && reply.position == exchange.position;
        Self {
            position: exchange.position,
            effect: &exchange.effect,
            resendable: exchange.resendable,
            request: exchange.request.as_ref().map(readable),
            request_characters: exchange.request_characters,
            created_at: time(exchange.created_at),
            replies: replies.iter().filter(is_its).map(ReplyView::new).collect(),
        }
    }
}

impl<'a> ReplyView<'a> {
    fn new(reply: &'a Reply) -> Self {
        let (body, body_encoding) = reply.body.as_deref().map(|body| text_of(body, reply.body_bytes)).unzip();
        Self {
            kind: &reply.kind,
            status: reply.status,
            headers: reply.headers.as_ref(),
            body,
            body_encoding,
            body_bytes: reply.body_bytes,
            detail: reply.detail.as_deref(),
            late: reply.late,
            lease: reply.fence,
            received_at: time(reply.received_at),
        }
    }
}

/// The bytes as text where they are text; else in base64. The last character of a body that was cut may be cut itself.
fn text_of(bytes: &[u8], whole: Option<i32>) -> (String, &'static str) {
    let is_cut = usize::try_from(whole.unwrap_or(0)).is_ok_and(|whole| whole > bytes.len());
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), "text"),
        Err(error) if is_cut && error.error_len().is_none() => {
            let whole_characters = bytes.get(..error.valid_up_to()).unwrap_or_default();
            (String::from_utf8_lossy(whole_characters).into_owned(), "text")
        }
        Err(_) => (STANDARD.encode(bytes), "base64"),
    }
}

/// A journaled request as a person reads it; as it is kept, where it cannot be read (a newer host wrote it).
#[must_use]
pub fn readable(request: &Value) -> Value {
    let Ok(request) = serde_json::from_value::<Request>(request.clone()) else { return request.clone() };
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    };
    let pairs = |pairs: &[(String, Template)]| -> Vec<[String; 2]> {
        pairs.iter().map(|(name, template)| [name.clone(), with_holes(template)]).collect()
    };
    let body = match &request.body {
        Body::Empty => Value::Null,
        Body::Json(template) => json!({ "type": "json", "text": with_holes(template) }),
        Body::Form(fields) => json!({ "type": "form", "fields": pairs(fields) }),
        Body::Raw((content_type, template)) => {
            json!({ "type": "raw", "content_type": content_type, "text": with_holes(template) })
        }
    };
    json!({ "method": method, "url": request.url, "headers": pairs(&request.headers), "body": body })
}

/// A template as text, with `{{name}}` where the host fills something in.
fn with_holes(template: &Template) -> String {
    template.iter().fold(String::new(), |mut text, segment| {
        match segment {
            Segment::Text(known) => text.push_str(known),
            hole => write!(text, "{{{{{}}}}}", name(hole)).expect("a String takes everything"),
        }
        text
    })
}

fn name(hole: &Segment) -> String {
    match hole {
        Segment::Text(text) => text.clone(),
        Segment::Secret(name) => format!("secret:{name}"),
        Segment::BasicAuth((user, password)) => format!("basic_auth:{user}:{password}"),
        Segment::Session(name) => format!("session:{name}"),
        Segment::Computed(name) => format!("computed:{name}"),
        Segment::CardNumber => "card_number".to_owned(),
        Segment::CardCvc => "card_cvc".to_owned(),
        Segment::CardHolder => "card_holder".to_owned(),
        Segment::CardExpiryMonth => "card_expiry_month".to_owned(),
        Segment::CardExpiryYear => "card_expiry_year".to_owned(),
        Segment::CardExpiryYearShort => "card_expiry_year_short".to_owned(),
        Segment::WalletToken => "wallet_token".to_owned(),
        Segment::GatewayToken => "gateway_token".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_shown_as_holes() {
        let template = vec![
            Segment::Text("{\"number\":\"".to_owned()),
            Segment::CardNumber,
            Segment::Text("\",\"key\":\"".to_owned()),
            Segment::Secret("api_key".to_owned()),
            Segment::Text("\"}".to_owned()),
        ];
        assert_eq!(with_holes(&template), r#"{"number":"{{card_number}}","key":"{{secret:api_key}}"}"#);
    }

    #[test]
    fn what_cannot_be_read_is_shown_as_it_is_kept() {
        let newer = json!({ "verb": "POST" });
        assert_eq!(readable(&newer), newer);
    }

    #[test]
    fn a_cut_body_is_still_text() {
        let whole = "grün".as_bytes();
        assert_eq!(text_of(whole, Some(5)), ("grün".to_owned(), "text"));
        assert_eq!(text_of(&whole[..3], Some(5)), ("gr".to_owned(), "text"));
        assert_eq!(text_of(&whole[..3], Some(3)), ("Z3LD".to_owned(), "base64"));
        assert_eq!(text_of(b"\xff\xfe", Some(2)), ("//4=".to_owned(), "base64"));
    }
}
