//! What a gateway says of an operation after it was resolved: by webhook, by a reply that came late, or asked.
//!
//! Most of it is a repeat, and nothing is written for it. The rest is what merchants must not miss: money that moved
//! after all, and money that did not stay.

use super::{Learned, attempt, proved, shown};
use crate::{
    connector::types::{Action, Outcome},
    domain::{
        book::Fact,
        payment::{CaptureMethod, Event, State},
    },
    flow::{advance::Subject, operate},
};

/// Reads it; none where it is known, or older than what is known.
pub(super) fn read(base: Learned, outcome: &Outcome, subject: &Subject) -> Option<Learned> {
    // Evidence for the person who decides: kept where it came from, and no move. But money that another attempt took is
    // told whatever a person decides about this one.
    if subject.payment.status == State::ManualReview && !is_of_another_attempt(subject) {
        return None;
    }
    match &subject.underway.operation.action {
        Action::Authorize(_) | Action::Complete(_) => of_attempt(base, outcome, subject),
        Action::Capture(capture) => of_capture(base, outcome, subject, capture.is_final),
        Action::Cancel(_) => of_cancel(base, outcome, subject),
        Action::Refund(_) => of_refund(base, outcome, subject),
        Action::Sync(_) => None,
    }
}

fn is_of_another_attempt(subject: &Subject) -> bool {
    let in_review = subject.payment.open_attempt.or(subject.payment.won_attempt);
    let is_attempt = matches!(subject.underway.operation.action, Action::Authorize(_) | Action::Complete(_));
    is_attempt && in_review.is_some_and(|number| number != subject.underway.attempt_number)
}

fn of_attempt(base: Learned, outcome: &Outcome, subject: &Subject) -> Option<Learned> {
    let payment = &subject.payment;
    let number = Some(subject.underway.attempt_number);
    let next = base.next;
    let learned = Learned { next, ..attempt::read(base, outcome, subject) };
    let Fact::Attempt { event, proved } = learned.fact else { return None };
    let won = payment.won_attempt == number;
    let called_off = matches!(payment.status, State::Cancelled | State::Expired);
    let taken = matches!(payment.status, State::Succeeded | State::PartiallyRefunded | State::Refunded);
    match event {
        // Told in two steps: held first, then taken as we had asked.
        Event::Captured
            if won
                && payment.status == State::Authorized
                && payment.capture_method == CaptureMethod::Automatic
                && payment.open_operation.is_none() =>
        {
            Some(Learned { fact: Fact::CaptureDone { asked: proved, proved, is_final: true }, ..learned })
        }
        Event::Authorized | Event::Captured | Event::Mismatched if won => {
            // It was held before; only money beyond what we know of is news.
            let news = proved > payment.amount_captured + payment.amount_capturing + payment.amount_surplus;
            (news && event != Event::Authorized).then_some(learned)
        }
        // Held beside the winner, with no way to call it off, and now taken: that can be given back.
        Event::Captured
            if subject.attempt_status == "surplus"
                && matches!(subject.said, Some(Outcome::Authorized(_)))
                && !operate::features(&subject.underway.version).cancel =>
        {
            Some(Learned { fact: Fact::Surplus { proved: 0 }, gateway_reference: None, ..learned })
        }
        Event::Authorized | Event::Captured | Event::Mismatched if subject.attempt_status == "surplus" => None,
        // The same as was told, and booked, before.
        Event::Mismatched if proved > 0 && payment.amount_surplus >= proved => None,
        Event::Authorized | Event::Captured | Event::Mismatched => {
            let another = payment.won_attempt.is_some() || payment.open_attempt.is_some();
            if another && !called_off {
                let proved = proved_by(outcome, subject);
                return Some(Learned { fact: Fact::Surplus { proved }, gateway_reference: None, ..learned });
            }
            Some(learned)
        }
        Event::Declined | Event::NotSent if matches!(subject.said, Some(Outcome::Declined(_))) => None,
        Event::Declined | Event::NotSent if won && taken => {
            Some(Learned { fact: Fact::CaptureFailedLater, gateway_reference: None, ..learned })
        }
        // What was to be taken at once was only held, by the gateway's own account, and is held no more.
        Event::Cancelled | Event::Lapsed
            if won
                && taken
                && payment.capture_method == CaptureMethod::Automatic
                && payment.open_operation.is_none() =>
        {
            Some(Learned { fact: Fact::CaptureFailedLater, gateway_reference: None, ..learned })
        }
        Event::Declined | Event::Cancelled | Event::Lapsed if won && payment.status == State::Authorized => {
            Some(Learned { gateway_reference: None, ..learned })
        }
        _ => None,
    }
}

fn proved_by(outcome: &Outcome, subject: &Subject) -> i64 {
    match outcome {
        Outcome::Authorized(approval) | Outcome::Captured(approval) => proved(&approval.amount, subject),
        _ => 0,
    }
}

fn of_capture(base: Learned, outcome: &Outcome, subject: &Subject, is_final: bool) -> Option<Learned> {
    match (subject.said.as_ref(), outcome) {
        (Some(Outcome::Captured(_)), Outcome::Declined(decline)) => {
            Some(Learned { fact: Fact::CaptureFailedLater, last_error: Some(shown::declined(decline)), ..base })
        }
        (Some(Outcome::Captured(_)), _) => None,
        (_, Outcome::Captured(approval)) => Some(Learned {
            fact: Fact::CaptureDoneLater { proved: proved(&approval.amount, subject), is_final },
            ..base
        }),
        _ => None,
    }
}

fn of_cancel(base: Learned, outcome: &Outcome, subject: &Subject) -> Option<Learned> {
    match (subject.said.as_ref(), outcome) {
        (Some(Outcome::Cancelled(_)), Outcome::Declined(decline)) => {
            Some(Learned { fact: Fact::CaptureFailedLater, last_error: Some(shown::declined(decline)), ..base })
        }
        (Some(Outcome::Cancelled(_)), _) => None,
        (_, Outcome::Cancelled(_)) => {
            Some(Learned { fact: Fact::Attempt { event: Event::Cancelled, proved: 0 }, ..base })
        }
        _ => None,
    }
}

fn of_refund(base: Learned, outcome: &Outcome, subject: &Subject) -> Option<Learned> {
    if subject.underway.purpose.is_some() {
        return None;
    }
    match (subject.said.as_ref(), outcome) {
        (Some(Outcome::Refunded(_)), Outcome::Declined(decline)) => Some(Learned {
            fact: Fact::RefundFailedLater { amount: subject.underway.amount },
            last_error: Some(shown::declined(decline)),
            ..base
        }),
        (Some(Outcome::Refunded(_)), _) => None,
        (_, Outcome::Refunded(approval)) => {
            Some(Learned { fact: Fact::RefundDoneLater { proved: proved(&approval.amount, subject) }, ..base })
        }
        _ => None,
    }
}
