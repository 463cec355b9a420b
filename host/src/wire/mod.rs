//! The only outbound HTTP. To gateways: fills holes, sends one request, and says exactly what became of it. To
//! merchants' endpoints: [`courier`].
//!
//! ```text
//! check → render → breaker → place in the pool → connection (kept, or resolved and made) → exchange → scrub
//! ```
//!
//! # Invariants
//!
//! - **Nothing is sent twice.** There is no retry, no redirect, no early data here, and no connection is used again
//!   that may have been closed. Whether to send again is the flow's to decide.
//! - **[`Sent::NotSent`] means that the kernel took not one byte of the request, and never will:** it is counted at the
//!   socket ([`socket`]), and the connection is gone before the answer is given.
//! - **Only declared origins, only public addresses, only declared places for holes** ([`check()`], [`resolve`]).
//! - **A reply is scrubbed before anybody sees it** ([`scrub`]).

mod breaker;
mod check;
mod connection;
mod courier;
mod dial;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod names;
mod needle;
mod permit;
mod placement;
mod pool;
mod refused;
mod render;
mod resolve;
mod scrub;
mod send;
mod sent;
mod socket;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

pub use breaker::{BreakerSettings, BreakerState};
pub use check::{Checked, Schemes, check};
pub use courier::{Carried, Class, Courier, Destination, Receipt};
pub use permit::{Allowed, Origin, Permit, PermitError, Scheme};
pub use placement::JsonFault;
pub use refused::Refused;
pub use scrub::Scrubber;
pub use sent::{NotSentReason, Sent, UnknownReason};

use crate::connector::types::Request;
use crate::vault::Holes;
use breaker::Breakers;
use connection::ReplyLimits;
use pool::{Pool, PoolLimits};
use resolve::{ResolveError, Resolver};

/// What is told of a host that is not on the public internet.
const PRIVATE: &str = "must lead to an address on the public internet";
/// What is told of a port below 1024 that is not 443.
const PORT: &str = "must have the port 443, or one of 1024 and above";

/// How long a name that a merchant enters is looked up for: what is not known by then is taken as it is, and checked when
/// it is connected to.
const ENTRY_RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything that bounds outbound HTTP. There are no hidden defaults: [`WireConfig::new`] writes them down.
pub struct WireConfig {
    /// Loopback and private addresses may be reached, and plain HTTP may be spoken. For development.
    pub allow_private_networks: bool,
    /// One look-up of a name.
    pub resolve_timeout: Duration,
    /// TCP and TLS together, over all addresses of a name.
    pub connect_timeout: Duration,
    pub response_max_bytes: usize,
    pub response_header_max_bytes: usize,
    /// The body, with its holes filled.
    pub request_max_bytes: usize,
    pub connections_per_origin_max: usize,
    /// How long a request waits for a connection when all are in use.
    pub pool_wait_max: Duration,
    /// A connection idle for longer is not used again.
    pub idle_reuse_max: Duration,
    /// A connection older than this is not used again: names may have moved.
    pub connection_age_max: Duration,
    pub breaker: BreakerSettings,
    /// Roots that are trusted besides the system's: for tests, and for gateways with a private authority.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl WireConfig {
    /// The values that fit gateways on the internet.
    #[must_use]
    pub fn new(allow_private_networks: bool) -> Self {
        Self {
            allow_private_networks,
            resolve_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            response_max_bytes: 1024 * 1024,
            response_header_max_bytes: 64 * 1024,
            request_max_bytes: 1024 * 1024,
            connections_per_origin_max: 512,
            pool_wait_max: Duration::from_secs(1),
            // Servers commonly close idle connections after 5 s or more; see `payments.md`, "Send".
            idle_reuse_max: Duration::from_secs(5),
            connection_age_max: Duration::from_mins(5),
            breaker: BreakerSettings {
                failures_to_open: 10,
                window: Duration::from_secs(30),
                cool_down: Duration::from_secs(5),
            },
            extra_roots: Vec::new(),
        }
    }
}

/// Connections to gateways that are kept while nobody uses them: more than there ever are.
const IDLE_MAX: usize = 16_384;

/// Why there is no wire.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    #[error("an extra root certificate is unusable")]
    Root(#[source] rustls::Error),
}

/// Sends requests to gateways. One per process, shared.
pub struct Wire {
    schemes: Schemes,
    resolver: Resolver,
    /// For names that merchants enter, with look-ups of its own: names that hang there hold up no gateway's.
    entry_resolver: Resolver,
    tls: TlsConnector,
    pool: Pool,
    breakers: Breakers,
    connect_timeout: Duration,
    reply_limits: ReplyLimits,
    request_max_bytes: usize,
}

/// One request to be sent.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    pub request: &'a Request,
    pub permit: &'a Permit,
    pub holes: &'a Holes,
    /// The gateway account, for its breaker.
    pub account: Uuid,
    /// Name of the connector whose request it is: what metrics are told apart by. Origins are merchants' settings, and
    /// a label lives as long as the process.
    pub connector: &'a str,
    /// For all of it: connecting, sending, and reading the whole reply.
    pub timeout: Duration,
    /// Asked immediately before the first byte, with what is left of `timeout`: whether the lease outlives that.
    pub may_send: &'a (dyn Fn(Duration) -> bool + Sync),
}

impl Wire {
    pub fn new(config: WireConfig) -> Result<Self, WireError> {
        let mut roots = rustls::RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        for fault in &native.errors {
            tracing::warn!(error = %fault, "a root certificate of this system cannot be read");
        }
        let (added, _) = roots.add_parsable_certificates(native.certs);
        for root in config.extra_roots {
            roots.add(root).map_err(WireError::Root)?;
        }
        if roots.is_empty() {
            tracing::warn!("this system has no root certificates: no gateway can be reached over https");
        }
        tracing::debug!(roots = added, "outbound TLS is set up");
        Ok(Self {
            schemes: if config.allow_private_networks { Schemes::HttpToo } else { Schemes::HttpsOnly },
            resolver: Resolver::new(config.allow_private_networks, config.resolve_timeout),
            entry_resolver: Resolver::new(config.allow_private_networks, ENTRY_RESOLVE_TIMEOUT),
            tls: connection::tls_connector(roots).map_err(WireError::Tls)?,
            pool: Pool::new(PoolLimits {
                connections_per_origin_max: config.connections_per_origin_max,
                wait_max: config.pool_wait_max,
                idle_reuse_max: config.idle_reuse_max,
                idle_max: IDLE_MAX,
                age_max: config.connection_age_max,
            }),
            breakers: Breakers::new(config.breaker),
            connect_timeout: config.connect_timeout,
            reply_limits: ReplyLimits {
                head_max_bytes: config.response_header_max_bytes,
                body_max_bytes: config.response_max_bytes,
            },
            request_max_bytes: config.request_max_bytes,
        })
    }

    /// What sends to merchants' endpoints, under the same rules about addresses and trust, with connections of its own.
    #[must_use]
    pub fn courier(&self) -> Courier {
        Courier::new(self.schemes, self.tls.clone())
    }

    /// Whether `request` keeps to `permit`, before anything is written down or sent.
    pub fn check(&self, request: &Request, permit: &Permit) -> Result<Checked, Refused> {
        check::check(request, permit, self.schemes)
    }

    /// Why `host` is a place that nothing is ever sent to; none where something may be. A name that leads nowhere at the
    /// moment is no such place. Says nothing of the addresses that a name has: they may be those of an inner network.
    pub async fn why_unreachable(&self, host: &url::Host<String>, port: u16) -> Option<String> {
        match self.entry_resolver.resolve(host, port).await {
            Err(ResolveError::Private { .. }) => Some(PRIVATE.to_owned()),
            Err(ResolveError::Port { .. }) => Some(PORT.to_owned()),
            Ok(_)
            | Err(ResolveError::LookUp { .. } | ResolveError::TimedOut { .. } | ResolveError::NoAddress { .. }) => None,
        }
    }

    /// What the breaker of a gateway account would do with a request now.
    pub fn breaker_state(&self, account: Uuid) -> BreakerState {
        self.breakers.state(account, Instant::now())
    }

    /// Every gateway account whose breaker is not closed.
    pub fn tripped_breakers(&self) -> Vec<(Uuid, BreakerState)> {
        self.breakers.tripped(Instant::now())
    }

    /// Closes connections that are too old to be used again, and says in metrics what is left. For a worker, every few
    /// seconds.
    pub fn sweep(&self) {
        self.pool.sweep(Instant::now());
        metrics::gauge!(send::IDLE_CONNECTIONS).set(u32::try_from(self.pool.idle_count()).unwrap_or(u32::MAX));
        let tripped = self.tripped_breakers().len();
        metrics::gauge!(send::TRIPPED_BREAKERS).set(u32::try_from(tripped).unwrap_or(u32::MAX));
    }
}
