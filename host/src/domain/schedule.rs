//! When an unknown outcome is asked for again, and a broker that was away.

use std::time::Duration;

/// How long to wait before check number `done` + 1 of an unknown outcome; none where the schedule is used up and a
/// person must look. `delays` is the setting `INTERLOCK_VERIFY_DELAYS`.
#[must_use]
pub fn next_check(delays: &[Duration], done: usize) -> Option<Duration> {
    delays.get(done).copied()
}

/// How long to wait for what a gateway says after an unknown authorization was called off, before a person must look: the
/// longest of the pauses so far, and an hour where there is none.
#[must_use]
pub fn after_call_off(delays: &[Duration]) -> Duration {
    delays.iter().max().copied().unwrap_or(Duration::from_secs(PENDING_POLL_S))
}

/// Seconds between two questions about an operation that the gateway has accepted and not decided. It will tell by
/// webhook; asking is for the webhook that was lost.
pub const PENDING_POLL_S: u64 = 3600;

/// Pauses between tries at a broker that is away: the first, and the longest.
const AWAY_MIN_MS: u64 = 200;
const AWAY_MAX_MS: u64 = 5_000;

/// How long to wait after failure number `failures` in a row, from 1: twice as long each time up to five seconds, and by
/// `chance` up to a fifth shorter or longer, so that hosts do not come back at once.
#[must_use]
pub fn away(failures: u32, chance: u8) -> Duration {
    let doubled = AWAY_MIN_MS.saturating_mul(1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX));
    let pause = doubled.min(AWAY_MAX_MS);
    Duration::from_millis(pause * 4 / 5 + pause * 2 / 5 * u64::from(chance) / u64::from(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let middle = |failures| away(failures, 127).as_millis();
        assert_eq!([1, 2, 3, 6, 64, 65, u32::MAX].map(middle), [199, 399, 799, 4_996, 4_996, 4_996, 4_996]);
        assert_eq!((away(1, 0).as_millis(), away(1, 255).as_millis()), (160, 240));
        assert_eq!(away(99, 255).as_millis(), 6_000);
    }

    #[test]
    fn the_schedule_ends() {
        let delays = [Duration::from_secs(30), Duration::from_secs(270)];
        assert_eq!(next_check(&delays, 0), Some(Duration::from_secs(30)));
        assert_eq!(next_check(&delays, 1), Some(Duration::from_secs(270)));
        assert_eq!(next_check(&delays, 2), None);
        assert_eq!(next_check(&[], 0), None);
        assert_eq!(after_call_off(&delays), Duration::from_secs(270));
        assert_eq!(after_call_off(&[]), Duration::from_hours(1));
    }
}
