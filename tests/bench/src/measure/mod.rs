//! The measures, one file each.

mod cpu;
mod database;
mod deliveries;
mod delivering;
mod drain;
mod fairness;
mod installed;
mod lag;
mod languages;
mod latency;
mod memory;
mod rates;
mod replay;
mod runs;
mod snapshot;
mod start;
mod swaps;
mod webhooks;

use std::collections::HashMap;

use clap::ValueEnum;

use crate::{plan::Plan, report::Report, world::World};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// Runs of the mock connector, against the same code called natively
    Runs,
    /// Runs of the example connectors in Rust, JavaScript and Python
    Languages,
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
    /// Events a second that the reader of the log passes, against payments
    Drain,
    /// From the commit of an event until it is passed, and until it has arrived
    Lag,
    /// Deliveries a second to webhook endpoints, against a plain HTTP client
    Deliveries,
    /// Payments a second with delivery on, against off
    Delivering,
    /// Payments a second while a snapshot is held open in Postgres, against without
    Snapshot,
    /// Other merchants' deliveries, beside one who floods and one whose endpoint hangs
    Fairness,
    /// Versions of a connector activated and rolled back under load, against none
    Swaps,
    /// Memory of an idle host, and per payment in flight, at a fast gateway and at a slow one
    Memory,
    /// From the start of a host to its ready line
    Start,
    /// Two hundred connectors: start, memory, runs
    Installed,
}

/// What a later measure wants to know of an earlier one.
#[derive(Default)]
pub struct Findings {
    /// Most payments a second by the gateway's delay in milliseconds.
    best_rates: HashMap<u64, f64>,
}

/// Where the best rate is not known yet, it is looked for here.
const IN_FLIGHT: usize = 64;

impl Findings {
    /// Most payments a second with a gateway that answers at once; measured where no earlier measure has.
    fn best_rate(&mut self, world: &mut World, plan: &Plan) -> anyhow::Result<f64> {
        if let Some(best) = self.best_rates.get(&0) {
            return Ok(*best);
        }
        let best = rates::ours(world, plan, 0, IN_FLIGHT)?.rate();
        self.best_rates.insert(0, best);
        Ok(best)
    }
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
            Self::Languages => languages::measure(world, plan, report),
            Self::Database => database::measure(world, plan, report),
            Self::Rates => rates::measure(world, plan, findings, report),
            Self::Latency => latency::measure(world, plan, findings, report),
            Self::Webhooks => webhooks::measure(world, plan, findings, report),
            Self::Cpu => cpu::measure(world, plan, report),
            Self::Replay => replay::measure(world, plan, report),
            Self::Drain => drain::measure(world, plan, findings, report),
            Self::Lag => lag::measure(world, plan, findings, report),
            Self::Deliveries => deliveries::measure(world, plan, report),
            Self::Delivering => delivering::measure(world, plan, report),
            Self::Snapshot => snapshot::measure(world, plan, report),
            Self::Fairness => fairness::measure(world, plan, findings, report),
            Self::Swaps => swaps::measure(world, plan, report),
            Self::Memory => memory::measure(world, plan, report),
            Self::Start => start::measure(world, plan, report),
            Self::Installed => installed::measure(world, plan, report),
        }
    }
}
