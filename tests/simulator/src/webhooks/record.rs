//! What became of the webhooks, for `GET /__webhooks`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

/// How many deliveries are remembered.
const KEPT_MAX: usize = 10_000;

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Waiting,
    Delivered,
    /// Given up.
    Failed,
    /// Never sent, on purpose.
    Lost,
}

/// The last deliveries.
#[derive(Default)]
pub struct Records {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The number of the oldest one that is still there.
    first: u64,
    deliveries: VecDeque<Delivery>,
}

struct Delivery {
    event: String,
    kind: String,
    url: String,
    body: Bytes,
    state: State,
    attempts: Vec<Option<u16>>,
}

/// One delivery as the API shows it.
#[derive(Serialize)]
pub struct DeliveryView {
    event: String,
    #[serde(rename = "type")]
    kind: String,
    url: String,
    state: State,
    /// The status of each answer; null where none came.
    attempts: Vec<Option<u16>>,
    /// What was sent, without the signatures that some gateways put into it.
    body: Value,
}

impl Records {
    /// Begins a record and gives its number.
    pub fn open(&self, event: &str, kind: &str, url: &str, body: Bytes, state: State) -> u64 {
        let mut kept = self.lock();
        if kept.deliveries.len() == KEPT_MAX {
            kept.deliveries.pop_front();
            kept.first += 1;
        }
        let (event, kind, url) = (event.to_owned(), kind.to_owned(), url.to_owned());
        kept.deliveries.push_back(Delivery { event, kind, url, body, state, attempts: Vec::new() });
        kept.first + kept.deliveries.len() as u64 - 1
    }

    /// Writes down an attempt, if the record is still there.
    pub fn attempt(&self, number: u64, status: Option<u16>, state: State) {
        let mut kept = self.lock();
        let place = number.checked_sub(kept.first).and_then(|place| usize::try_from(place).ok());
        if let Some(delivery) = place.and_then(|place| kept.deliveries.get_mut(place)) {
            delivery.attempts.push(status);
            delivery.state = state;
        }
    }

    /// Forgets all, but goes on counting.
    pub fn clear(&self) {
        let mut kept = self.lock();
        kept.first += kept.deliveries.len() as u64;
        kept.deliveries.clear();
    }

    pub fn view(&self) -> Vec<DeliveryView> {
        let kept = self.lock();
        let view = |delivery: &Delivery| DeliveryView {
            event: delivery.event.clone(),
            kind: delivery.kind.clone(),
            url: delivery.url.clone(),
            state: delivery.state,
            attempts: delivery.attempts.clone(),
            body: serde_json::from_slice(&delivery.body).unwrap_or_default(),
        };
        kept.deliveries.iter().map(view).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
