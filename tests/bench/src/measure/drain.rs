//! How quickly a host reads a log that is full, against how quickly payments fill it.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;

use super::{Findings, rates};
use crate::{
    load::{self, Keys},
    outbox::{self, Paused},
    plan::Plan,
    report::{Report, Section},
    say,
    stats::{Sample, float, float_of, number, ratio},
    world::{Merchant, World},
};

/// Payments in flight.
const IN_FLIGHT: usize = 64;
const TIMES_AIM: f64 = 20.0;
/// A backlog is read within this.
const DRAIN_MAX: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub fn measure(world: &mut World, plan: &Plan, findings: &mut Findings, report: &mut Report) -> anyhow::Result<()> {
    let (unheard, heard) = (world.new_merchant("Nobody listens")?, world.new_merchant("An endpoint hangs")?);
    let hangs = world.receiver.hangs();
    let (mut paying, mut reading, mut queueing) = (Sample::default(), Sample::default(), Sample::default());
    let mut events = 0;
    for _ in 0..plan.rounds {
        let rate = rates::ours(world, plan, 0, IN_FLIGHT)?.rate();
        let best = findings.best_rates.entry(0).or_default();
        *best = best.max(rate);
        paying.push(rate);

        let (count, rate) = drain(world, plan, &unheard)?;
        reading.push(rate);
        // Nothing is delivered, so that what is measured is the reading and the queueing.
        let endpoint = world.new_endpoint(&heard, &hangs)?;
        queueing.push(drain(world, plan, &heard)?.1);
        world.remove_endpoint(&heard, &endpoint)?;
        world.receiver.let_go();
        events = count;
    }
    let times = |sample: &Sample| ratio(sample.median(), paying.median());
    let row = |name: &str, sample: &Sample| vec![name.to_owned(), sample.show(), number(times(sample))];
    report.section(Section {
        title: "Draining the log",
        about: format!(
            "Events a second that a host passes while {} events of {} payments wait, in transactions of their own; against \
             payments a second, {IN_FLIGHT} in flight, gateway 0 ms. Median of {} rounds.",
            number(float(events)),
            number(float_of(plan.backlog_payments)),
            plan.rounds
        ),
        columns: vec!["", "a second", "times the payments"],
        rows: vec![
            row("payments", &paying),
            row("events read and passed, a merchant without endpoint", &reading),
            row("events read and queued, for one endpoint that wants them all and hangs", &queueing),
        ],
        data: json!({
            "payments_per_s": paying.to_json(), "read_per_s": reading.to_json(), "queued_per_s": queueing.to_json(),
            "events": events, "read_times": times(&reading), "queued_times": times(&queueing),
        }),
    });
    let figure = times(&reading);
    report.aim("events drained against payments", "at least 20 times", number(figure), figure >= TIMES_AIM);
    let figure = times(&queueing);
    let what = "the same, with an endpoint that wants every event";
    report.aim(what, "at least 20 times", number(figure), figure >= TIMES_AIM);
    Ok(())
}

/// Fills the log for `merchant` and has the host read it: how many events, and how many a second.
fn drain(world: &mut World, plan: &Plan, merchant: &Merchant) -> anyhow::Result<(u64, f64)> {
    // Whose events are copied.
    load::exactly(&world.payment(None)?, &Keys::fresh(world.fresh_prefix()), 1, 1)?.must_be_good()?;
    outbox::wait_until_quiet(&mut world.postgres)?;
    let paused = Paused::begin(&world.postgres)?;
    let events = outbox::fill(&world.postgres, &[merchant.uuid()?], plan.backlog_payments)?;
    let last = outbox::last(&mut world.postgres)?;
    say(&format!("… {} events wait", number(float(events))));
    let released = paused.release(&world.postgres)?;
    while !outbox::has_passed(&mut world.postgres, &last)? {
        ensure!(released.elapsed() < DRAIN_MAX, "{events} events were not read within {} s", DRAIN_MAX.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
    let took = Instant::now().duration_since(released);
    Ok((events, float(events) / took.as_secs_f64()))
}
