//! A refund and how it ends.

use serde::Serialize;

use super::answer::Refusal;
use super::charges::{Books, Charge, Fate};

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
            return Err(Refusal::bad_request("not_pending", "nothing is open here"));
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
