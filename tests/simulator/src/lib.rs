//! The mock gateway as a library and a program: stateful, seedable, with books of its own and faults on demand.
//!
//! `gateway` holds the rules and the money and waits for nothing; `faces` speak the protocols; `faults` says what goes
//! wrong with which call; `webhooks` tells clients what changed; `server` puts the four on a socket. See `README.md` for
//! the endpoints.

mod clock;
mod faces;
mod faults;
mod gateway;
mod server;
mod webhooks;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faces::serials::Serials;
use crate::faces::{Faces, Ground, mock};
use crate::faults::Faults;
use crate::gateway::{Gateway, Modes};
use crate::server::App;
use crate::webhooks::{Target, Webhooks};

/// How a simulator starts. No `Debug`: it holds secrets.
#[derive(Clone)]
pub struct Settings {
    /// Where it listens; port 0 takes any that is free.
    pub address: SocketAddr,
    /// Decides ids and chance; without one every run has others.
    pub seed: Option<u64>,
    /// The bearer tokens that are accepted; any where there are none.
    pub api_keys: Vec<String>,
    /// Does it know the header `Idempotency-Key`?
    pub idempotency: bool,
    /// Does it find charges and refunds by reference?
    pub lookup: bool,
    /// How long something pending stays pending, in milliseconds.
    pub settle_ms: u64,
    /// A URL that gets webhooks of the root's face, and the secret they are signed with.
    pub webhook: Option<(String, String)>,
    /// The face whose paths need no prefix.
    pub root: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            seed: None,
            api_keys: Vec::new(),
            idempotency: true,
            lookup: true,
            settle_ms: 1_000,
            webhook: None,
            root: mock::NAME.to_owned(),
        }
    }
}

/// A simulator that runs. It ends when this is dropped.
pub struct Simulator {
    url: String,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Simulator {
    /// Starts one on the current Tokio runtime.
    ///
    /// # Errors
    /// Where the address cannot be listened on, or webhooks are to go where they cannot.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.address).await?;
        let mut address = listener.local_addr()?;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let url = format!("http://{address}");
        let seed = settings.seed.unwrap_or_else(|| hash(&(clock::since_epoch(), std::process::id(), address.port())));
        // Two runs must not hand out the same ids: receivers of webhooks sort out what they have seen.
        let tag = fastrand::Rng::with_seed(seed).u32(..);
        let modes = Modes { idempotency: settings.idempotency, lookup: settings.lookup, settle_ms: settings.settle_ms };
        let invalid = |message| io::Error::new(io::ErrorKind::InvalidInput, message);
        if settings.webhook.as_ref().is_some_and(|(url, _)| !webhooks::reachable(url)) {
            return Err(invalid("webhooks go to http://host:port/… only"));
        }
        let serials = Arc::new(Serials::new(tag));
        let ground = Arc::new(Ground { url: url.clone(), serials: serials.clone() });
        let faces = Faces::new(&ground, &settings.root).ok_or_else(|| invalid("there is no such face"))?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let webhooks = Webhooks::new(serials, tasks.clone(), stop.clone());
        let (root, _) = faces.at("/");
        if let Some((url, secret)) = settings.webhook {
            webhooks.listen(Target { url, secret, api_key: None, face: settings.root.clone() }, root.clone());
        }
        // Where another face is at the root, the mock's pages are under its name like everybody else's.
        let pages = if settings.root == mock::NAME { url.clone() } else { format!("{url}/{}", mock::NAME) };
        let app = Arc::new(App {
            gateway: Mutex::new(Gateway::new(modes, pages, tag)),
            faces,
            faults: Faults::new(seed),
            webhooks: Arc::new(webhooks),
            requests: Mutex::default(),
            api_keys: settings.api_keys.iter().map(|key| hash(key.as_str())).collect(),
            tasks: tasks.clone(),
            stop: stop.clone(),
        });
        tasks.spawn(server::serve(app, listener));
        Ok(Self { url, stop, tasks })
    }

    /// Its base URL, `http://127.0.0.1:1234`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes all connections and waits until that is done. Webhooks under way are not waited for.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The same for the same value within one build of the program.
fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
