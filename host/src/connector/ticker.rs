//! The clock that ends runs which take too long.
//!
//! A thread of its own: it must tick exactly when every other thread is busy with a loop that never ends.

use std::{io, thread};

use wasmtime::Engine;

use super::bounds::TICK;

/// Starts the clock of `engine`. It stops by itself when the engine is gone.
pub fn start(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("connector-clock".to_owned()).spawn(move || {
        loop {
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    })?;
    Ok(())
}
