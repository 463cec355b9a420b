//! Spoils every reply of a transcript: whatever a gateway sends, a connector must say something, and out of garbage
//! it must never say that money moved.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cassette::Exchange;
use super::finding::{Finding, Rule};
use super::replay::{rule_of, told};
use super::subject::{End, Subject};
use crate::types::{Context, Failure, Operation, Outcome, Response};

/// In at most so many places is a body cut; a longer one is cut at even distances.
const CUTS_MAX: usize = 512;
/// What a gateway, or something in front of it, may answer with besides what the cassette has.
const STATUSES: [u16; 22] =
    [200, 201, 202, 204, 301, 302, 304, 307, 400, 401, 402, 403, 404, 408, 409, 410, 422, 425, 429, 500, 502, 503];
/// JSON nested deeper than any reader goes.
const DEPTH: usize = 100_000;
/// The longest body that the host lets through.
const BODY_MAX_BYTES: usize = 1 << 20;
/// Somebody's personal data in a reply. It must not come out again in a failure, which goes to logs.
pub const PERSONAL: &str = "jane.roe.4711@customer.example";

/// A reply that is not what the gateway sent, and how it came to be.
pub struct Spoilt {
    pub how: String,
    pub response: Response,
    pub wrong: Wrong,
    /// Tried however few ways there is time for.
    always: bool,
}

/// What is wrong with a reply decides what may not be read out of it.
#[derive(Clone, Copy, PartialEq)]
pub enum Wrong {
    /// The body is garbage: neither that money moved nor that the operation never arrived.
    Body,
    /// The status says that it did not work: not that money moved.
    Status,
    /// It may still make sense, so only a trap is wrong.
    Perhaps,
}

/// Replaces each reply of `transcript` by spoilt ones, each in at most `ways` ways.
pub fn check(
    subject: &dyn Subject,
    ctx: &Context,
    operation: &Operation,
    transcript: &[Exchange],
    ways: usize,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (position, exchange) in transcript.iter().enumerate() {
        for spoilt in thinned(spoil(&exchange.response), ways) {
            let mut played: Vec<_> = transcript.iter().take(position).cloned().collect();
            played.push(Exchange { request: exchange.request.clone(), response: spoilt.response });
            let end = subject.perform(ctx, operation, &played);
            let how = format!("reply {}, {}", position + 1, spoilt.how);
            findings.extend(judge(&how, &end, spoilt.wrong).map(|finding| finding.at_exchange(position)));
        }
    }
    few(findings)
}

/// What may not come of a reply with this wrong about it; `how` says what it is.
pub fn judge(how: &str, end: &End<Result<Outcome, Failure>>, wrong: Wrong) -> Option<Finding> {
    match end {
        End::Returned(result) if is_too_much(result, wrong) => {
            Some(Finding::error(Rule::Garbage, format!("{how}: it returned {result:?}")))
        }
        End::Returned(Err(failure)) if failure.message.contains(PERSONAL) => {
            let says = format!("{how}: its failure holds a customer's address, and failures go to logs");
            Some(Finding::error(Rule::Secret, says))
        }
        End::Returned(_) | End::Asked(_) => None,
        // A currency of "?" that a gateway says is handed on by many a connector, and refused by the host.
        End::Unfit(_) if wrong == Wrong::Perhaps => None,
        End::Diverged { .. } | End::Trapped(_) | End::Unfit(_) => {
            Some(Finding::error(rule_of(end), format!("{how}: {}", told(end))))
        }
    }
}

/// The first finding of each rule at each exchange, which says how many more there are: they have one cause.
pub fn few(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: BTreeMap<_, (Finding, usize)> = BTreeMap::new();
    for finding in findings {
        let group = (finding.at.exchange, finding.severity, finding.rule);
        kept.entry(group).and_modify(|(_, more)| *more += 1).or_insert((finding, 0));
    }
    let told = |(mut finding, more): (Finding, usize)| {
        if more > 0 {
            // Behind the sentence: what follows it in further lines is the trace of a trap.
            let end = finding.says.find('\n').unwrap_or(finding.says.len());
            finding.says.insert_str(end, &format!(" (and {more} more like it)"));
        }
        finding
    };
    kept.into_values().map(told).collect()
}

/// At most about `ways` of them, at even distances; never without those that are always tried.
pub fn thinned(all: Vec<Spoilt>, ways: usize) -> Vec<Spoilt> {
    let always = all.iter().filter(|spoilt| spoilt.always).count();
    let step = (all.len() - always).div_ceil(ways.saturating_sub(always).max(1)).max(1);
    all.into_iter().enumerate().filter(|(index, spoilt)| spoilt.always || index % step == 0).map(|(_, it)| it).collect()
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

/// Everything that is done to a reply.
pub fn spoil(reply: &Response) -> Vec<Spoilt> {
    let json: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let with_body = |how: String, body: Vec<u8>, wrong| Spoilt {
        how,
        response: Response { body, ..reply.clone() },
        wrong,
        always: wrong == Wrong::Body,
    };
    let mut all: Vec<_> =
        garbage().into_iter().map(|(how, body)| with_body(format!("replaced by {how}"), body, Wrong::Body)).collect();
    let flipped = reply.body.iter().map(|byte| byte ^ 0x80).collect();
    all.push(with_body("with every highest bit flipped".to_owned(), flipped, Wrong::Body));
    for status in [200, 400, 500] {
        let how = format!("replaced by somebody's address, with status {status}");
        let response = Response { status, ..reply.clone() };
        all.push(Spoilt {
            response: Response { body: PERSONAL.into(), ..response },
            ..with_body(how, Vec::new(), Wrong::Body)
        });
    }
    // A part of a JSON object is none; a part of a plain text may be as good as the whole.
    let is_structured = json.as_ref().is_some_and(|value| value.is_object() || value.is_array());
    let cut_is = if is_structured { Wrong::Body } else { Wrong::Perhaps };
    let step = reply.body.len().div_ceil(CUTS_MAX).max(1);
    for end in (0..reply.body.len()).step_by(step) {
        let cut = reply.body.get(..end).unwrap_or_default().to_vec();
        all.push(Spoilt { always: false, ..with_body(format!("cut after {end} bytes"), cut, cut_is) });
    }
    for status in STATUSES.into_iter().filter(|status| *status != reply.status) {
        let wrong = if status >= 300 { Wrong::Status } else { Wrong::Perhaps };
        let response = Response { status, ..reply.clone() };
        all.push(Spoilt { how: format!("with status {status}"), response, wrong, always: false });
    }
    if let Some(Value::Object(members)) = json {
        all.extend(with_members(&members).map(|(how, body)| with_body(how, body, Wrong::Perhaps)));
    }
    all
}

/// An object without each of its members, with something else in its place, and with more than it had.
fn with_members(members: &serde_json::Map<String, Value>) -> impl Iterator<Item = (String, Vec<u8>)> {
    let changed = |name: &str, other: Value| {
        let mut changed = members.clone();
        changed.insert(name.to_owned(), other);
        Value::Object(changed).to_string().into_bytes()
    };
    let each = members.keys().flat_map(move |name| {
        let mut fewer = members.clone();
        fewer.remove(name);
        let without = (format!("without {name:?}"), Value::Object(fewer).to_string().into_bytes());
        let others = [Value::Null, true.into(), (-1).into(), "?".into(), Value::Array(Vec::new())].map(|other| {
            let how = format!("with {other} as {name:?}");
            (how, changed(name, other))
        });
        [without].into_iter().chain(others)
    });
    // The rest of the member's line, and of all the others, has to find room too.
    let room = BODY_MAX_BYTES.saturating_sub(changed("padding", "".into()).len());
    let more = [
        ("with a customer's address more".to_owned(), changed("customer_email", PERSONAL.into())),
        ("filled up to a mebibyte".to_owned(), changed("padding", "x".repeat(room).into())),
    ];
    each.chain(more)
}

/// What no gateway means.
pub fn garbage() -> Vec<(&'static str, Vec<u8>)> {
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
        ("a mebibyte", vec![b'x'; BODY_MAX_BYTES]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_ways_still_have_every_garbage() {
        let body = br#"{"id":"ch_1","amount":1250,"currency":"EUR"}"#.to_vec();
        let all = || spoil(&Response { status: 200, headers: Vec::new(), body: body.clone() });
        let garbage = all().iter().filter(|spoilt| spoilt.always).count();
        assert_eq!(garbage, 16);
        assert_eq!(thinned(all(), usize::MAX).len(), all().len());
        for ways in [0, 24, 60] {
            let few = thinned(all(), ways);
            assert!(few.len() <= ways.max(garbage + 1) + 1, "{} of {ways}", few.len());
            assert_eq!(few.iter().filter(|spoilt| spoilt.always).count(), garbage);
        }
        assert!(all().iter().all(|spoilt| spoilt.response.body.len() <= BODY_MAX_BYTES));
    }
}
