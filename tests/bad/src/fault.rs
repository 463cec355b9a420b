//! The faults, by the names that cassettes call them.

use interlock_connector::types::Context;

/// What is wrong with the connector.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Its outcome is not the one that its cassette expects.
    OtherOutcome,
    /// Counts its runs, and says so.
    Remembers,
    /// Panics where a reply is not what it expects.
    Panics,
    /// Takes any reply for a success.
    BelievesAnything,
    /// Reads the body and not the status.
    IgnoresStatus,
    /// Returns what the contract does not allow: a currency in small letters.
    Unfit,
    /// Says that what was asked for was taken.
    TakesWhatWasAsked,
    /// Says that it was euros, whatever the reply says.
    TakesItsOwnCurrency,
    /// Writes every currency with two decimals.
    TwoDecimals,
    /// Sends the same key with every operation.
    NoKey,
    /// Says that a charge only reads.
    SaysItReads,
    /// Does more than ask where it is to find out what became of an operation.
    SyncActs,
    /// Sends its request to somebody else.
    Elsewhere,
    /// Puts the card's number where it has not said that it would stand.
    StrayHole,
    /// Has the gateway's key in its code.
    Hardcoded,
    /// Quotes replies in its failures.
    Quotes,
    /// Checks the signature of nothing.
    SignsNothing,
    /// Does not look at when a webhook was signed.
    BelievesOldWebhooks,
    /// Does not refuse a webhook that nobody signed.
    KeepsUnsigned,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::OtherOutcome => "other_outcome",
            Self::Remembers => "remembers",
            Self::Panics => "panics",
            Self::BelievesAnything => "believes_anything",
            Self::IgnoresStatus => "ignores_status",
            Self::Unfit => "unfit",
            Self::TakesWhatWasAsked => "takes_what_was_asked",
            Self::TakesItsOwnCurrency => "takes_its_own_currency",
            Self::TwoDecimals => "two_decimals",
            Self::NoKey => "no_key",
            Self::SaysItReads => "says_it_reads",
            Self::SyncActs => "sync_acts",
            Self::Elsewhere => "elsewhere",
            Self::StrayHole => "stray_hole",
            Self::Hardcoded => "hardcoded",
            Self::Quotes => "quotes",
            Self::SignsNothing => "signs_nothing",
            Self::BelievesOldWebhooks => "believes_old_webhooks",
            Self::KeepsUnsigned => "keeps_unsigned",
        }
    }
}

/// Whether the account asks for this fault.
pub fn plays(ctx: &Context, fault: Fault) -> bool {
    ctx.setting("fault") == Some(fault.name())
}
