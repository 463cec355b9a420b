//! What fuzzing checks of the host: whatever a stranger's component is, and whatever it returns.
//!
//! The bytes come from a fuzzer (`fuzz/`), and in the unit tests from a fixed source. Each function panics where a
//! promise of `docs/sandbox.md` is broken, and does nothing else. Not a part of the program.

mod dice;

pub use crate::connector::fuzz::admission;
pub use dice::Dice;

/// All that a guest could have returned, of one roll of the dice: read, judged, written down, filled, and scrubbed.
pub fn guest_output(data: &[u8]) {
    let mut dice = Dice::new(data);
    match dice.below(8) {
        0 => crate::connector::fuzz::outcome(&mut dice),
        1 => crate::connector::fuzz::delivery(&mut dice),
        2 => crate::connector::fuzz::other_answers(&mut dice),
        3 => {
            if let Some(descriptor) = crate::connector::fuzz::descriptor(&mut dice) {
                crate::wire::fuzz::descriptor(&descriptor, &mut dice);
            }
        }
        4 => crate::wire::fuzz::reply(&mut dice),
        // Requests have the most ways to do harm.
        _ => {
            let request = dice.roll();
            crate::connector::fuzz::request(&request);
            crate::wire::fuzz::request(&request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many inputs of a fixed source are tried in a plain run of the tests. The fuzzer tries as many in a second.
    const INPUTS: u64 = 3000;
    const INPUT_MAX_BYTES: usize = 512;

    /// The same inputs on every machine: what fails here fails everywhere.
    fn input(number: u64) -> Vec<u8> {
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let length = usize::try_from(next()).unwrap_or(usize::MAX) % INPUT_MAX_BYTES;
        (0..length).map(|_| next().to_le_bytes()[3]).collect()
    }

    #[test]
    fn whatever_a_guest_returns_the_promises_hold() {
        (0..INPUTS).for_each(|number| guest_output(&input(number)));
    }

    /// What the fuzzer has found, each in the form in which it found it.
    #[test]
    fn what_was_found_once_stays_mended() {
        let found: [&[u8]; 6] = [
            b"\x0a\x41\x4e\x1e",
            b"\x9c\xf7\x5b\x30\x9c\xf7\x5b\x2a",
            b"\x04\x00\x7e\x00\x08\xff\x16\x80",
            b"\x04\x2a\x1a\x30\x2c\x2e\x17",
            b"\x04\x2a\x01\x00\x11\x0a\x16\x00",
            b"\x2c\x04\x01\x04\x04\x96\x16\xa3",
        ];
        for input in found {
            guest_output(input);
        }
    }

    #[test]
    fn whatever_is_pushed_is_judged() {
        (0..INPUTS).for_each(|number| {
            let bytes = input(number);
            admission(&bytes);
            admission(&[b"\0asm\x0d\0\x01\0", bytes.as_slice()].concat());
        });
    }
}
