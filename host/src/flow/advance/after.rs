//! The payment as commit 2 will leave it, and all that goes with that.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Subject,
    rows::{as_work, columns, order_columns},
};
use crate::{
    app::App,
    connector::types::{Action, OperationKind, Outcome},
    domain::{
        book::{Book, Entry, Fact},
        id::EventId,
        order,
        payment::{Decision, Event, State},
        schedule,
    },
    flow::{
        Answer, answer,
        create_payment::push_event,
        drive::OwnedReply,
        learned::{self, Learned, Next},
        prepare::{self, Purpose},
        refunds, resolve,
    },
    mutation::{self, Mutation},
    store::{
        begin::{AuditRows, OutboxRows},
        finish::{AttemptColumns, Finish, KeyAnswer, OperationColumns, Review, Work},
        orders::Order,
        payments::Payment,
    },
    view::{
        self,
        order::OrderView,
        payment::PaymentView,
        refund::{Refund, RefundView},
    },
};

pub(super) struct After {
    pub(super) payment: Payment,
    pub(super) entry: Entry,
    learned: Learned,
    from: State,
    moved: bool,
    wins: bool,
    /// Another gateway is tried at once.
    fails_over: bool,
    next: Next,
    review: Option<(&'static str, Value)>,
    order: Option<(Order, i32)>,
    refund: Option<Refund>,
    event_sequence: i32,
    audit: AuditRows,
    outbox: OutboxRows,
    body: Option<Vec<u8>>,
    /// When it was decided: what the events say, and the rows that hold them.
    now: DateTime<Utc>,
}

impl After {
    pub(super) fn new(app: &App, subject: &Subject, mut learned: Learned, fails_over: bool) -> Self {
        let before = &subject.payment;
        let from = before.status;
        // The schedule is used up: a person takes over, where it cannot be called off. That is done at once, at a check of
        // its own.
        if learned.next == Next::Resolve
            && !subject.by_hand
            && schedule::next_check(&app.config.verify_delays, usize::try_from(subject.checks).unwrap_or(0)).is_none()
            && !resolve::is_left(subject)
        {
            learned.give_up();
        }
        if learned.next == Next::Resolve && subject.checks >= 3 && mutation::is(Mutation::FailUnknownAfterThree) {
            (learned.fact, learned.next) = (Fact::Attempt { event: Event::Declined, proved: 0 }, Next::Nothing);
        }
        let fact = if fails_over { Fact::Attempt { event: Event::FailedOver, proved: 0 } } else { learned.fact };
        let entry = book_of(before).enter(fact);
        let mut payment = before.clone();
        write_book(&mut payment, &entry.book);
        let to = payment.status;
        let moved = to != from;
        let next = if subject.resolved { Next::Nothing } else { learned.next_in(to, subject) };
        let wins = moved
            && before.won_attempt.is_none()
            && matches!(entry.event, Event::Authorized | Event::Captured | Event::ResolvedSucceeded);
        if wins {
            payment.won_attempt = Some(subject.underway.attempt_number);
        }
        end_attempt(&mut payment, subject, &learned, &entry, next);
        let review = review(subject, &learned, &entry).map(|reason| (reason, learned.evidence(entry.event, from)));
        let now = app.clock.now();
        // An audit row counts as a change: of two writers on one version, one must find that it is stale.
        let changed = moved || fails_over || review.is_some() || differs(before, &payment);
        if changed {
            payment.version += 1;
            payment.updated_at = now;
        }
        let mut after = Self {
            payment,
            entry,
            learned,
            from,
            moved,
            wins,
            fails_over,
            next,
            review,
            order: None,
            refund: None,
            event_sequence: subject.event_sequence,
            audit: AuditRows::default(),
            outbox: OutboxRows::default(),
            body: None,
            now,
        };
        after.settle_order(app, subject, now);
        after.write_refund(app, subject, now);
        after.write_trail(app, now, changed);
        after.body = after.final_body(subject);
        after
    }

    /// What the payment's state and captures do to its order.
    fn settle_order(&mut self, app: &App, subject: &Subject, now: DateTime<Utc>) {
        let Some(was) = &subject.order else { return };
        let before = &subject.payment;
        let wanted =
            if holds_its_order(self.payment.status) { self.payment.amount - self.payment.amount_captured } else { 0 };
        let change = order::Change {
            reserved: wanted - before.amount_reserved,
            paid: self.payment.amount_captured - before.amount_captured,
            refunded: self.payment.amount_refunded - before.amount_refunded,
        };
        if change == order::Change::default() {
            return;
        }
        let totals = was.totals().after(change);
        let mut order = was.clone();
        // What could be reserved is what is held: an order that is full gives no more.
        self.payment.amount_reserved += totals.reserved - was.amount_reserved;
        order.status = totals.status_from(was.status);
        order.amount_reserved = totals.reserved;
        order.amount_paid = totals.paid;
        order.amount_refunded = totals.refunded;
        order.amount_surplus = totals.surplus;
        order.version += 1;
        order.updated_at = now;
        if let Some(kind) = order::event(was.status, order.status, &was.totals(), &totals) {
            order.event_sequence += 1;
            let (id, sequence) = (app.ids.v7(), order.event_sequence);
            let payload = view::event::payload(EventId::from_uuid(id), kind, now, sequence, &OrderView::new(&order));
            self.outbox.push(id, "order", order.id().to_string(), kind, sequence, payload);
        }
        self.order = Some((order, was.version));
    }

    /// The refund as it is now, and its event where it has ended.
    fn write_refund(&mut self, app: &App, subject: &Subject, now: DateTime<Utc>) {
        let Action::Refund(_) = &subject.underway.operation.action else { return };
        if subject.underway.purpose.is_some() {
            return;
        }
        let status = match (self.learned.fact, self.next) {
            (Fact::RefundDone { .. } | Fact::RefundDoneLater { .. }, _) => "succeeded",
            (Fact::RefundRefused { .. } | Fact::RefundFailedLater { .. }, _) => "failed",
            (_, Next::Person) => "manual_review",
            _ => "pending",
        };
        let refund = refunds::known(subject, status, &self.learned);
        let kind = match status {
            "succeeded" => Some("refund.succeeded"),
            "failed" => Some("refund.failed"),
            _ => None,
        };
        if let Some(kind) = kind {
            self.event_sequence += 1;
            let id = app.ids.v7();
            let payload =
                view::event::payload(EventId::from_uuid(id), kind, now, self.event_sequence, &RefundView::new(&refund));
            self.outbox.push(id, "refund", refund.operation_id.to_string(), kind, self.event_sequence, payload);
        }
        self.refund = Some(refund);
    }

    /// The audit row and the events of a change; what changes nothing leaves no trace.
    fn write_trail(&mut self, app: &App, now: DateTime<Utc>, changed: bool) {
        let settled = !matches!(self.learned.fact, Fact::Attempt { .. } | Fact::Waits(_));
        if !(self.moved || self.review.is_some() || self.fails_over || (changed && settled)) {
            return;
        }
        self.payment.audit_sequence += 1;
        self.audit.sequence.push(self.payment.audit_sequence);
        self.audit.from_state.push(Some(self.from.into()));
        self.audit.to_state.push(self.payment.status.into());
        self.audit.event.push(self.entry.event.into());
        self.audit.wins.push(self.wins);
        self.audit.detail.push(self.learned.detail(self.from));
        if self.moved && !mutation::is(Mutation::DropOutboxRow) {
            self.tell_merchant(app, event_type(self.payment.status), now);
        }
        if self.entry.event == Event::PartlyCaptured && !self.moved {
            self.tell_merchant(app, "payment.partially_captured", now);
        }
        if self.entry.event == Event::PartlyRefunded && !self.moved {
            self.tell_merchant(app, "payment.partially_refunded", now);
        }
        if self.entry.corrects {
            self.tell_merchant(app, "payment.corrected", now);
        }
        if self.entry.event == Event::Surplus {
            self.tell_merchant(app, "payment.surplus_charge", now);
        }
    }

    fn tell_merchant(&mut self, app: &App, kind: &'static str, now: DateTime<Utc>) {
        self.payment.event_sequence += 1;
        push_event(app, &mut self.outbox, &self.payment, kind, now);
    }

    /// The answer's bytes, where the operation has come to something final.
    fn final_body(&self, subject: &Subject) -> Option<Vec<u8>> {
        if self.fails_over {
            return None;
        }
        let is_final = if learned::is_attempt(subject) {
            self.payment.status.is_answer()
        } else {
            matches!(self.next, Next::Nothing | Next::Person)
        };
        is_final.then(|| self.shown())
    }

    fn shown(&self) -> Vec<u8> {
        match &self.refund {
            Some(refund) => RefundView::new(refund).to_bytes(),
            None => PaymentView::new(&self.payment).to_bytes(),
        }
    }

    pub(super) fn finish<'a>(
        &'a mut self,
        app: &App,
        subject: &'a Subject,
        reply: Option<&'a OwnedReply>,
    ) -> Finish<'a> {
        let learned = &self.learned;
        let resolved = self.next == Next::Nothing;
        let answer = match (&subject.underway.key, &self.body) {
            (Some((scope, key, status)), Some(body)) => {
                Some(KeyAnswer { scope, key, status: *status, body, ttl_ms: app.idempotency_ttl_ms() })
            }
            _ => None,
        };
        let payment = &self.payment;
        let kind = subject.underway.operation.action.kind();
        let called_off = kind == OperationKind::Cancel
            && subject.underway.purpose != Some(Purpose::Surplus)
            && matches!(payment.status, State::Cancelled | State::Expired);
        let closes = learned.by_operator || matches!(learned.fact, Fact::SurplusReturned { .. });
        let closes_reviews = if closes { learned.outcome.clone() } else { None };
        Finish {
            merchant_id: payment.merchant_id,
            payment_id: payment.payment_id,
            operation_id: subject.leased.operation_id,
            fence: subject.fence(),
            closes_attempt: called_off,
            expected_version: subject.payment.version,
            reply: reply.map(OwnedReply::row),
            work: if subject.resolved { Work::None } else { as_work(app, self.next, subject, learned) },
            payment: columns(payment),
            attempt: AttemptColumns {
                number: subject.underway.attempt_number,
                status: if self.fails_over {
                    Some(if learned.not_sent { "not_sent" } else { "declined" })
                } else {
                    learned.attempt_status(&self.entry)
                },
                gateway_reference: learned.gateway_reference.as_deref(),
                references: prepare::json(&learned.new_references(&subject.references)),
                last_error: learned.last_error.as_ref(),
            },
            operation: OperationColumns {
                status: learned.operation_status(&self.entry, self.next),
                outcome: if resolved { learned.outcome.clone() } else { None },
                finished: resolved,
                asked: reply
                    .filter(|reply| reply.operation_id != subject.leased.operation_id)
                    .and(learned.outcome.clone()),
                event_sequence: self.event_sequence,
            },
            order: self.order.as_ref().map(|(order, expected)| order_columns(order, *expected)),
            audit: std::mem::take(&mut self.audit),
            outbox: std::mem::take(&mut self.outbox),
            answer,
            code_of: self.code_to_forget(subject, resolved),
            review: self.review.take().map(|(reason, detail)| Review { review_id: app.ids.v7(), reason, detail }),
            closes_reviews,
            owner: None,
            now: self.now,
        }
    }

    /// The card whose code goes: with its authorization, or with whatever else ends the attempt (the customer's return, a
    /// cancel). These know no card of their own; it is the payment's.
    fn code_to_forget(&self, subject: &Subject, resolved: bool) -> Option<Uuid> {
        if self.fails_over {
            return None;
        }
        let ends_attempt = subject.payment.open_attempt.is_some() && self.payment.open_attempt.is_none();
        let own = subject.underway.token_id.filter(|_| resolved && learned::is_attempt(subject));
        own.or(self.payment.token_id.filter(|_| ends_attempt))
    }

    /// For people: one line a change of state, and the counters.
    pub(super) fn tell(&self, subject: &Subject) {
        let to: &str = self.payment.status.into();
        if self.moved {
            metrics::counter!("interlock_payment_transitions_total", "to" => to.to_owned()).increment(1);
        }
        if self.entry.event == Event::Surplus {
            metrics::counter!("interlock_surplus_charges_total").increment(1);
            tracing::error!(
                payment.id = %self.payment.id(), attempt.number = subject.underway.attempt_number,
                "a gateway took money by an attempt although another one won or is under way"
            );
        }
        tracing::info!(
            payment.id = %self.payment.id(), attempt.number = subject.underway.attempt_number,
            operation.id = %subject.underway.operation.id, payment.status = to,
            event = <&str>::from(self.entry.event), "the payment was advanced"
        );
    }

    pub(super) fn ready_to_complete(&self) -> bool {
        self.learned.ready_to_complete && self.payment.status == State::Processing
    }

    pub(super) fn answer(&self, subject: &Subject) -> Answer {
        match (&self.body, &subject.underway.key) {
            (Some(body), Some((_, _, status))) => {
                Answer { status: status.unsigned_abs(), body: body.clone().into(), replayed: false }
            }
            _ => Answer { status: answer::ACCEPTED, body: self.shown().into(), replayed: false },
        }
    }
}

/// The payment's amounts, as the rules take them.
#[must_use]
pub fn book_of(payment: &Payment) -> Book {
    Book {
        state: payment.status,
        amount: payment.amount,
        authorized: payment.amount_authorized,
        capturing: payment.amount_capturing,
        captured: payment.amount_captured,
        refunding: payment.amount_refunding,
        refunded: payment.amount_refunded,
        surplus: payment.amount_surplus,
        settling: payment.open_operation.is_some(),
    }
}

fn write_book(payment: &mut Payment, book: &Book) {
    payment.status = book.state;
    payment.amount_authorized = book.authorized;
    payment.amount_capturing = book.capturing;
    payment.amount_captured = book.captured;
    payment.amount_refunding = book.refunding;
    payment.amount_refunded = book.refunded;
    payment.amount_surplus = book.surplus;
    if !book.settling {
        payment.open_operation = None;
    }
}

/// What a merchant sees of the attempt, once something of it is known.
fn end_attempt(payment: &mut Payment, subject: &Subject, learned: &Learned, entry: &Entry, next: Next) {
    let to = entry.book.state;
    let ends = matches!(learned.fact, Fact::Attempt { .. } | Fact::Resolved(_)) && next == Next::Nothing;
    if (ends && payment.open_attempt == Some(subject.underway.attempt_number))
        || matches!(to, State::Cancelled | State::Expired)
    {
        payment.open_attempt = None;
    }
    if let (Fact::Attempt { .. }, Some(reference)) = (learned.fact, &learned.gateway_reference) {
        payment.gateway_reference = Some(reference.clone());
    }
    payment.next_action = match to {
        State::RequiresAction => learned.next_action.clone().or_else(|| payment.next_action.take()),
        // Not shown now; but where nothing comes of what is under way, the customer may have to come back to it.
        State::Processing | State::PendingVerification => payment.next_action.take(),
        _ => None,
    };
    match (entry.event, &learned.last_error) {
        (Event::Declined | Event::NotSent | Event::CaptureRefused | Event::CancelRefused, Some(error)) => {
            payment.last_error = Some(error.clone());
        }
        _ if to == State::Failed => {}
        (Event::Authorized | Event::Captured | Event::PartlyCaptured | Event::FullyCaptured | Event::Cancelled, _) => {
            payment.last_error = None;
        }
        _ => {}
    }
}

/// Why a person must look, where one must.
fn review(subject: &Subject, learned: &Learned, entry: &Entry) -> Option<&'static str> {
    if learned.by_operator {
        return None;
    }
    // Accepted, and not decided in the time in which this gateway decides: somebody should look, once.
    let unsettled =
        learned.next == Next::Poll && !was_reviewed(subject) && subject.age >= learned::settles_within(subject);
    match entry.decision {
        Decision::Move(State::ManualReview) | Decision::Review => Some(learned.review_reason(entry)),
        Decision::Move(_) | Decision::Stay if entry.corrects => Some("correction"),
        Decision::Move(_) | Decision::Stay => unsettled.then_some("unsettled"),
    }
}

/// Whether a review was opened for what the gateway accepted and does not decide.
pub(super) fn was_reviewed(subject: &Subject) -> bool {
    subject.was_accepted && subject.checks > 0
}

/// Whether anything changed that the object shows or that another writer must not miss.
fn differs(before: &Payment, after: &Payment) -> bool {
    book_of(before) != book_of(after)
        || after.gateway_reference != before.gateway_reference
        || after.next_action != before.next_action
        || after.last_error != before.last_error
        || after.open_attempt != before.open_attempt
        || after.open_operation != before.open_operation
}

/// Whether a payment in this state asks for its order's money.
fn holds_its_order(state: State) -> bool {
    match state {
        State::Processing
        | State::RequiresAction
        | State::PendingVerification
        | State::Authorized
        | State::PartiallyCaptured
        | State::ManualReview => true,
        State::Created
        | State::Succeeded
        | State::PartiallyRefunded
        | State::Refunded
        | State::Failed
        | State::Cancelled
        | State::Expired => false,
    }
}

/// The event that a merchant is sent for a change to `to`.
#[must_use]
pub fn event_type(to: State) -> &'static str {
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

/// The gateway's own name for what an outcome did.
#[must_use]
pub fn reference_in(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Authorized(approval)
        | Outcome::Captured(approval)
        | Outcome::Cancelled(approval)
        | Outcome::Refunded(approval) => Some(&approval.gateway_reference),
        Outcome::Declined(decline) => decline.gateway_reference.as_deref(),
        Outcome::ActionRequired(action) => action.gateway_reference.as_deref(),
        Outcome::Pending(accepted) | Outcome::Expired(accepted) => accepted.gateway_reference.as_deref(),
        Outcome::ReadyToComplete(_) | Outcome::NotProcessed(_) | Outcome::NeverReceived => None,
    }
}
