//! The next gateway: after an attempt that did nothing, or a decline that says another one may see it differently.
//!
//! Never while an attempt is unresolved, and never by time. The attempt that ends and the one that begins are one commit,
//! so that a host that dies in between leaves either the old one or the new one, and not neither.

use std::time::Duration;

use uuid::Uuid;

use super::{
    Refusal, advance,
    advance::{Beside, NotApplied, Subject},
    begun::{Begun, attempt_rows},
    confirm_payment::authorize_of,
    create_payment::of_order,
    drive::{OwnedReply, What},
    learned::{Failover, Learned, is_attempt},
    method,
    prepare::{self, First},
    route,
};
use crate::{
    app::App,
    connector::types::OperationKind,
    domain::{id::OrderId, payment::State},
    store::{
        self,
        begin::{AuditRows, Begin, Key, NextAttempt, OutboxRows},
    },
};

/// What a confirm may still try.
pub struct Trial {
    /// On the clock that runs through suspension: until when the merchant waits for an answer.
    pub ends: Duration,
    /// Gateway accounts that had their turn.
    pub tried: Vec<Uuid>,
    /// The merchant named the account: no other one is tried.
    pub is_pinned: bool,
}

/// Ends the attempt and begins one at the next gateway. None where it is not allowed, or there is no other gateway; then
/// nothing is written.
pub async fn fail_over(
    app: &App,
    subject: &mut Subject,
    what: &What,
    reply: Option<&OwnedReply>,
    trial: &mut Trial,
) -> Result<Option<Begun>, NotApplied> {
    let learned = Learned::of(what, subject);
    if !may_fail_over(app, subject, &learned, trial).await {
        return Ok(None);
    }
    trial.tried.push(subject.underway.gateway_account_id);
    let (prepared, method) = match next(app, subject, trial).await {
        Ok(Some(next)) => next,
        Ok(None) => return Ok(None),
        Err(refusal) => {
            tracing::warn!(payment.id = %subject.payment.id(), %refusal, "no other gateway can be tried");
            return Ok(None);
        }
    };
    let before = subject.underway.operation_id;
    let mut payment = subject.payment.clone();
    payment.attempt_count += 1;
    let key = subject.underway.key.clone().unwrap_or_default();
    let now = app.clock.now();
    let lease = app.new_lease();
    let begin = Begin {
        merchant_id: payment.merchant_id,
        payment_id: payment.payment_id,
        key: Key { scope: &key.0, key: &key.1, fingerprint: &[], ttl_ms: 0 },
        token: None,
        attempt: attempt_rows(app, key.2, &payment, &prepared, &method),
        audit: AuditRows::default(),
        outbox: OutboxRows::default(),
        now,
    };
    let beside = Beside { next_attempt: Some((begin, NextAttempt { version: 0, before })), ..Beside::default() };
    // Where the payment has moved on under it, it ends like any other: by what is known.
    if advance::write(app, subject, learned, reply, beside).await?.is_none() {
        return Ok(None);
    }
    tracing::info!(
        payment.id = %subject.payment.id(), attempt.number = payment.attempt_count,
        gateway.account = %prepared.account.id(), "the payment goes on at another gateway"
    );
    metrics::counter!("interlock_failovers_total").increment(1);
    let payment = store::payments::Payment {
        attempt_count: payment.attempt_count,
        open_attempt: Some(payment.attempt_count),
        gateway_account_id: Some(prepared.account.gateway_account_id),
        gateway_reference: None,
        ..subject.payment.clone()
    };
    let key = subject.underway.key.clone();
    Ok(Some(Begun::of_attempt(payment, prepared, method, lease, key, now)))
}

async fn may_fail_over(app: &App, subject: &Subject, learned: &Learned, trial: &Trial) -> bool {
    let payment = &subject.payment;
    let under_way = payment.status == State::Processing
        && is_attempt(subject)
        && subject.underway.operation.action.kind() == OperationKind::Authorize;
    if !under_way
        || trial.is_pinned
        || payment.attempt_count >= super::confirm_payment::ATTEMPTS_MAX
        || app.clock.boot() + app.exchange_timeout() / 4 > trial.ends
        || app.stop.is_cancelled()
    {
        return false;
    }
    match learned.failover {
        _ if learned.not_sent => true,
        Some(Failover::Allowed) => true,
        Some(Failover::IfSurplusIsReturned) => {
            route::returns_surplus(app, payment.merchant(), subject.underway.gateway_account_id).await
        }
        None => false,
    }
}

async fn next(
    app: &App,
    subject: &Subject,
    trial: &Trial,
) -> Result<Option<(prepare::Prepared, method::Method)>, Refusal> {
    let payment = &subject.payment;
    let Some(method) = method::of_payment(app, payment).await? else { return Ok(None) };
    let routes = route::for_payment(app, payment, &method, None).await?;
    let left: Vec<_> =
        routes.into_iter().filter(|route| !trial.tried.contains(&route.account.gateway_account_id)).collect();
    if left.is_empty() {
        return Ok(None);
    }
    let order = payment.order_id.map(OrderId::from_uuid);
    let order = of_order(app, payment.merchant(), order, &payment.currency).await?;
    let authorize = authorize_of(payment, &method, None, order.as_ref())?;
    let prepared = prepare::authorize(app, payment.id(), &authorize, left).await?;
    Ok((!matches!(prepared.first, First::Broken(_))).then_some((prepared, method)))
}
