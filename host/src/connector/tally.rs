//! What this host has counted of one version since it last told the others, for each thing that it is asked: plain
//! counters, read and emptied once a second.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use strum::{EnumCount as _, VariantArray as _};

use super::{bounds::Verb, meters::Usage, run::RunError};
use crate::domain::{
    connector_health::{Counts, Ending},
    connector_use::{GUEST_CLASSES, Use, guest_class},
};

/// The counters. Each is exact; two read at the same time may belong to different moments, which does not matter to sums.
#[derive(Default)]
pub struct Tally([OfVerb; Verb::COUNT]);

/// What was counted of one verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tallied {
    pub verb: Verb,
    pub counts: Counts,
    pub used: Use,
}

#[derive(Default)]
struct OfVerb {
    runs: AtomicU64,
    traps: AtomicU64,
    divergences: AtomicU64,
    operations: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
    not_processed: AtomicU64,
    guest_us: AtomicU64,
    host_us: AtomicU64,
    queue_us: AtomicU64,
    exchanges: AtomicU64,
    network_us: AtomicU64,
    fuel: AtomicU64,
    memory_max_bytes: AtomicU64,
    guest_runs: [AtomicU64; GUEST_CLASSES],
}

impl Tally {
    /// Counts a run. One that did not take place, or broke down in the host, is none.
    pub(super) fn ran<R>(&self, verb: Verb, result: &Result<R, RunError>, waited: Duration, usage: &Usage) {
        let of = self.of(verb);
        let broken = match result {
            Ok(_) => None,
            Err(RunError::Diverged { .. }) => Some(&of.divergences),
            Err(error) if error.blames_connector() => Some(&of.traps),
            Err(_) => return,
        };
        add(&of.runs, 1);
        if let Some(counter) = broken {
            add(counter, 1);
        }
        let guest_us = micros(usage.guest_time());
        add(&of.guest_us, guest_us);
        add(&of.host_us, micros(usage.host_time));
        add(&of.queue_us, micros(waited));
        add(&of.fuel, usage.fuel);
        of.memory_max_bytes.fetch_max(usage.memory_peak_bytes as u64, Relaxed);
        if let Some(class) = of.guest_runs.get(guest_class(guest_us)) {
            add(class, 1);
        }
    }

    /// Counts an operation that came to an end.
    pub(super) fn ended(&self, verb: Verb, ending: Ending) {
        let of = self.of(verb);
        add(&of.operations, 1);
        match ending {
            Ending::Well => {}
            Ending::NotProcessed => add(&of.not_processed, 1),
            Ending::Failed => add(&of.failed, 1),
            Ending::Unknown => add(&of.unknown, 1),
        }
    }

    /// Counts an exchange with its gateway.
    pub(super) fn exchanged(&self, verb: Verb, took: Duration) {
        add(&self.of(verb).exchanges, 1);
        add(&self.of(verb).network_us, micros(took));
    }

    /// Everything that was counted since the last time, which is then counted no more. Verbs of which nothing was are left
    /// out.
    #[must_use]
    pub fn take(&self) -> Vec<Tallied> {
        let taken = Verb::VARIANTS.iter().map(|verb| self.of(*verb).take(*verb));
        taken.filter(|tallied| !tallied.counts.is_empty() || !tallied.used.is_empty()).collect()
    }

    /// Counts again what was taken and could not be told.
    pub fn give_back(&self, tallied: &Tallied) {
        self.of(tallied.verb).give_back(tallied);
    }

    fn of(&self, verb: Verb) -> &OfVerb {
        self.0.get(verb as usize).expect("the array has a place for every verb")
    }
}

impl OfVerb {
    fn take(&self, verb: Verb) -> Tallied {
        let take = |counter: &AtomicU64| counter.swap(0, Relaxed);
        let counts = Counts {
            runs: take(&self.runs),
            traps: take(&self.traps),
            divergences: take(&self.divergences),
            operations: take(&self.operations),
            failed: take(&self.failed),
            unknown: take(&self.unknown),
            not_processed: take(&self.not_processed),
        };
        let used = Use {
            guest_us: take(&self.guest_us),
            host_us: take(&self.host_us),
            queue_us: take(&self.queue_us),
            exchanges: take(&self.exchanges),
            network_us: take(&self.network_us),
            fuel: take(&self.fuel),
            memory_max_bytes: take(&self.memory_max_bytes),
            guest_runs: self.guest_runs.each_ref().map(take),
        };
        Tallied { verb, counts, used }
    }

    fn give_back(&self, tallied: &Tallied) {
        let Counts { runs, traps, divergences, operations, failed, unknown, not_processed } = tallied.counts;
        let Use { guest_us, host_us, queue_us, exchanges, network_us, fuel, memory_max_bytes, guest_runs } =
            tallied.used;
        for (counter, count) in [
            (&self.runs, runs),
            (&self.traps, traps),
            (&self.divergences, divergences),
            (&self.operations, operations),
            (&self.failed, failed),
            (&self.unknown, unknown),
            (&self.not_processed, not_processed),
            (&self.guest_us, guest_us),
            (&self.host_us, host_us),
            (&self.queue_us, queue_us),
            (&self.exchanges, exchanges),
            (&self.network_us, network_us),
            (&self.fuel, fuel),
        ] {
            add(counter, count);
        }
        self.memory_max_bytes.fetch_max(memory_max_bytes, Relaxed);
        for (counter, count) in self.guest_runs.iter().zip(guest_runs) {
            add(counter, count);
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Relaxed);
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::run::TrapKind;

    #[test]
    fn what_was_counted_is_taken_once() {
        let tally = Tally::default();
        let trapped = || RunError::Trapped { kind: TrapKind::Fuel, detail: String::new() };
        let usage = Usage {
            fuel: 7,
            memory_peak_bytes: 64,
            time: Duration::from_micros(150),
            host_time: Duration::from_micros(50),
        };
        let ran = |result: Result<(), RunError>| tally.ran(Verb::Capture, &result, Duration::from_micros(3), &usage);
        ran(Ok(()));
        ran(Err(trapped()));
        ran(Err(RunError::TooManyExchanges { max: 8 }));
        ran(Err(RunError::Busy));
        ran(Err(RunError::Panicked));
        for ending in [Ending::Well, Ending::NotProcessed, Ending::Failed, Ending::Unknown, Ending::Well] {
            tally.ended(Verb::Capture, ending);
        }
        tally.exchanged(Verb::Capture, Duration::from_millis(1));
        let counts =
            Counts { runs: 3, traps: 2, divergences: 0, operations: 5, failed: 1, unknown: 1, not_processed: 1 };
        let used = Use {
            guest_us: 300,
            host_us: 150,
            queue_us: 9,
            exchanges: 1,
            network_us: 1_000,
            fuel: 21,
            memory_max_bytes: 64,
            guest_runs: [3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        let all = Tallied { verb: Verb::Capture, counts, used };
        assert_eq!(tally.take(), [all]);
        assert!(tally.take().is_empty());
        tally.give_back(&all);
        tally.ended(Verb::Capture, Ending::Well);
        assert_eq!(tally.take(), [Tallied { counts: Counts { operations: 6, ..counts }, ..all }]);
    }
}
