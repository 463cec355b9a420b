//! Connections kept between exchanges, per origin, and the bound on how many there are at once.
//!
//! A kept connection is used again only where it was idle for a short while, is not old, and the kernel says that
//! nothing has come in on it meanwhile. A gateway that closes idle connections must not turn a payment into an unknown
//! one; what is left of that race after these checks is reported as what it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::Connection;
use super::permit::Origin;

/// Origins with a lane of their own before lanes that nobody uses are taken down.
const LANES_MAX: usize = 1024;

#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "limits say which end they are")]
pub struct PoolLimits {
    /// Connections to one origin, idle ones not counted.
    pub connections_per_origin_max: usize,
    /// How long a request waits for one of them.
    pub wait_max: Duration,
    /// How long a connection may have been idle and still be used.
    pub idle_reuse_max: Duration,
    /// Connections that are kept in all while nobody uses them.
    pub idle_max: usize,
    /// How long a connection is used at all: its address was resolved and checked when it was made.
    pub age_max: Duration,
}

/// All lanes.
pub struct Pool {
    limits: PoolLimits,
    lanes: Mutex<HashMap<Origin, Arc<Lane>>>,
    idle_places: Arc<Semaphore>,
}

/// The connections to one origin.
struct Lane {
    places: Arc<Semaphore>,
    /// The one used last is at the end, and is used next: it is the least likely to be stale.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Every connection that an origin may have is in use, and none came free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {max} connections to this origin are in use")]
pub struct PoolIsFull {
    pub max: usize,
}

/// The right to one connection to an origin, until it is dropped.
pub struct Place {
    lane: Arc<Lane>,
    limits: PoolLimits,
    idle_places: Arc<Semaphore>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub fn new(limits: PoolLimits) -> Self {
        let idle_places = Arc::new(Semaphore::new(limits.idle_max));
        Self { limits, lanes: Mutex::new(HashMap::new()), idle_places }
    }

    /// Waits for a place, but not long.
    pub async fn place(&self, origin: &Origin) -> Result<Place, PoolIsFull> {
        let lane = self.lane(origin);
        let full = PoolIsFull { max: self.limits.connections_per_origin_max };
        let waiting = Arc::clone(&lane.places).acquire_owned();
        match tokio::time::timeout(self.limits.wait_max, waiting).await {
            Ok(Ok(permit)) => {
                let idle_places = Arc::clone(&self.idle_places);
                Ok(Place { lane, limits: self.limits, idle_places, _permit: permit })
            }
            Ok(Err(_)) | Err(_) => Err(full),
        }
    }

    /// Closes connections that have been idle too long to be used again. Called now and then, so that a gateway that
    /// is not asked any more does not hold sockets; correctness does not need it.
    pub fn sweep(&self, now: Instant) {
        let lanes: Vec<_> = lock(&self.lanes).values().cloned().collect();
        for lane in lanes {
            lock(&lane.idle).retain(|idle| self.limits.is_fresh(idle, now));
        }
    }

    /// Connections that are kept and not in use.
    pub fn idle_count(&self) -> usize {
        lock(&self.lanes).values().map(|lane| lock(&lane.idle).len()).sum()
    }

    fn lane(&self, origin: &Origin) -> Arc<Lane> {
        let mut lanes = lock(&self.lanes);
        if let Some(lane) = lanes.get(origin) {
            return Arc::clone(lane);
        }
        if lanes.len() >= LANES_MAX {
            // One that somebody holds has a second owner, and must stay the only lane of its origin.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        let lane = Arc::new(Lane {
            places: Arc::new(Semaphore::new(self.limits.connections_per_origin_max)),
            idle: Mutex::new(Vec::new()),
        });
        lanes.insert(origin.clone(), Arc::clone(&lane));
        lane
    }
}

impl PoolLimits {
    fn is_fresh(&self, idle: &Idle, now: Instant) -> bool {
        now.duration_since(idle.since) <= self.idle_reuse_max
            && now.duration_since(idle.connection.opened) <= self.age_max
    }
}

impl Place {
    /// A kept connection that is fit to be used now, if there is one. Those that are not are closed.
    pub fn kept(&self, now: Instant) -> Option<Connection> {
        loop {
            // Taken out one by one, so that the lock is not held while the kernel is asked.
            let mut idle = lock(&self.lane.idle).pop()?;
            if self.limits.is_fresh(&idle, now) && idle.connection.is_reusable() {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps a connection for the next exchange, unless as many are kept as may be.
    pub fn keep(self, connection: Connection, now: Instant) {
        let mut idle = lock(&self.lane.idle);
        idle.retain(|idle| self.limits.is_fresh(idle, now));
        if idle.len() < self.limits.connections_per_origin_max
            && let Ok(permit) = Arc::clone(&self.idle_places).try_acquire_owned()
        {
            idle.push(Idle { connection, since: now, _permit: permit });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics between two writes, so what a poisoned lock guards is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
