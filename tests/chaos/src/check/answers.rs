//! What clients saw of a payment: a state that it was in, never one that a later state contradicts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Breach, Index};
use crate::facts::Facts;

/// A payment as an answer showed it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    version: i64,
    status: &'a str,
    captured: i64,
    refunded: i64,
}

pub fn check(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let reach = Reach::of(&facts.books.transitions);
    let mut seen: BTreeMap<&str, BTreeMap<i64, Seen<'_>>> = BTreeMap::new();
    for call in &facts.calls {
        let Some(answer) = call.answer.as_ref().filter(|answer| (200..300).contains(&answer.status)) else { continue };
        for object in payments_in(&answer.json) {
            let Some((id, now)) = read(object) else { continue };
            let before = seen.entry(id).or_default().insert(now.version, now);
            if let Some(before) = before
                && (before.status, before.captured, before.refunded) != (now.status, now.captured, now.refunded)
            {
                let what = format!("version {} was {} and is {}", now.version, before.status, now.status);
                breaches.push(Breach::of("a version is one state", Some(id), what));
            }
        }
    }
    let known: BTreeMap<&str, _> = facts.books.payments.iter().map(|payment| (payment.id.as_str(), payment)).collect();
    for (id, versions) in seen {
        let Some(payment) = known.get(id) else {
            breaches.push(Breach::of(
                "what was answered is there",
                Some(id),
                "a client was told of it, and it is gone",
            ));
            continue;
        };
        let last = Seen {
            version: payment.version,
            status: &payment.status,
            captured: payment.captured,
            refunded: payment.refunded,
        };
        in_its_trail(id, &versions, index, breaches);
        in_order(id, versions.into_values().chain([last]), &reach, breaches);
    }
}

/// The answer itself, or the objects of a list.
fn payments_in(json: &Value) -> Vec<&Value> {
    let is_payment = |value: &&Value| value["object"] == "payment";
    match json["data"].as_array() {
        Some(list) => list.iter().filter(is_payment).collect(),
        None => Some(json).filter(is_payment).into_iter().collect(),
    }
}

fn read(object: &Value) -> Option<(&str, Seen<'_>)> {
    let number = |name: &str| object[name].as_i64();
    let seen = Seen {
        version: number("version")?,
        status: object["status"].as_str()?,
        captured: number("amount_captured")?,
        refunded: number("amount_refunded")?,
    };
    Some((object["id"].as_str()?, seen))
}

/// Clients saw no state that the payment was never in.
fn in_its_trail(id: &str, versions: &BTreeMap<i64, Seen<'_>>, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let been: BTreeSet<&str> = index.trail.get(id).into_iter().flatten().map(|line| line.to.as_str()).collect();
    for seen in versions.values().filter(|seen| !been.contains(seen.status)) {
        let what = format!("a client was told {}, and it was only ever {been:?}", seen.status);
        breaches.push(Breach::of("an answer shows a state that was", Some(id), what));
    }
}

/// From one version to the next only as the table allows, and money only ever grows.
fn in_order<'a>(id: &str, versions: impl Iterator<Item = Seen<'a>>, reach: &Reach<'_>, breaches: &mut Vec<Breach>) {
    let mut before: Option<Seen<'_>> = None;
    for seen in versions {
        if let Some(before) = before {
            if before.version > seen.version {
                let what = format!("a client saw version {}, and now it is {}", before.version, seen.version);
                breaches.push(Breach::of("nothing answered is taken back", Some(id), what));
            }
            if !reach.leads(before.status, seen.status) {
                let what = format!("a client was told {}, and later it is {}", before.status, seen.status);
                breaches.push(Breach::of("nothing answered is taken back", Some(id), what));
            }
            if before.captured > seen.captured {
                let what = format!("{} was captured, and later {}", before.captured, seen.captured);
                breaches.push(Breach::of("nothing answered is taken back", Some(id), what));
            }
        }
        before = Some(seen);
    }
}

/// What may become of a state, over any number of steps. No person decides anything during a run, so nothing leads out
/// of `manual_review`.
struct Reach<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Reach<'a> {
    fn of(transitions: &'a [(String, String)]) -> Self {
        let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (from, to) in transitions.iter().filter(|(from, _)| from != "manual_review") {
            next.entry(from).or_default().insert(to);
        }
        let mut reach = next.clone();
        for from in next.keys() {
            let mut found: BTreeSet<&str> = BTreeSet::new();
            let mut unseen: Vec<&str> = vec![from];
            while let Some(state) = unseen.pop() {
                for to in next.get(state).into_iter().flatten() {
                    if found.insert(to) {
                        unseen.push(to);
                    }
                }
            }
            reach.insert(from, found);
        }
        Self(reach)
    }

    fn leads(&self, from: &str, to: &str) -> bool {
        from == to || self.0.get(from).is_some_and(|reached| reached.contains(to))
    }
}
