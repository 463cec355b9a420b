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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
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
pub fn decide(state: State, event: Event) -> Decision {
    use Decision::{Move, Review, Stay};
    use {Event as E, State as S};
    match (state, event) {
        // A new attempt: the first one, or another one after a failure.
        (S::Created | S::Failed, E::Submitted) => Move(S::Processing),
        (_, E::Submitted) => Review,

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
        (S::Created | S::Processing | S::RequiresAction | S::PendingVerification, E::Mismatched | E::GaveUp) => {
            Move(S::ManualReview)
        }

        // A webhook may overtake our own commit.
        (S::Created, E::Authorized) => Move(S::Authorized),
        (S::Created, E::Captured) => Move(S::Succeeded),
        (S::Created, E::Cancelled) => Move(S::Cancelled),
        (S::Created, E::Lapsed) => Move(S::Expired),
        (S::Created, E::Accepted | E::ActionNeeded | E::Declined | E::NotSent | E::Unknown) => Review,

        // Held. A capture that we did not ask for is a matter for a person.
        (S::Authorized, E::Cancelled) => Move(S::Cancelled),
        (S::Authorized, E::Lapsed) => Move(S::Expired),
        (S::Authorized, E::Authorized | E::Accepted | E::ActionNeeded | E::Unknown | E::GaveUp) => Stay,
        (S::Authorized, E::Captured | E::Declined | E::NotSent | E::Mismatched) => Review,

        // Taken. Repeats are harmless; anything that says otherwise is a late correction.
        (
            S::PartiallyCaptured | S::Succeeded | S::PartiallyRefunded | S::Refunded,
            E::Authorized | E::Captured | E::Accepted | E::ActionNeeded | E::Unknown | E::GaveUp,
        ) => Stay,
        (
            S::PartiallyCaptured | S::Succeeded | S::PartiallyRefunded | S::Refunded,
            E::Declined | E::NotSent | E::Cancelled | E::Lapsed | E::Mismatched,
        ) => Review,

        // Failed, and a gateway that changes its mind.
        (S::Failed, E::Authorized) => Move(S::Authorized),
        (S::Failed, E::Captured) => Move(S::Succeeded),
        (S::Failed, E::Mismatched) => Move(S::ManualReview),
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

        // Evidence for the person who decides, not a move.
        (S::ManualReview, _) => Stay,
    }
}

/// The amounts of a payment, in minor units. What the constraints `payments_totals` hold too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub amount: i64,
    pub authorized: i64,
    pub captured: i64,
}

impl Totals {
    /// The totals once an attempt's event led to `to`.
    #[must_use]
    pub fn after(self, to: State) -> Self {
        match to {
            State::Authorized => Self { authorized: self.amount, ..self },
            State::Succeeded if self.captured == 0 => Self { authorized: self.amount, captured: self.amount, ..self },
            _ => self,
        }
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

    /// The whole machine on one screen: `=` stays, `?` is a review. A new state is a new row, a new event a new column.
    #[test]
    fn every_state_answers_every_event() {
        let mut table = format!("{:<21}", "state");
        for event in Event::VARIANTS {
            let name: &str = event.into();
            write!(table, "{:<8}", &name[..name.len().min(7)]).expect("a String takes what it is given");
        }
        for state in State::VARIANTS {
            let name: &str = state.into();
            write!(table, "\n{name:<21}").expect("a String takes what it is given");
            for event in Event::VARIANTS {
                let cell = match decide(*state, *event) {
                    Decision::Move(to) => short(to),
                    Decision::Stay => "=",
                    Decision::Review => "?",
                };
                write!(table, "{cell:<8}").expect("a String takes what it is given");
            }
        }
        let table = table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(table, @r"
        state                submitt accepte action_ authori capture decline not_sen unknown cancell lapsed  mismatc gave_up
        created              proc    ?       ?       auth    succ    ?       ?       ?       canc    expd    revw    revw
        processing           ?       =       actn    auth    succ    fail    fail    verif   canc    expd    revw    revw
        requires_action      ?       proc    =       auth    succ    fail    =       verif   canc    expd    revw    revw
        pending_verification ?       proc    actn    auth    succ    fail    fail    =       canc    expd    revw    revw
        authorized           ?       =       =       =       ?       ?       ?       =       canc    expd    ?       =
        partially_captured   ?       =       =       =       =       ?       ?       =       ?       ?       ?       =
        succeeded            ?       =       =       =       =       ?       ?       =       ?       ?       ?       =
        partially_refunded   ?       =       =       =       =       ?       ?       =       ?       ?       ?       =
        refunded             ?       =       =       =       =       ?       ?       =       ?       ?       ?       =
        failed               proc    =       =       auth    succ    =       =       =       =       =       revw    =
        cancelled            ?       =       =       revw    revw    =       =       =       =       =       revw    =
        expired              ?       =       =       revw    revw    =       =       =       =       =       revw    =
        manual_review        ?       =       =       =       =       =       =       =       =       =       =       =
        ");
    }

    /// Every move stands in the schema, in the CHECK and in the reference table alike.
    #[test]
    fn every_move_is_one_that_the_schema_allows() {
        let schema = include_str!("../../../migrations/0001_foundation.sql");
        for from in State::VARIANTS {
            for event in Event::VARIANTS {
                let Decision::Move(to) = decide(*from, *event) else { continue };
                let (from, to) = (<&str>::from(from), <&str>::from(to));
                let (in_check, in_table) = (format!("{from}>{to}"), format!("('{from}', '{to}')"));
                assert_eq!(schema.matches(&in_check).count(), 1, "{in_check} by {event:?}");
                assert_eq!(schema.matches(&in_table).count(), 1, "{in_table} by {event:?}");
            }
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
