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
    meters::{Ended, Usage},
    run::{Run, RunError, RunLimits, Step, Stop, Verify},
    sanity,
    types::{Context, Delivery, Exchange, Failure, Inbound, Line, Opening, Operation, Request},
    version::{Program, Version},
};

/// What all threads share.
pub struct Machine {
    pub(super) engine: wasmtime::Engine,
    pub(super) linker: Linker<Run>,
    pub(super) images: Option<Images>,
    pub(super) config: EngineConfig,
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
    ) -> Result<Step, RunError> {
        let verb = Verb::from(operation.action.kind());
        let run = Run::of_operation(self.run_limits(), transcript);
        let Finished { result, run, usage } = self.execute(&version.program, verb, run, |exports, store, instance| {
            exports.perform(store, instance, context, operation)
        });
        let step = match result {
            Ok(Ok(outcome)) => run.finish().and_then(|()| {
                sanity::outcome(&outcome, operation.action.kind())?;
                Ok(Step::Done(outcome))
            }),
            Ok(Err(failure)) => run.finish().map(|()| Step::Failed(sanity::failure(&failure))),
            Err(halt) => run.judge(halt).and_then(|request| {
                sanity::request(&request)?;
                Ok(Step::Send(request))
            }),
        };
        let ended = match &step {
            Ok(Step::Send(_)) => Ok(Ended::Send),
            Ok(Step::Done(_)) => Ok(Ended::Done),
            Ok(Step::Failed(_)) => Ok(Ended::Failed),
            Err(error) => Err(error),
        };
        version.meters.count(verb, waited, usage, ended);
        step
    }

    pub(super) fn open_session(
        &self,
        version: &Version,
        waited: Duration,
        context: &Context,
    ) -> Result<Option<Opening>, RunError> {
        let run = Run::without_exchanges(self.run_limits(), None);
        let finished = self.execute(&version.program, Verb::OpenSession, run, |exports, store, instance| {
            exports.open_session(store, instance, context)
        });
        version.count(Verb::OpenSession, waited, finished, |opening| {
            opening.as_ref().map_or(Ok(()), sanity::opening)?;
            Ok(opening)
        })
    }

    pub(super) fn receive(
        &self,
        version: &Version,
        waited: Duration,
        context: &Context,
        inbound: &Inbound,
        verifier: Arc<dyn Verify>,
    ) -> Result<Result<Delivery, Failure>, RunError> {
        let run = Run::without_exchanges(self.run_limits(), Some(verifier));
        let finished = self.execute(&version.program, Verb::Receive, run, |exports, store, instance| {
            exports.receive(store, instance, context, inbound)
        });
        version.count(Verb::Receive, waited, finished, |delivery| {
            delivery.as_ref().map_or(Ok(()), sanity::delivery)?;
            Ok(delivery.map_err(|failure| sanity::failure(&failure)))
        })
    }

    pub(super) fn read_settlement(
        &self,
        version: &Version,
        waited: Duration,
        context: &Context,
        file: &[u8],
    ) -> Result<Result<Vec<Line>, Failure>, RunError> {
        let run = Run::without_exchanges(self.run_limits(), None);
        let finished = self.execute(&version.program, Verb::ReadSettlement, run, |exports, store, instance| {
            exports.read_settlement(store, instance, context, file)
        });
        version.count(Verb::ReadSettlement, waited, finished, |lines| {
            lines.as_deref().map_or(Ok(()), sanity::lines)?;
            Ok(lines.map_err(|failure| sanity::failure(&failure)))
        })
    }

    /// Runs `call` in a fresh instance of `program`.
    pub(super) fn execute<R>(
        &self,
        program: &Program,
        verb: Verb,
        run: Run,
        call: impl FnOnce(&Exports, &mut Store<Run>, Instance) -> wasmtime::Result<R>,
    ) -> Finished<R> {
        let began = Instant::now();
        let bounds = Bounds::of(verb, &self.config);
        let mut store = Store::new(&self.engine, run);
        store.limiter(|run| run);
        store.set_fuel(bounds.fuel).expect("the engine counts fuel");
        store.set_epoch_deadline(bounds.deadline_ticks);
        store.set_hostcall_fuel(bounds.copied_out_max_bytes);
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
        let usage = Usage { fuel, memory_peak_bytes: run.memory_peak_bytes(), time: began.elapsed() };
        Finished { result, run, usage }
    }
}

impl Version {
    /// Checks what a run without exchanges returned, and counts the run.
    fn count<R>(
        &self,
        verb: Verb,
        waited: Duration,
        finished: Finished<R>,
        check: impl FnOnce(R) -> Result<R, RunError>,
    ) -> Result<R, RunError> {
        let Finished { result, run, usage } = finished;
        let result = match result {
            Ok(returned) => check(returned),
            // An exchange cannot have been asked for: the run was not allowed to.
            Err(halt) => Err(run.judge(halt).err().unwrap_or(RunError::Panicked)),
        };
        let ended = result.as_ref().map(|_| Ended::Done);
        self.meters.count(verb, waited, usage, ended);
        result
    }
}
