//! Webhooks: telling clients what changed, as unreliably as they are told to.

mod deliver;
mod post;
mod record;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use post::reachable;
pub use record::{DeliveryView, Records, State};

use crate::clock;
use crate::faces::serials::Serials;
use crate::faces::{Face, Notice, Signing, mock};
use crate::gateway::{Change, Gateway};
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
    /// The face whose protocol it understands: it hears of that one's charges and of no others.
    #[serde(default = "mock_face")]
    pub face: String,
}

/// The face that is meant where none is named.
fn mock_face() -> String {
    mock::NAME.to_owned()
}

/// A target and who speaks to it.
struct Listener {
    target: Target,
    face: Arc<dyn Face>,
}

/// See the module's documentation.
pub struct Webhooks {
    /// Whether anybody listens: without it nothing is written or locked.
    listened: AtomicBool,
    listeners: Mutex<Vec<Arc<Listener>>>,
    weather: Mutex<Weather>,
    /// The webhook that waits to be overtaken.
    held: Mutex<Option<Parcel>>,
    records: Arc<Records>,
    sender: Sender,
    /// Numbers for forged events.
    serials: Arc<Serials>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One event on its way to one target.
#[derive(Clone)]
struct Parcel {
    record: u64,
    listener: Arc<Listener>,
    notice: Arc<Notice>,
}

impl Webhooks {
    pub fn new(serials: Arc<Serials>, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self {
            listened: AtomicBool::new(false),
            listeners: Mutex::default(),
            weather: Mutex::default(),
            held: Mutex::default(),
            records: Arc::default(),
            sender: Sender::new(tasks.clone()),
            serials,
            tasks,
            stop,
        }
    }

    /// Adds a target, or gives a known URL a new secret.
    pub fn listen(&self, target: Target, face: Arc<dyn Face>) {
        let mut listeners = lock(&self.listeners);
        listeners.retain(|known| known.target.url != target.url);
        listeners.push(Arc::new(Listener { target, face }));
        self.listened.store(true, Ordering::Release);
    }

    /// Forgets all targets.
    pub fn silence(&self) {
        lock(&self.listeners).clear();
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
        lock(&self.listeners).iter().map(|listener| listener.target.url.clone()).collect()
    }

    pub fn deliveries(&self) -> Vec<DeliveryView> {
        self.records.view()
    }

    /// Tells everybody who listens to this face what has changed. All changes are of one maker.
    pub fn publish(self: &Arc<Self>, face: &Arc<dyn Face>, gateway: &Gateway, changes: &[Change]) {
        if !self.listened.load(Ordering::Acquire) {
            return;
        }
        let weather = self.weather();
        let told =
            |change: &&Change| !change.is_new_charge() || weather.events == Events::All || face.tells_new_charges();
        let changes: Vec<Change> = changes.iter().filter(told).cloned().collect();
        let Some(maker) = changes.first().map(|change| change.maker) else { return };
        let concerned = |listener: &&Arc<Listener>| {
            let of_merchant = listener.target.api_key.as_ref().is_none_or(|key| crate::hash(key) == maker.owner);
            listener.face.name() == maker.face && of_merchant
        };
        let listeners: Vec<_> = lock(&self.listeners).iter().filter(concerned).cloned().collect();
        if listeners.is_empty() {
            return;
        }
        for notice in face.tell(gateway, &changes, clock::unix_seconds()) {
            let notice = Arc::new(notice);
            for listener in &listeners {
                self.dispatch(weather, listener, &notice);
            }
        }
    }

    /// Sends an event that never happened to every target of a face, once, and says what they answered.
    ///
    /// # Errors
    /// A sentence, where the forgery is not complete.
    pub async fn forge(&self, forgery: Forgery) -> Result<Vec<ForgeryView>, &'static str> {
        let notice = forgery.notice(&self.serials)?;
        let secret = forgery.secret.as_deref().unwrap_or("not the secret that was agreed on");
        let now = forgery.timestamp.unwrap_or_else(clock::unix_seconds);
        let signing = Signing { secret, now, signature: forgery.signature.as_deref() };
        let of_face = |listener: &&Arc<Listener>| listener.face.name() == forgery.face;
        let listeners: Vec<_> = lock(&self.listeners).iter().filter(of_face).cloned().collect();
        let mut views = Vec::with_capacity(listeners.len());
        for listener in listeners {
            let answer = self.sender.post(&listener.target.url, listener.face.sign(&notice, &signing)).await;
            let status = answer.map(|(status, _)| status);
            views.push(ForgeryView { url: listener.target.url.clone(), id: notice.id.clone(), status });
        }
        Ok(views)
    }

    fn dispatch(self: &Arc<Self>, weather: Weather, listener: &Arc<Listener>, notice: &Arc<Notice>) {
        let parcel = |state| Parcel {
            record: self.records.open(&notice.id, &notice.kind, &listener.target.url, notice.body.clone(), state),
            listener: listener.clone(),
            notice: notice.clone(),
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
                own.sender.deliver(&parcel.listener, &parcel.notice, parcel.record, &own.records).await;
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
                own.sender.deliver(&parcel.listener, &parcel.notice, parcel.record, &own.records).await;
            }
        });
    }

    /// Runs until it is done or the simulator ends.
    fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(work).await });
    }
}

/// `POST /__webhooks/forge`: `type` and `data` of an event as the mock words it, or the whole `body`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forgery {
    #[serde(default = "mock_face")]
    face: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    data: Option<Value>,
    /// Sent as it is where it is a string, and else as JSON.
    #[serde(default)]
    body: Option<Value>,
    /// What it is signed with; by default something wrong.
    #[serde(default)]
    secret: Option<String>,
    /// When it claims to be signed, Unix time in seconds.
    #[serde(default)]
    timestamp: Option<u64>,
    /// The signature as a whole.
    #[serde(default)]
    signature: Option<String>,
    #[serde(default)]
    id: Option<String>,
}

impl Forgery {
    fn notice(&self, serials: &Serials) -> Result<Notice, &'static str> {
        let id = self.id.clone().unwrap_or_else(|| format!("gwe_{}", serials.next()));
        match (&self.kind, &self.data, &self.body) {
            (Some(kind), Some(data), None) => {
                Ok(mock::notice(id, kind, data.to_string().as_bytes(), clock::unix_seconds()))
            }
            (kind, None, Some(body)) => {
                let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned).into();
                Ok(Notice { id, kind: kind.clone().unwrap_or_default(), body })
            }
            _ => Err("a forgery has a type and data, or a body"),
        }
    }
}

#[derive(Serialize)]
pub struct ForgeryView {
    url: String,
    id: String,
    /// Nothing where there was no answer.
    status: Option<u16>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
