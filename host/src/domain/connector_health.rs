//! When a version of a connector is doing badly: a canary that fails more often than the active version, and a version
//! whose code breaks down.

/// Operations that a canary must have ended before it is judged: below that one failure says nothing.
pub const CANARY_JUDGED_FROM: u64 = 20;

/// How far back a canary is compared with the active version. What it did well a day ago does not excuse what it does now;
/// and at a small share the operations of some minutes say nothing.
pub const CANARY_WINDOW_MINUTES: u32 = 60;

/// How far back traps and divergences are counted.
pub const QUARANTINE_WINDOW_MINUTES: u32 = 5;

/// Traps and divergences, in per cent of the runs, below which a version stays: a busy one may meet an odd reply.
const QUARANTINE_RATE_PERCENT: u64 = 2;

/// What was counted of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times that its code ran.
    pub runs: u64,
    /// Runs that broke a rule of the contract or broke down, divergences aside.
    pub traps: u64,
    /// Runs that asked for something else than what is written down.
    pub divergences: u64,
    /// Operations that came to an end: any end that is counted below, or a plain outcome.
    pub operations: u64,
    /// Of these: nothing was sent, because it could not make or deliver a request.
    pub failed: u64,
    /// Of these: something was sent, and nobody knew what became of it when the host stopped looking.
    pub unknown: u64,
    /// Of these: the gateway, or this host, did not take it on.
    pub not_processed: u64,
}

/// How an operation ended, as far as its connector's version is judged by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Well,
    NotProcessed,
    Failed,
    Unknown,
}

impl Ending {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Well, Self::NotProcessed, Self::Failed, Self::Unknown];

    /// As it stands in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::NotProcessed => "not_processed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl Counts {
    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            traps: self.traps + other.traps,
            divergences: self.divergences + other.divergences,
            operations: self.operations + other.operations,
            failed: self.failed + other.failed,
            unknown: self.unknown + other.unknown,
            not_processed: self.not_processed + other.not_processed,
        }
    }

    /// Whether a canary with these counts is to be taken back: it has ended enough operations, and its part of errors is
    /// larger than that of the active version by more than the margin. Where the active version has ended nothing, it
    /// counts as one without errors.
    #[must_use]
    pub fn is_worse_than(&self, active: &Self, margin_percent: u8) -> bool {
        if self.operations < CANARY_JUDGED_FROM {
            return false;
        }
        let [ours, all, theirs, margin] =
            [self.errors(), self.operations, active.errors(), u64::from(margin_percent)].map(u128::from);
        let their_all = u128::from(active.operations.max(1));
        // ours / all > theirs / their_all + margin / 100, without fractions.
        ours * their_all * 100 > (theirs * 100 + margin * their_all) * all
    }

    /// Whether a version with these counts is to be put in quarantine: at least `traps_from` runs broke down, and they are
    /// more than the odd one. None of them is ever too many where `traps_from` is nought.
    #[must_use]
    pub fn is_broken(&self, traps_from: u32) -> bool {
        let broken = self.traps + self.divergences;
        traps_from > 0 && broken >= u64::from(traps_from) && broken * 100 >= self.runs * QUARANTINE_RATE_PERCENT
    }

    /// Operations of which no good came, by whose fault ever.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.failed + self.unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(operations: u64, failed: u64, unknown: u64) -> Counts {
        Counts { operations, failed, unknown, ..Counts::default() }
    }

    #[test]
    fn a_canary_is_judged_by_its_part_of_errors() {
        let well = ended(1_000, 5, 5);
        assert!(!ended(19, 19, 0).is_worse_than(&well, 5), "too few to say");
        assert!(ended(20, 1, 1).is_worse_than(&well, 5));
        assert!(!ended(20, 1, 0).is_worse_than(&well, 5), "5 % is within 1 % and a margin of 5");
        assert!(!ended(100, 3, 3).is_worse_than(&well, 5), "exactly at the margin");
        assert!(ended(100, 4, 3).is_worse_than(&well, 5));
        assert!(!ended(100, 50, 0).is_worse_than(&ended(10, 5, 0), 0), "the gateway is down for both");
        assert!(ended(20, 2, 0).is_worse_than(&Counts::default(), 5), "nobody to compare with is nobody who fails");
        assert!(!ended(20, 1, 0).is_worse_than(&Counts::default(), 5));
        let huge = ended(u64::MAX / 2, u64::MAX / 2, 0);
        assert!(huge.is_worse_than(&well, 5) && !well.is_worse_than(&huge, 5));
    }

    #[test]
    fn what_the_gateway_turns_away_is_no_error() {
        let turned_away = Counts { operations: 100, not_processed: 100, ..Counts::default() };
        assert!(!turned_away.is_worse_than(&Counts::default(), 0));
    }

    #[test]
    fn a_version_is_broken_by_many_traps_that_are_not_rare() {
        let counts = |runs, traps, divergences| Counts { runs, traps, divergences, ..Counts::default() };
        assert!(counts(5, 5, 0).is_broken(5));
        assert!(counts(100, 2, 3).is_broken(5));
        assert!(!counts(100, 4, 0).is_broken(5), "too few");
        assert!(counts(250, 5, 0).is_broken(5) && !counts(251, 5, 0).is_broken(5), "2 % is the line");
        assert!(!counts(5, 5, 0).is_broken(0), "switched off");
        assert!(!Counts::default().is_broken(5));
    }
}
