//! Giving back what was paid twice, where the gateway account says so.
//!
//! Prepared before the commit that records the surplus, and written down in it: a host that dies right after leaves an
//! operation that another one carries on.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    Refusal,
    advance::Subject,
    learned::Learned,
    method::Filling,
    operate::{self, Begun},
    prepare::{self, First, Prepared, Purpose, Underway},
    route::Route,
};
use crate::{
    app::{App, Lease},
    connector::types::{Action, Cancel, Money, OperationKind, Outcome, Pairs, Refund},
    domain::{id::GatewayAccountId, payment::Event},
    store::{
        self,
        begin::{AuditRows, BeginOperation, OutboxRows},
        journal::Leased,
        payments::Payment,
    },
};

/// Why, in the words that the gateway gets.
const REASON: &str = "paid twice";

/// An operation that gives back a surplus, ready to be written down.
pub struct GivingBack {
    prepared: Prepared,
    payment: Payment,
    attempt_number: i32,
    amount: i64,
    references: Pairs,
    lease: Lease,
    now: DateTime<Utc>,
}

/// Runs the connector up to the request that gives it back: a refund of what was taken, a cancel of what is held. None
/// where the account does not want that, or it cannot be done: a person does it then.
pub async fn prepare(
    app: &Arc<App>,
    subject: &Subject,
    learned: &Learned,
    outcome: &Outcome,
) -> Result<Option<GivingBack>, Refusal> {
    let payment = &subject.payment;
    let account = GatewayAccountId::from_uuid(subject.underway.gateway_account_id);
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let account = store::gateway_accounts::get(&mut conn, payment.merchant(), account).await?;
    drop(conn);
    let Some(account) = account.filter(|account| account.auto_refund_surplus) else { return Ok(None) };
    let Some(version) = app.registry.active(&account.connector) else { return Ok(None) };
    let (action, amount) = match outcome {
        Outcome::Captured(approval) => {
            (Action::Refund(refund(&approval.amount, &approval.references)), approval.amount.minor_units)
        }
        Outcome::Authorized(approval) => {
            let target_id = subject.underway.operation.id.clone();
            let cancel = Cancel { target_id, reason: Some(REASON.to_owned()) };
            (Action::Cancel(cancel), approval.amount.minor_units)
        }
        _ => return Ok(None),
    };
    let cannot = version.descriptor().rules(action.kind()).is_none()
        || (action.kind() == OperationKind::Cancel && !operate::features(&version).cancel);
    if cannot {
        return Ok(None);
    }
    let mut references = subject.references.clone();
    references.extend(learned.new_references(&subject.references));
    let route = Route { account, version };
    let prepared = prepare::operation(app, payment.id(), action, references.clone(), route).await?;
    if matches!(prepared.first, First::Broken(_)) {
        return Ok(None);
    }
    Ok(Some(GivingBack {
        prepared,
        payment: payment.clone(),
        attempt_number: subject.underway.attempt_number,
        amount: i64::try_from(amount).unwrap_or(i64::MAX),
        references,
        lease: app.new_lease(),
        now: app.clock.now(),
    }))
}

fn refund(amount: &Money, references: &Pairs) -> Refund {
    Refund { amount: amount.clone(), reason: Some(REASON.to_owned()), captures: vec![references.clone()] }
}

impl GivingBack {
    /// Its row. The versions and counters are those after the change that it is written with: one audit row and one event
    /// further than the payment in hand.
    #[must_use]
    pub fn row(&self, app: &App) -> BeginOperation<'_> {
        let Self { prepared, payment, .. } = self;
        let audit_sequence = payment.audit_sequence + 2;
        let kind = prepared.operation.action.kind();
        let event = if kind == OperationKind::Refund { Event::RefundSubmitted } else { Event::CancelSubmitted };
        let audit = AuditRows {
            sequence: vec![audit_sequence],
            from_state: vec![Some(payment.status.into())],
            to_state: vec![payment.status.into()],
            event: vec![event.into()],
            ..AuditRows::default()
        };
        BeginOperation {
            merchant_id: payment.merchant_id,
            payment_id: payment.payment_id,
            expected_version: payment.version + 1,
            operation_id: prepared.operation_id.uuid(),
            kind: kind.into(),
            purpose: Some(Purpose::Surplus.into()),
            attempt_number: self.attempt_number,
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
            key: None,
            takes_over: None,
            inherits: None,
            owner: app.host_id,
            lease_ms: app.lease_ms(),
            status: payment.status,
            amount_capturing: payment.amount_capturing,
            amount_refunding: payment.amount_refunding,
            open_operation: payment.open_operation,
            version: payment.version + 2,
            audit,
            audit_sequence,
            payment_event_sequence: payment.event_sequence + 1,
            event_sequence: 0,
            outbox: OutboxRows::default(),
            now: self.now,
        }
    }

    /// The operation, written down.
    #[must_use]
    pub fn begun(self, subject: &Subject, fence: i32) -> Begun {
        let Self { prepared, attempt_number, amount, references, lease, now, .. } = self;
        let mut payment = subject.payment.clone();
        payment.version += 1;
        payment.audit_sequence += 1;
        let operation_id = prepared.operation_id.uuid();
        let underway = Underway {
            operation_id,
            attempt_number,
            gateway_account_id: prepared.account.gateway_account_id,
            token_id: None,
            key: None,
            operation: prepared.operation,
            context: prepared.context,
            version: prepared.version,
            purpose: Some(Purpose::Surplus),
            amount,
            created_at: now,
        };
        Begun {
            leased: Leased { merchant_id: payment.merchant_id, operation_id, fence },
            payment,
            underway,
            account: prepared.account,
            permit: prepared.permit,
            first: prepared.first,
            filling: Filling::default(),
            lease,
            references,
            event_sequence: 0,
            place: None,
        }
    }
}
