//! Random bytes from the cryptographic generator: keys, nonces, API keys.

/// `N` fresh random bytes.
///
/// # Panics
/// Where the operating system has no randomness to give: nothing safe can be done without it.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut drawn = [0; N];
    fill(&mut drawn);
    drawn
}

/// Overwrites all of `place` with random bytes.
///
/// # Panics
/// As [`bytes()`].
pub fn fill(place: &mut [u8]) {
    aws_lc_rs::rand::fill(place).expect("the operating system has randomness to give");
}

#[cfg(test)]
mod tests {
    #[test]
    fn draws_differ() {
        assert_ne!(super::bytes::<32>(), super::bytes::<32>());
    }
}
