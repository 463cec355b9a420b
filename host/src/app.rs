//! Everything that a handler or a worker may use, built once at the start.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use moka::sync::Cache;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    clock::{Clock, Ids},
    config::Config,
    conformance,
    connector::{Engine, EngineConfig, Registry, Unloadable, report::Kit},
    flow::{
        connectors::{Following, Written},
        deliver::Deliveries,
        publish,
        receive_webhook::Webhooks,
        route::Accounts,
        sessions::Sessions,
    },
    store::{self, pool::Pool},
    telemetry::{self, Metrics},
    vault::{MasterKey, Vault},
    wake::Wake,
    wire::{Wire, WireConfig},
};

/// A statement that takes longer is cancelled by the server: nothing we ask for does.
const STATEMENT_TIMEOUT_MS: u32 = 10_000;
/// How long a statement waits for a row that another transaction holds.
const LOCK_TIMEOUT_MS: u32 = 5_000;
/// For migrations alone; 0 is Postgres' word for none. Said aloud, because a role or a database may have its own.
const NO_TIMEOUTS: [(&str, &str); 3] =
    [("statement_timeout", "0"), ("lock_timeout", "0"), ("idle_in_transaction_session_timeout", "0")];

/// Keys that the hint about repeats remembers; 100,000 of them take about 10 MB.
const SEEN_KEYS_MAX: u64 = 100_000;

/// Operations of merchants' requests under way at once. Each waits for its gateway and holds some tens of kilobytes.
const DRIVING_MAX: usize = 20_000;

/// Operations of other hosts that this one carries on at once: each may hold a gateway's connection for its time-out.
const RESOLVING_MAX: usize = 128;

/// The conformance kit that is played to components before they are let in.
pub const KIT: Option<Kit> = Some(conformance::play);

/// How long this host may believe that an operation is its own.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// On the clock that runs through suspension ([`Clock::boot`]).
    pub ends: Duration,
}

/// One process's everything. All hosts are equal: nothing in here is needed by another one.
pub struct App {
    pub config: Config,
    pub pool: Pool,
    pub vault: Vault,
    pub wire: Wire,
    pub engine: Engine,
    pub registry: Registry,
    /// Held while the registry is brought up to what the cluster says.
    pub following: Following,
    /// Connectors for which lines were written to the log.
    pub log_written: Written,
    /// Versions that the cluster has and this host cannot load.
    pub unloadable: Unloadable,
    pub accounts: Accounts,
    pub webhooks: Webhooks,
    /// Sessions at gateways that this host knows.
    pub sessions: Sessions,
    /// Idempotency keys that this host has seen lately, hashed: a hint that a request is a repeat, nothing more.
    pub seen_keys: Cache<u64, ()>,
    pub clock: Clock,
    pub ids: Ids,
    /// Who this process is in `work.owner`; drawn at each start.
    pub host_id: Uuid,
    /// How many taken-over operations this host may carry on at once.
    pub resolving: Arc<Semaphore>,
    /// How many operations of merchants' requests this host may have under way: a client that hangs up frees its request,
    /// and not what it began.
    pub driving: Arc<Semaphore>,
    /// Tells who waits that there is something to do.
    pub wake: Wake,
    /// Events on their way to merchants' endpoints.
    pub deliveries: Deliveries,
    /// Work that goes on when its request is gone; draining waits for it.
    pub tasks: TaskTracker,
    /// Set when the process is to end: no new work is taken.
    pub stop: CancellationToken,
    pub metrics: Metrics,
}

impl App {
    /// Connects, migrates, and builds the engine. Fails with what to do about it.
    pub async fn start(config: Config) -> anyhow::Result<Arc<Self>> {
        let metrics = telemetry::metrics()?;
        let clock = Clock::real();
        migrate(&config.database_url).await?;
        let pool = connect(&config)?;
        {
            let mut conn = pool.acquire().await?;
            publish::keep_partitions(&mut conn, clock.now().date_naive()).await?;
            publish::ensure_reader(&mut conn).await?;
        }
        let vault = Vault::new(
            MasterKey::new(*config.master_key.expose()),
            config.retired_master_keys.iter().map(|key| MasterKey::new(*key.expose())).collect(),
        );
        let engine = Engine::new(EngineConfig {
            threads: config.engine_threads,
            cache_dir: Some(config.cache_dir.clone()),
            admission: config.admission.clone(),
            kit: KIT,
            ..EngineConfig::new(*vault.image_key())
        })
        .context("the engine for connectors could not be built")?;
        let wire =
            Wire::new(WireConfig::new(config.allow_private_networks)).context("outbound HTTP could not be set up")?;
        let (wake, courier) = (Wake::new(!config.outbox_wake), wire.courier());
        let stop = CancellationToken::new();
        Ok(Arc::new(Self {
            pool,
            vault,
            wire,
            engine,
            registry: Registry::default(),
            following: Following::default(),
            log_written: Written::default(),
            unloadable: Unloadable::default(),
            accounts: Accounts::default(),
            webhooks: Webhooks::default(),
            sessions: Sessions::default(),
            seen_keys: Cache::new(SEEN_KEYS_MAX),
            clock,
            ids: Ids::default(),
            host_id: Uuid::new_v4(),
            resolving: Arc::new(Semaphore::new(RESOLVING_MAX)),
            driving: Arc::new(Semaphore::new(DRIVING_MAX)),
            deliveries: Deliveries::new(courier, Arc::clone(&wake.deliveries), stop.clone()),
            wake,
            tasks: TaskTracker::new(),
            stop,
            metrics,
            config,
        }))
    }

    /// A lease that is about to be written, as this host's own clock sees it. Read before the statement that writes it,
    /// so that it never ends later here than in the database.
    pub fn new_lease(&self) -> Lease {
        Lease { ends: self.clock.boot() + self.config.lease }
    }

    /// Deadline of one gateway exchange. A lease that is set shorter than the time-out bounds it too, with room for commit
    /// 1 before it: whoever sends must own the operation until the reply is here.
    pub fn exchange_timeout(&self) -> Duration {
        let Config { gateway_timeout, lease, .. } = self.config;
        if lease > gateway_timeout { gateway_timeout } else { lease * 3 / 4 }
    }

    /// Milliseconds for which a key's answer is kept.
    pub fn idempotency_ttl_ms(&self) -> i64 {
        i64::try_from(self.config.idempotency_ttl.as_millis()).unwrap_or(i64::MAX)
    }

    /// Milliseconds for which this host owns an operation that it works on.
    pub fn lease_ms(&self) -> i64 {
        i64::try_from(self.config.lease.as_millis()).unwrap_or(i64::MAX)
    }
}

fn connect(config: &Config) -> anyhow::Result<Pool> {
    let options = options(&config.database_url)?.options([
        ("statement_timeout", STATEMENT_TIMEOUT_MS.to_string()),
        ("lock_timeout", LOCK_TIMEOUT_MS.to_string()),
        ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT_MS.to_string()),
        // A plan for the parameters at hand is never better than the generic one for our statements by primary key,
        // and planning a commit's statement costs more than running it.
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        ("jit", "off".to_owned()),
    ]);
    Pool::new(options, usize::try_from(config.database_connections_max).unwrap_or(usize::MAX))
}

fn options(database_url: &str) -> anyhow::Result<PgConnectOptions> {
    let options: PgConnectOptions =
        database_url.parse().context("DATABASE_URL is not a Postgres URL (postgres://user:password@host/database)")?;
    Ok(options.application_name("interlock"))
}

/// Applies what is missing, on a connection of its own that waits as long as it takes: hosts that start together wait
/// for the one that holds sqlx's lock, and a change of a large table takes its time. A plain connection also says why
/// there is none, where the pool would say that it timed out.
pub async fn migrate(database_url: &str) -> anyhow::Result<()> {
    let options = options(database_url)?.options(NO_TIMEOUTS);
    let mut conn = PgConnection::connect_with(&options)
        .await
        .context("Postgres at DATABASE_URL is out of reach; is it running, and may this user connect?")?;
    store::MIGRATOR.run(&mut conn).await.context("the database's schema could not be brought up to date")?;
    conn.close().await.context("the connection that migrated could not be closed")
}
