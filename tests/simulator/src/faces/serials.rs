//! Numbers for ids: the same for the same seed, never twice in a run, different between two runs without a seed.

use std::sync::atomic::{AtomicU64, Ordering};

/// Hands out numbers.
pub struct Serials {
    /// Made from the seed: receivers of webhooks sort out ids that they have seen before.
    tag: u32,
    next: AtomicU64,
}

impl Serials {
    pub fn new(tag: u32) -> Self {
        Self { tag, next: AtomicU64::new(0) }
    }

    /// 16 hexadecimal digits.
    pub fn next(&self) -> String {
        format!("{:08x}{:08x}", self.tag, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::Serials;

    #[test]
    fn no_number_comes_twice() {
        let serials = Serials::new(0xabc);
        assert_eq!((serials.next().as_str(), serials.next().as_str()), ("00000abc00000000", "00000abc00000001"));
    }
}
