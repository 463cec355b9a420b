//! Commit 1 of a capture, cancel, refund or complete: the operation with what it reserves.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::{After, Waiting};
use crate::{
    app::App,
    connector::types::{OperationKind, Pairs},
    domain::id::EventId,
    fault::{self, Point},
    flow::{
        Call, Refusal,
        begun::{Begun, operation_rows},
        create_payment::{key_of, push_event},
        prepare::{Prepared, Purpose, Underway},
        refunds, run,
    },
    store::{
        self,
        begin::{AuditRows, BeginOperation, OperationBegun, OutboxRows},
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
    /// The key that waits for the answer, where nobody asks.
    pub(super) inherited: Option<(String, String, i16)>,
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
        let begin = BeginOperation {
            purpose: self.purpose.map(Into::into),
            key: self.key.map(|call| (key_of(app, call), call.answer_status())),
            takes_over: self.takes_over.as_ref().map(|waiting| waiting.operation_id),
            inherits: self.inherited.as_ref().map(|(scope, key, status)| (scope.as_str(), key.as_str(), *status)),
            event_sequence,
            outbox,
            ..operation_rows(app, &payment, &prepared, self.number, self.amount, audit, now)
        };
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let begun = store::begin::begin_operation(&mut conn, begin).await?;
        drop(conn);
        let OperationBegun::Yes { fence } = begun else { return Ok(None) };
        app.wake.committed();
        let key = self.key.map(run::key_to_answer).or(self.inherited);
        let begun = Begun::of(payment, prepared, self.number, self.amount, (lease, fence), now);
        let underway = Underway { key, purpose: self.purpose, ..begun.underway };
        Ok(Some(Begun { underway, references, event_sequence, place, ..begun }))
    }
}
