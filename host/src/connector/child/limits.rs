//! What the process that judges does to itself before it reads a byte: limits that the kernel enforces, and that it
//! cannot take back.

use std::{io, time::Duration};

use rustix::process::{Resource, Rlimit, nice, setrlimit};

use super::Limits;

/// Beyond the soft limit, which ends it with a signal of its own, for one that would not be ended by that.
const CPU_GRACE_S: u64 = 5;
/// Pipes, the kernel's map of changed pages, an image of each memory: a dozen. No room for more.
const FILES_MAX: u64 = 64;
/// How much it stands back behind payments.
const NICENESS: i32 = 10;

/// Everything that holds from the start.
pub fn begin(limits: &Limits, memory_image_max_bytes: u64) -> io::Result<()> {
    end_with_the_host()?;
    let cpu_s = limits.cpu_max.max(Duration::from_secs(1)).as_secs();
    set(Resource::Cpu, cpu_s, cpu_s + CPU_GRACE_S)?;
    // Memory that can be written to. What the engine reserves and does not use cannot be, and does not count.
    set(Resource::Data, limits.memory_max_bytes, limits.memory_max_bytes)?;
    // It has no file to write. What an instance's memory begins as is a file without a name, though.
    set(Resource::Fsize, memory_image_max_bytes, memory_image_max_bytes)?;
    set(Resource::Nofile, FILES_MAX, FILES_MAX)?;
    // No memory of a host's child belongs on a disk.
    set(Resource::Core, 0, 0)?;
    nice(NICENESS)?;
    Ok(())
}

/// No further threads and processes: what is needed has been started. Counted by user, so that nought is the one number
/// that means the same on every machine. It does not bind the superuser.
pub fn no_more_threads() -> io::Result<()> {
    set(Resource::Nproc, 0, 0)
}

fn set(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    // What was lower before stays: nobody may raise a hard limit.
    let hard = rustix::process::getrlimit(resource).maximum.map_or(hard, |before| before.min(hard));
    Ok(setrlimit(resource, Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) })?)
}

/// A host that is killed leaves nobody behind who compiles on for minutes.
#[cfg(target_os = "linux")]
fn end_with_the_host() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
}

/// Elsewhere the limits end it.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the other one can fail")]
fn end_with_the_host() -> io::Result<()> {
    Ok(())
}
