//! Idempotency keys: one key, one effect, one answer, the same bytes for ever; a misused key is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Breach;
use crate::{
    client::{Answer, Call},
    facts::Facts,
};

const REFUSED: u16 = 422;

/// All calls with one key at one path.
type Group<'a> = Vec<&'a Call>;

pub fn check(facts: &Facts, breaches: &mut Vec<Breach>) {
    let mut groups: BTreeMap<(&str, &str), Group<'_>> = BTreeMap::new();
    for call in &facts.calls {
        if let Some(key) = &call.key {
            groups.entry((&call.path, key)).or_default().push(call);
        }
    }
    let kept: BTreeMap<(&str, &str), &crate::facts::books::Key> = facts
        .books
        .keys
        .iter()
        .map(|key| ((key.scope.strip_prefix("POST ").unwrap_or(&key.scope), key.text.as_str()), key))
        .collect();
    for ((path, key), mut calls) in groups {
        calls.sort_by_key(|call| call.began);
        let name = format!("{key} at {path}");
        let (meant, misused) = told_apart(&calls);
        same_bytes(&name, &meant, breaches);
        first_answer_stands(&name, &meant, breaches);
        misuse_is_refused(&name, &meant, &misused, breaches);
        as_stored(&name, &meant, kept.get(&(path, key)).copied(), breaches);
    }
    one_payment_each(facts, breaches);
}

/// Calls with the body of the first one, and those with another.
fn told_apart<'a>(calls: &[&'a Call]) -> (Group<'a>, Group<'a>) {
    let first = calls.first().and_then(|call| call.body.as_deref()).cloned().unwrap_or(Value::Null);
    calls.iter().partition(|call| call.body.as_deref().unwrap_or(&Value::Null) == &first)
}

fn finals<'a>(calls: &'a [&Call]) -> impl Iterator<Item = (&'a Call, &'a Answer)> {
    calls.iter().filter_map(|call| Some((*call, call.answer.as_ref()?))).filter(|(_, answer)| answer.is_final())
}

/// All final answers to a key are one answer.
fn same_bytes(name: &str, calls: &[&Call], breaches: &mut Vec<Breach>) {
    let mut seen = finals(calls);
    let Some((_, first)) = seen.next() else { return };
    for (_, answer) in seen {
        if answer.bytes != first.bytes || answer.status != first.status {
            let what = format!("{name}: {} and then {}", shown(first), shown(answer));
            breaches.push(Breach::of("the same key gets the same bytes", payment_of(first), what));
            return;
        }
    }
}

/// What was asked after a final answer had come gets nothing else: not "accepted", not "in progress", no refusal.
fn first_answer_stands(name: &str, calls: &[&Call], breaches: &mut Vec<Breach>) {
    let Some((ended, first)) = finals(calls).map(|(call, answer)| (call.ended, answer)).min_by_key(|(ended, _)| *ended)
    else {
        return;
    };
    for call in calls.iter().filter(|call| call.began > ended) {
        let Some(answer) = &call.answer else { continue };
        // A host that drains or has no database says so to everybody.
        if answer.status < 500 && !answer.is_final() {
            let what = format!("{name}: {} and then {}", shown(first), shown(answer));
            breaches.push(Breach::of("the first final answer stands", payment_of(first), what));
            return;
        }
    }
}

/// A key that belongs to another body is refused and has no effect.
fn misuse_is_refused(name: &str, meant: &[&Call], misused: &[&Call], breaches: &mut Vec<Breach>) {
    let Some((bound, first)) = finals(meant).map(|(call, answer)| (call.ended, answer)).min_by_key(|(ended, _)| *ended)
    else {
        return;
    };
    for call in misused.iter().filter(|call| call.began > bound) {
        let Some(answer) = &call.answer else { continue };
        let is_refused = answer.status == REFUSED && answer.text("code") == "idempotency_key_reused";
        if !is_refused && answer.status < 500 {
            let what = format!("{name}: another body got {}", shown(answer));
            breaches.push(Breach::of("a misused key is refused", payment_of(first), what));
        }
    }
}

/// What clients were told at last is what is stored.
fn as_stored(name: &str, calls: &[&Call], kept: Option<&crate::facts::books::Key>, breaches: &mut Vec<Breach>) {
    for (_, answer) in finals(calls) {
        let payment = payment_of(answer);
        match kept {
            Some(kept) => {
                let is_stored = kept.body.as_deref() == Some(&*answer.bytes) && kept.status == Some(answer.status);
                if !is_stored && kept.operation.is_some() {
                    let what = format!("{name}: a client was told {}, stored is {:?}", shown(answer), kept.status);
                    breaches.push(Breach::of("an answer is stored before it is given", payment, what));
                    return;
                }
            }
            // Something was made: a repeat must find it.
            None if answer.status == 201 => {
                let what = format!("{name}: a client was told {}, and the key is not known", shown(answer));
                breaches.push(Breach::of("an answer is stored before it is given", payment, what));
                return;
            }
            None => {}
        }
    }
}

/// A key that creates makes one payment, and every payment was made by a key.
fn one_payment_each(facts: &Facts, breaches: &mut Vec<Breach>) {
    let mut made: BTreeSet<&str> = BTreeSet::new();
    for key in facts.books.keys.iter().filter(|key| key.scope == "POST /v1/payments") {
        if let Some(payment) = &key.payment
            && !made.insert(payment)
        {
            breaches.push(Breach::of(
                "a payment is made by one key",
                Some(payment),
                format!("{} is the second", key.text),
            ));
        }
    }
    for payment in facts.books.payments.iter().filter(|payment| !made.contains(payment.id.as_str())) {
        breaches.push(Breach::of("a payment is made by one key", Some(&payment.id), "no key has made it"));
    }
}

fn payment_of(answer: &Answer) -> Option<&str> {
    match answer.text("object") {
        "payment" => Some(answer.text("id")),
        _ => answer.json["payment"].as_str(),
    }
}

fn shown(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.bytes);
    let short: String = text.chars().take(160).collect();
    format!("{} {short}", answer.status)
}
