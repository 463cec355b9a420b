//! Webhooks: telling clients what changed, as unreliably as they are told to.

mod deliver;
mod post;
mod record;
pub mod sign;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use post::reachable;
pub use record::{DeliveryView, Records, State};

use crate::clock;
use crate::gateway::Change;
use deliver::Sender;

/// How long a webhook that is to be overtaken waits for the next one, in milliseconds; then it goes alone.
const REORDER_HOLD_MS: u64 = 500;

/// How webhooks travel, `{"webhooks":{"mode":"doubled"}}`.
#[derive(Deserialize, Serialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Weather {
    #[serde(default)]
    pub mode: Mode,
    /// For `delayed`, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    #[serde(default)]
    pub events: Events,
}

#[derive(Deserialize, Serialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Normal,
    Lost,
    Doubled,
    /// Pairs arrive the other way round.
    Reordered,
    Delayed,
}

/// Which changes are told.
#[derive(Deserialize, Serialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Events {
    /// What changes after it was made.
    #[default]
    Changes,
    /// New charges too, although their creator has the answer.
    All,
}

/// Where webhooks go. No `Debug`: it holds a secret.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub url: String,
    pub secret: String,
    /// Only about charges made with this API key; about all where it is not given.
    #[serde(default)]
    pub api_key: Option<String>,
}

/// See the module's documentation.
pub struct Webhooks {
    /// Whether anybody listens: without it nothing is written or locked.
    listened: AtomicBool,
    targets: Mutex<Vec<Arc<Target>>>,
    weather: Mutex<Weather>,
    /// The webhook that waits to be overtaken.
    held: Mutex<Option<Parcel>>,
    records: Arc<Records>,
    sender: Sender,
    /// Makes ids that differ between two runs of the program: receivers sort out repeated ids.
    tag: u32,
    next: AtomicU64,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One event on its way to one target.
#[derive(Clone)]
struct Parcel {
    record: u64,
    target: Arc<Target>,
    body: Bytes,
}

impl Webhooks {
    pub fn new(targets: Vec<Target>, tag: u32, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self {
            listened: AtomicBool::new(!targets.is_empty()),
            targets: Mutex::new(targets.into_iter().map(Arc::new).collect()),
            weather: Mutex::default(),
            held: Mutex::default(),
            records: Arc::default(),
            sender: Sender::new(tasks.clone()),
            tag,
            next: AtomicU64::new(0),
            tasks,
            stop,
        }
    }

    /// Adds a target, or gives a known URL a new secret.
    pub fn listen(&self, target: Target) {
        let mut targets = lock(&self.targets);
        targets.retain(|known| known.url != target.url);
        targets.push(Arc::new(target));
        self.listened.store(true, Ordering::Release);
    }

    /// Forgets all targets.
    pub fn silence(&self) {
        lock(&self.targets).clear();
        self.listened.store(false, Ordering::Release);
    }

    /// How webhooks travel from now on.
    pub fn set_weather(&self, weather: Weather) {
        *lock(&self.weather) = weather;
    }

    /// Forgets what was sent. What is under way still arrives.
    pub fn reset(&self) {
        *lock(&self.held) = None;
        self.records.clear();
    }

    pub fn weather(&self) -> Weather {
        *lock(&self.weather)
    }

    /// URLs of the targets.
    pub fn urls(&self) -> Vec<String> {
        lock(&self.targets).iter().map(|target| target.url.clone()).collect()
    }

    pub fn deliveries(&self) -> Vec<DeliveryView> {
        self.records.view()
    }

    /// Tells everybody who listens.
    pub fn publish(self: &Arc<Self>, change: &Change) {
        if !self.listened.load(Ordering::Acquire) {
            return;
        }
        let weather = self.weather();
        if change.created && weather.events == Events::Changes {
            return;
        }
        let id = format!("gwe_{:08x}{:08x}", self.tag, self.next.fetch_add(1, Ordering::Relaxed));
        let body = event(&id, change.kind, &change.object);
        for target in lock(&self.targets).iter() {
            let about = target.api_key.as_ref().is_none_or(|key| crate::hash(key) == change.owner);
            if about {
                self.dispatch(weather, &id, change.kind, target, &body);
            }
        }
    }

    /// Sends an event that never happened to every target, once, and says what they answered.
    pub async fn forge(&self, forgery: &Forgery) -> Vec<ForgeryView> {
        let targets = lock(&self.targets).clone();
        let fresh = || format!("gwe_{:08x}f{:07x}", self.tag, self.next.fetch_add(1, Ordering::Relaxed));
        let id = forgery.id.clone().unwrap_or_else(fresh);
        let object = forgery.data.to_string();
        let body = event(&id, &forgery.kind, object.as_bytes());
        let timestamp = forgery.timestamp.unwrap_or_else(clock::unix_seconds);
        let secret = forgery.secret.as_deref().unwrap_or("not the secret that was agreed on");
        let signature = forgery.signature.clone().unwrap_or_else(|| sign::sign(secret, timestamp, &body));
        let mut views = Vec::with_capacity(targets.len());
        for target in targets {
            let status = self.sender.post(&target.url, &signature, body.clone()).await;
            views.push(ForgeryView { url: target.url.clone(), id: id.clone(), status });
        }
        views
    }

    fn dispatch(self: &Arc<Self>, weather: Weather, id: &str, kind: &'static str, target: &Arc<Target>, body: &Bytes) {
        let parcel = |state| Parcel {
            record: self.records.open(id, kind, &target.url, body.clone(), state),
            target: target.clone(),
            body: body.clone(),
        };
        match weather.mode {
            Mode::Normal => self.send(vec![parcel(State::Waiting)], 0),
            Mode::Lost => drop(parcel(State::Lost)),
            Mode::Doubled => {
                self.send(vec![parcel(State::Waiting)], 0);
                self.send(vec![parcel(State::Waiting)], 0);
            }
            Mode::Reordered => self.hold(parcel(State::Waiting)),
            Mode::Delayed => self.send(vec![parcel(State::Waiting)], weather.delay_ms),
        }
    }

    /// Waits for a second webhook and lets it go first.
    fn hold(self: &Arc<Self>, parcel: Parcel) {
        let mut held = lock(&self.held);
        if let Some(overtaken) = held.take() {
            return self.send(vec![parcel, overtaken], 0);
        }
        let record = parcel.record;
        *held = Some(parcel);
        drop(held);
        let own = self.clone();
        self.background(async move {
            sleep(Duration::from_millis(REORDER_HOLD_MS)).await;
            let alone = lock(&own.held).take_if(|parcel| parcel.record == record);
            if let Some(parcel) = alone {
                own.sender.deliver(&parcel.target, parcel.body, parcel.record, &own.records).await;
            }
        });
    }

    /// Sends parcels one after the other, not waiting for it here.
    fn send(self: &Arc<Self>, parcels: Vec<Parcel>, delay_ms: u64) {
        let own = self.clone();
        self.background(async move {
            if delay_ms > 0 {
                sleep(Duration::from_millis(delay_ms)).await;
            }
            for parcel in parcels {
                own.sender.deliver(&parcel.target, parcel.body, parcel.record, &own.records).await;
            }
        });
    }

    /// Runs until it is done or the simulator ends.
    fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(work).await });
    }
}

/// `POST /__webhooks/forge`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forgery {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
    /// What it is signed with; by default something wrong.
    #[serde(default)]
    secret: Option<String>,
    /// When it claims to be signed, Unix time in seconds.
    #[serde(default)]
    timestamp: Option<u64>,
    /// The header as a whole.
    #[serde(default)]
    signature: Option<String>,
    #[serde(default)]
    id: Option<String>,
}

#[derive(Serialize)]
pub struct ForgeryView {
    url: String,
    id: String,
    /// Nothing where there was no answer.
    status: Option<u16>,
}

/// The body of a webhook. `object` is JSON already.
fn event(id: &str, kind: &str, object: &[u8]) -> Bytes {
    let head = serde_json::json!({"id": id, "type": kind, "created": clock::unix_seconds()}).to_string();
    let open = head.strip_suffix('}').unwrap_or(&head);
    [open.as_bytes(), b",\"data\":", object, b"}"].concat().into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
