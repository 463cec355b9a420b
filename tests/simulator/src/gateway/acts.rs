//! What the calls that act do: charge, capture, cancel, refund, and how a fault twists each.

use axum::http::StatusCode;
use bytes::Bytes;

use super::answer::{Answer, Refusal, charge_body, refund_body};
use super::ask::{NewCapture, NewCharge, NewRefund};
use super::charges::{Books, Charge, Fate, Status};
use super::methods::{BANK_SILENT, DO_NOT_HONOR, Verdict};
use super::refunds::{self, Refund};
use super::steps::{Kind, Progress, Step};
use super::{Change, Effects, Gateway, Timer, Turn, Twist};

impl Gateway {
    pub(super) fn create(&mut self, new: &NewCharge, owner: u64, twist: Twist, now: u64) -> Effects {
        let id = self.charge_ids.make();
        let place = self.charges.len();
        let verdict = new.method.verdict(&id, &self.pages, now);
        let mut charge = Charge::new(id, new, owner);
        let mut books = Books { ledger: &mut self.ledger, charge: place, refund: None, now };
        let timer = take_up(&mut charge, verdict, twist, self.modes.settle_ms, &mut books);
        let status = if charge.status == Status::Declined { StatusCode::PAYMENT_REQUIRED } else { StatusCode::CREATED };
        let step = Step { charge: place, kind: Kind::Charge, amount: charge.amount, progress: Progress::Done };
        let body = charge_body(&charge, &charge.reference, Some(&step));
        let change = Change { kind: "charge.updated", object: body.clone(), owner, created: true };
        self.remember(&new.reference, step);
        self.charges.push(charge);
        Effects { change: Some(change), timer, answer: Answer { status, body } }
    }

    pub(super) fn capture(
        &mut self,
        id: &str,
        capture: &NewCapture,
        twist: Twist,
        now: u64,
    ) -> Result<Effects, Refusal> {
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
        let (body, owner) = (charge_body(charge, &capture.reference, Some(&step)), charge.owner);
        self.remember(&capture.reference, step);
        let declined = matches!(progress, Progress::Failed(_));
        Ok(changed(body, owner, if declined { StatusCode::PAYMENT_REQUIRED } else { StatusCode::OK }, timer))
    }

    pub(super) fn cancel(&mut self, id: &str, reference: &str, twist: Twist, now: u64) -> Result<Effects, Refusal> {
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
        let (body, owner) = (charge_body(charge, reference, Some(&step)), charge.owner);
        self.remember(reference, step);
        Ok(changed(body, owner, StatusCode::OK, timer))
    }

    pub(super) fn refund(&mut self, id: &str, new: &NewRefund, twist: Twist, now: u64) -> Result<Effects, Refusal> {
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
        let declined = refund.status == refunds::Status::Declined;
        let status = if declined { StatusCode::PAYMENT_REQUIRED } else { StatusCode::CREATED };
        let body = refund_body(&refund, charge);
        let change = Change { kind: "refund.updated", object: body.clone(), owner: charge.owner, created: false };
        self.refund_by_reference.entry(new.reference.clone()).or_insert(refund_place);
        self.refunds.push(refund);
        Ok(Effects { change: Some(change), timer, answer: Answer { status, body } })
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

/// A charge that a capture or a cancel has changed.
fn changed(body: Bytes, owner: u64, status: StatusCode, timer: Option<Timer>) -> Effects {
    let change = Change { kind: "charge.updated", object: body.clone(), owner, created: false };
    Effects { change: Some(change), timer, answer: Answer { status, body } }
}
