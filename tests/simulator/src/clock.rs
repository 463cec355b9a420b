//! What time it is: the one place of the simulator that asks the machine.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Datelike, Utc};

/// Time since 1 January 1970, UTC. A clock before that counts as that moment.
pub fn since_epoch() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// Unix time in seconds.
pub fn unix_seconds() -> u64 {
    since_epoch().as_secs()
}

/// The calendar day of a Unix time in seconds, as `2030-01-31`.
pub fn day_of(unix_seconds: u64) -> String {
    date(unix_seconds).format("%Y-%m-%d").to_string()
}

/// Year and month (1 to 12) of a Unix time in seconds.
pub fn month_of(unix_seconds: u64) -> (u32, u32) {
    let date = date(unix_seconds);
    (u32::try_from(date.year()).unwrap_or_default(), date.month())
}

fn date(unix_seconds: u64) -> DateTime<Utc> {
    i64::try_from(unix_seconds).ok().and_then(|s| DateTime::from_timestamp(s, 0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_iso_8601() {
        assert_eq!(day_of(0), "1970-01-01");
        assert_eq!(day_of(1_893_456_000), "2030-01-01");
        assert_eq!(month_of(1_893_456_000), (2030, 1));
    }
}
