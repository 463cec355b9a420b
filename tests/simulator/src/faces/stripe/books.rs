//! What Stripe knows beside the money: payment intents, and which operation did what to them.

use std::collections::{BTreeMap, HashMap};

use super::cards::Paying;
use crate::faces::kept::Kept;
use crate::gateway::charges::{Charge, Status as ChargeStatus};
use crate::gateway::steps::Progress;
use crate::gateway::{Gateway, Maker};

/// In the metadata of our host: the operation that made the payment, or the refund.
pub const OPERATION: &str = "interlock_operation";

/// A payment intent. Amounts are the charge's; this one is in ISO 4217's minor unit.
pub struct Intent {
    pub id: String,
    pub maker: Maker,
    /// Unix time in seconds.
    pub created: u64,
    pub amount: i64,
    /// In capitals.
    pub currency: String,
    /// Only held at first.
    pub manual: bool,
    /// Whether it can be captured several times.
    pub multicapture: bool,
    pub challenge_all: bool,
    pub metadata: BTreeMap<String, String>,
    /// The metadata of its captures, oldest first, by the capture's name in the ledger.
    pub captures: Vec<(String, BTreeMap<String, String>)>,
    pub description: Option<String>,
    pub customer: Option<String>,
    pub return_url: Option<String>,
    pub paying: Option<Paying>,
    /// The charge that its last confirmation made.
    pub charge: Option<String>,
    pub canceled_at: Option<u64>,
    pub cancellation_reason: Option<String>,
}

/// A payment intent's status, as Stripe names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

impl Intent {
    /// Its charge, where it was ever confirmed.
    pub fn charge<'a>(&self, gateway: &'a Gateway) -> Option<&'a Charge> {
        gateway.charge(self.charge.as_deref()?)
    }

    /// What the money says.
    pub fn status(&self, gateway: &Gateway) -> Status {
        let Some(charge) = self.charge(gateway) else {
            return match (&self.paying, self.canceled_at) {
                (_, Some(_)) => Status::Canceled,
                (None, None) => Status::RequiresPaymentMethod,
                (Some(_), None) => Status::RequiresConfirmation,
            };
        };
        let open = gateway.steps_of(&charge.id).any(|(_, step)| matches!(step.progress, Progress::Open { .. }));
        match charge.status {
            _ if open => Status::Processing,
            ChargeStatus::Pending => Status::Processing,
            ChargeStatus::RequiresAction => Status::RequiresAction,
            ChargeStatus::Declined if self.canceled_at.is_some() => Status::Canceled,
            ChargeStatus::Declined => Status::RequiresPaymentMethod,
            ChargeStatus::Cancelled if charge.captured == 0 => Status::Canceled,
            ChargeStatus::Authorized | ChargeStatus::Captured if charge.held > 0 => Status::RequiresCapture,
            ChargeStatus::Authorized | ChargeStatus::Captured | ChargeStatus::Cancelled => Status::Succeeded,
        }
    }

    /// Its metadata with that of its captures; a capture that failed has left none.
    pub fn metadata(&self, gateway: &Gateway) -> BTreeMap<String, String> {
        let mut all = self.metadata.clone();
        for (name, metadata) in &self.captures {
            let failed = gateway.step(name).is_some_and(|(step, _)| matches!(step.progress, Progress::Failed(_)));
            if !failed {
                all.extend(metadata.clone());
            }
        }
        all.retain(|_, value| !value.is_empty());
        all
    }

    /// The name of its charge in the ledger: our host's operation, where it is one of its payments.
    pub fn name(&self) -> &str {
        self.metadata.get(OPERATION).map_or(&self.id, String::as_str)
    }
}

/// What a refund is beside its money.
pub struct RefundNotes {
    pub metadata: BTreeMap<String, String>,
    pub reason: Option<String>,
    pub created: u64,
}

/// All of it.
#[derive(Default)]
pub struct Books {
    pub kept: Kept,
    /// Oldest first.
    pub intents: Vec<Intent>,
    by_id: HashMap<String, usize>,
    /// By the gateway's charge.
    by_charge: HashMap<String, usize>,
    /// By the gateway's refund.
    pub refunds: HashMap<String, RefundNotes>,
    /// The idempotency keys of requests, by the names in the ledger of what they did.
    pub keys: HashMap<String, String>,
}

impl Books {
    pub fn add(&mut self, intent: Intent) {
        self.by_id.insert(intent.id.clone(), self.intents.len());
        self.intents.push(intent);
    }

    /// The payment that this merchant calls so.
    pub fn intent(&self, id: &str, owner: u64) -> Option<&Intent> {
        self.intents.get(*self.by_id.get(id)?).filter(|intent| intent.maker.owner == owner)
    }

    pub fn intent_mut(&mut self, id: &str) -> Option<&mut Intent> {
        self.intents.get_mut(*self.by_id.get(id)?)
    }

    /// Remembers which payment a charge is of.
    pub fn charged(&mut self, id: &str, charge: &str) {
        if let Some(place) = self.by_id.get(id).copied() {
            self.by_charge.insert(charge.to_owned(), place);
        }
    }

    /// The payment of a charge.
    pub fn of_charge(&self, charge: &str) -> Option<&Intent> {
        self.intents.get(*self.by_charge.get(charge)?)
    }
}
