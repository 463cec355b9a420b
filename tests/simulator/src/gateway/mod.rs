//! The gateway itself: charges, refunds, idempotency keys and books, all in memory, none of it waiting for anything.
//!
//! A call is one function from state to state ([`Gateway::perform`]). What has to happen elsewhere because of it (a
//! webhook, a timer) is handed back as [`Effects`]; sockets, faults and clocks live outside.

pub mod answer;
pub mod ask;
pub mod charges;
mod ids;
pub mod ledger;
mod methods;
pub mod refunds;
pub mod settle;
pub mod settlement;

use std::collections::HashMap;

use axum::http::StatusCode;
use bytes::Bytes;

use answer::{Answer, Refusal, charge_body, refund_body};
use ask::{Ask, Method, NewCharge, NewRefund};
use charges::{Books, Charge, Fate, Status};
use ids::Ids;
use ledger::Ledger;
use methods::Verdict;
use refunds::Refund;

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
    /// Declined now, approved after so many milliseconds.
    LateSuccess {
        after_ms: u64,
    },
    /// Pending now, approved after so many milliseconds.
    Pending {
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

/// Something that ends by itself.
pub struct Timer {
    /// Id of the charge or refund.
    pub subject: String,
    pub after_ms: u64,
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
    /// The charge that an operation of this reference made or changed; the first one, where there are several.
    charge_by_reference: HashMap<String, usize>,
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
            charge_by_reference: HashMap::new(),
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
        self.charge_by_reference.clear();
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
            Ask::ChargeByReference(reference) => self.charge_by_reference.get(reference).copied(),
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
            Ask::Capture { charge, capture } => {
                self.change(charge, &capture.reference, now, |charge, books| charge.capture(capture, books))
            }
            Ask::Cancel { charge, reference } => {
                self.change(charge, reference, now, |charge, books| charge.cancel(reference, books))
            }
            Ask::Refund { charge, refund } => self.refund(charge, refund, twist, now),
            Ask::Charge(id) => {
                let charge = self.charge(id).ok_or(Refusal::NOT_FOUND)?;
                Ok(Effects::only(Answer { status: StatusCode::OK, body: charge_body(charge, &charge.reference) }))
            }
            Ask::ChargeByReference(reference) => {
                let place = self.charge_by_reference.get(reference).filter(|_| self.modes.lookup);
                let charge = place.and_then(|place| self.charges.get(*place)).ok_or(Refusal::NOT_FOUND)?;
                Ok(Effects::only(Answer { status: StatusCode::OK, body: charge_body(charge, reference) }))
            }
            Ask::RefundByReference(reference) => {
                let place = self.refund_by_reference.get(reference).filter(|_| self.modes.lookup);
                let refund = place.and_then(|place| self.refunds.get(*place)).ok_or(Refusal::NOT_FOUND)?;
                let charge = self.charges.get(refund.charge).ok_or(Refusal::NOT_FOUND)?;
                Ok(Effects::only(Answer { status: StatusCode::OK, body: refund_body(refund, charge) }))
            }
        }
    }

    fn create(&mut self, new: &NewCharge, owner: u64, twist: Twist, now: u64) -> Effects {
        let id = self.charge_ids.make();
        let place = self.charges.len();
        let verdict = new.method.verdict(&id, &self.pages, now);
        let mut charge = Charge::new(id, new, owner);
        let mut books = Books { ledger: &mut self.ledger, charge: place, refund: None, now };
        let mut after_ms = None;
        match (verdict, twist) {
            (Verdict::Approve, Twist::LateSuccess { after_ms: late }) => {
                charge.decline_for_now();
                after_ms = Some(late);
            }
            (Verdict::Approve, Twist::Pending { after_ms: wait }) => {
                charge.fate = Some(Fate::Approve);
                after_ms = Some(wait);
            }
            (Verdict::Approve, Twist::None) => charge.approve(&mut books),
            (Verdict::Decline(decline), _) => charge.decline(decline),
            (Verdict::Pending(fate), _) => {
                charge.fate = Some(fate);
                after_ms = Some(self.modes.settle_ms);
            }
            (Verdict::Act(action), _) => {
                charge.status = Status::RequiresAction;
                charge.action = Some(action);
            }
        }
        let status = if charge.status == Status::Declined { StatusCode::PAYMENT_REQUIRED } else { StatusCode::CREATED };
        let body = charge_body(&charge, &charge.reference);
        let effects = Effects {
            change: Some(Change { kind: "charge.updated", object: body.clone(), owner, created: true }),
            timer: after_ms.map(|after_ms| Timer { subject: charge.id.clone(), after_ms }),
            answer: Answer { status, body },
        };
        self.charge_by_reference.entry(charge.reference.clone()).or_insert(place);
        self.charges.push(charge);
        effects
    }

    /// A capture or a cancel: changes the charge and remembers under which reference.
    fn change(
        &mut self,
        id: &str,
        reference: &str,
        now: u64,
        step: impl FnOnce(&mut Charge, &mut Books) -> Result<(), Refusal>,
    ) -> Result<Effects, Refusal> {
        let place = self.charge_ids.place(id).ok_or(Refusal::NOT_FOUND)?;
        let charge = self.charges.get_mut(place).ok_or(Refusal::NOT_FOUND)?;
        step(charge, &mut Books { ledger: &mut self.ledger, charge: place, refund: None, now })?;
        self.charge_by_reference.entry(reference.to_owned()).or_insert(place);
        let body = charge_body(charge, reference);
        Ok(Effects {
            change: Some(Change { kind: "charge.updated", object: body.clone(), owner: charge.owner, created: false }),
            timer: None,
            answer: Answer { status: StatusCode::OK, body },
        })
    }

    fn refund(&mut self, id: &str, new: &NewRefund, twist: Twist, now: u64) -> Result<Effects, Refusal> {
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
            late: false,
        };
        charge.refunding += new.amount;
        let mut books = Books { ledger: &mut self.ledger, charge: place, refund: Some(refund_place), now };
        let (status, after_ms) = match twist {
            Twist::None => {
                refund.settle(Fate::Approve, charge, &mut books)?;
                (StatusCode::CREATED, None)
            }
            Twist::Pending { after_ms } => (StatusCode::CREATED, Some(after_ms)),
            Twist::LateSuccess { after_ms } => {
                refund.settle(Fate::Decline(methods::DO_NOT_HONOR), charge, &mut books)?;
                refund.late = true;
                (StatusCode::PAYMENT_REQUIRED, Some(after_ms))
            }
        };
        let body = refund_body(&refund, charge);
        let effects = Effects {
            change: Some(Change { kind: "refund.updated", object: body.clone(), owner: charge.owner, created: false }),
            timer: after_ms.map(|after_ms| Timer { subject: refund.id.clone(), after_ms }),
            answer: Answer { status, body },
        };
        self.refund_by_reference.entry(new.reference.clone()).or_insert(refund_place);
        self.refunds.push(refund);
        Ok(effects)
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
