//! Reading the times that gateways write, and the days of settlement files.

const SECONDS_PER_DAY: i64 = 86_400;
/// From the first of March of the year 0, where the calculations begin, to 1970.
const DAYS_BEFORE_1970: i64 = 719_468;

/// The Unix time in milliseconds of an RFC 3339 text: `2026-11-21T20:55:30Z`, `2026-11-21T21:55:30.125+01:00`. None for
/// anything else, and for times before 1970. What is finer than a millisecond is cut off.
#[must_use]
pub fn from_rfc3339(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at_checked(zone_at)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    let seconds = u64::try_from(seconds - offset_seconds(zone)?).ok()?;
    seconds.checked_mul(1000)?.checked_add(milliseconds(fraction)?)
}

/// The day that a text begins with: `2030-01-31` of `2030-01-31T13:33:57`, of `2030-01-31 13:33:57`, and of itself. None
/// where it begins with something else. That there is such a day in the calendar is not checked.
#[must_use]
pub fn day_of(text: &str) -> Option<&str> {
    let (day, rest) = text.split_at_checked(10)?;
    numbers(day, '-', [4, 2, 2])?;
    (!rest.starts_with(|next: char| next.is_ascii_digit())).then_some(day)
}

/// The day of a Unix time in seconds, in UTC: `2030-01-31`. For another zone, add what it is ahead of UTC first.
#[must_use]
pub fn day_at(seconds: u64) -> String {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = seconds / SECONDS_PER_DAY.unsigned_abs() + DAYS_BEFORE_1970.unsigned_abs();
    let (era, day_of_era) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Numbers of these widths with the separator in between.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut read = |width: usize| {
        let part = parts.next()?;
        let is_number = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { part.parse().ok() } else { None }
    };
    let [first, second, third] = widths;
    let numbers = [read(first)?, read(second)?, read(third)?];
    parts.next().is_none().then_some(numbers)
}

fn milliseconds(fraction: &str) -> Option<u64> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    Some(digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// How far the zone is ahead of UTC: `Z`, `+01:00`, `-0700`.
fn offset_seconds(zone: &str) -> Option<i64> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    let (hours, minutes) = digits.split_at_checked(2)?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse::<i64>().ok() } else { None }
    };
    Some(sign * (number(hours)? * 3600 + number(minutes)? * 60))
}

/// Howard Hinnant's `days_from_civil`: the Gregorian calendar, with a year that begins in March so that the leap day is
/// its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - DAYS_BEFORE_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_zone() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600_000)),
            ("2026-11-21T20:55:30Z", Some(1_795_294_530_000)),
            ("2026-11-21T21:55:30.125+01:00", Some(1_795_294_530_125)),
            ("2026-11-21T13:55:30.1-0700", Some(1_795_294_530_100)),
            ("2026-11-21t20:55:30.123456789z", Some(1_795_294_530_123)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-11-21T20:55:30", None),
            ("2026-13-21T20:55:30Z", None),
            ("2026-11-21T24:55:30Z", None),
            ("2026-11-21T20:55Z", None),
            ("26-11-21T20:55:30Z", None),
            ("2026-11-21T20:55:30.1x5Z", None),
            ("2026-11-21T20:55:30+1", None),
            ("", None),
            ("é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(from_rfc3339(text), expected, "{text:?}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_735_689_599, "2024-12-31"),
            (1_735_689_600, "2025-01-01"),
        ];
        for (seconds, day) in cases {
            assert_eq!(day_at(seconds), day, "{seconds}");
        }
    }

    /// Each of 400 years: the one calculation is the other's inverse.
    #[test]
    fn days_lead_to_times_and_back() {
        for day in 0..146_097 {
            let seconds = day * 86_400;
            let midnight = [day_at(seconds).as_str(), "T00:00:00Z"].concat();
            assert_eq!(from_rfc3339(&midnight), Some(seconds * 1000), "{midnight}");
        }
    }

    #[test]
    fn days_are_read_with_and_without_their_times() {
        for (text, expected) in [
            ("2022-06-07T13:33:57", Some("2022-06-07")),
            ("2022-06-07 13:33:57", Some("2022-06-07")),
            ("2022-06-07", Some("2022-06-07")),
            ("2022-06-071", None),
            ("07/06/2022", None),
            ("2022", None),
            ("2022-06-0é", None),
        ] {
            assert_eq!(day_of(text), expected, "{text}");
        }
    }
}
