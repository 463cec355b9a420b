//! What an authorize or a complete came to.

use super::{Failover, Learned, Next, proved, shown};
use crate::{
    connector::types::{Approval, Decline, Outcome, RetryAdvice},
    domain::{book::Fact, payment::Event},
    flow::advance::Subject,
};

/// Reads the outcome of an attempt. Amounts are compared with the payment's: another one is never taken for ours.
pub(super) fn read(base: Learned, outcome: &Outcome, subject: &Subject) -> Learned {
    let event = |event| Fact::Attempt { event, proved: 0 };
    match outcome {
        Outcome::Authorized(approval) => approved(base, approval, Event::Authorized, subject),
        Outcome::Captured(approval) => approved(base, approval, Event::Captured, subject),
        Outcome::Cancelled(approval) => Learned {
            fact: event(Event::Cancelled),
            next: Next::Nothing,
            gateway_reference: Some(approval.gateway_reference.clone()),
            references: approval.references.clone(),
            ..base
        },
        Outcome::Declined(decline) => Learned {
            fact: event(Event::Declined),
            next: Next::Nothing,
            gateway_reference: decline.gateway_reference.clone(),
            references: decline.references.clone(),
            last_error: Some(shown::declined(decline)),
            failover: failover(decline),
            ..base
        },
        Outcome::ActionRequired(action) => Learned {
            fact: event(Event::ActionNeeded),
            next: Next::Act,
            gateway_reference: action.gateway_reference.clone(),
            references: action.references.clone(),
            next_action: Some(shown::next_action(action)),
            ..base
        },
        Outcome::Pending(accepted) => Learned {
            fact: event(Event::Accepted),
            next: Next::Poll,
            gateway_reference: accepted.gateway_reference.clone(),
            references: accepted.references.clone(),
            ..base
        },
        // The customer approved; the gateway waits for us.
        Outcome::ReadyToComplete(references) => Learned {
            fact: event(Event::Accepted),
            next: Next::Poll,
            references: references.clone(),
            ready_to_complete: true,
            ..base
        },
        Outcome::Expired(accepted) => Learned {
            fact: event(Event::Lapsed),
            next: Next::Nothing,
            gateway_reference: accepted.gateway_reference.clone(),
            references: accepted.references.clone(),
            ..base
        },
        // An attempt is no refund: whatever this is, a person must look.
        Outcome::Refunded(_) => Learned { fact: event(Event::Mismatched), next: Next::Person, ..base },
        // Read before: they say the same of every kind of operation.
        Outcome::NotProcessed(_) | Outcome::NeverReceived => base,
    }
}

/// What it proves is kept where it is not ours too: a person needs its references to look.
fn approved(base: Learned, approval: &Approval, event: Event, subject: &Subject) -> Learned {
    let proved = proved(&approval.amount, subject);
    let taken = if event == Event::Captured { proved } else { 0 };
    let (event, next) =
        if proved == subject.payment.amount { (event, Next::Nothing) } else { (Event::Mismatched, Next::Person) };
    Learned {
        fact: Fact::Attempt { event, proved: taken },
        next,
        gateway_reference: Some(approval.gateway_reference.clone()),
        references: approval.references.clone(),
        ..base
    }
}

fn failover(decline: &Decline) -> Option<Failover> {
    match (decline.advice, decline.reopenable_for_seconds) {
        (RetryAdvice::OtherGateway, 0) => Some(Failover::Allowed),
        (RetryAdvice::OtherGateway, _) => Some(Failover::IfSurplusIsReturned),
        (RetryAdvice::Never | RetryAdvice::SameGatewayLater, _) => None,
    }
}
