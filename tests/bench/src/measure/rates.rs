//! Payments a second through everything, against the floor at the same concurrency.

use serde_json::json;

use super::Findings;
use crate::{
    floor::{self, Floor},
    load::{self, Closed, Keys, Tally},
    plan::Plan,
    report::{Report, Section},
    say,
    stats::{Sample, microseconds, number, quantile_ms, ratio},
    world::World,
};

const RATIO_AIM: f64 = 0.35;

/// One degree of concurrency at one delay of the gateway.
struct Cell {
    delay_ms: u64,
    in_flight: usize,
    ours: Sample,
    floor: Sample,
    times: hdrhistogram::Histogram<u64>,
}

impl Cell {
    fn ratio(&self) -> f64 {
        ratio(self.ours.median(), self.floor.median())
    }

    fn row(&self) -> Vec<String> {
        vec![
            format!("{} ms", self.delay_ms),
            self.in_flight.to_string(),
            self.ours.show(),
            self.floor.show(),
            number(self.ratio()),
            number(quantile_ms(&self.times, 0.5)),
            number(quantile_ms(&self.times, 0.99)),
        ]
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "gateway_delay_ms": self.delay_ms, "in_flight": self.in_flight, "ours_per_s": self.ours.to_json(),
            "floor_per_s": self.floor.to_json(), "ratio": self.ratio(), "p50_ms": quantile_ms(&self.times, 0.5),
            "p99_ms": quantile_ms(&self.times, 0.99),
        })
    }
}

pub fn measure(world: &mut World, plan: &Plan, findings: &mut Findings, report: &mut Report) -> anyhow::Result<()> {
    let floor = Floor::prepare(world)?;
    let mut cells = Vec::new();
    for &delay_ms in plan.gateway_delays_ms {
        for &in_flight in plan.in_flight {
            say(&format!("… gateway {delay_ms} ms, {in_flight} in flight"));
            let mut cell =
                Cell { delay_ms, in_flight, ours: Sample::default(), floor: Sample::default(), times: microseconds() };
            for _ in 0..plan.rounds {
                let tally = ours(world, plan, delay_ms, in_flight)?;
                cell.ours.push(tally.rate());
                cell.times.add(&tally.times)?;
                cell.floor.push(floor.rate(world, in_flight, delay_ms, plan.warm, plan.window)?);
                if plan.is_over() {
                    report.note("the time of a run was over before all rates were measured".to_owned());
                    break;
                }
            }
            let best = findings.best_rates.entry(delay_ms).or_default();
            *best = best.max(cell.ours.median());
            cells.push(cell);
            if plan.is_over() {
                break;
            }
        }
    }
    let about = floor::about(Floor::must_have_paid(world)?);
    for cell in &cells {
        let what = format!("rate against the floor, {} in flight, gateway {} ms", cell.in_flight, cell.delay_ms);
        report.aim(what, "at least 0.35", number(cell.ratio()), cell.ratio() >= RATIO_AIM);
    }
    report.section(Section {
        title: "Confirmed payments a second",
        about: format!("{about} Closed loops; median of {} rounds, in brackets least and most.", plan.rounds),
        columns: vec!["gateway", "in flight", "Interlock /s", "floor /s", "ratio", "p50 ms", "p99 ms"],
        rows: cells.iter().map(Cell::row).collect(),
        data: cells.iter().map(Cell::to_json).collect(),
    });
    Ok(())
}

/// One round of ours.
pub fn ours(world: &mut World, plan: &Plan, delay_ms: u64, in_flight: usize) -> anyhow::Result<Tally> {
    let gateway = world.simulator.url.clone();
    world.gateway_takes(&gateway, delay_ms)?;
    let keys = Keys::fresh(world.fresh_prefix());
    let closed = Closed { in_flight, warm: plan.warm, window: plan.window };
    let (tally, (), ()) = load::closed(&world.payment(None)?, &keys, &closed, || Ok(()))?;
    tally.must_be_good()?;
    Ok(tally)
}
