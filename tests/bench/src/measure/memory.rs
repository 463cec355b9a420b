//! Memory of a host that has nothing to do, and what payments in flight add to it: at a gateway that answers at once and at
//! one that takes seconds. A host holds no instance of a connector while it waits, so it must be the same.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::json;

use crate::{
    load::{self, Keys},
    plan::Plan,
    procfs::{self, REST},
    report::{Report, Section},
    say,
    stats::{Sample, float, number, ratio},
    world::{Simulator, World},
};

/// Payments in flight at once.
const IN_FLIGHT: usize = 1_000;
/// Payments of one round: each place in flight is used several times, so that both delays leave as much behind.
const PAYMENTS: usize = 3_000;
/// What the gateways take.
const DELAYS_MS: [u64; 2] = [10, 5_000];
/// How much more memory the slow gateway may cost.
const RATIO_AIM: f64 = 1.2;
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// Memory in KiB: all that is in RAM, and what of that was written to.
#[derive(Clone, Copy)]
struct Memory {
    resident: u64,
    written: u64,
}

impl Memory {
    fn of(process: u32) -> anyhow::Result<Self> {
        Ok(Self { resident: procfs::resident_kib(process)?, written: procfs::written_kib(process)? })
    }

    fn most(self, other: Self) -> Self {
        Self { resident: self.resident.max(other.resident), written: self.written.max(other.written) }
    }
}

/// What was seen at one delay, in MiB.
#[derive(Default)]
struct Seen {
    idle: Sample,
    resident: Sample,
    written: Sample,
    after: Sample,
    /// Payments that were answered otherwise than they should be: on a busy machine some have to come again.
    bad: u64,
    first_bad: Option<String>,
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    // A host connects to one gateway a few hundred times at most, so there are two of them.
    let (second, account) = world.second_gateway()?;
    let mut seen: [Seen; 2] = Default::default();
    for _ in 0..plan.rounds {
        for (delay_ms, seen) in DELAYS_MS.into_iter().zip(&mut seen) {
            say(&format!("… at a gateway that takes {delay_ms} ms"));
            round(world, &second, &account, delay_ms, seen)?;
        }
    }
    for (delay_ms, seen) in DELAYS_MS.iter().zip(&seen) {
        if let Some(said) = &seen.first_bad {
            let bad = seen.bad;
            report.note(format!("at a gateway that takes {delay_ms} ms, {bad} payments went wrong; the first: {said}"));
        }
    }
    let [fast, slow] = &seen;
    let grows = ratio(slow.resident.median(), fast.resident.median());
    report.section(Section {
        title: "Memory of a host",
        about: format!(
            "MiB. {IN_FLIGHT} payments in flight at two gateways, {PAYMENTS} in all, a fresh host each time; median of {} rounds, \
             in turn. What payments add is the most above the idle host: in RAM, and of that written to.",
            plan.rounds
        ),
        columns: vec!["gateway", "idle after its start", "1,000 in flight add", "of that written", "idle again"],
        rows: DELAYS_MS
            .iter()
            .zip(&seen)
            .map(|(delay_ms, seen)| {
                let mut row = vec![format!("{} ms", number(float(*delay_ms)))];
                row.extend([&seen.idle, &seen.resident, &seen.written, &seen.after].map(Sample::show));
                row
            })
            .collect(),
        data: DELAYS_MS
            .iter()
            .zip(&seen)
            .map(|(delay_ms, seen)| {
                json!({
                    "gateway_ms": delay_ms, "in_flight": IN_FLIGHT, "idle_mib": seen.idle.to_json(),
                    "added_mib": seen.resident.to_json(), "written_mib": seen.written.to_json(),
                    "idle_again_mib": seen.after.to_json(),
                })
            })
            .collect(),
    });
    report.aim(
        "memory of 1,000 in flight, gateway 5 s against 10 ms",
        "at most 1.20 times",
        format!("{} times", number(grows)),
        grows <= RATIO_AIM,
    );
    Ok(())
}

fn round(world: &mut World, second: &Simulator, account: &str, delay_ms: u64, seen: &mut Seen) -> anyhow::Result<()> {
    world.restart_host(&world.places.host())?;
    let first = world.simulator.url.clone();
    for gateway in [&first, &second.url] {
        world.gateway_takes(gateway, delay_ms)?;
    }
    thread::sleep(REST);
    let host = world.host.id();
    let idle = Memory::of(host)?;
    let mut loads = Vec::new();
    for account in [None, Some(account)] {
        let (target, prefix) = (world.payment(account)?, world.fresh_prefix());
        loads.push(thread::spawn(move || load::exactly(&target, &Keys::fresh(prefix), IN_FLIGHT / 2, PAYMENTS / 2)));
    }
    let mut most = idle;
    while loads.iter().any(|load| !load.is_finished()) {
        let due = Instant::now() + SAMPLE_EVERY;
        most = most.most(Memory::of(host)?);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    for load in loads {
        let tally = load.join().ok().context("a load does not panic")??;
        seen.bad += tally.bad;
        seen.first_bad = seen.first_bad.take().or(tally.first_bad);
    }
    thread::sleep(REST);
    let mib = |kib: u64| float(kib) / 1_024.0;
    seen.idle.push(mib(idle.resident));
    seen.resident.push(mib(most.resident.saturating_sub(idle.resident)));
    seen.written.push(mib(most.written.saturating_sub(idle.written)));
    seen.after.push(mib(Memory::of(host)?.resident));
    Ok(())
}
