//! Versions that this host could not load: left alone for a while, each time for longer.
//!
//! To fetch and compile a component takes seconds of a core. One that an older host cannot take in, or whose compiling
//! breaks down, must not cost that every time the host looks at what the cluster has.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a version is left alone after its first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
/// It is never left alone for longer than this: what was in the way (memory, a full disk) may be gone.
const PAUSE_MAX: Duration = Duration::from_hours(1);

/// The versions that one host could not load, by digest. Times are readings of [`crate::clock::Clock::boot`].
#[derive(Default)]
pub struct Unloadable {
    failed: Mutex<HashMap<[u8; 32], Failed>>,
}

#[derive(Clone, Copy)]
struct Failed {
    pause: Duration,
    again_at: Duration,
}

impl Unloadable {
    /// Whether the version failed so lately that it is not to be tried.
    #[must_use]
    pub fn is_left_alone(&self, digest: &[u8; 32], now: Duration) -> bool {
        self.lock().get(digest).is_some_and(|failed| now < failed.again_at)
    }

    /// Leaves a version alone that could not be loaded. Returns for how long.
    pub fn failed(&self, digest: [u8; 32], now: Duration) -> Duration {
        let mut failed = self.lock();
        let pause = failed.get(&digest).map_or(FIRST_PAUSE, |before| (before.pause * 2).min(PAUSE_MAX));
        failed.insert(digest, Failed { pause, again_at: now + pause });
        pause
    }

    /// Forgets a version that could be loaded after all.
    pub fn loaded(&self, digest: &[u8; 32]) {
        self.lock().remove(digest);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Failed>> {
        // Every change is one call of the map's, so what a panicked holder left is whole.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: [u8; 32] = [1; 32];

    #[test]
    fn a_version_that_fails_is_left_alone_for_longer_and_longer() {
        let (unloadable, mut now) = (Unloadable::default(), Duration::from_secs(5));
        assert!(!unloadable.is_left_alone(&DIGEST, now));
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            let pause = unloadable.failed(DIGEST, now);
            assert_eq!(pause, Duration::from_mins(minutes));
            assert!(unloadable.is_left_alone(&DIGEST, now + pause * 9 / 10));
            now += pause;
            assert!(!unloadable.is_left_alone(&DIGEST, now));
        }
        assert!(!unloadable.is_left_alone(&[2; 32], now), "another version is none of it");
    }

    #[test]
    fn a_version_that_loads_begins_anew() {
        let (unloadable, now) = (Unloadable::default(), Duration::ZERO);
        unloadable.failed(DIGEST, now);
        unloadable.failed(DIGEST, now);
        unloadable.loaded(&DIGEST);
        assert!(!unloadable.is_left_alone(&DIGEST, now));
        assert_eq!(unloadable.failed(DIGEST, now), FIRST_PAUSE);
    }
}
