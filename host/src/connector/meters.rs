//! What is measured about runs: per connector, version and operation.
//!
//! The handles are looked up once and kept with the version: a look-up by labels costs more than some runs do.

use std::{sync::OnceLock, time::Duration};

use metrics::{Counter, Histogram, counter, histogram};
use strum::EnumCount;

use super::{bounds::Verb, run::RunError};

/// Runs by connector, version, operation and `result` (`send`, `done`, `failed`, `error`).
pub const RUNS: &str = "interlock_connector_runs_total";
/// Time of a run in seconds, instantiation included.
pub const RUN_SECONDS: &str = "interlock_connector_run_seconds";
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
    pub time: Duration,
}

/// The meters of one version.
pub struct Meters {
    connector: String,
    version: String,
    by_verb: [OnceLock<ByVerb>; Verb::COUNT],
}

struct ByVerb {
    send: Counter,
    done: Counter,
    failed: Counter,
    error: Counter,
    seconds: Histogram,
    queue_seconds: Histogram,
    fuel: Histogram,
    memory_bytes: Histogram,
}

impl Meters {
    pub(super) fn new(connector: &str, version: &str) -> Self {
        Self {
            connector: connector.to_owned(),
            version: version.to_owned(),
            by_verb: [const { OnceLock::new() }; Verb::COUNT],
        }
    }

    /// Counts a run.
    pub(super) fn count(&self, verb: Verb, waited: Duration, usage: Usage, ended: Result<Ended, &RunError>) {
        let meters = self.of(verb);
        meters.seconds.record(usage.time);
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
                return counter!(DIVERGENCES, &labels).increment(1);
            }
        };
        let [connector, version, operation] = self.labels(verb);
        counter!(TRAPS, &[connector, version, operation, ("kind", kind.to_owned())]).increment(1);
    }

    fn of(&self, verb: Verb) -> &ByVerb {
        let slot = self.by_verb.get(verb as usize).expect("the array has a slot for every verb");
        slot.get_or_init(|| {
            let labels = self.labels(verb);
            let runs = |result: &str| {
                let [connector, version, operation] = self.labels(verb);
                counter!(RUNS, &[connector, version, operation, ("result", result.to_owned())])
            };
            ByVerb {
                send: runs("send"),
                done: runs("done"),
                failed: runs("failed"),
                error: runs("error"),
                seconds: histogram!(RUN_SECONDS, &labels),
                queue_seconds: histogram!(QUEUE_SECONDS, &labels),
                fuel: histogram!(FUEL, &labels),
                memory_bytes: histogram!(MEMORY_BYTES, &labels),
            }
        })
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
