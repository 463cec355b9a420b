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
use uuid::Uuid;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures, component::Linker};

use super::{
    admission::{self, Reason, ReasonCode, Refused},
    bindings,
    bounds::{
        CORE_INSTANCES_MAX, EngineConfig, INSTANCE_STATE_MAX_BYTES, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX,
        TABLES_PER_MODULE_MAX, Verb,
    },
    child::{self, Admission, Depth},
    contract::Contract,
    image::{self, Images, Verdict, digest_of},
    inspect::FEATURES,
    lines::{About, Lines},
    machine::{Machine, Ran},
    report::NotPlayed,
    run::{RunError, Step, Verify},
    ticker,
    types::{Context, Delivery, Exchange, Failure, Inbound, Line, Opening, Operation},
    version::Version,
    workers::{NotDone, STACK_BYTES, WASM_STACK_BYTES, Workers},
};

/// Slots for instances beyond one per thread: one for admission, one for the conformance kit, one that is being given
/// back.
const SPARE_SLOTS: usize = 3;

/// Runs components.
pub struct Engine {
    pub(super) machine: Arc<Machine>,
    workers: Workers,
    lines: Lines,
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
        Ok(Self { machine, workers, lines: Lines::default(), admitting: Mutex::new(()) })
    }

    /// Judges a component and makes it ready to run. Nothing of it takes part in payments by this.
    ///
    /// Takes the processor for as long as compiling takes (0.1 s for Rust, half a minute for Python) unless the image
    /// is in the cache: call it where blocking is allowed.
    pub fn admit(&self, component: &[u8]) -> Result<Arc<Version>, Refused> {
        self.admitted(component, Depth::Full)
    }

    /// As [`Engine::admit`], without the conformance kit: for what another host of the cluster has let in already, and for
    /// those who play the kit themselves.
    pub fn load(&self, component: &[u8]) -> Result<Arc<Version>, Refused> {
        self.admitted(component, Depth::WithoutKit)
    }

    /// The version with this digest from the cache of images, without looking at the component: it was judged when the
    /// image was made. None where there is no image of this host's. Blocks while it reads a file.
    #[must_use]
    pub fn cached(&self, digest: &[u8; 32]) -> Option<Arc<Version>> {
        let (compiled, verdict) = self.machine.images.as_ref()?.load(&self.machine.engine, digest)?;
        // A contract that is not served any more: the component is judged again, and refused with the reason.
        let contract = Contract::of_version(&verdict.report.contract)?;
        // It was linked before it was kept; where that fails, the image is of no use.
        let program = admission::link(&self.machine, &compiled, contract).ok()?;
        Some(Arc::new(Version::judged(*digest, verdict, program)))
    }

    fn admitted(&self, component: &[u8], depth: Depth) -> Result<Arc<Version>, Refused> {
        let _admitting = self.admitting.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = digest_of(component);
        if let Some(version) = self.cached(&digest)
            && (depth == Depth::WithoutKit || self.kit_has_judged(&version))
        {
            return Ok(version);
        }
        let (version, code) = match &self.machine.config.admission {
            Admission::Child(child) => {
                let (verdict, code) = child::ask(child, depth, &self.machine.config, component)?;
                (self.adopted(digest, verdict, &code)?, code)
            }
            Admission::InProcess => self.judge_on_own_thread(component, depth)?,
        };
        self.keep(&version, &code);
        Ok(version)
    }

    /// Whether nothing is missing of the version's report that this program would add.
    fn kit_has_judged(&self, version: &Version) -> bool {
        self.machine.config.kit.is_none() || version.report().is_some_and(|report| report.conformance.is_some())
    }

    /// The version that a process of ours has judged and compiled.
    fn adopted(&self, digest: [u8; 32], verdict: Verdict, code: &[u8]) -> Result<Arc<Version>, Reason> {
        let of_another_build = |detail: String| {
            let hint = "the program and the process that it starts must be of the same build";
            Reason::new(ReasonCode::NotJudged, detail, hint)
        };
        let compiled = image::from_own_child(&self.machine.engine, code).map_err(|error| {
            of_another_build(format!("what the process that judges it made of it cannot be loaded: {error:#}"))
        })?;
        let version = &verdict.report.contract;
        let contract = Contract::of_version(version).ok_or_else(|| {
            of_another_build(format!("the process that judges it knows a contract {version} that this one does not"))
        })?;
        let program = admission::link(&self.machine, &compiled, contract)?;
        Ok(Arc::new(Version::judged(digest, verdict, program)))
    }

    /// On a thread of its own: the component runs there, and the caller's stack may be too small for that.
    fn judge_on_own_thread(&self, component: &[u8], depth: Depth) -> Result<(Arc<Version>, Vec<u8>), Refused> {
        let judged = thread::scope(|scope| {
            thread::Builder::new()
                .name("connector-admission".to_owned())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || self.judge_here(component, depth))
                .map(thread::ScopedJoinHandle::join)
        });
        match judged {
            Ok(Ok(judged)) => judged,
            Ok(Err(_panic)) => Err(Reason::new(
                ReasonCode::CompileFailed,
                "the host's compiler failed on it",
                "this is a bug of the host: please report it, with the component",
            )
            .into()),
            Err(error) => Err(Reason::new(
                ReasonCode::NotJudged,
                format!("no thread could be started to compile it: {error}"),
                "try again when the host has more memory",
            )
            .into()),
        }
    }

    /// Judges a component in this process and on the calling thread, whose stack must have [`STACK_BYTES`]. Returns its
    /// machine code too.
    pub(super) fn judge_here(&self, component: &[u8], depth: Depth) -> Result<(Arc<Version>, Vec<u8>), Refused> {
        let digest = digest_of(component);
        let judged = admission::judge(&self.machine, &digest, component)?;
        let code = judged.compiled.serialize().map_err(|error| {
            let hint = "this is a bug of the host: please report it, with the component";
            Reason::new(ReasonCode::CompileFailed, format!("what it was compiled to cannot be kept: {error:#}"), hint)
        })?;
        let mut report = judged.report;
        report.image_bytes = code.len() as u64;
        let version = Arc::new(Version::new(digest, judged.descriptor, judged.program));
        if let (Depth::Full, Some(kit)) = (depth, self.machine.config.kit) {
            let found = kit(self, &version, component).map_err(|NotPlayed(why)| {
                let hint = "try again; if that does not help, this is a bug of the host";
                Reason::new(ReasonCode::NotJudged, format!("the conformance kit could not be played: {why}"), hint)
            })?;
            report = report.with_conformance(found)?;
        }
        version.set_report(report);
        Ok((version, code))
    }

    fn keep(&self, version: &Version, code: &[u8]) {
        let (Some(images), Some(report)) = (&self.machine.images, version.report()) else { return };
        let verdict = Verdict { descriptor: version.descriptor().clone(), report: report.clone() };
        if let Err(error) = images.save(version.digest(), &verdict, code) {
            tracing::warn!(%error, "a compiled image could not be kept; the next start compiles the component again");
        }
    }

    /// What versions have said and hosts have found out about them since it was last taken.
    #[must_use]
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Runs an operation as far as its transcript goes: to the next request, or to its outcome.
    pub async fn perform(
        &self,
        version: &Arc<Version>,
        context: &Arc<Context>,
        operation: &Arc<Operation>,
        transcript: Arc<Vec<Exchange>>,
    ) -> Result<Step, RunError> {
        self.perform_for(None, version, context, operation, transcript).await
    }

    /// As [`Engine::perform`], for an operation of this merchant's.
    pub async fn perform_for(
        &self,
        merchant: Option<Uuid>,
        version: &Arc<Version>,
        context: &Arc<Context>,
        operation: &Arc<Operation>,
        transcript: Arc<Vec<Exchange>>,
    ) -> Result<Step, RunError> {
        let verb = Verb::from(operation.action.kind());
        let ran = self.submit_operation(version, context, operation, transcript).await?;
        self.noted(version, &About { verb, operation: Some(&operation.id), merchant }, ran)
    }

    /// [`Engine::perform`] for a run that nobody pays by: it is not among those by which the version is judged, and what it
    /// says has been said before.
    pub async fn rehearse(
        &self,
        version: &Arc<Version>,
        context: &Arc<Context>,
        operation: &Arc<Operation>,
        transcript: Arc<Vec<Exchange>>,
    ) -> Result<Step, RunError> {
        self.submit_operation(version, context, operation, transcript).await?.result
    }

    async fn submit_operation(
        &self,
        version: &Arc<Version>,
        context: &Arc<Context>,
        operation: &Arc<Operation>,
        transcript: Arc<Vec<Exchange>>,
    ) -> Result<Ran<Step>, RunError> {
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
        let opening = self.submit(version, Verb::OpenSession, move |machine, version, waited| {
            machine.open_session(version, waited, &context)
        });
        self.noted(version, &About::version(Verb::OpenSession), opening.await?)
    }

    /// Has a webhook read; `verifier` answers for the account's secrets. The version is not judged by it: anybody can send
    /// a webhook that makes a connector trap, and must not take out payments by that.
    pub async fn receive(
        &self,
        version: &Arc<Version>,
        context: &Arc<Context>,
        inbound: Inbound,
        verifier: Arc<dyn Verify>,
    ) -> Result<Result<Delivery, Failure>, RunError> {
        let context = Arc::clone(context);
        let delivery = self.submit(version, Verb::Receive, move |machine, version, waited| {
            machine.receive(version, waited, &context, &inbound, verifier)
        });
        self.noted(version, &About::version(Verb::Receive), delivery.await?)
    }

    /// Has a settlement file read.
    pub async fn read_settlement(
        &self,
        version: &Arc<Version>,
        context: &Arc<Context>,
        file: Vec<u8>,
    ) -> Result<Result<Vec<Line>, Failure>, RunError> {
        let context = Arc::clone(context);
        let lines = self.submit(version, Verb::ReadSettlement, move |machine, version, waited| {
            machine.read_settlement(version, waited, &context, &file)
        });
        self.noted(version, &About::version(Verb::ReadSettlement), lines.await?)
    }

    /// Counts a run, and keeps what was said in it and what is to be said of it.
    fn noted<R>(&self, version: &Version, about: &About<'_>, ran: Ran<R>) -> Result<R, RunError> {
        let Ran { result, usage, waited, said } = ran;
        version.tally().ran(about.verb, &result, waited, &usage);
        self.lines.said(version, about, said);
        if let Err(error) = &result
            && error.blames_connector()
        {
            self.lines.found(version, about, &error.to_string());
        }
        result
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
        self.machine.perform(version, Duration::ZERO, context, operation, transcript).result
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
        call: impl FnOnce(&Machine, &Version, Duration) -> Ran<R> + Send + 'static,
    ) -> Result<Ran<R>, RunError> {
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
            Ok(ran) => return Ok(ran),
            Err(NotDone::Busy) => RunError::Busy,
            Err(NotDone::Panicked) => RunError::Panicked,
        };
        version.meters.count_error(verb, &not_done);
        Err(not_done)
    }
}

/// How much of an instance's tables is wiped by hand: those of a connector in Rust. They are wiped whole.
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;

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
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
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
