//! What PayPal knows besides money: tokens, orders, what was done under each, and which request asked for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gateway::Maker;
use crate::gateway::ask::Method;

/// How long a token lives where nobody says otherwise: nine hours, as PayPal's do.
const TOKEN_LIFE_S: u64 = 9 * 3600;
/// How long an order waits for its payer.
const ORDER_WAITS_S: u64 = 3 * 3600;

/// Shared by the face and its calls.
pub type Shared = Arc<Mutex<State>>;

/// Locks it. Never while the guard of another lock of it is alive.
pub fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module's documentation.
pub struct State {
    pub tokens: HashMap<String, Token>,
    pub token_life_s: u64,
    /// By merchant and `PayPal-Request-Id`.
    pub asked: HashMap<(u64, String), Asked>,
    orders: HashMap<String, Order>,
    /// The order of each authorization, capture and refund, and of each charge of the ledger.
    orders_of: HashMap<String, String>,
}

impl Default for State {
    fn default() -> Self {
        let (tokens, asked) = (HashMap::new(), HashMap::new());
        Self { tokens, token_life_s: TOKEN_LIFE_S, asked, orders: HashMap::new(), orders_of: HashMap::new() }
    }
}

/// An OAuth token.
pub struct Token {
    pub client_id: String,
    /// Unix time in seconds.
    pub expires_at: u64,
}

/// What a request made, for the next one with the same id.
pub struct Asked {
    pub fingerprint: u64,
    /// Unix time in seconds.
    pub at: u64,
    pub made: Made,
}

/// Something that can be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Made {
    Order(String),
    Authorization(String),
    Capture(String),
    Refund(String),
}

/// One order of one purchase unit. No `Debug`: it holds a card number.
#[derive(Clone)]
pub struct Order {
    pub id: String,
    pub maker: Maker,
    pub intent: Intent,
    pub reference_id: String,
    pub description: Option<String>,
    pub custom_id: Option<String>,
    pub invoice_id: Option<String>,
    /// Minor units of ISO 4217.
    pub amount: i64,
    pub currency: String,
    pub method: Method,
    /// The name on the card: some names are the sandbox's triggers.
    pub name: Option<String>,
    /// Whether the payer is to prove who they are.
    pub verifies: bool,
    pub stage: Stage,
    /// What came of 3-D Secure, once the payer was asked.
    pub authenticated: Option<bool>,
    pub return_url: Option<String>,
    pub cancel_url: Option<String>,
    /// Unix time in seconds.
    pub created_at: u64,
    /// The ledger's charge, once money was asked for.
    pub charge: Option<String>,
    /// The authorization's id.
    pub authorization: Option<String>,
    pub captures: Vec<Capture>,
    pub refunds: Vec<Refund>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intent {
    Capture,
    Authorize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// For the payer.
    Waiting,
    /// For the merchant.
    Approved,
    /// The payment was made, for better or worse.
    Done,
}

/// A capture. What became of it, the ledger tells.
#[derive(Clone)]
pub struct Capture {
    pub id: String,
    pub invoice_id: Option<String>,
    /// Under which reference the ledger has it; none for the order's own.
    pub step: Option<String>,
    pub amount: i64,
    pub is_final: bool,
    pub at: u64,
}

/// A refund. What became of it, the ledger tells.
#[derive(Clone)]
pub struct Refund {
    pub id: String,
    /// The ledger's refund.
    pub in_ledger: String,
    pub capture: String,
    pub custom_id: Option<String>,
    pub invoice_id: Option<String>,
    pub note: Option<String>,
    pub amount: i64,
    pub at: u64,
}

impl Order {
    /// Under which reference the ledger has the charge: the merchant's own id.
    pub fn reference(&self) -> &str {
        self.custom_id.as_deref().unwrap_or(&self.id)
    }

    pub fn is_by_card(&self) -> bool {
        matches!(self.method, Method::Card(_) | Method::Token { .. })
    }

    pub fn capture(&self, id: &str) -> Option<&Capture> {
        self.captures.iter().find(|capture| capture.id == id)
    }

    /// Whether it is gone: nobody approved it in time.
    pub fn is_gone(&self, now: u64) -> bool {
        self.stage == Stage::Waiting && now.saturating_sub(self.created_at) >= ORDER_WAITS_S
    }

    /// Whether a capture or refund under it has this invoice already.
    fn has_used(&self, invoice_id: &str) -> bool {
        let captures = self.captures.iter().map(|capture| &capture.invoice_id);
        let refunds = self.refunds.iter().map(|refund| &refund.invoice_id);
        captures.chain(refunds).any(|used| used.as_deref() == Some(invoice_id))
    }
}

impl State {
    /// An order of this merchant.
    pub fn order(&self, id: &str, maker: Maker, now: u64) -> Option<&Order> {
        self.orders.get(id).filter(|order| order.maker == maker && !order.is_gone(now))
    }

    /// The order of any merchant: for pages.
    pub fn any_order(&self, id: &str) -> Option<&Order> {
        self.orders.get(id)
    }

    /// The order under which an authorization, a capture, a refund, or a charge of the ledger is.
    pub fn order_of(&self, id: &str) -> Option<&Order> {
        self.orders.get(self.orders_of.get(id)?)
    }

    /// Keeps an order, and finds it by all that is under it.
    pub fn put(&mut self, order: Order) {
        let under = order.captures.iter().map(|it| &it.id).chain(order.refunds.iter().map(|it| &it.id));
        for id in under.chain(&order.charge).chain(&order.authorization) {
            self.orders_of.insert(id.clone(), order.id.clone());
        }
        self.orders.insert(order.id.clone(), order);
    }

    /// Forgets orders and requests. Who has a token keeps it.
    pub fn forget(&mut self) {
        self.asked.clear();
        self.orders.clear();
        self.orders_of.clear();
    }

    /// Whether the merchant has used this invoice for money that moved. PayPal refuses it a second time.
    pub fn has_used(&self, maker: Maker, invoice_id: &str) -> bool {
        self.orders.values().any(|order| order.maker == maker && order.has_used(invoice_id))
    }
}
