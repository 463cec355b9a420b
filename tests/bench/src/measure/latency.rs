//! What Interlock adds to the gateway's own time, at half of the rate that it can do.

use serde_json::json;

use super::{Findings, rates};
use crate::{
    load::{self, Keys, Open, Tally},
    plan::Plan,
    report::{Report, Section},
    say,
    stats::{Sample, float, number, quantile_ms},
    world::World,
};

/// Where the best rate is not known yet, it is looked for here.
const IN_FLIGHT: usize = 64;
const P99_AIM_MS: f64 = 10.0;

/// One delay of the gateway.
struct Case {
    delay_ms: u64,
    rate: f64,
    p50: Sample,
    p99: Sample,
    p999: Sample,
    /// The same load straight at the gateway: what of it is the gateway's and the generator's.
    direct: Tally,
}

pub fn measure(world: &mut World, plan: &Plan, findings: &mut Findings, report: &mut Report) -> anyhow::Result<()> {
    let mut cases = Vec::new();
    for &delay_ms in plan.gateway_delays_ms {
        let best = match findings.best_rates.get(&delay_ms) {
            Some(best) => *best,
            None => rates::ours(world, plan, delay_ms, IN_FLIGHT)?.rate(),
        };
        let open = Open { rate: best / 2.0, warm: plan.warm, window: plan.open_window };
        say(&format!("… gateway {delay_ms} ms, {} payments/s", number(open.rate)));
        let gateway = world.simulator.url.clone();
        world.gateway_takes(&gateway, delay_ms)?;
        let direct = load::open(&world.charge()?, &Keys::fresh(world.fresh_prefix()), &open)?;
        direct.must_be_good()?;
        let mut case = Case {
            delay_ms,
            rate: open.rate,
            p50: Sample::default(),
            p99: Sample::default(),
            p999: Sample::default(),
            direct,
        };
        for _ in 0..plan.open_rounds {
            world.gateway_takes(&gateway, delay_ms)?;
            let tally = load::open(&world.payment(None)?, &Keys::fresh(world.fresh_prefix()), &open)?;
            tally.must_be_good()?;
            let added = |quantile| quantile_ms(&tally.times, quantile) - float(delay_ms);
            case.p50.push(added(0.5));
            case.p99.push(added(0.99));
            case.p999.push(added(0.999));
        }
        cases.push(case);
    }
    for case in &cases {
        let what = format!("p99 that Interlock adds at half load, gateway {} ms", case.delay_ms);
        let p99 = case.p99.median();
        report.aim(what, "at most 10 ms", format!("{} ms", number(p99)), p99 <= P99_AIM_MS);
    }
    report.section(Section {
        title: "Latency added at half load",
        about: format!(
            "Open loop, arrivals at random, {} s each, median of {} rounds; times count from when a request was due. Total \
             less the gateway's delay, in ms. Straight at the gateway: the same load without Interlock.",
            plan.open_window.as_secs(),
            plan.open_rounds
        ),
        columns: vec!["gateway", "payments/s", "p50", "p99", "p99.9", "straight p50", "straight p99"],
        rows: cases.iter().map(Case::row).collect(),
        data: cases.iter().map(Case::to_json).collect(),
    });
    Ok(())
}

impl Case {
    fn straight(&self, quantile: f64) -> f64 {
        quantile_ms(&self.direct.times, quantile) - float(self.delay_ms)
    }

    fn row(&self) -> Vec<String> {
        vec![
            format!("{} ms", self.delay_ms),
            number(self.rate),
            self.p50.show(),
            self.p99.show(),
            self.p999.show(),
            number(self.straight(0.5)),
            number(self.straight(0.99)),
        ]
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "gateway_delay_ms": self.delay_ms, "rate_per_s": self.rate, "p50_ms": self.p50.to_json(),
            "p99_ms": self.p99.to_json(), "p999_ms": self.p999.to_json(), "straight_p50_ms": self.straight(0.5),
            "straight_p99_ms": self.straight(0.99),
        })
    }
}
