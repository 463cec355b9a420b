//! One run from the first to the last step: the bounds, the instance, the call, the check, the count.
//!
//! Everything here is synchronous and happens on the thread that calls it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wasmtime::{
    Store,
    component::{Instance, Linker},
};

use super::{
    bindings::Exports,
    bounds::{Bounds, EngineConfig, Verb},
    image::Images,
    lines::Said,
    meters::{Ended, Usage},
    run::{Run, RunError, RunLimits, Step, Stop, Verify},
    sanity,
    types::{Context, Delivery, Exchange, Failure, Inbound, Line, Opening, Operation, OperationKind, Outcome, Request},
    version::{Program, Version},
};

/// What all threads share.
pub struct Machine {
    pub(super) engine: wasmtime::Engine,
    pub(super) linker: Linker<Run>,
    pub(super) images: Option<Images>,
    pub(super) config: EngineConfig,
}

/// What came of a run, what it took, and what the connector has logged in it.
pub struct Ran<R> {
    pub result: Result<R, RunError>,
    pub usage: Usage,
    pub waited: Duration,
    pub said: Vec<Said>,
}

/// A run that came to its end.
pub struct Finished<R> {
    pub result: Result<R, Halt>,
    pub run: Run,
    pub usage: Usage,
}

/// What ended a run before it returned.
pub enum Halt {
    /// It asked for an exchange that has no reply yet.
    Asked(Request),
    /// The host ended it.
    Broken(RunError),
    /// The sandbox did; `at_start` says that it did not get as far as the call.
    Trapped { at_start: bool, error: wasmtime::Error },
}

impl Machine {
    pub(super) fn run_limits(&self) -> RunLimits {
        RunLimits {
            exchanges_max: self.config.exchanges_max,
            memory_max_bytes: self.config.memory_max_bytes,
            log_max_lines: self.config.log_max_lines,
            log_max_bytes: self.config.log_max_bytes,
        }
    }

    pub(super) fn perform(
        &self,
        version: &Version,
        waited: Duration,
        context: &Context,
        operation: &Operation,
        transcript: Arc<Vec<Exchange>>,
    ) -> Ran<Step> {
        let verb = Verb::from(operation.action.kind());
        let run = Run::of_operation(self.run_limits(), transcript);
        let mut finished = self.execute(&version.program, verb, run, |exports, store, instance| {
            exports.perform(store, instance, context, operation)
        });
        let (usage, said) = (finished.usage, finished.run.take_said());
        let step = finished.step(operation.action.kind());
        let ended = match &step {
            Ok(Step::Send(_)) => Ok(Ended::Send),
            Ok(Step::Done(_)) => Ok(Ended::Done),
            Ok(Step::Failed(_)) => Ok(Ended::Failed),
            Err(error) => Err(error),
        };
        version.meters.count(verb, waited, usage, ended);
        Ran { result: step, usage, waited, said }
    }

    pub(super) fn open_session(&self, version: &Version, waited: Duration, context: &Context) -> Ran<Option<Opening>> {
        let run = Run::without_exchanges(self.run_limits(), None);
        let finished = self.execute(&version.program, Verb::OpenSession, run, |exports, store, instance| {
            exports.open_session(store, instance, context)
        });
        version.count(Verb::OpenSession, waited, finished, checked_opening)
    }

    pub(super) fn receive(
        &self,
        version: &Version,
        waited: Duration,
        context: &Context,
        inbound: &Inbound,
        verifier: Arc<dyn Verify>,
    ) -> Ran<Result<Delivery, Failure>> {
        let run = Run::without_exchanges(self.run_limits(), Some(verifier));
        let finished = self.execute(&version.program, Verb::Receive, run, |exports, store, instance| {
            exports.receive(store, instance, context, inbound)
        });
        version.count(Verb::Receive, waited, finished, checked_delivery)
    }

    pub(super) fn read_settlement(
        &self,
        version: &Version,
        waited: Duration,
        context: &Context,
        file: &[u8],
    ) -> Ran<Result<Vec<Line>, Failure>> {
        let run = Run::without_exchanges(self.run_limits(), None);
        let finished = self.execute(&version.program, Verb::ReadSettlement, run, |exports, store, instance| {
            exports.read_settlement(store, instance, context, file)
        });
        version.count(Verb::ReadSettlement, waited, finished, checked_lines)
    }

    /// Runs `call` in a fresh instance of `program`.
    pub(super) fn execute<R>(
        &self,
        program: &Program,
        verb: Verb,
        run: Run,
        call: impl FnOnce(&Exports, &mut Store<Run>, Instance) -> wasmtime::Result<R>,
    ) -> Finished<R> {
        self.execute_within(Bounds::of(verb, &self.config), program, run, call)
    }

    /// As [`Machine::execute`], within bounds that the caller knows.
    pub(super) fn execute_within<R>(
        &self,
        bounds: Bounds,
        program: &Program,
        run: Run,
        call: impl FnOnce(&Exports, &mut Store<Run>, Instance) -> wasmtime::Result<R>,
    ) -> Finished<R> {
        let began = Instant::now();
        let mut store = Store::new(&self.engine, run);
        store.limiter(|run| run);
        bounds.set(&mut store);
        // Instantiating runs the component's start functions: it stands under the same bounds.
        let result = match program.instance.instantiate(&mut store) {
            Ok(instance) => call(&program.exports, &mut store, instance).map_err(|error| (false, error)),
            Err(error) => Err((true, error)),
        };
        let fuel = bounds.fuel - store.get_fuel().expect("the engine counts fuel");
        let mut run = store.into_data();
        let result = result.map_err(|(at_start, error)| match run.take_stop() {
            Some(Stop::Asked(request)) => Halt::Asked(request),
            Some(Stop::Broken(error)) => Halt::Broken(error),
            None => Halt::Trapped { at_start, error },
        });
        let usage = Usage {
            fuel,
            memory_peak_bytes: run.memory_peak_bytes(),
            time: began.elapsed(),
            host_time: run.host_time(),
        };
        Finished { result, run, usage }
    }
}

impl Finished<Result<Outcome, Failure>> {
    /// What a run of an operation of `kind` came to, checked.
    pub(super) fn step(self, kind: OperationKind) -> Result<Step, RunError> {
        let Self { result, run, .. } = self;
        match result {
            Ok(Ok(outcome)) => run.finish().and_then(|()| {
                sanity::outcome(&outcome, kind)?;
                Ok(Step::Done(outcome))
            }),
            Ok(Err(failure)) => run.finish().map(|()| Step::Failed(sanity::failure(&failure))),
            Err(halt) => run.judge(halt).and_then(|request| {
                sanity::request(&request)?;
                Ok(Step::Send(request))
            }),
        }
    }
}

impl<R> Finished<R> {
    /// What a run without exchanges returned, checked.
    pub(super) fn returned(self, check: impl FnOnce(R) -> Result<R, RunError>) -> Result<R, RunError> {
        let Self { result, run, .. } = self;
        match result {
            Ok(returned) => check(returned),
            // An exchange cannot have been asked for: the run was not allowed to.
            Err(halt) => Err(run.judge(halt).err().unwrap_or(RunError::Panicked)),
        }
    }
}

impl Bounds {
    /// Gives the instance of `store` all that it may use from now on.
    pub(super) fn set(self, store: &mut Store<Run>) {
        store.set_fuel(self.fuel).expect("the engine counts fuel");
        store.set_epoch_deadline(self.deadline_ticks);
        store.set_hostcall_fuel(self.copied_out_max_bytes);
    }
}

impl Version {
    /// Checks what a run without exchanges returned, and counts the run.
    fn count<R>(
        &self,
        verb: Verb,
        waited: Duration,
        mut finished: Finished<R>,
        check: impl FnOnce(R) -> Result<R, RunError>,
    ) -> Ran<R> {
        let (usage, said) = (finished.usage, finished.run.take_said());
        let result = finished.returned(check);
        let ended = result.as_ref().map(|_| Ended::Done);
        self.meters.count(verb, waited, usage, ended);
        Ran { result, usage, waited, said }
    }
}

pub(super) fn checked_opening(opening: Option<Opening>) -> Result<Option<Opening>, RunError> {
    opening.as_ref().map_or(Ok(()), sanity::opening)?;
    Ok(opening)
}

pub(super) fn checked_delivery(delivery: Result<Delivery, Failure>) -> Result<Result<Delivery, Failure>, RunError> {
    delivery.as_ref().map_or(Ok(()), sanity::delivery)?;
    Ok(delivery.map_err(|failure| sanity::failure(&failure)))
}

pub(super) fn checked_lines(lines: Result<Vec<Line>, Failure>) -> Result<Result<Vec<Line>, Failure>, RunError> {
    lines.as_deref().map_or(Ok(()), sanity::lines)?;
    Ok(lines.map_err(|failure| sanity::failure(&failure)))
}
