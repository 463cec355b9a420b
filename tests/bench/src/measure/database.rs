//! What one confirmed payment costs Postgres: commits that write, statements, bytes of log, heap-only updates.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use super::lag::WAKE;
use crate::{
    load::{self, Keys},
    plan::Plan,
    postgres::Counted,
    relay::Relay,
    report::{Report, Section},
    stats::{float, float_of, number, ratio},
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
/// Workers look for work meanwhile, and keys are looked up once in a while.
const OTHERS_ASK: f64 = 0.1;
/// Per cent of the updates of payments.
const HOT_AIM: f64 = 99.0;

/// What was counted, for each payment.
struct Work {
    writing_commits: f64,
    commits: f64,
    round_trips: f64,
    wal_bytes: f64,
    hot_percent: f64,
    /// Empty where statements cannot be counted.
    statements: Vec<Counted>,
    payments: usize,
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let (relay, url) = world.postgres.relay()?;
    // Without wake-ups the log's reader asks twice a second, and what is counted are the payments; with them it asks as
    // often as something happens.
    let mut count_with = |wake: &str| {
        let settings = [("DATABASE_URL", url.clone()), (WAKE, wake.to_owned())];
        world.restart_host_with(&world.places.host(), &settings)?;
        count(world, &relay, plan.counted_payments)
    };
    let (work, woken) = (count_with("false")?, count_with("true")?);
    world.restart_host(&world.places.host())?;

    report.section(Section {
        title: "Database work per confirmed payment",
        about: format!(
            "One exchange each, {} payments, {IN_FLIGHT} in flight, no delay, nobody listens. Counted twice: while the log's \
             reader polls twice a second, so that the payments' own work is seen, and while every commit wakes it.",
            work.payments
        ),
        columns: vec!["per payment", "polling", "woken"],
        rows: both(work.rows(), woken.rows()),
        data: json!({ "polling": work.to_json(), "woken": woken.to_json() }),
    });
    let exact = (work.writing_commits - WRITING_COMMITS_AIM).abs() <= OTHERS_WRITE;
    report.aim("writing commits per confirmed payment", "2", number(work.writing_commits), exact);
    let few = work.round_trips <= ROUND_TRIPS_AIM + OTHERS_ASK;
    report.aim("round trips to Postgres per confirmed payment", "at most 3", number(work.round_trips), few);
    let hot = work.hot_percent;
    report.aim("heap-only updates of payments", "at least 99 %", format!("{} %", number(hot)), hot >= HOT_AIM);
    if !world.postgres.counts_statements {
        report.note("pg_stat_statements is not installed: statements were not counted".to_owned());
    }
    Ok(())
}

fn count(world: &mut World, relay: &Relay, payments: usize) -> anyhow::Result<Work> {
    // Connections, prepared statements and caches first.
    pay(world, payments / 4)?;
    std::thread::sleep(REPORT_AFTER);
    pay(world, IN_FLIGHT * 4)?;
    world.postgres.count_statements(true)?;
    let (before, trips_before) = (world.postgres.counters()?, relay.round_trips());
    pay(world, payments)?;
    let (after, trips_after) = (world.postgres.counters()?, relay.round_trips());
    let statements = world.postgres.counted_statements()?;
    world.postgres.count_statements(false)?;
    let_report(world)?;
    let reported = world.postgres.counters()?;

    let per_payment = |count: f64| ratio(count, float_of(payments));
    let since = |later: i64, earlier: i64| float((later - earlier).unsigned_abs());
    let updates = since(reported.updates, before.updates);
    ensure!(updates > 0.0, "the sessions did not report their updates of payments");
    Ok(Work {
        writing_commits: per_payment(since(after.next_transaction, before.next_transaction)),
        // Of the same sessions' reports, which may lag behind alike.
        commits: ratio(since(reported.commits, before.commits), since(reported.payments, before.payments)),
        round_trips: per_payment(float(trips_after - trips_before)),
        wal_bytes: per_payment(after.wal_bytes - before.wal_bytes),
        hot_percent: ratio(since(reported.hot_updates, before.hot_updates) * 100.0, updates),
        statements,
        payments,
    })
}

/// Rows of two tables with the same names, beside each other.
fn both(left: Vec<Vec<String>>, right: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut right: Vec<(String, String)> = right.into_iter().filter_map(pair).collect();
    let mut rows: Vec<Vec<String>> = left
        .into_iter()
        .filter_map(pair)
        .map(|(name, figure)| {
            let same = right.iter().position(|(other, _)| *other == name).map(|index| right.remove(index).1);
            vec![name, figure, same.unwrap_or_default()]
        })
        .collect();
    rows.extend(right.into_iter().map(|(name, figure)| vec![name, String::new(), figure]));
    rows
}

fn pair(row: Vec<String>) -> Option<(String, String)> {
    let [name, figure] = <[String; 2]>::try_from(row).ok()?;
    Some((name, figure))
}

impl Work {
    fn per_payment(&self, count: i64) -> f64 {
        ratio(float(count.unsigned_abs()), float_of(self.payments))
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<String>> = [
            ("writing commits (pg_snapshot_xmax)", self.writing_commits),
            ("commits, reading ones too (pg_stat_database)", self.commits),
            ("round trips (Sync and Query in the protocol), workers included", self.round_trips),
            ("bytes of write-ahead log", self.wal_bytes),
            ("updates of payments that are heap-only, per cent", self.hot_percent),
        ]
        .map(|(name, figure)| vec![name.to_owned(), number(figure)])
        .into();
        if !self.statements.is_empty() {
            let sum = |of: fn(&Counted) -> i64| self.statements.iter().map(|one| self.per_payment(of(one))).sum();
            rows.push(vec!["whole pages in that log, after a checkpoint".to_owned(), number(sum(|one| one.wal_pages))]);
            rows.push(vec!["statements, workers included".to_owned(), number(sum(|one| one.calls))]);
        }
        let often = self.statements.iter().filter(|one| self.per_payment(one.calls) >= SELDOM);
        rows.extend(often.map(|one| {
            let [calls, time, bytes] = [self.per_payment(one.calls), mean_ms(one), mean_bytes(one)].map(number);
            vec![format!("… `{}`", one.name), format!("{calls}; {time} ms, {bytes} bytes of log each")]
        }));
        rows
    }

    fn to_json(&self) -> Value {
        let statements: Vec<Value> = self
            .statements
            .iter()
            .map(|one| {
                json!({
                    "name": one.name, "calls_per_payment": self.per_payment(one.calls), "ms_per_call": mean_ms(one),
                    "wal_bytes_per_call": mean_bytes(one),
                })
            })
            .collect();
        json!({
            "payments": self.payments, "writing_commits": self.writing_commits, "commits": self.commits,
            "round_trips": self.round_trips, "wal_bytes": self.wal_bytes, "hot_percent": self.hot_percent,
            "statements": statements,
        })
    }
}

fn mean_ms(statement: &Counted) -> f64 {
    ratio(statement.time_ms, float(statement.calls.unsigned_abs()))
}

fn mean_bytes(statement: &Counted) -> f64 {
    ratio(statement.wal_bytes, float(statement.calls.unsigned_abs()))
}

/// Has every session work once more, and so report what it did.
pub fn let_report(world: &mut World) -> anyhow::Result<()> {
    std::thread::sleep(REPORT_AFTER);
    pay(world, IN_FLIGHT * 8)
}

/// Makes exactly so many payments.
fn pay(world: &mut World, count: usize) -> anyhow::Result<()> {
    let gateway = world.simulator.url.clone();
    world.gateway_takes(&gateway, 0)?;
    let keys = Keys::fresh(world.fresh_prefix());
    load::exactly(&world.payment(None)?, &keys, IN_FLIGHT, count)?.must_be_good()
}
