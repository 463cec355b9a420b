//! Every setting and limit, read and checked at start.
//!
//! - [`settings`] is the table: names, defaults, help.
//! - [`layers`] says who is believed: flags, then the environment, then `interlock.toml`, then the table.
//! - [`values`] reads each kind of value and knows its limits.
//! - [`sinks`] are the `[sinks.NAME]` tables of the file: streams that events are published to.
//!
//! A value that cannot be used ends the start with one error that names the setting, says what is wrong with it and
//! what to write instead. Secrets are never repeated.

mod hidden;
pub mod layers;
pub mod settings;
pub mod sinks;
mod values;

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

pub use hidden::Hidden;
pub use layers::Layers;
use settings as table;
use values::MASTER_KEY_BYTES;

use crate::connector::{Admission, TrustedKey};

/// How this process is to run. Has no Debug: it holds the keys of everything.
#[derive(Clone)]
pub struct Config {
    /// Postgres. Holds the password, so it is never logged.
    pub database_url: String,
    pub database_connections_max: u32,
    /// Where merchants and gateways call.
    pub public_addr: SocketAddr,
    /// Where operators call.
    pub operator_addr: SocketAddr,
    pub operator_token: Hidden<String>,
    /// Wraps the data keys of all that is encrypted at rest.
    pub master_key: Hidden<[u8; MASTER_KEY_BYTES]>,
    /// Open what they sealed before they were replaced.
    pub retired_master_keys: Vec<Hidden<[u8; MASTER_KEY_BYTES]>>,
    /// Deadline of one exchange with a gateway.
    pub gateway_timeout: Duration,
    /// How long a merchant's request waits for an outcome before it is answered 202; nought does not wait.
    pub answer_timeout: Duration,
    /// How long a host owns an operation.
    pub lease: Duration,
    /// Between checks of an unknown outcome; after the last one a person looks. Never empty.
    pub verify_delays: Vec<Duration>,
    /// Between deliveries of an event to a merchant. Never empty.
    pub webhook_delays: Vec<Duration>,
    /// Deadline of one delivery of an event to a merchant.
    pub webhook_timeout: Duration,
    /// When a merchant's endpoint is disabled at which every delivery fails.
    pub webhook_disable_after: Duration,
    /// Readers of events are woken; else they poll.
    pub outbox_wake: bool,
    /// How long events and the log of deliveries are kept; longer than the schedule of deliveries lasts.
    pub event_retention: Duration,
    /// When a payment that waits for its customer expires.
    pub action_ttl: Duration,
    /// When a payment that nobody confirmed expires.
    pub created_ttl: Duration,
    /// How long the answer to an idempotency key is kept.
    pub idempotency_ttl: Duration,
    /// Requests may reach loopback and private addresses, and speak plain HTTP.
    pub allow_private_networks: bool,
    /// Both listeners speak TLS.
    pub tls: Option<TlsFiles>,
    /// Components that are installed and activated at start.
    pub connectors_dir: Option<PathBuf>,
    /// By how many per cent of its operations a canary may fail more often than the active version.
    pub canary_margin_percent: u8,
    /// Broken runs within the window for which a version is put in quarantine; nought: none is too many.
    pub quarantine_traps: u32,
    /// Who may vouch for connectors. Empty: nobody has to.
    pub connector_keys: Vec<TrustedKey>,
    /// Where components are judged. Not a setting: programs whose command line knows how have it done by a process of
    /// their own.
    pub admission: Admission,
    /// Compiled images; safe to delete.
    pub cache_dir: PathBuf,
    /// Threads that run connectors.
    pub engine_threads: usize,
    /// A merchant's request body at most.
    pub body_max_bytes: usize,
    /// Streams that events are published to, by name.
    pub sinks: Vec<sinks::SinkSettings>,
    /// Of the settings of sinks: what is allowed and probably not meant.
    sink_doubts: Vec<String>,
}

/// PEM files of a certificate chain and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Why a process does not start: `INTERLOCK_PUBLIC_ADDR is …; write …`.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The variable, flag, key or file.
    pub place: String,
    /// What is wrong, as the rest of a sentence that begins with the place.
    pub what: String,
    /// What to do instead.
    pub advice: String,
}

impl ConfigError {
    pub(crate) fn new(place: &str, what: String, advice: String) -> Self {
        Self { place: place.to_owned(), what, advice }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}; {}", self.place, self.what, self.advice)
    }
}

impl std::error::Error for ConfigError {}

/// A lease covers its exchange and this, so that a host which is merely slow is not taken over.
const LEASE_BEYOND_TIMEOUT: Duration = Duration::from_secs(5);
/// With one thread a connector that runs to its bound would hold up all others.
const ENGINE_THREADS_MIN: usize = 2;
/// Shorter tokens can be guessed by trying.
const TOKEN_GOOD_CHARS: usize = 16;

impl Config {
    /// The defaults of the table, with the three things that have none.
    ///
    /// # Panics
    /// Where `database_url` or `operator_token` could not be set either.
    #[must_use]
    pub fn new(database_url: &str, operator_token: &str, master_key: [u8; MASTER_KEY_BYTES]) -> Self {
        use base64::Engine as _;
        let layers = Layers::default()
            .with_default(&table::DATABASE_URL, database_url)
            .with_default(&table::OPERATOR_TOKEN, operator_token)
            .with_default(&table::MASTER_KEY, base64::engine::general_purpose::STANDARD.encode(master_key));
        Self::read(&layers).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Reads and checks every setting; the first that cannot be used is the error.
    pub fn read(layers: &Layers) -> Result<Self, ConfigError> {
        let gateway_timeout =
            always(&table::GATEWAY_TIMEOUT, layers, |text| values::milliseconds(text, &values::TIMEOUT_MS))?;
        let (sinks, sink_doubts) = sinks::read(layers)?;
        Ok(Self {
            sinks,
            sink_doubts,
            retired_master_keys: layers.read(&table::RETIRED_MASTER_KEYS, values::master_keys)?.unwrap_or_default(),
            database_connections_max: number(
                &table::DATABASE_CONNECTIONS_MAX,
                layers,
                &values::CONNECTIONS,
                "connections",
            )?,
            public_addr: always(&table::PUBLIC_ADDR, layers, values::address)?,
            operator_addr: always(&table::OPERATOR_ADDR, layers, values::address)?,
            gateway_timeout,
            answer_timeout: always(&table::ANSWER_TIMEOUT, layers, |text| {
                values::milliseconds(text, &values::WAIT_MS)
            })?,
            lease: layers
                .read(&table::LEASE, |text| values::milliseconds(text, &values::LEASE_MS))?
                .unwrap_or(gateway_timeout + LEASE_BEYOND_TIMEOUT),
            verify_delays: always(&table::VERIFY_DELAYS, layers, values::delays)?,
            webhook_delays: always(&table::WEBHOOK_DELAYS, layers, values::delays)?,
            webhook_timeout: always(&table::WEBHOOK_TIMEOUT, layers, |text| {
                values::milliseconds(text, &values::TIMEOUT_MS)
            })?,
            webhook_disable_after: always(&table::WEBHOOK_DISABLE_AFTER, layers, |text| {
                values::seconds(text, &values::TTL_S)
            })?,
            outbox_wake: always(&table::OUTBOX_WAKE, layers, values::yes)?,
            event_retention: always(&table::EVENT_RETENTION, layers, |text| {
                values::seconds(text, &values::EVENT_RETENTION_S)
            })?,
            action_ttl: always(&table::ACTION_TTL, layers, |text| values::seconds(text, &values::TTL_S))?,
            created_ttl: always(&table::CREATED_TTL, layers, |text| values::seconds(text, &values::TTL_S))?,
            idempotency_ttl: always(&table::IDEMPOTENCY_TTL, layers, |text| {
                values::seconds(text, &values::IDEMPOTENCY_TTL_S)
            })?,
            allow_private_networks: always(&table::ALLOW_PRIVATE_NETWORKS, layers, values::yes)?,
            tls: read_tls(layers)?,
            connectors_dir: layers.read(&table::CONNECTORS_DIR, values::folder)?,
            canary_margin_percent: number(&table::CANARY_MARGIN, layers, &values::PERCENT, "per cent")?,
            quarantine_traps: number(&table::QUARANTINE_TRAPS, layers, &values::TRAPS, "runs")?,
            connector_keys: layers.read(&table::CONNECTOR_KEYS, values::trusted_keys)?.unwrap_or_default(),
            admission: Admission::InProcess,
            cache_dir: layers.read(&table::CACHE_DIR, values::path)?.unwrap_or_else(default_cache_dir),
            engine_threads: layers
                .read(&table::ENGINE_THREADS, |text| values::count(text, &values::THREADS, "threads"))?
                .unwrap_or_else(default_engine_threads),
            body_max_bytes: number(&table::BODY_MAX, layers, &values::BODY_BYTES, "bytes")?,
            // Last, so that a value that is wrong is said before one that is missing.
            database_url: Self::database_url(layers)?.expose().clone(),
            operator_token: needed(
                &table::OPERATOR_TOKEN,
                layers.read(&table::OPERATOR_TOKEN, values::token)?,
                "choose what operators sign in with; `openssl rand -hex 32` makes a good one",
            )?,
            master_key: needed(
                &table::MASTER_KEY,
                layers.read(&table::MASTER_KEY, values::master_key)?,
                "`openssl rand -base64 32` makes one; keep it: without it nothing that was encrypted can be read",
            )?,
        })
    }

    /// The database alone, for what needs nothing else.
    pub fn database_url(layers: &Layers) -> Result<Hidden<String>, ConfigError> {
        needed(
            &table::DATABASE_URL,
            layers.read(&table::DATABASE_URL, values::database_url)?,
            "write postgres://user:password@host:5432/database, or use `interlock dev`, which starts its own",
        )
        .map(Hidden::new)
    }

    /// Where operators call, and what they sign in with where that is known here.
    pub fn operator(layers: &Layers) -> Result<(SocketAddr, Option<Hidden<String>>), ConfigError> {
        let address = always(&table::OPERATOR_ADDR, layers, values::address)?;
        Ok((address, layers.read(&table::OPERATOR_TOKEN, values::token)?))
    }

    /// Has connectors judged there.
    #[must_use]
    pub fn judging(self, admission: Admission) -> Self {
        Self { admission, ..self }
    }

    /// What is allowed and probably not meant, to be logged at start.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = self.sink_doubts.clone();
        if self.lease <= self.gateway_timeout {
            doubts.push(format!(
                "{} is not longer than {}: a host that waits for a slow gateway loses its operations to others",
                table::LEASE.name,
                table::GATEWAY_TIMEOUT.name
            ));
        }
        if self.operator_token.expose().len() < TOKEN_GOOD_CHARS {
            doubts.push(format!(
                "{} has less than {TOKEN_GOOD_CHARS} characters and can be guessed",
                table::OPERATOR_TOKEN.name
            ));
        }
        // With its jitter, which makes a delay a fifth longer at most.
        let schedule = self.webhook_delays.iter().sum::<Duration>() * 6 / 5;
        if self.event_retention < schedule {
            doubts.push(format!(
                "{} is shorter than {} last: an event that is still being delivered is kept, one that was given up may be gone before anybody asks for it again",
                table::EVENT_RETENTION.name,
                table::WEBHOOK_DELAYS.name
            ));
        }
        doubts
    }
}

/// A setting that has a default in the table.
fn always<T>(
    setting: &'static settings::Setting,
    layers: &Layers,
    parse: impl FnOnce(&str) -> Result<T, layers::Fault>,
) -> Result<T, ConfigError> {
    Ok(layers.read(setting, parse)?.expect("the table has a default for it"))
}

/// A whole number that has a default in the table.
fn number<T: TryFrom<u64>>(
    setting: &'static settings::Setting,
    layers: &Layers,
    range: &std::ops::RangeInclusive<u64>,
    unit: &str,
) -> Result<T, ConfigError> {
    always(setting, layers, |text| values::count(text, range, unit))
}

fn needed<T>(setting: &settings::Setting, value: Option<T>, advice: &str) -> Result<T, ConfigError> {
    value.ok_or_else(|| ConfigError::new(setting.name, "is not set".into(), advice.into()))
}

fn read_tls(layers: &Layers) -> Result<Option<TlsFiles>, ConfigError> {
    let cert = layers.read(&table::TLS_CERT, values::file)?;
    let key = layers.read(&table::TLS_KEY, values::file)?;
    let missing = match (cert, key) {
        (Some(cert), Some(key)) => return Ok(Some(TlsFiles { cert, key })),
        (None, None) => return Ok(None),
        (Some(_), None) => &table::TLS_KEY,
        (None, Some(_)) => &table::TLS_CERT,
    };
    Err(ConfigError::new(missing.name, "is not set and the other half is".into(), "set both, or neither".into()))
}

fn default_engine_threads() -> usize {
    std::thread::available_parallelism().map_or(ENGINE_THREADS_MIN, usize::from).max(ENGINE_THREADS_MIN)
}

/// Where programs keep what can be made again: the folder of the user, or the system's for temporary files.
fn default_cache_dir() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("interlock")
}

#[cfg(test)]
mod tests;
