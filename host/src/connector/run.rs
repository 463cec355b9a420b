//! One run of a component: what it is answered, what ends it, and what that means.
//!
//! [`Run`] is the data of the instance's store, so all that a host function can reach. A host function that wants the
//! run to end notes why ([`Stop`]) and returns an error; the error carries nothing and costs nothing, because the
//! commonest end of all is the plan: the first request without an answer.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use wasmtime::{ResourceLimiter, Trap};

use super::{
    bindings::Level,
    bounds::TABLE_ELEMENTS_MAX,
    lines::Said,
    machine::Halt,
    types::{Exchange, Failure, Mac, Outcome, Request, Response},
};

/// Calls of `verify` in one run. A webhook needs one, or one per live secret; a loop of them costs the host, not the
/// guest's fuel.
pub const VERIFICATIONS_MAX: u32 = 64;
/// Length of a line that a connector logs.
const LOG_LINE_MAX_BYTES: usize = 1024;
/// Length of what is kept about a trap: the message and the innermost frames.
const DETAIL_MAX_BYTES: usize = 2048;

/// Answers a connector's `verify`: only the host knows the secrets.
pub trait Verify: Send + Sync {
    /// Checks `expected` against the MAC of `data` under every live version of the secret, in constant time. A number
    /// that proves it, or none.
    fn verify(&self, mac: Mac, secret: &str, data: &[u8], expected: &[u8]) -> Option<u32>;
}

/// What a run of an operation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write it down, send it, and run again with the reply.
    Send(Request),
    /// The connector has read an outcome.
    Done(Outcome),
    /// The connector cannot make sense of what the gateway said.
    Failed(Failure),
}

/// Why a run gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    #[error("the connector trapped ({}): {detail}", kind.name())]
    Trapped { kind: TrapKind, detail: String },
    /// It asked for something else than what is written down at `position`, or ended without asking for it.
    #[error("the connector diverged from its transcript at exchange {position}")]
    Diverged { position: usize, expected: Box<Request>, got: Option<Box<Request>> },
    #[error("the connector asked for more than {max} exchanges")]
    TooManyExchanges { max: usize },
    /// What it returned breaks a rule of the contract. Nothing of it may be used.
    #[error("the connector returned something it may not: {detail}")]
    BadOutcome { detail: String },
    #[error("no thread is free to run the connector")]
    Busy,
    /// A bug in the host.
    #[error("the run of the connector panicked in the host")]
    Panicked,
}

impl RunError {
    /// Whether it counts against the connector's version. Where not, the host is to blame, and the same run may work
    /// in a moment.
    #[must_use]
    pub fn blames_connector(&self) -> bool {
        match self {
            Self::Trapped { .. } | Self::Diverged { .. } | Self::TooManyExchanges { .. } | Self::BadOutcome { .. } => {
                true
            }
            Self::Busy | Self::Panicked => false,
        }
    }
}

/// What a trap was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum TrapKind {
    /// Used up its instructions.
    Fuel,
    /// Used up its time.
    Time,
    /// Wanted more memory than it may have, and could not go on without.
    Memory,
    /// Recursed too deep.
    Stack,
    /// Reached code that says it cannot be reached: how a panic of a Rust connector ends.
    Unreachable,
    /// Handed the host more than it may in one call.
    CopiedOut,
    /// Called a host function where that is not allowed.
    Forbidden,
    /// A fault of the code: out of bounds, division by zero, a bad pointer or text handed to the host.
    Fault,
}

impl TrapKind {
    /// Its name in `snake_case`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Why a host function ended the run.
pub enum Stop {
    /// As planned: the transcript holds no reply to this yet.
    Asked(Request),
    Broken(RunError),
}

/// The error that carries a [`Stop`] through the guest: the guest cannot catch it, and the reason waits in the run.
#[derive(Debug, thiserror::Error)]
#[error("the host ended the run")]
struct Stopped;

/// The data of one instance's store.
pub struct Run {
    transcript: Arc<Vec<Exchange>>,
    /// How many of the transcript's exchanges the guest has asked for.
    asked: usize,
    exchanges_max: usize,
    may_exchange: bool,
    stop: Option<Stop>,
    verifier: Option<Arc<dyn Verify>>,
    verifications_left: u32,
    memory_max_bytes: usize,
    memory_peak_bytes: usize,
    memory_refused: bool,
    log_lines_left: usize,
    log_bytes_left: usize,
    said: Vec<Said>,
    host_time: Duration,
}

/// The parts of the engine's settings that a run needs.
#[derive(Clone, Copy)]
pub struct RunLimits {
    pub exchanges_max: usize,
    pub memory_max_bytes: usize,
    pub log_max_lines: usize,
    pub log_max_bytes: usize,
}

impl Run {
    /// A run that may ask for exchanges and is answered from `transcript`.
    pub fn of_operation(limits: RunLimits, transcript: Arc<Vec<Exchange>>) -> Self {
        Self { transcript, may_exchange: true, ..Self::without_exchanges(limits, None) }
    }

    /// A run that may not ask for exchanges.
    pub fn without_exchanges(limits: RunLimits, verifier: Option<Arc<dyn Verify>>) -> Self {
        Self {
            transcript: Arc::default(),
            asked: 0,
            exchanges_max: limits.exchanges_max,
            may_exchange: false,
            stop: None,
            verifier,
            verifications_left: VERIFICATIONS_MAX,
            memory_max_bytes: limits.memory_max_bytes,
            memory_peak_bytes: 0,
            memory_refused: false,
            log_lines_left: limits.log_max_lines,
            log_bytes_left: limits.log_max_bytes,
            said: Vec::new(),
            host_time: Duration::ZERO,
        }
    }

    /// As it was before anything was asked: for a second call of the same instance.
    pub fn rewind(&mut self) {
        self.asked = 0;
        self.verifications_left = VERIFICATIONS_MAX;
    }

    /// Answers `exchange` from the transcript, or ends the run.
    pub fn exchange(&mut self, request: Request) -> wasmtime::Result<Response> {
        self.timed(|run| run.exchange_untimed(request))
    }

    fn exchange_untimed(&mut self, request: Request) -> wasmtime::Result<Response> {
        let stop = if !self.may_exchange {
            Stop::Broken(forbidden("`exchange` can only be called in `perform`"))
        } else if let Some(written) = self.transcript.get(self.asked) {
            if written.request == request {
                self.asked += 1;
                return Ok(written.response.clone());
            }
            Stop::Broken(RunError::Diverged {
                position: self.asked,
                expected: Box::new(written.request.clone()),
                got: Some(Box::new(request)),
            })
        } else if self.asked >= self.exchanges_max {
            Stop::Broken(RunError::TooManyExchanges { max: self.exchanges_max })
        } else {
            Stop::Asked(request)
        };
        self.end(stop)
    }

    /// Answers `verify`; none where nobody can verify here.
    pub fn verify(&mut self, mac: Mac, secret: &str, data: &[u8], expected: &[u8]) -> wasmtime::Result<Option<u32>> {
        let Some(left) = self.verifications_left.checked_sub(1) else {
            return self.end(Stop::Broken(forbidden("`verify` was called too often in one run")));
        };
        self.verifications_left = left;
        Ok(self.timed(|run| run.verifier.as_ref()?.verify(mac, secret, data, expected)))
    }

    /// Whether a message would be written. A run that is being replayed says again what an earlier one has said:
    /// only from the end of the transcript on is it new.
    pub fn may_log(&self) -> bool {
        self.log_lines_left > 0 && self.log_bytes_left > 0 && self.asked == self.transcript.len()
    }

    /// Writes a line of the connector's own, within what is left of its share. The span that is entered says which
    /// connector, and for which payment.
    pub fn log(&mut self, level: Level, message: &str) {
        let message = shortened(message, LOG_LINE_MAX_BYTES.min(self.log_bytes_left));
        self.log_lines_left -= 1;
        self.log_bytes_left -= message.len();
        // One line, whatever is in it: where it is written to a terminal, it must not pass for several, or for others'.
        let message = message.replace(|character: char| character.is_control(), " ");
        self.said.push(Said { level: level.into(), message: message.clone() });
        match level {
            Level::Debug => tracing::debug!(target: "connector", "{message}"),
            Level::Info => tracing::info!(target: "connector", "{message}"),
            Level::Warn => tracing::warn!(target: "connector", "{message}"),
        }
    }

    /// What the connector has logged; no more of it afterwards.
    pub fn take_said(&mut self) -> Vec<Said> {
        mem::take(&mut self.said)
    }

    /// How long the host's functions took that the connector has called.
    pub fn host_time(&self) -> Duration {
        self.host_time
    }

    fn timed<T>(&mut self, function: impl FnOnce(&mut Self) -> T) -> T {
        let began = Instant::now();
        let result = function(self);
        self.host_time += began.elapsed();
        result
    }

    /// The most linear memory that the instance had.
    pub fn memory_peak_bytes(&self) -> usize {
        self.memory_peak_bytes
    }

    /// Refuses an answer that was reached without asking for all that is written down: the code is not the code that
    /// wrote it, or not the same every time.
    pub fn finish(&self) -> Result<(), RunError> {
        match self.transcript.get(self.asked) {
            None => Ok(()),
            Some(unasked) => {
                Err(RunError::Diverged { position: self.asked, expected: Box::new(unasked.request.clone()), got: None })
            }
        }
    }

    /// Why the host ended the run, if it did.
    pub fn take_stop(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// What came of a run that did not return: the request where it ended as planned.
    pub fn judge(&self, halt: Halt) -> Result<Request, RunError> {
        match halt {
            Halt::Asked(request) => Ok(request),
            Halt::Broken(error) => Err(error),
            Halt::Trapped { error, .. } => Err(self.judge_trap(&error)),
        }
    }

    fn judge_trap(&self, error: &wasmtime::Error) -> RunError {
        if error.is::<wasmtime::PoolConcurrencyLimitError>() {
            return RunError::Busy;
        }
        let kind = match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => TrapKind::Fuel,
            Some(Trap::Interrupt) => TrapKind::Time,
            Some(Trap::StackOverflow) => TrapKind::Stack,
            // What a guest does when it is refused memory is to give up, each in its own way.
            Some(Trap::UnreachableCodeReached | Trap::MemoryOutOfBounds) if self.memory_refused => TrapKind::Memory,
            Some(Trap::UnreachableCodeReached) => TrapKind::Unreachable,
            Some(_) => TrapKind::Fault,
            // The runtime has no type for this one; a test holds us to its words.
            None if error.root_cause().to_string().contains("too much data is being copied") => TrapKind::CopiedOut,
            None if self.memory_refused => TrapKind::Memory,
            None => TrapKind::Fault,
        };
        RunError::Trapped { kind, detail: shortened(&format!("{error:#}"), DETAIL_MAX_BYTES).to_owned() }
    }

    fn end<T>(&mut self, stop: Stop) -> wasmtime::Result<T> {
        self.stop = Some(stop);
        Err(wasmtime::Error::new(Stopped))
    }
}

impl ResourceLimiter for Run {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.memory_max_bytes;
        if allowed {
            self.memory_peak_bytes = self.memory_peak_bytes.max(desired);
        } else {
            self.memory_refused = true;
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

fn forbidden(what: &str) -> RunError {
    RunError::Trapped { kind: TrapKind::Forbidden, detail: what.to_owned() }
}

/// `text`, cut to at most `max_bytes` at the end of a character.
pub fn shortened(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or(text)
}
