//! A refund and how it ends.

use serde::Serialize;

use super::charges::{Books, Charge, Fate};
use super::refusal::Refusal;
use super::{Cause, Change, Gateway, Subject};

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Succeeded,
    Pending,
    Declined,
}

/// One refund. Amount in minor units.
pub struct Refund {
    pub id: String,
    /// The charge's place in the gateway's list.
    pub charge: usize,
    pub reference: String,
    pub amount: i64,
    pub status: Status,
    /// How it ends while it is pending.
    pub fate: Fate,
    /// Declined for now, and will succeed after all.
    pub late: bool,
}

impl Refund {
    /// Ends a refund that was pending, or that was declined and succeeds late.
    ///
    /// # Errors
    /// `not_pending` where it had ended; `amount_too_large` where other refunds took the money before a late success.
    pub fn settle(&mut self, fate: Fate, charge: &mut Charge, books: &mut Books) -> Result<(), Refusal> {
        let late = self.status == Status::Declined && self.late;
        if self.status != Status::Pending && !late {
            return Err(Refusal::NOT_PENDING);
        }
        if self.status == Status::Pending {
            charge.refunding -= self.amount;
        }
        self.late = false;
        if fate != Fate::Approve {
            self.status = Status::Declined;
            return Ok(());
        }
        if late && charge.refundable() < self.amount {
            return Err(Refusal::bad_request("amount_too_large", "that is more than is left to refund"));
        }
        self.status = Status::Succeeded;
        charge.refund(&self.reference, self.amount, books);
        Ok(())
    }
}

impl Gateway {
    /// Takes a refund back that had succeeded.
    pub(super) fn fail_refund(&mut self, place: usize, now: u64) -> Result<Change, Refusal> {
        let refund = self.refunds.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
        if refund.status != Status::Succeeded {
            return Err(Refusal::NOT_DONE);
        }
        let charge = self.charges.get_mut(refund.charge).ok_or(Refusal::NOT_FOUND)?;
        let mut books = Books { ledger: &mut self.ledger, charge: refund.charge, refund: Some(place), now };
        charge.fail_refund(&refund.reference, refund.amount, &mut books);
        refund.status = Status::Declined;
        Ok(charge.maker.changed(Subject::Refund { id: refund.id.clone() }, Cause::TakenBack))
    }
}
