//! The program `interlock`. What it does is in the library: [`interlock::cli`] reads the command line.

use std::process::ExitCode;

/// Many small allocations on many threads: what the system's allocator is worst at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    interlock::cli::main()
}
