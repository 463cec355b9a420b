//! Deliveries: every event reaches every endpoint that wants it, as it was written, rightly signed, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};

use super::Breach;
use crate::facts::{Facts, deliveries::Heard};

/// What an endpoint answers that is there no more.
const GONE: u16 = 410;

pub fn check(facts: &Facts, breaches: &mut Vec<Breach>) {
    every_event_arrives(facts, breaches);
    only_events_arrive(facts, breaches);
    ordered_means_ordered(facts, breaches);
    off_means_off(facts, breaches);
}

/// At least once, with a success, if it wants it and is there in the end.
fn every_event_arrives(facts: &Facts, breaches: &mut Vec<Breach>) {
    for endpoint in facts.endpoints.iter().filter(|endpoint| endpoint.fate.gets_all()) {
        let accepted: BTreeSet<&str> =
            facts.heard_at(endpoint.path).filter(|heard| heard.accepted).map(|heard| heard.event.as_str()).collect();
        let wanted = facts.books.told.iter().filter(|told| endpoint.wants.is_none_or(|wants| wants == told.kind));
        for told in wanted.filter(|told| !accepted.contains(told.id.as_str())) {
            let what = format!("{} ({} {} of {}) did not", told.id, told.kind, told.sequence, told.object);
            let payment = Some(told.object.as_str()).filter(|object| object.starts_with("pay_"));
            breaches.push(Breach::of(
                "every event reaches every endpoint",
                payment,
                format!("{}: {what}", endpoint.path),
            ));
        }
    }
}

/// What arrives is in the log, byte for byte, and signed with the endpoint's secret.
fn only_events_arrive(facts: &Facts, breaches: &mut Vec<Breach>) {
    let told: BTreeMap<&str, &str> =
        facts.books.told.iter().map(|told| (told.id.as_str(), told.body.as_str())).collect();
    for heard in &facts.heard {
        let mut breach = |rule, what: String| breaches.push(Breach::of(rule, None, format!("{}: {what}", heard.path)));
        if let Some(fault) = &heard.forged {
            breach("every delivery is signed", format!("{}: {fault}", heard.event));
        }
        if let Some(fault) = &heard.forged_anew {
            breach("a new secret signs beside the old one", format!("{}: {fault}", heard.event));
        }
        match told.get(heard.event.as_str()) {
            None => breach("what is delivered is in the log", format!("{} is not", heard.event)),
            Some(body) if *body != heard.body => {
                breach("what is delivered is what was written", format!("{} differs", heard.event));
            }
            Some(_) => {}
        }
    }
}

/// Nothing comes to an endpoint that is switched off or deleted; and one that says it is gone is switched off.
fn off_means_off(facts: &Facts, breaches: &mut Vec<Breach>) {
    for endpoint in &facts.endpoints {
        for heard in facts.heard_at(endpoint.path) {
            if endpoint.silent.iter().any(|silent| silent.contains(&heard.at)) {
                let what =
                    format!("{}: {} came {} ms after the run began", endpoint.path, heard.event, heard.at.as_millis());
                breaches.push(Breach::of("nothing comes to an endpoint that is off", None, what));
            }
        }
        let said_so = facts.heard_at(endpoint.path).any(|heard| heard.answered == Some(GONE));
        if said_so && endpoint.silent.is_empty() {
            breaches.push(Breach::of("an endpoint that is gone is switched off", None, endpoint.path));
        }
    }
}

/// An endpoint that wants one event of an object at a time gets none before the one before it was taken.
fn ordered_means_ordered(facts: &Facts, breaches: &mut Vec<Breach>) {
    for endpoint in facts.endpoints.iter().filter(|endpoint| endpoint.mode == "ordered") {
        let mut taken: BTreeMap<&str, i64> = BTreeMap::new();
        for Heard { object, sequence, event, accepted, .. } in facts.heard_at(endpoint.path) {
            let before = taken.entry(object).or_default();
            if *sequence > *before + 1 {
                let what = format!("{event} is {sequence} of {object}, of which {before} were taken when it came");
                breaches.push(Breach::of("an ordered endpoint gets events in order", None, what));
            }
            if *accepted {
                *before = (*before).max(*sequence);
            }
        }
    }
}
