//! `POST /v1/payments/{id}/sync`, and a confirm without parameters while the customer is to act: ask the gateway now.
//!
//! Asking only reads, so its key is claimed with its answer, once there is one: a repeat asks again until then.

use std::sync::Arc;

use tracing::Instrument as _;

use super::{Answer, Call, Refusal, answer, create_payment::key_of, evidence, task};
use crate::{
    app::App,
    domain::{id::PaymentId, payment::State},
    store::{self, payments::Payment},
    view::payment::PaymentView,
};

/// Asks about whatever is under way, or about the last attempt where nothing is. Runs as a task of its own.
pub async fn sync_payment(app: &Arc<App>, call: Call, payment: PaymentId) -> Result<Answer, Refusal> {
    let owned = Arc::clone(app);
    task::detached(app, async move {
        if let Some(answer) = answer::of_key(&owned, &call).await? {
            return Ok(answer);
        }
        let payment = answer::payment(&owned, call.merchant, payment).await?;
        ask(&owned, &call, payment).await
    })
    .await
}

/// As [`sync_payment`], for a payment that was read and a key that was not used.
pub async fn ask(app: &Arc<App>, call: &Call, payment: Payment) -> Result<Answer, Refusal> {
    if payment.status == State::Created {
        return answered(app, call, &payment).await;
    }
    // A task of its own: where the gateway takes longer than the time to answer, what was begun is finished all the same.
    let (owned, asked) = (Arc::clone(app), payment.clone());
    let asking = app.tasks.spawn(async move { Box::pin(ask_about(&owned, &asked)).await }.in_current_span());
    match tokio::time::timeout(app.config.answer_timeout, asking).await {
        Ok(Ok(result)) => result?,
        Ok(Err(panic)) => {
            return Err(Refusal::Internal(anyhow::Error::new(panic).context("a question ended abnormally")));
        }
        Err(_) => tracing::info!(payment.id = %payment.id(), "the gateway takes longer than the time to answer"),
    }
    let payment = answer::payment(app, call.merchant, payment.id()).await?;
    answered(app, call, &payment).await
}

async fn ask_about(app: &Arc<App>, payment: &Payment) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let open = store::work::of_payment(&mut conn, payment.merchant_id, payment.payment_id).await?;
    let mut operations: Vec<_> =
        open.iter().filter(|open| open.task != "review").map(|open| open.operation_id).collect();
    if open.is_empty() {
        let number = payment.won_attempt.unwrap_or(payment.attempt_count);
        let last = store::operations::first_of_attempt(&mut conn, payment.merchant_id, payment.payment_id, number);
        operations.extend(last.await?);
    }
    drop(conn);
    for operation in operations {
        evidence::ask_now_boxed(app, payment.merchant_id, operation).await?;
    }
    Ok(())
}

/// 200 with the payment, kept under the key, so that a repeat gets these bytes whatever becomes of the payment; 202 while it
/// is not final. One commit.
pub async fn answered(app: &Arc<App>, call: &Call, payment: &Payment) -> Result<Answer, Refusal> {
    if !payment.status.is_answer() {
        return Ok(answer::accepted(payment));
    }
    let body = PaymentView::new(payment).to_bytes();
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let now = app.clock.now();
    if store::answers::claim(&mut conn, call.merchant, &key_of(app, call), call.answer_status(), &body, now).await? {
        return Ok(Answer { status: call.final_status, body: body.into(), replayed: false });
    }
    drop(conn);
    answer::of_taken_key(app, call).await
}
