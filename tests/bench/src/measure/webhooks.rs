//! How long a gateway waits for its acknowledgement while people pay: everything about it is on disk by then.

use std::thread;

use anyhow::{Context as _, anyhow, ensure};
use interlock::domain::id::OperationId;
use serde_json::json;

use super::Findings;
use crate::{
    load::{self, Keys, Open, Tally},
    plan::Plan,
    report::{Report, Section},
    stats::{Sample, number, quantile_ms},
    world::World,
};

const P99_AIM_MS: f64 = 100.0;
/// Of the best rate of payments: so many payments, and as many webhooks, are sent each second.
const SHARE: f64 = 0.25;

pub fn measure(world: &mut World, plan: &Plan, findings: &mut Findings, report: &mut Report) -> anyhow::Result<()> {
    let rate = findings.best_rate(world, plan)? * SHARE;
    let (mut p50, mut p99, mut p999) = (Sample::default(), Sample::default(), Sample::default());
    let mut told = 0;
    for _ in 0..plan.open_rounds {
        let tally = round(world, plan, rate)?;
        p50.push(quantile_ms(&tally.times, 0.5));
        p99.push(quantile_ms(&tally.times, 0.99));
        p999.push(quantile_ms(&tally.times, 0.999));
        told += tally.good;
    }
    let kept = world.postgres.count("select count(*) from webhook_inbox where verified")?;
    ensure!(
        u64::try_from(kept).is_ok_and(|kept| kept >= told),
        "{told} webhooks were acknowledged, and {kept} are kept"
    );
    report.section(Section {
        title: "Acknowledging webhooks under load",
        about: format!(
            "Open loop, {} payments/s and as many webhooks/s, gateway 0 ms, {} s each, median of {} rounds; from when a \
             webhook was due until its acknowledgement, in ms. Each is an event of its own about a payment that is known.",
            number(rate),
            plan.open_window.as_secs(),
            plan.open_rounds
        ),
        columns: vec!["webhooks/s", "p50", "p99", "p99.9"],
        rows: vec![vec![number(rate), p50.show(), p99.show(), p999.show()]],
        data: json!({ "rate_per_s": rate, "p50_ms": p50.to_json(), "p99_ms": p99.to_json(), "p999_ms": p999.to_json() }),
    });
    let figure = p99.median();
    report.aim(
        "p99 of a webhook's acknowledgement",
        "at most 100 ms",
        format!("{} ms", number(figure)),
        figure <= P99_AIM_MS,
    );
    Ok(())
}

/// Both loads at once, each in a thread of its own; what came of the webhooks.
fn round(world: &mut World, plan: &Plan, rate: f64) -> anyhow::Result<Tally> {
    let gateway = world.simulator.url.clone();
    world.gateway_takes(&gateway, 0)?;
    let payment = world.payment(None)?;
    load::exactly(&payment, &Keys::fresh(world.fresh_prefix()), 1, 1)?.must_be_good()?;
    let operation = world.postgres.text("select max(operation_id::text) from operations where status = 'done'")?;
    let operation = OperationId::from_uuid(operation.parse().context("an id is a UUID")?).to_string();
    let charge = world.postgres.text(
        "select gateway_reference from payments where gateway_reference is not null order by payment_id desc limit 1",
    )?;
    let webhook = world.webhook(&operation, &charge)?;
    let (payers, gateways) = (world.fresh_prefix(), world.fresh_prefix());
    let open = || Open { rate, warm: plan.warm, window: plan.open_window };
    let (paid, told) = thread::scope(|scope| {
        let paying = scope.spawn(|| load::open(&payment, &Keys::fresh(payers), &open()));
        let told = load::open(&webhook, &Keys::fresh(gateways), &open());
        (paying.join(), told)
    });
    paid.map_err(|_| anyhow!("the load of payments panicked"))??.must_be_good()?;
    let told = told?;
    told.must_be_good()?;
    Ok(told)
}
