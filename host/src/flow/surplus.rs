//! Giving back what was paid twice, where the gateway account says so.
//!
//! Prepared before the commit that records the surplus, and written down in it: a host that dies right after leaves an
//! operation that another one carries on.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    Refusal,
    advance::Subject,
    begun::{Begun, operation_rows},
    learned::Learned,
    operate,
    prepare::{self, First, Prepared, Purpose, Underway},
    route::Route,
};
use crate::{
    app::{App, Lease},
    connector::types::{Action, Cancel, Money, OperationKind, Outcome, Pairs, Refund},
    domain::{id::GatewayAccountId, payment::Event},
    store::{
        self,
        begin::{AuditRows, BeginOperation},
        payments::Payment,
    },
};

/// Why, in the words that the gateway gets.
const REASON: &str = "paid twice";

/// An operation that gives back a surplus, ready to be written down.
pub struct GivingBack {
    prepared: Prepared,
    /// As it will be: that it was paid twice is an audit row and an event, and that it is given back another audit row.
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
    let Some(version) = app.registry.choose(&account.connector, payment.id()) else { return Ok(None) };
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
        payment: Payment {
            version: payment.version + 2,
            audit_sequence: payment.audit_sequence + 2,
            event_sequence: payment.event_sequence + 1,
            ..payment.clone()
        },
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
    /// Its rows.
    #[must_use]
    pub fn row(&self, app: &App) -> BeginOperation<'_> {
        let Self { prepared, payment, .. } = self;
        let kind = prepared.operation.action.kind();
        let event = if kind == OperationKind::Refund { Event::RefundSubmitted } else { Event::CancelSubmitted };
        let audit = AuditRows {
            sequence: vec![payment.audit_sequence],
            from_state: vec![Some(payment.status.into())],
            to_state: vec![payment.status.into()],
            event: vec![event.into()],
            ..AuditRows::default()
        };
        let row = operation_rows(app, payment, prepared, self.attempt_number, self.amount, audit, self.now);
        BeginOperation { purpose: Some(Purpose::Surplus.into()), ..row }
    }

    /// The operation, written down.
    #[must_use]
    pub fn begun(self, subject: &Subject, fence: i32) -> Begun {
        let Self { prepared, attempt_number, amount, references, lease, now, .. } = self;
        let mut payment = subject.payment.clone();
        payment.version += 1;
        payment.audit_sequence += 1;
        let begun = Begun::of(payment, prepared, attempt_number, amount, (lease, fence), now);
        let underway = Underway { purpose: Some(Purpose::Surplus), ..begun.underway };
        Begun { underway, references, ..begun }
    }
}
