//! Answers kept for idempotency keys, for faces whose gateway knows such a thing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Request;
use super::answer::Answer;

/// The first answers, by merchant and key.
#[derive(Default)]
pub struct Kept {
    answers: HashMap<(u64, String), Entry>,
}

struct Entry {
    fingerprint: u64,
    /// Unix time in seconds.
    at: u64,
    answer: Answer,
}

/// What is known of a key.
pub enum Found {
    /// Nothing, or no longer.
    New,
    /// The answer to the same request.
    Same(Answer),
    /// It belongs to another request.
    Another,
}

impl Kept {
    /// What is known of a key that is forgotten after `life` seconds.
    pub fn find(&self, owner: u64, key: &str, fingerprint: u64, now: u64, life_seconds: u64) -> Found {
        match self.answers.get(&(owner, key.to_owned())) {
            Some(entry) if now.saturating_sub(entry.at) >= life_seconds => Found::New,
            Some(entry) if entry.fingerprint == fingerprint => Found::Same(entry.answer.clone()),
            Some(_) => Found::Another,
            None => Found::New,
        }
    }

    /// Keeps the answer to a new key.
    pub fn keep(&mut self, owner: u64, key: &str, fingerprint: u64, now: u64, answer: &Answer) {
        self.answers.insert((owner, key.to_owned()), Entry { fingerprint, at: now, answer: answer.clone() });
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.answers.clear();
    }
}

/// What a key is bound to: method, path and body.
pub fn fingerprint(request: &Request) -> u64 {
    let mut hasher = DefaultHasher::new();
    (request.method.as_str(), request.path, request.body.as_ref()).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn a_key_is_its_merchants_its_requests_and_has_a_life() {
        let mut kept = Kept::default();
        kept.keep(1, "key", 10, 1_000, &Answer::empty(StatusCode::CREATED));
        assert!(matches!(kept.find(1, "key", 10, 1_059, 60), Found::Same(answer) if answer.status == 201));
        assert!(matches!(kept.find(1, "key", 11, 1_059, 60), Found::Another));
        assert!(matches!(kept.find(2, "key", 10, 1_059, 60), Found::New));
        assert!(matches!(kept.find(1, "key", 10, 1_060, 60), Found::New));
        kept.clear();
        assert!(matches!(kept.find(1, "key", 10, 1_000, 60), Found::New));
    }
}
