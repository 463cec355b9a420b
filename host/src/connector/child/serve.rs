//! The process that judges, from its first line to its last: limits, engine, component, answer.

use std::{
    io::{self, Read as _, Write},
    thread,
};

use super::{
    super::{
        engine::{Engine, EngineError},
        image::Verdict,
        report::Kit,
        workers::STACK_BYTES,
    },
    Job,
    frame::{self, Answer},
    limits,
};

/// Why the process ended without an answer. Whoever started it sees what it writes to its standard error.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("this command is started by the program itself, and not by people")]
    NoJob(#[source] serde_json::Error),
    #[error("the limits could not be set")]
    Limits(#[source] io::Error),
    #[error("the engine could not be built")]
    Engine(#[from] EngineError),
    #[error("the component could not be read")]
    Read(#[source] io::Error),
    #[error("the answer could not be written")]
    Answer(#[source] io::Error),
    #[error("no thread could be started")]
    Thread(#[source] io::Error),
    #[error("judging the component panicked")]
    Panicked,
}

/// Judges the component on standard input as `job` says, and writes the answer to standard output. `kit` is the
/// conformance kit of the program. To be called before the process has done anything else: the limits are for all of it.
pub fn serve(job: &str, kit: Option<Kit>) -> Result<(), ServeError> {
    let job: Job = serde_json::from_str(job).map_err(ServeError::NoJob)?;
    limits::begin(&job.limits, job.bounds.memory_max_bytes as u64).map_err(ServeError::Limits)?;
    // Components run there.
    thread::Builder::new()
        .name("connector-admission".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || judge(&job, kit))
        .map_err(ServeError::Thread)?
        .join()
        .map_err(|_| ServeError::Panicked)?
}

fn judge(job: &Job, kit: Option<Kit>) -> Result<(), ServeError> {
    let component_max_bytes = job.bounds.component_max_bytes;
    let engine = Engine::new(job.engine_config(kit))?;
    limits::no_more_threads().map_err(ServeError::Limits)?;
    let mut component = Vec::new();
    // One byte more than is let in, so that it is told that there were more.
    io::stdin().lock().take(component_max_bytes as u64 + 1).read_to_end(&mut component).map_err(ServeError::Read)?;
    let (answer, image) = match engine.judge_here(&component, job.depth) {
        Ok((version, image)) => {
            let report = version.report().expect("a version that was judged has its report").clone();
            (Answer::Admitted(Box::new(Verdict { descriptor: version.descriptor().clone(), report })), image)
        }
        Err(refused) => (Answer::Refused(refused.reasons), Vec::new()),
    };
    let mut out = io::stdout().lock();
    frame::write(&mut out, &answer, &image).and_then(|()| out.flush()).map_err(ServeError::Answer)
}
