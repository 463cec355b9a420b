//! A payment's amounts: what may be asked for, what is reserved while it is under way, and what is booked once it is
//! known. The same bounds stand in the schema, as the CHECK `payments_totals`.
//!
//! What *we ask for* never exceeds what there is. What a *gateway proves* is always booked: beyond what there is, as
//! surplus.

use super::payment::{Decision, Event, State, decide};

/// A payment's state and amounts, in minor units of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Book {
    pub state: State,
    pub amount: i64,
    pub authorized: i64,
    /// Asked for by a capture whose outcome is not known.
    pub capturing: i64,
    pub captured: i64,
    /// Asked for by refunds whose outcome is not known.
    pub refunding: i64,
    pub refunded: i64,
    /// What gateways proved beyond what we asked for.
    pub surplus: i64,
    /// A capture or a cancel is under way, or its outcome is unknown.
    pub settling: bool,
}

/// What the gateway can do, as its connector declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a promise by itself, as in the descriptor")]
pub struct Features {
    pub partial_capture: bool,
    pub multiple_capture: bool,
    pub partial_refund: bool,
    pub cancel: bool,
}

/// Why a capture, cancel or refund is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("a capture or cancel of this payment is under way or unknown")]
    OperationInProgress,
    #[error("it is {}, and only authorized money can be captured", <&str>::from(.state))]
    NotCapturable { state: State },
    #[error("all of it is captured; a cancel closes it")]
    NothingToCapture,
    #[error("it is {}, which cannot be cancelled", <&str>::from(.state))]
    NotCancelable { state: State },
    #[error("the gateway cannot cancel")]
    CancelIsUnsupported,
    #[error("it is {}, and only captured money can be refunded; a final capture or a cancel ends capturing", <&str>::from(.state))]
    NotRefundable { state: State },
    #[error("only {left} is left")]
    AmountIsTooLarge { left: i64 },
    #[error("the gateway captures the whole amount or nothing")]
    PartialCaptureIsUnsupported,
    #[error("the gateway captures once: `final` must be true")]
    MultipleCaptureIsUnsupported,
    #[error("the gateway refunds the whole amount or nothing")]
    PartialRefundIsUnsupported,
}

/// What a capture takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    pub amount: i64,
    /// The rest is released.
    pub is_final: bool,
}

/// What a cancel takes to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// No gateway has heard of it.
    CallOff,
    /// The gateway releases what it holds, or stops waiting for the customer.
    AtGateway,
}

/// What became known. Amounts in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Of the attempt that is under way, or of the last one. `proved`: what the gateway says to have taken.
    Attempt {
        event: Event,
        proved: i64,
    },
    /// A capture, cancel or refund waits: unknown, accepted, or for a person.
    Waits(Event),
    CaptureDone {
        asked: i64,
        proved: i64,
        is_final: bool,
    },
    CaptureRefused {
        asked: i64,
    },
    /// There is nothing to capture any more: the gateway called it off, or let it lapse.
    CaptureTooLate {
        asked: i64,
        event: Event,
    },
    /// `lapsed`: because nobody finished it in time.
    CancelDone {
        lapsed: bool,
    },
    CancelRefused,
    RefundDone {
        asked: i64,
        proved: i64,
    },
    RefundRefused {
        asked: i64,
    },
    /// A capture that had succeeded failed later. What was booked stays until a person has looked.
    CaptureFailedLater,
    /// A capture that was refused, and yet done.
    CaptureDoneLater {
        proved: i64,
        is_final: bool,
    },
    /// A refund that had succeeded failed later.
    RefundFailedLater {
        amount: i64,
    },
    /// A refund that was refused, and yet done.
    RefundDoneLater {
        proved: i64,
    },
    /// Taken by an attempt although another one won or is under way.
    Surplus {
        proved: i64,
    },
    SurplusReturned {
        amount: i64,
    },
    /// An operator's word about the payment in review.
    Resolved(Event),
}

/// What a fact does to a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub book: Book,
    pub event: Event,
    pub decision: Decision,
    /// The gateway takes back what it had said: a person looks, and the merchant is told, whatever the state does.
    pub corrects: bool,
}

impl Book {
    /// What may still be captured.
    #[must_use]
    pub fn capturable(&self) -> i64 {
        self.authorized - self.captured - self.capturing
    }

    /// What may still be refunded.
    #[must_use]
    pub fn refundable(&self) -> i64 {
        self.captured - self.refunded - self.refunding
    }

    /// A capture of `amount`, by default of the rest; `is_final` by default. One that leaves nothing is final whatever it
    /// says: no gateway releases nothing, so no cancel could close what it would leave open.
    pub fn ask_capture(
        &self,
        amount: Option<i64>,
        is_final: Option<bool>,
        features: Features,
    ) -> Result<Capture, Refused> {
        if !matches!(self.state, State::Authorized | State::PartiallyCaptured) {
            return Err(Refused::NotCapturable { state: self.state });
        }
        if self.settling {
            return Err(Refused::OperationInProgress);
        }
        let left = self.capturable();
        if left == 0 {
            return Err(Refused::NothingToCapture);
        }
        let capture = Capture { amount: amount.unwrap_or(left), is_final: is_final.unwrap_or(true) };
        if capture.amount > left {
            return Err(Refused::AmountIsTooLarge { left });
        }
        if !capture.is_final && !features.multiple_capture {
            return Err(Refused::MultipleCaptureIsUnsupported);
        }
        if capture.amount < left && !features.partial_capture {
            return Err(Refused::PartialCaptureIsUnsupported);
        }
        Ok(Capture { is_final: capture.is_final || capture.amount == left, ..capture })
    }

    /// A cancel: where it must be asked for.
    pub fn ask_cancel(&self, features: Features) -> Result<Cancel, Refused> {
        match self.state {
            State::Created => Ok(Cancel::CallOff),
            State::RequiresAction | State::Authorized | State::PartiallyCaptured if self.settling => {
                Err(Refused::OperationInProgress)
            }
            State::RequiresAction | State::Authorized | State::PartiallyCaptured if !features.cancel => {
                Err(Refused::CancelIsUnsupported)
            }
            State::RequiresAction | State::Authorized | State::PartiallyCaptured => Ok(Cancel::AtGateway),
            // Nobody knows yet whether there is something to cancel.
            State::Processing | State::PendingVerification => Err(Refused::OperationInProgress),
            State::Succeeded
            | State::PartiallyRefunded
            | State::Refunded
            | State::Failed
            | State::Cancelled
            | State::Expired
            | State::ManualReview => Err(Refused::NotCancelable { state: self.state }),
        }
    }

    /// A cancel of the host's own, of an authorization that nobody can find out about.
    pub fn ask_call_off(&self, features: Features) -> Result<(), Refused> {
        match self.state {
            State::PendingVerification if self.settling => Err(Refused::OperationInProgress),
            State::PendingVerification if !features.cancel => Err(Refused::CancelIsUnsupported),
            State::PendingVerification => Ok(()),
            state => Err(Refused::NotCancelable { state }),
        }
    }

    /// A refund of `amount`, by default of all that is left.
    pub fn ask_refund(&self, amount: Option<i64>, features: Features) -> Result<i64, Refused> {
        if !matches!(self.state, State::Succeeded | State::PartiallyRefunded) {
            return Err(Refused::NotRefundable { state: self.state });
        }
        let left = self.refundable();
        let amount = amount.unwrap_or(left);
        if amount > left || left == 0 {
            return Err(Refused::AmountIsTooLarge { left });
        }
        if amount < self.captured && !features.partial_refund {
            return Err(Refused::PartialRefundIsUnsupported);
        }
        Ok(amount)
    }

    /// The book while a capture is under way.
    #[must_use]
    pub fn begin_capture(self, capture: Capture) -> Self {
        Self { capturing: self.capturing + capture.amount, settling: true, ..self }
    }

    /// The book while a cancel is under way.
    #[must_use]
    pub fn begin_cancel(self) -> Self {
        Self { settling: true, ..self }
    }

    /// The book while a refund is under way.
    #[must_use]
    pub fn begin_refund(self, amount: i64) -> Self {
        Self { refunding: self.refunding + amount, ..self }
    }

    /// What `fact` does. Total: what a gateway says is booked, however odd it is.
    #[must_use]
    pub fn enter(self, fact: Fact) -> Entry {
        match fact {
            Fact::Attempt { event, proved } => self.of_attempt(event, proved),
            Fact::Waits(event) => {
                let decision = if event == Event::GaveUp { Decision::Review } else { Decision::Stay };
                Entry { book: self, event, decision, corrects: false }
            }
            Fact::CaptureDone { asked, proved, is_final } => {
                let book = self.capture_ends(asked);
                let booked = proved.min(book.capturable()).max(0);
                let event = if proved == asked { captured(is_final) } else { Event::Mismatched };
                Self { captured: book.captured + booked, surplus: book.surplus + (proved - booked), ..book }
                    .moved(event)
            }
            Fact::CaptureRefused { asked } => self.capture_ends(asked).moved(Event::CaptureRefused),
            Fact::CaptureTooLate { asked, event } => self.capture_ends(asked).moved(event),
            Fact::CancelDone { lapsed } => {
                let event = match (self.captured > 0, lapsed) {
                    (true, _) => Event::Released,
                    (false, true) => Event::Lapsed,
                    (false, false) => Event::Cancelled,
                };
                Self { settling: false, ..self }.moved(event)
            }
            Fact::CancelRefused => Self { settling: false, ..self }.moved(Event::CancelRefused),
            Fact::RefundDone { asked, proved } => {
                let book = self.refund_ends(asked);
                let booked = proved.min(book.refundable()).max(0);
                let book = Self { refunded: book.refunded + booked, ..book };
                if proved == asked { book.moved(book.refunded_event()) } else { book.moved(Event::Mismatched) }
            }
            Fact::RefundRefused { asked } => self.refund_ends(asked).moved(Event::RefundRefused),
            Fact::CaptureFailedLater => self.moved(Event::Corrected).correcting(),
            Fact::CaptureDoneLater { proved, is_final } => self.captured_later(proved, is_final),
            Fact::RefundFailedLater { amount } => {
                let book = Self { refunded: (self.refunded - amount).max(0), ..self };
                book.moved(book.refunded_event()).correcting()
            }
            Fact::RefundDoneLater { proved } => {
                let booked = proved.min(self.refundable()).max(0);
                let book = Self { refunded: self.refunded + booked, ..self };
                let event = if booked == proved { book.refunded_event() } else { Event::Corrected };
                book.moved(event).correcting()
            }
            Fact::Surplus { proved } => Self { surplus: self.surplus + proved, ..self }.moved(Event::Surplus),
            Fact::SurplusReturned { amount } => {
                Self { surplus: (self.surplus - amount).max(0), ..self }.moved(Event::SurplusReturned)
            }
            Fact::Resolved(event) => self.resolved(event),
        }
    }

    fn of_attempt(self, event: Event, proved: i64) -> Entry {
        let entry = self.moved(event);
        let book = entry.book;
        let book = match (entry.decision, event) {
            (Decision::Move(State::Authorized), _) => Self { authorized: book.amount, ..book },
            (Decision::Move(State::Succeeded), _) if book.captured == 0 => {
                Self { authorized: book.amount, captured: book.amount, ..book }
            }
            // Taken where nothing was to be taken. Not added: the same is told again and again.
            (Decision::Move(State::ManualReview) | Decision::Review, Event::Captured | Event::Mismatched) => {
                Self { surplus: book.surplus.max(proved - book.captured), ..book }
            }
            (Decision::Move(_) | Decision::Stay | Decision::Review, _) => book,
        };
        Entry { book, ..entry }
    }

    /// Booked where there is room for it and capturing has not ended; else it is more than we asked for.
    fn captured_later(self, proved: i64, is_final: bool) -> Entry {
        let fits = proved <= self.capturable() && matches!(self.state, State::Authorized | State::PartiallyCaptured);
        if fits {
            let event = if self.settling { Event::PartlyCaptured } else { captured(is_final) };
            return Self { captured: self.captured + proved, ..self }.moved(event).correcting();
        }
        Self { surplus: self.surplus + proved, ..self }.moved(Event::Corrected).correcting()
    }

    fn resolved(self, event: Event) -> Entry {
        let entry = self.moved(event);
        let Decision::Move(to) = entry.decision else { return entry };
        let book = Self { capturing: 0, settling: false, ..entry.book };
        let book = match to {
            // What was proved is booked now, and not twice.
            State::Succeeded if book.captured == 0 => Self {
                authorized: book.amount,
                captured: book.amount,
                surplus: (book.surplus - book.amount).max(0),
                ..book
            },
            // What was called off or never happened holds nothing.
            State::Failed | State::Cancelled => Self { authorized: book.captured, ..book },
            _ => book,
        };
        Entry { book, ..entry }
    }

    fn capture_ends(self, asked: i64) -> Self {
        Self { capturing: (self.capturing - asked).max(0), settling: false, ..self }
    }

    fn refund_ends(self, asked: i64) -> Self {
        Self { refunding: (self.refunding - asked).max(0), ..self }
    }

    fn refunded_event(&self) -> Event {
        match self.refunded {
            0 => Event::RefundsUndone,
            refunded if refunded == self.captured => Event::FullyRefunded,
            _ => Event::PartlyRefunded,
        }
    }

    fn moved(self, event: Event) -> Entry {
        let decision = decide(self.state, event);
        let state = match decision {
            Decision::Move(to) => to,
            Decision::Stay | Decision::Review => self.state,
        };
        Entry { book: Self { state, ..self }, event, decision, corrects: false }
    }
}

impl Entry {
    fn correcting(self) -> Self {
        Self { corrects: true, ..self }
    }
}

fn captured(is_final: bool) -> Event {
    if is_final { Event::FullyCaptured } else { Event::PartlyCaptured }
}

#[cfg(test)]
mod tests;
