//! What Razorpay knows besides money: orders, what was said with payments and refunds, answers kept for refund keys.

use std::collections::HashMap;

use serde_json::Value;

use super::words::Words;
use crate::faces::kept::Kept;

/// Everything, of all merchants.
#[derive(Default)]
pub struct State {
    orders: HashMap<String, Order>,
    /// Ids of orders by merchant and receipt, oldest first.
    receipts: HashMap<(u64, String), Vec<String>>,
    /// By the id of their charge.
    pub payments: HashMap<String, Payment>,
    /// By the ledger's id.
    pub refunds: HashMap<String, Refund>,
    pub kept: Kept,
    /// Whether lists of an order's payments leave out those that nobody has decided: Razorpay's documentation speaks of
    /// authorized and failed ones alone.
    pub hides_undecided: bool,
}

/// What is to be paid. Amount in minor units.
pub struct Order {
    pub id: String,
    pub owner: u64,
    pub amount: i64,
    pub currency: String,
    pub receipt: Option<String>,
    pub notes: Value,
    /// Take the money as soon as it is authorized.
    pub capture_at_once: bool,
    /// Unix time in seconds.
    pub created_at: u64,
    /// The charges that were tried under it, oldest first.
    pub charges: Vec<String>,
}

/// A payment: what its charge does not know.
pub struct Payment {
    pub order: String,
    pub notes: Value,
    pub method: Paid,
    pub email: String,
    pub contact: String,
    pub description: Option<String>,
    /// What the signature for the customer's browser is made with.
    pub secret: String,
    /// Why it fails if it fails: a test card of Razorpay's says so, or the time that ran out.
    pub reason: Option<Words>,
    /// The refund by which Razorpay gave it back by itself, uncaptured.
    pub lapsed: Option<String>,
    /// Unix time in seconds.
    pub created_at: u64,
}

/// How it is paid.
#[derive(Clone)]
pub enum Paid {
    Card {
        last4: String,
        network: &'static str,
    },
    /// A card that Razorpay keeps.
    Token,
    Upi {
        vpa: Option<String>,
    },
}

/// A refund: what the ledger does not know.
pub struct Refund {
    pub receipt: Option<String>,
    pub notes: Value,
    pub speed: &'static str,
    /// Unix time in seconds.
    pub created_at: u64,
}

impl State {
    pub fn order(&self, id: &str) -> Option<&Order> {
        self.orders.get(id)
    }

    pub fn add(&mut self, order: Order) {
        if let Some(receipt) = &order.receipt {
            self.receipts.entry((order.owner, receipt.clone())).or_default().push(order.id.clone());
        }
        self.orders.insert(order.id.clone(), order);
    }

    /// A payment was tried under the order.
    pub fn tried(&mut self, order: &str, charge: &str) {
        if let Some(order) = self.orders.get_mut(order) {
            order.charges.push(charge.to_owned());
        }
    }

    /// The merchant's orders with this receipt, the newest first, as Razorpay lists them.
    pub fn with_receipt(&self, owner: u64, receipt: &str) -> impl Iterator<Item = &Order> {
        let ids = self.receipts.get(&(owner, receipt.to_owned())).map(Vec::as_slice).unwrap_or_default();
        ids.iter().rev().filter_map(|id| self.orders.get(id))
    }

    /// The order of a payment.
    pub fn order_of(&self, charge: &str) -> Option<&Order> {
        self.orders.get(&self.payments.get(charge)?.order)
    }
}
