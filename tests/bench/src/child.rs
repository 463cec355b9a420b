//! Programs of ours as children: started, their ready line read, ended with us however we end.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a program may take until it is ready: the first host of a run compiles the connectors.
const READY_MAX: Duration = Duration::from_secs(90);
/// How long it may take to end when it is asked to.
const END_MAX: Duration = Duration::from_mins(1);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Lines of a log that an error shows.
const LOG_LINES: usize = 15;
/// Waits until we are gone, and then asks the process to end.
const GUARD: &str = "trap '' INT HUP TERM; cat >/dev/null; kill -s TERM \"$0\"";

/// A running program. Dropped, it is asked to end, and killed where it does not.
pub struct Running {
    child: Child,
    guard: Child,
    ready: Value,
    /// From the moment it was started to its ready line.
    pub took: Duration,
}

impl Running {
    /// Starts `program` and waits for its ready line.
    pub fn start(
        program: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
        log: &Path,
    ) -> anyhow::Result<Self> {
        let stderr = File::options().create(true).append(true).open(log);
        let stderr = stderr.with_context(|| format!("{} could not be written", log.display()))?;
        let mut command = Command::new(program);
        // What somebody has set for a host of his own is not for ours.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("INTERLOCK_") || name.starts_with("PG") || name == "DATABASE_URL" {
                command.env_remove(name);
            }
        }
        command.args(arguments).envs(environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{} could not be started", program.display()))?;
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("/bin/sh could not be started")?;
        let stdout = child.stdout.take().context("its output is a pipe")?;
        let mut running = Self { child, guard, ready: Value::Null, took: Duration::ZERO };
        let (tell, told) = mpsc::channel();
        // Reads on for as long as it prints: a program whose output nobody reads stands still at some point.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Only the first line is waited for.
                let _ = tell.send((Instant::now(), line));
            }
        });
        let Ok((at, line)) = told.recv_timeout(READY_MAX) else {
            bail!("{} did not get ready; its log {} ends with\n{}", program.display(), log.display(), tail(log));
        };
        running.took = at.duration_since(began);
        running.ready = serde_json::from_str(&line).with_context(|| format!("`{line}` is no ready line"))?;
        Ok(running)
    }

    /// A URL of its ready line.
    pub fn url(&self, name: &str) -> anyhow::Result<String> {
        let url = self.ready.get(name).and_then(Value::as_str);
        Ok(url.with_context(|| format!("the ready line has no `{name}`"))?.to_owned())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end and waits until it has.
    pub fn stop(&mut self) {
        if !self.has_ended() {
            // Not buried yet, so the number is still its own.
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
            let asked = Instant::now();
            while !self.has_ended() && asked.elapsed() < END_MAX {
                std::thread::sleep(LOOK_EVERY);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // Only now: from here on the number may become another process's.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
}
