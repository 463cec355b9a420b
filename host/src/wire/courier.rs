//! Outbound HTTP to merchants' endpoints: one POST, and what of its answer is worth keeping.
//!
//! The same resolver, TLS and connections as to gateways, with connections of its own. What differs: an event may be
//! sent twice, so a kept connection that turns out to be dead costs a second one and not the try; and of the answer
//! the status counts, the body is read for people and up to a bound.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use http_body_util::{BodyExt as _, Full};
use tokio_rustls::TlsConnector;
use url::Url;
use uuid::Uuid;

use super::check::Schemes;
use super::connection::{ConnectFault, Connection, ExchangeFault, Head, head_fault};
use super::dial::dial;
use super::names::{NameError, Names};
use super::permit::{Origin, Scheme};
use super::pool::{Place, Pool, PoolLimits};
use super::resolve::ResolveError;
use super::sent::chain;

/// How long a connection to an endpoint may take, look-up aside, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer's head.
const HEAD_MAX_BYTES: usize = 16 * 1024;
/// What is read of an answer's body. With more behind it the connection is closed, which costs less than reading on.
const BODY_MAX_BYTES: usize = 64 * 1024;
/// What is kept of it, for people.
pub const KEPT_BYTES: usize = 2_048;
/// How long an answer's body is waited for once its status is known.
const BODY_TIME_MAX: Duration = Duration::from_secs(1);
/// Connections to one origin: endpoints of many merchants may share one.
const CONNECTIONS_PER_ORIGIN_MAX: usize = 512;
/// How long a delivery waits for one of them.
const POOL_WAIT_MAX: Duration = Duration::from_secs(1);
/// Connections that are kept in all while nobody uses them: each is a file of this process.
pub(super) const IDLE_MAX: usize = 1_024;
/// Servers commonly close idle connections after 5 s or more.
const IDLE_REUSE_MAX: Duration = Duration::from_secs(5);
/// A connection older than this is not used again: names may have moved.
const CONNECTION_AGE_MAX: Duration = Duration::from_mins(5);

/// Sends to merchants' endpoints. One per process.
pub struct Courier {
    schemes: Schemes,
    names: Names,
    tls: TlsConnector,
    pub(super) pool: Pool,
}

/// Where an endpoint is, read from its URL once.
pub struct Destination {
    origin: Origin,
    target: Uri,
    host: HeaderValue,
}

/// A URL that nothing can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no http or https URL")]
pub struct NoDestination;

/// What came of a delivery.
#[derive(Debug)]
pub enum Carried {
    Answered(Receipt),
    Failed { class: Class, detail: String },
}

/// A receiver's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub status: u16,
    /// The `Retry-After` header as it came.
    pub retry_after: Option<String>,
    /// The first [`KEPT_BYTES`] of the body, or less.
    pub body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Class {
    Timeout,
    /// The name could not be resolved.
    Dns,
    /// It leads to an address or port that may not be reached, or asks for plain HTTP where that is not allowed.
    AddressForbidden,
    Connect,
    Tls,
    /// The connection ended before the answer.
    Reset,
    /// What came back is no HTTP, no final answer, or its head is too large.
    InvalidResponse,
    /// This host had too much to do: nothing was sent, and it says nothing of the receiver.
    HostBusy,
}

impl Destination {
    /// Of an endpoint's URL.
    pub fn of(url: &str) -> Result<Self, NoDestination> {
        let url = Url::parse(url).map_err(|_| NoDestination)?;
        let origin = Origin::of(&url).ok_or(NoDestination)?;
        let target = url::Position::BeforePath..url::Position::AfterQuery;
        let host = HeaderValue::try_from(origin.authority()).map_err(|_| NoDestination)?;
        Ok(Self { target: url[target].parse().map_err(|_| NoDestination)?, origin, host })
    }
}

impl Courier {
    pub(super) fn new(schemes: Schemes, tls: TlsConnector) -> Self {
        Self {
            schemes,
            names: Names::new(matches!(schemes, Schemes::HttpToo)),
            tls,
            pool: Pool::new(PoolLimits {
                connections_per_origin_max: CONNECTIONS_PER_ORIGIN_MAX,
                wait_max: POOL_WAIT_MAX,
                idle_reuse_max: IDLE_REUSE_MAX,
                idle_max: IDLE_MAX,
                age_max: CONNECTION_AGE_MAX,
            }),
        }
    }

    /// POSTs `body` with these headers (and `Host`) for this merchant, and waits for the answer for `timeout` in all.
    /// Redirects are answers like others. An answer whose status came in time is one, whatever its body does.
    pub async fn carry(
        &self,
        merchant: Uuid,
        to: &Destination,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> Carried {
        let heard = Mutex::new(None);
        let message = || {
            let mut message = http::Request::new(Full::new(body.clone()));
            *message.method_mut() = Method::POST;
            *message.uri_mut() = to.target.clone();
            message.headers_mut().clone_from(&headers);
            message.headers_mut().insert(header::HOST, to.host.clone());
            message
        };
        let carrying = async {
            let (place, kept) = self.place(&to.origin).await?;
            if let Some(kept) = kept {
                match kept.run(message(), |head| read_receipt(head, &heard), &|| true).await {
                    // Its other end had gone, or went now. Whether it has the event is not known, and need not be.
                    Err(ExchangeFault::Lost(_) | ExchangeFault::Closed) => {}
                    other => return settle(place, other),
                }
            }
            let fresh = self.connect(merchant, &to.origin).await?;
            settle(place, fresh.run(message(), |head| read_receipt(head, &heard), &|| true).await)
        };
        let ended = tokio::time::timeout(timeout, carrying).await;
        match (ended, heard.into_inner().unwrap_or_else(PoisonError::into_inner)) {
            (Ok(Ok(receipt)), _) | (Err(_), Some(receipt)) => Carried::Answered(receipt),
            (Ok(Err(Failure { class, detail })), _) => Carried::Failed { class, detail },
            (Err(_), None) => Carried::Failed {
                class: Class::Timeout,
                detail: format!("there was no answer within {} ms", timeout.as_millis()),
            },
        }
    }

    /// Closes connections that are too old to be used again; to be called every few seconds.
    pub fn sweep(&self) {
        self.pool.sweep(Instant::now());
    }

    /// A place among the origin's connections, with a kept one where there is one.
    async fn place(&self, origin: &Origin) -> Result<(Place, Option<Connection>), Failure> {
        if matches!((self.schemes, origin.scheme), (Schemes::HttpsOnly, Scheme::Http)) {
            let detail = "plain HTTP is spoken only where private networks are allowed".to_owned();
            return Err(Failure { class: Class::AddressForbidden, detail });
        }
        let full = |fault| Failure::new(Class::Connect, &fault);
        let place = self.pool.place(origin).await.map_err(full)?;
        let kept = place.kept(Instant::now());
        Ok((place, kept))
    }

    async fn connect(&self, merchant: Uuid, origin: &Origin) -> Result<Connection, Failure> {
        let found = self.names.resolve(merchant, &origin.host, origin.port).await;
        let addresses = found.map_err(|fault| match fault {
            NameError::Busy => Failure::new(Class::HostBusy, &fault),
            NameError::Resolve(fault) => {
                let class = match *fault {
                    ResolveError::LookUp { .. } | ResolveError::TimedOut { .. } | ResolveError::NoAddress { .. } => {
                        Class::Dns
                    }
                    ResolveError::Private { .. } | ResolveError::Port { .. } => Class::AddressForbidden,
                };
                Failure::new(class, &*fault)
            }
        })?;
        dial(origin, addresses, &self.tls, HEAD_MAX_BYTES, CONNECT_TIMEOUT).await.map_err(|fault| {
            let class = match fault {
                ConnectFault::Tcp { .. } | ConnectFault::Http(_) => Class::Connect,
                ConnectFault::Tls { .. } => Class::Tls,
                ConnectFault::NoAddress { .. } => Class::Dns,
            };
            Failure::new(class, &fault)
        })
    }
}

struct Failure {
    class: Class,
    detail: String,
}

impl Failure {
    fn new(class: Class, fault: &dyn std::error::Error) -> Self {
        Self { class, detail: chain(fault) }
    }
}

/// Keeps the connection where it can be used again, and says what the exchange came to.
fn settle(place: Place, ended: Result<(Receipt, Option<Connection>), ExchangeFault>) -> Result<Receipt, Failure> {
    match ended {
        Ok((receipt, kept)) => {
            if let Some(kept) = kept {
                place.keep(kept, Instant::now());
            }
            Ok(receipt)
        }
        Err(fault) => {
            let class = match fault {
                ExchangeFault::Lost(_)
                | ExchangeFault::Closed
                | ExchangeFault::LeaseTooShort
                | ExchangeFault::Truncated(_) => Class::Reset,
                ExchangeFault::Garbage(_)
                | ExchangeFault::NotFinal
                | ExchangeFault::Compressed
                | ExchangeFault::HeadTooLarge { .. }
                | ExchangeFault::BodyTooLarge { .. } => Class::InvalidResponse,
            };
            Err(Failure::new(class, &fault))
        }
    }
}

/// The status, which is `heard` as soon as it is there, and what of the body comes in time. A body that breaks off changes
/// nothing: the receiver has answered.
async fn read_receipt(head: Head, heard: &Mutex<Option<Receipt>>) -> Result<Receipt, ExchangeFault> {
    let reply = head.await.map_err(|fault| head_fault(fault, HEAD_MAX_BYTES))?;
    let (head, mut incoming) = reply.into_parts();
    if head.status.is_informational() {
        return Err(ExchangeFault::NotFinal);
    }
    let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let mut receipt =
        Receipt { status: head.status.as_u16(), retry_after: retry_after.map(str::to_owned), body: Vec::new() };
    *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt.clone());
    let kept = &mut receipt.body;
    let reading = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = incoming.frame().await {
            let Some(more) = frame.data_ref() else { continue };
            seen += more.len();
            kept.extend(more.iter().take(KEPT_BYTES - kept.len()));
            if seen > BODY_MAX_BYTES {
                break;
            }
        }
    };
    // In time or not, what there is of it is kept.
    let _ = tokio::time::timeout(BODY_TIME_MAX, reading).await;
    Ok(receipt)
}
