//! Runs of a version that nobody waits for: the conformance kit tries a component out before anything depends on it.
//!
//! The same instances, bounds and checks as ever, but nothing is counted in metrics, nothing is logged, and a busy
//! machine is no fault of the component's: only instructions count, and time is a far backstop.

use std::{cell::Cell, io, sync::Arc, thread};

use super::{
    Engine, EngineConfig,
    bounds::{Bounds, Verb},
    machine::{Finished, Machine, checked_delivery, checked_lines, checked_opening},
    meters::Usage,
    run::{Run, RunError, RunLimits, Step, Verify},
    types::{Context, Delivery, Exchange, Failure, Inbound, Line, Opening, Operation},
    version::Version,
    workers::STACK_BYTES,
};

/// How much longer than in earnest a run may take.
const TIME_FACTOR: u64 = 60;

/// Tries one version out, on the thread that it was made for.
pub struct Trial<'a> {
    machine: &'a Machine,
    version: &'a Version,
    used: Cell<Used>,
}

/// What all runs of a trial have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub runs: u64,
    /// Instructions of all runs together.
    pub fuel: u64,
    /// Instructions of the latest run.
    pub last_fuel: u64,
    /// Most linear memory of the latest run.
    pub last_memory_bytes: usize,
}

/// Why nothing could be tried out. Neither is the component's fault.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error("no thread could be started to try the component out")]
    Thread(#[source] io::Error),
    #[error("trying the component out ended abnormally: this is a bug of the host")]
    Panicked,
}

impl Engine {
    /// Has `work` try `version` out. Takes the processor for as long as `work` does: call it where blocking is allowed.
    pub fn try_out<R: Send>(
        &self,
        version: &Version,
        work: impl FnOnce(&Trial<'_>) -> R + Send,
    ) -> Result<R, TrialError> {
        // On a thread of its own: the component runs there, and the caller's stack may be too small for that.
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("connector-trial".to_owned()).stack_size(STACK_BYTES);
            let spawned = thread.spawn_scoped(scope, || self.try_out_here(version, work));
            spawned.map_err(TrialError::Thread)?.join().map_err(|_panic| TrialError::Panicked)
        })
    }

    /// As [`Engine::try_out`], on the calling thread, whose stack must have 2 MiB: for a process that cannot start
    /// another.
    pub fn try_out_here<R>(&self, version: &Version, work: impl FnOnce(&Trial<'_>) -> R) -> R {
        work(&Trial { machine: &self.machine, version, used: Cell::default() })
    }
}

impl Trial<'_> {
    /// The bounds that the component is held to.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.machine.config
    }

    /// What has been used so far.
    #[must_use]
    pub fn used(&self) -> Used {
        self.used.get()
    }

    /// As [`Engine::perform`].
    pub fn perform(
        &self,
        context: &Context,
        operation: &Operation,
        transcript: Arc<Vec<Exchange>>,
    ) -> Result<Step, RunError> {
        let (kind, bounds) = (operation.action.kind(), self.bounds(Verb::from(operation.action.kind())));
        let run = Run::of_operation(self.limits(), transcript);
        let finished = self.machine.execute_within(bounds, &self.version.program, run, |exports, store, instance| {
            exports.perform(store, instance, context, operation)
        });
        self.count(finished.usage);
        finished.step(kind)
    }

    /// As [`Trial::perform`], twice in one instance: what the second time says. A first time that does not return has
    /// the last word, because nothing can be called after it.
    pub fn perform_twice(
        &self,
        context: &Context,
        operation: &Operation,
        transcript: Arc<Vec<Exchange>>,
    ) -> Result<Step, RunError> {
        let (kind, bounds) = (operation.action.kind(), self.bounds(Verb::from(operation.action.kind())));
        let run = Run::of_operation(self.limits(), transcript);
        let finished = self.machine.execute_within(bounds, &self.version.program, run, |exports, store, instance| {
            // What the first time says was said before, by a fresh instance.
            let _ = exports.perform(store, instance, context, operation)?;
            store.data_mut().rewind();
            bounds.set(store);
            exports.perform(store, instance, context, operation)
        });
        self.count(finished.usage);
        finished.step(kind)
    }

    /// As [`Engine::open_session`].
    pub fn open_session(&self, context: &Context) -> Result<Option<Opening>, RunError> {
        let run = Run::without_exchanges(self.limits(), None);
        let bounds = self.bounds(Verb::OpenSession);
        let finished = self.machine.execute_within(bounds, &self.version.program, run, |exports, store, instance| {
            exports.open_session(store, instance, context)
        });
        self.counted(finished, checked_opening)
    }

    /// As [`Engine::receive`].
    pub fn receive(
        &self,
        context: &Context,
        inbound: &Inbound,
        verifier: Arc<dyn Verify>,
    ) -> Result<Result<Delivery, Failure>, RunError> {
        let run = Run::without_exchanges(self.limits(), Some(verifier));
        let bounds = self.bounds(Verb::Receive);
        let finished = self.machine.execute_within(bounds, &self.version.program, run, |exports, store, instance| {
            exports.receive(store, instance, context, inbound)
        });
        self.counted(finished, checked_delivery)
    }

    /// As [`Engine::read_settlement`].
    pub fn read_settlement(&self, context: &Context, file: &[u8]) -> Result<Result<Vec<Line>, Failure>, RunError> {
        let run = Run::without_exchanges(self.limits(), None);
        let bounds = self.bounds(Verb::ReadSettlement);
        let finished = self.machine.execute_within(bounds, &self.version.program, run, |exports, store, instance| {
            exports.read_settlement(store, instance, context, file)
        });
        self.counted(finished, checked_lines)
    }

    fn bounds(&self, verb: Verb) -> Bounds {
        let bounds = Bounds::of(verb, &self.machine.config);
        Bounds { deadline_ticks: bounds.deadline_ticks.saturating_mul(TIME_FACTOR), ..bounds }
    }

    fn limits(&self) -> RunLimits {
        RunLimits { log_max_lines: 0, ..self.machine.run_limits() }
    }

    fn counted<R>(&self, finished: Finished<R>, check: impl FnOnce(R) -> Result<R, RunError>) -> Result<R, RunError> {
        self.count(finished.usage);
        finished.returned(check)
    }

    fn count(&self, usage: Usage) {
        let used = self.used.get();
        self.used.set(Used {
            runs: used.runs + 1,
            fuel: used.fuel.saturating_add(usage.fuel),
            last_fuel: usage.fuel,
            last_memory_bytes: usage.memory_peak_bytes,
        });
    }
}
