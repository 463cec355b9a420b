//! A breaker per gateway account: stops asking a gateway that does not answer.
//!
//! It opens after so many failures in a row (not sent, timed out, connection lost), stays open for a while, lets one
//! probe through, and closes on the first exchange that comes back. Its state lives in this host alone and is lost
//! with it, on purpose: a breaker spares customers the wait for a dead gateway and spares the gateway the load. No
//! payment is right or wrong because of it: a request that it holds back was not sent, which is always a safe answer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

/// Accounts whose failures are remembered at once. Only accounts that failed lately take a place; when all are taken
/// the ones that are not open make room.
const ACCOUNTS_MAX: usize = 10_000;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub failures_to_open: u32,
    /// A row that began longer ago than this is forgotten: two failures a day apart say nothing.
    pub window: Duration,
    /// How long it stays open before a probe is let through.
    pub cool_down: Duration,
}

/// What a breaker does with the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything passes.
    Closed,
    /// Nothing passes.
    Open,
    /// One probe is, or may be, under way; nothing else passes.
    HalfOpen,
}

impl BreakerState {
    /// For metrics: 0 closed, 1 half open, 2 open.
    #[must_use]
    pub fn as_gauge(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// How an exchange went, as far as the gateway's reachability goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It said something, whatever it was.
    Answered,
    /// It could not be reached, or fell silent.
    Failed,
    /// Nothing was learnt (the lease was too short, the pool was full).
    Unknown,
}

#[derive(Default)]
struct Entry {
    failures: u32,
    first_failure: Option<Instant>,
    opened: Option<Instant>,
    probing: bool,
}

/// The breakers of all gateway accounts that failed lately.
pub struct Breakers {
    settings: BreakerSettings,
    entries: Mutex<HashMap<Uuid, Entry>>,
}

/// Permission to send one request. Dropping it without a word (the caller was cancelled) frees a probe's place.
pub struct Pass<'a> {
    breakers: &'a Breakers,
    account: Uuid,
    probe: bool,
    settled: bool,
}

impl Breakers {
    pub fn new(settings: BreakerSettings) -> Self {
        Self { settings, entries: Mutex::new(HashMap::new()) }
    }

    /// A pass for one request to `account`'s gateway, or none while its breaker is open.
    pub fn enter(&self, account: Uuid, now: Instant) -> Option<Pass<'_>> {
        let mut entries = self.lock();
        let mut probe = false;
        if let Some(entry) = entries.get_mut(&account)
            && let Some(opened) = entry.opened
        {
            if entry.probing || now.duration_since(opened) < self.settings.cool_down {
                return None;
            }
            entry.probing = true;
            probe = true;
        }
        Some(Pass { breakers: self, account, probe, settled: false })
    }

    /// What the breaker of `account` would do now.
    pub fn state(&self, account: Uuid, now: Instant) -> BreakerState {
        match self.lock().get(&account) {
            Some(entry) => self.state_of(entry, now),
            None => BreakerState::Closed,
        }
    }

    /// Every account whose breaker is not closed.
    pub fn tripped(&self, now: Instant) -> Vec<(Uuid, BreakerState)> {
        let entries = self.lock();
        let states = entries.iter().map(|(account, entry)| (*account, self.state_of(entry, now)));
        states.filter(|(_, state)| *state != BreakerState::Closed).collect()
    }

    fn state_of(&self, entry: &Entry, now: Instant) -> BreakerState {
        match entry.opened {
            None => BreakerState::Closed,
            Some(opened) if entry.probing || now.duration_since(opened) >= self.settings.cool_down => {
                BreakerState::HalfOpen
            }
            Some(_) => BreakerState::Open,
        }
    }

    fn settle(&self, account: Uuid, probe: bool, health: Health, now: Instant) {
        let mut entries = self.lock();
        match health {
            Health::Answered => {
                entries.remove(&account);
            }
            Health::Unknown => {
                if probe && let Some(entry) = entries.get_mut(&account) {
                    entry.probing = false;
                }
            }
            Health::Failed => {
                if entries.len() >= ACCOUNTS_MAX && !entries.contains_key(&account) {
                    entries.retain(|_, entry| entry.opened.is_some());
                    if entries.len() >= ACCOUNTS_MAX {
                        return;
                    }
                }
                self.count_failure(entries.entry(account).or_default(), probe, now);
            }
        }
    }

    fn count_failure(&self, entry: &mut Entry, probe: bool, now: Instant) {
        if probe {
            entry.probing = false;
            entry.opened = Some(now);
            return;
        }
        let in_window = entry.first_failure.is_some_and(|first| now.duration_since(first) <= self.settings.window);
        if !in_window {
            entry.first_failure = Some(now);
            entry.failures = 0;
        }
        entry.failures = entry.failures.saturating_add(1);
        // Requests that were under way when it opened do not prolong it.
        if entry.failures >= self.settings.failures_to_open && entry.opened.is_none() {
            entry.opened = Some(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        // Nothing in here panics between two writes, so a poisoned map is still a whole one.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Tells the breaker how the exchange went.
    pub fn settle(mut self, health: Health, now: Instant) {
        self.settled = true;
        self.breakers.settle(self.account, self.probe, health, now);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.settled && self.probe {
            let mut entries = self.breakers.lock();
            if let Some(entry) = entries.get_mut(&self.account) {
                entry.probing = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings =
        BreakerSettings { failures_to_open: 3, window: Duration::from_secs(30), cool_down: Duration::from_secs(10) };

    fn fail(breakers: &Breakers, account: Uuid, times: u32, now: Instant) {
        for _ in 0..times {
            breakers.enter(account, now).unwrap().settle(Health::Failed, now);
        }
    }

    #[test]
    fn failures_in_a_row_open_it_for_that_account_alone() {
        let (breakers, now) = (Breakers::new(SETTINGS), Instant::now());
        let (dead, alive) = (Uuid::from_u128(1), Uuid::from_u128(2));
        fail(&breakers, dead, 2, now);
        assert_eq!(breakers.state(dead, now), BreakerState::Closed);
        fail(&breakers, dead, 1, now);
        assert_eq!(breakers.state(dead, now), BreakerState::Open);
        assert!(breakers.enter(dead, now).is_none());
        assert!(breakers.enter(alive, now).is_some());
        assert_eq!(breakers.tripped(now), vec![(dead, BreakerState::Open)]);
    }

    #[test]
    fn an_answer_ends_the_row() {
        let (breakers, now, account) = (Breakers::new(SETTINGS), Instant::now(), Uuid::from_u128(1));
        fail(&breakers, account, 2, now);
        breakers.enter(account, now).unwrap().settle(Health::Answered, now);
        fail(&breakers, account, 2, now);
        assert_eq!(breakers.state(account, now), BreakerState::Closed);
    }

    #[test]
    fn failures_far_apart_are_no_row() {
        let (breakers, now, account) = (Breakers::new(SETTINGS), Instant::now(), Uuid::from_u128(1));
        fail(&breakers, account, 2, now);
        let later = now + Duration::from_secs(31);
        fail(&breakers, account, 2, later);
        assert_eq!(breakers.state(account, later), BreakerState::Closed);
    }

    /// After the cool-down one request goes through; the others wait for what it finds.
    #[test]
    fn one_probe_decides() {
        let (breakers, now, account) = (Breakers::new(SETTINGS), Instant::now(), Uuid::from_u128(1));
        fail(&breakers, account, 3, now);
        let later = now + Duration::from_secs(10);
        let probe = breakers.enter(account, later).unwrap();
        assert!(breakers.enter(account, later).is_none());
        assert_eq!(breakers.state(account, later), BreakerState::HalfOpen);
        probe.settle(Health::Failed, later);
        assert_eq!(breakers.state(account, later), BreakerState::Open);
        let again = later + Duration::from_secs(10);
        breakers.enter(account, again).unwrap().settle(Health::Answered, again);
        assert_eq!(breakers.state(account, again), BreakerState::Closed);
    }

    #[test]
    fn a_probe_that_is_dropped_or_learns_nothing_frees_its_place() {
        let (breakers, now, account) = (Breakers::new(SETTINGS), Instant::now(), Uuid::from_u128(1));
        fail(&breakers, account, 3, now);
        let later = now + Duration::from_secs(10);
        drop(breakers.enter(account, later).unwrap());
        breakers.enter(account, later).unwrap().settle(Health::Unknown, later);
        assert!(breakers.enter(account, later).is_some());
    }
}
