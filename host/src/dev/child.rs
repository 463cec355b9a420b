//! A child process that does not outlive us, however we end.
//!
//! A program that is killed with signal 9 can clean up nothing. So each child has a guard: a shell that waits for the
//! end of a pipe whose other end we hold. The kernel closes it when we are gone, and the guard interrupts the child.
//! (Linux can send a signal at a parent's death by itself, but that takes code which the lint table does not allow, and
//! is bound to the thread that started the child, of which a runtime has many.)

use std::{
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Ignores what a terminal sends to everybody, waits for the end of its input, interrupts the process it was given.
const GUARD: &str = "trap '' HUP INT TERM; while read -r _; do :; done; kill -s INT \"$1\"";
/// How often a process that is to end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A running child with its guard. Dropped, it is interrupted and waited for.
pub struct Guarded {
    /// What messages call it.
    name: &'static str,
    child: Child,
    guard: Child,
}

/// How long each way of asking a process to end is given.
pub const PATIENCE: Duration = Duration::from_secs(30);
const IMPATIENCE: Duration = Duration::from_secs(5);

impl Guarded {
    /// Starts `command` in a process group of its own, so that Ctrl-C reaches us alone and we end things in order.
    pub fn start(name: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        let program = command.get_program().to_os_string();
        let mut child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} could not be started ({})", program.display()))?;
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard", &child.id().to_string()])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match guard {
            Ok(guard) => Ok(Self { name, child, guard }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error).with_context(|| format!("the guard of {name} could not be started (/bin/sh)"))
            }
        }
    }

    /// The child's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the child prints, once.
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Interrupts the child and waits for its end; kills it where that takes longer than [`PATIENCE`].
    pub fn stop(&mut self) {
        if self.ended().is_none() {
            let pid = pid(self.child.id());
            for (signal, patience) in [(Signal::INT, PATIENCE), (Signal::QUIT, IMPATIENCE)] {
                // Not reaped yet, so the number is still this child's.
                let _ = pid.map(|pid| kill_process(pid, signal));
                if wait_until(patience, || self.ended().is_some()) {
                    break;
                }
                tracing::warn!(child.name = self.name, "does not end");
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // Only now: until here it was needed, and from here on the number may become another process's.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ends a process that is not our child: interrupts it, and says whether it is gone.
pub fn end_foreign(process: u32) -> bool {
    let Some(pid) = pid(process) else { return true };
    for (signal, patience) in [(Signal::INT, PATIENCE), (Signal::QUIT, IMPATIENCE)] {
        if kill_process(pid, signal).is_err() || wait_until(patience, || !is_alive(process)) {
            break;
        }
    }
    !is_alive(process)
}

/// Whether there is a process with this id, whoever it belongs to. One that has ended and is not buried yet does not
/// count: in a container nobody may ever bury it.
pub fn is_alive(process: u32) -> bool {
    // `4711 (name of the program) Z …`: the name may hold anything, a closing bracket too.
    let has_ended = std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|text| text.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X'])));
    !has_ended
        && pid(process).is_some_and(|pid| match test_kill_process(pid) {
            Ok(()) => true,
            Err(error) => error == rustix::io::Errno::PERM,
        })
}

/// The arguments of a process; none where there is no such process.
pub fn command_line(process: u32) -> Option<String> {
    if let Ok(line) = std::fs::read(format!("/proc/{process}/cmdline")) {
        return Some(String::from_utf8_lossy(&line).replace('\0', " "));
    }
    // Where there is no /proc, as on a Mac.
    let output = Command::new("ps").args(["-o", "command=", "-p", &process.to_string()]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Waits until `done`, looking often; says whether it came to that in time.
pub fn wait_until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if done() {
            return true;
        }
        if begun.elapsed() > patience {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn pid(process: u32) -> Option<Pid> {
    i32::try_from(process).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_stopped_when_it_is_dropped() {
        let child = Guarded::start("sleep", Command::new("sleep").arg("60")).expect("it starts");
        let process = child.id();
        assert!(is_alive(process));
        drop(child);
        assert!(!is_alive(process));
    }

    /// The pipe breaks as it would if we were killed: the guard alone is left to act.
    #[test]
    fn a_child_ends_with_us() {
        let mut child = Guarded::start("sleep", Command::new("sleep").arg("60")).expect("it starts");
        drop(child.guard.stdin.take());
        assert!(wait_until(IMPATIENCE, || child.ended().is_some()));
    }

    #[test]
    fn what_cannot_start_is_named() {
        let error = Guarded::start("nothing", &mut Command::new("/nowhere/nothing")).err().expect("it must fail");
        assert!(error.to_string().contains("nothing could not be started (/nowhere/nothing)"), "{error}");
    }

    #[test]
    fn our_own_command_line_can_be_read() {
        assert!(command_line(std::process::id()).is_some_and(|line| line.contains("interlock")));
    }
}
