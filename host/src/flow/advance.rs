//! The gate: the only writer of a payment's state.
//!
//! Whatever is learned of an attempt — a reply, a sync, a webhook, silence — comes through [`apply`]. It asks the domain
//! what that does to the payment, and writes everything that follows in commit 2: state, totals, audit rows, outbox
//! rows, the lease, and the answer that the merchant's key will replay. One statement, one commit, one round trip; twice
//! that where somebody else changed the payment in between.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Answer, Refusal, answer,
    create_payment::push_event,
    drive::{Ended, OwnedReply, What},
    learned::{self, Learned, Next},
    prepare::Underway,
};
use crate::{
    app::App,
    connector::types::{Outcome, Pairs},
    domain::{
        payment::{Decision, Event, State, Totals, decide},
        schedule,
    },
    fault::{self, Point},
    store::{
        self,
        begin::{AuditRows, OutboxRows},
        finish::{AttemptColumns, Finish, Finished, KeyAnswer, OperationColumns, PaymentColumns, Review, Work},
        journal::Leased,
        payments::Payment,
    },
};

/// How often commit 2 is decided anew because the payment has moved on under it.
const STALE_TRIES_MAX: usize = 5;
/// Pause before commit 2 is tried again while the database is away; it goes on until the lease is over.
const STORE_AWAY_PAUSE: Duration = Duration::from_millis(250);
/// Where `work` waits for a person.
const REVIEW_DUE_MS: i64 = 100 * 365 * 86_400_000;

/// An attempt about which something was learned.
pub struct Subject {
    /// As it was when last read or written.
    pub payment: Payment,
    pub underway: Underway,
    pub leased: Leased,
    /// How often an unknown outcome was asked for, this time not counted.
    pub checks: i16,
    pub never_received: i16,
    /// Since commit 1, by the database's clock.
    pub age: Duration,
    /// What earlier outcomes of the attempt returned, merged.
    pub references: Pairs,
    /// Since when it can no longer be under way; none where it was not unknown, or has just been sent again.
    pub unknown_for: Option<Duration>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NotApplied {
    /// Another host owns the operation, or it is resolved.
    #[error("the lease is another's")]
    LeaseLost,
    #[error("the payment was changed by others again and again")]
    Contended,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Applies what a drive came to, and tells whoever waits. A database that is away is reported at once and tried again
/// until the lease is over; after that another host finds the journal and goes on from there.
pub async fn conclude(
    app: &Arc<App>,
    mut subject: Subject,
    ended: Ended,
    report: Option<oneshot::Sender<Result<Answer, Refusal>>>,
) {
    let mut report = report;
    let mut tell = move |result: Result<Answer, Refusal>| {
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
            return tell(Err(error.into()));
        }
        What::LeaseLost => {
            keep_evidence(app, &subject, reply.as_ref()).await;
            return tell(as_it_is(app, &subject).await);
        }
        what @ (What::Outcome(_) | What::NotSent { .. } | What::Unknown(_)) => what,
    };
    loop {
        match apply(app, &mut subject, &what, reply.as_ref()).await {
            Ok(answer) => {
                fault::point(Point::AfterCommitTwo);
                return tell(Ok(answer));
            }
            Err(NotApplied::LeaseLost | NotApplied::Contended) => {
                keep_evidence(app, &subject, reply.as_ref()).await;
                return tell(as_it_is(app, &subject).await);
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
                keep_evidence(app, &subject, reply.as_ref()).await;
                return tell(Err(Refusal::Internal(anyhow::anyhow!(
                    "what is known of the operation could not be written"
                ))));
            }
        }
    }
}

/// The payment as another host left it.
async fn as_it_is(app: &App, subject: &Subject) -> Result<Answer, Refusal> {
    if let Some((scope, key, _)) = &subject.underway.key {
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let found = store::idempotency::find(&mut conn, subject.payment.merchant(), scope, key).await?;
        // The bytes that the key will replay are this request's answer too.
        if let Some((status, body)) = found.and_then(|found| found.answer_status.zip(found.answer_body)) {
            return Ok(Answer { status: status.unsigned_abs(), body: body.into(), replayed: false });
        }
    }
    let payment = reread(app, subject).await?;
    Ok(if payment.status.is_answer() { answer::unchanged(&payment) } else { answer::accepted(&payment) })
}

/// A reply that comes after the lease was lost is kept: it is what happened.
async fn keep_evidence(app: &App, subject: &Subject, reply: Option<&OwnedReply>) {
    let Some(reply) = reply else { return };
    let kept = async {
        let mut conn = app.pool.acquire().await?;
        store::journal::late_reply(&mut conn, subject.leased, &reply.row(), app.ids.v7()).await
    }
    .await;
    tracing::warn!(
        payment.id = %subject.payment.id(), operation.id = %subject.underway.operation.id, kept = kept.is_ok(),
        "a reply came after its lease was lost: another host owns the operation"
    );
}

/// Decides and writes. `subject.payment` is as written afterwards.
pub async fn apply(
    app: &App,
    subject: &mut Subject,
    what: &What,
    reply: Option<&OwnedReply>,
) -> Result<Answer, NotApplied> {
    for _ in 0..STALE_TRIES_MAX {
        let learned = Learned::of(what, subject);
        let mut after = After::new(app, subject, learned);
        fault::point(Point::BeforeCommitTwo);
        let finish = after.finish(app, subject, reply);
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let finished = store::finish::finish(&mut conn, finish).await?;
        drop(conn);
        if finished == Finished::Yes {
            after.tell(subject);
            let answer = after.answer(subject);
            subject.payment = after.payment;
            return Ok(answer);
        }
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let Leased { merchant_id, operation_id, fence } = subject.leased;
        if store::work::fence(&mut conn, merchant_id, operation_id).await? != Some(fence) {
            return Err(NotApplied::LeaseLost);
        }
        drop(conn);
        subject.payment = reread(app, subject).await?;
    }
    Err(NotApplied::Contended)
}

async fn reread(app: &App, subject: &Subject) -> Result<Payment, store::Error> {
    let mut conn = app.pool.acquire().await?;
    let payment = store::payments::get(&mut conn, subject.payment.merchant(), subject.payment.id()).await?;
    payment.ok_or_else(|| store::Error::Unreadable {
        table: "payments",
        what: format!("{} is gone", subject.payment.id()),
    })
}

/// The payment as commit 2 will leave it, and what goes with that.
struct After {
    payment: Payment,
    learned: Learned,
    from: State,
    moved: bool,
    wins: bool,
    review: Option<(&'static str, Value)>,
    audit: AuditRows,
    outbox: OutboxRows,
    body: Option<Vec<u8>>,
    work: Option<Next>,
}

impl After {
    fn new(app: &App, subject: &Subject, mut learned: Learned) -> Self {
        let before = &subject.payment;
        let mut payment = before.clone();
        let from = before.status;
        // The schedule is used up: a person takes over.
        if learned.next == Next::Resolve
            && schedule::next_check(&app.config.verify_delays, usize::try_from(subject.checks).unwrap_or(0)).is_none()
        {
            learned.give_up();
        }
        // Accepted, and not decided in the time in which this gateway decides: somebody should look, once.
        let unsettled =
            learned.next == Next::Poll && subject.checks == 0 && subject.age >= learned::settles_within(subject);
        let decision = decide(from, learned.event);
        let to = match decision {
            Decision::Move(to) => to,
            Decision::Stay | Decision::Review => from,
        };
        let moved = to != from;
        let review = match decision {
            Decision::Move(State::ManualReview) => Some(learned.review_reason()),
            Decision::Review => Some("contradiction"),
            Decision::Move(_) | Decision::Stay => unsettled.then_some("unsettled"),
        };
        let totals =
            Totals { amount: payment.amount, authorized: payment.amount_authorized, captured: payment.amount_captured }
                .after(to);
        payment.status = to;
        payment.amount_authorized = totals.authorized;
        payment.amount_captured = totals.captured;
        let holds = matches!(to, State::Authorized | State::Succeeded);
        let wins = moved && holds && payment.won_attempt.is_none();
        if wins {
            payment.won_attempt = Some(subject.underway.attempt_number);
        }
        let work = learned.next_in(to);
        if matches!(work, Next::Nothing) {
            payment.open_attempt = None;
        }
        if let Some(reference) = &learned.gateway_reference {
            payment.gateway_reference = Some(reference.clone());
        }
        payment.next_action = if to == State::RequiresAction { learned.next_action.clone() } else { None };
        payment.last_error = if to == State::Failed { learned.last_error.clone().or(payment.last_error) } else { None };
        let now = app.clock.now();
        // What a gateway proves is recorded, also where it is not what we asked for.
        payment.amount_surplus += learned.surplus(&payment.currency);
        // An audit row counts as a change: of two writers on one version, one must find that it is stale.
        let changed = moved
            || review.is_some()
            || payment.gateway_reference != before.gateway_reference
            || payment.next_action != before.next_action
            || payment.last_error != before.last_error
            || payment.open_attempt != before.open_attempt;
        if changed {
            payment.version += 1;
            payment.updated_at = now;
        }
        let review = review.map(|reason| (reason, learned.evidence(from)));
        let mut after = Self {
            payment,
            learned,
            from,
            moved,
            wins,
            review,
            audit: AuditRows::default(),
            outbox: OutboxRows::default(),
            body: None,
            work: Some(work),
        };
        after.write_trail(app, now);
        after.body =
            after.payment.status.is_answer().then(|| crate::view::payment::PaymentView::new(&after.payment).to_bytes());
        after
    }

    /// The audit row and the event of a change of state; an event that changes nothing leaves no trace here.
    fn write_trail(&mut self, app: &App, now: chrono::DateTime<chrono::Utc>) {
        if !self.moved && self.review.is_none() {
            return;
        }
        self.payment.audit_sequence += 1;
        self.audit.sequence.push(self.payment.audit_sequence);
        self.audit.from_state.push(Some(self.from.into()));
        self.audit.to_state.push(self.payment.status.into());
        self.audit.event.push(self.learned.event.into());
        self.audit.wins.push(self.wins);
        self.audit.detail.push(self.learned.detail(self.from));
        if self.moved {
            self.payment.event_sequence += 1;
            push_event(app, &mut self.outbox, &self.payment, event_type(self.payment.status), now);
        }
    }

    fn finish<'a>(&'a mut self, app: &App, subject: &'a Subject, reply: Option<&'a OwnedReply>) -> Finish<'a> {
        let work = self.work.take().unwrap_or(Next::Nothing);
        let resolved = matches!(work, Next::Nothing);
        let learned = &self.learned;
        let answer = match (&subject.underway.key, &self.body) {
            (Some((scope, key, status)), Some(body)) => {
                Some(KeyAnswer { scope, key, status: *status, body, ttl_ms: app.idempotency_ttl_ms() })
            }
            _ => None,
        };
        let payment = &self.payment;
        Finish {
            merchant_id: payment.merchant_id,
            payment_id: payment.payment_id,
            public_id: &subject.underway.operation.payment_id,
            operation_id: subject.leased.operation_id,
            fence: subject.leased.fence,
            expected_version: subject.payment.version,
            reply: reply.map(OwnedReply::row),
            work: as_work(app, work, subject, learned),
            payment: PaymentColumns {
                status: payment.status,
                amount_authorized: payment.amount_authorized,
                amount_captured: payment.amount_captured,
                amount_surplus: payment.amount_surplus,
                open_attempt: payment.open_attempt,
                won_attempt: payment.won_attempt,
                version: payment.version,
                audit_sequence: payment.audit_sequence,
                event_sequence: payment.event_sequence,
                gateway_reference: payment.gateway_reference.as_deref(),
                next_action: payment.next_action.as_ref(),
                last_error: payment.last_error.as_ref(),
                updated_at: payment.updated_at,
            },
            attempt: AttemptColumns {
                number: subject.underway.attempt_number,
                status: learned.attempt_status(payment.status),
                gateway_reference: learned.gateway_reference.as_deref(),
                references: super::prepare::json(&learned.new_references(&subject.references)),
                last_error: learned.last_error.as_ref(),
            },
            operation: OperationColumns {
                status: learned.operation_status(payment.status, resolved),
                outcome: if resolved { learned.outcome.clone() } else { None },
                finished: resolved,
                asked: reply
                    .filter(|reply| reply.operation_id != subject.leased.operation_id)
                    .and(learned.outcome.clone()),
            },
            audit: std::mem::take(&mut self.audit),
            outbox: std::mem::take(&mut self.outbox),
            answer,
            code_of: subject.underway.token_id.filter(|_| resolved),
            review: self.review.take().map(|(reason, detail)| Review { review_id: app.ids.v7(), reason, detail }),
            owner: None,
            now: app.clock.now(),
        }
    }

    /// For people: one line a change of state, and the counters.
    fn tell(&self, subject: &Subject) {
        let to: &str = self.payment.status.into();
        if self.moved {
            metrics::counter!("interlock_payment_transitions_total", "to" => to.to_owned()).increment(1);
        }
        tracing::info!(
            payment.id = %self.payment.id(), attempt.number = subject.underway.attempt_number,
            operation.id = %subject.underway.operation.id, payment.status = to,
            event = <&str>::from(self.learned.event), "the payment was advanced"
        );
    }

    fn answer(&self, subject: &Subject) -> Answer {
        match (&self.body, &subject.underway.key) {
            (Some(body), Some((_, _, status))) => {
                Answer { status: status.unsigned_abs(), body: body.clone().into(), replayed: false }
            }
            _ => answer::accepted(&self.payment),
        }
    }
}

/// When somebody looks again.
fn as_work(app: &App, next: Next, subject: &Subject, learned: &Learned) -> Work {
    let millis = |after: Duration| i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
    let again = |task, in_ms, checks, unknown_now| Work::Again {
        task,
        in_ms,
        checks,
        never_received: learned.never_received,
        unknown_now,
    };
    match next {
        Next::Nothing => Work::Done,
        Next::Resolve => {
            let delay = schedule::next_check(&app.config.verify_delays, usize::try_from(subject.checks).unwrap_or(0));
            // The first check waits for the first delay, the second for the second: `checks` counts delays used.
            let checks = subject.checks.saturating_add(1);
            again("resolve", millis(delay.unwrap_or_default()), checks, subject.unknown_for.is_none())
        }
        // `checks` remembers that a review was opened for it.
        Next::Poll => {
            let reviewed = subject.checks > 0 || subject.age >= learned::settles_within(subject);
            again("poll", millis(Duration::from_secs(schedule::PENDING_POLL_S)), i16::from(reviewed), false)
        }
        Next::Act => again("act", millis(app.config.action_ttl), 0, false),
        Next::Person => again("review", REVIEW_DUE_MS, subject.checks, false),
    }
}

/// The event that a merchant is sent for a change to `to`.
fn event_type(to: State) -> &'static str {
    match to {
        State::Created => "payment.created",
        State::Processing => "payment.processing",
        State::RequiresAction => "payment.requires_action",
        State::PendingVerification => "payment.pending_verification",
        State::Authorized => "payment.authorized",
        State::PartiallyCaptured => "payment.partially_captured",
        State::Succeeded => "payment.succeeded",
        State::PartiallyRefunded => "payment.partially_refunded",
        State::Refunded => "payment.refunded",
        State::Failed => "payment.failed",
        State::Cancelled => "payment.cancelled",
        State::Expired => "payment.expired",
        State::ManualReview => "payment.manual_review",
    }
}

/// Whether the gateway's figures are the payment's.
#[must_use]
pub fn is_ours(payment: &Payment, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Authorized(approval) | Outcome::Captured(approval) => {
            i64::try_from(approval.amount.minor_units) == Ok(payment.amount)
                && approval.amount.currency == payment.currency
        }
        Outcome::Cancelled(_)
        | Outcome::Refunded(_)
        | Outcome::Declined(_)
        | Outcome::ActionRequired(_)
        | Outcome::ReadyToComplete(_)
        | Outcome::Pending(_)
        | Outcome::Expired(_)
        | Outcome::NotProcessed(_)
        | Outcome::NeverReceived => true,
    }
}

/// What a review shows to the person who decides.
#[must_use]
pub fn review_detail(event: Event, from: State, outcome: Option<&Value>) -> Value {
    json!({ "event": <&str>::from(event), "payment_was": <&str>::from(from), "gateway_says": outcome })
}
