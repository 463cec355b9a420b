//! A merchant's webhook receiver: an HTTP server on loopback that keeps everything it gets and answers as it is told.

mod delivery;
mod reply;

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::eventually;

pub use delivery::{Delivery, most_at_once, signature_headers};
pub use reply::{Reply, Script};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A running receiver. It ends with the test, and so does everything that hangs at it.
pub struct Receiver {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

/// What all connections have in common.
struct Shared {
    kept: Mutex<Kept>,
    scripts: Mutex<Scripts>,
    resets_connections: AtomicBool,
    connections: AtomicUsize,
}

#[derive(Default)]
struct Kept {
    deliveries: Vec<Delivery>,
    /// How often each event came to each path.
    tries: HashMap<(String, String), usize>,
}

struct Scripts {
    of_all: Script,
    of_paths: HashMap<String, Script>,
}

impl Receiver {
    /// Starts one that answers 200 to everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            kept: Mutex::default(),
            scripts: Mutex::new(Scripts { of_all: Reply::Status(200).into(), of_paths: HashMap::new() }),
            resets_connections: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let listening = Some(listen(listener, Arc::clone(&shared)));
        Self { url: format!("http://{address}"), address, shared, listening }
    }

    /// The URL of one of its paths.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// From now on every request is answered so, but for those to paths that have a script of their own.
    pub fn answer(&self, script: impl Into<Script>) {
        locked(&self.shared.scripts).of_all = script.into();
    }

    /// From now on requests to this path are answered so.
    pub fn answer_at(&self, path: &str, script: impl Into<Script>) {
        locked(&self.shared.scripts).of_paths.insert(path.to_owned(), script.into());
    }

    /// Whether new connections are reset before a byte of them is read.
    pub fn reset_connections(&self, reset: bool) {
        self.shared.resets_connections.store(reset, Ordering::Relaxed);
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Nobody listens any more, and what is open breaks. What came before is kept.
    pub async fn close(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            // That it was ended is what was wanted.
            let _ = listening.await;
        }
    }

    /// Listens again at the same address.
    pub async fn open_again(&mut self) {
        self.close().await;
        let listener = TcpListener::bind(self.address).await.expect("its port is its own");
        self.listening = Some(listen(listener, Arc::clone(&self.shared)));
    }

    /// Everything it got, in the order in which it came.
    pub fn deliveries(&self) -> Vec<Delivery> {
        locked(&self.shared.kept).deliveries.clone()
    }

    /// What came to this path.
    pub fn deliveries_at(&self, path: &str) -> Vec<Delivery> {
        self.deliveries().into_iter().filter(|delivery| delivery.path == path).collect()
    }

    /// The bodies, repeats and refused ones among them.
    pub fn events(&self) -> Vec<Value> {
        self.deliveries().iter().map(Delivery::event).collect()
    }

    /// What came about this payment, refund or order.
    pub fn of_object(&self, id: &str) -> Vec<Delivery> {
        self.deliveries().into_iter().filter(|delivery| delivery.object() == id).collect()
    }

    /// The types of the events about an object that were accepted here, once each, in their sequence, which must have
    /// no gap.
    #[track_caller]
    pub fn heard_of(&self, object: &str) -> Vec<String> {
        let mut heard: Vec<(i64, String, String)> = self
            .of_object(object)
            .iter()
            .filter(|delivery| delivery.is_accepted())
            .map(|delivery| (delivery.sequence(), delivery.kind(), delivery.id().to_owned()))
            .collect();
        heard.sort();
        heard.dedup();
        let sequences: Vec<i64> = heard.iter().map(|(sequence, ..)| *sequence).collect();
        assert!(sequences.iter().copied().eq(1..=i64::try_from(heard.len()).unwrap_or(0)), "{object}: {heard:?}");
        heard.into_iter().map(|(_, kind, _)| kind).collect()
    }

    /// Waits until what it got is as wanted: `wanted` gives what it looked for, or its complaint.
    pub async fn gets<T>(&self, what: &str, wanted: impl Fn(&[Delivery]) -> Result<T, String>) -> T {
        eventually(&format!("the receiver gets {what}"), async || wanted(&self.deliveries())).await
    }

    /// Waits until so many requests came, whatever they were.
    pub async fn gets_requests(&self, count: usize) -> Vec<Delivery> {
        self.gets(&format!("{count} requests"), |deliveries| {
            if deliveries.len() >= count {
                Ok(deliveries.to_vec())
            } else {
                Err(format!("it got {}", deliveries.len()))
            }
        })
        .await
    }

    /// Waits until so many requests came to this path.
    pub async fn gets_at(&self, path: &str, count: usize) {
        self.gets(&format!("{count} requests at {path}"), |deliveries| {
            let here = deliveries.iter().filter(|delivery| delivery.path == path).count();
            if here >= count { Ok(()) } else { Err(format!("it got {here}")) }
        })
        .await;
    }

    /// Waits until it has accepted an event of this type about this object.
    pub async fn hears(&self, object: &str, kind: &str) -> Delivery {
        self.gets(&format!("{kind} of {object}"), |deliveries| {
            let mut all = deliveries.iter().filter(|delivery| delivery.is_accepted());
            all.find(|delivery| delivery.object() == object && delivery.kind() == kind).cloned().ok_or_else(|| {
                let of_object = deliveries.iter().filter(|delivery| delivery.object() == object);
                format!("it got {:?}", of_object.map(Delivery::kind).collect::<Vec<_>>())
            })
        })
        .await
    }

    /// Panics where anything that it got so far is like this. To be asked once something later has surely come.
    #[track_caller]
    pub fn never_got(&self, what: &str, like: impl Fn(&Delivery) -> bool) {
        let found: Vec<_> = self.deliveries().into_iter().filter(like).collect();
        assert!(found.is_empty(), "{what} came: {found:#?}");
    }

    /// Panics unless everything that it got is rightly signed with this secret.
    #[track_caller]
    pub fn all_signed_by(&self, secret: &str) {
        for delivery in self.deliveries() {
            let verified = delivery.signed_by(secret);
            assert!(verified.is_ok(), "{verified:?}: {delivery:#?}");
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

/// Takes connections until it is aborted, and they end with it.
fn listen(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { return };
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    if shared.resets_connections.load(Ordering::Relaxed) {
                        // Closed without linger, it is reset.
                        let _ = stream.set_zero_linger();
                        continue;
                    }
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    })
}

/// One connection, for as long as its client keeps it or until a script breaks it.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // A handle of its own to the connection, for what hyper would not do: reset it, write what is no HTTP.
    let handle = stream.as_fd().try_clone_to_owned().expect("there are descriptors");
    let handle = Arc::new(handle);
    let service = service_fn(|request| answer(request, Arc::clone(&shared), Arc::clone(&handle)));
    // A client that breaks off, and a script that does, are what tests are about.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Why a connection ends without an answer; it is no error of the test.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("as the script said")
    }
}

impl std::error::Error for Broken {}

/// Keeps the request and answers as its script says.
async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    connection: Arc<OwnedFd>,
) -> Result<Response<Body>, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let (number, reply) = shared.keep(&head, body);
    let _open = Open { shared: &shared, number };
    Box::pin(reply::perform(reply, &connection)).await
}

impl Shared {
    /// Writes a request down; its number and what is to be answered.
    fn keep(&self, head: &http::request::Parts, body: Bytes) -> (usize, Reply) {
        let mut kept = locked(&self.kept);
        let mut delivery = Delivery::of(head, body, kept.deliveries.len());
        let tries = kept.tries.entry((delivery.path.clone(), delivery.id().to_owned())).or_default();
        *tries += 1;
        delivery.tries = *tries;
        let reply = {
            let scripts = locked(&self.scripts);
            scripts.of_paths.get(&delivery.path).unwrap_or(&scripts.of_all).reply_to(&delivery)
        };
        delivery.answered = reply.status();
        let number = delivery.number;
        kept.deliveries.push(delivery);
        (number, reply)
    }
}

/// A request that is being answered. Dropped, it is so no more: the answer is on its way, or the client has gone.
struct Open<'a> {
    shared: &'a Shared,
    number: usize,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(delivery) = locked(&self.shared.kept).deliveries.get_mut(self.number) {
            delivery.ended = Some(Instant::now());
        }
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
