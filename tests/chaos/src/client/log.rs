//! What clients did and saw: every request with its key and body, every answer with its very bytes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::Value;

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The journey that it belongs to.
    pub journey: u32,
    /// Since the run began.
    pub began: Duration,
    pub ended: Duration,
    /// The host that was called.
    pub host: usize,
    pub method: &'static str,
    pub path: String,
    pub key: Option<String>,
    pub body: Option<Arc<Value>>,
    /// None where no whole answer came.
    pub answer: Option<Answer>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub bytes: Bytes,
    /// Null where it is no JSON.
    pub json: Arc<Value>,
    /// It says that it repeats what an earlier request with its key was told.
    pub replayed: bool,
}

impl Answer {
    /// A text of its body; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_default()
    }

    /// The outcome is final: what the key replays from here on.
    pub fn is_final(&self) -> bool {
        matches!(self.status, 200 | 201)
    }
}

/// All calls of a run.
pub struct Log {
    began: Instant,
    calls: Mutex<Vec<Call>>,
}

impl Log {
    pub fn new() -> Self {
        Self { began: Instant::now(), calls: Mutex::default() }
    }

    /// Since the run began.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// This moment in the run's time; what was before it is at its beginning.
    pub fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.began)
    }

    pub fn add(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// All that was written so far, in the order in which calls ended.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
