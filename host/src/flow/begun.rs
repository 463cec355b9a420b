//! An operation in commit 1: the rows that it is written down as, and what the host then carries on.

use chrono::{DateTime, Utc};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    method::{Filling, Method},
    prepare::{self, First, Prepared, Underway},
};
use crate::{
    app::{App, Lease},
    connector::types::Pairs,
    store::{
        self,
        begin::{AuditRows, BeginOperation, OutboxRows},
        gateway_accounts::GatewayAccount,
        journal::Leased,
        payments::Payment,
    },
    wire::Permit,
};

/// The fence of a lease that nobody held before.
const FENCE_FIRST: i32 = 1;

/// An operation that commit 1 has written down.
pub struct Begun {
    /// As commit 1 left it.
    pub payment: Payment,
    pub underway: Underway,
    pub account: GatewayAccount,
    pub permit: Permit,
    pub first: First,
    pub filling: Filling,
    pub lease: Lease,
    pub leased: Leased,
    pub references: Pairs,
    /// Last event of a refund.
    pub event_sequence: i32,
    /// Its place among what this host has under way; none for what the host began by itself.
    pub place: Option<OwnedSemaphorePermit>,
}

impl Begun {
    /// An operation of this attempt, under the lease with this fence. Without what only some operations have: a key, a
    /// purpose, a card, references, events.
    #[must_use]
    pub fn of(
        payment: Payment,
        prepared: Prepared,
        attempt_number: i32,
        amount: i64,
        (lease, fence): (Lease, i32),
        now: DateTime<Utc>,
    ) -> Self {
        let operation_id = prepared.operation_id.uuid();
        Self {
            leased: Leased { merchant_id: payment.merchant_id, operation_id, fence },
            payment,
            underway: Underway {
                operation_id,
                attempt_number,
                gateway_account_id: prepared.account.gateway_account_id,
                token_id: None,
                key: None,
                operation: prepared.operation,
                context: prepared.context,
                version: prepared.version,
                purpose: None,
                amount,
                created_at: now,
            },
            account: prepared.account,
            permit: prepared.permit,
            first: prepared.first,
            filling: Filling::default(),
            lease,
            references: Vec::new(),
            event_sequence: 0,
            place: None,
        }
    }

    /// The payment's latest attempt, begun by the request with this key.
    #[must_use]
    pub fn of_attempt(
        payment: Payment,
        prepared: Prepared,
        method: Method,
        lease: Lease,
        key: Option<(String, String, i16)>,
        now: DateTime<Utc>,
    ) -> Self {
        let (number, amount, token_id) = (payment.attempt_count, payment.amount, payment.token_id);
        let begun = Self::of(payment, prepared, number, amount, (lease, FENCE_FIRST), now);
        Self { underway: Underway { token_id, key, ..begun.underway }, filling: method.filling, ..begun }
    }
}

/// The rows of the payment's latest attempt.
pub fn attempt_rows<'a>(
    app: &App,
    answer_status: i16,
    payment: &'a Payment,
    prepared: &'a Prepared,
    method: &'a Method,
) -> store::begin::Attempt<'a> {
    store::begin::Attempt {
        operation_id: prepared.operation_id.uuid(),
        attempt_id: prepared.attempt_id.uuid(),
        number: payment.attempt_count,
        gateway_account_id: prepared.account.gateway_account_id,
        connector: prepared.version.name(),
        digest: prepared.version.digest(),
        token_id: method.token_id,
        payment_method: &method.shown,
        amount: payment.amount,
        currency: &payment.currency,
        input: prepare::json(&*prepared.operation),
        context: prepare::json(&*prepared.context),
        has_code: method.has_code,
        answer_status,
        exchange: prepared.first.exchange(),
        owner: app.host_id,
        lease_ms: app.lease_ms(),
    }
}

/// The rows of an operation of this attempt, on a `payment` as it will be. Without what only some operations have: a key, a
/// purpose, work that it takes over, events.
pub fn operation_rows<'a>(
    app: &App,
    payment: &'a Payment,
    prepared: &'a Prepared,
    attempt_number: i32,
    amount: i64,
    audit: AuditRows,
    now: DateTime<Utc>,
) -> BeginOperation<'a> {
    BeginOperation {
        merchant_id: payment.merchant_id,
        payment_id: payment.payment_id,
        expected_version: payment.version - 1,
        operation_id: prepared.operation_id.uuid(),
        kind: prepared.operation.action.kind().into(),
        purpose: None,
        attempt_number,
        gateway_account_id: prepared.account.gateway_account_id,
        amount,
        currency: &payment.currency,
        connector: prepared.version.name(),
        digest: prepared.version.digest(),
        input: prepare::json(&*prepared.operation),
        context: prepare::json(&*prepared.context),
        exchange: prepared.first.exchange(),
        key: None,
        takes_over: None,
        inherits: None,
        owner: app.host_id,
        lease_ms: app.lease_ms(),
        status: payment.status,
        amount_capturing: payment.amount_capturing,
        amount_refunding: payment.amount_refunding,
        open_operation: payment.open_operation,
        version: payment.version,
        audit,
        audit_sequence: payment.audit_sequence,
        payment_event_sequence: payment.event_sequence,
        event_sequence: 0,
        outbox: OutboxRows::default(),
        now,
    }
}
