//! Sending one webhook until it is taken.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::Target;
use super::post::Poster;
use super::record::{Records, State};
use super::sign;
use crate::clock;

/// How often one webhook is sent before it is given up.
const ATTEMPTS_MAX: u32 = 8;
/// The wait after the first failure, in milliseconds; it doubles with every further one. Eight attempts span 13
/// seconds: long enough for a receiver to be restarted.
const BACKOFF_FIRST_MS: u64 = 100;
/// How many webhooks are on the wire at once.
const IN_FLIGHT_MAX: usize = 64;

/// Sends webhooks, so many at once and no more.
pub struct Sender {
    poster: Poster,
    slots: Semaphore,
}

impl Sender {
    pub fn new(tasks: TaskTracker) -> Self {
        Self { poster: Poster::new(tasks), slots: Semaphore::new(IN_FLIGHT_MAX) }
    }

    /// Sends until the receiver answers 2xx, signed anew each time, and writes down what it answered.
    pub(super) async fn deliver(&self, target: &Target, body: Bytes, record: u64, records: &Records) {
        let mut wait_ms = BACKOFF_FIRST_MS;
        for attempt in 1..=ATTEMPTS_MAX {
            let signature = sign::sign(&target.secret, clock::unix_seconds(), &body);
            let status = self.post(&target.url, &signature, body.clone()).await;
            let taken = status.is_some_and(|status| (200..300).contains(&status));
            let state = match (taken, attempt) {
                (true, _) => State::Delivered,
                (false, ATTEMPTS_MAX) => State::Failed,
                (false, _) => State::Waiting,
            };
            records.attempt(record, status, state);
            if state != State::Waiting {
                return;
            }
            sleep(Duration::from_millis(wait_ms)).await;
            wait_ms *= 2;
        }
    }

    /// Posts once. Nothing where no answer came.
    pub(super) async fn post(&self, url: &str, signature: &str, body: Bytes) -> Option<u16> {
        let _slot = self.slots.acquire().await.expect("this semaphore is never closed");
        self.poster.post(url, signature, body).await
    }
}
