//! A charge and what may be done with it. Every step that moves money writes to the ledger.

use serde::Serialize;

use super::ask::NewCapture;
use super::ledger::{Kind, Ledger, Movement};
use super::refusal::Refusal;
use super::steps::{CAPTURE_FAILED, Step};
use super::{Maker, Subject};

/// What was last said of a charge. The amounts say the rest: a charge of which a part was captured and the remainder
/// cancelled is `cancelled` with `captured` above zero.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Authorized,
    Captured,
    Pending,
    RequiresAction,
    Declined,
    Cancelled,
}

/// Why a charge or a refund was declined.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decline {
    pub code: &'static str,
    pub message: &'static str,
    /// What the card network said (ISO 8583, field 39), where it was asked. Beyond the protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_code: Option<&'static str>,
}

/// What the customer has to do.
#[derive(Serialize, Clone)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    Redirect { url: String },
    OpenApp { url: String },
}

/// How something that is not decided yet will end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Approve,
    Decline(Decline),
}

/// One charge. Amounts in minor units.
pub struct Charge {
    pub id: String,
    pub reference: String,
    pub amount: i64,
    pub currency: String,
    /// Take the money as soon as it is approved.
    pub capture_at_once: bool,
    pub status: Status,
    /// Reserved at the customer's bank and not taken yet.
    pub held: i64,
    pub captured: i64,
    pub refunded: i64,
    /// In refunds that are accepted and not decided.
    pub refunding: i64,
    pub decline: Option<Decline>,
    pub action: Option<Action>,
    /// Set while something is still to come: the end of a pending charge, the success after a decline or a cancel.
    pub fate: Option<Fate>,
    pub return_url: Option<String>,
    pub card_last4: Option<String>,
    /// Who made it, and by which face.
    pub maker: Maker,
}

/// Where a charge's movements are written, and when.
pub struct Books<'a> {
    pub ledger: &'a mut Ledger,
    /// The charge's place in the gateway's list.
    pub charge: usize,
    /// The place of the refund that moves money, where one does.
    pub refund: Option<usize>,
    /// Unix time in seconds.
    pub now: u64,
}

impl Books<'_> {
    fn write(&mut self, kind: Kind, reference: &str, amount: i64) {
        self.ledger.write(Movement {
            charge: self.charge,
            refund: self.refund,
            reference: reference.to_owned(),
            kind,
            amount,
            at: self.now,
        });
    }
}

impl Charge {
    /// The bank said yes: the amount is held, and taken where that was asked for.
    pub fn approve(&mut self, books: &mut Books) {
        books.write(Kind::Authorize, &self.reference, self.amount);
        self.held = self.amount;
        self.status = Status::Authorized;
        self.decline = None;
        self.fate = None;
        if self.capture_at_once {
            books.write(Kind::Capture, &self.reference, self.amount);
            self.held = 0;
            self.captured = self.amount;
            self.status = Status::Captured;
        }
    }

    /// The bank said no.
    pub fn decline(&mut self, decline: Decline) {
        self.status = Status::Declined;
        self.decline = Some(decline);
        self.fate = None;
    }

    /// The bank said no, and may still say yes when somebody settles it.
    pub fn decline_for_now(&mut self, decline: Decline) {
        self.decline(decline);
        self.fate = Some(Fate::Approve);
    }

    /// Ends what was still open. `forced` overrides what the method would have decided.
    ///
    /// # Errors
    /// `not_pending` where nothing was open.
    pub fn settle(&mut self, forced: Option<Fate>, books: &mut Books) -> Result<(), Refusal> {
        let open = matches!(self.status, Status::Pending | Status::RequiresAction);
        let late = matches!(self.status, Status::Declined | Status::Cancelled) && self.fate.is_some();
        if !open && !late {
            return Err(Refusal::NOT_PENDING);
        }
        match forced.or(self.fate).unwrap_or(Fate::Approve) {
            Fate::Approve => self.approve(books),
            Fate::Decline(decline) => self.decline(decline),
        }
        Ok(())
    }

    /// Whether so much is held.
    ///
    /// # Errors
    /// `not_capturable` where nothing is held, `amount_too_large` where less is.
    pub fn may_capture(&self, capture: &NewCapture) -> Result<(), Refusal> {
        if self.held == 0 {
            return Err(Refusal::bad_request("not_capturable", "nothing is held under this charge"));
        }
        if capture.amount > self.held {
            return Err(Refusal::bad_request("amount_too_large", "that is more than is held"));
        }
        Ok(())
    }

    /// Takes some or all of what is held; a final capture gives the rest back.
    ///
    /// # Errors
    /// As [`Charge::may_capture`].
    pub fn capture(&mut self, capture: &NewCapture, books: &mut Books) -> Result<(), Refusal> {
        self.may_capture(capture)?;
        books.write(Kind::Capture, &capture.reference, capture.amount);
        self.held -= capture.amount;
        self.captured += capture.amount;
        self.status = Status::Captured;
        if capture.last {
            self.release(&capture.reference, books);
        }
        Ok(())
    }

    /// Gives back what is held, or calls off what is not decided.
    ///
    /// # Errors
    /// `not_cancellable` where everything was taken, declined or cancelled before.
    pub fn cancel(&mut self, reference: &str, books: &mut Books) -> Result<(), Refusal> {
        if self.held == 0 && !matches!(self.status, Status::Pending | Status::RequiresAction) {
            return Err(Refusal::bad_request("not_cancellable", "nothing is held or open under this charge"));
        }
        self.release(reference, books);
        self.status = Status::Cancelled;
        self.fate = None;
        Ok(())
    }

    /// This charge, changed by the operation of `reference`.
    pub fn under(&self, reference: &str, step: Option<Step>) -> Subject {
        Subject::Charge { id: self.id.clone(), reference: reference.to_owned(), step }
    }

    /// What may still be refunded.
    pub fn refundable(&self) -> i64 {
        self.captured - self.refunded - self.refunding
    }

    /// Gives `amount` of what was taken back to the customer.
    pub fn refund(&mut self, reference: &str, amount: i64, books: &mut Books) {
        books.write(Kind::Refund, reference, amount);
        self.refunded += amount;
    }

    /// Takes a capture back: the money never came. Nothing is held again.
    ///
    /// # Errors
    /// `not_done` where so much was not captured, or where it was refunded.
    pub fn fail_capture(&mut self, reference: &str, amount: i64, books: &mut Books) -> Result<(), Refusal> {
        if amount == 0 || amount > self.refundable() {
            return Err(Refusal::NOT_DONE);
        }
        books.write(Kind::CaptureFailed, reference, amount);
        self.captured -= amount;
        if self.captured == 0 && self.held == 0 {
            self.decline(CAPTURE_FAILED);
        }
        Ok(())
    }

    /// Takes a refund back: the customer's bank did not want it.
    pub fn fail_refund(&mut self, reference: &str, amount: i64, books: &mut Books) {
        books.write(Kind::RefundFailed, reference, amount);
        self.refunded -= amount;
    }

    fn release(&mut self, reference: &str, books: &mut Books) {
        if self.held > 0 {
            books.write(Kind::Release, reference, self.held);
            self.held = 0;
        }
    }
}
