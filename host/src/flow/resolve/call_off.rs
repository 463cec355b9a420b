//! The last way out of an unknown authorization before a person is asked: it is called off by its own id.
//!
//! Whatever had become of it, nothing is held afterwards, and a payment that has not been told to be paid may end
//! cancelled. The cancel is an operation of its own, written down like any other; the authorization stays unknown until the
//! gateway says something of either. From then on it is never sent again: it might come to be after its cancel.

use std::sync::Arc;

use super::{
    Stuck,
    case::{Case, Pause},
    journal::ways,
};
use crate::{
    app::App,
    connector::types::OperationKind,
    domain::{resolution, schedule},
    flow::{
        Refusal,
        advance::Subject,
        answer,
        operate::{self, Ask, features},
        prepare::Purpose,
        run,
    },
    store,
};

/// Whether this way is left for an operation that nothing else has found out about.
#[must_use]
pub fn is_left(subject: &Subject) -> bool {
    let payment = &subject.payment;
    let version = &subject.underway.version;
    let standing = resolution::Standing {
        state: payment.status,
        is_under_way: payment.open_attempt == Some(subject.underway.attempt_number),
        is_settling: payment.open_operation.is_some(),
        gateway_cancels: version.descriptor().rules(OperationKind::Cancel).is_some() && features(version).cancel,
        called_off: subject.called_off,
        secrets_changed: subject.secrets_changed,
    };
    let is_authorize = subject.underway.operation.action.kind() == OperationKind::Authorize;
    is_authorize && !subject.resolved && resolution::may_call_off(&ways(subject), &standing)
}

/// Whether a cancel of the host's own was begun for this attempt. No round trip where its gateway knows none.
pub(super) async fn was_begun(app: &App, subject: &Subject) -> Result<bool, store::Error> {
    if !ways(subject).contains(&resolution::Way::CancelByOperationId) {
        return Ok(false);
    }
    let payment = &subject.payment;
    let mut conn = app.pool.acquire().await?;
    let number = subject.underway.attempt_number;
    store::operations::was_called_off(&mut conn, payment.merchant_id, payment.payment_id, number).await
}

/// Calls it off, and waits once more for what the gateway says. False where it cannot be.
pub(super) async fn call_off(app: &Arc<App>, case: &Case) -> Result<bool, Stuck> {
    let subject = &case.subject;
    if subject.called_off {
        // Whoever did so died before it was put aside.
        wait(app, case).await?;
        return Ok(true);
    }
    let payment = answer::payment(app, subject.payment.merchant(), subject.payment.id()).await?;
    let ask = Ask::CallOff { key: subject.underway.key.clone() };
    let begun = match Box::pin(operate::begin(app, None, &payment, &ask, Some(Purpose::CallOff))).await {
        Ok(Some(begun)) => begun,
        Ok(None) | Err(Refusal::OperationInProgress | Refusal::NotCancelable { .. }) => return Ok(false),
        Err(refusal) => return Err(refusal.into()),
    };
    tracing::info!(payment.id = %payment.id(), "nobody can find out what became of it: the authorization is called off");
    wait(app, case).await?;
    run::drive_alone(app, begun);
    Ok(true)
}

async fn wait(app: &App, case: &Case) -> Result<(), Stuck> {
    let heard_within = schedule::after_call_off(&app.config.verify_delays);
    let in_ms = i64::try_from(heard_within.as_millis()).unwrap_or(i64::MAX);
    case.set_aside(app, Pause { in_ms, reply: None }).await
}
