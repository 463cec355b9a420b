//! One connection to a gateway, and one exchange on it.
//!
//! Nothing here runs in the background: the HTTP machine moves only while [`Connection::exchange`] is polled, by the
//! very task that waits for the reply. So a deadline or a caller that gives up drops machine and socket together, and
//! what had not been written by then never will be.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::permit::{Origin, Scheme};
use super::render::Rendered;
use super::socket::{Meter, Socket};

/// A stream below HTTP: the bare socket, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Machine = http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>;
/// The head of a reply to be, with its body behind it.
pub type Head = Pin<Box<dyn Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>> + Send>>;

/// A connection with nothing under way.
pub struct Connection {
    machine: Machine,
    sender: http1::SendRequest<Full<Bytes>>,
    socket: Socket,
    /// When it was made: its address was checked then, and not since.
    pub opened: Instant,
}

/// How large a reply may become.
#[derive(Clone, Copy, Debug)]
pub struct ReplyLimits {
    pub head_max_bytes: usize,
    pub body_max_bytes: usize,
}

/// A complete reply, not scrubbed yet.
pub struct RawReply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Zeroizing<Vec<u8>>,
}

/// Why no connection came about. No byte of any request was written.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    #[error("no connection to {address}")]
    Tcp {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("no TLS with {host}")]
    Tls {
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no HTTP on the connection")]
    Http(#[source] hyper::Error),
    #[error("{origin} has no address")]
    NoAddress { origin: String },
}

/// Why an exchange brought no reply.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeFault {
    #[error("the lease no longer covers this request")]
    LeaseTooShort,
    #[error("the connection ended before the reply did")]
    Lost(#[source] hyper::Error),
    #[error("the connection ended before the reply did")]
    Closed,
    #[error("the reply broke off within its body")]
    Truncated(#[source] hyper::Error),
    #[error("the reply is no HTTP")]
    Garbage(#[source] hyper::Error),
    #[error("the reply is informational and not final")]
    NotFinal,
    #[error("the reply is compressed, which was not offered, and so cannot be scrubbed")]
    Compressed,
    #[error("the reply's head is larger than the {max} bytes allowed")]
    HeadTooLarge { max: usize },
    #[error("the reply's body is larger than the {max} bytes allowed")]
    BodyTooLarge { max: usize },
}

impl Connection {
    /// Connects to `address`, with TLS for `origin`'s name where its scheme asks for it. Heads of replies are refused
    /// where they are larger than `head_max_bytes`.
    pub async fn open(
        origin: &Origin,
        address: SocketAddr,
        tls: &TlsConnector,
        head_max_bytes: usize,
    ) -> Result<Self, ConnectFault> {
        let tcp_fault = |source| ConnectFault::Tcp { address, source };
        let tcp = TcpStream::connect(address).await.map_err(tcp_fault)?;
        tcp.set_nodelay(true).map_err(tcp_fault)?;
        let socket = Socket::new(tcp);
        let stream: Box<dyn Stream> = match origin.scheme {
            Scheme::Http => Box::new(socket.clone()),
            Scheme::Https => {
                let tls_fault = |source| ConnectFault::Tls { host: origin.host.to_string(), source };
                let name = server_name(&origin.host).map_err(|fault| tls_fault(std::io::Error::other(fault)))?;
                Box::new(tls.connect(name, socket.clone()).await.map_err(tls_fault)?)
            }
        };
        let mut builder = http1::Builder::new();
        builder.max_header_size(head_max_bytes);
        let (sender, machine) = builder.handshake(TokioIo::new(stream)).await.map_err(ConnectFault::Http)?;
        Ok(Self { machine, sender, socket, opened: Instant::now() })
    }

    /// Counts what is written from here on; outlives the connection, so that it can be asked afterwards.
    pub fn meter(&self) -> Meter {
        self.socket.meter()
    }

    /// Sends `request` and reads the whole reply. `may_send` is asked immediately before anything is written, again
    /// and again until the first byte is out. Gives the connection back where it can carry another exchange.
    pub async fn exchange(
        self,
        request: Rendered,
        limits: ReplyLimits,
        may_send: &(dyn Fn() -> bool + Sync),
    ) -> Result<(RawReply, Option<Self>), ExchangeFault> {
        self.run(into_http(request), |head| read_reply(head, limits), may_send).await
    }

    /// Sends `message` and has `read` read as much of the reply as it wants. As [`Connection::exchange`]; a connection
    /// on which something is left to read does not come back.
    pub async fn run<T, Reading>(
        mut self,
        message: http::Request<Full<Bytes>>,
        read: impl FnOnce(Head) -> Reading,
        may_send: &(dyn Fn() -> bool + Sync),
    ) -> Result<(T, Option<Self>), ExchangeFault>
    where
        Reading: Future<Output = Result<T, ExchangeFault>>,
    {
        let meter = self.meter();
        let head: Head = Box::pin(self.sender.send_request(message));
        let mut reply = pin!(read(head));
        let mut machine_ended = false;
        let raw = poll_fn(|cx| {
            if !machine_ended {
                if meter.written() == 0 && !may_send() {
                    return Poll::Ready(Err(ExchangeFault::LeaseTooShort));
                }
                // Its error, if any, reaches the reply as well, which knows better what it meant.
                machine_ended = Pin::new(&mut self.machine).poll(cx).is_ready();
            }
            match reply.as_mut().poll(cx) {
                Poll::Pending if machine_ended => Poll::Ready(Err(ExchangeFault::Closed)),
                other => other,
            }
        })
        .await?;
        let again = !machine_ended && self.is_reusable();
        Ok((raw, again.then_some(self)))
    }

    /// Whether the machine is between two exchanges, and nothing came in that nobody asked for.
    pub fn is_reusable(&mut self) -> bool {
        // Lets the machine notice that the exchange is over, or that the gateway has hung up. It has nothing to write,
        // and nobody waits for it, hence no waker.
        let mut cx = Context::from_waker(Waker::noop());
        if Pin::new(&mut self.machine).poll(&mut cx).is_ready() {
            return false;
        }
        matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Ok(()))) && self.socket.is_quiet()
    }
}

/// TLS as this host speaks it: no early data, no client certificates, HTTP/1.1 only.
pub fn tls_connector(roots: rustls::RootCertStore) -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // The default, said aloud: a request sent as early data may be replayed by whoever recorded it.
    config.enable_early_data = false;
    Ok(TlsConnector::from(Arc::new(config)))
}

fn server_name(host: &url::Host<String>) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    Ok(match host {
        // Certificates name hosts without the dot that marks a name as complete.
        url::Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())?,
        url::Host::Ipv4(ip) => ServerName::IpAddress(std::net::IpAddr::V4(*ip).into()),
        url::Host::Ipv6(ip) => ServerName::IpAddress(std::net::IpAddr::V6(*ip).into()),
    })
}

fn into_http(request: Rendered) -> http::Request<Full<Bytes>> {
    let mut message = http::Request::new(Full::new(Bytes::from_owner(request.body)));
    *message.method_mut() = request.method;
    *message.uri_mut() = request.target;
    *message.headers_mut() = request.headers;
    message
}

async fn read_reply(head: Head, limits: ReplyLimits) -> Result<RawReply, ExchangeFault> {
    let reply = head.await.map_err(|fault| head_fault(fault, limits.head_max_bytes))?;
    let (head, mut incoming) = reply.into_parts();
    if head.status.is_informational() {
        return Err(ExchangeFault::NotFinal);
    }
    let encodings = head.headers.get_all(http::header::CONTENT_ENCODING);
    if !encodings.iter().all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(ExchangeFault::Compressed);
    }
    let max = limits.body_max_bytes;
    let announced = hyper::body::Body::size_hint(&incoming).lower();
    if usize::try_from(announced).map_or(true, |announced| announced > max) {
        return Err(ExchangeFault::BodyTooLarge { max });
    }
    let mut body = Zeroizing::new(Vec::with_capacity(usize::try_from(announced).unwrap_or_default()));
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(body_fault)?;
        if let Some(more) = frame.data_ref() {
            if body.len() + more.len() > max {
                return Err(ExchangeFault::BodyTooLarge { max });
            }
            body.extend_from_slice(more);
        }
    }
    Ok(RawReply { status: head.status.as_u16(), headers: head.headers, body })
}

/// Why there is no head of at most `max` bytes.
pub fn head_fault(fault: hyper::Error, max: usize) -> ExchangeFault {
    if fault.is_parse_too_large() {
        ExchangeFault::HeadTooLarge { max }
    } else if fault.is_parse() {
        ExchangeFault::Garbage(fault)
    } else {
        ExchangeFault::Lost(fault)
    }
}

fn body_fault(fault: hyper::Error) -> ExchangeFault {
    if fault.is_parse() { ExchangeFault::Garbage(fault) } else { ExchangeFault::Truncated(fault) }
}
