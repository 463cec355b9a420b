//! Commit 1 of a capture, cancel, refund or complete: the operation with what it reserves.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::{After, Begun, Waiting};
use crate::{
    app::App,
    connector::types::{OperationKind, Pairs},
    domain::id::EventId,
    fault::{self, Point},
    flow::{
        Call, Refusal,
        create_payment::{key_of, push_event},
        method::Filling,
        prepare::{self, First, Prepared, Purpose, Underway},
        refunds, run,
    },
    store::{
        self,
        begin::{AuditRows, BeginOperation, OperationBegun, OutboxRows},
        journal::Leased,
        payments::Payment,
    },
    view::{self, refund::RefundView},
};

/// What commit 1 of an operation writes.
pub(super) struct Commit<'a> {
    pub(super) payment: &'a Payment,
    pub(super) number: i32,
    pub(super) amount: i64,
    pub(super) after: After,
    pub(super) takes_over: Option<Waiting>,
    pub(super) purpose: Option<Purpose>,
    pub(super) key: Option<&'a Call>,
}

impl Commit<'_> {
    /// None where the payment has moved on or the key is taken.
    pub(super) async fn write(
        self,
        app: &Arc<App>,
        prepared: Prepared,
        references: Pairs,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Option<Begun>, Refusal> {
        let now = app.clock.now();
        let mut payment = self.payment.clone();
        let kind = prepared.operation.action.kind();
        payment.status = self.after.book.state;
        payment.amount_capturing = self.after.book.capturing;
        payment.amount_refunding = self.after.book.refunding;
        if matches!(kind, OperationKind::Capture | OperationKind::Cancel) {
            payment.open_operation = Some(prepared.operation_id.uuid());
        }
        payment.version += 1;
        payment.audit_sequence += 1;
        payment.updated_at = now;
        let mut outbox = OutboxRows::default();
        if payment.status != self.payment.status {
            payment.next_action = None;
            payment.event_sequence += 1;
            push_event(app, &mut outbox, &payment, "payment.processing", now);
        }
        let mut event_sequence = 0;
        if kind == OperationKind::Refund {
            event_sequence = 1;
            let refund = refunds::begun(
                prepared.operation_id,
                payment.id(),
                self.amount,
                &payment.currency,
                &prepared.operation,
                now,
            );
            let id = app.ids.v7();
            let view = RefundView::new(&refund);
            let payload = view::event::payload(EventId::from_uuid(id), "refund.created", now, 1, &view);
            outbox.push(id, "refund", prepared.operation_id.to_string(), "refund.created", 1, payload);
        }
        let audit = AuditRows {
            sequence: vec![payment.audit_sequence],
            from_state: vec![Some(self.payment.status.into())],
            to_state: vec![payment.status.into()],
            event: vec![self.after.event.into()],
            detail: vec![self.after.detail.clone()],
            ..AuditRows::default()
        };
        fault::point_of(Point::BeforeCommitOne, kind);
        let lease = app.new_lease();
        let begin = self.row(app, &payment, &prepared, kind, audit, outbox, event_sequence, now);
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let begun = store::begin::begin_operation(&mut conn, begin).await?;
        drop(conn);
        let OperationBegun::Yes { fence } = begun else { return Ok(None) };
        let leased = Leased { merchant_id: payment.merchant_id, operation_id: prepared.operation_id.uuid(), fence };
        let underway = Underway {
            operation_id: prepared.operation_id.uuid(),
            attempt_number: self.number,
            gateway_account_id: prepared.account.gateway_account_id,
            token_id: None,
            key: self.key.map(run::key_to_answer).or_else(|| self.inherited().cloned()),
            operation: prepared.operation,
            context: prepared.context,
            version: prepared.version,
            purpose: self.purpose,
            amount: self.amount,
            created_at: now,
        };
        Ok(Some(Begun {
            payment,
            underway,
            account: prepared.account,
            permit: prepared.permit,
            first: prepared.first,
            filling: Filling::default(),
            lease,
            leased,
            references,
            event_sequence,
            place,
        }))
    }

    /// Where the host goes on by itself, the key of what it goes on with still waits for its answer.
    fn inherited(&self) -> Option<&(String, String, i16)> {
        self.takes_over.as_ref().filter(|_| self.key.is_none())?.key.as_ref()
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of the one row, worked out by the caller")]
    fn row<'r>(
        &'r self,
        app: &App,
        payment: &'r Payment,
        prepared: &'r Prepared,
        kind: OperationKind,
        audit: AuditRows,
        outbox: OutboxRows,
        event_sequence: i32,
        now: chrono::DateTime<chrono::Utc>,
    ) -> BeginOperation<'r> {
        BeginOperation {
            merchant_id: payment.merchant_id,
            payment_id: payment.payment_id,
            expected_version: self.payment.version,
            operation_id: prepared.operation_id.uuid(),
            kind: kind.into(),
            purpose: self.purpose.map(Into::into),
            attempt_number: self.number,
            gateway_account_id: prepared.account.gateway_account_id,
            amount: self.amount,
            currency: &payment.currency,
            connector: prepared.version.name(),
            digest: prepared.version.digest(),
            input: prepare::json(&*prepared.operation),
            context: prepare::json(&*prepared.context),
            exchange: match &prepared.first {
                First::Send(request) => Some(prepare::journaled(request)),
                First::Done(_) | First::Broken(_) => None,
            },
            key: self.key.map(|call| (key_of(app, call), i16::try_from(call.final_status).unwrap_or(200))),
            takes_over: self.takes_over.as_ref().map(|waiting| waiting.operation_id),
            inherits: self.inherited().map(|(scope, key, status)| (scope.as_str(), key.as_str(), *status)),
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
            event_sequence,
            outbox,
            now,
        }
    }
}
