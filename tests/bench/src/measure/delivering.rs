//! Payments a second while everything that happens is delivered, against nobody listening.

use serde_json::json;

use super::rates;
use crate::{
    outbox,
    plan::Plan,
    report::{Report, Section},
    say,
    stats::{Sample, float, number, ratio},
    world::World,
};

/// Payments in flight.
const IN_FLIGHT: usize = 64;
const RATIO_AIM: f64 = 0.85;

/// An endpoint of the merchant who is paid in every measure, that takes everything at once; off at first.
pub struct Listener {
    endpoint: String,
}

impl Listener {
    /// Makes it.
    pub fn start(world: &mut World) -> anyhow::Result<Self> {
        let url = world.receiver.takes();
        let merchant = world.merchant().clone();
        let endpoint = world.new_endpoint(&merchant, &url)?;
        Ok(Self { endpoint })
    }

    /// On or off.
    pub fn turn(&self, world: &World, on: bool) -> anyhow::Result<()> {
        world.enable_endpoint(world.merchant(), &self.endpoint, on)
    }

    /// Removes it.
    pub fn end(self, world: &World) -> anyhow::Result<()> {
        world.remove_endpoint(world.merchant(), &self.endpoint)
    }
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let listener = Listener::start(world)?;
    let (mut off, mut on) = (Sample::default(), Sample::default());
    let (mut delivered, mut left) = (Sample::default(), Sample::default());
    for _ in 0..plan.pairs {
        listener.turn(world, false)?;
        outbox::wait_until_quiet(&mut world.postgres)?;
        say("… off");
        off.push(rates::ours(world, plan, 0, IN_FLIGHT)?.rate());

        listener.turn(world, true)?;
        outbox::wait_until_quiet(&mut world.postgres)?;
        let before = world.receiver.taken();
        say("… on");
        let tally = rates::ours(world, plan, 0, IN_FLIGHT)?;
        on.push(tally.rate());
        delivered.push(float(world.receiver.taken() - before) / (plan.warm + plan.window).as_secs_f64());
        left.push(float(world.postgres.count("select count(*) from delivery_queue")?.unsigned_abs()));
    }
    outbox::wait_until_quiet(&mut world.postgres)?;
    listener.end(world)?;
    world.receiver.arrivals();
    let figure = ratio(on.median(), off.median());
    report.section(Section {
        title: "Payments a second while everything is delivered",
        about: format!(
            "{IN_FLIGHT} in flight, gateway 0 ms; one endpoint that takes every event at once, and nobody who listens; in \
             turn, median of {} pairs. Left: in the queue when the last payment was answered. The receiver runs on the same \
             processors.",
            plan.pairs
        ),
        columns: vec!["off /s", "on /s", "ratio", "deliveries/s", "left"],
        rows: vec![vec![off.show(), on.show(), number(figure), delivered.show(), left.show()]],
        data: json!({
            "off_per_s": off.to_json(), "on_per_s": on.to_json(), "ratio": figure,
            "deliveries_per_s": delivered.to_json(), "left": left.to_json(),
        }),
    });
    report.aim("payments with delivery on against off", "at least 0.85", number(figure), figure >= RATIO_AIM);
    Ok(())
}
