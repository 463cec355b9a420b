//! What is said to the person who waits, on standard error: standard output has the answer and nothing else.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// Whether the answer is for a program, which reads no prose.
static FOR_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// To be called once, before anything is said.
pub fn begin(as_json: bool) {
    FOR_PROGRAMS.store(as_json, Relaxed);
}

/// A step that takes a while. Said where somebody sits and waits: in a log it would be noise.
pub fn step(what: &str) {
    if !FOR_PROGRAMS.load(Relaxed) && std::io::stderr().is_terminal() {
        say(what);
    }
}

/// Something that was done and is part of what one wants to know later too.
pub fn tell(what: &str) {
    if !FOR_PROGRAMS.load(Relaxed) {
        say(what);
    }
}

fn say(what: &str) {
    // Where nobody reads it, nobody misses it.
    let _ = writeln!(std::io::stderr(), "{what}");
}
