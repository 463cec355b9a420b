//! The time in an event's id (`UUIDv7`), which says where in the log its row lies.

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// By how much the time of an event's row and the time in its id may differ: a clock that was set back goes on giving ids
/// of the time before, so that they stay in order. It bounds the partitions that are looked into.
pub const ID_AND_ROW_DIFFER_MAX: TimeDelta = TimeDelta::days(1);

/// Bits of an id that follow its time.
const TIME_AT: u32 = 80;

/// The time in an event's id, in whole milliseconds.
#[must_use]
pub fn time_in(id: Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(id.as_u128() >> TIME_AT).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

/// Between which times the row of the event with this id was made, if there is one.
#[must_use]
pub fn rows_of(id: Uuid) -> RangeInclusive<DateTime<Utc>> {
    let made = time_in(id);
    made - ID_AND_ROW_DIFFER_MAX..=made + ID_AND_ROW_DIFFER_MAX
}

/// What is less than every id of this millisecond or later ones, and more than every id before it.
#[must_use]
pub fn first_id_of(time: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(time.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(millis << TIME_AT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lie_between_the_bounds_of_their_time() {
        let at = DateTime::from_timestamp_millis(1_800_000_000_123).unwrap();
        let id = Uuid::from_u128((1_800_000_000_123 << TIME_AT) | (0x7 << 76) | (0x2 << 62));
        assert!(first_id_of(at) < id && id < first_id_of(at + TimeDelta::milliseconds(1)));
        assert_eq!(time_in(id), at);
        assert!(rows_of(id).contains(&at));
        assert_eq!(first_id_of(DateTime::UNIX_EPOCH - TimeDelta::days(1)), Uuid::nil());
    }

    /// An id that a stranger makes up is looked for, and not found: its time is one that Postgres knows.
    #[test]
    fn any_id_has_a_time() {
        assert_eq!(time_in(Uuid::nil()), DateTime::UNIX_EPOCH);
        assert!(rows_of(Uuid::max()).end() > &DateTime::UNIX_EPOCH);
    }
}
