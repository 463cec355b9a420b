//! What was asked of which gateway: the right amount, through the right account, about the payment's own charge; and
//! nothing is left open there that nobody waits for.

use std::collections::BTreeMap;

use super::{Breach, Index};
use crate::facts::Facts;

pub fn check(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    charges(facts, index, breaches);
    accounts(facts, index, breaches);
    own_money(facts, index, breaches);
}

/// Every charge is for the amount and currency that were asked for, at the gateway of the operation's account, and
/// where it may still become paid somebody waits for it.
fn charges(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let payments: BTreeMap<&str, _> =
        facts.books.payments.iter().map(|payment| (payment.id.as_str(), payment)).collect();
    for charge in &facts.ledger.charges {
        let Some(operation) = index.operations.get(charge.reference.as_str()) else { continue };
        let Some(payment) = payments.get(operation.payment.as_str()) else { continue };
        let mut breach = |rule, what| breaches.push(Breach::of(rule, Some(&payment.id), what));
        if charge.amount != operation.amount || charge.currency != payment.currency {
            let what = format!("{} is for {} {}", charge.id, charge.amount, charge.currency);
            breach("a charge is for what was asked", what);
        }
        if facts.accounts.get(charge.gateway).is_some_and(|account| *account != operation.account) {
            let what = format!("{} asked gateway {}, which is not {}", operation.id, charge.gateway, operation.account);
            breach("a gateway is asked through its account", what);
        }
        let may_become_paid = matches!(charge.status.as_str(), "pending" | "requires_action");
        let is_waited_for = payment.open_attempt == Some(operation.attempt)
            || index.open.contains(payment.id.as_str())
            || index.reviewed.contains(payment.id.as_str());
        if may_become_paid && !is_waited_for {
            let what = format!("{} is {}, and the payment is {}", charge.id, charge.status, payment.status);
            breach("what a gateway may still take is waited for", what);
        }
    }
}

/// An operation goes through the account of its attempt.
fn accounts(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    for operation in &facts.books.operations {
        let attempts = index.attempts.get(operation.payment.as_str()).map(Vec::as_slice).unwrap_or_default();
        let attempt = attempts.iter().find(|attempt| attempt.number == operation.attempt);
        if attempt.is_none_or(|attempt| attempt.account != operation.account) {
            let what = format!("{} went through {}", operation.id, operation.account);
            breaches.push(Breach::of("a gateway is asked through its account", Some(&operation.payment), what));
        }
    }
}

/// Money moved under the charge of the payment that asked for it.
fn own_money(facts: &Facts, index: &Index<'_>, breaches: &mut Vec<Breach>) {
    let owners: BTreeMap<(usize, &str), &str> = facts
        .ledger
        .charges
        .iter()
        .filter_map(|charge| {
            let operation = index.operations.get(charge.reference.as_str())?;
            Some(((charge.gateway, charge.id.as_str()), operation.payment.as_str()))
        })
        .collect();
    for movement in &facts.ledger.movements {
        let Some(operation) = index.operations.get(movement.reference.as_str()) else { continue };
        let owner = owners.get(&(movement.gateway, movement.charge.as_str()));
        if owner != Some(&operation.payment.as_str()) {
            let what = format!("{} moved {} of {}, another payment's", operation.id, movement.amount, movement.charge);
            breaches.push(Breach::of("an operation moves its own payment's money", Some(&operation.payment), what));
        }
    }
}
