//! The gateway itself: charges, refunds and books, all in memory, none of it waiting for anything.
//!
//! It knows money and no protocol: faces read requests, ask it for a deed and put what it did into words. What a deed
//! leads to elsewhere (a webhook, a timer) is handed back as [`Done`]; sockets, faults and clocks live outside.

mod acts;
pub mod ask;
pub mod charges;
mod ids;
pub mod ledger;
pub mod methods;
pub mod refunds;
pub mod refusal;
pub mod settle;
pub mod settlement;
pub mod steps;

use std::collections::HashMap;

use ask::{Method, NewCharge};
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

/// Who makes a charge, and through which face.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Maker {
    /// The name of the face.
    pub face: &'static str,
    /// Hash of the API key.
    pub owner: u64,
}

impl Maker {
    /// Something of this maker's that has changed.
    pub fn changed(self, subject: Subject, cause: Cause) -> Change {
        Change { maker: self, subject, cause }
    }
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

impl Twist {
    /// The same for a gateway that answers first and decides later: what would be decided now is pending for so many
    /// milliseconds.
    #[must_use]
    pub fn later(self, after_ms: u64) -> Self {
        match self {
            Self::None => Self::Pending { after_ms, fate: Fate::Approve },
            Self::Decline(decline) => Self::Pending { after_ms, fate: Fate::Decline(decline) },
            other @ (Self::LateSuccess { .. } | Self::Pending { .. } | Self::FailsLater { .. }) => other,
        }
    }
}

/// What a deed leads to.
pub struct Done {
    pub change: Change,
    pub timer: Option<Timer>,
}

/// Something that a webhook may tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Whose it is.
    pub maker: Maker,
    pub subject: Subject,
    pub cause: Cause,
}

/// What has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A charge.
    Charge {
        id: String,
        /// Of the operation that made or changed it.
        reference: String,
        /// That operation; nothing where its reference stands for another one.
        step: Option<Step>,
    },
    /// A refund.
    Refund { id: String },
    /// Something that only its face knows, by the face's own name for it.
    Own(String),
}

/// Why it has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A client asked for it, and is being told by the answer.
    Asked,
    /// What was open has ended.
    Settled,
    /// What was done is undone: the bank did not pay in the end.
    TakenBack,
}

impl Change {
    /// A charge that was not there before.
    pub fn is_new_charge(&self) -> bool {
        let new = match &self.subject {
            Subject::Charge { step, .. } => step.is_none_or(|step| step.kind == steps::Kind::Charge),
            Subject::Refund { .. } | Subject::Own(_) => false,
        };
        new && self.cause == Cause::Asked
    }
}

/// Something that happens by itself.
pub struct Timer {
    /// Id of the charge or refund, the reference of an operation, or what a face calls it.
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
    /// The face of this name is woken.
    Wake(&'static str),
}

/// See the module's documentation.
pub struct Gateway {
    pub modes: Modes,
    /// Where the mock's pages for customers are: `http://127.0.0.1:1234`.
    pages: String,
    charges: Vec<Charge>,
    charge_ids: Ids,
    refunds: Vec<Refund>,
    refund_ids: Ids,
    /// What the operation of a reference did to a charge; the first one, where there are several.
    steps: HashMap<String, Step>,
    refund_by_reference: HashMap<String, usize>,
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
        self.ledger = Ledger::default();
    }

    /// A charge by its id.
    pub fn charge(&self, id: &str) -> Option<&Charge> {
        self.charges.get(self.charge_ids.place(id)?)
    }

    /// Whether what a client asked for was declined.
    pub fn declined(&self, change: &Change) -> bool {
        match &change.subject {
            Subject::Charge { id, step, .. } => self
                .charge(id)
                .is_some_and(|charge| step.map_or(charge.status, |step| step.status(charge).0) == Status::Declined),
            Subject::Refund { id } => {
                self.refund_of(id).is_some_and(|(refund, _)| refund.status == refunds::Status::Declined)
            }
            Subject::Own(_) => false,
        }
    }

    /// The operation that made this charge, where no other one has its reference.
    pub fn own_step(&self, charge: &Charge) -> Option<&Step> {
        steps::own(&self.steps, charge, self.charge_ids.place(&charge.id)?)
    }

    /// The operations on this charge: their references, and what each did. In no order.
    pub fn steps_of(&self, id: &str) -> impl Iterator<Item = (&str, &Step)> {
        let place = self.charge_ids.place(id);
        self.steps.iter().filter(move |(_, step)| Some(step.charge) == place).map(|(name, step)| (name.as_str(), step))
    }

    /// A refund by its id, and its charge.
    pub fn refund_of(&self, id: &str) -> Option<(&Refund, &Charge)> {
        let refund = self.refunds.get(self.refund_ids.place(id)?)?;
        Some((refund, self.charges.get(refund.charge)?))
    }

    /// The refund of this reference, the first one where there are several, and its charge.
    pub fn refund_by_reference(&self, reference: &str) -> Option<(&Refund, &Charge)> {
        let refund = self.refunds.get(*self.refund_by_reference.get(reference)?)?;
        Some((refund, self.charges.get(refund.charge)?))
    }

    /// The refunds of this charge, oldest first.
    pub fn refunds_of(&self, id: &str) -> impl Iterator<Item = &Refund> {
        let place = self.charge_ids.place(id);
        self.refunds.iter().filter(move |refund| Some(refund.charge) == place)
    }
}

impl Charge {
    fn new(id: String, new: &NewCharge, maker: Maker) -> Self {
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
            maker,
        }
    }
}
