//! What a merchant who floods and one whose endpoint hangs do to the deliveries of everybody else.

use std::{collections::HashSet, thread, time::Instant};

use anyhow::anyhow;
use serde_json::json;

use super::{Findings, lag::LOOK_PAUSE};
use crate::{
    load::{self, Keys, Open, Target},
    outbox::{self, Lags, Logged, Watch},
    plan::Plan,
    receiver::HOLD_TIME,
    report::{Report, Section},
    say,
    stats::{float, number, quantile_ms, ratio},
    world::{Merchant, World},
};

/// Merchants whose deliveries are looked at.
const OTHERS: usize = 24;
/// The one who floods is paid so many times as often as one of them,
const FLOOD_TIMES: f64 = 100.0;
/// and that is this share of the most that can be paid.
const FLOOD_SHARE: f64 = 0.25;
/// The one whose endpoint hangs is paid so many times as often as one of the others.
const HANGING_TIMES: f64 = 10.0;
const RATIO_AIM: f64 = 1.5;

/// What is under way beside the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Nothing.
    Quiet,
    /// As many payments as with the trouble, and nothing of them is delivered.
    Paying,
    /// The flood is delivered, and one endpoint hangs.
    Trouble,
}

/// Who takes part.
struct Cast {
    others: Vec<Merchant>,
    flooding: Merchant,
    hanging: Merchant,
    /// Of those two.
    endpoints: [String; 2],
    /// Payments a second of one of the others.
    rate: f64,
}

/// One side and its deliveries.
struct Case {
    side: Side,
    name: &'static str,
    lags: Lags,
}

pub fn measure(world: &mut World, plan: &Plan, findings: &mut Findings, report: &mut Report) -> anyhow::Result<()> {
    let rate = findings.best_rate(world, plan)? * FLOOD_SHARE / FLOOD_TIMES;
    let cast = Cast::gather(world, rate)?;
    let sides = [
        (Side::Quiet, "nothing else"),
        (Side::Paying, "the same payments, not delivered"),
        (Side::Trouble, "a flood and an endpoint that hangs"),
    ];
    let mut cases = sides.map(|(side, name)| Case { side, name, lags: Lags::none() });
    for _ in 0..plan.open_rounds {
        for case in &mut cases {
            say(&format!("… {}", case.name));
            cast.round(world, plan, case)?;
        }
    }
    let [quiet, paying, trouble] = &cases;
    let against = |base: &Case| ratio(trouble.p99(), base.p99());
    let figure = against(paying);
    let what = "others' p99 of delivery with a flood and a hanging endpoint, against the same payments undelivered";
    report.aim(what, "at most 1.5", number(figure), figure <= RATIO_AIM);
    let figure = against(quiet);
    report.aim("the same, against nothing else going on", "at most 1.5", number(figure), figure <= RATIO_AIM);
    report.section(Section {
        title: "Fairness of deliveries",
        about: format!(
            "{OTHERS} merchants, {} payments/s each, with an endpoint each that takes everything; beside them one that is paid \
             {FLOOD_TIMES} times as often as one of them, and one, {HANGING_TIMES} times as often, whose endpoint answers \
             after {} s. Open loops, {} s each, {} rounds in turn. From the commit of an event of the {OTHERS} until it has \
             arrived, in ms.",
            number(rate),
            HOLD_TIME.as_secs(),
            plan.open_window.as_secs(),
            plan.open_rounds
        ),
        columns: vec!["beside them", "events", "p50", "p99", "p99 against nothing else"],
        rows: cases.iter().map(|case| case.row(quiet)).collect(),
        data: cases.iter().map(Case::to_json).collect(),
    });
    Ok(())
}

impl Cast {
    fn gather(world: &mut World, rate: f64) -> anyhow::Result<Self> {
        let (takes, hangs) = (world.receiver.takes(), world.receiver.hangs());
        let mut others = Vec::new();
        for number in 0..OTHERS {
            let merchant = world.new_merchant(&format!("Other {number}"))?;
            world.new_endpoint(&merchant, &takes)?;
            others.push(merchant);
        }
        let (flooding, hanging) = (world.new_merchant("Flooding")?, world.new_merchant("Hanging")?);
        let endpoints = [world.new_endpoint(&flooding, &takes)?, world.new_endpoint(&hanging, &hangs)?];
        Ok(Self { others, flooding, hanging, endpoints, rate })
    }

    fn round(&self, world: &mut World, plan: &Plan, case: &mut Case) -> anyhow::Result<()> {
        self.trouble(world, case.side == Side::Trouble)?;
        outbox::wait_until_quiet(&mut world.postgres)?;
        let gateway = world.simulator.url.clone();
        world.gateway_takes(&gateway, 0)?;
        world.receiver.arrivals();
        let from = outbox::next_transaction(&mut world.postgres)?;
        let watch = Watch::start(world.postgres.url(), LOOK_PAUSE)?;
        let since = Instant::now() + plan.warm;
        self.pay(world, plan, case.side)?;
        // What hangs stays queued until its endpoint is turned off.
        self.trouble(world, false)?;
        world.receiver.let_go();
        outbox::wait_until_quiet(&mut world.postgres)?;
        let looks = watch.end()?;
        let others: anyhow::Result<HashSet<_>> = self.others.iter().map(Merchant::uuid).collect();
        let others = others?;
        let events = outbox::events_from(&mut world.postgres, from)?;
        let events: Vec<&Logged> = events.iter().filter(|event| others.contains(&event.merchant)).collect();
        case.lags.add(events, &looks, &world.receiver.arrivals(), since)
    }

    /// Turns both endpoints on or off.
    fn trouble(&self, world: &World, on: bool) -> anyhow::Result<()> {
        for (merchant, endpoint) in [&self.flooding, &self.hanging].into_iter().zip(&self.endpoints) {
            world.enable_endpoint(merchant, endpoint, on)?;
        }
        Ok(())
    }

    /// All loads at once, each in a thread of its own.
    fn pay(&self, world: &mut World, plan: &Plan, side: Side) -> anyhow::Result<()> {
        let others: anyhow::Result<Vec<Target>> =
            self.others.iter().map(|merchant| world.payment_of(merchant, None)).collect();
        let mut loads = vec![(others?, self.rate * float_of_others())];
        if side != Side::Quiet {
            loads.push((vec![world.payment_of(&self.flooding, None)?], self.rate * FLOOD_TIMES));
            loads.push((vec![world.payment_of(&self.hanging, None)?], self.rate * HANGING_TIMES));
        }
        thread::scope(|scope| {
            let paying: Vec<_> = loads
                .iter()
                .map(|(targets, rate)| {
                    let prefix = world.fresh_prefix();
                    let open = Open { rate: *rate, warm: plan.warm, window: plan.open_window };
                    scope.spawn(move || load::open_each(targets, &Keys::fresh(prefix), &open))
                })
                .collect();
            for load in paying {
                load.join().map_err(|_| anyhow!("a load of payments panicked"))??.must_be_good()?;
            }
            Ok(())
        })
    }
}

fn float_of_others() -> f64 {
    crate::stats::float_of(OTHERS)
}

impl Case {
    fn p99(&self) -> f64 {
        quantile_ms(&self.lags.arrived, 0.99)
    }

    fn row(&self, quiet: &Self) -> Vec<String> {
        vec![
            self.name.to_owned(),
            number(float(self.lags.arrived.len())),
            number(quantile_ms(&self.lags.arrived, 0.5)),
            number(self.p99()),
            number(ratio(self.p99(), quiet.p99())),
        ]
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "beside": self.name, "events": self.lags.arrived.len(),
            "p50_ms": quantile_ms(&self.lags.arrived, 0.5), "p99_ms": self.p99(),
        })
    }
}
