//! How what is open comes to its end: by its timer, by the customer on the redirect page, by a test.

use super::answer::{Refusal, charge_body, refund_body};
use super::charges::{Books, Fate};
use super::methods::AUTHENTICATION_FAILED;
use super::{Change, Gateway};

/// Who says how it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settling {
    /// As it was bound to end.
    Due,
    Approved,
    Refused,
}

impl Settling {
    fn forced(self) -> Option<Fate> {
        match self {
            Self::Due => None,
            Self::Approved => Some(Fate::Approve),
            Self::Refused => Some(Fate::Decline(AUTHENTICATION_FAILED)),
        }
    }
}

impl Gateway {
    /// Ends a charge or refund that is open, by its id.
    ///
    /// # Errors
    /// `not_found`; `not_pending` where it had ended; `amount_too_large` for a late refund that came too late.
    pub fn settle(&mut self, id: &str, settling: Settling, now: u64) -> Result<Change, Refusal> {
        if let Some(place) = self.charge_ids.place(id) {
            let charge = self.charges.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
            let mut books = Books { ledger: &mut self.ledger, charge: place, refund: None, now };
            charge.settle(settling.forced(), &mut books)?;
            let object = charge_body(charge, &charge.reference);
            return Ok(Change { kind: "charge.updated", object, owner: charge.owner, created: false });
        }
        let place = self.refund_ids.place(id).ok_or(Refusal::NOT_FOUND)?;
        let refund = self.refunds.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
        let charge = self.charges.get_mut(refund.charge).ok_or(Refusal::NOT_FOUND)?;
        let mut books = Books { ledger: &mut self.ledger, charge: refund.charge, refund: Some(place), now };
        refund.settle(settling.forced().unwrap_or(Fate::Approve), charge, &mut books)?;
        Ok(Change { kind: "refund.updated", object: refund_body(refund, charge), owner: charge.owner, created: false })
    }

    /// The id of the charge or refund of an operation.
    pub fn id_of(&self, reference: &str) -> Option<&str> {
        let charge = self.charge_by_reference.get(reference).and_then(|place| self.charges.get(*place));
        let refund = self.refund_by_reference.get(reference).and_then(|place| self.refunds.get(*place));
        charge.map(|charge| charge.id.as_str()).or(refund.map(|refund| refund.id.as_str()))
    }
}
