//! Medians, spreads, and numbers as people read them.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Figures of several rounds.
#[derive(Clone, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// Adds a round.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle one; the mean of the two in the middle where the count is even; nought where there is none.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = sorted.get(middle).copied().unwrap_or_default();
        if sorted.len().is_multiple_of(2) {
            let lower = middle.checked_sub(1).and_then(|index| sorted.get(index)).copied().unwrap_or_default();
            f64::midpoint(lower, upper)
        } else {
            upper
        }
    }

    fn ends(&self) -> (f64, f64) {
        let low = self.0.iter().copied().reduce(f64::min).unwrap_or_default();
        let high = self.0.iter().copied().reduce(f64::max).unwrap_or_default();
        (low, high)
    }

    /// The median, and in brackets the least and the most.
    pub fn show(&self) -> String {
        let (low, high) = self.ends();
        if self.0.len() < 2 {
            return number(self.median());
        }
        format!("{} ({}–{})", number(self.median()), number(low), number(high))
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        let (low, high) = self.ends();
        json!({ "median": self.median(), "min": low, "max": high, "rounds": self.0 })
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// A number with as many digits as mean something.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => {
            let digits = format!("{:.0}", value.abs());
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            if value < 0.0 { format!("-{grouped}") } else { grouped }
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A count as a float: below 2^53 nothing is lost, and no count here comes near.
#[expect(clippy::cast_precision_loss, reason = "counts of seconds and payments are far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// As [`float`].
pub fn float_of(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

/// `part` of `whole`; nought where there is no whole.
pub fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// A histogram of times in microseconds, up to a minute, to three digits.
pub fn microseconds() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000, 3).expect("the bounds are in order")
}

/// A quantile of a histogram of microseconds, in milliseconds.
pub fn quantile_ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    float(histogram.value_at_quantile(quantile)) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_in_the_middle() {
        let of = |values: &[f64]| number(values.iter().copied().collect::<Sample>().median());
        assert_eq!(of(&[3.0, 1.0, 2.0]), "2.00");
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), "2.50");
        assert_eq!(of(&[]), "0.00");
    }

    #[test]
    fn numbers_are_readable() {
        let shown = [0.1234, 12.345, 123.4, 1234.5, 1_234_567.0, -4_321.0].map(number);
        assert_eq!(shown, ["0.12", "12.3", "123", "1,234", "1,234,567", "-4,321"]);
    }
}
