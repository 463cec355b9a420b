//! What one confirmed payment costs Postgres: commits that write, statements, bytes of log, heap-only updates.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;

use crate::{
    load::{self, Keys},
    plan::Plan,
    postgres::Counted,
    report::{Report, Section},
    stats::{float_of, number, ratio},
    world::World,
};

/// Payments in flight meanwhile: as many as the host has connections to the database.
const IN_FLIGHT: usize = 16;
/// A session reports what it has counted when it works on, a second after its last report at the earliest.
const REPORT_AFTER: Duration = Duration::from_millis(1_200);
/// Statements that are asked for so seldom are the host's housekeeping.
const SELDOM: f64 = 0.005;
const WRITING_COMMITS_AIM: f64 = 2.0;
const ROUND_TRIPS_AIM: f64 = 3.0;
/// Housekeeping and Postgres' own work write a little meanwhile.
const OTHERS_WRITE: f64 = 0.02;
/// Per cent of the updates of payments.
const HOT_AIM: f64 = 99.0;

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let (relay, url) = world.postgres.relay()?;
    world.restart_host_at(&world.places.host(), Some(url))?;
    // Connections, prepared statements and caches first.
    pay(world, plan.counted_payments / 4)?;
    std::thread::sleep(REPORT_AFTER);
    pay(world, IN_FLIGHT * 4)?;
    world.postgres.count_statements(true)?;
    let (before, trips_before) = (world.postgres.counters()?, relay.round_trips());
    pay(world, plan.counted_payments)?;
    let (after, trips_after) = (world.postgres.counters()?, relay.round_trips());
    let statements = world.postgres.counted_statements()?;
    world.postgres.count_statements(false)?;
    // Every session works once more, and reports what it did.
    std::thread::sleep(REPORT_AFTER);
    pay(world, IN_FLIGHT * 8)?;
    let reported = world.postgres.counters()?;
    world.restart_host(&world.places.host())?;

    let payments = float_of(plan.counted_payments);
    let per_payment = |count: i64| ratio(crate::stats::float(count.unsigned_abs()), payments);
    let writing = per_payment(after.next_transaction - before.next_transaction);
    let wal = ratio(after.wal_bytes - before.wal_bytes, payments);
    let counted = crate::stats::float((reported.payments - before.payments).unsigned_abs());
    let commits = ratio(crate::stats::float((reported.commits - before.commits).unsigned_abs()), counted);
    let updates = reported.updates - before.updates;
    let hot = ratio(
        crate::stats::float((reported.hot_updates - before.hot_updates).unsigned_abs()) * 100.0,
        crate::stats::float(updates.unsigned_abs()),
    );
    ensure!(updates > 0, "the sessions did not report their updates of payments");
    let round_trips = ratio(crate::stats::float(trips_after - trips_before), payments);
    let run: f64 = statements.iter().map(|statement| per_payment(statement.calls)).sum();
    let pages: f64 = statements.iter().map(|statement| per_payment(statement.wal_pages)).sum();
    let can_count = world.postgres.counts_statements;

    let mut rows = vec![
        vec!["writing commits (pg_snapshot_xmax)".to_owned(), number(writing)],
        vec!["commits, reading ones too (pg_stat_database)".to_owned(), number(commits)],
        vec!["round trips (Sync and Query in the protocol), workers included".to_owned(), number(round_trips)],
        vec!["bytes of write-ahead log".to_owned(), number(wal)],
        vec!["updates of payments that are heap-only, per cent".to_owned(), number(hot)],
    ];
    if can_count {
        rows.push(vec!["whole pages among them, after a checkpoint".to_owned(), number(pages)]);
        rows.push(vec!["statements, workers included".to_owned(), number(run)]);
        rows.extend(statements.iter().filter(|one| per_payment(one.calls) >= SELDOM).map(|one| row(one, payments)));
    }
    report.section(Section {
        title: "Database work per confirmed payment",
        about: format!("One exchange each, {} payments, {IN_FLIGHT} in flight, no delay.", plan.counted_payments),
        columns: vec!["per payment", ""],
        data: json!({
            "payments": plan.counted_payments, "writing_commits": writing, "commits": commits, "wal_bytes": wal,
            "hot_percent": hot, "round_trips": round_trips, "wal_pages": can_count.then_some(pages),
            "statements_per_payment": can_count.then_some(run),
            "statements": statements.iter().map(|one| json!({
                "name": one.name, "calls_per_payment": per_payment(one.calls), "ms_per_call": mean_ms(one),
                "wal_bytes_per_call": mean_bytes(one),
            })).collect::<Vec<_>>(),
        }),
        rows,
    });
    let exact = (writing - WRITING_COMMITS_AIM).abs() <= OTHERS_WRITE;
    report.aim("writing commits per confirmed payment", "2", number(writing), exact);
    let few = round_trips <= ROUND_TRIPS_AIM;
    report.aim("round trips to Postgres per confirmed payment", "at most 3", number(round_trips), few);
    if !can_count {
        report.note("pg_stat_statements is not installed: statements were not counted".to_owned());
    }
    report.aim("heap-only updates of payments", "at least 99 %", format!("{} %", number(hot)), hot >= HOT_AIM);
    Ok(())
}

fn row(statement: &Counted, payments: f64) -> Vec<String> {
    let calls = ratio(crate::stats::float(statement.calls.unsigned_abs()), payments);
    let [time, bytes] = [mean_ms(statement), mean_bytes(statement)].map(number);
    vec![format!("… `{}`", statement.name), format!("{}; {time} ms, {bytes} bytes of log each", number(calls))]
}

fn mean_ms(statement: &Counted) -> f64 {
    ratio(statement.time_ms, crate::stats::float(statement.calls.unsigned_abs()))
}

fn mean_bytes(statement: &Counted) -> f64 {
    ratio(statement.wal_bytes, crate::stats::float(statement.calls.unsigned_abs()))
}

/// Makes exactly so many payments.
fn pay(world: &mut World, count: usize) -> anyhow::Result<()> {
    let gateway = world.simulator.url.clone();
    world.gateway_takes(&gateway, 0)?;
    let keys = Keys::fresh(world.fresh_prefix());
    load::exactly(&world.payment(None)?, &keys, IN_FLIGHT, count)?.must_be_good()
}
