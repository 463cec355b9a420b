//! Chance that repeats: every part of a run draws from a stream of its own, made from the run's seed.
//!
//! Streams do not share dice, so what one client does depends on the seed and its number alone, however the threads of
//! a run happen to be scheduled.

/// A stream of chance.
pub struct Dice(fastrand::Rng);

/// Spreads neighbouring numbers over all 64 bits (the golden ratio, as `SplitMix64` does).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Dice {
    /// The stream of the part `name` with this number.
    #[must_use]
    pub fn of(seed: u64, name: &str, number: u64) -> Self {
        let named =
            name.bytes().fold(seed, |mixed, byte| (mixed ^ u64::from(byte)).wrapping_mul(SPREAD).rotate_left(23));
        Self(fastrand::Rng::with_seed(named ^ number.wrapping_add(1).wrapping_mul(SPREAD)))
    }

    /// True so many times in a hundred.
    pub fn in_hundred(&mut self, times: u32) -> bool {
        self.0.u32(0..100) < times
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.i64(low..=high)
    }

    /// The same for milliseconds.
    pub fn millis(&mut self, low: u64, high: u64) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.u64(low..=high))
    }

    /// A place in a list of `length`, which is not empty.
    pub fn place(&mut self, length: usize) -> usize {
        self.0.usize(0..length)
    }

    /// One of them; `choices` is not empty.
    pub fn one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices.get(self.place(choices.len())).copied().expect("the place is in the list")
    }

    /// One of them, by weight; the weights do not add up to nought.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let mut drawn = self.0.u32(0..choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            if drawn < *weight {
                return *choice;
            }
            drawn -= weight;
        }
        unreachable!("what is drawn is below the sum of all weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_and_differs_from_its_neighbours() {
        let drawn = |seed, name, number| {
            let mut dice = Dice::of(seed, name, number);
            (0..8).map(|_| dice.between(0, 1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7, "client", 3), drawn(7, "client", 3));
        for other in [drawn(8, "client", 3), drawn(7, "client", 4), drawn(7, "monkey", 3)] {
            assert_ne!(drawn(7, "client", 3), other);
        }
    }

    #[test]
    fn weights_decide() {
        let mut dice = Dice::of(1, "weights", 0);
        let drawn: Vec<_> = (0..1_000).map(|_| dice.weighted(&[(0, 'a'), (1, 'b'), (3, 'c')])).collect();
        assert!(!drawn.contains(&'a'));
        let often = drawn.iter().filter(|choice| **choice == 'c').count();
        assert!((650..850).contains(&often), "about 750, not {often}");
    }
}
