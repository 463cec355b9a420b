//! What the kernel knows of processes: processor time and memory. Linux alone.

use std::{fs, time::Duration};

use anyhow::Context as _;

use crate::stats::float;

/// Processor time of some processes at one moment.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    ticks: u64,
}

impl Cpu {
    /// Of one process with all its threads.
    pub fn of(process: u32) -> anyhow::Result<Self> {
        let stat = Stat::of(process)?;
        Ok(Self { ticks: stat.own })
    }

    /// Of a process, its children that live, and those that it has buried: a Postgres with its backends. Ends of
    /// children do not make it less.
    pub fn of_family(parent: u32) -> anyhow::Result<Self> {
        let stat = Stat::of(parent)?;
        let mut ticks = stat.own + stat.buried;
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // It may have ended since the folder was read; then its parent has its ticks the next time.
            if let Ok(child) = Stat::of(process)
                && child.parent == parent
            {
                ticks += child.own;
            }
        }
        Ok(Self { ticks })
    }

    /// Milliseconds since `earlier`.
    pub fn ms_since(self, earlier: Self) -> f64 {
        let per_second = float(rustix::param::clock_ticks_per_second());
        float(self.ticks.saturating_sub(earlier.ticks)) * 1_000.0 / per_second
    }
}

/// The fields of `/proc/PID/stat` that are needed, times in ticks.
struct Stat {
    parent: u32,
    own: u64,
    buried: u64,
}

impl Stat {
    fn of(process: u32) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
        Self::parse(&text).with_context(|| format!("/proc/{process}/stat cannot be read"))
    }

    /// The name in brackets may hold anything, a bracket too; behind the last one come numbers.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let sum = |first: usize| Some(number(first)? + number(first + 1)?);
        Some(Self { parent: u32::try_from(number(1)?).ok()?, own: sum(11)?, buried: sum(13)? })
    }
}

/// Memory of a process that is in RAM, in KiB.
pub fn resident_kib(process: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    kib(&text, "VmRSS:").context("the kernel does not tell its memory")
}

/// Of that, what is the process's alone: memory that it has written to, not files that it reads. In KiB.
pub fn written_kib(process: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    kib(&text, "Pss_Anon:").context("the kernel does not tell what memory is its own")
}

/// RAM of this machine, in KiB.
pub fn memory_kib() -> anyhow::Result<u64> {
    kib(&fs::read_to_string("/proc/meminfo")?, "MemTotal:").context("/proc/meminfo cannot be read")
}

fn kib(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// What ran here in the last minute, in processors.
pub fn load_average() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    text.split(' ').next().and_then(|first| first.parse().ok()).context("/proc/loadavg cannot be read")
}

/// How long a process is given to come to rest before its memory is read.
pub const REST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_confuse_it() {
        let text = "42 (a) b) S 7 42 42 0 -1 4194304 100 200 0 0 11 5 3 2 20 0 1 0 99 0 0";
        let stat = Stat::parse(text).expect("it is a line of the kernel's");
        assert_eq!((stat.parent, stat.own, stat.buried), (7, 16, 5));
    }

    #[test]
    fn our_own_figures_can_be_read() {
        assert!(resident_kib(std::process::id()).is_ok_and(|kib| kib > 0));
        assert!(Cpu::of(std::process::id()).is_ok());
    }
}
