//! Time, ids and chance as values to be handed in, with fakes for tests.
//!
//! The only file that reads a clock or draws an id: everything else asks the [`Clock`] and the [`Ids`] it was given, so
//! that a test can say what day it is. To measure how long something took, [`std::time::Instant`] is fine anywhere.

#![expect(clippy::disallowed_methods, reason = "this is the place that the rule sends everybody to")]

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::{NoContext, Timestamp, Uuid};

use crate::{fault, vault::random};

/// Says what time it is: the system's, or what a test made it. Clones of a fake show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    fake: Option<Arc<Mutex<Fake>>>,
}

#[derive(Debug)]
struct Fake {
    now: DateTime<Utc>,
    /// How far it was moved since it began: its reading of [`Clock::boot`].
    since_boot: Duration,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn real() -> Self {
        Self::default()
    }

    /// A clock that stands at `now` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn fake(now: DateTime<Utc>) -> Self {
        Self { fake: Some(Arc::new(Mutex::new(Fake { now, since_boot: Duration::ZERO }))) }
    }

    /// The time of day, as precise as Postgres keeps it: microseconds. Without the cut a time that was written and read
    /// again would differ from itself.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let now = match &self.fake {
            None => time_of_day(),
            Some(fake) => fake.lock().unwrap_or_else(PoisonError::into_inner).now,
        };
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    /// Time since the machine started, time in suspension included; see [`boot_clock`].
    #[must_use]
    pub fn boot(&self) -> Duration {
        match &self.fake {
            None => boot_clock(),
            Some(fake) => fake.lock().unwrap_or_else(PoisonError::into_inner).since_boot,
        }
    }

    /// Moves a fake clock forward, both of its readings.
    ///
    /// # Panics
    /// On the real clock: nobody can move that.
    pub fn advance(&self, by: Duration) {
        let fake = self.fake.as_ref().expect("only a fake clock can be moved");
        let mut fake = fake.lock().unwrap_or_else(PoisonError::into_inner);
        fake.now += TimeDelta::from_std(by).expect("a test moves time by less than 292 million years");
        fake.since_boot += by;
    }
}

/// A reading that only ever grows and runs on while the machine is suspended.
///
/// For the check that a lease still holds before the first byte goes out: the time of day may be set back under us, and
/// [`std::time::Instant`] stands still on Linux while a laptop or a virtual machine sleeps. Either would make a lease
/// that ran out long ago look fresh. Readings mean something on one machine between two starts only.
#[must_use]
pub fn boot_clock() -> Duration {
    // Apple's monotonic clock counts suspension already; elsewhere the nearest there is.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let reading = rustix::time::clock_gettime(CLOCK);
    // Neither part is ever negative: this clock begins at nought.
    Duration::new(reading.tv_sec.unsigned_abs(), u32::try_from(reading.tv_nsec).unwrap_or(0))
}

/// The system's clock, or what a test of wrong clocks makes of it.
fn time_of_day() -> DateTime<Utc> {
    Utc::now() + TimeDelta::seconds(fault::clock_step_s().unwrap_or(0))
}

/// An id with the time of day in it.
fn fresh_id() -> Uuid {
    if fault::clock_step_s().is_none() {
        return Uuid::now_v7();
    }
    let now = time_of_day();
    let seconds = now.timestamp().unsigned_abs();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

/// Random bytes of a connector's run, as `wit/connector.wit` promises them.
pub const NONCE_BYTES: usize = 16;

/// Draws ids and random bytes: fresh ones, or a test's own sequence.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    fake: Option<Arc<AtomicU64>>,
}

impl Ids {
    /// Ids nobody has drawn before.
    #[must_use]
    pub fn real() -> Self {
        Self::default()
    }

    /// 1, 2, 3 … in the shape of version 7, at the start of 1970. For tests that compare whole answers.
    #[must_use]
    pub fn sequence() -> Self {
        Self { fake: Some(Arc::new(AtomicU64::new(0))) }
    }

    /// A UUID of version 7. Those of one process are ordered as they were drawn, also within a millisecond.
    #[must_use]
    pub fn v7(&self) -> Uuid {
        match &self.fake {
            None => fresh_id(),
            Some(fake) => {
                let count = fake.fetch_add(1, Ordering::Relaxed) + 1;
                // Version and variant bits, so that readers which check them are content.
                Uuid::from_u128((0x7 << 76) | (0x2 << 62) | u128::from(count & ((1 << 62) - 1)))
            }
        }
    }

    /// Bytes that nobody can guess; those of a fake can be.
    #[must_use]
    pub fn nonce(&self) -> [u8; NONCE_BYTES] {
        match &self.fake {
            None => random::bytes(),
            Some(fake) => {
                let count = (fake.fetch_add(1, Ordering::Relaxed) + 1).to_le_bytes();
                std::array::from_fn(|at| count.get(at).copied().unwrap_or(0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fake_clock_moves_for_everybody_who_holds_it() {
        let clock = Clock::fake(DateTime::UNIX_EPOCH);
        let other = clock.clone();
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(other.now().timestamp_millis(), 1_500);
        assert_eq!(other.boot(), Duration::from_millis(1_500));
    }

    #[test]
    fn the_real_clock_keeps_no_more_than_postgres_does() {
        assert_eq!(Clock::real().now().timestamp_subsec_nanos() % 1_000, 0);
    }

    #[test]
    fn the_boot_clock_grows() {
        let before = boot_clock();
        std::thread::sleep(Duration::from_millis(2));
        assert!(boot_clock() > before);
    }

    #[test]
    fn ids_are_ordered_as_drawn() {
        for ids in [Ids::real(), Ids::sequence()] {
            let drawn: Vec<Uuid> = (0..1_000).map(|_| ids.v7()).collect();
            assert!(drawn.is_sorted());
            assert!(drawn.windows(2).all(|pair| pair.first() != pair.last()));
            assert!(drawn.iter().all(|id| id.get_version_num() == 7));
        }
    }

    #[test]
    fn nonces_differ() {
        for ids in [Ids::real(), Ids::sequence()] {
            assert_ne!(ids.nonce(), ids.nonce());
        }
    }
}
