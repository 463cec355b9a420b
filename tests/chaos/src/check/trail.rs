//! The audit trail and the events: in order, without a gap, allowed by the declared table, and telling the same story.

use std::collections::{BTreeMap, BTreeSet};

use super::{Breach, Index};
use crate::facts::Facts;

/// What a run may leave open: a person is to look, the gateway or the customer has not decided, nobody has confirmed.
const MAY_BE_LEFT: &[&str] = &["review", "poll", "act", "expire"];

pub fn check(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    trail(facts, index, breaches);
    sequences(facts, breaches);
    every_change_is_told(facts, index, breaches);
    refunds_and_orders_are_told(facts, breaches);
    everything_is_final(facts, index, breaches);
}

/// From 1 without a gap, each line where the one before it ended, only declared transitions, the last one the status.
fn trail(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let declared: BTreeSet<(&str, &str)> =
        facts.books.transitions.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    for payment in &facts.books.payments {
        let mut breach = |what: String| breaches.push(Breach::of("the audit trail is whole", Some(&payment.id), what));
        let lines = index.trail.get(payment.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut before: Option<&str> = None;
        for (line, number) in lines.iter().zip(1_i64..) {
            if line.sequence != number {
                breach(format!("line {number} has number {}", line.sequence));
            }
            if line.from.as_deref() != before {
                breach(format!("line {number} begins at {:?}, the one before it ended at {before:?}", line.from));
            }
            let moves = line.from.as_deref().filter(|from| *from != line.to);
            if let Some(from) = moves.filter(|from| !declared.contains(&(*from, line.to.as_str()))) {
                breach(format!("{from} > {} ({}) is not declared", line.to, line.event));
            }
            before = Some(&line.to);
        }
        if before != Some(payment.status.as_str()) {
            breach(format!("it ends at {before:?}, and the payment is {}", payment.status));
        }
    }
}

/// Events of one object count from 1 without a gap, and as far as the object says.
fn sequences(facts: &Facts, breaches: &mut Vec<Breach>) {
    let mut told: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for event in &facts.books.told {
        told.entry(&event.object).or_default().push(event.sequence);
    }
    for (object, sequences) in &mut told {
        sequences.sort_unstable();
        if !sequences.iter().copied().eq(1..=i64::try_from(sequences.len()).unwrap_or(i64::MAX)) {
            let payment = Some(*object).filter(|object| object.starts_with("pay_"));
            let what = format!("{object} has {sequences:?}");
            breaches.push(Breach::of("events count without a gap", payment, what));
        }
    }
    for payment in &facts.books.payments {
        let count =
            told.get(payment.id.as_str()).map_or(0, |sequences| i64::try_from(sequences.len()).unwrap_or(i64::MAX));
        if count != payment.event_sequence {
            let what = format!("it counts {} events, and {count} are there", payment.event_sequence);
            breaches.push(Breach::of("a payment counts its events", Some(&payment.id), what));
        }
    }
}

/// Each change of state in the trail has its event, and no event tells of what is not in the trail. A line that stays in
/// its state (one more partial refund) may have an event.
fn every_change_is_told(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let mut told: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let states: BTreeSet<&str> = facts.books.trail.iter().map(|line| line.to.as_str()).collect();
    for event in facts.books.told.iter().filter(|event| event.about == "payment") {
        let state = event.kind.strip_prefix("payment.").unwrap_or(&event.kind);
        *told.entry((&event.object, state)).or_default() += 1;
        // Events that are no state's name tell of something else than a change of state.
        if states.contains(state) && event.status != state {
            let what = format!("event {} is {}, and shows it {}", event.sequence, event.kind, event.status);
            breaches.push(Breach::of("an event shows the object as it was", Some(&event.object), what));
        }
    }
    for payment in &facts.books.payments {
        // How often the trail came to a state, and how often of these from another one.
        let mut happened: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for line in index.trail.get(payment.id.as_str()).map(Vec::as_slice).unwrap_or_default() {
            let (lines, changes) = happened.entry(&line.to).or_default();
            *lines += 1;
            *changes += i64::from(line.from.as_ref() != Some(&line.to));
        }
        for (state, (lines, changes)) in happened {
            let events = told.get(&(payment.id.as_str(), state)).copied().unwrap_or_default();
            if !(changes..=lines).contains(&events) {
                let what = format!("it became {state} {changes} times, and {events} events say so");
                breaches.push(Breach::of("every change is told", Some(&payment.id), what));
            }
        }
    }
}

/// A refund that has ended says how, and an order what has become of it.
fn refunds_and_orders_are_told(facts: &Facts, breaches: &mut Vec<Breach>) {
    let told: BTreeSet<(&str, &str)> =
        facts.books.told.iter().map(|event| (event.object.as_str(), event.kind.as_str())).collect();
    let given: BTreeSet<&str> = facts
        .ledger
        .movements
        .iter()
        .filter(|movement| movement.kind == "refund")
        .map(|movement| movement.reference.as_str())
        .collect();
    let refunds = facts.books.operations.iter().filter(|operation| operation.kind == "refund");
    for refund in refunds.filter(|refund| matches!(refund.status.as_str(), "done" | "not_sent")) {
        let id = refund.id.as_str();
        let wanted = if given.contains(id) { "refund.succeeded" } else { "refund.failed" };
        for kind in ["refund.created", wanted].into_iter().filter(|kind| !told.contains(&(id, kind))) {
            let what = format!("{id} has no event {kind}");
            breaches.push(Breach::of("every end of a refund is told", Some(&refund.payment), what));
        }
    }
    for order in &facts.books.orders {
        let kind = format!("order.{}", order.status);
        let has_event = matches!(order.status.as_str(), "partially_paid" | "paid" | "refunded" | "cancelled");
        if has_event && !told.contains(&(order.id.as_str(), kind.as_str())) {
            let what = format!("{} has no event {kind}", order.id);
            breaches.push(Breach::of("every change of an order is told", None, what));
        }
    }
}

/// An operation without an outcome has somebody who will look at it, and nothing is left that a schedule would have
/// ended by now.
fn everything_is_final(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let worked: BTreeSet<&str> = facts.books.work.iter().map(|work| work.operation.as_str()).collect();
    for operation in facts.books.operations.iter().filter(|operation| operation.kind != "sync") {
        let is_final = matches!(operation.status.as_str(), "done" | "not_sent");
        let is_seen_to = worked.contains(operation.id.as_str()) || index.reviewed.contains(operation.payment.as_str());
        if !is_final && !is_seen_to {
            let what = format!("{} ({}) is {} and nobody looks at it", operation.id, operation.kind, operation.status);
            breaches.push(Breach::of("every operation ends", Some(&operation.payment), what));
        }
    }
    for work in facts.books.work.iter().filter(|work| !MAY_BE_LEFT.contains(&work.task.as_str())) {
        let what = format!("{} is left to {}", work.operation, work.task);
        breaches.push(Breach::of("everything settles", Some(&work.payment), what));
    }
}
