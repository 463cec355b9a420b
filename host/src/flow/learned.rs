//! What was learned of an attempt, in the words of the domain and of the rows: read from an outcome, or from its absence.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    advance::{Subject, is_ours, review_detail},
    drive::What,
    prepare,
};
use crate::{
    connector::types::{
        Action, ActionNeeded, CustomerAction, Decline, Money, OperationKind, Outcome, Pairs, Resolution, RetryAdvice,
        SyncTarget,
    },
    domain::{
        payment::{Event, State},
        resolution,
    },
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
    pub event: Event,
    pub next: Next,
    pub gateway_reference: Option<String>,
    pub references: Pairs,
    pub next_action: Option<Value>,
    pub last_error: Option<Value>,
    /// The connector's words, for the operation's row.
    pub outcome: Option<Value>,
    pub never_received: i16,
    /// What the gateway says it has taken.
    proved: Option<Money>,
    why: Option<String>,
}

impl Learned {
    /// Reads it.
    #[must_use]
    pub fn of(what: &What, subject: &Subject) -> Self {
        let base = Self {
            event: Event::Unknown,
            next: Next::Resolve,
            gateway_reference: None,
            references: Vec::new(),
            next_action: None,
            last_error: None,
            outcome: None,
            never_received: subject.never_received,
            proved: None,
            why: None,
        };
        match what {
            // What it proves is kept all the same: a person needs its references to look.
            What::Outcome(outcome) if !is_ours(&subject.payment, outcome) => {
                Self { event: Event::Mismatched, next: Next::Person, ..base.read(outcome, subject) }
            }
            What::Outcome(outcome) => base.read(outcome, subject),
            What::NotSent { why, .. } => base.not_sent(why),
            // Neither reaches the gate: `conclude` has dealt with them.
            What::Unknown(why) => Self { why: Some(why.clone()), ..base },
            What::LeaseLost | What::Interrupted(_) => base,
        }
    }

    fn read(self, outcome: &Outcome, subject: &Subject) -> Self {
        let learned = match outcome {
            Outcome::Authorized(approval) => Self {
                event: Event::Authorized,
                next: Next::Nothing,
                gateway_reference: Some(approval.gateway_reference.clone()),
                references: approval.references.clone(),
                ..self
            },
            Outcome::Captured(approval) => Self {
                event: Event::Captured,
                next: Next::Nothing,
                proved: Some(approval.amount.clone()),
                gateway_reference: Some(approval.gateway_reference.clone()),
                references: approval.references.clone(),
                ..self
            },
            Outcome::Cancelled(approval) => Self {
                event: Event::Cancelled,
                next: Next::Nothing,
                gateway_reference: Some(approval.gateway_reference.clone()),
                references: approval.references.clone(),
                ..self
            },
            Outcome::Declined(decline) => Self {
                event: Event::Declined,
                next: Next::Nothing,
                gateway_reference: decline.gateway_reference.clone(),
                references: decline.references.clone(),
                last_error: Some(declined(decline)),
                ..self
            },
            Outcome::ActionRequired(action) => Self {
                event: Event::ActionNeeded,
                next: Next::Act,
                gateway_reference: action.gateway_reference.clone(),
                references: action.references.clone(),
                next_action: Some(next_action(action)),
                ..self
            },
            Outcome::Pending(accepted) => Self {
                event: Event::Accepted,
                next: Next::Poll,
                gateway_reference: accepted.gateway_reference.clone(),
                references: accepted.references.clone(),
                ..self
            },
            // The customer approved; the gateway waits for us, which `complete` is for.
            Outcome::ReadyToComplete(references) => {
                Self { event: Event::Accepted, next: Next::Poll, references: references.clone(), ..self }
            }
            Outcome::Expired(accepted) => Self {
                event: Event::Lapsed,
                next: Next::Nothing,
                gateway_reference: accepted.gateway_reference.clone(),
                references: accepted.references.clone(),
                ..self
            },
            Outcome::NotProcessed(after) => {
                let wait =
                    after.map_or_else(String::new, |seconds| format!("; it asks to come back after {seconds} s"));
                return self.not_sent(&format!("the gateway says that it did nothing{wait}")).with_outcome(outcome);
            }
            Outcome::NeverReceived => return self.never_received(subject).with_outcome(outcome),
            // An attempt is no refund: whatever this is, a person must look.
            Outcome::Refunded(_) => Self { event: Event::Mismatched, next: Next::Person, ..self },
        };
        learned.with_outcome(outcome)
    }

    fn not_sent(self, why: &str) -> Self {
        let last_error = json!({
            "code": "gateway_unreachable", "decline_code": null, "gateway_code": null,
            "message": "The payment did not reach the gateway; nothing was charged.", "advice": "same_gateway_later",
        });
        Self {
            event: Event::NotSent,
            next: Next::Nothing,
            last_error: Some(last_error),
            why: Some(why.to_owned()),
            ..self
        }
    }

    /// "I never saw it" is proof when it is said twice, the second time after everything under way has settled.
    /// From a gateway that has acknowledged the operation before it is a contradiction.
    fn never_received(self, subject: &Subject) -> Self {
        if !subject.references.is_empty() || subject.payment.gateway_reference.is_some() {
            return Self {
                event: Event::Mismatched,
                next: Next::Person,
                why: Some("the gateway says that it never received what it has acknowledged".into()),
                ..self
            };
        }
        let times = self.never_received.saturating_add(1);
        let kind = subject.underway.operation.action.kind();
        let settle = settle_time(subject, kind);
        let since = subject.unknown_for.unwrap_or_default();
        if resolution::never_received_counts(usize::try_from(times).unwrap_or(0), since, settle) {
            return Self { never_received: times, ..self.not_sent("the gateway says twice that it never received it") };
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

    /// The schedule of questions is used up.
    pub fn give_up(&mut self) {
        self.event = Event::GaveUp;
        self.next = Next::Person;
    }

    /// What happens next where the payment is `to`: an operation that is in review waits for its person.
    #[must_use]
    pub fn next_in(&self, to: State) -> Next {
        if to == State::ManualReview { Next::Person } else { self.next }
    }

    /// What the gateway proves to have taken beyond what was asked for: all of a capture that is not ours.
    #[must_use]
    pub fn surplus(&self, currency: &str) -> i64 {
        match (self.event, &self.proved) {
            (Event::Mismatched, Some(money)) if money.currency == currency => {
                i64::try_from(money.minor_units).unwrap_or(i64::MAX)
            }
            _ => 0,
        }
    }

    /// Why a review opens.
    #[must_use]
    pub fn review_reason(&self) -> &'static str {
        match self.event {
            Event::Mismatched => "amount_mismatch",
            Event::GaveUp => "unresolved",
            _ => "contradiction",
        }
    }

    /// What the review shows.
    #[must_use]
    pub fn evidence(&self, from: State) -> Value {
        review_detail(self.event, from, self.outcome.as_ref())
    }

    /// What the audit row says besides its event.
    #[must_use]
    pub fn detail(&self, from: State) -> Option<Value> {
        let late = from == State::Failed;
        match (&self.why, &self.last_error, late) {
            // For operators: it may name addresses that are no merchant's business. See `PaymentEventView`.
            (Some(why), _, _) => Some(json!({ "internal": why })),
            (None, Some(error), _) => Some(error.clone()),
            (None, None, true) => Some(json!({ "late": true })),
            (None, None, false) => None,
        }
    }

    /// The attempt's status, where the payment is `to`.
    #[must_use]
    pub fn attempt_status(&self, to: State) -> &'static str {
        match (self.event, to) {
            (_, State::ManualReview) => "manual_review",
            (Event::Authorized, _) => "authorized",
            (Event::Captured, _) => "succeeded",
            (Event::Declined, _) => "declined",
            (Event::NotSent, _) => "not_sent",
            (Event::Cancelled, _) => "cancelled",
            (Event::Lapsed, _) => "expired",
            (Event::ActionNeeded, _) => "requires_action",
            (Event::Accepted, _) => "pending",
            (Event::Submitted, _) => "under_way",
            (Event::Unknown | Event::Mismatched | Event::GaveUp, _) => "unknown",
        }
    }

    /// The operation's status. It gets its outcome once: until it is resolved it has none.
    #[must_use]
    pub fn operation_status(&self, to: State, resolved: bool) -> &'static str {
        match (resolved, self.event) {
            _ if to == State::ManualReview => "manual_review",
            (true, Event::NotSent) => "not_sent",
            (true, _) => "done",
            (false, Event::Accepted | Event::ActionNeeded) => "pending",
            (false, _) => "unknown",
        }
    }
}

/// The time in which the gateway decides what it has accepted, as its connector declares; an hour at least.
#[must_use]
pub fn settles_within(subject: &Subject) -> Duration {
    const SHORTEST: Duration = Duration::from_hours(1);
    let kind = subject.underway.operation.action.kind();
    let declared = subject.underway.version.descriptor().rules(kind).map_or(0, |rules| rules.settles_within_seconds);
    Duration::from_secs(u64::from(declared)).max(SHORTEST)
}

fn settle_time(subject: &Subject, kind: OperationKind) -> Duration {
    let kind = match (&subject.underway.operation.action, kind) {
        (Action::Sync(sync), _) => match sync.target {
            SyncTarget::Authorize(_) => OperationKind::Authorize,
            SyncTarget::Complete(_) => OperationKind::Complete,
            SyncTarget::Capture(_) => OperationKind::Capture,
            SyncTarget::Cancel(_) => OperationKind::Cancel,
            SyncTarget::Refund(_) => OperationKind::Refund,
        },
        (_, kind) => kind,
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

fn declined(decline: &Decline) -> Value {
    let advice: &str = match decline.advice {
        RetryAdvice::Never => "never",
        RetryAdvice::SameGatewayLater => "same_gateway_later",
        RetryAdvice::OtherGateway => "other_gateway",
    };
    json!({
        "code": "payment_declined", "decline_code": <&str>::from(decline.code), "gateway_code": decline.gateway_code,
        "message": decline.message, "advice": advice,
    })
}

/// The first way in which the customer may act, with the others beside it.
fn next_action(action: &ActionNeeded) -> Value {
    let mut shown: Vec<Value> = action.actions.iter().map(customer_action).collect();
    if shown.is_empty() {
        shown.push(json!({ "type": "await_approval" }));
    }
    let others = shown.split_off(1);
    let mut first = shown.pop().unwrap_or_default();
    if let Value::Object(first) = &mut first {
        if !others.is_empty() {
            first.insert("alternatives".into(), Value::Array(others));
        }
        if let Some(at) =
            action.expires_at.and_then(|at| i64::try_from(at).ok()).and_then(chrono::DateTime::from_timestamp_millis)
        {
            first.insert("expires_at".into(), Value::String(crate::view::time(at)));
        }
    }
    first
}

fn customer_action(action: &CustomerAction) -> Value {
    match action {
        CustomerAction::Redirect(redirect) => {
            let fields: serde_json::Map<String, Value> =
                redirect.fields.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
            let method = format!("{:?}", redirect.method).to_ascii_uppercase();
            json!({ "type": "redirect", "url": redirect.url, "method": method, "fields": fields })
        }
        CustomerAction::DisplayQr(text) => json!({ "type": "display_qr", "data": text }),
        CustomerAction::OpenApp(url) => json!({ "type": "open_app", "url": url }),
        CustomerAction::AwaitApproval => json!({ "type": "await_approval" }),
    }
}
