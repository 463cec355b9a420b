//! The payment's state machine: what an event does to a payment, as one table.
//!
//! The same pairs stand in the schema, as the CHECK `payment_events_transition` and as reference data in
//! `payment_transitions`; a test compares the three.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// Whether the money is taken at once or held first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CaptureMethod {
    Automatic,
    Manual,
}

/// Where a payment stands. The names are the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// Nothing was tried yet.
    Created,
    /// An attempt is under way, or the gateway accepted it and has not decided.
    Processing,
    /// The customer must act.
    RequiresAction,
    /// We cannot know whether the gateway acted; it is being asked.
    PendingVerification,
    /// The money is held.
    Authorized,
    /// Some of it is taken, more may be.
    PartiallyCaptured,
    /// Taken.
    Succeeded,
    PartiallyRefunded,
    Refunded,
    /// Declined or never sent. Left only for a new attempt, or for a late success that the gateway proves.
    Failed,
    Cancelled,
    Expired,
    /// A person must decide. Left only through an operator's resolution.
    ManualReview,
}

impl State {
    /// Whether the last operation's outcome is known: what the API answers 200 or 201 to, and stores with its key.
    /// `requires_action` counts: the gateway has answered, and the next move is the customer's.
    #[must_use]
    pub fn is_answer(self) -> bool {
        match self {
            Self::Processing | Self::PendingVerification => false,
            Self::Created
            | Self::RequiresAction
            | Self::Authorized
            | Self::PartiallyCaptured
            | Self::Succeeded
            | Self::PartiallyRefunded
            | Self::Refunded
            | Self::Failed
            | Self::Cancelled
            | Self::Expired
            | Self::ManualReview => true,
        }
    }
}

/// What became known of the attempt that a payment waits for, or of the last one that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Event {
    /// An attempt begins: it is written down and about to be sent.
    Submitted,
    /// The gateway accepted it and will decide later.
    Accepted,
    /// The customer must act.
    ActionNeeded,
    /// The gateway holds the whole amount.
    Authorized,
    /// The gateway took the whole amount.
    Captured,
    /// The gateway refused, or says that it will not happen.
    Declined,
    /// It is proved that the gateway did nothing: not one byte was sent, or it says so itself.
    NotSent,
    /// Nobody can know whether the gateway acted.
    Unknown,
    /// The gateway called it off.
    Cancelled,
    /// The gateway let it lapse.
    Lapsed,
    /// The gateway speaks of another amount or currency than ours.
    Mismatched,
    /// The schedule of questions about an unknown outcome is used up.
    GaveUp,
    /// The attempt did nothing, and another gateway is tried at once.
    FailedOver,
    /// A capture is written down and about to be sent.
    CaptureSubmitted,
    /// Some of the held money was taken, and more may be.
    PartlyCaptured,
    /// The last capture: what is left is released.
    FullyCaptured,
    /// A capture was refused, or never sent: the money is held as before.
    CaptureRefused,
    /// A cancel is written down and about to be sent.
    CancelSubmitted,
    /// What was held beyond the captures is released.
    Released,
    /// A cancel was refused, or never sent.
    CancelRefused,
    /// A refund is written down and about to be sent.
    RefundSubmitted,
    /// Some of the taken money was given back.
    PartlyRefunded,
    /// All of it was given back.
    FullyRefunded,
    /// A refund was refused, or never sent.
    RefundRefused,
    /// A refund that had succeeded failed later, and none is left.
    RefundsUndone,
    /// The gateway takes back what it had said about money that was taken.
    Corrected,
    /// The gateway took money by an attempt although another one won or is under way.
    Surplus,
    /// What was taken twice was given back.
    SurplusReturned,
    /// An operator says: it was paid.
    ResolvedSucceeded,
    /// An operator says: it was not.
    ResolvedFailed,
    /// An operator says: it was called off.
    ResolvedCancelled,
}

/// What an event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The payment changes. A move to `manual_review` opens a review.
    Move(State),
    /// A repeated or late event: nothing is written.
    Stay,
    /// The state stays and a person must look: two sources disagree about money.
    Review,
}

/// Says what `event` does to a payment in `state`.
///
/// Pure and total. Rules that are easy to miss: silence never becomes a failure (`Unknown` leads to
/// `PendingVerification`, and only proof or a person leads out); `Failed` is left for a success that comes late,
/// because gateways do that (Razorpay's late authorization, up to three days); a decline after the money was taken is
/// never swallowed.
#[must_use]
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub fn decide(state: State, event: Event) -> Decision {
    use Decision::{Move, Review, Stay};
    use {Event as E, State as S};
    match (state, event) {
        // Money that nobody asked for is looked at wherever the payment stands.
        (_, E::Surplus) => Review,
        // An operator ends a review; where the payment itself is in none, its state stays.
        (S::ManualReview, E::ResolvedSucceeded) => Move(S::Succeeded),
        (S::ManualReview, E::ResolvedFailed) => Move(S::Failed),
        (S::ManualReview, E::ResolvedCancelled) => Move(S::Cancelled),
        (_, E::ResolvedSucceeded | E::ResolvedFailed | E::ResolvedCancelled | E::SurplusReturned) => Stay,
        // Evidence for the person who decides, not a move; and nothing new is begun meanwhile.
        (
            S::ManualReview,
            E::Submitted | E::FailedOver | E::CaptureSubmitted | E::CancelSubmitted | E::RefundSubmitted,
        ) => Review,
        (S::ManualReview, _) => Stay,

        // A new attempt: the first one, or another one after a failure. Or the customer is back.
        (S::Created | S::Failed | S::RequiresAction, E::Submitted) => Move(S::Processing),
        (_, E::Submitted) => Review,
        (S::Processing, E::FailedOver) => Stay,
        (_, E::FailedOver) => Review,

        // Under way: whatever the gateway says is news.
        (S::Processing | S::RequiresAction | S::PendingVerification, E::Authorized) => Move(S::Authorized),
        (S::Processing | S::RequiresAction | S::PendingVerification, E::Captured) => Move(S::Succeeded),
        (S::Processing | S::RequiresAction | S::PendingVerification, E::Declined) => Move(S::Failed),
        (S::Processing | S::PendingVerification, E::NotSent) => Move(S::Failed),
        (S::Processing | S::RequiresAction | S::PendingVerification, E::Cancelled) => Move(S::Cancelled),
        (S::Processing | S::RequiresAction | S::PendingVerification, E::Lapsed) => Move(S::Expired),
        (S::Processing, E::Accepted) => Stay,
        (S::RequiresAction | S::PendingVerification, E::Accepted) => Move(S::Processing),
        (S::Processing | S::PendingVerification, E::ActionNeeded) => Move(S::RequiresAction),
        (S::RequiresAction, E::ActionNeeded | E::NotSent) => Stay,
        (S::Processing | S::RequiresAction, E::Unknown) => Move(S::PendingVerification),
        (S::PendingVerification, E::Unknown) => Stay,

        // Another amount or currency than ours, while it is not final; and nobody to ask any more.
        (
            S::Created
            | S::Processing
            | S::RequiresAction
            | S::PendingVerification
            | S::Authorized
            | S::PartiallyCaptured,
            E::Mismatched,
        )
        | (S::Created | S::Processing | S::RequiresAction | S::PendingVerification, E::GaveUp) => Move(S::ManualReview),

        // A webhook may overtake our own commit.
        (S::Created, E::Authorized) => Move(S::Authorized),
        (S::Created, E::Captured) => Move(S::Succeeded),
        (S::Created, E::Cancelled) => Move(S::Cancelled),
        (S::Created, E::Lapsed) => Move(S::Expired),
        (S::Created, E::Accepted | E::ActionNeeded | E::Declined | E::NotSent | E::Unknown) => Review,

        // Held. A capture that we did not ask for is a matter for a person.
        (S::Authorized, E::Cancelled) => Move(S::Cancelled),
        (S::Authorized, E::Lapsed) => Move(S::Expired),
        (S::Authorized, E::PartlyCaptured) => Move(S::PartiallyCaptured),
        (S::PartiallyCaptured, E::PartlyCaptured) => Stay,
        (S::Authorized | S::PartiallyCaptured, E::FullyCaptured) => Move(S::Succeeded),
        (S::PartiallyCaptured, E::Released) => Move(S::Succeeded),
        (S::Authorized | S::PartiallyCaptured, E::CaptureSubmitted) => Stay,
        // Unknown, and called off because nobody can find out.
        (S::RequiresAction | S::PendingVerification | S::Authorized | S::PartiallyCaptured, E::CancelSubmitted) => Stay,
        (S::Authorized, E::Authorized | E::Accepted | E::ActionNeeded | E::Unknown | E::GaveUp) => Stay,
        (S::Authorized, E::Captured | E::Declined | E::NotSent) => Review,

        // Taken, and given back.
        (S::Succeeded | S::PartiallyRefunded, E::RefundSubmitted) => Stay,
        (S::Succeeded | S::Refunded, E::PartlyRefunded) => Move(S::PartiallyRefunded),
        (S::PartiallyRefunded, E::PartlyRefunded) => Stay,
        (S::Succeeded | S::PartiallyRefunded, E::FullyRefunded) => Move(S::Refunded),
        (S::Refunded, E::FullyRefunded) => Stay,
        (S::PartiallyRefunded | S::Refunded, E::RefundsUndone) => Move(S::Succeeded),

        // Repeats are harmless; anything that says otherwise is a late correction.
        (S::PartiallyCaptured, E::Authorized | E::Accepted | E::ActionNeeded | E::Unknown | E::GaveUp)
        | (
            S::Succeeded | S::PartiallyRefunded | S::Refunded,
            E::Authorized | E::Captured | E::Accepted | E::ActionNeeded | E::Unknown | E::GaveUp,
        ) => Stay,
        (S::PartiallyCaptured, E::Captured | E::Declined | E::NotSent | E::Cancelled | E::Lapsed)
        | (
            S::Succeeded | S::PartiallyRefunded | S::Refunded,
            E::Declined | E::NotSent | E::Cancelled | E::Lapsed | E::Mismatched,
        ) => Review,

        // Failed, and a gateway that changes its mind.
        (S::Failed, E::Authorized) => Move(S::Authorized),
        (S::Failed, E::Captured) => Move(S::Succeeded),
        (S::Failed, E::Mismatched) => Review,
        (
            S::Failed,
            E::Declined
            | E::NotSent
            | E::Cancelled
            | E::Lapsed
            | E::Accepted
            | E::ActionNeeded
            | E::Unknown
            | E::GaveUp,
        ) => Stay,

        // Called off, and yet paid.
        (S::Cancelled | S::Expired, E::Authorized | E::Captured | E::Mismatched) => Move(S::ManualReview),
        (
            S::Cancelled | S::Expired,
            E::Cancelled
            | E::Lapsed
            | E::Declined
            | E::NotSent
            | E::Accepted
            | E::ActionNeeded
            | E::Unknown
            | E::GaveUp,
        ) => Stay,

        // Nothing has changed at the gateway, whatever became of the payment meanwhile.
        (_, E::CaptureRefused | E::CancelRefused | E::RefundRefused) => Stay,
        // Captured, released, given back, or taken back where nothing of that kind was to happen.
        (
            _,
            E::CaptureSubmitted
            | E::PartlyCaptured
            | E::FullyCaptured
            | E::CancelSubmitted
            | E::Released
            | E::RefundSubmitted
            | E::PartlyRefunded
            | E::FullyRefunded
            | E::RefundsUndone
            | E::Corrected,
        ) => Review,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A state in at most five letters, so that the table fits a screen.
    fn short(state: State) -> &'static str {
        match state {
            State::Created => "creat",
            State::Processing => "proc",
            State::RequiresAction => "actn",
            State::PendingVerification => "verif",
            State::Authorized => "auth",
            State::PartiallyCaptured => "pcap",
            State::Succeeded => "succ",
            State::PartiallyRefunded => "prefd",
            State::Refunded => "refd",
            State::Failed => "fail",
            State::Cancelled => "canc",
            State::Expired => "expd",
            State::ManualReview => "revw",
        }
    }

    /// The whole machine on one screen: `=` stays, `?` is a review. A new event is a new row, a new state a new column.
    #[test]
    fn every_state_answers_every_event() {
        let mut table = format!("{:<20}", "event");
        for state in State::VARIANTS {
            write!(table, "{:<6}", short(*state)).expect("a String takes what it is given");
        }
        for event in Event::VARIANTS {
            let name: &str = event.into();
            write!(table, "\n{name:<20}").expect("a String takes what it is given");
            for state in State::VARIANTS {
                let cell = match decide(*state, *event) {
                    Decision::Move(to) => short(to),
                    Decision::Stay => "=",
                    Decision::Review => "?",
                };
                write!(table, "{cell:<6}").expect("a String takes what it is given");
            }
        }
        let table = table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(table, @r"
        event               creat proc  actn  verif auth  pcap  succ  prefd refd  fail  canc  expd  revw
        submitted           proc  ?     proc  ?     ?     ?     ?     ?     ?     proc  ?     ?     ?
        accepted            ?     =     proc  proc  =     =     =     =     =     =     =     =     =
        action_needed       ?     actn  =     actn  =     =     =     =     =     =     =     =     =
        authorized          auth  auth  auth  auth  =     =     =     =     =     auth  revw  revw  =
        captured            succ  succ  succ  succ  ?     ?     =     =     =     succ  revw  revw  =
        declined            ?     fail  fail  fail  ?     ?     ?     ?     ?     =     =     =     =
        not_sent            ?     fail  =     fail  ?     ?     ?     ?     ?     =     =     =     =
        unknown             ?     verif verif =     =     =     =     =     =     =     =     =     =
        cancelled           canc  canc  canc  canc  canc  ?     ?     ?     ?     =     =     =     =
        lapsed              expd  expd  expd  expd  expd  ?     ?     ?     ?     =     =     =     =
        mismatched          revw  revw  revw  revw  revw  revw  ?     ?     ?     ?     revw  revw  =
        gave_up             revw  revw  revw  revw  =     =     =     =     =     =     =     =     =
        failed_over         ?     =     ?     ?     ?     ?     ?     ?     ?     ?     ?     ?     ?
        capture_submitted   ?     ?     ?     ?     =     =     ?     ?     ?     ?     ?     ?     ?
        partly_captured     ?     ?     ?     ?     pcap  =     ?     ?     ?     ?     ?     ?     =
        fully_captured      ?     ?     ?     ?     succ  succ  ?     ?     ?     ?     ?     ?     =
        capture_refused     =     =     =     =     =     =     =     =     =     =     =     =     =
        cancel_submitted    ?     ?     =     =     =     =     ?     ?     ?     ?     ?     ?     ?
        released            ?     ?     ?     ?     ?     succ  ?     ?     ?     ?     ?     ?     =
        cancel_refused      =     =     =     =     =     =     =     =     =     =     =     =     =
        refund_submitted    ?     ?     ?     ?     ?     ?     =     =     ?     ?     ?     ?     ?
        partly_refunded     ?     ?     ?     ?     ?     ?     prefd =     prefd ?     ?     ?     =
        fully_refunded      ?     ?     ?     ?     ?     ?     refd  refd  =     ?     ?     ?     =
        refund_refused      =     =     =     =     =     =     =     =     =     =     =     =     =
        refunds_undone      ?     ?     ?     ?     ?     ?     ?     succ  succ  ?     ?     ?     =
        corrected           ?     ?     ?     ?     ?     ?     ?     ?     ?     ?     ?     ?     =
        surplus             ?     ?     ?     ?     ?     ?     ?     ?     ?     ?     ?     ?     ?
        surplus_returned    =     =     =     =     =     =     =     =     =     =     =     =     =
        resolved_succeeded  =     =     =     =     =     =     =     =     =     =     =     =     succ
        resolved_failed     =     =     =     =     =     =     =     =     =     =     =     =     fail
        resolved_cancelled  =     =     =     =     =     =     =     =     =     =     =     =     canc
        ");
    }

    /// Every move stands in the schema, in the CHECK and in the reference table alike; and nothing else stands there: a pair
    /// that no event leads through would be a hole in the fence.
    #[test]
    fn the_schema_allows_every_move_and_no_other() {
        let (first, second) = (
            include_str!("../../../migrations/0001_foundation.sql"),
            include_str!("../../../migrations/0002_operations.sql"),
        );
        let check = second.split_once("'{created>").and_then(|(_, rest)| rest.split_once("}'::text[]"));
        let check = format!("created>{}", check.expect("the CHECK is one array").0).replace(['\'', '\n', ' '], "");
        for (from, to) in State::VARIANTS.iter().flat_map(|from| State::VARIANTS.iter().map(move |to| (*from, *to))) {
            let moves = Event::VARIANTS.iter().any(|event| decide(from, *event) == Decision::Move(to));
            let (from, to) = (<&str>::from(from), <&str>::from(to));
            let in_check = check.split(',').any(|pair| pair == format!("{from}>{to}"));
            let in_table = first.contains(&format!("('{from}', '{to}')"))
                && !second.contains(&format!("from_state = '{from}' and to_state = '{to}'"));
            assert_eq!((in_check, in_table), (moves, moves), "{from}>{to}");
        }
    }

    /// Time alone never fails a payment: from an unknown outcome only proof or a person leads out.
    #[test]
    fn silence_is_not_a_decline() {
        for state in State::VARIANTS {
            for event in [Event::Unknown, Event::GaveUp] {
                assert_ne!(decide(*state, event), Decision::Move(State::Failed), "{state:?}");
            }
        }
    }
}
