//! What the face knows and the ledger does not: Adyen's references, and who asked for what.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::faces::Ground;
use crate::faces::kept::Kept;
use crate::gateway::{Cause, Change, Maker, Subject};

#[derive(Default)]
pub struct State {
    pub kept: Kept,
    /// By the charge's id.
    payments: HashMap<String, Payment>,
    /// From Adyen's reference to the charge's id.
    charges: HashMap<String, String>,
    /// By the operation's id; of several with one id the first, as in the ledger.
    modifications: HashMap<String, Modification>,
    /// Modifications that cannot be done, by the operation's id.
    refused: HashMap<String, Refused>,
    /// What a customer has decided on a page, by what the browser brings back.
    results: HashMap<String, (String, bool)>,
}

/// A payment, as Adyen calls it.
#[derive(Clone)]
pub struct Payment {
    pub psp_reference: String,
    pub merchant_account: String,
    /// What came with it, and comes back in its webhook.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// A capture, cancel or refund, as Adyen and its caller call it.
#[derive(Clone)]
pub struct Modification {
    pub psp_reference: String,
    /// What its webhook calls it.
    pub merchant_reference: String,
    pub event_code: &'static str,
}

/// One that was received and cannot be done.
pub struct Refused {
    pub maker: Maker,
    /// Adyen's reference of the payment; empty where there is none.
    pub original: String,
    pub merchant_account: String,
    /// As Adyen counts.
    pub value: i64,
    pub currency: String,
    pub reason: &'static str,
}

impl State {
    /// The payment of this charge, which gets its reference now where it has none.
    pub fn payment(&mut self, charge: &str, ground: &Ground, merchant_account: &str) -> &mut Payment {
        let charges = &mut self.charges;
        self.payments.entry(charge.to_owned()).or_insert_with(|| {
            let psp_reference = ground.serials.next().to_uppercase();
            charges.insert(psp_reference.clone(), charge.to_owned());
            Payment { psp_reference, merchant_account: merchant_account.to_owned(), metadata: serde_json::Map::new() }
        })
    }

    pub fn known(&self, charge: &str) -> Option<&Payment> {
        self.payments.get(charge)
    }

    /// The charge that Adyen calls so.
    pub fn charge(&self, psp_reference: &str) -> Option<String> {
        self.charges.get(psp_reference).cloned()
    }

    /// Takes a modification in.
    pub fn receive(&mut self, operation: &str, modification: Modification) {
        self.modifications.entry(operation.to_owned()).or_insert(modification);
    }

    pub fn modification(&self, operation: &str) -> Option<&Modification> {
        self.modifications.get(operation)
    }

    pub fn refuse(&mut self, operation: &str, refused: Refused) {
        self.refused.insert(operation.to_owned(), refused);
    }

    pub fn refused(&self, operation: &str) -> Option<&Refused> {
        self.refused.get(operation)
    }

    /// That one of those is told now.
    pub fn refused_now(&self, operation: &str) -> Option<Change> {
        let refused = self.refused.get(operation)?;
        Some(refused.maker.changed(Subject::Own(operation.to_owned()), Cause::Settled))
    }

    /// Keeps what a customer has decided; gives what the browser is to bring back.
    pub fn decide(&mut self, charge: &str, approved: bool, ground: &Ground) -> String {
        let result = format!("X6Xt{}!Y", ground.serials.next());
        self.results.insert(result.clone(), (charge.to_owned(), approved));
        result
    }

    pub fn result(&self, result: &str) -> Option<(String, bool)> {
        self.results.get(result).cloned()
    }

    pub fn charge_of_result(&self, result: &str) -> Option<String> {
        self.results.get(result).map(|(charge, _)| charge.clone())
    }

    pub fn is_decided(&self, charge: &str) -> bool {
        self.results.values().any(|(decided, _)| decided == charge)
    }
}

/// The lock is taken after the gateway's, never before.
pub fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
