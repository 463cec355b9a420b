//! The gateway's own books: every movement of money as a pair of postings, and the check that they agree with what the
//! gateway tells its clients.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Gateway;
use super::charges::{Charge, Status};
use super::refunds;

/// Where money can be.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Account {
    Customer,
    /// Reserved for the merchant, not paid yet.
    Held,
    Merchant,
}

/// Why money moved.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Authorize,
    Capture,
    Release,
    Refund,
    /// A capture that did not work out after all.
    CaptureFailed,
    /// A refund that did not work out after all.
    RefundFailed,
}

impl Kind {
    /// From which account to which.
    fn accounts(self) -> (Account, Account) {
        match self {
            Self::Authorize => (Account::Customer, Account::Held),
            Self::Capture => (Account::Held, Account::Merchant),
            Self::Release => (Account::Held, Account::Customer),
            Self::Refund | Self::CaptureFailed => (Account::Merchant, Account::Customer),
            Self::RefundFailed => (Account::Customer, Account::Merchant),
        }
    }
}

/// Money that moved from one account to another.
pub struct Movement {
    /// The charge's place in the gateway's list.
    pub charge: usize,
    /// The refund's place, where one moved it.
    pub refund: Option<usize>,
    /// The operation that moved it.
    pub reference: String,
    pub kind: Kind,
    /// Minor units, above zero.
    pub amount: i64,
    /// Unix time in seconds.
    pub at: u64,
}

/// All movements, in the order in which they happened.
#[derive(Default)]
pub struct Ledger {
    movements: Vec<Movement>,
}

impl Ledger {
    pub fn write(&mut self, movement: Movement) {
        self.movements.push(movement);
    }

    pub fn movements(&self) -> &[Movement] {
        &self.movements
    }
}

/// What `GET /__ledger` shows.
#[derive(Serialize)]
pub struct Report<'a> {
    /// Two per movement, in order; of each pair the amounts add up to zero. Left out on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<Entry<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charges: Option<Vec<ChargeLine<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunds: Option<Vec<RefundLine<'a>>>,
    /// Per currency, from the movements.
    totals: BTreeMap<&'a str, Totals>,
    /// The accounts of every currency add up to zero, and agree with every charge.
    balanced: bool,
    /// How many charges there are under each reference, declined ones too.
    #[serde(skip_serializing_if = "Option::is_none")]
    charges_by_reference: Option<BTreeMap<&'a str, usize>>,
    /// References under which money was held or taken more than once. Empty unless somebody charged twice.
    charged_twice: Vec<&'a str>,
}

#[derive(Serialize)]
struct Entry<'a> {
    movement: usize,
    account: Account,
    /// Signed, minor units.
    amount: i64,
    currency: &'a str,
    kind: Kind,
    charge: &'a str,
    reference: &'a str,
    at: u64,
}

#[derive(Serialize)]
struct ChargeLine<'a> {
    id: &'a str,
    reference: &'a str,
    amount: i64,
    held: i64,
    captured: i64,
    refunded: i64,
    currency: &'a str,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_last4: Option<&'a str>,
}

#[derive(Serialize)]
struct RefundLine<'a> {
    id: &'a str,
    charge: &'a str,
    reference: &'a str,
    amount: i64,
    status: refunds::Status,
}

#[derive(Serialize, Default)]
struct Totals {
    held: i64,
    captured: i64,
    refunded: i64,
}

/// Adds up the books. With `lines` off only the sums are shown: a load test has too many lines to send.
pub fn report(gateway: &Gateway, lines: bool) -> Report<'_> {
    let movements = gateway.ledger.movements();
    let named: Vec<(usize, &Movement, &Charge)> = movements
        .iter()
        .enumerate()
        .filter_map(|(n, movement)| Some((n, movement, gateway.charges.get(movement.charge)?)))
        .collect();

    let mut totals: BTreeMap<&str, Totals> = BTreeMap::new();
    for (_, movement, charge) in &named {
        let sums = totals.entry(&charge.currency).or_default();
        match movement.kind {
            Kind::Authorize => sums.held += movement.amount,
            Kind::Release => sums.held -= movement.amount,
            Kind::Capture => {
                sums.held -= movement.amount;
                sums.captured += movement.amount;
            }
            Kind::Refund => sums.refunded += movement.amount,
            Kind::CaptureFailed => sums.captured -= movement.amount,
            Kind::RefundFailed => sums.refunded -= movement.amount,
        }
    }
    Report {
        entries: lines.then(|| named.iter().flat_map(|(n, movement, charge)| postings(*n, movement, charge)).collect()),
        charges: lines.then(|| gateway.charges.iter().map(ChargeLine::from).collect()),
        refunds: lines.then(|| refunds(gateway).collect()),
        totals,
        balanced: named.len() == movements.len() && balanced(gateway),
        charges_by_reference: lines.then(|| by_reference(&gateway.charges)),
        charged_twice: charged_twice(&named),
    }
}

fn refunds(gateway: &Gateway) -> impl Iterator<Item = RefundLine<'_>> {
    gateway.refunds.iter().filter_map(|refund| {
        Some(RefundLine {
            id: &refund.id,
            charge: &gateway.charges.get(refund.charge)?.id,
            reference: &refund.reference,
            amount: refund.amount,
            status: refund.status,
        })
    })
}

fn postings<'a>(movement: usize, from: &'a Movement, charge: &'a Charge) -> [Entry<'a>; 2] {
    let (giver, taker) = from.kind.accounts();
    [(giver, -from.amount), (taker, from.amount)].map(|(account, amount)| Entry {
        movement,
        account,
        amount,
        currency: &charge.currency,
        kind: from.kind,
        charge: &charge.id,
        reference: &from.reference,
        at: from.at,
    })
}

/// Follows the money of every charge through the accounts and compares with what the charge says of itself: nothing
/// may be in an account that the charge does not know of, and no account but the customer's may be overdrawn.
fn balanced(gateway: &Gateway) -> bool {
    let mut accounts = vec![[0_i64; 3]; gateway.charges.len()];
    let mut refunded = vec![0_i64; gateway.charges.len()];
    for movement in gateway.ledger.movements() {
        let (Some([customer, held, merchant]), Some(refunds)) =
            (accounts.get_mut(movement.charge), refunded.get_mut(movement.charge))
        else {
            return false;
        };
        let (giver, taker) = movement.kind.accounts();
        for (account, amount) in [(giver, -movement.amount), (taker, movement.amount)] {
            match account {
                Account::Customer => *customer += amount,
                Account::Held => *held += amount,
                Account::Merchant => *merchant += amount,
            }
        }
        match movement.kind {
            Kind::Refund => *refunds += movement.amount,
            Kind::RefundFailed => *refunds -= movement.amount,
            Kind::Authorize | Kind::Capture | Kind::Release | Kind::CaptureFailed => {}
        }
        if *held < 0 || *merchant < 0 || movement.amount <= 0 {
            return false;
        }
    }
    gateway.charges.iter().zip(&accounts).zip(&refunded).all(|((charge, [customer, held, merchant]), refunds)| {
        customer + held + merchant == 0
            && *held == charge.held
            && *refunds == charge.refunded
            && *merchant == charge.captured - charge.refunded
            && charge.held + charge.captured <= charge.amount
    })
}

fn by_reference(charges: &[Charge]) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    for charge in charges {
        *count.entry(charge.reference.as_str()).or_default() += 1;
    }
    count
}

fn charged_twice<'a>(named: &[(usize, &'a Movement, &'a Charge)]) -> Vec<&'a str> {
    let mut held: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, movement, charge) in named {
        if movement.kind == Kind::Authorize {
            *held.entry(&charge.reference).or_default() += 1;
        }
    }
    held.into_iter().filter(|(_, times)| *times > 1).map(|(reference, _)| reference).collect()
}

impl<'a> From<&'a Charge> for ChargeLine<'a> {
    fn from(charge: &'a Charge) -> Self {
        Self {
            id: &charge.id,
            reference: &charge.reference,
            amount: charge.amount,
            held: charge.held,
            captured: charge.captured,
            refunded: charge.refunded,
            currency: &charge.currency,
            status: charge.status,
            card_last4: charge.card_last4.as_deref(),
        }
    }
}
