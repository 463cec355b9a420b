//! When an unknown outcome is asked for again.

use std::time::Duration;

/// How long to wait before check number `done` + 1 of an unknown outcome; none where the schedule is used up and a
/// person must look. `delays` is the setting `INTERLOCK_VERIFY_DELAYS`.
#[must_use]
pub fn next_check(delays: &[Duration], done: usize) -> Option<Duration> {
    delays.get(done).copied()
}

/// Seconds between two questions about an operation that the gateway has accepted and not decided. It will tell by
/// webhook; asking is for the webhook that was lost.
pub const PENDING_POLL_S: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_ends() {
        let delays = [Duration::from_secs(30), Duration::from_secs(270)];
        assert_eq!(next_check(&delays, 0), Some(Duration::from_secs(30)));
        assert_eq!(next_check(&delays, 1), Some(Duration::from_secs(270)));
        assert_eq!(next_check(&delays, 2), None);
        assert_eq!(next_check(&[], 0), None);
    }
}
