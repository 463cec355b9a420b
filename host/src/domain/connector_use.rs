//! What the runs of a connector's version take: time, instructions, memory. Sums that hosts add up.

/// Upper bounds of the classes that runs are counted in by their time in the connector's code, in microseconds. What takes
/// longer than the last is in a class of its own. The schema names the same.
pub const GUEST_CLASSES_US: [u64; 9] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];

/// The classes, with that of the longest.
pub const GUEST_CLASSES: usize = GUEST_CLASSES_US.len() + 1;

/// What was used, in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Time in the connector's own code.
    pub guest_us: u64,
    /// Time in the host's functions that it calls.
    pub host_us: u64,
    /// Time that runs waited for a thread.
    pub queue_us: u64,
    /// Exchanges with its gateway.
    pub exchanges: u64,
    /// Time of these.
    pub network_us: u64,
    /// Instructions, roughly.
    pub fuel: u64,
    /// The most linear memory that one run had.
    pub memory_max_bytes: u64,
    /// Runs by their time in the connector's code, in the order of [`GUEST_CLASSES_US`].
    pub guest_runs: [u64; GUEST_CLASSES],
}

/// The class of a run that took so long.
#[must_use]
pub fn guest_class(guest_us: u64) -> usize {
    GUEST_CLASSES_US.iter().position(|bound| guest_us <= *bound).unwrap_or(GUEST_CLASSES_US.len())
}

impl Use {
    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.guest_us += other.guest_us;
        self.host_us += other.host_us;
        self.queue_us += other.queue_us;
        self.exchanges += other.exchanges;
        self.network_us += other.network_us;
        self.fuel += other.fuel;
        self.memory_max_bytes = self.memory_max_bytes.max(other.memory_max_bytes);
        for (sum, more) in self.guest_runs.iter_mut().zip(other.guest_runs) {
            *sum += more;
        }
        self
    }

    /// Runs whose time was taken.
    #[must_use]
    pub fn timed_runs(&self) -> u64 {
        self.guest_runs.iter().sum()
    }

    /// The time in the connector's code below which 99 of 100 runs stay: the upper bound of the class in which the 99th
    /// lies, in microseconds. None where there was no run, or where it lies beyond the last bound.
    #[must_use]
    pub fn guest_p99_us(&self) -> Option<u64> {
        let all = self.timed_runs();
        let mut below = 0;
        for (runs, bound) in self.guest_runs.iter().zip(GUEST_CLASSES_US) {
            below += runs;
            if all > 0 && u128::from(below) * 100 >= u128::from(all) * 99 {
                return Some(bound);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_runs(times_us: &[u64]) -> Use {
        let mut used = Use::default();
        for time in times_us {
            used.guest_runs[guest_class(*time)] += 1;
        }
        used
    }

    #[test]
    fn the_slow_one_of_a_hundred_does_not_count() {
        let mut times = vec![90; 99];
        times.push(60_000);
        assert_eq!(of_runs(&times).guest_p99_us(), Some(100));
        times.push(60_000);
        assert_eq!(of_runs(&times).guest_p99_us(), Some(250_000));
        assert_eq!(of_runs(&[1_000_000]).guest_p99_us(), None, "beyond the last bound");
        assert_eq!(Use::default().guest_p99_us(), None);
    }

    #[test]
    fn sums_add_up_and_the_most_stays() {
        let one = Use { guest_us: 5, memory_max_bytes: 7, ..of_runs(&[100]) };
        let other = Use { guest_us: 6, memory_max_bytes: 3, ..of_runs(&[101, 300_000]) };
        let sum = one.plus(&other);
        assert_eq!((sum.guest_us, sum.memory_max_bytes, sum.timed_runs()), (11, 7, 3));
        assert_eq!((sum.guest_runs[0], sum.guest_runs[1], sum.guest_runs[9]), (1, 1, 1));
        assert!(!sum.is_empty() && Use::default().is_empty());
    }
}
