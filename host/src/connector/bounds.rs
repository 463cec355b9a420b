//! How much a run may use: the engine's settings, and what they come to for each thing a connector is asked.

use std::{num::NonZero, path::PathBuf, thread, time::Duration};

use wasmtime::PoolingAllocationConfig;

use super::{child::Admission, report::Kit, types::OperationKind};

/// How often the clock that ends runaway runs ticks. It is only a backstop behind fuel, so it need not be fine.
pub const TICK: Duration = Duration::from_millis(10);

/// Elements of one table: the functions that a component can call by pointer. Python and JavaScript need some 10,000.
pub const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Core modules that a component may instantiate. The tools for Rust and JavaScript make three to eight of them, the one
/// for Python 38: the interpreter, its libraries and what joins them. Only counted, nothing is reserved for them.
pub const CORE_INSTANCES_MAX: u32 = 64;
/// Linear memories of a component. One, and one for what a tool may add.
pub const MEMORIES_MAX: u32 = 2;
/// Tables of a component, and of one of its modules.
pub const TABLES_MAX: u32 = 4;
pub const TABLES_PER_MODULE_MAX: u32 = 2;
/// What the runtime keeps for one instance besides its memory and tables.
pub const INSTANCE_STATE_MAX_BYTES: usize = 1 << 20;

/// A settlement file is megabytes where an operation is kilobytes, and nobody waits for it.
const SETTLEMENT_FUEL_FACTOR: u64 = 25;
const SETTLEMENT_TIME_FACTOR: u32 = 10;
const SETTLEMENT_COPIED_OUT_MAX_BYTES: usize = 64 << 20;

/// The engine's settings. Everything but the key for compiled images has a default ([`EngineConfig::new`]).
pub struct EngineConfig {
    /// Threads that run components, and so the number of runs at one time.
    pub threads: usize,
    /// Runs that may wait for a thread. Beyond that a run is refused at once ([`super::RunError::Busy`]): a queue
    /// that is longer than what is served within a request's deadline only makes every answer late.
    pub queue_max: usize,
    /// Linear memory of one instance. A multiple of 64 KiB.
    pub memory_max_bytes: usize,
    /// How much of an instance's memory is wiped by hand and kept instead of given back to the kernel: saves the page
    /// faults of the next run, and costs as much memory for each thread.
    pub memory_keep_resident_bytes: usize,
    /// Instructions of one run, roughly one per unit. The bound that counts: the same run ends at the same place on
    /// every machine. A Rust connector uses some ten thousand, a JavaScript one about a million.
    pub fuel_max: u64,
    /// Time of one run by the wall clock. A backstop for what fuel does not see.
    pub run_time_max: Duration,
    /// What one call may copy from the guest to the host: a request, an outcome, what is to be verified.
    pub copied_out_max_bytes: usize,
    /// What a run may log; the rest is dropped.
    pub log_max_lines: usize,
    pub log_max_bytes: usize,
    /// Requests of one operation; asking for one more ends it.
    pub exchanges_max: usize,
    /// Size of a component that is let in.
    pub component_max_bytes: usize,
    /// Where compiled images are kept. None: every start compiles.
    pub cache_dir: Option<PathBuf>,
    /// Authenticates those images: an image is machine code, and only this host's own is loaded. Derive it from the
    /// master key, for this purpose alone.
    pub image_key: [u8; 32],
    /// Where components are judged and compiled.
    pub admission: Admission,
    /// The conformance kit, which is played to every component that is new to the cluster. None: it is not.
    pub kit: Option<Kit>,
}

/// What engines for JavaScript and Python touch in a run. A connector in Rust has a megabyte in all.
const KEEP_RESIDENT_BYTES: usize = 16 << 20;
/// What a connector in Rust touches.
const KEEP_RESIDENT_BLINDLY_BYTES: usize = 64 << 10;

/// Only the pages that were written to are wiped, where the kernel tells which these are (Linux 6.7). Where it does not, all
/// that is kept is wiped after each run, and more than a little makes every run slower.
fn keep_resident_bytes() -> usize {
    if PoolingAllocationConfig::is_pagemap_scan_available() { KEEP_RESIDENT_BYTES } else { KEEP_RESIDENT_BLINDLY_BYTES }
}

impl EngineConfig {
    /// The defaults, with `image_key` for the cache. Components are judged in this process: a program whose command line
    /// knows how has that done by [`Admission::by_own_program`].
    #[must_use]
    pub fn new(image_key: [u8; 32]) -> Self {
        Self {
            threads: thread::available_parallelism().map_or(2, NonZero::get).max(2),
            queue_max: 1024,
            memory_max_bytes: 64 << 20,
            memory_keep_resident_bytes: keep_resident_bytes(),
            fuel_max: 200_000_000,
            run_time_max: Duration::from_secs(1),
            copied_out_max_bytes: 2 << 20,
            log_max_lines: 64,
            log_max_bytes: 16 << 10,
            exchanges_max: 8,
            component_max_bytes: 32 << 20,
            cache_dir: None,
            image_key,
            admission: Admission::InProcess,
            kit: None,
        }
    }
}

/// What a connector can be asked, as it stands in metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumCount, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Verb {
    Describe,
    Authorize,
    Complete,
    Capture,
    Cancel,
    Refund,
    Sync,
    OpenSession,
    Receive,
    ReadSettlement,
}

impl Verb {
    /// Its name in `snake_case`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl From<OperationKind> for Verb {
    fn from(kind: OperationKind) -> Self {
        match kind {
            OperationKind::Authorize => Self::Authorize,
            OperationKind::Complete => Self::Complete,
            OperationKind::Capture => Self::Capture,
            OperationKind::Cancel => Self::Cancel,
            OperationKind::Refund => Self::Refund,
            OperationKind::Sync => Self::Sync,
        }
    }
}

/// The bounds of one run.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub fuel: u64,
    /// In ticks of [`TICK`].
    pub deadline_ticks: u64,
    pub copied_out_max_bytes: usize,
}

impl Bounds {
    /// What a run that answers `verb` may use.
    pub fn of(verb: Verb, config: &EngineConfig) -> Self {
        match verb {
            Verb::ReadSettlement => Self {
                fuel: config.fuel_max.saturating_mul(SETTLEMENT_FUEL_FACTOR),
                deadline_ticks: ticks(config.run_time_max.saturating_mul(SETTLEMENT_TIME_FACTOR)),
                copied_out_max_bytes: config.copied_out_max_bytes.max(SETTLEMENT_COPIED_OUT_MAX_BYTES),
            },
            Verb::Describe
            | Verb::Authorize
            | Verb::Complete
            | Verb::Capture
            | Verb::Cancel
            | Verb::Refund
            | Verb::Sync
            | Verb::OpenSession
            | Verb::Receive => Self {
                fuel: config.fuel_max,
                deadline_ticks: ticks(config.run_time_max),
                copied_out_max_bytes: config.copied_out_max_bytes,
            },
        }
    }
}

/// One more than the time comes to, because the tick under way is already partly over.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX - 1).saturating_add(1)
}
