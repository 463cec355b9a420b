//! Money: nothing charged twice, nothing lost, the gateways' sums and ours the same, nothing sent that was not written.

use std::collections::{BTreeMap, BTreeSet};

use super::{Breach, Index};
use crate::{
    facts::{Facts, books::Payment},
    world::LEASE_MS,
};

/// How much later than its lease allows a movement may be dated: gateways date in whole seconds, and a byte may lie in
/// a socket for a moment.
const LEASE_GRACE_MS: i64 = 1_500;

pub fn check(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    for gateway in &facts.ledger.unbalanced {
        breaches.push(Breach::of("a gateway's own books add up", None, format!("gateway {gateway}'s do not")));
    }
    once(facts, index, breaches);
    written_before(facts, index, breaches);
    truly_not_sent(facts, index, breaches);
    truly_declined(facts, index, breaches);
    within_the_lease(facts, index, breaches);
    for payment in &facts.books.payments {
        one_charge(payment, index, breaches);
        same_sums(payment, index, breaches);
        bounds(payment, breaches);
    }
    refunds(facts, index, breaches);
}

/// One operation moves money once: one charge, one capture, one refund for each reference.
fn once(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let mut moved: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for movement in &facts.ledger.movements {
        *moved.entry((&movement.reference, &movement.kind)).or_default() += 1;
    }
    for ((reference, kind), times) in moved.into_iter().filter(|(_, times)| *times > 1) {
        let payment = index.operations.get(reference).map(|operation| operation.payment.as_str());
        let what = format!("{times} times {kind} under {reference}");
        breaches.push(Breach::of("an operation moves money once", payment, what));
    }
}

/// What a gateway was asked for stands in the journal.
fn written_before(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let written: BTreeSet<&str> = facts
        .books
        .exchanges
        .iter()
        .filter(|exchange| exchange.effect == "moves_money")
        .map(|exchange| exchange.operation.as_str())
        .collect();
    let asked = facts.ledger.charges.iter().map(|charge| charge.reference.as_str());
    let asked: BTreeSet<&str> =
        asked.chain(facts.ledger.movements.iter().map(|movement| movement.reference.as_str())).collect();
    for reference in asked.difference(&written) {
        let payment = index.operations.get(reference).map(|operation| operation.payment.as_str());
        let what = format!("a gateway was asked for {reference}, which is not in the journal");
        breaches.push(Breach::of("what is on the wire is on disk", payment, what));
    }
}

/// "Not sent" is a proof: no gateway has ever heard of it. Whoever said so once was wrong, also where the gateway has put it
/// right since.
fn truly_not_sent(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let heard: BTreeSet<&str> = facts.ledger.charges.iter().map(|charge| charge.reference.as_str()).collect();
    let moved: BTreeSet<&str> = facts.ledger.movements.iter().map(|movement| movement.reference.as_str()).collect();
    let of_trail = facts.books.trail.iter().filter(|line| line.event == "not_sent");
    let counts = index.operations.values().filter(|operation| operation.status == "not_sent");
    let not_sent: BTreeSet<(&str, &str)> = of_trail
        .filter_map(|line| Some((line.operation.as_deref()?, line.payment.as_str())))
        .chain(counts.map(|operation| (operation.id.as_str(), operation.payment.as_str())))
        .collect();
    for (operation, payment) in not_sent {
        if heard.contains(operation) || moved.contains(operation) {
            let what = format!("{operation} was said not to be sent, and its gateway has it");
            breaches.push(Breach::of("what was not sent has not arrived", Some(payment), what));
        }
    }
}

/// A decline is the gateway's word, and stands in the operation that it was said of: neither silence nor time is one, also
/// where it is put right later.
fn truly_declined(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    for line in facts.books.trail.iter().filter(|line| line.event == "declined") {
        let operation = line.operation.as_deref().and_then(|id| index.operations.get(id));
        let said = operation.is_some_and(|operation| {
            [&operation.outcome, &operation.correction].iter().any(|said| said.get("Declined").is_some())
        });
        if !said {
            let what = format!("line {} of the trail is a decline that no gateway has said", line.sequence);
            breaches.push(Breach::of("a decline is the gateway's word", Some(&line.payment), what));
        }
    }
}

/// A request that may never be sent again is sent within its lease or not at all. Only where gateways act at once does
/// the time at which money moved tell when the request was sent.
fn within_the_lease(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    if !facts.gateways_act_at_once {
        return;
    }
    let sent_once: BTreeSet<&str> = facts
        .books
        .exchanges
        .iter()
        .filter(|exchange| exchange.effect == "moves_money" && !exchange.resendable)
        .map(|exchange| exchange.operation.as_str())
        .collect();
    for movement in facts.ledger.movements.iter().filter(|movement| sent_once.contains(movement.reference.as_str())) {
        let Some(operation) = index.operations.get(movement.reference.as_str()) else { continue };
        let late_ms = movement.at_s * 1_000 - operation.created_ms - LEASE_MS;
        if late_ms > LEASE_GRACE_MS {
            let what = format!("{} arrived {late_ms} ms after its lease", operation.id);
            breaches.push(Breach::of("nothing is sent after its lease", Some(&operation.payment), what));
        }
    }
}

/// At most one charge of a payment has money, unless a person was told of each other one.
fn one_charge(payment: &Payment, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let with_money = index.charges(&payment.id).iter().filter(|charge| charge.held + charge.captured > 0).count();
    if with_money > 1 + index.surplus(&payment.id) {
        let what = format!("{with_money} charges have money, {} are known as surplus", index.surplus(&payment.id));
        breaches.push(Breach::of("a payment is charged once", Some(&payment.id), what));
    }
}

/// What gateways hold, took and gave back for a payment is what the payment says; not where it is still open, or a
/// person was told that the two differ.
fn same_sums(payment: &Payment, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let id = payment.id.as_str();
    if index.open.contains(id) || index.reviewed.contains(id) {
        return;
    }
    let sum =
        |of: fn(&crate::facts::ledger::Charge) -> i64| index.charges(id).iter().map(|charge| of(charge)).sum::<i64>();
    let (held, captured, refunded) =
        (sum(|charge| charge.held), sum(|charge| charge.captured), sum(|charge| charge.refunded));
    let mut differs = |what: String| {
        breaches.push(Breach::of(
            "gateway and payment agree about money",
            Some(id),
            format!("{what}; it is {}", payment.status),
        ));
    };
    if captured != payment.captured + payment.surplus {
        differs(format!(
            "gateways took {captured}, the payment says {} and surplus {}",
            payment.captured, payment.surplus
        ));
    }
    if refunded != payment.refunded {
        differs(format!("gateways gave back {refunded}, the payment says {}", payment.refunded));
    }
    let may_hold = matches!(payment.status.as_str(), "authorized" | "partially_captured");
    if (held > 0) != may_hold && !(payment.status == "partially_captured" && held == 0) {
        differs(format!("gateways hold {held}"));
    }
    let has_taken =
        matches!(payment.status.as_str(), "succeeded" | "partially_refunded" | "refunded" | "partially_captured");
    if (payment.captured > 0) != has_taken {
        differs(format!("the payment says that {} was taken", payment.captured));
    }
}

/// `0 ≤ refunded ≤ captured ≤ amount`, with what is under way.
fn bounds(payment: &Payment, breaches: &mut Vec<Breach>) {
    let Payment { amount, captured, capturing, refunded, refunding, .. } = *payment;
    let kept = [captured, capturing, refunded, refunding].iter().all(|amount| *amount >= 0)
        && captured + capturing <= amount
        && refunded + refunding <= captured;
    if !kept {
        let what = format!(
            "of {amount}: captured {captured} and {capturing} under way, refunded {refunded} and {refunding} under way"
        );
        breaches.push(Breach::of("totals keep their bounds", Some(&payment.id), what));
    }
}

/// What a payment says was refunded is the sum of its refunds that succeeded, and never more than was asked for, whoever
/// looks at it; and no gateway was ever asked to give back
/// more than was there, which is what reservations are for.
fn refunds(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let mut done: BTreeMap<&str, i64> = BTreeMap::new();
    let mut asked: BTreeMap<&str, i64> = BTreeMap::new();
    let given: BTreeSet<&str> = facts
        .ledger
        .movements
        .iter()
        .filter(|movement| movement.kind == "refund")
        .map(|movement| movement.reference.as_str())
        .collect();
    for operation in facts.books.operations.iter().filter(|operation| operation.kind == "refund") {
        *asked.entry(&operation.payment).or_default() += operation.amount;
        if given.contains(operation.id.as_str()) {
            *done.entry(&operation.payment).or_default() += operation.amount;
        }
        if operation.outcome.to_string().contains("amount_too_large") {
            let what = format!("{} of {} was more than its gateway had", operation.id, operation.amount);
            breaches.push(Breach::of("amounts are reserved before they are asked for", Some(&operation.payment), what));
        }
    }
    for payment in &facts.books.payments {
        let id = payment.id.as_str();
        let most = asked.get(id).copied().unwrap_or_default();
        if payment.refunded > most {
            let what = format!("refunds of {most} were asked for, and {} are booked", payment.refunded);
            breaches.push(Breach::of("a refund is booked once", Some(id), what));
        }
    }
    for payment in facts.books.payments.iter().filter(|payment| asked.contains_key(payment.id.as_str())) {
        let id = payment.id.as_str();
        let sum = done.get(id).copied().unwrap_or_default();
        if sum != payment.refunded && !index.open.contains(id) && !index.reviewed.contains(id) {
            let what = format!("its refunds that moved money add up to {sum}, the payment says {}", payment.refunded);
            breaches.push(Breach::of("a payment's refunds add up", Some(id), what));
        }
    }
}
