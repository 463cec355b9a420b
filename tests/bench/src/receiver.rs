//! The merchants' side of webhooks: takes what is posted to it, remembers when, and answers at once or not at all.
//!
//! One thread, and as little work for each request as that takes: what the receiver uses of the machine is missing to
//! what it measures.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use interlock::domain::id::EventId;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use uuid::Uuid;

/// Where everything is taken.
pub const TAKE: &str = "/take";
/// Where everything is read and nothing is answered.
const HOLD: &str = "/hold";
/// For so long.
pub const HOLD_TIME: Duration = Duration::from_secs(30);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// Headers of a request at most; a delivery has less than ten.
const HEADERS_MAX: usize = 32;
/// Bytes of a request at most; events have some KiB.
const REQUEST_MAX_BYTES: usize = 1 << 20;
/// How often somebody who waits looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A receiver that runs until the end of the bench.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    taken: AtomicU64,
    arrivals: Mutex<Vec<Arrival>>,
    /// Counts how often everything that is held was let go.
    let_go: watch::Sender<u64>,
}

/// One delivery.
#[derive(Clone, Copy)]
pub struct Arrival {
    /// When all of it was there.
    pub at: Instant,
    /// What its `webhook-id` said.
    id: [u8; ID_BYTES],
}

/// `evt_` and 26 characters.
const ID_BYTES: usize = 30;

impl Arrival {
    /// The event.
    pub fn event(&self) -> Option<Uuid> {
        std::str::from_utf8(&self.id).ok()?.parse::<EventId>().ok().map(EventId::uuid)
    }
}

impl Receiver {
    /// Listens on loopback.
    pub fn start() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no port is free for the receiver")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (let_go, _) = watch::channel(0);
        let shared = Arc::new(Shared { taken: AtomicU64::new(0), arrivals: Mutex::default(), let_go });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let owned = Arc::clone(&shared);
        std::thread::spawn(move || runtime.block_on(accept(listener, owned)));
        Ok(Self { address, shared })
    }

    /// A URL at which everything is taken.
    pub fn takes(&self) -> String {
        format!("http://{}{TAKE}", self.address)
    }

    /// A URL that hangs.
    pub fn hangs(&self) -> String {
        format!("http://{}{HOLD}", self.address)
    }

    /// Answers whatever is held.
    pub fn let_go(&self) {
        self.shared.let_go.send_modify(|count| *count += 1);
    }

    /// What was taken (not held) since this was asked last.
    pub fn arrivals(&self) -> Vec<Arrival> {
        std::mem::take(&mut *self.shared.arrivals())
    }

    /// How many were taken so far.
    pub fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::Relaxed)
    }

    /// Waits until `count` were taken in all. Fails where that lasts longer than `time_max`.
    pub fn wait_until_taken(&self, count: u64, time_max: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.taken() < count {
            anyhow::ensure!(
                began.elapsed() < time_max,
                "of {count} deliveries {} arrived within {} s",
                self.taken(),
                time_max.as_secs()
            );
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Shared {
    fn arrivals(&self) -> MutexGuard<'_, Vec<Arrival>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let shared = Arc::clone(&shared);
        // Where a connection breaks off, the sender notices.
        tokio::spawn(async move { serve(stream, &shared).await });
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = Vec::with_capacity(16 << 10);
    loop {
        let request = loop {
            if let Some(request) = Request::read(&bytes)? {
                break request;
            }
            anyhow::ensure!(bytes.len() < REQUEST_MAX_BYTES, "the request does not end");
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        bytes.drain(..request.length);
        if request.holds {
            let mut let_go = shared.let_go.subscribe();
            // Either way it is answered.
            let _ = tokio::time::timeout(HOLD_TIME, let_go.changed()).await;
        } else {
            if let Some(id) = request.id {
                shared.arrivals().push(Arrival { at: Instant::now(), id });
            }
            shared.taken.fetch_add(1, Ordering::Relaxed);
        }
        stream.write_all(ANSWER).await?;
    }
}

/// What matters of a request.
struct Request {
    /// With its body.
    length: usize,
    holds: bool,
    id: Option<[u8; ID_BYTES]>,
}

impl Request {
    /// The first request in `bytes`; none where it is not all there.
    fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(end) = head.parse(bytes)? else { return Ok(None) };
        let mut body = None;
        let mut id = None;
        for header in &*head.headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                body = std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse::<usize>().ok());
            } else if header.name.eq_ignore_ascii_case("webhook-id") {
                id = header.value.try_into().ok();
            }
        }
        let length = end + body.context("the request does not say how long it is")?;
        Ok((bytes.len() >= length).then(|| Self { length, holds: head.path == Some(HOLD), id }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_when_all_of_it_is_there() {
        let head =
            "POST /take HTTP/1.1\r\nhost: x\r\nWebhook-Id: evt_01h2xcejqtf2nbrexx3vqjhp41\r\ncontent-length: 2\r\n\r\n";
        let whole = format!("{head}{{}}POST");
        assert!(Request::read(head.as_bytes()).unwrap().is_none());
        let request = Request::read(whole.as_bytes()).unwrap().expect("it is all there");
        assert_eq!((request.length, request.holds), (whole.len() - 4, false));
        let arrival = Arrival { at: Instant::now(), id: request.id.expect("it has an id") };
        assert!(arrival.event().is_some());
        assert!(Request::read(b"POST /take HTTP/1.1\r\n\r\n").is_err());
    }
}
