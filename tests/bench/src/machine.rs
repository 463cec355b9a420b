//! What the figures were measured on: without it they mean nothing.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    procfs,
    stats::{float, number},
    world::World,
};

/// Load beyond which something else was under way here; a start of our own makes a little.
const BUSY_LOAD: f64 = 0.7;

/// The machine, the database and the disk.
pub struct Machine {
    processor: String,
    cores: usize,
    memory_kib: u64,
    kernel: String,
    file_system: String,
    postgres: String,
    durability: String,
    /// What others did here in the minute before, in processors.
    load_before: f64,
    /// Syncs a second before and after the measures.
    pub disk: [Option<f64>; 2],
}

/// Looks at everything once.
pub fn describe(world: &mut World, load_before: f64) -> anyhow::Result<Machine> {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let folder = world.postgres.text("show data_directory")?;
    let mut settings = Vec::new();
    for name in ["fsync", "synchronous_commit", "full_page_writes", "commit_delay", "shared_buffers"] {
        settings.push(format!("{name} {}", world.postgres.text(&format!("show {name}"))?));
    }
    Ok(Machine {
        processor: processor.trim_start_matches([' ', '\t', ':']).to_owned(),
        cores: std::thread::available_parallelism()?.get(),
        memory_kib: procfs::memory_kib()?,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        file_system: file_system(&folder),
        postgres: world.postgres.text("show server_version")?,
        durability: settings.join(", "),
        load_before,
        disk: [disk(world)?, None],
    })
}

/// Syncs (`fdatasync` of 8 KiB) a second on the cluster's disk, as `pg_test_fsync` counts them; none where it cannot be
/// run. It is ended after that line: the others take half a minute.
pub fn disk(world: &mut World) -> anyhow::Result<Option<f64>> {
    let folder = world.postgres.text("show data_directory")?;
    let Some(beside) = Path::new(&folder).parent() else { return Ok(None) };
    let Ok(mut command) = world.postgres.program("pg_test_fsync") else { return Ok(None) };
    command.args(["-s", "1", "-f"]).arg(beside.join("pg_test_fsync.out"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let stdout = child.stdout.take().context("its output is a pipe")?;
    // The name comes first and the figure a second later, on the same line.
    let found = BufReader::new(stdout).lines().map_while(Result::ok).find_map(|line| {
        let figure = line.trim().strip_prefix("fdatasync")?.trim();
        Some(figure.split_whitespace().next()?.parse().ok())
    });
    // It removes its file when it is asked to end. Not buried yet, so the number is still its own.
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    child.wait()?;
    Ok(found.flatten())
}

/// The kind of file system that `folder` is on.
fn file_system(folder: &str) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut best = (0, "unknown");
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(_), Some(place), Some(kind)) = (words.next(), words.next(), words.next()) else { continue };
        if Path::new(folder).starts_with(place) && place.len() >= best.0 {
            best = (place.len(), kind);
        }
    }
    best.1.to_owned()
}

impl Machine {
    /// Names and values, for people.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let syncs = |syncs: Option<f64>| {
            syncs.map_or("not measured".to_owned(), |syncs| {
                format!("{}/s ({} µs)", number(syncs), number(1_000_000.0 / syncs.max(1.0)))
            })
        };
        let [before, after] = self.disk;
        [
            ("processor", format!("{} × {}", self.cores, self.processor)),
            ("memory", format!("{} MiB", number(float(self.memory_kib) / 1_024.0))),
            ("kernel", self.kernel.clone()),
            ("Postgres", format!("{} ({})", self.postgres, self.durability)),
            ("disk", format!("{}; fdatasync before {}, after {}", self.file_system, syncs(before), syncs(after))),
            ("load before", format!("{} processors", number(self.load_before))),
        ]
        .map(|(name, value)| vec![name.to_owned(), value])
        .into()
    }

    /// What makes these figures doubtful.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.load_before > BUSY_LOAD {
            doubts.push(format!(
                "something else kept {} processors busy before this run; rates and latencies are worse than they would be",
                number(self.load_before)
            ));
        }
        if self.file_system == "tmpfs" {
            doubts.push("the database lies in memory (tmpfs): commits cost nothing here".to_owned());
        }
        doubts
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        json!({
            "processor": self.processor, "cores": self.cores, "memory_kib": self.memory_kib, "kernel": self.kernel,
            "file_system": self.file_system, "postgres": self.postgres, "settings": self.durability,
            "load_before": self.load_before, "fdatasync_per_second": self.disk,
        })
    }
}
