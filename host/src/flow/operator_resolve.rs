//! An operator's word: what became of a payment, or of one of its operations, that nobody else could tell.
//!
//! It goes through the gate like everything that is learned, with a note of who said so and why.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use super::{
    Answer, Refusal,
    advance::{self, Beside, NotApplied, Subject},
    answer,
    learned::Learned,
    prepare::Purpose,
    resolve, run,
};
use crate::{
    app::App,
    connector::types::Action,
    domain::{
        book::Fact,
        id::{MerchantId, OperationId, PaymentId},
        payment::{Event, State},
    },
    store::{self, audit_log::Entry, journal::Leased, payments::Payment, work::Open},
};

pub use crate::domain::review::Verdict as ResolvedAs;

/// An operator's word.
pub struct Resolution {
    pub merchant_id: Uuid,
    pub payment: PaymentId,
    /// The capture, cancel or refund that it is about; none: the payment.
    pub operation: Option<OperationId>,
    pub outcome: ResolvedAs,
    /// Why, in the operator's words.
    pub note: String,
    /// The payment's version that the operator has seen.
    pub version: i32,
    pub actor: String,
}

/// Applies it, and closes the reviews that it answers. 200 with the payment. Where nothing waits the word can only confirm
/// what is there, and closes the reviews of the payment.
pub async fn resolve(app: &Arc<App>, resolution: Resolution) -> Result<Answer, Refusal> {
    let merchant = MerchantId::from_uuid(resolution.merchant_id);
    let payment = answer::payment(app, merchant, resolution.payment).await?;
    if payment.version != resolution.version {
        return Err(Refusal::Stale);
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let open = store::work::of_payment(&mut conn, payment.merchant_id, payment.payment_id).await?;
    drop(conn);
    let waiting = waiting(&open, &payment, &resolution)?;
    if waiting.is_none() && payment.status != State::ManualReview {
        return confirm(app, &payment, &resolution).await;
    }
    let mut subject = subject(app, payment, waiting).await?;
    let fact = fact(&subject, &resolution);
    let learned = Learned::resolved(fact, note(&resolution), &subject);
    let beside = Beside { audit: Some(audit_entry(app, &resolution)), ..Beside::default() };
    match advance::write(app, &mut subject, learned, None, beside).await {
        Ok(Some(applied)) => run::afterwards(app, &subject, &applied).await,
        Ok(None) | Err(NotApplied::LeaseLost | NotApplied::Contended) => {
            give_up(app, &subject).await?;
            return Err(Refusal::Stale);
        }
        Err(NotApplied::Store(error)) => return Err(error.into()),
    }
    Ok(answer::unchanged(&subject.payment))
}

/// The operation goes back to where it waits for a person, for the next word at once.
async fn give_up(app: &App, subject: &Subject) -> Result<(), Refusal> {
    if subject.resolved {
        return Ok(());
    }
    let Leased { merchant_id, operation_id, fence } = subject.leased;
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    store::work::postpone(&mut conn, merchant_id, operation_id, fence, advance::REVIEW_DUE_MS).await?;
    Ok(())
}

/// Closes the open reviews of a payment that is what the operator says. The gateway's evidence stays as it is.
async fn confirm(app: &Arc<App>, payment: &Payment, resolution: &Resolution) -> Result<Answer, Refusal> {
    let why = format!("it is {}, and nothing of it waits for a person", <&str>::from(payment.status));
    let says = match resolution.outcome {
        ResolvedAs::Succeeded => payment.amount_captured > 0 || payment.status == State::Authorized,
        ResolvedAs::Failed => payment.status == State::Failed,
        ResolvedAs::Cancelled => matches!(payment.status, State::Cancelled | State::Expired),
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin().await.map_err(store::Error::from)?;
    let (merchant_id, payment_id, note) = (payment.merchant_id, payment.payment_id, note(resolution));
    let closed = store::reviews::close_all(&mut tx, merchant_id, payment_id, &note, app.clock.now()).await?;
    if closed == 0 || !says {
        tx.rollback().await.map_err(store::Error::from)?;
        return Err(Refusal::NotResolvable { why });
    }
    store::audit_log::write(&mut tx, &audit_entry(app, resolution)).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(answer::unchanged(payment))
}

/// What is kept of it with the operation and with the reviews that it closes.
fn note(resolution: &Resolution) -> Value {
    let outcome: &str = resolution.outcome.into();
    json!({ "operator": { "outcome": outcome, "note": resolution.note, "actor": resolution.actor } })
}

/// What the audit log says of it, in the commit that makes it true.
fn audit_entry(app: &App, resolution: &Resolution) -> Entry {
    let outcome: &str = resolution.outcome.into();
    Entry {
        entry_id: app.ids.v7(),
        actor: resolution.actor.clone(),
        action: "payment.resolve".into(),
        subject: resolution.payment.to_string(),
        merchant_id: Some(resolution.merchant_id),
        detail: json!({
            "outcome": outcome, "note": resolution.note, "version": resolution.version,
            "operation": resolution.operation.map(|operation| operation.to_string()),
        }),
        created_at: app.clock.now(),
    }
}

/// What waits for the operator: under its lease, or as what was resolved before.
async fn subject(app: &Arc<App>, payment: Payment, waiting: Option<Uuid>) -> Result<Subject, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let merchant_id = payment.merchant_id;
    let (operation_id, claimed) = if let Some(waiting) = waiting {
        let claimed = store::work::claim(&mut conn, merchant_id, waiting, app.host_id, app.lease_ms()).await?;
        (waiting, Some(claimed.ok_or(Refusal::OperationInProgress)?))
    } else {
        let attempts = store::attempts::list(&mut conn, payment.merchant(), payment.id()).await?;
        let in_review = attempts.iter().rev().find(|attempt| attempt.status == "manual_review");
        let in_review = in_review.map(|attempt| attempt.number);
        let number = in_review.or(payment.won_attempt).unwrap_or(payment.attempt_count);
        let first = store::operations::first_of_attempt(&mut conn, merchant_id, payment.payment_id, number).await?;
        let first = first.ok_or_else(|| Refusal::NotResolvable { why: "it was never tried".into() })?;
        (first, None)
    };
    let operation = store::operations::get(&mut conn, merchant_id, operation_id).await?.ok_or(Refusal::NotFound)?;
    drop(conn);
    let version = resolve::pinned(app, &operation).or_else(|| app.registry.active(&operation.connector));
    let version = version.ok_or_else(|| Refusal::Unavailable {
        what: format!("connector {}", operation.connector),
        retry_after_s: super::RETRY_AFTER_UNAVAILABLE_S,
    })?;
    let fence = claimed.as_ref().map_or(0, |claimed| claimed.fence);
    let leased = Leased { merchant_id, operation_id, fence };
    Ok(resolve::subject(payment, operation, version, leased, claimed.as_ref())?)
}

/// The operation that waits for a person; none where the payment alone does.
fn waiting(open: &[Open], payment: &Payment, resolution: &Resolution) -> Result<Option<Uuid>, Refusal> {
    let in_review = |open: &&Open| open.task == "review";
    if let Some(wanted) = resolution.operation {
        let found = open.iter().filter(in_review).find(|open| open.operation_id == wanted.uuid());
        let why = || format!("{wanted} does not wait for a person");
        return found.map(|open| Some(open.operation_id)).ok_or_else(|| Refusal::NotResolvable { why: why() });
    }
    if payment.status == State::ManualReview {
        return Ok(open.iter().filter(in_review).find(|open| open.kind == "attempt").map(|open| open.operation_id));
    }
    let waiting: Vec<_> = open.iter().filter(in_review).collect();
    match waiting.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.operation_id)),
        _ => Err(Refusal::NotResolvable { why: "several operations wait: name one of them as `operation`".into() }),
    }
}

fn fact(subject: &Subject, resolution: &Resolution) -> Fact {
    let payment = &subject.payment;
    let asked = subject.underway.amount;
    let whole = Fact::Resolved(match resolution.outcome {
        ResolvedAs::Succeeded => Event::ResolvedSucceeded,
        ResolvedAs::Failed => Event::ResolvedFailed,
        ResolvedAs::Cancelled => Event::ResolvedCancelled,
    });
    if payment.status == State::ManualReview && resolution.operation.is_none() {
        return whole;
    }
    if subject.underway.purpose == Some(Purpose::Surplus) {
        return match resolution.outcome {
            ResolvedAs::Succeeded => Fact::SurplusReturned { amount: asked },
            ResolvedAs::Failed | ResolvedAs::Cancelled => Fact::Waits(Event::RefundRefused),
        };
    }
    match (&subject.underway.operation.action, resolution.outcome) {
        (Action::Capture(capture), ResolvedAs::Succeeded) => {
            Fact::CaptureDone { asked, proved: asked, is_final: capture.is_final }
        }
        (Action::Capture(_), ResolvedAs::Failed) => Fact::CaptureRefused { asked },
        (Action::Capture(_), ResolvedAs::Cancelled) => Fact::CaptureTooLate { asked, event: Event::Cancelled },
        (Action::Cancel(_), ResolvedAs::Succeeded | ResolvedAs::Cancelled) => {
            Fact::CancelDone { lapsed: subject.underway.purpose == Some(Purpose::Expiry) }
        }
        (Action::Cancel(_), ResolvedAs::Failed) => Fact::CancelRefused,
        (Action::Refund(_), ResolvedAs::Succeeded) => Fact::RefundDone { asked, proved: asked },
        (Action::Refund(_), ResolvedAs::Failed | ResolvedAs::Cancelled) => Fact::RefundRefused { asked },
        (Action::Authorize(_) | Action::Complete(_) | Action::Sync(_), _) => whole,
    }
}
