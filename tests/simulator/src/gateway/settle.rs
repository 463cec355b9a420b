//! How what is open comes to its end: by its timer, by the customer on the redirect page, by a test.

use super::charges::{Books, Fate};
use super::methods::AUTHENTICATION_FAILED;
use super::refusal::Refusal;
use super::steps::{self, CAPTURE_FAILED, Kind, Progress};
use super::{Cause, Change, Gateway, Subject};

/// Who says how it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settling {
    /// As it was bound to end.
    Due,
    Approved,
    Refused,
    /// Refused, and the customer may try again.
    RefusedForNow,
}

impl Settling {
    fn forced(self) -> Option<Fate> {
        match self {
            Self::Due => None,
            Self::Approved => Some(Fate::Approve),
            Self::Refused | Self::RefusedForNow => Some(Fate::Decline(AUTHENTICATION_FAILED)),
        }
    }
}

impl Gateway {
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

    /// What has become of the operation of this reference, to be told once more.
    pub fn again(&self, reference: &str) -> Option<Change> {
        if let Some((refund, charge)) = self.refund_by_reference(reference) {
            return Some(charge.maker.changed(Subject::Refund { id: refund.id.clone() }, Cause::Settled));
        }
        let (step, charge) = self.step(reference)?;
        let taken_back = step.progress == Progress::Failed(CAPTURE_FAILED);
        let cause = if taken_back { Cause::TakenBack } else { Cause::Settled };
        Some(charge.maker.changed(charge.under(reference, Some(*step)), cause))
    }

    fn settle_by_id(&mut self, id: &str, settling: Settling, now: u64) -> Result<Change, Refusal> {
        if let Some(place) = self.charge_ids.place(id) {
            let charge = self.charges.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
            let mut books = Books { ledger: &mut self.ledger, charge: place, refund: None, now };
            charge.settle(settling.forced(), &mut books)?;
            if settling == Settling::RefusedForNow {
                charge.fate = Some(Fate::Approve);
            }
            let subject = charge.under(&charge.reference, steps::own(&self.steps, charge, place).copied());
            return Ok(charge.maker.changed(subject, Cause::Settled));
        }
        let place = self.refund_ids.place(id).ok_or(Refusal::NOT_FOUND)?;
        let refund = self.refunds.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
        let charge = self.charges.get_mut(refund.charge).ok_or(Refusal::NOT_FOUND)?;
        let mut books = Books { ledger: &mut self.ledger, charge: refund.charge, refund: Some(place), now };
        refund.settle(settling.forced().unwrap_or(refund.fate), charge, &mut books)?;
        Ok(charge.maker.changed(Subject::Refund { id: refund.id.clone() }, Cause::Settled))
    }
}
