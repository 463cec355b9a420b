//! The measures, one file each.

mod cpu;
mod database;
mod latency;
mod memory;
mod rates;
mod replay;
mod runs;
mod start;
mod webhooks;

use std::collections::HashMap;

use clap::ValueEnum;

use crate::{plan::Plan, report::Report, world::World};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// Runs of the mock connector, against the same code called natively
    Runs,
    /// Commits, statements, bytes of log per payment
    Database,
    /// Payments a second, against pgbench doing the same writes
    Rates,
    /// What Interlock adds to the gateway's time, at half load
    Latency,
    /// Until a webhook is acknowledged, while people pay
    Webhooks,
    /// Processor time per payment
    Cpu,
    /// Replays of a stored answer, against creating
    Replay,
    /// Memory of an idle host, and per payment in flight
    Memory,
    /// From the start of a host to its ready line
    Start,
}

/// What a later measure wants to know of an earlier one.
#[derive(Default)]
pub struct Findings {
    /// Most payments a second by the gateway's delay in milliseconds.
    best_rates: HashMap<u64, f64>,
}

impl Measure {
    /// All, in the order in which they disturb each other least: those without a load first.
    pub fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    /// As it is named on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Measures it.
    pub fn run(
        self,
        world: &mut World,
        plan: &Plan,
        findings: &mut Findings,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        match self {
            Self::Runs => runs::measure(world, plan, report),
            Self::Database => database::measure(world, plan, report),
            Self::Rates => rates::measure(world, plan, findings, report),
            Self::Latency => latency::measure(world, plan, findings, report),
            Self::Webhooks => webhooks::measure(world, plan, findings, report),
            Self::Cpu => cpu::measure(world, plan, report),
            Self::Replay => replay::measure(world, plan, report),
            Self::Memory => memory::measure(world, report),
            Self::Start => start::measure(world, plan, report),
        }
    }
}
