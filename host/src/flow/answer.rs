//! Answers: the stored one of a key that was used, or the payment as it is.

use std::sync::Arc;

use uuid::Uuid;

use super::{Answer, Call, RETRY_AFTER_IN_PROGRESS_S, Refusal, refunds};
use crate::{
    app::App,
    domain::id::{MerchantId, PaymentId},
    mutation::{self, Mutation},
    store::{self, idempotency::Found, payments::Payment},
    view::{payment::PaymentView, refund::RefundView},
};

/// What a merchant gets while the outcome is not known, or not final.
pub const ACCEPTED: u16 = 202;

/// The payment as it is, for an outcome that is not final.
#[must_use]
pub fn accepted(payment: &Payment) -> Answer {
    Answer { status: ACCEPTED, body: PaymentView::new(payment).to_bytes().into(), replayed: false }
}

/// The payment as it is, where nothing had to be done.
#[must_use]
pub fn unchanged(payment: &Payment) -> Answer {
    Answer { status: 200, body: PaymentView::new(payment).to_bytes().into(), replayed: false }
}

/// The merchant's payment. One round trip.
pub async fn payment(app: &App, merchant: MerchantId, id: PaymentId) -> Result<Payment, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    store::payments::get(&mut conn, merchant, id).await?.ok_or(Refusal::NotFound)
}

/// The operation as it is: a refund is answered by itself, everything else by its payment. 202 while it is not final.
pub async fn of_operation(
    app: &App,
    merchant: MerchantId,
    operation: Uuid,
    payment: &Payment,
) -> Result<Answer, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let row = store::operations::get(&mut conn, merchant.uuid(), operation).await?;
    drop(conn);
    let Some(row) = row.filter(|row| row.kind == "refund") else {
        return Ok(if payment.status.is_answer() { unchanged(payment) } else { accepted(payment) });
    };
    let refund = refunds::of_row(&row)?;
    let status = if refund.status == "pending" { ACCEPTED } else { 200 };
    Ok(Answer { status, body: RefundView::new(&refund).to_bytes().into(), replayed: false })
}

/// What the key's record says: the stored bytes, or that a host works on it (409), or the payment as it is (202). None
/// where the key was not used, or its answer's time is over.
pub async fn of_key(app: &Arc<App>, call: &Call) -> Result<Option<Answer>, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    match store::idempotency::find(&mut conn, call.merchant, &call.scope, &call.key).await? {
        Some(found) if !found.expired => {
            drop(conn);
            of_found(app, call, found).await.map(Some)
        }
        Some(_) | None => Ok(None),
    }
}

/// What a refusal before commit 1 becomes: the stored answer where the very same request was answered before. The world
/// may have moved on since (a token deleted, a card expired, an account disabled), and a repeat must not look as if
/// nothing had happened.
pub async fn or_stored(app: &Arc<App>, call: &Call, refusal: Refusal) -> Result<Answer, Refusal> {
    match of_key(app, call).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) | Err(_) => Err(refusal),
    }
}

/// As [`of_key`], for a key that could not be claimed a moment ago.
pub async fn of_taken_key(app: &Arc<App>, call: &Call) -> Result<Answer, Refusal> {
    match of_key(app, call).await? {
        Some(answer) => Ok(answer),
        // Taken a moment ago and free now: its answer's time ended in between. The client's retry claims it.
        None => Err(in_progress()),
    }
}

async fn of_found(app: &Arc<App>, call: &Call, found: Found) -> Result<Answer, Refusal> {
    if !call.has_fingerprint(&found.fingerprint) {
        return Err(Refusal::KeyReused);
    }
    if let (Some(status), Some(body)) = (found.answer_status, found.answer_body)
        && !mutation::is(Mutation::RenderReplays)
    {
        return Ok(Answer { status: status.unsigned_abs(), body: body.into(), replayed: true });
    }
    if found.driven {
        return Err(in_progress());
    }
    let Some(payment) = found.payment_id else { return Err(in_progress()) };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let payment = store::payments::get(&mut conn, call.merchant, PaymentId::from_uuid(payment)).await?;
    drop(conn);
    let payment = payment.ok_or_else(in_progress)?;
    match found.operation_id {
        // Its answer is not stored yet, whatever is known of it: 202 until then.
        Some(operation) => {
            let answer = of_operation(app, call.merchant, operation, &payment).await?;
            Ok(Answer { status: ACCEPTED, ..answer })
        }
        None => Ok(accepted(&payment)),
    }
}

fn in_progress() -> Refusal {
    Refusal::KeyInProgress { retry_after_s: RETRY_AFTER_IN_PROGRESS_S }
}
