//! How an answer looks on the wire: as it should, or as a fault wants it.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::faces::answer::Answer;
use crate::gateway::ask::Card;

/// The pieces of a slow answer, in bytes.
const SLOW_CHUNK_BYTES: usize = 16;
/// The pieces of a huge answer, in bytes.
const HUGE_CHUNK: &[u8] = &[b'x'; 64 * 1024];
/// How long the first half of a truncated answer gets to leave the machine, in milliseconds.
const TRUNCATION_FLUSH_MS: u64 = 20;

/// As it should be.
pub fn plain(mut answer: Answer) -> Response {
    let body = std::mem::take(&mut answer.body);
    headed(&answer, Body::from(body))
}

/// 200, and nobody can read it.
pub fn garbage() -> Response {
    let body = "<html><body>Please stand by <- {\"status\":\"captured\"";
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// The answer with `bytes` of padding as its first field, of a length that nobody is told beforehand.
pub fn huge(answer: &Answer, bytes: u64) -> Response {
    let head = Bytes::from_static(b"{\"padding\":\"");
    let rest = answer.body.slice(1.min(answer.body.len())..);
    let tail = Bytes::from([b"\",".as_slice(), &rest].concat());
    let chunks = stream::unfold((Some(head), bytes, Some(tail)), |(head, left, tail)| async move {
        if let Some(head) = head {
            return Some((Ok::<_, io::Error>(head), (None, left, tail)));
        }
        if left == 0 {
            return tail.map(|tail| (Ok(tail), (None, 0, None)));
        }
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(HUGE_CHUNK.len());
        let chunk = Bytes::from_static(HUGE_CHUNK.get(..size).unwrap_or(HUGE_CHUNK));
        Some((Ok(chunk), (None, left - size as u64, tail)))
    });
    headed(answer, Body::from_stream(chunks))
}

/// The answer in small pieces, each after a wait.
pub fn slow(answer: &Answer, ms_per_chunk: u64) -> Response {
    let chunks = stream::unfold(answer.body.clone(), move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        sleep(Duration::from_millis(ms_per_chunk)).await;
        let chunk = left.split_to(SLOW_CHUNK_BYTES.min(left.len()));
        Some((Ok::<_, io::Error>(chunk), left))
    });
    with_length(headed(answer, Body::from_stream(chunks)), answer.body.len())
}

/// The whole length announced, half of it sent, and the connection closed.
pub fn truncated(answer: &Answer) -> Response {
    let half = answer.body.slice(..answer.body.len() / 2);
    let pieces = stream::unfold(Some(half), |half| async move {
        if let Some(half) = half {
            return Some((Ok(half), None));
        }
        // An error at once would take the half along that the server still has in its buffer.
        sleep(Duration::from_millis(TRUNCATION_FLUSH_MS)).await;
        Some((Err(io::Error::from(io::ErrorKind::BrokenPipe)), None))
    });
    with_length(headed(answer, Body::from_stream(pieces)), answer.body.len())
}

/// Somewhere else.
pub fn redirect(location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Any status; a string is sent as it is, everything else as JSON.
pub fn status(code: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    match body {
        Value::String(text) => {
            let mut response = Response::new(Body::from(text.clone()));
            *response.status_mut() = status;
            response
        }
        json => json_response(status, Body::from(json.to_string())),
    }
}

/// The answer with everything in it that a gateway should have kept to itself, in the forms in which gateways do it.
pub fn echo(answer: &Answer, authorization: &str, api_key: &str, card: Option<&Card>) -> Response {
    let mut leak = json!({
        "authorization": authorization,
        "api_key": api_key,
        "api_key_base64": STANDARD.encode(api_key),
        "api_key_form": serde_urlencoded::to_string([("key", api_key)]).unwrap_or_default(),
    });
    if let (Some(card), Some(leak)) = (card, leak.as_object_mut()) {
        let number = card.number.as_str();
        let grouped = |by: &str| {
            let groups: Vec<_> = number.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
            groups.join(by)
        };
        leak.insert("number".to_owned(), number.into());
        leak.insert("number_spaced".to_owned(), grouped(" ").into());
        leak.insert("number_dashed".to_owned(), grouped("-").into());
        leak.insert("number_base64".to_owned(), STANDARD.encode(number).into());
        leak.insert("message".to_owned(), format!("card {number} was looked at").into());
        leak.insert("cvc".to_owned(), card.cvc.clone().into());
        leak.insert("expiry_month".to_owned(), card.expiry_month.clone().into());
        leak.insert("expiry_year".to_owned(), card.expiry_year.clone().into());
    }
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if let Some(object) = body.as_object_mut() {
        object.insert("echo".to_owned(), leak);
    }
    let mut response = headed(answer, Body::from(body.to_string()));
    if let Ok(value) = HeaderValue::from_str(authorization) {
        response.headers_mut().insert("x-echo-authorization", value);
    }
    response
}

/// With the status and the headers of this answer.
fn headed(answer: &Answer, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    for (name, value) in &answer.headers {
        response.headers_mut().append(name, value.clone());
    }
    response
}

fn json_response(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn with_length(mut response: Response, bytes: usize) -> Response {
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    response
}
