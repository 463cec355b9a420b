//! Forges and delays webhooks: what nobody signed, or signed long ago, must not come with a proof.

use super::finding::{Finding, Rule};
use super::replay::{rule_of, told};
use super::spoil::{self, Wrong};
use super::subject::{End, Subject, Verifier};
use crate::types::{Context, Delivery, Inbound, Response};

/// How late a recorded delivery is tried again: 30 days. No gateway takes that long.
const LATE_MS: u64 = 30 * 86_400 * 1000;
/// A number in a header that lies this close to the cassette's time is a time.
const NEAR_MS: u64 = 86_400 * 1000;

/// What is believed that should not be. `ways` bounds in how many ways the body is spoilt.
pub fn check(
    subject: &dyn Subject,
    ctx: &Context,
    inbound: &Inbound,
    verifier: &Verifier,
    ways: usize,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A body that carries its own signature may have parts that the signature does not cover.
    let bare = Inbound { headers: Vec::new(), query: String::new(), body: inbound.body.clone() };
    let signs_itself = is_believed(&subject.receive(ctx, &bare, verifier));
    let response = Response { status: 200, headers: Vec::new(), body: inbound.body.clone() };
    for spoilt in spoil::thinned(spoil::spoil(&response), ways) {
        if spoilt.response.body == inbound.body {
            continue;
        }
        let forged = Inbound { body: spoilt.response.body, ..inbound.clone() };
        let how = format!("the webhook, {}", spoilt.how);
        let end = subject.receive(ctx, &forged, verifier);
        if is_believed(&end) && (spoilt.wrong == Wrong::Body || !signs_itself) {
            let says = format!("{how}: an event has a proof, and its body is not the one that was signed");
            findings.push(Finding::error(Rule::Webhook, says));
        }
        // As with replies: what is only odd may be handed on, and the host refuses it.
        if !(matches!(end, End::Unfit(_)) && spoilt.wrong == Wrong::Perhaps) {
            findings.extend(ended(&how, &end));
        }
    }
    if is_believed(&subject.receive(ctx, inbound, verifier)) {
        findings.extend(forged(subject, ctx, inbound));
        findings.extend(late(subject, ctx, inbound, verifier));
    }
    findings
}

/// The delivery of somebody who has no secret.
fn forged(subject: &dyn Subject, ctx: &Context, inbound: &Inbound) -> Option<Finding> {
    let end = subject.receive(ctx, inbound, &Verifier::None);
    if is_believed(&end) {
        let says = "an event has a proof, and the host has not given any";
        return Some(Finding::error(Rule::Webhook, says));
    }
    let End::Returned(Ok(delivery)) = &end else { return ended("the webhook, signed by nobody", &end) };
    let says = "a delivery that nobody signed is not refused: anybody can make the host ask the gateway";
    (!delivery.events.is_empty()).then(|| Finding::warning(Rule::Webhook, says))
}

/// The delivery as it was recorded, a month later; and once more with the time in its headers brought up to date.
/// Nothing can be said where the gateway signs no time.
fn late(subject: &dyn Subject, ctx: &Context, inbound: &Inbound, verifier: &Verifier) -> Option<Finding> {
    let later = Context { now: ctx.now + LATE_MS, ..ctx.clone() };
    let mut has_time = false;
    let headers = inbound.headers.iter().map(|(name, value)| {
        let (value, changed) = brought_up_to_date(value, ctx.now);
        has_time |= changed;
        (name.clone(), value)
    });
    let renewed = Inbound { headers: headers.collect(), ..inbound.clone() };
    if !has_time {
        return None;
    }
    if is_believed(&subject.receive(&later, inbound, verifier)) {
        let says = "a delivery that was signed a month ago is believed";
        return Some(Finding::error(Rule::Webhook, says).hint(
            "refuse a signature whose time is more than some minutes from the context's `now`: what was recorded once \
             could be sent again",
        ));
    }
    is_believed(&subject.receive(&later, &renewed, verifier)).then(|| {
        let says = "a delivery is believed whose time was changed: the signature does not cover it";
        Finding::warning(Rule::Webhook, says)
    })
}

/// The text with the Unix times (seconds or milliseconds) in it that lie near `now_ms` moved by [`LATE_MS`].
fn brought_up_to_date(text: &str, now_ms: u64) -> (String, bool) {
    let mut out = String::with_capacity(text.len());
    let mut changed = false;
    for part in text.split_inclusive(|sign: char| !sign.is_ascii_alphanumeric()) {
        let digits = part.trim_end_matches(|sign: char| !sign.is_ascii_alphanumeric());
        let unit_ms = if digits.len() > 11 { 1 } else { 1000 };
        let time = digits.parse::<u64>().ok().filter(|_| digits.len() >= 10);
        match time.and_then(|time| time.checked_mul(unit_ms)).filter(|ms| ms.abs_diff(now_ms) <= NEAR_MS) {
            Some(ms) => {
                changed = true;
                out.push_str(&((ms + LATE_MS) / unit_ms).to_string());
                out.push_str(part.get(digits.len()..).unwrap_or_default());
            }
            None => out.push_str(part),
        }
    }
    (out, changed)
}

fn is_believed<E>(end: &End<Result<Delivery, E>>) -> bool {
    matches!(end, End::Returned(Ok(delivery)) if delivery.events.iter().any(|event| event.proof.is_some()))
}

/// A finding where a run did not end as it may.
fn ended<T: std::fmt::Debug>(how: &str, end: &End<T>) -> Option<Finding> {
    match end {
        End::Returned(_) => None,
        End::Asked(_) => Some(Finding::error(Rule::Contract, format!("{how}: it asked for an exchange"))),
        End::Diverged { .. } | End::Trapped(_) | End::Unfit(_) => {
            Some(Finding::error(rule_of(end), format!("{how}: {}", told(end))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_in_headers() {
        let now_ms = 1_763_697_600_000;
        let (text, changed) = brought_up_to_date("t=1763697598,v1=1763697598ab", now_ms);
        assert_eq!((text.as_str(), changed), ("t=1766289598,v1=1763697598ab", true));
        assert_eq!(brought_up_to_date("1763697599000", now_ms), ("1766289599000".to_owned(), true));
        for other in ["application/json", "1250", "1663697598", ""] {
            assert_eq!(brought_up_to_date(other, now_ms), (other.to_owned(), false));
        }
    }
}
