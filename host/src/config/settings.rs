//! The table of settings: their names, defaults and meaning. Flags, help, environment and file are all made from it.

/// One setting. Its flag and its key in `interlock.toml` follow from the name of its variable:
/// `INTERLOCK_PUBLIC_ADDR` is `--public-addr` and `public_addr`.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What holds where nobody says anything, written as one would write it.
    pub default: Option<&'static str>,
    /// One line of `--help`.
    pub help: &'static str,
    /// Its value is never repeated, not even to say what is wrong with it.
    pub secret: bool,
}

impl Setting {
    const fn new(name: &'static str, default: Option<&'static str>, help: &'static str) -> Self {
        Self { name, default, help, secret: false }
    }

    const fn secret(name: &'static str, help: &'static str) -> Self {
        Self { name, default: None, help, secret: true }
    }

    /// The key in `interlock.toml`.
    #[must_use]
    pub fn key(&self) -> String {
        self.name.strip_prefix("INTERLOCK_").unwrap_or(self.name).to_lowercase()
    }

    /// The flag, without its two dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key().replace('_', "-")
    }
}

/// Where the private cluster of `dev` is, or that of production.
pub const DATABASE_URL: Setting =
    Setting::secret("DATABASE_URL", "Postgres, as postgres://user:password@host/database");
pub const DATABASE_CONNECTIONS_MAX: Setting =
    Setting::new("INTERLOCK_DATABASE_CONNECTIONS_MAX", Some("16"), "connections to Postgres at most");
pub const PUBLIC_ADDR: Setting = Setting::new(
    "INTERLOCK_PUBLIC_ADDR",
    Some("127.0.0.1:8080"),
    "where merchants and gateways call; port 0 picks one",
);
pub const OPERATOR_ADDR: Setting =
    Setting::new("INTERLOCK_OPERATOR_ADDR", Some("127.0.0.1:8081"), "where operators call; port 0 picks one");
pub const OPERATOR_TOKEN: Setting =
    Setting::secret("INTERLOCK_OPERATOR_TOKEN", "what operators sign in with; a flag shows in the list of processes");
pub const MASTER_KEY: Setting =
    Setting::secret("INTERLOCK_MASTER_KEY", "32 bytes in base64 under which secrets and cards are encrypted");
pub const RETIRED_MASTER_KEYS: Setting = Setting::secret(
    "INTERLOCK_RETIRED_MASTER_KEYS",
    "earlier master keys, separated by commas: they open and never seal",
);
pub const GATEWAY_TIMEOUT: Setting =
    Setting::new("INTERLOCK_GATEWAY_TIMEOUT_MS", Some("30000"), "deadline of one exchange with a gateway");
pub const VERIFY_DELAYS: Setting = Setting::new(
    "INTERLOCK_VERIFY_DELAYS",
    Some("30,270,600,2700,10800,28800,36000"),
    "seconds between checks of an unknown outcome; after the last one a person looks",
);
pub const WEBHOOK_DELAYS: Setting = Setting::new(
    "INTERLOCK_WEBHOOK_DELAYS",
    Some("5,300,1800,7200,18000,36000,50400,72000,86400"),
    "seconds between deliveries of an event to a merchant",
);
pub const WEBHOOK_TIMEOUT: Setting =
    Setting::new("INTERLOCK_WEBHOOK_TIMEOUT_MS", Some("15000"), "deadline of one delivery of an event to a merchant");
pub const WEBHOOK_DISABLE_AFTER: Setting = Setting::new(
    "INTERLOCK_WEBHOOK_DISABLE_AFTER_S",
    Some("432000"),
    "when a merchant's endpoint is disabled at which every delivery fails",
);
pub const ANSWER_TIMEOUT: Setting = Setting::new(
    "INTERLOCK_ANSWER_TIMEOUT_MS",
    Some("25000"),
    "how long a merchant's request waits for an outcome before it is answered 202",
);
pub const LEASE: Setting = Setting::new(
    "INTERLOCK_LEASE_MS",
    None,
    "how long a host owns an operation [default: the gateway time-out + 5000]",
);
pub const OUTBOX_WAKE: Setting = Setting::new(
    "INTERLOCK_OUTBOX_WAKE",
    Some("true"),
    "readers of events are woken by what was committed; without, they look twice a second",
);
pub const EVENT_RETENTION: Setting = Setting::new(
    "INTERLOCK_EVENT_RETENTION_S",
    Some("2592000"),
    "how long events and the log of deliveries are kept, and longer until they are read and delivered",
);
pub const ACTION_TTL: Setting =
    Setting::new("INTERLOCK_ACTION_TTL_S", Some("3600"), "when a payment that waits for its customer expires");
pub const CREATED_TTL: Setting =
    Setting::new("INTERLOCK_CREATED_TTL_S", Some("86400"), "when a payment that nobody confirmed expires");
pub const ALLOW_PRIVATE_NETWORKS: Setting = Setting::new(
    "INTERLOCK_ALLOW_PRIVATE_NETWORKS",
    Some("false"),
    "let requests reach loopback and private addresses, and plain HTTP",
);
pub const TLS_CERT: Setting =
    Setting::new("INTERLOCK_TLS_CERT", None, "PEM file with the certificate chain: both listeners speak TLS");
pub const TLS_KEY: Setting = Setting::new("INTERLOCK_TLS_KEY", None, "PEM file with the certificate's private key");
pub const IDEMPOTENCY_TTL: Setting =
    Setting::new("INTERLOCK_IDEMPOTENCY_TTL_S", Some("259200"), "how long the answer to an idempotency key is kept");
pub const CONNECTORS_DIR: Setting =
    Setting::new("INTERLOCK_CONNECTORS_DIR", None, "components (*.wasm) that are installed and activated at start");
pub const CONNECTOR_KEYS: Setting = Setting::new(
    "INTERLOCK_CONNECTOR_KEYS",
    None,
    "ed25519 keys, as name=base64 separated by commas: where set, connectors must be signed by one of them",
);
pub const CANARY_MARGIN: Setting = Setting::new(
    "INTERLOCK_CANARY_MARGIN_PERCENT",
    Some("5"),
    "by how much a canary may fail more often than the active version before it is taken back",
);
pub const QUARANTINE_TRAPS: Setting = Setting::new(
    "INTERLOCK_QUARANTINE_TRAPS",
    Some("5"),
    "broken runs within five minutes for which a connector's version is taken out; 0: never",
);
pub const CACHE_DIR: Setting = Setting::new(
    "INTERLOCK_CACHE_DIR",
    None,
    "compiled images, safe to delete [default: `interlock` in the user's cache folder]",
);
pub const ENGINE_THREADS: Setting =
    Setting::new("INTERLOCK_ENGINE_THREADS", None, "threads that run connectors [default: one per core, at least 2]");
pub const BODY_MAX: Setting =
    Setting::new("INTERLOCK_BODY_MAX_BYTES", Some("1048576"), "a merchant's request body at most");

/// All of them, as `--help` lists them.
pub const SETTINGS: &[&Setting] = &[
    &DATABASE_URL,
    &DATABASE_CONNECTIONS_MAX,
    &PUBLIC_ADDR,
    &OPERATOR_ADDR,
    &OPERATOR_TOKEN,
    &MASTER_KEY,
    &RETIRED_MASTER_KEYS,
    &GATEWAY_TIMEOUT,
    &ANSWER_TIMEOUT,
    &LEASE,
    &VERIFY_DELAYS,
    &WEBHOOK_DELAYS,
    &WEBHOOK_TIMEOUT,
    &WEBHOOK_DISABLE_AFTER,
    &OUTBOX_WAKE,
    &EVENT_RETENTION,
    &ACTION_TTL,
    &CREATED_TTL,
    &IDEMPOTENCY_TTL,
    &ALLOW_PRIVATE_NETWORKS,
    &TLS_CERT,
    &TLS_KEY,
    &CONNECTORS_DIR,
    &CONNECTOR_KEYS,
    &CANARY_MARGIN,
    &QUARANTINE_TRAPS,
    &CACHE_DIR,
    &ENGINE_THREADS,
    &BODY_MAX,
];

/// Variables with our prefix that are read elsewhere or by tests.
pub const OTHER_VARIABLES: &[&str] = &[
    "INTERLOCK_CONFIG",
    "INTERLOCK_LOG",
    "INTERLOCK_FAULT",
    "INTERLOCK_MUTATION",
    "INTERLOCK_OPERATOR_URL",
    "INTERLOCK_OPERATOR_CA",
];
/// A prefix of which no variable is ever called unknown: the tests' own.
pub const TEST_PREFIX: &str = "INTERLOCK_TEST_";
