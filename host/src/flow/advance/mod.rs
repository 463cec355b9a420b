//! The gate: the only writer of a payment's state.
//!
//! Whatever is learned of an operation — a reply, a sync, a webhook, silence, an operator's word — comes through [`apply`].
//! It asks the domain what that does to the payment, and writes everything that follows in commit 2: state, totals, the
//! order's sums, audit rows, outbox rows, the lease, and the answer that the merchant's key will replay. One statement,
//! one commit, one round trip, and one more to read the order of a payment that has one; twice that where somebody else
//! changed the payment in between.

mod after;
mod conclude;
mod rows;

use std::time::Duration;

use sqlx::PgConnection;

use self::after::After;
pub use self::{
    after::{book_of, reference_in},
    conclude::{Concluded, Report, conclude},
    rows::REVIEW_DUE_MS,
};
use super::{
    Answer,
    drive::{OwnedReply, What},
    learned::Learned,
    prepare::{Purpose, Underway},
};
use crate::{
    app::App,
    connector::types::{Outcome, Pairs},
    domain::{
        book::{Entry, Fact},
        id::OrderId,
        payment::Event,
    },
    fault::{self, Point},
    store::{
        self,
        begin::{Begin, BeginOperation, NextAttempt, OperationBegun},
        finish::{Finish, Finished},
        journal::Leased,
        orders::Order,
        payments::Payment,
    },
};

/// How often commit 2 is decided anew because the payment has moved on under it.
const STALE_TRIES_MAX: usize = 20;

/// An operation about which something was learned.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself, and every pair of them can be")]
pub struct Subject {
    /// As it was when last read or written.
    pub payment: Payment,
    /// The payment's order, as the change is decided on.
    pub order: Option<Order>,
    /// How often somebody else was faster.
    pub stale_tries: u32,
    pub underway: Underway,
    /// The lease under which is written. Where the operation is resolved there is none, and the payment's version alone
    /// guards the write.
    pub leased: Leased,
    pub resolved: bool,
    /// How often an unknown outcome was asked for, this time not counted.
    pub checks: i16,
    pub never_received: i16,
    /// Since commit 1, by the database's clock.
    pub age: Duration,
    /// Until its time would have come, where it was taken before.
    pub due_in: Duration,
    /// Somebody asks, not the schedule: no check of it is used up.
    pub by_hand: bool,
    /// A secret that the request was sent with was replaced since: whoever answers to the new one may be another account,
    /// whose word that it never received something proves nothing.
    pub secrets_changed: bool,
    /// The host has begun to call it off, as the last way out.
    pub called_off: bool,
    /// It was accepted before: `checks` says whether a review was opened for it.
    pub was_accepted: bool,
    /// What earlier outcomes of the attempt returned, merged.
    pub references: Pairs,
    /// Since when it can no longer be under way; none where it was not unknown, or has just been sent again.
    pub unknown_for: Option<Duration>,
    /// What the gateway was last known to have said, where the operation is resolved.
    pub said: Option<Outcome>,
    /// The attempt's status, as last read.
    pub attempt_status: String,
    /// Last event of a refund.
    pub event_sequence: i32,
}

impl Subject {
    fn fence(&self) -> Option<i32> {
        (!self.resolved).then_some(self.leased.fence)
    }
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

/// What is written in the same transaction as the change; with nothing of it commit 2 is a single statement.
#[derive(Default)]
pub struct Beside<'a> {
    /// The webhook that said so: account, the gateway's event id, fence of its row in `webhook_work`.
    pub webhook: Option<(uuid::Uuid, &'a str, i32)>,
    /// The attempt with which the payment goes on at another gateway.
    pub next_attempt: Option<(Begin<'a>, NextAttempt)>,
    /// The operation that gives back what was taken twice. Its version is set here.
    pub give_back: Option<BeginOperation<'a>>,
    /// What the audit log says of it, where a person decided.
    pub audit: Option<store::audit_log::Entry>,
}

impl Beside<'_> {
    fn is_empty(&self) -> bool {
        self.webhook.is_none() && self.next_attempt.is_none() && self.give_back.is_none() && self.audit.is_none()
    }
}

/// What became of a change.
pub struct Applied {
    pub answer: Answer,
    pub entry: Entry,
    /// The customer approved, and the gateway waits for a complete.
    pub ready_to_complete: bool,
    /// The fence of the operation that gives back a surplus, where one was begun.
    pub give_back_fence: Option<i32>,
}

/// Decides and writes what a drive came to. `subject.payment` is as written afterwards.
pub async fn apply(
    app: &App,
    subject: &mut Subject,
    what: &What,
    reply: Option<&OwnedReply>,
) -> Result<Applied, NotApplied> {
    for _ in 0..STALE_TRIES_MAX {
        let learned = Learned::of(what, subject);
        if let Some(applied) = write(app, subject, learned, reply, Beside::default()).await? {
            return Ok(applied);
        }
        reread(app, subject).await?;
    }
    Err(NotApplied::Contended)
}

/// Writes one thing that was learned, with what goes beside it. None where the payment, or its order, has moved on: the
/// caller reads again ([`reread`]) and decides again.
pub async fn write(
    app: &App,
    subject: &mut Subject,
    learned: Learned,
    reply: Option<&OwnedReply>,
    beside: Beside<'_>,
) -> Result<Option<Applied>, NotApplied> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let order = subject.payment.order_id.map(OrderId::from_uuid);
    let merchant = subject.payment.merchant();
    let learned = beside_own_cancel(&mut conn, subject, learned).await?;
    // Payments of one order meet at its row. Whoever was too late once takes its lock before deciding again.
    let locks = order.filter(|_| subject.stale_tries > 0);
    let (after, finished, give_back_fence) = if locks.is_none() && beside.is_empty() {
        if let Some(order) = order {
            subject.order = store::orders::get(&mut conn, merchant, order).await?;
        }
        let mut after = After::new(app, subject, learned, false);
        fault::point_of(Point::BeforeCommitTwo, subject.underway.operation.action.kind());
        let finished = store::finish::finish(&mut conn, after.finish(app, subject, reply)).await?;
        (after, finished, None)
    } else {
        let mut tx = sqlx::Connection::begin(&mut *conn).await.map_err(store::Error::from)?;
        if let Some(order) = order {
            subject.order = match locks {
                Some(order) => store::orders::get_for_update(&mut tx, merchant, order).await?,
                None => store::orders::get(&mut tx, merchant, order).await?,
            };
        }
        let mut after = After::new(app, subject, learned, beside.next_attempt.is_some());
        fault::point_of(Point::BeforeCommitTwo, subject.underway.operation.action.kind());
        let finish = after.finish(app, subject, reply);
        // A transaction that is only dropped keeps its locks until its connection is used again.
        match all_of_it(&mut tx, finish, beside).await {
            Ok((Finished::Yes, fence)) => {
                tx.commit().await.map_err(store::Error::from)?;
                (after, Finished::Yes, fence)
            }
            Ok((Finished::No, _)) => {
                tx.rollback().await.map_err(store::Error::from)?;
                (after, Finished::No, None)
            }
            Err(error) => {
                tx.rollback().await.map_err(store::Error::from)?;
                return Err(error.into());
            }
        }
    };
    drop(conn);
    if finished == Finished::No {
        return if still_ours(app, subject).await? { Ok(None) } else { Err(NotApplied::LeaseLost) };
    }
    app.wake.committed();
    fault::point_of(Point::AfterCommitTwo, subject.underway.operation.action.kind());
    after.tell(subject);
    let applied = Applied {
        answer: after.answer(subject),
        entry: after.entry,
        ready_to_complete: after.ready_to_complete(),
        give_back_fence,
    };
    subject.order = None;
    subject.payment = after.payment;
    Ok(Some(applied))
}

/// What is said of an attempt while the host's own cancel of it is under way, and the other way round. One read, and none
/// where no such cancel is.
///
/// - That it is called off, the gateway says without saying by whom. Where nobody finished the payment in time it is the
///   cancel's doing, and the payment has expired: whichever of the two words comes first.
/// - That it is paid, while it is being called off, is no success yet: the money is held, until the cancel says whether it
///   came in time. Where it did not, the money was taken as the gateway had said.
async fn beside_own_cancel(
    conn: &mut PgConnection,
    subject: &Subject,
    mut learned: Learned,
) -> Result<Learned, store::Error> {
    let payment = &subject.payment;
    let Some(open) = payment.open_operation else { return Ok(learned) };
    match learned.fact {
        Fact::Attempt { event: event @ (Event::Cancelled | Event::Captured), proved } => {
            let cancel = store::operations::get(conn, payment.merchant_id, open).await?;
            let purpose = cancel.and_then(|cancel| cancel.purpose?.parse().ok());
            learned.fact = match (purpose, event) {
                (Some(Purpose::Expiry), Event::Cancelled) => Fact::Attempt { event: Event::Lapsed, proved },
                (Some(Purpose::CallOff), Event::Captured) => Fact::Attempt { event: Event::Authorized, proved: 0 },
                _ => learned.fact,
            };
        }
        Fact::CancelRefused if subject.underway.purpose == Some(Purpose::CallOff) => {
            let attempt = subject.underway.attempt_number;
            let (merchant_id, payment_id) = (payment.merchant_id, payment.payment_id);
            let first = store::operations::first_of_attempt(conn, merchant_id, payment_id, attempt).await?;
            let Some(first) = first else { return Ok(learned) };
            let said = store::operations::get(conn, merchant_id, first).await?.and_then(|first| first.outcome);
            learned.cancel_came_too_late(said, subject);
        }
        _ => {}
    }
    Ok(learned)
}

/// Commit 2 with all that goes beside it, in the caller's transaction.
async fn all_of_it(
    tx: &mut PgConnection,
    finish: Finish<'_>,
    beside: Beside<'_>,
) -> Result<(Finished, Option<i32>), store::Error> {
    let Beside { webhook, next_attempt, give_back, audit } = beside;
    let merchant_id = finish.merchant_id;
    let version = finish.payment.version;
    if store::finish::finish(&mut *tx, finish).await? == Finished::No {
        return Ok((Finished::No, None));
    }
    if let Some((account, event_id, fence)) = webhook
        && !store::inbox::applied(&mut *tx, merchant_id, account, event_id, fence).await?
    {
        return Ok((Finished::No, None));
    }
    if let Some((begin, next)) = next_attempt {
        store::begin::next_attempt(&mut *tx, begin, &NextAttempt { version, ..next }).await?;
    }
    if let Some(entry) = audit {
        store::audit_log::write(&mut *tx, &entry).await?;
    }
    let Some(begin) = give_back else { return Ok((Finished::Yes, None)) };
    let begin = BeginOperation { expected_version: version, version: version + 1, ..begin };
    Ok(match store::begin::begin_operation(tx, begin).await? {
        OperationBegun::Yes { fence } => (Finished::Yes, Some(fence)),
        OperationBegun::No => (Finished::No, None),
    })
}

async fn still_ours(app: &App, subject: &Subject) -> Result<bool, store::Error> {
    let Some(fence) = subject.fence() else { return Ok(true) };
    let mut conn = app.pool.acquire().await?;
    let Leased { merchant_id, operation_id, .. } = subject.leased;
    Ok(store::work::fence(&mut conn, merchant_id, operation_id).await? == Some(fence))
}

/// Reads the payment anew, after somebody else has changed it.
pub async fn reread(app: &App, subject: &mut Subject) -> Result<(), store::Error> {
    let mut conn = app.pool.acquire().await?;
    let payment = store::payments::get(&mut conn, subject.payment.merchant(), subject.payment.id()).await?;
    subject.payment = payment.ok_or_else(|| store::Error::Unreadable {
        table: "payments",
        what: format!("{} is gone", subject.payment.id()),
    })?;
    subject.order = None;
    subject.stale_tries += 1;
    Ok(())
}
