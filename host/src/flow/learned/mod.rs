//! What was learned of an operation, in the words of the domain and of the rows: read from an outcome, or from its
//! absence.
//!
//! - `attempt`: of an authorize or complete, which are the attempt;
//! - `settlement`: of a capture, cancel or refund;
//! - `late`: of an operation that was resolved before;
//! - `shown`: what merchants see of it.

mod attempt;
mod late;
mod settlement;
mod shown;

pub use self::shown::{declined, not_sent as unsent};

use std::time::Duration;

use serde_json::{Value, json};

use super::{advance::Subject, drive::What, prepare};
use crate::{
    connector::types::{Action, Money, OperationKind, Outcome, Pairs, Resolution, SyncTarget},
    domain::{
        book::{Entry, Fact},
        payment::{Event, State},
        resolution,
    },
    mutation::{self, Mutation},
};

/// What happens to the operation next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is resolved.
    Nothing,
    /// Its outcome is unknown: it is asked for by schedule.
    Resolve,
    /// The gateway will decide: it is asked now and then.
    Poll,
    /// The customer must act.
    Act,
    /// A person must decide.
    Person,
}

/// One piece of knowledge.
pub struct Learned {
    pub fact: Fact,
    pub next: Next,
    /// The payment's reference at the gateway; of an attempt alone.
    pub gateway_reference: Option<String>,
    pub references: Pairs,
    pub next_action: Option<Value>,
    pub last_error: Option<Value>,
    /// The connector's words, for the operation's row.
    pub outcome: Option<Value>,
    pub never_received: i16,
    /// The customer approved at the gateway, which waits for us: a complete is due.
    pub ready_to_complete: bool,
    /// The decline lets another gateway be tried; none where nothing was declined.
    pub failover: Option<Failover>,
    /// Nothing that moves money reached the gateway.
    pub not_sent: bool,
    /// A person says so: the reviews of it are closed.
    pub by_operator: bool,
    why: Option<String>,
}

/// Whether another gateway may be tried after a decline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    Allowed,
    /// The gateway may still change its mind: only where the account gives back what is paid twice.
    IfSurplusIsReturned,
}

impl Learned {
    /// Reads what a drive came to.
    #[must_use]
    pub fn of(what: &What, subject: &Subject) -> Self {
        let base = Self::nothing(subject);
        match what {
            What::Outcome(outcome) => base.read(outcome, subject).with_outcome(outcome),
            What::NotSent { why, .. } => base.not_sent(why, subject),
            // Neither of the last two reaches the gate: `conclude` has dealt with them.
            What::Unknown(why) => base.unknown(why),
            What::LeaseLost | What::Interrupted(_) => base,
        }
    }

    /// Reads what a gateway says of an operation that is resolved; none where it says nothing new.
    #[must_use]
    pub fn late(outcome: &Outcome, subject: &Subject) -> Option<Self> {
        let base = Self { next: Next::Nothing, ..Self::nothing(subject) };
        late::read(base, outcome, subject).map(|learned| learned.with_outcome(outcome))
    }

    /// An operator's word about an operation, or about the payment.
    #[must_use]
    pub fn resolved(fact: Fact, note: Value, subject: &Subject) -> Self {
        Self { fact, next: Next::Nothing, outcome: Some(note), by_operator: true, ..Self::nothing(subject) }
    }

    fn nothing(subject: &Subject) -> Self {
        let fact = if is_attempt(subject) {
            Fact::Attempt { event: Event::Unknown, proved: 0 }
        } else {
            Fact::Waits(Event::Unknown)
        };
        Self {
            fact,
            next: Next::Resolve,
            gateway_reference: None,
            references: Vec::new(),
            next_action: None,
            last_error: None,
            outcome: None,
            never_received: subject.never_received,
            ready_to_complete: false,
            failover: None,
            not_sent: false,
            by_operator: false,
            why: None,
        }
    }

    fn read(self, outcome: &Outcome, subject: &Subject) -> Self {
        match outcome {
            Outcome::NotProcessed(after) => {
                let wait =
                    after.map_or_else(String::new, |seconds| format!("; it asks to come back after {seconds} s"));
                self.not_sent(&format!("the gateway says that it did nothing{wait}"), subject)
            }
            Outcome::NeverReceived => self.never_received(subject),
            outcome if is_attempt(subject) => attempt::read(self, outcome, subject),
            outcome => settlement::read(self, outcome, subject),
        }
    }

    fn unknown(self, why: &str) -> Self {
        Self { why: Some(why.to_owned()), ..self }
    }

    fn not_sent(self, why: &str, subject: &Subject) -> Self {
        if subject.underway.operation.action.kind() == OperationKind::Complete {
            return self.not_completed(why, subject);
        }
        let fact = if is_attempt(subject) {
            Fact::Attempt { event: Event::NotSent, proved: 0 }
        } else {
            settlement::refused(subject)
        };
        Self {
            fact,
            next: Next::Nothing,
            last_error: Some(shown::not_sent()),
            not_sent: true,
            why: Some(why.to_owned()),
            ..self
        }
    }

    /// Nothing was finished, and nothing has ended either: the gateway waits as it did before. The customer may come back
    /// once more; where there is nothing for them to do, the gateway is asked again.
    fn not_completed(self, why: &str, subject: &Subject) -> Self {
        let waits_for_customer = subject.payment.next_action.is_some();
        let (event, next) =
            if waits_for_customer { (Event::ActionNeeded, Next::Act) } else { (Event::Accepted, Next::Poll) };
        Self { fact: Fact::Attempt { event, proved: 0 }, next, why: Some(why.to_owned()), ..self }
    }

    /// "I never saw it" is proof when it is said twice, the second time after everything under way has settled.
    /// From a gateway that has acknowledged the operation before it is a contradiction.
    fn never_received(self, subject: &Subject) -> Self {
        let is_authorize = subject.underway.operation.action.kind() == OperationKind::Authorize;
        let acknowledged =
            is_authorize && (!subject.references.is_empty() || subject.payment.gateway_reference.is_some());
        if acknowledged {
            return Self {
                fact: Fact::Attempt { event: Event::Mismatched, proved: 0 },
                next: Next::Person,
                why: Some("the gateway says that it never received what it has acknowledged".into()),
                ..self
            };
        }
        if subject.secrets_changed {
            return self
                .unknown("the account's secrets were replaced: what it never received, another account may have");
        }
        let times = self.never_received.saturating_add(1);
        let since = subject.unknown_for.unwrap_or_default();
        let counts =
            resolution::never_received_counts(usize::try_from(times).unwrap_or(0), since, settle_time(subject));
        if counts || mutation::is(Mutation::BelieveNeverReceived) {
            let counted = Self { never_received: times, ..self };
            return counted.not_sent("the gateway says twice that it never received it", subject);
        }
        Self { never_received: times, why: Some("the gateway says that it never received it".into()), ..self }
    }

    fn with_outcome(self, outcome: &Outcome) -> Self {
        Self { outcome: Some(prepare::json(outcome)), ..self }
    }

    /// What it returned and the attempt does not know yet, so that asking again and again does not make it grow.
    #[must_use]
    pub fn new_references(&self, known: &Pairs) -> Pairs {
        self.references.iter().filter(|pair| !known.contains(pair)).cloned().collect()
    }

    /// The host's own cancel was refused. Where the gateway had `said` of the attempt that it took the money, as it was to,
    /// that holds: it was shown as held until now.
    pub fn cancel_came_too_late(&mut self, said: Option<Value>, subject: &Subject) {
        let payment = &subject.payment;
        let waits = payment.status == State::Authorized
            && payment.won_attempt == Some(subject.underway.attempt_number)
            && payment.amount_captured == 0;
        let Some(Outcome::Captured(approval)) = said.and_then(|said| serde_json::from_value(said).ok()) else { return };
        if waits {
            let proved = proved(&approval.amount, subject);
            self.fact = Fact::CaptureDone { asked: proved, proved, is_final: true };
            self.last_error = None;
        }
    }

    /// The schedule of questions is used up.
    pub fn give_up(&mut self) {
        self.fact = match self.fact {
            Fact::Attempt { .. } => Fact::Attempt { event: Event::GaveUp, proved: 0 },
            _ => Fact::Waits(Event::GaveUp),
        };
        self.next = Next::Person;
    }

    /// What happens next where the payment is `to`: an attempt that is in review waits for its person.
    #[must_use]
    pub fn next_in(&self, to: State, subject: &Subject) -> Next {
        if to == State::ManualReview && is_attempt(subject) { Next::Person } else { self.next }
    }

    /// Why a review opens.
    #[must_use]
    pub fn review_reason(&self, entry: &Entry) -> &'static str {
        match entry.event {
            Event::Mismatched => "amount_mismatch",
            Event::GaveUp => "unresolved",
            Event::Surplus => "surplus",
            _ if entry.corrects => "correction",
            _ => "contradiction",
        }
    }

    /// What the review shows.
    #[must_use]
    pub fn evidence(&self, event: Event, from: State) -> Value {
        json!({ "event": <&str>::from(event), "payment_was": <&str>::from(from), "gateway_says": self.outcome })
    }

    /// What the audit row says besides its event.
    #[must_use]
    pub fn detail(&self, from: State) -> Option<Value> {
        if self.by_operator {
            return self.outcome.as_ref().map(|note| json!({ "internal": note }));
        }
        let late = from == State::Failed && self.next == Next::Nothing;
        match (&self.why, &self.last_error, late) {
            // For operators: it may name addresses that are no merchant's business. See `PaymentEventView`.
            (Some(why), _, _) => Some(json!({ "internal": why })),
            (None, Some(error), _) => Some(error.clone()),
            (None, None, true) => Some(json!({ "late": true })),
            (None, None, false) => None,
        }
    }

    /// The attempt's status once the payment is `to`; none where it stays.
    #[must_use]
    pub fn attempt_status(&self, entry: &Entry) -> Option<&'static str> {
        let to = entry.book.state;
        match (self.fact, entry.event, to) {
            (Fact::Attempt { .. } | Fact::Resolved(_), _, State::ManualReview) => Some("manual_review"),
            (Fact::Surplus { .. }, _, _) => Some("surplus"),
            (_, Event::Authorized, _) => Some("authorized"),
            (_, Event::Captured | Event::ResolvedSucceeded | Event::FullyCaptured | Event::Released, _) => {
                Some("succeeded")
            }
            (_, Event::Declined | Event::ResolvedFailed, _) => Some("declined"),
            (_, Event::NotSent, _) => Some("not_sent"),
            (_, Event::Cancelled | Event::ResolvedCancelled, _) => Some("cancelled"),
            (_, Event::Lapsed, _) => Some("expired"),
            (_, Event::ActionNeeded, _) => Some("requires_action"),
            (Fact::Attempt { .. }, Event::Accepted, _) => Some("pending"),
            (Fact::Attempt { .. }, Event::Unknown | Event::GaveUp, _) => Some("unknown"),
            _ => None,
        }
    }

    /// The operation's status. It gets its outcome once: until it is resolved it has none.
    #[must_use]
    pub fn operation_status(&self, entry: &Entry, next: Next) -> &'static str {
        match (next, entry.event) {
            (Next::Person, _) => "manual_review",
            (Next::Nothing, _) if self.not_sent => "not_sent",
            (Next::Nothing, _) => "done",
            (Next::Resolve | Next::Poll | Next::Act, Event::Accepted | Event::ActionNeeded) => "pending",
            (Next::Resolve | Next::Poll | Next::Act, _) => "unknown",
        }
    }
}

/// Whether the operation is the attempt itself: an authorize or a complete.
#[must_use]
pub fn is_attempt(subject: &Subject) -> bool {
    matches!(subject.underway.operation.action.kind(), OperationKind::Authorize | OperationKind::Complete)
}

/// The time in which the gateway decides what it has accepted, as its connector declares; an hour at least.
#[must_use]
pub fn settles_within(subject: &Subject) -> Duration {
    const SHORTEST: Duration = Duration::from_hours(1);
    let kind = subject.underway.operation.action.kind();
    let declared = subject.underway.version.descriptor().rules(kind).map_or(0, |rules| rules.settles_within_seconds);
    Duration::from_secs(u64::from(declared)).max(SHORTEST)
}

fn settle_time(subject: &Subject) -> Duration {
    let kind = match &subject.underway.operation.action {
        Action::Sync(sync) => match sync.target {
            SyncTarget::Authorize(_) => OperationKind::Authorize,
            SyncTarget::Complete(_) => OperationKind::Complete,
            SyncTarget::Capture(_) => OperationKind::Capture,
            SyncTarget::Cancel(_) => OperationKind::Cancel,
            SyncTarget::Refund(_) => OperationKind::Refund,
        },
        action => action.kind(),
    };
    let declared = subject.underway.version.descriptor().rules(kind).and_then(|rules| {
        rules.resolutions.iter().find_map(|resolution| match resolution {
            Resolution::FindByOperationId(seconds) => Some(*seconds),
            Resolution::Resend(_)
            | Resolution::GetByReference
            | Resolution::AwaitWebhook
            | Resolution::CancelByOperationId => None,
        })
    });
    Duration::from_secs(u64::from(declared.unwrap_or(0)))
}

/// What a gateway says it moved, in the payment's currency; nothing of another currency can be booked.
fn proved(money: &Money, subject: &Subject) -> i64 {
    if money.currency == subject.payment.currency { i64::try_from(money.minor_units).unwrap_or(i64::MAX) } else { 0 }
}
