//! From the commit of an event until the reader of the log has passed it, and until the merchant has it, at half load.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Findings;
use crate::{
    load::{self, Keys, Open},
    outbox::{self, Lags, Watch},
    plan::Plan,
    report::{Report, Section},
    say,
    stats::{Sample, float, number, quantile_ms},
    world::World,
};

const P99_AIM_MS: f64 = 10.0;
/// Between two looks at the database.
pub const LOOK_PAUSE: Duration = Duration::from_millis(1);
/// The setting that turns wake-ups off.
pub const WAKE: &str = "INTERLOCK_OUTBOX_WAKE";

/// With wake-ups, or without.
struct Case {
    name: &'static str,
    events: u64,
    passed: [Sample; 2],
    arrived: [Sample; 2],
    /// Between two looks: what a lag may be too long by.
    widest: Duration,
}

pub fn measure(world: &mut World, plan: &Plan, findings: &mut Findings, report: &mut Report) -> anyhow::Result<()> {
    let rate = findings.best_rate(world, plan)? / 2.0;
    let takes = world.receiver.takes();
    let merchant = world.new_merchant("Heard")?;
    let endpoint = world.new_endpoint(&merchant, &takes)?;
    let mut cases = Vec::new();
    for (name, wake, rounds) in [("wake-ups", "true", plan.open_rounds), ("polling alone", "false", 1)] {
        say(&format!("… {name}, {} payments/s", number(rate)));
        world.restart_host_with(&world.places.host(), &[(WAKE, wake.to_owned())])?;
        let target = world.payment_of(&merchant, None)?;
        let mut case =
            Case { name, events: 0, passed: Default::default(), arrived: Default::default(), widest: Duration::ZERO };
        for _ in 0..rounds {
            let gateway = world.simulator.url.clone();
            world.gateway_takes(&gateway, 0)?;
            let open = Open { rate, warm: plan.warm, window: plan.open_window };
            let from = outbox::next_transaction(&mut world.postgres)?;
            outbox::wait_until_quiet(&mut world.postgres)?;
            world.receiver.arrivals();
            let watch = Watch::start(world.postgres.url(), LOOK_PAUSE)?;
            let since = Instant::now() + plan.warm;
            load::open(&target, &Keys::fresh(world.fresh_prefix()), &open)?.must_be_good()?;
            outbox::wait_until_quiet(&mut world.postgres)?;
            let looks = watch.end()?;
            let events = outbox::events_from(&mut world.postgres, from)?;
            let mut lags = Lags::none();
            lags.add(&events, &looks, &world.receiver.arrivals(), since)?;
            for (index, quantile) in [0.5, 0.99].into_iter().enumerate() {
                let push = |samples: &mut [Sample; 2], times| {
                    if let Some(sample) = samples.get_mut(index) {
                        sample.push(quantile_ms(times, quantile));
                    }
                };
                push(&mut case.passed, &lags.passed);
                push(&mut case.arrived, &lags.arrived);
            }
            case.events += lags.passed.len();
            case.widest = case.widest.max(looks.widest());
        }
        cases.push(case);
    }
    world.restart_host(&world.places.host())?;
    world.remove_endpoint(&merchant, &endpoint)?;
    tell(&cases, rate, plan, report);
    Ok(())
}

fn tell(cases: &[Case], rate: f64, plan: &Plan, report: &mut Report) {
    for case in cases.iter().take(1) {
        let lags = [("passed to its deliveries", &case.passed), ("has arrived", &case.arrived)];
        for (until, [_, p99]) in lags {
            let what = format!("p99 from an event's commit until it {until}, half load");
            let p99 = p99.median();
            report.aim(what, "at most 10 ms", format!("{} ms", number(p99)), p99 <= P99_AIM_MS);
        }
    }
    report.section(Section {
        title: "Publish lag",
        about: format!(
            "Open loop, {} payments/s (half of the most), gateway 0 ms, {} s each, median of {} rounds (one without \
             wake-ups); from when the event's transaction was to be seen until the reader's cursor was behind it, and until \
             a local receiver had it; in ms. Seen by looking every millisecond, and rounded up to the next look on both \
             sides; the widest gap between looks is the last column.",
            number(rate),
            plan.open_window.as_secs(),
            plan.open_rounds
        ),
        columns: vec!["host", "events", "passed p50", "passed p99", "arrived p50", "arrived p99", "widest gap"],
        rows: cases.iter().map(Case::row).collect(),
        data: cases.iter().map(Case::to_json).collect(),
    });
}

impl Case {
    fn row(&self) -> Vec<String> {
        let mut row = vec![self.name.to_owned(), number(float(self.events))];
        row.extend(self.passed.iter().chain(&self.arrived).map(Sample::show));
        row.push(number(self.widest.as_secs_f64() * 1_000.0));
        row
    }

    fn to_json(&self) -> serde_json::Value {
        let [passed_p50, passed_p99] = self.passed.each_ref().map(Sample::to_json);
        let [arrived_p50, arrived_p99] = self.arrived.each_ref().map(Sample::to_json);
        json!({
            "host": self.name, "events": self.events, "passed_p50_ms": passed_p50, "passed_p99_ms": passed_p99,
            "arrived_p50_ms": arrived_p50, "arrived_p99_ms": arrived_p99,
            "widest_gap_ms": self.widest.as_secs_f64() * 1_000.0,
        })
    }
}
