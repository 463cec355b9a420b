//! The gateway itself: charges, refunds, idempotency keys and books, all in memory, none of it waiting for anything.
//!
//! A call is one function from state to state ([`Gateway::perform`]). What has to happen elsewhere because of it (a
//! webhook, a timer) is handed back as [`Effects`]; sockets, faults and clocks live outside.

mod acts;
pub mod answer;
pub mod ask;
pub mod charges;
mod ids;
pub mod ledger;
pub mod methods;
pub mod refunds;
pub mod settle;
pub mod settlement;
pub mod steps;

use std::collections::HashMap;

use axum::http::StatusCode;
use bytes::Bytes;

use answer::{Answer, Refusal, charge_body, refund_body};
use ask::{Ask, Method, NewCharge};
use charges::{Charge, Decline, Fate, Status};
use ids::Ids;
use ledger::Ledger;
use refunds::Refund;
use steps::Step;

/// How the gateway treats its clients.
#[derive(Clone, Copy)]
pub struct Modes {
    /// Does it know the header `Idempotency-Key`?
    pub idempotency: bool,
    /// Does it find things by reference? Where not, every such question gets a 404 that proves nothing.
    pub lookup: bool,
    /// How long something pending stays pending, in milliseconds.
    pub settle_ms: u64,
}

/// A call and who makes it.
pub struct Call {
    pub ask: Ask,
    /// The idempotency key of a POST.
    pub key: Option<String>,
    /// Hash of method, path and body: what a key is bound to.
    pub fingerprint: u64,
    /// Hash of the API key.
    pub owner: u64,
}

/// What a fault does to the outcome itself, rather than to the answer's way back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Twist {
    None,
    /// Declined.
    Decline(Decline),
    /// Declined now, approved after so many milliseconds. A cancel: cancelled now, and paid nevertheless.
    LateSuccess {
        after_ms: u64,
    },
    /// Pending now, and ended so after so many milliseconds.
    Pending {
        after_ms: u64,
        fate: Fate,
    },
    /// Done, and taken back after so many milliseconds.
    FailsLater {
        after_ms: u64,
    },
}

/// What a call leads to.
pub struct Effects {
    pub answer: Answer,
    pub change: Option<Change>,
    pub timer: Option<Timer>,
}

/// Something that a webhook tells.
pub struct Change {
    /// `charge.updated` or `refund.updated`
    pub kind: &'static str,
    /// The charge or refund, as JSON.
    pub object: Bytes,
    /// Who made the charge.
    pub owner: u64,
    /// The object is new and its creator is being told anyway.
    pub created: bool,
}

/// Something that happens by itself.
pub struct Timer {
    /// Id of the charge or refund, or the reference of an operation.
    pub subject: String,
    pub after_ms: u64,
    pub turn: Turn,
}

/// What happens then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// What is open ends as it was bound to.
    Settle,
    /// What was done is taken back.
    Fail,
}

/// The first answer to an idempotency key.
struct Kept {
    fingerprint: u64,
    answer: Answer,
}

/// See the module's documentation.
pub struct Gateway {
    pub modes: Modes,
    /// Where its pages for customers are: `http://127.0.0.1:1234`.
    pages: String,
    charges: Vec<Charge>,
    charge_ids: Ids,
    refunds: Vec<Refund>,
    refund_ids: Ids,
    /// What the operation of a reference did to a charge; the first one, where there are several.
    steps: HashMap<String, Step>,
    refund_by_reference: HashMap<String, usize>,
    kept: HashMap<String, Kept>,
    ledger: Ledger,
}

impl Gateway {
    pub fn new(modes: Modes, pages: String, tag: u32) -> Self {
        Self {
            modes,
            pages,
            charges: Vec::new(),
            charge_ids: Ids::new("ch", tag),
            refunds: Vec::new(),
            refund_ids: Ids::new("re", tag),
            steps: HashMap::new(),
            refund_by_reference: HashMap::new(),
            kept: HashMap::new(),
            ledger: Ledger::default(),
        }
    }

    /// Forgets all money. Ids go on counting, so that nothing old is taken for something new.
    pub fn reset(&mut self) {
        self.charges.clear();
        self.charge_ids.reset();
        self.refunds.clear();
        self.refund_ids.reset();
        self.steps.clear();
        self.refund_by_reference.clear();
        self.kept.clear();
        self.ledger = Ledger::default();
    }

    /// Does what is asked, or answers as it did the first time.
    pub fn perform(&mut self, call: &Call, twist: Twist, now: u64) -> Effects {
        let key = call.key.as_ref().filter(|_| self.modes.idempotency);
        if let Some(kept) = key.and_then(|key| self.kept.get(key)) {
            return if kept.fingerprint == call.fingerprint {
                let mut answer = kept.answer.clone();
                if answer.status == StatusCode::CREATED {
                    answer.status = StatusCode::OK;
                }
                Effects::only(answer)
            } else {
                Effects::only(Refusal::KEY_REUSED.answer())
            };
        }
        let effects = self.act(call, twist, now).unwrap_or_else(|refusal| Effects::only(refusal.answer()));
        if let Some(key) = key.cloned() {
            self.kept.insert(key, Kept { fingerprint: call.fingerprint, answer: effects.answer.clone() });
        }
        effects
    }

    /// The amount of the charge that a call is about, where the call names none itself.
    pub fn amount_of(&self, ask: &Ask) -> Option<i64> {
        let place = match ask {
            Ask::ChargeByReference(reference) => self.steps.get(reference).map(|step| step.charge),
            Ask::RefundByReference(reference) => {
                return self.refund_by_reference.get(reference).and_then(|n| self.refunds.get(*n)).map(|r| r.amount);
            }
            _ => ask.charge().and_then(|id| self.charge_ids.place(id)),
        };
        place.and_then(|place| self.charges.get(place)).map(|charge| charge.amount)
    }

    /// A charge by its id.
    pub fn charge(&self, id: &str) -> Option<&Charge> {
        self.charges.get(self.charge_ids.place(id)?)
    }

    fn act(&mut self, call: &Call, twist: Twist, now: u64) -> Result<Effects, Refusal> {
        match &call.ask {
            Ask::Create(new) => Ok(self.create(new, call.owner, twist, now)),
            Ask::Capture { charge, capture } => self.capture(charge, capture, twist, now),
            Ask::Cancel { charge, reference } => self.cancel(charge, reference, twist, now),
            Ask::Refund { charge, refund } => self.refund(charge, refund, twist, now),
            Ask::Charge(id) => {
                let place = self.charge_ids.place(id).ok_or(Refusal::NOT_FOUND)?;
                let charge = self.charges.get(place).ok_or(Refusal::NOT_FOUND)?;
                let body = charge_body(charge, &charge.reference, steps::own(&self.steps, charge, place));
                Ok(Effects::only(Answer { status: StatusCode::OK, body }))
            }
            Ask::ChargeByReference(reference) => {
                let found = self.step(reference).filter(|_| self.modes.lookup);
                let (step, charge) = found.ok_or(Refusal::NOT_FOUND)?;
                let body = charge_body(charge, reference, Some(step));
                Ok(Effects::only(Answer { status: StatusCode::OK, body }))
            }
            Ask::RefundByReference(reference) => {
                let place = self.refund_by_reference.get(reference).filter(|_| self.modes.lookup);
                let refund = place.and_then(|place| self.refunds.get(*place)).ok_or(Refusal::NOT_FOUND)?;
                let charge = self.charges.get(refund.charge).ok_or(Refusal::NOT_FOUND)?;
                Ok(Effects::only(Answer { status: StatusCode::OK, body: refund_body(refund, charge) }))
            }
        }
    }
}

impl Charge {
    fn new(id: String, new: &NewCharge, owner: u64) -> Self {
        Self {
            id,
            reference: new.reference.clone(),
            amount: new.amount,
            currency: new.currency.clone(),
            capture_at_once: new.capture,
            status: Status::Pending,
            held: 0,
            captured: 0,
            refunded: 0,
            refunding: 0,
            decline: None,
            action: None,
            fate: None,
            return_url: new.return_url.clone(),
            card_last4: match &new.method {
                Method::Card(card) => Some(card.last4()),
                Method::Upi { .. } | Method::Wallet { .. } | Method::Token { .. } => None,
            },
            owner,
        }
    }
}

impl Effects {
    /// An answer, and nothing else has happened.
    fn only(answer: Answer) -> Self {
        Self { answer, change: None, timer: None }
    }
}
