//! Sending one webhook until it is taken.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::Listener;
use super::post::Poster;
use super::record::{Records, State};
use crate::clock;
use crate::faces::{Notice, Signed, Signing};

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

    /// Sends until the receiver has taken it, signed anew each time, and writes down what it answered.
    pub(super) async fn deliver(&self, listener: &Listener, notice: &Notice, record: u64, records: &Records) {
        let mut wait_ms = BACKOFF_FIRST_MS;
        for attempt in 1..=ATTEMPTS_MAX {
            let signing = Signing { secret: &listener.target.secret, now: clock::unix_seconds(), signature: None };
            let answer = self.post(&listener.target.url, listener.face.sign(notice, &signing)).await;
            let taken = answer.as_ref().is_some_and(|(status, body)| listener.face.taken(*status, body));
            let status = answer.map(|(status, _)| status);
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

    /// Posts once: status and body of the answer, nothing where none came.
    pub(super) async fn post(&self, url: &str, signed: Signed) -> Option<(u16, Bytes)> {
        let _slot = self.slots.acquire().await.expect("this semaphore is never closed");
        self.poster.post(url, signed).await
    }
}
