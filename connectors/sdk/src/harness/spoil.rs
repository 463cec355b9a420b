//! Spoils every reply of a transcript: whatever a gateway sends, a connector must say something, and out of garbage
//! it must never say that money moved.

use serde_json::Value;

use super::cassette::{Exchange, twice};
use super::play::{self, End, Secrets};
use crate::connector::Connector;
use crate::types::{Context, Failure, Inbound, Operation, Outcome, Response};

/// In at most so many places is a body cut; a longer one is cut at even distances.
const CUTS_MAX: usize = 512;
/// What a gateway, or something in front of it, may answer with besides what the cassette has.
const STATUSES: [u16; 22] =
    [200, 201, 202, 204, 301, 302, 304, 307, 400, 401, 402, 403, 404, 408, 409, 410, 422, 425, 429, 500, 502, 503];
/// JSON nested deeper than any reader goes.
const DEPTH: usize = 100_000;

/// A reply that is not what the gateway sent, and how it came to be.
struct Spoilt {
    how: String,
    response: Response,
    wrong: Wrong,
}

/// What is wrong with a reply decides what may not be read out of it.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    /// The body is garbage: neither that money moved nor that the operation never arrived.
    Body,
    /// The status says that it did not work: not that money moved.
    Status,
    /// It may still make sense, so only a panic is wrong.
    Perhaps,
}

/// Replaces each reply of `transcript` by many spoilt ones; what happens that should not is returned in words.
pub fn check<C: Connector>(ctx: &Context, operation: &Operation, transcript: &[Exchange]) -> Vec<String> {
    let mut problems = Vec::new();
    for (position, exchange) in transcript.iter().enumerate() {
        for spoilt in spoil(&exchange.response) {
            let mut played: Vec<_> = transcript.iter().take(position).cloned().collect();
            played.push(Exchange { request: exchange.request.clone(), response: spoilt.response });
            let problem = match twice(|| play::perform::<C>(ctx, operation, &played)) {
                Err(differences) => differences.join("\n"),
                Ok(End::Panicked(message)) => format!("it panicked: {message}"),
                Ok(End::Diverged { .. }) => "it diverged".to_owned(),
                Ok(End::Returned(result)) if is_too_much(&result, spoilt.wrong) => format!("it returned {result:?}"),
                Ok(End::Returned(_) | End::Asked(_)) => continue,
            };
            problems.push(format!("reply {}, {}: {problem}", position + 1, spoilt.how));
        }
    }
    problems
}

/// The same for a webhook. Bodies that were changed after they were signed must not come with a proof.
pub fn check_webhook<C: Connector>(ctx: &Context, inbound: &Inbound, secrets: &Secrets) -> Result<(), Vec<String>> {
    let response = Response { status: 200, headers: Vec::new(), body: inbound.body.clone() };
    for spoilt in spoil(&response).into_iter().filter(|spoilt| spoilt.response.body != inbound.body) {
        let forged = Inbound { body: spoilt.response.body, ..inbound.clone() };
        let problem = match twice(|| play::receive::<C>(ctx, &forged, secrets))? {
            End::Panicked(message) => format!("it panicked: {message}"),
            End::Returned(Ok(delivery)) if delivery.events.iter().any(|event| event.proof.is_some()) => {
                "an event has a proof, and its body is not the one that was signed".to_owned()
            }
            End::Returned(_) => continue,
            End::Asked(_) | End::Diverged { .. } => "it asked for an exchange".to_owned(),
        };
        return Err(vec![format!("the webhook, {}: {problem}", spoilt.how)]);
    }
    Ok(())
}

fn is_too_much(result: &Result<Outcome, Failure>, wrong: Wrong) -> bool {
    let Ok(outcome) = result else { return false };
    match outcome {
        Outcome::Authorized(_) | Outcome::Captured(_) | Outcome::Cancelled(_) | Outcome::Refunded(_) => {
            wrong != Wrong::Perhaps
        }
        Outcome::NeverReceived => wrong == Wrong::Body,
        Outcome::Declined(_)
        | Outcome::ActionRequired(_)
        | Outcome::ReadyToComplete(_)
        | Outcome::Pending(_)
        | Outcome::Expired(_)
        | Outcome::NotProcessed(_) => false,
    }
}

fn spoil(reply: &Response) -> Vec<Spoilt> {
    let json: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let with_body =
        |how: String, body: Vec<u8>, wrong| Spoilt { how, response: Response { body, ..reply.clone() }, wrong };
    let mut all = Vec::new();
    // A part of a JSON object is none; a part of a plain text may be as good as the whole.
    let is_structured = json.as_ref().is_some_and(|value| value.is_object() || value.is_array());
    let cut_is = if is_structured { Wrong::Body } else { Wrong::Perhaps };
    let step = reply.body.len().div_ceil(CUTS_MAX).max(1);
    for end in (0..reply.body.len()).step_by(step) {
        let cut = reply.body.get(..end).unwrap_or_default().to_vec();
        all.push(with_body(format!("cut after {end} bytes"), cut, cut_is));
    }
    for (how, body) in garbage() {
        all.push(with_body(format!("replaced by {how}"), body, Wrong::Body));
    }
    let flipped = reply.body.iter().map(|byte| byte ^ 0x80).collect();
    all.push(with_body("with every highest bit flipped".to_owned(), flipped, Wrong::Body));
    for status in STATUSES.into_iter().filter(|status| *status != reply.status) {
        let wrong = if status >= 300 { Wrong::Status } else { Wrong::Perhaps };
        let response = Response { status, ..reply.clone() };
        all.push(Spoilt { how: format!("with status {status}"), response, wrong });
    }
    if let Some(Value::Object(members)) = json {
        for name in members.keys() {
            let mut fewer = members.clone();
            fewer.remove(name);
            let body = Value::Object(fewer).to_string().into_bytes();
            all.push(with_body(format!("without {name:?}"), body, Wrong::Perhaps));
            for other in [Value::Null, true.into(), (-1).into(), "?".into(), Value::Array(Vec::new())] {
                let how = format!("with {other} as {name:?}");
                let mut changed = members.clone();
                changed.insert(name.clone(), other);
                all.push(with_body(how, Value::Object(changed).to_string().into_bytes(), Wrong::Perhaps));
            }
        }
    }
    all
}

fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("nothing", Vec::new()),
        ("null", text("null")),
        ("{}", text("{}")),
        ("[]", text("[]")),
        ("a number", text("0")),
        ("a string", text("\"captured\"")),
        ("a page", text("<html><body>Please wait <!-- {\"status\":\"captured\"} --></body></html>")),
        ("zeros", vec![0; 64]),
        ("what is no UTF-8", vec![0xff, 0xfe, 0x80, 0xc0]),
        ("a hundred thousand brackets", "[".repeat(DEPTH).into_bytes()),
        ("a hundred thousand objects", "{\"a\":".repeat(DEPTH).into_bytes()),
        ("a megabyte", vec![b'x'; 1 << 20]),
    ]
}
