//! Commit 1: everything that must be on disk before a byte is on the wire, in one statement.
//!
//! The idempotency key, the payment, its attempt, the operation with its whole input, the exact request, the lease,
//! the audit rows and the outbox rows stand or fall together, in one round trip. Two traps, both tried: the loser of a
//! conflict on the key sees neither its own row nor the winner's, so an empty `claim` is answered by a second statement
//! ([`super::idempotency::find`]); and a row that one arm inserts cannot be updated by another. So every arm selects
//! from the claim, and where the claim is empty nothing at all is written.
//!
//! Rows are locked in one order everywhere, here and in [`super::finish`]: order, work, payment.

mod attempt;
mod call_off;
mod create;
mod operation;

pub use attempt::{CREATE_AND_BEGIN, NextAttempt, begin, create_and_begin, next_attempt};
pub use call_off::{CallOff, call_off};
pub use create::{Created, create};
pub use operation::{BeginOperation, OperationBegun, begin_operation};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{connector::types::Effect, domain::payment::CaptureMethod};

/// The key that a merchant's request holds.
pub struct Key<'a> {
    pub scope: &'a str,
    pub key: &'a str,
    pub fingerprint: &'a [u8],
    /// How long its answer is kept, from now by the database's clock.
    pub ttl_ms: i64,
}

/// The payment's own columns, where the statement makes it.
pub struct NewPayment<'a> {
    pub order_id: Option<Uuid>,
    pub status: &'a str,
    pub amount: i64,
    pub currency: &'a str,
    pub capture_method: CaptureMethod,
    pub gateway_account_id: Option<Uuid>,
    pub token_id: Option<Uuid>,
    pub payment_method: Option<&'a Value>,
    pub description: Option<&'a str>,
    pub return_url: Option<&'a str>,
    pub metadata: &'a Value,
    pub customer: &'a Value,
    pub version: i32,
}

/// A payment that is there already: moved by compare-and-set.
pub struct Expected<'a> {
    pub version: i32,
    /// The order that the payment belongs to from here on, if any.
    pub order_id: Option<Uuid>,
    pub return_url: Option<&'a str>,
}

/// The attempt and its authorize operation.
pub struct Attempt<'a> {
    pub operation_id: Uuid,
    pub attempt_id: Uuid,
    pub number: i32,
    pub gateway_account_id: Uuid,
    pub connector: &'a str,
    pub digest: &'a [u8],
    pub token_id: Option<Uuid>,
    pub payment_method: &'a Value,
    pub amount: i64,
    pub currency: &'a str,
    pub input: Value,
    pub context: Value,
    pub has_code: bool,
    pub answer_status: i16,
    /// The request that goes out first; none where the connector had its outcome without asking.
    pub exchange: Option<Exchange>,
    pub owner: Uuid,
    pub lease_ms: i64,
}

/// A request as the journal keeps it.
pub struct Exchange {
    pub request: Value,
    pub effect: Effect,
    pub resendable: bool,
}

/// What the vault sealed on the way in.
pub struct SealedToken {
    pub token_id: Uuid,
    pub kind: &'static str,
    pub sealed: Vec<u8>,
    pub fingerprint: Option<Vec<u8>>,
    pub details: Value,
    /// The card's code under the key of the day.
    pub code: Option<(NaiveDate, Vec<u8>)>,
}

/// Rows of the audit trail, column by column.
#[derive(Default)]
pub struct AuditRows {
    pub sequence: Vec<i32>,
    pub from_state: Vec<Option<&'static str>>,
    pub to_state: Vec<&'static str>,
    pub event: Vec<&'static str>,
    pub wins: Vec<bool>,
    pub detail: Vec<Option<Value>>,
}

/// Rows of the outbox, column by column.
#[derive(Default)]
pub struct OutboxRows {
    pub id: Vec<Uuid>,
    /// What the event is about (`payment`, `refund`, `order`), and its public id.
    pub about: Vec<&'static str>,
    pub about_id: Vec<String>,
    pub kind: Vec<&'static str>,
    pub sequence: Vec<i32>,
    pub payload: Vec<String>,
}

/// Everything that one commit 1 writes.
pub struct Begin<'a> {
    pub merchant_id: Uuid,
    pub payment_id: Uuid,
    pub key: Key<'a>,
    pub token: Option<&'a SealedToken>,
    pub attempt: Attempt<'a>,
    pub audit: AuditRows,
    pub outbox: OutboxRows,
    pub now: DateTime<Utc>,
}

/// Whether commit 1 happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    Yes,
    /// The key is taken, or the payment has moved on: nothing was written. The caller reads and decides again.
    No,
    /// The order cannot take the payment: not enough of it is left, or it is cancelled. Nothing was written.
    OrderIsFull,
}

impl OutboxRows {
    /// Adds one row.
    pub fn push(
        &mut self,
        id: Uuid,
        about: &'static str,
        about_id: String,
        kind: &'static str,
        sequence: i32,
        payload: String,
    ) {
        self.id.push(id);
        self.about.push(about);
        self.about_id.push(about_id);
        self.kind.push(kind);
        self.sequence.push(sequence);
        self.payload.push(payload);
    }
}
