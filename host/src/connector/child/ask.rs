//! The host's side of a judging: starts the process, writes the component, reads the answer, and ends the process when
//! its time is over.
//!
//! Waits on the calling thread, with three threads beside it that end when the process does.

use std::{
    io::{self, Read, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{self, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    super::{
        admission::{
            Reason,
            ReasonCode::{NotJudged, TooMuchMemory, TooSlow},
            Refused,
        },
        bounds::EngineConfig,
        image::Verdict,
    },
    COMMAND, Child, Depth, Job, Limits,
    frame::{self, Answer},
};

/// What is kept of its standard error: the first lines say what went wrong.
const COMPLAINT_MAX_BYTES: u64 = 4096;
/// How long it may take to end when it has closed its output.
const END_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Where shared libraries are may depend on it; nothing else of our environment is the process's business: it holds the
/// keys of everything.
const LIBRARIES: &str = "LD_LIBRARY_PATH";
/// The program's allocator would take a gigabyte to begin with, which counts against the limit; here it takes what it
/// needs. Not ours: mimalloc reads it.
const ALLOCATOR: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");
/// What Rust's allocator writes when it gives up.
const OUT_OF_MEMORY: &str = "memory allocation of";

/// Has `component` judged; the verdict and the machine code where it is let in.
pub fn ask(
    child: &Child,
    depth: Depth,
    config: &EngineConfig,
    component: &[u8],
) -> Result<(Verdict, Vec<u8>), Refused> {
    let job = serde_json::to_string(&Job::new(depth, child.limits, config)).expect("numbers can be written as JSON");
    let told = start(child, &job).and_then(|process| converse(process, component, child.limits.time_max));
    let told = told.map_err(|error| not_judged(&format!("the process that judges it could not be run: {error}")))?;
    let Told { answer, ended } = told;
    match answer {
        Ok((Answer::Admitted(verdict), image)) => Ok((*verdict, image)),
        Ok((Answer::Refused(reasons), _)) if !reasons.is_empty() => Err(Refused { reasons }),
        Ok((Answer::Refused(_), _)) => Err(not_judged("the process that judges it gave no reason").into()),
        Err(error) => Err(ended.why(&error, &child.limits).into()),
    }
}

fn start(child: &Child, job: &str) -> io::Result<process::Child> {
    let mut command = Command::new(&child.program);
    if let Some(libraries) = std::env::var_os(LIBRARIES) {
        command.env_clear().env(LIBRARIES, libraries);
    } else {
        command.env_clear();
    }
    command
        .arg0(env!("CARGO_PKG_NAME"))
        .args([COMMAND, job])
        .env(ALLOCATOR.0, ALLOCATOR.1)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// What came of one process.
struct Told {
    answer: io::Result<(Answer, Vec<u8>)>,
    ended: Ended,
}

/// How it ended.
struct Ended {
    complaint: String,
    status: ExitStatus,
    timed_out: bool,
}

fn converse(mut process: process::Child, component: &[u8], time_max: Duration) -> io::Result<Told> {
    let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
    let (Some(mut stdin), Some(mut stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(io::Error::other("its pipes are not there"));
    };
    thread::scope(|scope| {
        let (done, answered) = mpsc::channel();
        // Dropped with the thread, so that the process sees the end. One that has judged enough stops reading.
        let writer = thread::Builder::new().spawn_scoped(scope, move || {
            let _ = stdin.write_all(component);
        });
        let reader = thread::Builder::new().spawn_scoped(scope, move || {
            let answer = frame::read(&mut stdout);
            // Nobody waits any more where the time is over.
            let _ = done.send(());
            answer
        });
        let complaints = thread::Builder::new().spawn_scoped(scope, move || complaint(stderr));
        let timed_out = answered.recv_timeout(time_max) == Err(mpsc::RecvTimeoutError::Timeout);
        // Every pipe of the process ends with it, and with them the threads, whichever of them were started.
        let status = if timed_out { killed(&mut process) } else { ended(&mut process) };
        writer?;
        let (reader, complaints) = (reader?, complaints?);
        let answer = reader.join().unwrap_or_else(|_| Err(io::Error::other("reading its answer panicked")));
        let complaint = complaints.join().unwrap_or_default();
        Ok(Told { answer, ended: Ended { complaint, status: status?, timed_out } })
    })
}

/// The beginning of what it complains about; the rest is read and thrown away, so that it never waits for us.
fn complaint(mut stderr: impl Read) -> String {
    let mut first = Vec::new();
    // What cannot be read is not known.
    let _ = stderr.by_ref().take(COMPLAINT_MAX_BYTES).read_to_end(&mut first);
    let _ = io::copy(&mut stderr, &mut io::sink());
    String::from_utf8_lossy(&first).trim().to_owned()
}

/// Its end, which it comes to by itself in a moment, or is brought to.
fn ended(process: &mut process::Child) -> io::Result<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < END_MAX {
        if let Some(status) = process.try_wait()? {
            return Ok(status);
        }
        thread::sleep(LOOK_EVERY);
    }
    killed(process)
}

fn killed(process: &mut process::Child) -> io::Result<ExitStatus> {
    process.kill()?;
    process.wait()
}

impl Ended {
    /// Why there is no answer.
    fn why(&self, error: &io::Error, limits: &Limits) -> Reason {
        let signal = self.status.signal().and_then(Signal::from_named_raw);
        tracing::warn!(
            status = %self.status, complaint = self.complaint, %error, timed_out = self.timed_out,
            "a component was not judged: the process ended without an answer"
        );
        let hint =
            "leave out what the connector does not need, split large functions, and put generated tables into data";
        if signal == Some(Signal::XCPU) {
            let cpu_max_s = limits.cpu_max.as_secs();
            return Reason::new(TooSlow, format!("judging it took more than {cpu_max_s} s of a processor"), hint);
        }
        if self.complaint.contains(OUT_OF_MEMORY) {
            let memory_max_bytes = limits.memory_max_bytes;
            return Reason::new(TooMuchMemory, format!("judging it took more than {memory_max_bytes} bytes"), hint);
        }
        if self.timed_out {
            let time_max_s = limits.time_max.as_secs();
            return not_judged(&format!("judging it was not done after {time_max_s} s by the clock"));
        }
        not_judged(&format!("the process that judges it ended without an answer ({})", self.status))
    }
}

fn not_judged(detail: &str) -> Reason {
    Reason::new(NotJudged, detail, "try again when the host has less to do; if that does not help, its log says more")
}
