//! Deliveries a second to a local receiver, against a plain HTTP client that posts the same bodies to it.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::{
    load::{self, Closed, Keys, Posts, Target},
    outbox::{self, Paused},
    plan::Plan,
    receiver::{Arrival, TAKE},
    report::{Report, Section},
    say,
    stats::{Sample, float, number, ratio},
    world::{Merchant, World},
};

const RATIO_AIM: f64 = 0.5;
/// Deliveries that a host has under way to one endpoint.
const PER_ENDPOINT: usize = 16;
/// All of a backlog arrive within this.
const ARRIVE_MAX: Duration = Duration::from_mins(2);

/// So many merchants with one endpoint each.
struct Case {
    merchants: Vec<Merchant>,
    ours: Sample,
    plain: Sample,
    /// The receiver, from connections that do nothing but send bytes.
    receiver: Sample,
    /// Deliveries, and those that came twice.
    delivered: usize,
    twice: usize,
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut cases = Vec::new();
    let takes = world.receiver.takes();
    for count in [1, 8] {
        let mut endpoints = Vec::new();
        let merchants: anyhow::Result<Vec<Merchant>> =
            (0..count).map(|number| world.new_merchant(&format!("Delivered {number}"))).collect();
        let merchants = merchants?;
        for merchant in &merchants {
            endpoints.push(world.new_endpoint(merchant, &takes)?);
        }
        let mut case = Case {
            merchants,
            ours: Sample::default(),
            plain: Sample::default(),
            receiver: Sample::default(),
            delivered: 0,
            twice: 0,
        };
        for _ in 0..plan.rounds {
            round(world, plan, &mut case)?;
        }
        for (merchant, endpoint) in case.merchants.iter().zip(&endpoints) {
            world.remove_endpoint(merchant, endpoint)?;
        }
        cases.push(case);
    }
    for case in &cases {
        let what = format!("deliveries against a plain client, endpoints: {}", case.merchants.len());
        report.aim(what, "at least 0.5", number(case.ratio()), case.ratio() >= RATIO_AIM);
    }
    report.section(Section {
        title: "Deliveries a second",
        about: format!(
            "Events of {} payments wait, and are delivered to a local receiver: read, queued, signed, sent, noted. Plain: a \
             `reqwest` client that posts the same bodies to it, all due at once, on as many connections as the host uses \
             ({PER_ENDPOINT} for each endpoint). Receiver: what it takes from connections that do nothing else. Median of {} rounds.",
            plan.delivered_payments, plan.rounds
        ),
        columns: vec!["endpoints", "Interlock /s", "plain /s", "ratio", "receiver /s", "delivered", "of them twice"],
        rows: cases.iter().map(Case::row).collect(),
        data: cases.iter().map(Case::to_json).collect(),
    });
    Ok(())
}

fn round(world: &mut World, plan: &Plan, case: &mut Case) -> anyhow::Result<()> {
    let in_flight = PER_ENDPOINT * case.merchants.len();
    say(&format!("… endpoints: {}", case.merchants.len()));
    // Whose events are copied.
    load::exactly(&world.payment(None)?, &Keys::fresh(world.fresh_prefix()), 1, 1)?.must_be_good()?;
    outbox::wait_until_quiet(&mut world.postgres)?;
    let ids: anyhow::Result<Vec<_>> = case.merchants.iter().map(Merchant::uuid).collect();
    let paused = Paused::begin(&world.postgres)?;
    let events = outbox::fill(&world.postgres, &ids?, plan.delivered_payments)?;
    world.receiver.arrivals();
    let before = world.receiver.taken();
    let released = paused.release(&world.postgres)?;
    world.receiver.wait_until_taken(before + events, ARRIVE_MAX)?;
    outbox::wait_until_quiet(&mut world.postgres)?;
    let arrivals = world.receiver.arrivals();
    let last = arrivals.last().context("something arrived")?.at;
    let distinct: HashSet<_> = arrivals.iter().filter_map(Arrival::event).collect();
    ensure!(distinct.len() >= usize::try_from(events)?, "{} of {events} events arrived", distinct.len());
    case.ours.push(float(events) / last.duration_since(released).as_secs_f64());
    case.delivered += arrivals.len();
    case.twice += arrivals.len() - distinct.len();

    let body = outbox::latest_payload(&mut world.postgres)?;
    let count = usize::try_from(events)?;
    case.plain.push(load::post_all(&Posts { url: world.receiver.takes(), body: body.clone(), count, in_flight })?);
    let target = Target::new(world.receiver.address, TAKE, "-", &body, "");
    let closed = Closed { in_flight, warm: plan.warm, window: plan.window };
    let (tally, (), ()) = load::closed(&target, &Keys::fresh(world.fresh_prefix()), &closed, || Ok(()))?;
    tally.must_be_good()?;
    case.receiver.push(tally.rate());
    world.receiver.arrivals();
    Ok(())
}

impl Case {
    fn ratio(&self) -> f64 {
        ratio(self.ours.median(), self.plain.median())
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.merchants.len().to_string(),
            self.ours.show(),
            self.plain.show(),
            number(self.ratio()),
            self.receiver.show(),
            self.delivered.to_string(),
            self.twice.to_string(),
        ]
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "endpoints": self.merchants.len(), "ours_per_s": self.ours.to_json(), "plain_per_s": self.plain.to_json(),
            "ratio": self.ratio(), "receiver_per_s": self.receiver.to_json(), "delivered": self.delivered,
            "twice": self.twice,
        })
    }
}
