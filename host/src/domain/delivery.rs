//! What follows from a try to deliver an event to a merchant's endpoint: done, again and when, or never again.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// A receiver may ask for a pause (`Retry-After`), and this is the longest that it gets.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// How far the pauses of the schedule are spread, in percent of each to either side: what failed together must not
/// come back together.
pub const JITTER_PERCENT: u32 = 20;

/// What came back from a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A final answer with this status; `retry_after` where it asked for a pause.
    Status { status: u16, retry_after: Option<Duration> },
    /// None: no connection, none in time, or nothing that is HTTP.
    Nothing,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    Retry {
        after: Duration,
    },
    /// The schedule is used up.
    GivenUp,
    /// The receiver says that it is gone for good (410): nothing more is sent to it. `after`: as the schedule says, for where
    /// the endpoint is elsewhere by now, and has not said so.
    Gone {
        after: Option<Duration>,
    },
}

/// Judges a try. `failed_before` tries of this event failed; `delays` is the schedule, `INTERLOCK_WEBHOOK_DELAYS`, and
/// empty for an event that is tried once. `chance` is any number: it decides about the jitter.
///
/// Only 2xx is a success. A redirect is none: the merchant's URL is what was checked and what was agreed on.
#[must_use]
pub fn verdict(answered: Answered, failed_before: u32, delays: &[Duration], chance: u32) -> Verdict {
    let retry_after = match answered {
        Answered::Status { status: 200..=299, .. } => return Verdict::Delivered,
        Answered::Status { retry_after, .. } => retry_after,
        Answered::Nothing => None,
    };
    let next = usize::try_from(failed_before).ok().and_then(|done| delays.get(done));
    let after = next.map(|delay| {
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        jittered(*delay, chance).max(asked)
    });
    match (answered, after) {
        (Answered::Status { status: 410, .. }, after) => Verdict::Gone { after },
        (_, Some(after)) => Verdict::Retry { after },
        (_, None) => Verdict::GivenUp,
    }
}

/// The delay, by chance up to [`JITTER_PERCENT`] shorter or longer.
#[must_use]
pub fn jittered(delay: Duration, chance: u32) -> Duration {
    let least = delay * (100 - JITTER_PERCENT) / 100;
    let spread = u64::try_from((delay * (2 * JITTER_PERCENT) / 100).as_millis()).unwrap_or(u64::MAX);
    least + Duration::from_millis(u64::from(chance) % (spread + 1))
}

/// Reads a `Retry-After` header (RFC 9110, 10.2.3): seconds, or the time of day until which to wait. None where it is
/// neither; nothing to wait for where that time is past.
#[must_use]
pub fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are a long time all the same.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    Some((until.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: [Duration; 3] = [Duration::from_secs(5), Duration::from_mins(5), Duration::from_hours(24)];

    fn status(status: u16) -> Answered {
        Answered::Status { status, retry_after: None }
    }

    #[test]
    fn success_is_2xx_and_nothing_else() {
        for good in [200, 201, 202, 204, 299] {
            assert_eq!(verdict(status(good), 0, &DELAYS, 0), Verdict::Delivered, "{good}");
            assert_eq!(verdict(status(good), 9, &DELAYS, 0), Verdict::Delivered, "{good}");
        }
        for bad in [101, 199, 300, 301, 302, 304, 307, 308, 400, 401, 404, 409, 411, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(verdict(status(bad), 0, &DELAYS, 0), Verdict::Retry { .. }), "{bad}");
            assert_eq!(verdict(status(bad), 3, &DELAYS, 0), Verdict::GivenUp, "{bad}");
        }
        assert!(matches!(verdict(Answered::Nothing, 2, &DELAYS, 0), Verdict::Retry { .. }));
        assert_eq!(verdict(Answered::Nothing, 3, &DELAYS, 0), Verdict::GivenUp);
    }

    #[test]
    fn what_is_gone_is_gone_at_any_try() {
        for (failed_before, after) in [(0, Some(DELAYS[0] * 4 / 5)), (3, None), (30, None)] {
            assert_eq!(verdict(status(410), failed_before, &DELAYS, 0), Verdict::Gone { after });
        }
    }

    #[test]
    fn what_is_tried_once_is_given_up_at_once() {
        assert_eq!(verdict(status(500), 0, &[], 0), Verdict::GivenUp);
    }

    /// Whatever chance says, a pause is that of the schedule, give or take a fifth, and every fifth is reached.
    #[test]
    fn pauses_are_those_of_the_schedule_within_the_jitter() {
        for (failed_before, delay) in (0..).zip(DELAYS) {
            let (least, most) = (delay * 4 / 5, delay * 6 / 5);
            let mut seen = Vec::new();
            for chance in (0..2_000_000_000).step_by(1_234_567).chain([u32::MAX]) {
                let Verdict::Retry { after } = verdict(status(500), failed_before, &DELAYS, chance) else {
                    panic!("it is to be tried again")
                };
                assert!(least <= after && after <= most, "{after:?} for {delay:?}");
                seen.push(after);
            }
            let (first, last) = (seen.iter().min().unwrap(), seen.iter().max().unwrap());
            assert!(*first < least + delay / 20 && *last + delay / 20 > most, "{first:?} to {last:?} for {delay:?}");
        }
        assert_eq!(verdict(status(500), 0, &[Duration::ZERO], 7), Verdict::Retry { after: Duration::ZERO });
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_and_not_for_a_shorter_one() {
        let asking = |seconds| Answered::Status { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
        let after = |seconds| match verdict(asking(seconds), 0, &DELAYS, 1_000) {
            Verdict::Retry { after } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(0), Duration::from_secs(5));
        assert_eq!(after(60), Duration::from_mins(1));
        assert_eq!(after(86_400), RETRY_AFTER_MAX);
        assert_eq!(after(u64::MAX), RETRY_AFTER_MAX);
        assert_eq!(verdict(asking(60), 3, &DELAYS, 0), Verdict::GivenUp, "it does not make the schedule longer");
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now = DateTime::parse_from_rfc3339("1994-11-06T08:49:07Z").unwrap().to_utc();
        assert_eq!(retry_after("120", now), Some(Duration::from_mins(2)));
        assert_eq!(retry_after(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(retry_after("99999999999999999999999", now), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        for unreadable in ["", "-1", "1.5", "soon", "2024-01-01T00:00:00Z"] {
            assert_eq!(retry_after(unreadable, now), None, "{unreadable}");
        }
    }
}
