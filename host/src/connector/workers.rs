//! A fixed number of threads that run components, behind a queue of bounded length.
//!
//! Not tokio's: a run is pure computation of microseconds that cannot be interrupted by anything but its own bounds,
//! and a runtime's worker that sits in one serves no socket. The threads' stacks are known to be large enough
//! ([`STACK_BYTES`]); exhausting a thread's stack would end the process, and no bound inside the sandbox prevents it.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;

/// Stack that a component may use of a thread's; a deeper recursion traps.
pub const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of a thread: what components may use, and ample room for host functions and the runtime's own work.
pub const STACK_BYTES: usize = 4 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when this is dropped and the queue is worked off.
pub struct Workers {
    queue: Sender<Job>,
}

/// Why a job came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The queue is full.
    Busy,
    /// It panicked: a bug in the host, not in a connector.
    Panicked,
}

impl Workers {
    /// Starts `threads` threads, with room for `queue_max` jobs to wait.
    pub fn start(threads: usize, queue_max: usize) -> io::Result<Self> {
        let (queue, jobs) = bounded::<Job>(queue_max);
        for number in 0..threads {
            let jobs = jobs.clone();
            thread::Builder::new()
                .name(format!("connector-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// Has `work` done by one of the threads. A caller that goes away before its turn costs nothing: the job is
    /// dropped unseen.
    pub async fn run<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Result<R, NotDone> {
        let (answer, result) = oneshot::channel();
        let job = Box::new(move || {
            if !answer.is_closed() {
                // The caller may go away while the work is done; then nobody wants the result.
                let _ = answer.send(work());
            }
        });
        match self.queue.try_send(job) {
            Ok(()) => result.await.map_err(|_| NotDone::Panicked),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(NotDone::Busy),
        }
    }

    /// Jobs that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        // A job that panics drops its answer, which tells its caller; the thread stays for the others.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a run of a connector panicked in the host");
        }
    }
}
