//! One operation that is carried on: as the journal tells it, and what is written down where nothing was learned of it.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::{
    By, HELD_BACK_PAUSE_MS, Stuck, conclude,
    journal::{pinned, subject},
    secrets::Filled,
};
use crate::{
    app::{App, Lease},
    connector::{
        hex,
        types::{Accepted, DeclineCode, Exchange, Operation, Outcome},
    },
    domain::{
        id::{MerchantId, PaymentId},
        payment::State,
        schedule,
    },
    flow::{
        advance::Subject,
        answer,
        drive::{Ended, OwnedReply, Running, What},
        expire,
    },
    store::{
        self,
        journal::{Journaled, Leased},
        work::Claimed,
    },
    wire::Permit,
};

/// Why an operation was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Its host is gone.
    Drive,
    /// Its outcome is unknown.
    Resolve,
    /// The gateway has accepted it and not decided.
    Poll,
    /// The customer was to act, and the time for it is over.
    Act,
}

/// An operation as the journal tells it.
pub(super) struct Case {
    pub(super) task: Task,
    pub(super) by: By,
    pub(super) subject: Subject,
    pub(super) permit: Permit,
    pub(super) lease: Lease,
    /// Exchanges in order; the last may lack its reply.
    pub(super) journal: Vec<Journaled>,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) has_code: bool,
}

impl Case {
    /// What a question or a resend that came to nothing leaves: an accepted operation stays accepted, an unknown one
    /// unknown, and one that waits for its customer waits on. None where nothing was learned and nothing was tried that
    /// counts: the operation is looked at again after the pause.
    fn knew(&self, ended: Ended) -> Result<Ended, Pause> {
        if let What::NotSent { held_back: true, .. } = ended.what
            && self.by == By::Schedule
        {
            return Err(Pause { in_ms: HELD_BACK_PAUSE_MS + self.jitter_ms(), reply: ended.reply.map(Box::new) });
        }
        let ended = still_unknown(ended);
        match (self.task, ended.what) {
            (Task::Resolve | Task::Poll | Task::Act, What::Unknown(_)) if self.by == By::Hand => {
                let in_ms = i64::try_from(self.subject.due_in.as_millis()).unwrap_or(i64::MAX);
                Err(Pause { in_ms, reply: ended.reply.map(Box::new) })
            }
            // Before the customer's time is over, that the gateway has it and waits is no news; and the action that they
            // have before them would be gone.
            (Task::Act, What::Outcome(Outcome::Pending(_))) if self.by == By::Hand => {
                let in_ms = i64::try_from(self.subject.due_in.as_millis()).unwrap_or(i64::MAX);
                Err(Pause { in_ms, reply: ended.reply.map(Box::new) })
            }
            (Task::Poll, What::Unknown(_)) => {
                let accepted = Accepted { gateway_reference: None, references: Vec::new() };
                Ok(Ended { what: What::Outcome(Outcome::Pending(accepted)), reply: ended.reply })
            }
            (Task::Act, What::Unknown(_)) => {
                let in_ms = i64::try_from(self.subject.due_in.as_millis()).unwrap_or(i64::MAX);
                Err(Pause { in_ms, reply: ended.reply.map(Box::new) })
            }
            (_, what) => Ok(Ended { what, reply: ended.reply }),
        }
    }

    /// Up to as much again, different for each operation: after an outage they must not all come at once.
    fn jitter_ms(&self) -> i64 {
        let spread = u128::from(HELD_BACK_PAUSE_MS.unsigned_abs());
        i64::try_from(self.subject.leased.operation_id.as_u128() % spread).unwrap_or(0)
    }

    pub(super) async fn conclude(mut self, app: &Arc<App>, ended: Ended) -> Result<(), Stuck> {
        let expires = self.task == Task::Act && self.by == By::Schedule;
        let tries = usize::try_from(self.subject.checks).unwrap_or(0);
        if expires {
            // Where the gateway still waits for the customer, the attempt is looked at again should its cancel fail: ever
            // further apart, and hourly once the schedule is used up.
            let hourly = Duration::from_secs(schedule::PENDING_POLL_S);
            self.subject.due_in = schedule::next_check(&app.config.verify_delays, tries).unwrap_or(hourly);
            self.subject.checks = self.subject.checks.saturating_add(1);
        }
        match self.knew(ended) {
            Ok(ended) => conclude(app, &mut self.subject, ended).await,
            Err(pause) => self.set_aside(app, pause).await?,
        }
        if expires {
            let payment = answer::payment(app, self.subject.payment.merchant(), self.subject.payment.id()).await?;
            if payment.status == State::RequiresAction {
                let is_last = tries >= app.config.verify_delays.len();
                expire::unfinished(app, &payment, self.subject.leased.operation_id, is_last).await?;
            }
        }
        Ok(())
    }
}

impl Case {
    /// Keeps what came of the try, and looks at the operation again after the pause. Where it was sent again, "never
    /// received" counts anew from here on.
    pub(super) async fn set_aside(&self, app: &App, pause: Pause) -> Result<(), Stuck> {
        let row = pause.reply.as_deref().map(OwnedReply::row);
        let leased = self.subject.leased;
        let sent_again = self.task == Task::Resolve && self.subject.unknown_for.is_none();
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let aside = store::journal::Aside { in_ms: pause.in_ms, checks: self.subject.checks, sent_again };
        store::journal::set_aside(&mut conn, leased, row.as_ref(), &aside, app.clock.now()).await?;
        Ok(())
    }
}

/// An operation is looked at again after this, with nothing of it changed.
pub(super) struct Pause {
    pub(super) in_ms: i64,
    pub(super) reply: Option<Box<OwnedReply>>,
}

/// Four reads; none where the operation was resolved in the meantime.
pub(super) async fn load(
    app: &App,
    claimed: &Claimed,
    leased: Leased,
    lease: Lease,
    by: By,
) -> Result<Option<Case>, Stuck> {
    let merchant = MerchantId::from_uuid(claimed.merchant_id);
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let operation = store::operations::get(&mut conn, claimed.merchant_id, claimed.operation_id).await?;
    let payment = store::payments::get(&mut conn, merchant, PaymentId::from_uuid(claimed.payment_id)).await?;
    let journal = store::journal::transcript(&mut conn, claimed.merchant_id, claimed.operation_id).await?;
    drop(conn);
    let (Some(operation), Some(payment)) = (operation, payment) else { return Ok(None) };
    let Some(version) = pinned(app, &operation) else {
        return Err(Stuck::Lacking(format!("version {} of connector {}", hex(&operation.digest), operation.connector)));
    };
    let (currency, has_code) = (operation.currency.clone(), operation.has_code);
    let subject = subject(payment, operation, version, leased, Some(claimed))?;
    let permit = Permit::new(subject.underway.version.descriptor(), &subject.underway.context.settings)
        .map_err(|error| Stuck::Lacking(format!("the account's settings: {error}")))?;
    Ok(Some(Case {
        task: match claimed.task.as_str() {
            "drive" => Task::Drive,
            "poll" => Task::Poll,
            "act" => Task::Act,
            _ => Task::Resolve,
        },
        by,
        amount: subject.underway.amount,
        subject,
        permit,
        lease,
        journal,
        currency,
        has_code,
    }))
}

/// What a question or a resend came to may speak of itself alone: that not a byte of it left, that the gateway did
/// nothing this time, or that it did not even look (a key of the account that is refused). None of these says anything
/// about the first time.
fn still_unknown(ended: Ended) -> Ended {
    let what = match ended.what {
        What::NotSent { why, .. } => What::Unknown(why),
        What::Outcome(outcome) if speaks_of_itself(&outcome) => {
            What::Unknown("this time the gateway did nothing, or refused to look at it".into())
        }
        what @ (What::Outcome(_) | What::Unknown(_) | What::LeaseLost | What::Interrupted(_)) => what,
    };
    Ended { what, reply: ended.reply }
}

/// Whether the answer to a question, or to a resend, says nothing about the first time.
#[must_use]
pub fn speaks_of_itself(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::NotProcessed(_) => true,
        Outcome::Declined(decline) => decline.code == DeclineCode::Misconfigured || decline.gateway_reference.is_none(),
        Outcome::Authorized(_)
        | Outcome::Captured(_)
        | Outcome::Cancelled(_)
        | Outcome::Refunded(_)
        | Outcome::ActionRequired(_)
        | Outcome::ReadyToComplete(_)
        | Outcome::Pending(_)
        | Outcome::Expired(_)
        | Outcome::NeverReceived => false,
    }
}

pub(super) fn running(
    case: &Case,
    asking: Uuid,
    operation: Arc<Operation>,
    filled: Filled,
    transcript: Vec<Exchange>,
) -> Running {
    let underway = &case.subject.underway;
    Running {
        asking,
        leased: case.subject.leased,
        lease: case.lease,
        account: filled.account,
        version: Arc::clone(&underway.version),
        context: Arc::clone(&underway.context),
        operation,
        permit: case.permit.clone(),
        holes: filled.holes,
        transcript,
    }
}
