//! What is measured about runs: per connector, version and operation.
//!
//! The handles are kept with the version: a look-up by labels costs more than some runs do. They are looked up again
//! every hour, because series that nothing was counted in for a day are gone ([`telemetry::of_connectors`]).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;

use metrics::{Counter, Histogram, counter, histogram};
use strum::EnumCount;

use super::{bounds::Verb, run::RunError};
use crate::{
    domain::connector_health::Ending,
    telemetry::{self, SERIES_IDLE_MAX},
};

/// Runs by connector, version, operation and `result` (`send`, `done`, `failed`, `error`).
pub const RUNS: &str = "interlock_connector_runs_total";
/// Time of a run in seconds, instantiation included.
pub const RUN_SECONDS: &str = "interlock_connector_run_seconds";
/// Of it: time in the connector's own code.
pub const GUEST_SECONDS: &str = "interlock_connector_guest_seconds";
/// Of it: time in the host's functions that the connector calls.
pub const HOST_SECONDS: &str = "interlock_connector_host_seconds";
/// Time of an exchange with the gateway, in seconds.
pub const NETWORK_SECONDS: &str = "interlock_connector_network_seconds";
/// Operations that came to an end, by connector, version, operation and `ending` (`well`, `not_processed`, `failed`,
/// `unknown`).
pub const OPERATIONS: &str = "interlock_connector_operations_total";
/// Time that a run waited for a thread, in seconds.
pub const QUEUE_SECONDS: &str = "interlock_connector_queue_seconds";
/// Instructions of a run.
pub const FUEL: &str = "interlock_connector_run_fuel";
/// Most linear memory of a run, in bytes.
pub const MEMORY_BYTES: &str = "interlock_connector_run_memory_bytes";
/// Runs that gave no answer, by connector, version, operation and `kind`.
pub const TRAPS: &str = "interlock_connector_traps_total";
/// Runs that asked for something else than what is written down.
pub const DIVERGENCES: &str = "interlock_connector_divergences_total";
/// Runs that were refused because the queue was full.
pub const BUSY: &str = "interlock_connector_busy_total";

/// When handles are looked up again: long before a series that was in use then is gone.
const LOOK_UP_EVERY: Duration = Duration::from_hours(1);
const _: () = assert!(LOOK_UP_EVERY.as_secs() * 2 < SERIES_IDLE_MAX.as_secs());

/// How a run that gave an answer ended.
#[derive(Clone, Copy)]
pub enum Ended {
    Send,
    Done,
    Failed,
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub fuel: u64,
    pub memory_peak_bytes: usize,
    /// All of it, instantiation included.
    pub time: Duration,
    /// Of it: in functions of the host that the connector calls.
    pub host_time: Duration,
}

impl Usage {
    /// Time in the connector's own code, and in making its instance.
    #[must_use]
    pub fn guest_time(&self) -> Duration {
        self.time.saturating_sub(self.host_time)
    }
}

/// The meters of one version.
pub struct Meters {
    connector: String,
    version: String,
    by_verb: [ArcSwapOption<ByVerb>; Verb::COUNT],
}

struct ByVerb {
    looked_up: Instant,
    send: Counter,
    done: Counter,
    failed: Counter,
    error: Counter,
    operations: [Counter; Ending::COUNT],
    seconds: Histogram,
    guest_seconds: Histogram,
    host_seconds: Histogram,
    network_seconds: Histogram,
    queue_seconds: Histogram,
    fuel: Histogram,
    memory_bytes: Histogram,
}

impl Meters {
    pub(super) fn new(connector: &str, version: &str) -> Self {
        Self {
            connector: connector.to_owned(),
            version: version.to_owned(),
            by_verb: std::array::from_fn(|_| ArcSwapOption::empty()),
        }
    }

    /// Counts a run.
    pub(super) fn count(&self, verb: Verb, waited: Duration, usage: Usage, ended: Result<Ended, &RunError>) {
        let meters = self.of(verb);
        meters.seconds.record(usage.time);
        meters.guest_seconds.record(usage.guest_time());
        meters.host_seconds.record(usage.host_time);
        meters.queue_seconds.record(waited);
        meters.fuel.record(amount(usage.fuel));
        meters.memory_bytes.record(amount(usage.memory_peak_bytes as u64));
        match ended {
            Ok(Ended::Send) => meters.send.increment(1),
            Ok(Ended::Done) => meters.done.increment(1),
            Ok(Ended::Failed) => meters.failed.increment(1),
            Err(error) => {
                meters.error.increment(1);
                self.count_error(verb, error);
            }
        }
    }

    /// Counts an operation that came to an end.
    pub(super) fn ended(&self, verb: Verb, ending: Ending) {
        if let Some(counter) = self.of(verb).operations.get(ending as usize) {
            counter.increment(1);
        }
    }

    /// Counts an exchange with the gateway.
    pub(super) fn exchanged(&self, verb: Verb, took: Duration) {
        self.of(verb).network_seconds.record(took);
    }

    /// Counts a run that gave no answer.
    pub(super) fn count_error(&self, verb: Verb, error: &RunError) {
        let kind = match error {
            RunError::Trapped { kind, .. } => kind.name(),
            RunError::TooManyExchanges { .. } => "too_many_exchanges",
            RunError::BadOutcome { .. } => "bad_outcome",
            RunError::Panicked => "panicked",
            RunError::Busy => return counter!(BUSY).increment(1),
            RunError::Diverged { .. } => {
                let labels = self.labels(verb);
                return telemetry::of_connectors(|| counter!(DIVERGENCES, &labels)).increment(1);
            }
        };
        let [connector, version, operation] = self.labels(verb);
        let labels = [connector, version, operation, ("kind", kind.to_owned())];
        telemetry::of_connectors(|| counter!(TRAPS, &labels)).increment(1);
    }

    fn of(&self, verb: Verb) -> Arc<ByVerb> {
        let place = self.by_verb.get(verb as usize).expect("the array has a place for every verb");
        match &*place.load() {
            Some(kept) if kept.looked_up.elapsed() < LOOK_UP_EVERY => return Arc::clone(kept),
            Some(_) | None => {}
        }
        let looked_up = Arc::new(telemetry::of_connectors(|| self.look_up(verb)));
        place.store(Some(Arc::clone(&looked_up)));
        looked_up
    }

    fn look_up(&self, verb: Verb) -> ByVerb {
        let labels = self.labels(verb);
        let counter = |name: &'static str, label: &'static str, word: &'static str| {
            let [connector, version, operation] = self.labels(verb);
            let counter = counter!(name, &[connector, version, operation, (label, word.to_owned())]);
            // What is in use stays, also where this counts nothing.
            counter.increment(0);
            counter
        };
        ByVerb {
            looked_up: Instant::now(),
            send: counter(RUNS, "result", "send"),
            done: counter(RUNS, "result", "done"),
            failed: counter(RUNS, "result", "failed"),
            error: counter(RUNS, "result", "error"),
            operations: Ending::ALL.map(|ending| counter(OPERATIONS, "ending", ending.name())),
            seconds: histogram!(RUN_SECONDS, &labels),
            guest_seconds: histogram!(GUEST_SECONDS, &labels),
            host_seconds: histogram!(HOST_SECONDS, &labels),
            network_seconds: histogram!(NETWORK_SECONDS, &labels),
            queue_seconds: histogram!(QUEUE_SECONDS, &labels),
            fuel: histogram!(FUEL, &labels),
            memory_bytes: histogram!(MEMORY_BYTES, &labels),
        }
    }

    fn labels(&self, verb: Verb) -> [(&'static str, String); 3] {
        [
            ("connector", self.connector.clone()),
            ("version", self.version.clone()),
            ("operation", verb.name().to_owned()),
        ]
    }
}

/// A histogram takes floats; the loss beyond 2^53 is no loss here.
#[expect(clippy::cast_precision_loss, reason = "a measurement, not money")]
fn amount(value: u64) -> f64 {
    value as f64
}
