//! What a drive came to, applied, and told to whoever waits for it.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{Applied, NotApplied, Subject, apply, reread};
use crate::{
    app::App,
    connector::types::{DeclineCode, Outcome},
    flow::{
        Answer, Refusal, answer,
        begun::Begun,
        drive::{Ended, OwnedReply, What},
        evidence::{self, Evidence, Source},
        fail_over::{self, Trial},
    },
    store,
};

/// Pause before commit 2 is tried again while the database is away; it goes on until the lease is over.
const STORE_AWAY_PAUSE: Duration = Duration::from_millis(250);

/// Who waits for the outcome, if anybody does.
pub type Report = Option<oneshot::Sender<Result<Answer, Refusal>>>;

/// What follows.
pub enum Concluded {
    Done(Option<Applied>),
    /// The payment goes on at another gateway, with the next attempt.
    FailsOver(Box<Begun>),
}

/// Applies what a drive came to, and tells whoever waits. A database that is away is reported at once and tried again
/// until the lease is over; after that another host finds the journal and goes on from there. With a `trial`, an attempt
/// that did nothing is followed by one at the next gateway.
pub async fn conclude(
    app: &Arc<App>,
    subject: &mut Subject,
    ended: Ended,
    report: &mut Report,
    trial: Option<&mut Trial>,
) -> Concluded {
    let mut tell = |result: Result<Answer, Refusal>| {
        if let Some(report) = report.take() {
            // Nobody waits any more where the client hung up or the time to answer is over.
            drop(report.send(result));
        }
    };
    let Ended { what, reply } = ended;
    let gives_up_at = app.clock.boot() + app.config.lease;
    let what = match what {
        What::Interrupted(error) => {
            tracing::warn!(operation.id = %subject.underway.operation.id, %error, "the operation waits for its lease to end");
            tell(Err(error.into()));
            return Concluded::Done(None);
        }
        What::LeaseLost => {
            keep_evidence(app, subject, reply.as_ref(), None).await;
            tell(as_it_is(app, subject).await);
            return Concluded::Done(None);
        }
        what @ (What::Outcome(_) | What::NotSent { .. } | What::Unknown(_)) => what,
    };
    if let Some(trial) = trial {
        match Box::pin(fail_over::fail_over(app, subject, &what, reply.as_ref(), trial)).await {
            Ok(Some(begun)) => return Concluded::FailsOver(Box::new(begun)),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the payment could not go on at another gateway"),
        }
    }
    loop {
        match apply(app, subject, &what, reply.as_ref()).await {
            Ok(applied) => {
                tell(Ok(applied.answer.clone()));
                return Concluded::Done(Some(applied));
            }
            Err(NotApplied::LeaseLost | NotApplied::Contended) => {
                keep_evidence(app, subject, reply.as_ref(), Some(&what)).await;
                tell(as_it_is(app, subject).await);
                return Concluded::Done(None);
            }
            Err(NotApplied::Store(error)) if error.is_transient() && app.clock.boot() < gives_up_at => {
                tell(Err(error.into()));
                tokio::time::sleep(STORE_AWAY_PAUSE).await;
            }
            Err(NotApplied::Store(error)) => {
                tracing::error!(
                    operation.id = %subject.underway.operation.id, error = format!("{:#}", anyhow::Error::new(error)),
                    "what is known of an operation could not be written; its lease will run out"
                );
                keep_evidence(app, subject, reply.as_ref(), None).await;
                tell(Err(Refusal::Internal(anyhow::anyhow!("what is known of the operation could not be written"))));
                return Concluded::Done(None);
            }
        }
    }
}

/// The operation as another host left it: the bytes that its key will replay, or the payment.
async fn as_it_is(app: &Arc<App>, subject: &mut Subject) -> Result<Answer, Refusal> {
    if let Some((scope, key, _)) = &subject.underway.key {
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let found = store::idempotency::find(&mut conn, subject.payment.merchant(), scope, key).await?;
        if let Some((status, body)) = found.and_then(|found| found.answer_status.zip(found.answer_body)) {
            return Ok(Answer { status: status.unsigned_abs(), body: body.into(), replayed: false });
        }
    }
    reread(app, subject).await?;
    let merchant = subject.payment.merchant();
    let answer = answer::of_operation(app, merchant, subject.leased.operation_id, &subject.payment).await?;
    // Where a key has no stored answer yet, nothing that is said under it is final.
    Ok(if subject.underway.key.is_some() { Answer { status: answer::ACCEPTED, ..answer } } else { answer })
}

/// A reply that comes after the lease was lost is kept: it is what happened. What it says goes through the gate as a
/// verified webhook would.
async fn keep_evidence(app: &Arc<App>, subject: &Subject, reply: Option<&OwnedReply>, what: Option<&What>) {
    let Some(reply) = reply else { return };
    let kept = async {
        let mut conn = app.pool.acquire().await?;
        store::journal::late_reply(&mut conn, subject.leased, &reply.row()).await
    }
    .await;
    tracing::warn!(
        payment.id = %subject.payment.id(), operation.id = %subject.underway.operation.id, kept = kept.is_ok(),
        "a reply came after its lease was lost: another host owns the operation"
    );
    let Some(What::Outcome(outcome)) = what else { return };
    if speaks_of_its_moment(outcome) {
        return;
    }
    let evidence = Evidence {
        merchant_id: subject.payment.merchant_id,
        operation_id: subject.leased.operation_id,
        kind: None,
        outcome: outcome.clone(),
        received_at: reply.received_at,
        source: Source::LateReply,
    };
    if let Err(refusal) = evidence::apply_boxed(app, evidence).await {
        tracing::warn!(%refusal, "a late reply is kept, and could not be applied");
    }
}

/// Whether it says that nothing happened then, or that nothing was looked at. Whoever took over may have sent again since:
/// late, this is no proof of anything.
fn speaks_of_its_moment(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::NotProcessed(_) | Outcome::NeverReceived => true,
        Outcome::Declined(decline) => decline.code == DeclineCode::Misconfigured || decline.gateway_reference.is_none(),
        Outcome::Authorized(_)
        | Outcome::Captured(_)
        | Outcome::Cancelled(_)
        | Outcome::Refunded(_)
        | Outcome::ActionRequired(_)
        | Outcome::ReadyToComplete(_)
        | Outcome::Pending(_)
        | Outcome::Expired(_) => false,
    }
}
