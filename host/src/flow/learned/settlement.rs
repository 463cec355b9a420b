//! What a capture, a cancel or a refund came to.

use super::{Learned, Next, proved, shown};
use crate::{
    connector::types::{Action, Outcome},
    domain::{book::Fact, payment::Event},
    flow::{advance::Subject, prepare::Purpose},
};

/// Reads the outcome of an operation on money that is held or taken.
pub(super) fn read(base: Learned, outcome: &Outcome, subject: &Subject) -> Learned {
    match outcome {
        Outcome::Declined(decline) => Learned {
            fact: refused(subject),
            next: Next::Nothing,
            references: decline.references.clone(),
            last_error: Some(shown::declined(decline)),
            ..base
        },
        Outcome::Pending(accepted) => Learned {
            fact: Fact::Waits(Event::Accepted),
            next: Next::Poll,
            references: accepted.references.clone(),
            ..base
        },
        outcome => match done(outcome, subject) {
            Some(fact) => Learned { fact, next: Next::Nothing, references: references(outcome), ..base },
            // It speaks of something else: what became of this operation is still to be found out.
            None => base.unknown("the gateway says something that this operation cannot have come to"),
        },
    }
}

/// What it did, where the outcome fits the operation.
fn done(outcome: &Outcome, subject: &Subject) -> Option<Fact> {
    let asked = subject.underway.amount;
    let surplus = subject.underway.purpose == Some(Purpose::Surplus);
    match (&subject.underway.operation.action, outcome) {
        (Action::Refund(_), Outcome::Refunded(_))
        | (Action::Cancel(_), Outcome::Cancelled(_) | Outcome::Expired(_))
            if surplus =>
        {
            Some(Fact::SurplusReturned { amount: asked })
        }
        (Action::Capture(capture), Outcome::Captured(approval)) => {
            Some(Fact::CaptureDone { asked, proved: proved(&approval.amount, subject), is_final: capture.is_final })
        }
        // There is nothing to capture any more.
        (Action::Capture(_), Outcome::Cancelled(_)) => Some(Fact::CaptureTooLate { asked, event: Event::Cancelled }),
        (Action::Capture(_), Outcome::Expired(_)) => Some(Fact::CaptureTooLate { asked, event: Event::Lapsed }),
        (Action::Cancel(_), Outcome::Cancelled(_)) => {
            Some(Fact::CancelDone { lapsed: subject.underway.purpose == Some(Purpose::Expiry) })
        }
        (Action::Cancel(_), Outcome::Expired(_)) => Some(Fact::CancelDone { lapsed: true }),
        // The customer, or a capture, was faster. The attempt itself is asked about.
        (Action::Cancel(_), Outcome::Authorized(_) | Outcome::Captured(_)) => Some(Fact::CancelRefused),
        (Action::Refund(_), Outcome::Refunded(approval)) => {
            Some(Fact::RefundDone { asked, proved: proved(&approval.amount, subject) })
        }
        _ => None,
    }
}

/// What a refusal, or nothing sent at all, means for the payment's amounts.
pub(super) fn refused(subject: &Subject) -> Fact {
    let asked = subject.underway.amount;
    match (&subject.underway.operation.action, subject.underway.purpose) {
        (_, Some(Purpose::Surplus)) => Fact::Waits(Event::RefundRefused),
        (Action::Capture(_), _) => Fact::CaptureRefused { asked },
        (Action::Refund(_), _) => Fact::RefundRefused { asked },
        (Action::Cancel(_) | Action::Authorize(_) | Action::Complete(_) | Action::Sync(_), _) => Fact::CancelRefused,
    }
}

fn references(outcome: &Outcome) -> crate::connector::types::Pairs {
    match outcome {
        Outcome::Authorized(approval)
        | Outcome::Captured(approval)
        | Outcome::Cancelled(approval)
        | Outcome::Refunded(approval) => approval.references.clone(),
        Outcome::Expired(accepted) => accepted.references.clone(),
        _ => Vec::new(),
    }
}
