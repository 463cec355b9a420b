//! The checker: what must hold of any run, over nothing but its facts.
//!
//! Each rule is a pure function. A rule that is never seen to fail proves nothing: `tests.rs` breaks each on made-up
//! facts, and `interlock-chaos mutations` breaks the host.

mod answers;
mod deliveries;
mod gateways;
mod keys;
#[cfg(test)]
mod made_up;
mod money;
mod orders;
#[cfg(test)]
mod tests;
mod trail;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::facts::{Facts, books, ledger};

/// A rule that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub rule: &'static str,
    /// Whose story tells more.
    pub payment: Option<String>,
    pub what: String,
}

impl Breach {
    pub fn of(rule: &'static str, payment: Option<&str>, what: impl Into<String>) -> Self {
        Self { rule, payment: payment.map(str::to_owned), what: what.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.rule, self.what)?;
        match &self.payment {
            Some(payment) => write!(to, " [{payment}]"),
            None => Ok(()),
        }
    }
}

/// Checks everything.
pub fn all(facts: &Facts) -> Vec<Breach> {
    let index = Index::of(facts);
    let mut breaches = Vec::new();
    money::check(facts, &index, &mut breaches);
    gateways::check(facts, &index, &mut breaches);
    trail::check(facts, &index, &mut breaches);
    keys::check(facts, &mut breaches);
    answers::check(facts, &index, &mut breaches);
    orders::check(facts, &mut breaches);
    deliveries::check(facts, &mut breaches);
    for line in &facts.broken_rules {
        breaches.push(Breach::of("a rule of every black-box test", None, line));
    }
    breaches
}

/// The facts by payment.
pub struct Index<'a> {
    /// An operation by its id.
    operations: BTreeMap<&'a str, &'a books::Operation>,
    charges: BTreeMap<&'a str, Vec<&'a ledger::Charge>>,
    attempts: BTreeMap<&'a str, Vec<&'a books::Attempt>>,
    trail: BTreeMap<&'a str, Vec<&'a books::Line>>,
    /// Payments with an operation that is under way, unknown, or waits for somebody.
    open: BTreeSet<&'a str>,
    /// Payments that a person is to look at.
    reviewed: BTreeSet<&'a str>,
}

impl<'a> Index<'a> {
    fn of(facts: &'a Facts) -> Self {
        let books = &facts.books;
        let operations: BTreeMap<&str, &books::Operation> =
            books.operations.iter().map(|operation| (operation.id.as_str(), operation)).collect();
        let mut charges: BTreeMap<&str, Vec<&ledger::Charge>> = BTreeMap::new();
        for charge in &facts.ledger.charges {
            if let Some(operation) = operations.get(charge.reference.as_str()) {
                charges.entry(&operation.payment).or_default().push(charge);
            }
        }
        let mut attempts: BTreeMap<&str, Vec<&books::Attempt>> = BTreeMap::new();
        for attempt in &books.attempts {
            attempts.entry(&attempt.payment).or_default().push(attempt);
        }
        let mut trail: BTreeMap<&str, Vec<&books::Line>> = BTreeMap::new();
        for line in &books.trail {
            trail.entry(&line.payment).or_default().push(line);
        }
        Self {
            operations,
            charges,
            attempts,
            trail,
            open: books.work.iter().map(|work| work.payment.as_str()).collect(),
            reviewed: books.reviews.iter().map(|review| review.payment.as_str()).collect(),
        }
    }

    fn charges(&self, payment: &str) -> &[&'a ledger::Charge] {
        self.charges.get(payment).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many attempts a person was told of, because their gateway took money that another attempt had taken.
    fn surplus(&self, payment: &str) -> usize {
        let attempts = self.attempts.get(payment).map(Vec::as_slice).unwrap_or_default();
        attempts.iter().filter(|attempt| attempt.status == "surplus").count()
    }
}
