//! Processor time per payment, of the host and of Postgres; of two builds of the host where there are two.

use std::path::PathBuf;

use serde_json::json;

use crate::{
    load::{self, Closed, Keys},
    plan::Plan,
    procfs::Cpu,
    report::{Report, Section},
    stats::{Sample, float, number, ratio},
    world::World,
};

const IN_FLIGHT: usize = 64;
const CPU_AIM_MS: f64 = 1.0;

/// Everybody's processor time at one moment.
struct Reading {
    host: Cpu,
    postgres: Cpu,
    simulator: Cpu,
    generator: Cpu,
}

/// One build at one delay of the gateway; milliseconds per payment.
#[derive(Default)]
struct Case {
    build: &'static str,
    delay_ms: u64,
    rate: Sample,
    host: Sample,
    postgres: Sample,
    both: Sample,
    simulator: Sample,
    generator: Sample,
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut builds: Vec<(&'static str, PathBuf)> = vec![("this build", world.places.host())];
    builds.extend(world.against.clone().map(|program| ("the other build", program)));
    let mut cases = Vec::new();
    for &delay_ms in plan.gateway_delays_ms {
        let mut row: Vec<Case> = builds.iter().map(|(build, _)| Case { build, delay_ms, ..Case::default() }).collect();
        for _ in 0..plan.rounds {
            for (case, (_, program)) in row.iter_mut().zip(&builds) {
                if builds.len() > 1 {
                    world.restart_host(program)?;
                }
                round(world, plan, case)?;
            }
        }
        cases.extend(row);
    }
    if builds.len() > 1 {
        world.restart_host(&world.places.host())?;
    }
    for case in cases.iter().filter(|case| case.build == "this build") {
        let what = format!("CPU of host and Postgres per payment, {IN_FLIGHT} in flight, gateway {} ms", case.delay_ms);
        let both = case.both.median();
        report.aim(what, "at most 1 ms", format!("{} ms", number(both)), both <= CPU_AIM_MS);
    }
    report.section(Section {
        title: "CPU per payment",
        about: format!(
            "User and system time in ms per confirmed payment, {IN_FLIGHT} in flight; median of {} rounds. Simulator and load \
             generator are not Interlock's, but run on the same processors.",
            plan.rounds
        ),
        columns: vec!["host", "gateway", "payments/s", "host ms", "Postgres ms", "both ms", "simulator ms", "generator ms"],
        rows: cases.iter().map(Case::row).collect(),
        data: cases.iter().map(Case::to_json).collect(),
    });
    Ok(())
}

fn round(world: &mut World, plan: &Plan, case: &mut Case) -> anyhow::Result<()> {
    let gateway = world.simulator.url.clone();
    world.gateway_takes(&gateway, case.delay_ms)?;
    let (host, simulator, postgres) = (world.host.id(), world.simulator.running.id(), world.postgres.process()?);
    let keys = Keys::fresh(world.fresh_prefix());
    let closed = Closed { in_flight: IN_FLIGHT, warm: plan.warm, window: plan.window };
    let (tally, before, after) = load::closed(&world.payment(None)?, &keys, &closed, || {
        Ok(Reading {
            host: Cpu::of(host)?,
            postgres: Cpu::of_family(postgres)?,
            simulator: Cpu::of(simulator)?,
            generator: Cpu::of(std::process::id())?,
        })
    })?;
    tally.must_be_good()?;
    let per_payment = |after: Cpu, before: Cpu| ratio(after.ms_since(before), float(tally.good));
    let (host, postgres) = (per_payment(after.host, before.host), per_payment(after.postgres, before.postgres));
    case.rate.push(tally.rate());
    case.host.push(host);
    case.postgres.push(postgres);
    case.both.push(host + postgres);
    case.simulator.push(per_payment(after.simulator, before.simulator));
    case.generator.push(per_payment(after.generator, before.generator));
    Ok(())
}

impl Case {
    fn row(&self) -> Vec<String> {
        let samples = [&self.rate, &self.host, &self.postgres, &self.both, &self.simulator, &self.generator];
        let mut row = vec![self.build.to_owned(), format!("{} ms", self.delay_ms)];
        row.extend(samples.map(Sample::show));
        row
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "build": self.build, "gateway_delay_ms": self.delay_ms, "in_flight": IN_FLIGHT,
            "rate_per_s": self.rate.to_json(), "host_ms": self.host.to_json(), "postgres_ms": self.postgres.to_json(),
            "both_ms": self.both.to_json(), "simulator_ms": self.simulator.to_json(),
            "generator_ms": self.generator.to_json(),
        })
    }
}
