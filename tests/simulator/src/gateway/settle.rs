//! How what is open comes to its end: by its timer, by the customer on the redirect page, by a test.

use super::answer::{Refusal, charge_body, refund_body};
use super::charges::{Books, Fate};
use super::methods::AUTHENTICATION_FAILED;
use super::steps::{self, Kind, Progress};
use super::{Change, Gateway, Turn};

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
    /// What a timer does when its time has come.
    ///
    /// # Errors
    /// Where a test or the customer was there before.
    pub fn turn(&mut self, subject: &str, turn: Turn, now: u64) -> Result<Change, Refusal> {
        match turn {
            Turn::Settle => self.settle(subject, Settling::Due, now),
            Turn::Fail => self.fail(subject, now),
        }
    }

    /// Ends what is open: a charge or a refund by its id, or whatever the operation of this reference left open.
    ///
    /// # Errors
    /// `not_found`; `not_pending` where it had ended; `amount_too_large` for a late refund that came too late.
    pub fn settle(&mut self, subject: &str, settling: Settling, now: u64) -> Result<Change, Refusal> {
        if let Some((step, charge)) = self.step(subject) {
            let open_capture = step.kind == Kind::Capture && matches!(step.progress, Progress::Open { .. });
            if open_capture {
                return self.settle_capture(subject, settling.forced(), now);
            }
            let id = charge.id.clone();
            return self.settle_by_id(&id, settling, now);
        }
        let refund = self.refund_by_reference.get(subject).and_then(|place| self.refunds.get(*place));
        let id = refund.map_or_else(|| subject.to_owned(), |refund| refund.id.clone());
        self.settle_by_id(&id, settling, now)
    }

    fn settle_by_id(&mut self, id: &str, settling: Settling, now: u64) -> Result<Change, Refusal> {
        if let Some(place) = self.charge_ids.place(id) {
            let charge = self.charges.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
            let mut books = Books { ledger: &mut self.ledger, charge: place, refund: None, now };
            charge.settle(settling.forced(), &mut books)?;
            let object = charge_body(charge, &charge.reference, steps::own(&self.steps, charge, place));
            return Ok(Change { kind: "charge.updated", object, owner: charge.owner, created: false });
        }
        let place = self.refund_ids.place(id).ok_or(Refusal::NOT_FOUND)?;
        let refund = self.refunds.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
        let charge = self.charges.get_mut(refund.charge).ok_or(Refusal::NOT_FOUND)?;
        let mut books = Books { ledger: &mut self.ledger, charge: refund.charge, refund: Some(place), now };
        refund.settle(settling.forced().unwrap_or(refund.fate), charge, &mut books)?;
        Ok(Change { kind: "refund.updated", object: refund_body(refund, charge), owner: charge.owner, created: false })
    }
}
