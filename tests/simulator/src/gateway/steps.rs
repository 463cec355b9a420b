//! What each reference stands for: the operation that made or changed a charge, and how far it is.

use std::collections::HashMap;

use serde::Serialize;

use super::ask::NewCapture;
use super::charges::{Books, Charge, Decline, Fate, Status};
use super::refusal::Refusal;
use super::{Cause, Change, Gateway};

/// What is said of a capture that did not work out after all.
pub const CAPTURE_FAILED: Decline = Decline::new("capture_failed", "The bank did not pay in the end.");

/// What an operation did to its charge.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Charge,
    Capture,
    Cancel,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Accepted, decided later. Captures alone: a charge that is not decided says so itself.
    Open {
        /// Whether the capture is the last one.
        last: bool,
        /// How it ends where nobody says otherwise.
        fate: Fate,
    },
    Done,
    /// Declined, at once or after it was done.
    Failed(Decline),
}

/// One operation on a charge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The charge's place in the gateway's list.
    pub charge: usize,
    pub kind: Kind,
    /// Minor units: what was charged, captured or released.
    pub amount: i64,
    pub progress: Progress,
}

impl Step {
    /// What a client that asks by this step's reference is told of the charge.
    pub fn status(&self, charge: &Charge) -> (Status, Option<Decline>) {
        match self.progress {
            Progress::Open { .. } => (Status::Pending, None),
            Progress::Done => (charge.status, charge.decline),
            Progress::Failed(decline) => (Status::Declined, Some(decline)),
        }
    }
}

/// The step that made this charge. A second charge under one reference has none of its own.
pub fn own<'a>(steps: &'a HashMap<String, Step>, charge: &Charge, place: usize) -> Option<&'a Step> {
    steps.get(&charge.reference).filter(|step| step.charge == place)
}

impl Gateway {
    /// Remembers an operation; the first one, where several have one reference.
    pub(super) fn remember(&mut self, reference: &str, step: Step) {
        self.steps.entry(reference.to_owned()).or_insert(step);
    }

    /// The operation of this reference, and its charge.
    pub fn step(&self, reference: &str) -> Option<(&Step, &Charge)> {
        let step = self.steps.get(reference)?;
        Some((step, self.charges.get(step.charge)?))
    }

    /// Ends a capture that was accepted and not decided.
    pub(super) fn settle_capture(
        &mut self,
        reference: &str,
        forced: Option<Fate>,
        now: u64,
    ) -> Result<Change, Refusal> {
        let step = self.steps.get_mut(reference).ok_or(Refusal::NOT_FOUND)?;
        let Progress::Open { last, fate } = step.progress else { return Err(Refusal::NOT_PENDING) };
        let charge = self.charges.get_mut(step.charge).ok_or(Refusal::NOT_FOUND)?;
        let capture = NewCapture { reference: reference.to_owned(), amount: step.amount, last };
        let mut books = Books { ledger: &mut self.ledger, charge: step.charge, refund: None, now };
        step.progress = match forced.unwrap_or(fate) {
            Fate::Decline(decline) => Progress::Failed(decline),
            // The charge was cancelled meanwhile.
            Fate::Approve if charge.capture(&capture, &mut books).is_err() => Progress::Failed(CAPTURE_FAILED),
            Fate::Approve => Progress::Done,
        };
        Ok(charge.maker.changed(charge.under(reference, Some(*step)), Cause::Settled))
    }

    /// Takes back what a charge, a capture or a refund of this reference had done: the bank did not pay in the end.
    ///
    /// # Errors
    /// `not_found`; `not_done` where there is nothing to take back, or where it was refunded meanwhile.
    pub fn fail(&mut self, reference: &str, now: u64) -> Result<Change, Refusal> {
        if let Some(place) = self.refund_by_reference.get(reference).copied() {
            return self.fail_refund(place, now);
        }
        let step = self.steps.get_mut(reference).ok_or(Refusal::NOT_FOUND)?;
        if step.kind == Kind::Cancel || step.progress != Progress::Done {
            return Err(Refusal::NOT_DONE);
        }
        let charge = self.charges.get_mut(step.charge).ok_or(Refusal::NOT_FOUND)?;
        // What was only held was not taken by this operation.
        if step.kind == Kind::Charge && !charge.capture_at_once {
            return Err(Refusal::NOT_DONE);
        }
        let mut books = Books { ledger: &mut self.ledger, charge: step.charge, refund: None, now };
        charge.fail_capture(reference, step.amount, &mut books)?;
        step.progress = Progress::Failed(CAPTURE_FAILED);
        Ok(charge.maker.changed(charge.under(reference, Some(*step)), Cause::TakenBack))
    }
}
