//! The engine: what all runs share, and the calls that the rest of the host makes.
//!
//! A call is a job for one of the engine's threads ([`super::workers`]); there it gets a fresh instance from a pool of
//! slots that were reserved at start, runs within its bounds, and gives the slot back.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tracing::Span;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures, component::Linker};

use super::{
    admission::{self, Reason, ReasonCode, Refused},
    bindings,
    bounds::{
        CORE_INSTANCES_MAX, EngineConfig, INSTANCE_STATE_MAX_BYTES, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX,
        TABLES_PER_MODULE_MAX, Verb,
    },
    image::Images,
    inspect::FEATURES,
    machine::Machine,
    run::{RunError, Step, Verify},
    ticker,
    types::{Context, Delivery, Exchange, Failure, Inbound, Line, Opening, Operation},
    version::Version,
    workers::{NotDone, STACK_BYTES, WASM_STACK_BYTES, Workers},
};

/// Slots for instances beyond one per thread: one for admission, one that is being given back.
const SPARE_SLOTS: usize = 2;

/// Runs components.
pub struct Engine {
    machine: Arc<Machine>,
    workers: Workers,
    /// Held during an admission: one at a time, so that its work and its instance are bounded too.
    admitting: Mutex<()>,
}

/// Why there is no engine. The host cannot start without one.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The pool of instances cannot be reserved, or a setting is out of range. There is no slower mode to fall back
    /// to: a host that is quietly ten times slower is harder to find than one that says so.
    #[error("the engine for connectors cannot be set up: {0}")]
    Runtime(String),
    #[error("a thread for connectors cannot be started")]
    Thread(#[source] io::Error),
    #[error("the folder for compiled connectors cannot be used")]
    CacheDir(#[source] io::Error),
}

impl Engine {
    /// Reserves what runs need and starts the threads.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let engine = wasmtime::Engine::new(&settings(&config)).map_err(|error| runtime_error(&error))?;
        let mut linker = Linker::new(&engine);
        bindings::link(&mut linker).map_err(|error| runtime_error(&error))?;
        let images = match &config.cache_dir {
            Some(dir) => {
                let images = Images::open(dir.clone(), &config.image_key, &engine);
                Some(images.map_err(EngineError::CacheDir)?)
            }
            None => None,
        };
        ticker::start(&engine).map_err(EngineError::Thread)?;
        let workers = Workers::start(config.threads, config.queue_max).map_err(EngineError::Thread)?;
        let machine = Arc::new(Machine { engine, linker, images, config });
        Ok(Self { machine, workers, admitting: Mutex::new(()) })
    }

    /// Judges a component and makes it ready to run. Nothing of it takes part in payments by this.
    ///
    /// Takes the processor for as long as compiling takes (0.1 s for Rust, half a minute for Python) unless the image
    /// is in the cache: call it where blocking is allowed.
    pub fn admit(&self, component: &[u8]) -> Result<Arc<Version>, Refused> {
        let _admitting = self.admitting.lock().unwrap_or_else(PoisonError::into_inner);
        // On a thread of its own: the component runs there, and the caller's stack may be too small for that.
        let admitted = thread::scope(|scope| {
            thread::Builder::new()
                .name("connector-admission".to_owned())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || admission::admit(&self.machine, component))
                .map(thread::ScopedJoinHandle::join)
        });
        match admitted {
            Ok(Ok(admitted)) => admitted.map(Arc::new),
            Ok(Err(_panic)) => Err(Reason::new(
                ReasonCode::CompileFailed,
                "the host's compiler failed on it",
                "this is a bug of the host: please report it, with the component",
            )
            .into()),
            Err(error) => Err(Reason::new(
                ReasonCode::CompileFailed,
                format!("no thread could be started to compile it: {error}"),
                "try again when the host has more memory",
            )
            .into()),
        }
    }

    /// Runs an operation as far as its transcript goes: to the next request, or to its outcome.
    pub async fn perform(
        &self,
        version: &Arc<Version>,
        context: &Arc<Context>,
        operation: &Arc<Operation>,
        transcript: Arc<Vec<Exchange>>,
    ) -> Result<Step, RunError> {
        let (context, operation) = (Arc::clone(context), Arc::clone(operation));
        let verb = Verb::from(operation.action.kind());
        self.submit(version, verb, move |machine, version, waited| {
            machine.perform(version, waited, &context, &operation, transcript)
        })
        .await
    }

    /// Asks how a session is opened; none where the gateway wants none.
    pub async fn open_session(
        &self,
        version: &Arc<Version>,
        context: &Arc<Context>,
    ) -> Result<Option<Opening>, RunError> {
        let context = Arc::clone(context);
        self.submit(version, Verb::OpenSession, move |machine, version, waited| {
            machine.open_session(version, waited, &context)
        })
        .await
    }

    /// Has a webhook read; `verifier` answers for the account's secrets.
    pub async fn receive(
        &self,
        version: &Arc<Version>,
        context: &Arc<Context>,
        inbound: Inbound,
        verifier: Arc<dyn Verify>,
    ) -> Result<Result<Delivery, Failure>, RunError> {
        let context = Arc::clone(context);
        self.submit(version, Verb::Receive, move |machine, version, waited| {
            machine.receive(version, waited, &context, &inbound, verifier)
        })
        .await
    }

    /// Has a settlement file read.
    pub async fn read_settlement(
        &self,
        version: &Arc<Version>,
        context: &Arc<Context>,
        file: Vec<u8>,
    ) -> Result<Result<Vec<Line>, Failure>, RunError> {
        let context = Arc::clone(context);
        self.submit(version, Verb::ReadSettlement, move |machine, version, waited| {
            machine.read_settlement(version, waited, &context, &file)
        })
        .await
    }

    /// [`Engine::perform`] on the calling thread, past the queue: for measuring a run by itself. The thread's stack
    /// must have 2 MiB, and there must be no more of them than spare slots for instances (two).
    pub fn perform_here(
        &self,
        version: &Version,
        context: &Context,
        operation: &Operation,
        transcript: Arc<Vec<Exchange>>,
    ) -> Result<Step, RunError> {
        self.machine.perform(version, Duration::ZERO, context, operation, transcript)
    }

    /// Runs that wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.workers.waiting()
    }

    async fn submit<R: Send + 'static>(
        &self,
        version: &Arc<Version>,
        verb: Verb,
        call: impl FnOnce(&Machine, &Version, Duration) -> Result<R, RunError> + Send + 'static,
    ) -> Result<R, RunError> {
        let machine = Arc::clone(&self.machine);
        let callee = Arc::clone(version);
        let parent = Span::current();
        let submitted = Instant::now();
        let done = self.workers.run(move || {
            let waited = submitted.elapsed();
            // Where the span of a run is not wanted, what the connector logs still belongs to the caller's.
            let run = tracing::debug_span!(
                parent: &parent, "run",
                connector.name = callee.name(), connector.version = callee.version(), operation = verb.name()
            );
            let span = if run.is_disabled() { parent } else { run };
            span.in_scope(|| call(&machine, &callee, waited))
        });
        let not_done = match done.await {
            Ok(result) => return result,
            Err(NotDone::Busy) => RunError::Busy,
            Err(NotDone::Panicked) => RunError::Panicked,
        };
        version.meters.count_error(verb, &not_done);
        Err(not_done)
    }
}

/// How the runtime is set up.
fn settings(config: &EngineConfig) -> Config {
    let slots = u32::try_from(config.threads + SPARE_SLOTS).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(slots.saturating_mul(MEMORIES_MAX))
        .total_tables(slots.saturating_mul(TABLES_MAX))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_PER_MODULE_MAX)
        .max_component_instance_size(INSTANCE_STATE_MAX_BYTES)
        .max_core_instance_size(INSTANCE_STATE_MAX_BYTES)
        .max_memory_size(config.memory_max_bytes)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(config.memory_keep_resident_bytes)
        .table_keep_resident(config.memory_keep_resident_bytes)
        .max_unused_warm_slots(slots)
        // Resets only the pages that were written to, where the kernel can tell (Linux 6.7): half the time of a run.
        .pagemap_scan(Enabled::Auto);

    let mut settings = Config::new();
    settings
        .wasm_component_model(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        // The same bits for every NaN, so that a run is the same on every machine.
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    for feature in WasmFeatures::all().difference(allowed_features()).iter() {
        settings.wasm_features(feature, false);
    }
    settings
}

/// [`FEATURES`] in the words of the runtime, whose parser is another version of the same library: by name, because
/// numbers may differ between the two.
fn allowed_features() -> WasmFeatures {
    FEATURES.iter_names().filter_map(|(name, _)| WasmFeatures::from_name(name)).collect()
}

fn runtime_error(error: &wasmtime::Error) -> EngineError {
    EngineError::Runtime(format!("{error:#}"))
}
