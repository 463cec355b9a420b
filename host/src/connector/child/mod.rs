//! A process of its own for judging components: parsing, compiling, the first runs.
//!
//! Bounds inside the sandbox hold while a component runs. They do not hold for the compiler, which takes seconds and
//! gigabytes for code that is made to be hard to compile, and promises nothing else. So a host has the judging done by
//! a process that the kernel holds to limits of processor time, memory, files and threads, and that the host ends when
//! its time is over. It is this very program under the hidden command `admit-component`: same compiler, same settings,
//! so that the host can load what comes back.
//!
//! - [`ask()`] is the host's side: starts the process, writes the component, reads the answer.
//! - [`serve()`] is the process's side, [`limits`] what it does to itself before it reads anything.
//! - [`frame`] is the form of the answer.

mod ask;
mod frame;
mod limits;
mod serve;

use std::{
    env, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use self::{
    ask::ask,
    serve::{ServeError, serve},
};
use super::{bounds::EngineConfig, report::Kit};

/// The command that makes the program such a process. Not for people.
pub const COMMAND: &str = "admit-component";

/// Processor time. The largest components that are let in take a minute; a release build needs half of that.
const CPU_MAX: Duration = Duration::from_mins(3);
/// Memory that can be written to. A Python component of 18 MB takes some hundred megabytes.
const MEMORY_MAX_BYTES: u64 = 2 << 30;
/// From the start of the process to its answer, by the clock: the processor may be busy with payments. Less than an
/// operator's request may take.
const TIME_MAX: Duration = Duration::from_secs(280);

/// Where components are judged and compiled.
#[derive(Clone, Debug)]
pub enum Admission {
    /// In a process of its own, within limits: what hosts and the command line do.
    Child(Child),
    /// In this process: for those who embed the engine and trust what they load.
    InProcess,
}

/// How the process is started, and what it may use.
#[derive(Clone, Debug)]
pub struct Child {
    /// The program; it must be of the same build as the one that asks.
    pub program: PathBuf,
    pub limits: Limits,
}

/// What one judging may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processor time, in whole seconds.
    pub cpu_max: Duration,
    /// Memory that can be written to, in bytes.
    pub memory_max_bytes: u64,
    /// From start to answer, by the clock.
    pub time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cpu_max: CPU_MAX, memory_max_bytes: MEMORY_MAX_BYTES, time_max: TIME_MAX }
    }
}

impl Admission {
    /// By a process of the program that is running. For programs whose command line knows [`COMMAND`].
    pub fn by_own_program() -> io::Result<Self> {
        // The kernel's name for the running program: the file at its path may be a newer one by now.
        let own = Path::new("/proc/self/exe");
        let program = if own.exists() { own.to_owned() } else { env::current_exe()? };
        Ok(Self::Child(Child { program, limits: Limits::default() }))
    }
}

/// How far a judging goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// Everything: a component that is new to the cluster.
    Full,
    /// Everything but the conformance kit, which another host has played already.
    WithoutKit,
}

/// What the process is told on its command line. Nothing of it is secret.
#[derive(Serialize, Deserialize)]
pub struct Job {
    depth: Depth,
    limits: Limits,
    bounds: RunBounds,
}

/// The engine's settings that decide what is let in and what the compiler makes of it.
#[derive(Serialize, Deserialize)]
struct RunBounds {
    memory_max_bytes: usize,
    memory_keep_resident_bytes: usize,
    fuel_max: u64,
    run_time_max: Duration,
    copied_out_max_bytes: usize,
    log_max_lines: usize,
    log_max_bytes: usize,
    exchanges_max: usize,
    component_max_bytes: usize,
}

impl Job {
    fn new(depth: Depth, limits: Limits, config: &EngineConfig) -> Self {
        let bounds = RunBounds {
            memory_max_bytes: config.memory_max_bytes,
            memory_keep_resident_bytes: config.memory_keep_resident_bytes,
            fuel_max: config.fuel_max,
            run_time_max: config.run_time_max,
            copied_out_max_bytes: config.copied_out_max_bytes,
            log_max_lines: config.log_max_lines,
            log_max_bytes: config.log_max_bytes,
            exchanges_max: config.exchanges_max,
            component_max_bytes: config.component_max_bytes,
        };
        Self { depth, limits, bounds }
    }

    /// The settings of the process's own engine: one thread, no cache.
    fn engine_config(&self, kit: Option<Kit>) -> EngineConfig {
        let RunBounds {
            memory_max_bytes,
            memory_keep_resident_bytes,
            fuel_max,
            run_time_max,
            copied_out_max_bytes,
            log_max_lines,
            log_max_bytes,
            exchanges_max,
            component_max_bytes,
        } = self.bounds;
        EngineConfig {
            threads: 1,
            queue_max: 1,
            memory_max_bytes,
            memory_keep_resident_bytes,
            fuel_max,
            run_time_max,
            copied_out_max_bytes,
            log_max_lines,
            log_max_bytes,
            exchanges_max,
            component_max_bytes,
            cache_dir: None,
            // Nothing is kept, so nothing is authenticated.
            image_key: [0; 32],
            admission: Admission::InProcess,
            kit,
        }
    }
}
