//! Giving money back. PayPal refunds captures and not payments: what was taken in several parts is given back in several
//! requests, and a part that fails after another that did not is never hidden.

use interlock_connector::Host;
use interlock_connector::types::{
    Accepted, Approval, Context, Failure, Money, Operation, Outcome, Pairs, Refund, Response,
};

use crate::amount;
use crate::ask::{self, Share};
use crate::money::{self, CAPTURE, REFUND, RefundStatus};
use crate::order::{ORDER, Order, another_object};
use crate::perform::asked;
use crate::refused::{self, Refused, Said};

/// In one operation the host lets eight requests pass, the first of which may ask for the order, and the last too.
const SHARES_MAX: usize = 6;

pub fn perform(ctx: &Context, operation: &Operation, refund: &Refund, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if amount::written(&refund.amount)?.is_none() {
        return Ok(refused::has_fraction(host));
    }
    let shares = match captures(operation, refund).as_slice() {
        [] => return Err(Failure::new("no earlier outcome gave the reference of a capture")),
        [one] => vec![((*one).to_owned(), refund.amount.clone())],
        several => {
            let order = asked(ctx, operation.required_reference(ORDER)?, host)?;
            match shared_out(&order, several, &refund.amount)? {
                Some(shares) => shares,
                None => return Ok(refused::refund_exceeds(host)),
            }
        }
    };
    if shares.len() > SHARES_MAX {
        return Ok(refused::too_many_captures(host));
    }
    let mut given = Given::default();
    for (nth, (capture, amount)) in (1..).zip(&shares) {
        let Some(value) = amount::written(amount)? else { return Ok(refused::has_fraction(host)) };
        let share = Share { capture, amount, value: &value, nth };
        let reply = host.exchange(&ask::refund(ctx, operation, &share)?);
        match refund_in(&reply)? {
            Some(made) if made.is_of_another(&operation.id) => return Err(another_object()),
            Some(made) => given.add(&made)?,
            None => return refused_share(&reply, ctx, operation, refund, &given, host),
        }
    }
    given.outcome(operation.reference(ORDER), host)
}

/// What is known of it from the order: every refund that carries the operation's id. None where there is none.
pub fn found(order: &Order, operation_id: &str) -> Result<Option<Given>, Failure> {
    let mut given = Given::default();
    for refund in order.refunds().iter().filter(|refund| refund.is_of(operation_id)) {
        given.add(refund)?;
    }
    Ok((!given.ids.is_empty()).then_some(given))
}

/// The references of the captures so far, each once.
fn captures<'a>(operation: &'a Operation, refund: &'a Refund) -> Vec<&'a str> {
    let named = |pairs: &'a Pairs| pairs.iter().rev().find(|(name, _)| name == CAPTURE).map(|(_, id)| id.as_str());
    let mut ids = Vec::new();
    for id in refund.captures.iter().filter_map(named) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.is_empty() {
        ids.extend(operation.reference(CAPTURE));
    }
    ids
}

/// Which capture gives back how much. One that can give all of it does; else they are emptied in their order. None where
/// they have too little left.
fn shared_out(order: &Order, captures: &[&str], wanted: &Money) -> Result<Option<Vec<(String, Money)>>, Failure> {
    let mut left = Vec::new();
    for id in captures {
        let capture = order.captures().iter().find(|capture| capture.id == *id);
        let taken = capture.ok_or_else(|| Failure::new("the order does not show one of its captures"))?.money()?;
        if taken.currency != wanted.currency {
            return Err(Failure::new("a capture is in another currency than its refund"));
        }
        let mut given_back = 0_u64;
        for refund in order.refunds().iter().filter(|refund| refund.holds_money()) {
            let of = refund.capture_id().ok_or_else(|| Failure::new("a refund does not name its capture"))?;
            if of == *id {
                given_back = given_back.saturating_add(refund.money()?.minor_units);
            }
        }
        left.push(((*id).to_owned(), taken.minor_units.saturating_sub(given_back)));
    }
    if let Some((id, _)) = left.iter().find(|(_, left)| *left >= wanted.minor_units) {
        return Ok(Some(vec![(id.clone(), wanted.clone())]));
    }
    let mut missing = wanted.minor_units;
    let mut shares = Vec::new();
    for (id, left) in left {
        let share = left.min(missing);
        if share > 0 {
            missing -= share;
            shares.push((id, Money::new(share, wanted.currency.as_str())));
        }
    }
    Ok((missing == 0).then_some(shares))
}

/// One of the requests was refused. With nothing given back before, that is the answer; else the order tells what was
/// given back, and the host sees that it is less than was asked for.
fn refused_share(
    reply: &Response,
    ctx: &Context,
    operation: &Operation,
    refund: &Refund,
    given: &Given,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let is_first = given.ids.is_empty();
    let refused = match refused::said(reply)? {
        Said::No(refused) | Said::BackToPayer(refused) if is_first => return Ok(declined(refused, operation, host)),
        Said::Later(seconds) if is_first => return Ok(Outcome::NotProcessed(seconds)),
        Said::Later(_) => return Err(Failure::new("PayPal had no time for the rest of a refund")),
        Said::No(refused) | Said::BackToPayer(refused) | Said::Ask(refused) => refused,
    };
    let order = asked(ctx, operation.required_reference(ORDER)?, host)?;
    match found(&order, &operation.id)? {
        Some(listed) if listed.is_all_of(&refund.amount) => listed.outcome(Some(&order.id), host),
        // The missing part may be under way, whatever is listed.
        _ if refused.is_seen_before() => {
            Err(Failure::new("PayPal has seen the refund before, and the order does not show all of it"))
        }
        None if is_first => Ok(declined(refused, operation, host)),
        Some(listed) if !is_first && listed.ids.len() >= given.ids.len() => {
            // Only of this request it is known that it was refused: no reference of PayPal's vouches for all of them.
            if listed.holds_money() {
                listed.outcome(Some(&order.id), host)
            } else {
                Ok(declined(refused, operation, host))
            }
        }
        Some(_) | None => Err(Failure::new("the order does not show what was given back before")),
    }
}

fn declined(refused: Refused, operation: &Operation, host: &mut dyn Host) -> Outcome {
    refused.declined(operation.references.clone(), host)
}

/// What was given back so far, all requests of the operation together.
#[derive(Default)]
pub struct Given {
    ids: Vec<String>,
    done: u64,
    pending: u64,
    /// What was to be given back by requests that did not go through.
    missed: u64,
    currency: Option<String>,
    /// How one ended that did not go through, to be told where none did.
    failed: Option<RefundStatus>,
}

impl Given {
    fn add(&mut self, refund: &money::Refund) -> Result<(), Failure> {
        let Money { minor_units, currency } = refund.money()?;
        if self.currency.as_ref().is_some_and(|other| *other != currency) {
            return Err(Failure::new("the parts of a refund are in different currencies"));
        }
        self.currency = Some(currency);
        self.ids.push(refund.id.clone());
        match refund.status {
            RefundStatus::Completed => self.done = self.done.saturating_add(minor_units),
            RefundStatus::Pending => self.pending = self.pending.saturating_add(minor_units),
            RefundStatus::Cancelled | RefundStatus::Failed => {
                self.missed = self.missed.saturating_add(minor_units);
                self.failed = Some(refund.status);
            }
        }
        Ok(())
    }

    /// Whether it is known what became of all of `asked`. A part that is not listed may be on its way.
    pub fn is_all_of(&self, asked: &Money) -> bool {
        self.done.saturating_add(self.pending).saturating_add(self.missed) == asked.minor_units
    }

    /// Whether something was given back, or still may be.
    fn holds_money(&self) -> bool {
        self.done > 0 || self.pending > 0
    }

    /// What it comes to. With a part that failed it is the rest that is told: less than was asked for.
    pub fn outcome(self, order: Option<&str>, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let Some(first) = self.ids.first() else { return Err(Failure::new("there is no refund to speak of")) };
        let references = self.references(order);
        if self.pending > 0 {
            return Ok(Outcome::Pending(Accepted::of(first.as_str(), references)));
        }
        if self.done == 0
            && let Some(status) = self.failed
        {
            return Ok(money::refund_declined(status, first, references, host));
        }
        let currency = self.currency.as_deref().unwrap_or_default();
        Ok(Outcome::Refunded(Approval { references, ..Approval::of(first.as_str(), Money::new(self.done, currency)) }))
    }

    /// `refund`, `refund_2` …
    fn references(&self, order: Option<&str>) -> Pairs {
        let mut pairs: Pairs = order.map(|order| (ORDER.to_owned(), order.to_owned())).into_iter().collect();
        for (nth, id) in (1_usize..).zip(&self.ids) {
            let name = if nth == 1 { REFUND.to_owned() } else { [REFUND, "_", &nth.to_string()].concat() };
            pairs.push((name, id.clone()));
        }
        pairs
    }
}

fn refund_in(reply: &Response) -> Result<Option<money::Refund>, Failure> {
    match reply.status {
        200 | 201 => reply.json().map(Some),
        _ => Ok(None),
    }
}
