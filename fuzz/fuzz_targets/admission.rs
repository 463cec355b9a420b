//! Whatever somebody pushes as a component is refused with a reason or let in; the host lives on.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| interlock::fuzzing::admission(data));
