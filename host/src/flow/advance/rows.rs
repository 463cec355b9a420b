//! What commit 2 writes, in the columns of its rows.

use std::time::Duration;

use super::{Subject, after::was_reviewed};
use crate::{
    app::App,
    domain::{payment::State, schedule},
    flow::learned::{self, Learned, Next},
    store::{
        finish::{OrderColumns, PaymentColumns, Work},
        orders::Order,
        payments::Payment,
    },
};

/// Where `work` waits for a person.
pub const REVIEW_DUE_MS: i64 = 100 * 365 * 86_400_000;

/// The payment's columns as they will be.
pub(super) fn columns(payment: &Payment) -> PaymentColumns<'_> {
    PaymentColumns {
        status: payment.status,
        amount_authorized: payment.amount_authorized,
        amount_capturing: payment.amount_capturing,
        amount_captured: payment.amount_captured,
        amount_refunding: payment.amount_refunding,
        amount_refunded: payment.amount_refunded,
        amount_reserved: payment.amount_reserved,
        open_operation: payment.open_operation,
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
    }
}

/// The order's columns as they will be.
pub(super) fn order_columns(order: &Order, expected_version: i32) -> OrderColumns {
    OrderColumns {
        order_id: order.order_id,
        expected_version,
        status: order.status.into(),
        amount_reserved: order.amount_reserved,
        amount_paid: order.amount_paid,
        amount_refunded: order.amount_refunded,
        amount_surplus: order.amount_surplus,
        event_sequence: order.event_sequence,
    }
}

/// When somebody looks again.
pub(super) fn as_work(app: &App, next: Next, subject: &Subject, learned: &Learned) -> Work {
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
        Next::Resolve if subject.by_hand => again("resolve", millis(subject.due_in), subject.checks, false),
        Next::Resolve => {
            let delay = schedule::next_check(&app.config.verify_delays, usize::try_from(subject.checks).unwrap_or(0));
            // The first check waits for the first delay, the second for the second: `checks` counts delays used.
            let checks = subject.checks.saturating_add(1);
            again("resolve", millis(delay.unwrap_or_default()), checks, subject.unknown_for.is_none())
        }
        // `checks` remembers that a review was opened for it.
        Next::Poll => {
            let reviewed = was_reviewed(subject) || subject.age >= learned::settles_within(subject);
            again("poll", millis(Duration::from_secs(schedule::PENDING_POLL_S)), i16::from(reviewed), false)
        }
        // Asking does not give the customer more time.
        Next::Act if subject.payment.status == State::RequiresAction => {
            again("act", millis(subject.due_in), subject.checks, false)
        }
        Next::Act => again("act", millis(app.config.action_ttl), 0, false),
        Next::Person => again("review", REVIEW_DUE_MS, subject.checks, false),
    }
}
