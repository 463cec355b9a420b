//! What a payment should do by the pure core alone: the book, and the rules of a confirm. No clock, no gateway, no store.

use interlock::domain::{
    book::{Book, Cancel, Fact, Features, Refused},
    payment::{Event, State},
};
use interlock_tests::harness::bodies;
use serde_json::{Value, json};

/// What the mock connector declares.
const FEATURES: Features =
    Features { partial_capture: true, multiple_capture: true, partial_refund: true, cancel: true };

/// A card, and what the simulator makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    Good,
    /// Declined, with the advice never to try it again.
    Refused,
    /// Declined, with another advice.
    Poor,
}

/// A merchant's request about the payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Confirm { card: Option<Card> },
    Capture { amount: Option<i64>, is_final: Option<bool> },
    Cancel,
    Refund { amount: Option<i64> },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The payment, because something happened: the answer is kept under its key.
    Payment,
    /// The payment as it is: nothing happened, and these bytes are kept under the key all the same.
    Unchanged,
    /// A refund of this much; kept.
    Refund(i64),
    /// A problem, which is not kept.
    Problem(u16, &'static str),
}

/// The payment as it should be.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    pub book: Book,
    pub attempts: i64,
    manual: bool,
    card: Option<Card>,
}

impl Card {
    /// As a payment method.
    pub fn method(self) -> Value {
        bodies::card(match self {
            Self::Good => bodies::GOOD,
            Self::Refused => bodies::DECLINES,
            Self::Poor => bodies::POOR,
        })
    }
}

impl Request {
    /// Where it goes, below the payment's path.
    pub fn path(&self) -> &'static str {
        match self {
            Self::Confirm { .. } => "confirm",
            Self::Capture { .. } => "capture",
            Self::Cancel => "cancel",
            Self::Refund { .. } => "refunds",
        }
    }

    /// What it carries.
    pub fn body(&self) -> Value {
        let members = match self {
            Self::Confirm { card } => vec![("payment_method", card.map(Card::method))],
            Self::Capture { amount, is_final } => {
                vec![("amount", amount.map(Value::from)), ("final", is_final.map(Value::from))]
            }
            Self::Cancel => Vec::new(),
            Self::Refund { amount } => vec![("amount", amount.map(Value::from))],
        };
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

impl Core {
    /// A payment that was created, and nothing more.
    pub fn new(amount: i64, manual: bool) -> Self {
        let book = Book {
            state: State::Created,
            amount,
            authorized: 0,
            capturing: 0,
            captured: 0,
            refunding: 0,
            refunded: 0,
            surplus: 0,
            settling: false,
        };
        Self { book, attempts: 0, manual, card: None }
    }

    /// What a request does, and what is answered.
    pub fn asked(&mut self, request: &Request) -> Expected {
        match request {
            Request::Confirm { card } => self.confirm(*card),
            Request::Capture { amount, is_final } => match self.book.ask_capture(*amount, *is_final, FEATURES) {
                Ok(capture) => {
                    let (asked, is_final) = (capture.amount, capture.is_final);
                    self.book = self.book.begin_capture(capture);
                    self.enter(Fact::CaptureDone { asked, proved: asked, is_final });
                    Expected::Payment
                }
                Err(refused) => problem(refused),
            },
            Request::Cancel => match self.book.ask_cancel(FEATURES) {
                Ok(cancel) => {
                    if cancel == Cancel::AtGateway {
                        self.book = self.book.begin_cancel();
                    }
                    self.enter(Fact::CancelDone { lapsed: false });
                    Expected::Payment
                }
                Err(refused) => problem(refused),
            },
            Request::Refund { amount } => match self.book.ask_refund(*amount, FEATURES) {
                Ok(asked) => {
                    self.book = self.book.begin_refund(asked);
                    self.enter(Fact::RefundDone { asked, proved: asked });
                    Expected::Refund(asked)
                }
                Err(refused) => problem(refused),
            },
        }
    }

    /// A new attempt where the state allows it. The rules are those of "Confirm … by state".
    fn confirm(&mut self, brought: Option<Card>) -> Expected {
        match self.book.state {
            State::Created => {}
            State::Failed if brought.is_some() || self.card != Some(Card::Refused) => {}
            State::Authorized
            | State::PartiallyCaptured
            | State::Succeeded
            | State::PartiallyRefunded
            | State::Refunded => return Expected::Unchanged,
            _ => return Expected::Problem(409, "payment_not_confirmable"),
        }
        let Some(card) = brought.or(self.card) else { return Expected::Problem(422, "invalid_request") };
        self.card = Some(card);
        self.attempts += 1;
        self.enter(Fact::Attempt { event: Event::Submitted, proved: 0 });
        let (event, proved) = match (card, self.manual) {
            (Card::Good, false) => (Event::Captured, self.book.amount),
            (Card::Good, true) => (Event::Authorized, 0),
            (Card::Refused | Card::Poor, _) => (Event::Declined, 0),
        };
        self.enter(Fact::Attempt { event, proved });
        Expected::Payment
    }

    fn enter(&mut self, fact: Fact) {
        self.book = self.book.enter(fact).book;
    }

    /// The members of the payment object that the core determines.
    pub fn shown(&self) -> Value {
        let book = &self.book;
        let capturable = matches!(book.state, State::Authorized | State::PartiallyCaptured);
        json!({
            "status": <&str>::from(book.state),
            "amount": book.amount,
            "amount_capturable": if capturable { book.capturable() } else { 0 },
            "amount_captured": book.captured,
            "amount_refunded": book.refunded,
            "attempt_count": self.attempts,
        })
    }
}

/// As the API says it.
fn problem(refused: Refused) -> Expected {
    match refused {
        Refused::OperationInProgress => Expected::Problem(409, "operation_in_progress"),
        Refused::NotCapturable { .. } | Refused::NothingToCapture => Expected::Problem(409, "payment_not_capturable"),
        Refused::NotCancelable { .. } | Refused::CancelIsUnsupported => {
            Expected::Problem(409, "payment_not_cancelable")
        }
        Refused::NotRefundable { .. } => Expected::Problem(409, "payment_not_refundable"),
        Refused::AmountIsTooLarge { .. } => Expected::Problem(422, "amount_too_large"),
        Refused::PartialCaptureIsUnsupported
        | Refused::PartialRefundIsUnsupported
        | Refused::MultipleCaptureIsUnsupported => Expected::Problem(422, "invalid_request"),
    }
}
