//! What the calls that act do: charge, capture, cancel, refund, and how a fault twists each.

use super::ask::{NewCapture, NewCharge, NewRefund};
use super::charges::{Books, Charge, Fate, Status};
use super::methods::{BANK_SILENT, DO_NOT_HONOR, Verdict};
use super::refunds::{self, Refund};
use super::refusal::Refusal;
use super::steps::{Kind, Progress, Step};
use super::{Cause, Done, Gateway, Maker, Subject, Timer, Turn, Twist};

impl Gateway {
    /// Makes a charge. `verdict` says what becomes of it where the face has a test card of its own; else the method does.
    pub fn create(&mut self, new: &NewCharge, maker: Maker, verdict: Option<Verdict>, twist: Twist, now: u64) -> Done {
        let id = self.charge_ids.make();
        let place = self.charges.len();
        let verdict = verdict.unwrap_or_else(|| new.method.verdict(&id, &self.pages, now));
        let mut charge = Charge::new(id, new, maker);
        let mut books = Books { ledger: &mut self.ledger, charge: place, refund: None, now };
        let timer = take_up(&mut charge, verdict, twist, self.modes.settle_ms, &mut books);
        let step = Step { charge: place, kind: Kind::Charge, amount: charge.amount, progress: Progress::Done };
        let change = maker.changed(charge.under(&new.reference, Some(step)), Cause::Asked);
        self.remember(&new.reference, step);
        self.charges.push(charge);
        Done { change, timer }
    }

    /// Takes some or all of what a charge holds. A declined capture is done too: its step says so.
    ///
    /// # Errors
    /// `not_found`, `not_capturable`, `amount_too_large`.
    pub fn capture(&mut self, id: &str, capture: &NewCapture, twist: Twist, now: u64) -> Result<Done, Refusal> {
        let place = self.charge_ids.place(id).ok_or(Refusal::NOT_FOUND)?;
        let charge = self.charges.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
        charge.may_capture(capture)?;
        let mut progress = Progress::Done;
        let mut timer = None;
        match twist {
            Twist::Decline(decline) => progress = Progress::Failed(decline),
            Twist::Pending { after_ms, fate } => {
                progress = Progress::Open { last: capture.last, fate };
                timer = Some(Timer { subject: capture.reference.clone(), after_ms, turn: Turn::Settle });
            }
            Twist::FailsLater { after_ms } => {
                timer = Some(Timer { subject: capture.reference.clone(), after_ms, turn: Turn::Fail });
            }
            Twist::None | Twist::LateSuccess { .. } => {}
        }
        if progress == Progress::Done {
            charge.capture(capture, &mut Books { ledger: &mut self.ledger, charge: place, refund: None, now })?;
        }
        let step = Step { charge: place, kind: Kind::Capture, amount: capture.amount, progress };
        let change = charge.maker.changed(charge.under(&capture.reference, Some(step)), Cause::Asked);
        self.remember(&capture.reference, step);
        Ok(Done { change, timer })
    }

    /// Gives back what a charge holds, or calls it off.
    ///
    /// # Errors
    /// `not_found`, `not_cancellable`.
    pub fn cancel(&mut self, id: &str, reference: &str, twist: Twist, now: u64) -> Result<Done, Refusal> {
        let place = self.charge_ids.place(id).ok_or(Refusal::NOT_FOUND)?;
        let charge = self.charges.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
        let was_open = charge.held == 0;
        charge.cancel(reference, &mut Books { ledger: &mut self.ledger, charge: place, refund: None, now })?;
        let timer = match twist {
            // The customer was about to pay, and did.
            Twist::LateSuccess { after_ms } if was_open => {
                charge.fate = Some(Fate::Approve);
                Some(Timer { subject: charge.id.clone(), after_ms, turn: Turn::Settle })
            }
            _ => None,
        };
        let released = charge.amount - charge.captured;
        let step = Step { charge: place, kind: Kind::Cancel, amount: released, progress: Progress::Done };
        let change = charge.maker.changed(charge.under(reference, Some(step)), Cause::Asked);
        self.remember(reference, step);
        Ok(Done { change, timer })
    }

    /// Gives some or all of what was captured back. A declined refund is done too: its status says so.
    ///
    /// # Errors
    /// `not_found`, `not_refundable`, `amount_too_large`.
    pub fn refund(&mut self, id: &str, new: &NewRefund, twist: Twist, now: u64) -> Result<Done, Refusal> {
        let place = self.charge_ids.place(id).ok_or(Refusal::NOT_FOUND)?;
        let charge = self.charges.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
        if charge.captured == 0 {
            return Err(Refusal::bad_request("not_refundable", "nothing was captured under this charge"));
        }
        if new.amount > charge.refundable() {
            return Err(Refusal::bad_request("amount_too_large", "that is more than is left to refund"));
        }
        let refund_place = self.refunds.len();
        let mut refund = Refund {
            id: self.refund_ids.make(),
            charge: place,
            reference: new.reference.clone(),
            amount: new.amount,
            status: refunds::Status::Pending,
            fate: Fate::Approve,
            late: false,
        };
        charge.refunding += new.amount;
        let mut books = Books { ledger: &mut self.ledger, charge: place, refund: Some(refund_place), now };
        let by_id = |after_ms| Some(Timer { subject: refund.id.clone(), after_ms, turn: Turn::Settle });
        let timer = match twist {
            Twist::None | Twist::Decline(_) => None,
            Twist::Pending { after_ms, .. } | Twist::LateSuccess { after_ms } => by_id(after_ms),
            Twist::FailsLater { after_ms } => {
                Some(Timer { subject: new.reference.clone(), after_ms, turn: Turn::Fail })
            }
        };
        match twist {
            Twist::None | Twist::FailsLater { .. } => refund.settle(Fate::Approve, charge, &mut books)?,
            Twist::Decline(decline) => refund.settle(Fate::Decline(decline), charge, &mut books)?,
            Twist::Pending { fate, .. } => refund.fate = fate,
            Twist::LateSuccess { .. } => {
                refund.settle(Fate::Decline(DO_NOT_HONOR), charge, &mut books)?;
                refund.late = true;
            }
        }
        let change = charge.maker.changed(Subject::Refund { id: refund.id.clone() }, Cause::Asked);
        self.refund_by_reference.entry(new.reference.clone()).or_insert(refund_place);
        self.refunds.push(refund);
        Ok(Done { change, timer })
    }
}

/// What becomes of a new charge, by its method and by a fault. A fault has a say only where the method would approve.
fn take_up(charge: &mut Charge, verdict: Verdict, twist: Twist, settle_ms: u64, books: &mut Books) -> Option<Timer> {
    let settles = |charge: &Charge, after_ms| Timer { subject: charge.id.clone(), after_ms, turn: Turn::Settle };
    match verdict {
        Verdict::Approve => match twist {
            Twist::None => charge.approve(books),
            Twist::Decline(decline) if decline == BANK_SILENT => charge.decline_for_now(decline),
            Twist::Decline(decline) => charge.decline(decline),
            Twist::LateSuccess { after_ms } => {
                charge.decline_for_now(DO_NOT_HONOR);
                return Some(settles(charge, after_ms));
            }
            Twist::Pending { after_ms, fate } => {
                charge.fate = Some(fate);
                return Some(settles(charge, after_ms));
            }
            Twist::FailsLater { after_ms } => {
                charge.approve(books);
                return Some(Timer { subject: charge.reference.clone(), after_ms, turn: Turn::Fail });
            }
        },
        Verdict::Decline(decline) => charge.decline(decline),
        Verdict::DeclineForNow(decline) => charge.decline_for_now(decline),
        Verdict::Pending(fate) => {
            charge.fate = Some(fate);
            return Some(settles(charge, settle_ms));
        }
        Verdict::Act(action) => {
            charge.status = Status::RequiresAction;
            charge.action = Some(action);
        }
    }
    None
}
