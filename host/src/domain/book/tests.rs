//! The rules about amounts, one story each.

use super::*;

const ALL: Features = Features { partial_capture: true, multiple_capture: true, partial_refund: true, cancel: true };

fn book(state: State) -> Book {
    Book {
        state,
        amount: 100,
        authorized: 100,
        capturing: 0,
        captured: 0,
        refunding: 0,
        refunded: 0,
        surplus: 0,
        settling: false,
    }
}

fn succeeded() -> Book {
    Book { captured: 100, ..book(State::Succeeded) }
}

/// Two refunds of 60 from 100 at once: the second one finds 40.
#[test]
fn what_is_under_way_is_reserved() {
    let first = succeeded().ask_refund(Some(60), ALL).unwrap();
    let under_way = succeeded().begin_refund(first);
    assert_eq!(under_way.ask_refund(Some(60), ALL), Err(Refused::AmountIsTooLarge { left: 40 }));
    assert_eq!(under_way.ask_refund(None, ALL), Ok(40));
    let refused = under_way.enter(Fact::RefundRefused { asked: 60 }).book;
    assert_eq!(refused, succeeded());
}

#[test]
fn captures_add_up_and_the_last_one_closes() {
    let held = book(State::Authorized);
    let part = held.ask_capture(Some(30), Some(false), ALL).unwrap();
    let entry = held.begin_capture(part).enter(Fact::CaptureDone { asked: 30, proved: 30, is_final: false });
    assert_eq!((entry.book.state, entry.book.captured), (State::PartiallyCaptured, 30));
    assert_eq!(entry.book.ask_refund(None, ALL), Err(Refused::NotRefundable { state: State::PartiallyCaptured }));
    let rest = entry.book.ask_capture(None, None, ALL).unwrap();
    assert_eq!(rest, Capture { amount: 70, is_final: true });
    // It leaves nothing: that is the last word, whatever it says.
    assert_eq!(entry.book.ask_capture(Some(70), Some(false), ALL), Ok(rest));
    let done = entry.book.begin_capture(rest).enter(Fact::CaptureDone { asked: 70, proved: 70, is_final: true });
    assert_eq!((done.book.state, done.book.captured, done.book.capturing), (State::Succeeded, 100, 0));
}

#[test]
fn captures_and_cancels_exclude_each_other() {
    let held = book(State::Authorized);
    let capturing = held.begin_capture(Capture { amount: 10, is_final: false });
    assert_eq!(capturing.ask_capture(None, None, ALL), Err(Refused::OperationInProgress));
    assert_eq!(capturing.ask_cancel(ALL), Err(Refused::OperationInProgress));
    assert_eq!(held.begin_cancel().ask_capture(None, None, ALL), Err(Refused::OperationInProgress));
}

/// What a connector cannot do is refused before anything is sent.
#[test]
fn features_bound_what_is_asked() {
    let none = Features { partial_capture: false, multiple_capture: false, partial_refund: false, cancel: false };
    let held = book(State::Authorized);
    assert_eq!(held.ask_capture(Some(1), None, none), Err(Refused::PartialCaptureIsUnsupported));
    assert_eq!(held.ask_capture(None, Some(false), none), Err(Refused::MultipleCaptureIsUnsupported));
    assert!(held.ask_capture(None, None, none).is_ok());
    assert_eq!(held.ask_cancel(none), Err(Refused::CancelIsUnsupported));
    assert_eq!(succeeded().ask_refund(Some(99), none), Err(Refused::PartialRefundIsUnsupported));
    assert!(succeeded().ask_refund(None, none).is_ok());
}

#[test]
fn a_cancel_after_a_part_was_captured_releases_the_rest() {
    let part = Book { captured: 30, settling: true, ..book(State::PartiallyCaptured) };
    assert_eq!(part.enter(Fact::CancelDone { lapsed: false }).book.state, State::Succeeded);
    let held = Book { settling: true, ..book(State::Authorized) };
    assert_eq!(held.enter(Fact::CancelDone { lapsed: false }).book.state, State::Cancelled);
    assert_eq!(held.enter(Fact::CancelDone { lapsed: true }).book.state, State::Expired);
}

/// A gateway that takes another amount than was asked for: recorded, and a person looks.
#[test]
fn more_than_was_asked_for_is_surplus() {
    let held = book(State::Authorized).begin_capture(Capture { amount: 100, is_final: true });
    let entry = held.enter(Fact::CaptureDone { asked: 100, proved: 130, is_final: true });
    assert_eq!((entry.book.captured, entry.book.surplus), (100, 30));
    assert_eq!(entry.decision, Decision::Move(State::ManualReview));
    let late = book(State::Cancelled).enter(Fact::Attempt { event: Event::Captured, proved: 100 });
    assert_eq!((late.book.state, late.book.surplus), (State::ManualReview, 100));
}

/// A refund that comes back is undone in the totals, and never silently.
#[test]
fn a_refund_that_fails_later_is_a_correction() {
    let refunded = Book { refunded: 100, ..Book { state: State::Refunded, ..succeeded() } };
    let part = refunded.enter(Fact::RefundFailedLater { amount: 60 });
    assert_eq!((part.book.state, part.book.refunded, part.corrects), (State::PartiallyRefunded, 40, true));
    let all = refunded.enter(Fact::RefundFailedLater { amount: 100 });
    assert_eq!((all.book.state, all.book.refunded), (State::Succeeded, 0));
}

/// Whatever is entered, the schema's bounds hold.
#[test]
fn no_fact_breaks_the_bounds() {
    use strum::VariantArray as _;
    let amounts = [0, 1, 40, 60, 100, 130];
    for state in State::VARIANTS {
        for (captured, refunded) in [(0, 0), (40, 0), (100, 0), (100, 40), (100, 100)] {
            let before = Book { captured, refunded, ..book(*state) };
            for proved in amounts {
                for asked in amounts {
                    for fact in facts(asked, proved) {
                        let after = before.enter(fact).book;
                        assert!(holds(&after), "{before:?} {fact:?} {after:?}");
                    }
                }
            }
        }
    }
}

fn facts(asked: i64, proved: i64) -> Vec<Fact> {
    use strum::VariantArray as _;
    let mut facts: Vec<Fact> = Event::VARIANTS.iter().map(|event| Fact::Attempt { event: *event, proved }).collect();
    facts.extend([
        Fact::CaptureDone { asked, proved, is_final: true },
        Fact::CaptureDone { asked, proved, is_final: false },
        Fact::CaptureRefused { asked },
        Fact::CancelDone { lapsed: false },
        Fact::RefundDone { asked, proved },
        Fact::RefundRefused { asked },
        Fact::CaptureFailedLater,
        Fact::CaptureDoneLater { proved, is_final: true },
        Fact::RefundFailedLater { amount: proved },
        Fact::RefundDoneLater { proved },
        Fact::Surplus { proved },
        Fact::SurplusReturned { amount: proved },
        Fact::Resolved(Event::ResolvedSucceeded),
        Fact::Resolved(Event::ResolvedFailed),
    ]);
    facts
}

/// As `payments_totals` has it.
fn holds(book: &Book) -> bool {
    book.capturing >= 0
        && book.refunding >= 0
        && book.refunded >= 0
        && book.surplus >= 0
        && book.authorized <= book.amount
        && book.captured + book.capturing <= book.authorized
        && book.refunded + book.refunding <= book.captured
}
