//! Each rule is seen to fail: a sound run with one thing broken.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    Breach, all,
    made_up::{PAYMENT, exchange, get, line, post, shown, sound, work},
};
use crate::{
    client::Call,
    facts::{
        Facts,
        books::{Attempt, Review},
        deliveries::Heard,
    },
    world::{Fate, LEASE_MS},
};

/// What is found in a run that is sound but for this.
#[track_caller]
fn but(breaks: impl FnOnce(&mut Facts)) -> Vec<Breach> {
    let mut facts = sound();
    breaks(&mut facts);
    all(&facts)
}

/// The rule is found broken.
#[track_caller]
fn broken(rule: &str, breaks: impl FnOnce(&mut Facts)) {
    let found = but(breaks);
    assert!(found.iter().any(|breach| breach.rule == rule), "`{rule}` was to be found broken: {found:?}");
}

#[test]
fn a_sound_run_is_sound() {
    assert_eq!(all(&sound()), []);
}

#[test]
fn two_movements_under_one_reference_are_one_too_many() {
    broken("an operation moves money once", |facts| {
        let again = facts.ledger.movements[0].clone();
        facts.ledger.movements.push(again);
    });
}

#[test]
fn a_second_charge_with_money_is_a_double_charge_unless_it_is_known_as_surplus() {
    let second = |facts: &mut Facts| {
        let mut operation = facts.books.operations[0].clone();
        operation.id = "op_3".to_owned();
        operation.attempt = 2;
        facts.books.operations.push(operation);
        facts.books.exchanges.push(exchange("op_3"));
        let mut charge = facts.ledger.charges[0].clone();
        charge.reference = "op_3".to_owned();
        charge.refunded = 0;
        facts.ledger.charges.push(charge);
    };
    broken("a payment is charged once", second);
    let known = but(|facts| {
        second(facts);
        let surplus = Attempt { status: "surplus".to_owned(), number: 2, ..facts.books.attempts[0].clone() };
        facts.books.attempts.push(surplus);
        facts.books.reviews.push(Review { payment: PAYMENT.to_owned(), reason: "surplus".to_owned() });
    });
    assert_eq!(known, []);
}

#[test]
fn money_that_the_payment_does_not_know_of_is_lost() {
    broken("gateway and payment agree about money", |facts| {
        facts.books.payments[0].status = "failed".to_owned();
        facts.books.payments[0].captured = 0;
    });
    broken("gateway and payment agree about money", |facts| facts.ledger.charges[0].held = 5);
    broken("gateway and payment agree about money", |facts| facts.ledger.charges[0].refunded = 50);
}

/// While it is open, or a person looks at it, the two may differ.
#[test]
fn an_open_payment_is_not_compared() {
    let found = but(|facts| {
        facts.ledger.charges[0].refunded = 50;
        facts.books.work.push(work("poll"));
    });
    assert_eq!(found, []);
}

#[test]
fn what_is_on_the_wire_was_written_down() {
    broken("what is on the wire is on disk", |facts| {
        facts.books.exchanges.remove(0);
    });
    broken("what is on the wire is on disk", |facts| facts.ledger.movements[2].reference = "op_9".to_owned());
}

#[test]
fn not_sent_is_a_proof() {
    let rule = "what was not sent has not arrived";
    broken(rule, |facts| facts.books.operations[1].status = "not_sent".to_owned());
    // Put right since, and said nevertheless.
    broken(rule, |facts| facts.books.trail[2].event = "not_sent".to_owned());
}

#[test]
fn a_decline_needs_the_gateways_word() {
    let declined = |facts: &mut Facts| facts.books.trail[2].event = "declined".to_owned();
    broken("a decline is the gateway's word", declined);
    broken("a decline is the gateway's word", |facts| {
        declined(facts);
        facts.books.trail[2].operation = None;
    });
    let said = but(|facts| {
        declined(facts);
        facts.books.operations[0].outcome = json!({ "Declined": { "gateway_code": "do_not_honor" } });
    });
    assert_eq!(said, []);
}

#[test]
fn a_request_that_is_sent_once_keeps_to_its_lease() {
    let late = |facts: &mut Facts| {
        facts.books.exchanges[0].resendable = false;
        facts.ledger.movements[0].at_s = (LEASE_MS + 3_000) / 1_000;
    };
    broken("nothing is sent after its lease", late);
    let unknowable = but(|facts| {
        late(facts);
        facts.gateways_act_at_once = false;
    });
    assert_eq!(unknowable, []);
}

#[test]
fn totals_keep_their_bounds() {
    broken("totals keep their bounds", |facts| facts.books.payments[0].refunding = 61);
    broken("totals keep their bounds", |facts| facts.books.payments[0].capturing = 1);
    broken("totals keep their bounds", |facts| facts.books.payments[0].capturing = -1);
}

#[test]
fn refunds_are_reserved_and_add_up() {
    broken("a payment's refunds add up", |facts| facts.books.operations[1].amount = 41);
    // Also where a person looks at it: a refund that was booked twice corrects nothing.
    broken("a refund is booked once", |facts| {
        facts.books.payments[0].refunded = 80;
        facts.books.reviews.push(Review { payment: PAYMENT.to_owned(), reason: "correction".to_owned() });
    });
    broken("amounts are reserved before they are asked for", |facts| {
        facts.books.operations[1].outcome = json!({ "Declined": { "gateway_code": "amount_too_large" } });
    });
}

#[test]
fn the_audit_trail_is_whole() {
    let rule = "the audit trail is whole";
    broken(rule, |facts| drop(facts.books.trail.remove(1)));
    broken(rule, |facts| facts.books.trail[3].sequence = 5);
    broken(rule, |facts| facts.books.trail[2].to = "failed".to_owned());
    broken(rule, |facts| facts.books.payments[0].status = "succeeded".to_owned());
    broken(rule, |facts| facts.books.transitions.retain(|(from, _)| from != "created"));
}

#[test]
fn events_count_without_a_gap_and_tell_every_change() {
    // As a host would do that forgets the event, and as one that forgets its number too.
    let forget = |facts: &mut Facts| drop(facts.books.told.remove(3));
    broken("events count without a gap", |facts| facts.books.told[3].sequence = 5);
    broken("a payment counts its events", forget);
    broken("every change is told", forget);
    broken("every change is told", |facts| {
        forget(facts);
        facts.books.payments[0].event_sequence = 3;
    });
    broken("every change is told", |facts| facts.books.told[2].kind = "payment.failed".to_owned());
    broken("an event shows the object as it was", |facts| facts.books.told[2].status = "processing".to_owned());
}

#[test]
fn gateways_are_asked_for_the_right_thing_at_the_right_place() {
    broken("a charge is for what was asked", |facts| facts.ledger.charges[0].amount = 101);
    broken("a charge is for what was asked", |facts| facts.ledger.charges[0].currency = "USD".to_owned());
    broken("a gateway is asked through its account", |facts| facts.accounts[0] = "gwa_2".to_owned());
    broken("a gateway is asked through its account", |facts| facts.books.attempts[0].account = "gwa_2".to_owned());
    broken("an operation moves its own payment's money", |facts| facts.ledger.movements[2].charge = "ch_2".to_owned());
}

#[test]
fn what_may_still_be_paid_is_waited_for() {
    let pending = |facts: &mut Facts| facts.ledger.charges[0].status = "requires_action".to_owned();
    broken("what a gateway may still take is waited for", pending);
    let waited_for = but(|facts| {
        pending(facts);
        facts.books.work.push(work("act"));
    });
    assert_eq!(waited_for, []);
}

#[test]
fn refunds_and_orders_are_told() {
    broken("every end of a refund is told", |facts| drop(facts.books.told.remove(4)));
    broken("every end of a refund is told", |facts| facts.books.told[5].kind = "refund.failed".to_owned());
    broken("every change of an order is told", |facts| {
        facts.books.orders[0].status = "paid".to_owned();
        facts.books.told.pop();
    });
}

#[test]
fn an_operation_without_outcome_is_somebodys() {
    let unknown = |facts: &mut Facts| facts.books.operations[1].status = "unknown".to_owned();
    broken("every operation ends", unknown);
    broken("everything settles", |facts| facts.books.work.push(work("resolve")));
    let seen_to = but(|facts| {
        unknown(facts);
        facts.books.reviews.push(Review { payment: PAYMENT.to_owned(), reason: "unresolved".to_owned() });
    });
    assert_eq!(seen_to, []);
}

#[test]
fn a_key_gets_the_same_bytes() {
    let rule = "the same key gets the same bytes";
    broken(rule, |facts| facts.calls[1] = post(2, 201, &shown(4, "partially_refunded", 100, 40)));
    broken(rule, |facts| facts.calls[1] = post(2, 200, &shown(3, "succeeded", 100, 0)));
}

#[test]
fn the_first_final_answer_stands() {
    let rule = "the first final answer stands";
    broken(rule, |facts| facts.calls[1] = post(2, 202, &shown(3, "succeeded", 100, 0)));
    broken(rule, |facts| facts.calls[1] = post(2, 409, &json!({ "code": "idempotency_in_progress" })));
    // A host without its database says so to everybody, and two requests at once may be answered in any order.
    let unavailable = post(2, 503, &json!({ "code": "unavailable" }));
    assert_eq!(but(|facts| facts.calls[1] = unavailable), []);
    let at_once = Call { began: Duration::from_secs(1), ..post(1, 409, &json!({ "code": "idempotency_in_progress" })) };
    assert_eq!(but(|facts| facts.calls[1] = at_once), []);
}

#[test]
fn a_misused_key_is_refused() {
    let rule = "a misused key is refused";
    let misused =
        |status, body: Value| Call { body: Some(Arc::new(json!({ "amount": 101 }))), ..post(2, status, &body) };
    let refused = misused(422, json!({ "code": "idempotency_key_reused" }));
    assert_eq!(but(|facts| facts.calls.push(refused)), []);
    broken(rule, |facts| facts.calls.push(misused(201, shown(1, "created", 0, 0))));
    broken(rule, |facts| facts.calls.push(misused(422, json!({ "code": "invalid_request" }))));
}

#[test]
fn an_answer_is_stored_before_it_is_given() {
    let rule = "an answer is stored before it is given";
    broken(rule, |facts| facts.books.keys[0].body = None);
    broken(rule, |facts| facts.books.keys[0].status = Some(200));
    broken(rule, |facts| facts.books.keys[0].text = "other".to_owned());
}

#[test]
fn a_payment_is_made_by_one_key() {
    let rule = "a payment is made by one key";
    broken(rule, |facts| facts.books.keys.clear());
    broken(rule, |facts| {
        let mut second = facts.books.keys[0].clone();
        second.text = "second".to_owned();
        facts.books.keys.push(second);
    });
}

#[test]
fn nothing_answered_is_taken_back() {
    let rule = "nothing answered is taken back";
    let fails = |facts: &mut Facts| {
        facts.books.trail.push(line(5, Some("partially_refunded"), "failed"));
        facts.books.payments[0].status = "failed".to_owned();
        facts.books.payments[0].version = 5;
    };
    broken(rule, fails);
    broken(rule, |facts| facts.books.payments[0].version = 3);
    broken(rule, |facts| facts.calls.push(get(4, 200, &shown(5, "partially_refunded", 90, 40))));
    broken("a version is one state", |facts| facts.calls.push(get(4, 200, &shown(4, "succeeded", 100, 0))));
    broken("an answer shows a state that was", |facts| facts.calls.push(get(4, 200, &shown(2, "failed", 0, 0))));
}

#[test]
fn what_was_answered_is_there() {
    broken("what was answered is there", |facts| {
        let mut other = shown(1, "created", 0, 0);
        other["id"] = json!("pay_2");
        facts.calls.push(get(4, 200, &json!({ "object": "list", "data": [other] })));
    });
}

#[test]
fn an_order_adds_up() {
    let rule = "an order adds up";
    broken(rule, |facts| facts.books.orders[0].paid = 90);
    broken(rule, |facts| facts.books.orders[0].refunded = 0);
    broken(rule, |facts| facts.books.orders[0].reserved = 1);
    broken(rule, |facts| facts.books.orders[0].surplus = 1);
    broken(rule, |facts| facts.books.orders[0].status = "paid".to_owned());
    broken("a payment's order exists", |facts| facts.books.orders.clear());
}

#[test]
fn a_gateways_own_books_add_up() {
    broken("a gateway's own books add up", |facts| facts.ledger.unbalanced.push(0));
}

#[test]
fn every_event_reaches_every_endpoint() {
    let rule = "every event reaches every endpoint";
    broken(rule, |facts| drop(facts.heard.remove(3)));
    broken(rule, |facts| facts.heard[3].accepted = false);
    let again = but(|facts| facts.heard.push(Heard { accepted: false, ..facts.heard[3].clone() }));
    assert_eq!(again, []);
}

#[test]
fn a_delivery_is_what_was_written() {
    broken("what is delivered is what was written", |facts| facts.heard[0].body = "another".to_owned());
    broken("what is delivered is in the log", |facts| facts.heard[0].event = "evt_2".to_owned());
    broken("every delivery is signed", |facts| facts.heard[0].forged = Some("another secret".to_owned()));
    let rule = "a new secret signs beside the old one";
    broken(rule, |facts| facts.heard[0].forged_anew = Some("no signature matches".to_owned()));
}

#[test]
fn nothing_comes_to_an_endpoint_that_is_off() {
    let off_from_5_s = |facts: &mut Facts, came_at_s| {
        facts.endpoints[0].silent = vec![Duration::from_secs(5)..Duration::from_secs(9)];
        facts.heard[0].at = Duration::from_secs(came_at_s);
    };
    broken("nothing comes to an endpoint that is off", |facts| off_from_5_s(facts, 5));
    // On its way when it was switched off; and after it was switched on again.
    assert_eq!(but(|facts| off_from_5_s(facts, 4)), []);
    assert_eq!(but(|facts| off_from_5_s(facts, 9)), []);
    // It need not get what happens meanwhile, where nobody asks for it.
    let deleted = but(|facts| {
        facts.endpoints[0].fate = Fate::IsDeleted;
        facts.heard.remove(0);
    });
    assert_eq!(deleted, []);
}

#[test]
fn an_endpoint_that_is_gone_is_switched_off() {
    let gone = |facts: &mut Facts| {
        facts.endpoints[0].fate = Fate::IsGone;
        (facts.heard[0].answered, facts.heard[0].accepted) = (Some(410), false);
    };
    broken("an endpoint that is gone is switched off", gone);
    let switched_off = but(|facts| {
        gone(facts);
        facts.endpoints[0].silent = vec![Duration::from_secs(5)..Duration::MAX];
    });
    assert_eq!(switched_off, []);
}

#[test]
fn an_ordered_endpoint_gets_one_after_the_other() {
    let last = |facts: &mut Facts| facts.heard.len() - 6;
    broken("an ordered endpoint gets events in order", |facts| {
        let second = last(facts);
        facts.heard.swap(second - 1, second);
    });
    // The other endpoint did not ask for that.
    assert_eq!(but(|facts| facts.heard.swap(0, 1)), []);
}

#[test]
fn rules_of_other_tests_count_too() {
    broken("a rule of every black-box test", |facts| facts.broken_rules.push("something is an orphan".to_owned()));
}
