//! Faults put into this program on purpose, one at a time, so that the chaos run's checker is seen to find them.
//!
//! Compiled in with the feature `fault-points` alone; a release has none of it. `INTERLOCK_MUTATION=name` turns one on.
//! A checker that lets one of these pass is no proof of anything.

/// One rule of money safety, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Mutation {
    /// A host that wakes after its lease sends all the same.
    SkipLeaseCheck,
    /// A change of state is not told to the merchant.
    DropOutboxRow,
    /// A request that is sent again has lost its idempotency key.
    ResendWithoutKey,
    /// Three questions without an answer count as a decline.
    FailUnknownAfterThree,
    /// A gateway that says once that it never received a request is believed.
    BelieveNeverReceived,
    /// A refund that is under way keeps no other one from its amount.
    ForgetReservation,
    /// Every request counts as a new one, whatever its idempotency key says.
    ForgetIdempotency,
    /// The answer to a used key is made anew from the payment instead of being replayed.
    RenderReplays,
}

/// Whether the chaos run has asked for this mutation.
#[cfg(feature = "fault-points")]
#[must_use]
pub fn is(mutation: Mutation) -> bool {
    use std::sync::LazyLock;

    static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("INTERLOCK_MUTATION").ok());

    WANTED.as_deref() == Some(mutation.into())
}

/// Never: this build has no mutations.
#[cfg(not(feature = "fault-points"))]
#[inline]
#[must_use]
pub const fn is(_: Mutation) -> bool {
    false
}
