//! Whatever a component returns, no promise of docs/sandbox.md is broken by it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| interlock::fuzzing::guest_output(data));
