//! What makes one component of this crate another version: some bytes that tests overwrite in the component itself.

use std::hint::black_box;

/// Where tests find it, then the version and what it does whatever its accounts say, each padded with blanks.
static VARIANT: [u8; 64] = *b"hostile-variant:0.1.0           :                              :";

/// Where the version stands, and the behaviour.
const VERSION: core::ops::Range<usize> = 16..32;
const BEHAVIOUR: core::ops::Range<usize> = 33..63;

/// The version that the component says it is.
pub fn version() -> String {
    field(VERSION)
}

/// What makes a component promise that it can call off by our own name what nobody can find out about.
const CALLS_OFF: &str = "calls_off";

/// What the component does whatever its accounts say; none where they say it.
pub fn behaviour() -> Option<String> {
    Some(field(BEHAVIOUR)).filter(|behaviour| !behaviour.is_empty() && behaviour != CALLS_OFF)
}

/// Whether it promises that.
pub fn calls_off() -> bool {
    field(BEHAVIOUR) == CALLS_OFF
}

fn field(at: core::ops::Range<usize>) -> String {
    // Behind a wall, so that nothing is made of the bytes before they are overwritten.
    let bytes: &[u8; 64] = black_box(&VARIANT);
    String::from_utf8_lossy(bytes.get(at).unwrap_or_default()).trim().to_owned()
}
