//! Versions that come and go while people pay: twenty activations and rollbacks on two hosts, against a run without any.
//!
//! That no operation ran on another version than its own is counted twice, independently: an operation's row names the
//! version that began it, and each loaded version counts the runs that came to an outcome.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use http::Method;
use interlock::{
    client::{Body, Client},
    connector::meters,
};
use serde_json::{Value, json};

use crate::{
    load::{self, Closed, Keys, Tally, Target},
    outbox,
    plan::Plan,
    report::{Report, Section},
    say,
    stats::{Sample, float, number, quantile_ms, ratio},
    world::{World, operator_at},
};

/// Payments in flight, on both hosts together. A host connects to one gateway some hundred times at most.
const IN_FLIGHT: usize = 1_000;
/// What the gateway takes: half of what two cores can do, with so many in flight.
const DELAY_MS: u64 = 2_000;
/// Activations and rollbacks in a window.
const CHANGES: u32 = 20;
/// Several times what a payment takes.
const WINDOW: Duration = Duration::from_secs(12);
const WARM: Duration = Duration::from_secs(4);
/// How long what is under way at the end may take to end.
const ENDED_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const P99_AIM: f64 = 1.2;
const CONNECTOR: &str = "mock";

/// What was seen in rounds of one kind.
#[derive(Default)]
struct Seen {
    rate: Sample,
    p50_ms: Sample,
    p99_ms: Sample,
    payments: u64,
    errors: u64,
    first_error: Option<String>,
}

impl Seen {
    fn add(&mut self, tally: Tally) {
        self.rate.push(tally.rate());
        self.p50_ms.push(quantile_ms(&tally.times, 0.5));
        self.p99_ms.push(quantile_ms(&tally.times, 0.99));
        self.payments += tally.good;
        self.errors += tally.bad;
        self.first_error = self.first_error.take().or(tally.first_bad);
    }
}

/// Operations with an outcome by the version that began them, and runs that came to one by the version that was run. What was
/// never sent has no outcome, and no such run.
struct Books {
    began: BTreeMap<String, i64>,
    ended: BTreeMap<String, i64>,
    /// Operations that have another version than their attempt.
    mixed: i64,
    /// Runs that differed from their journal.
    divergences: i64,
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    world.restart_host(&world.places.host())?;
    let other = world.further_host()?;
    let operators = [world.operator()?, operator_at(&other)?];
    let new = push(world, &operators[0])?;
    let targets = [world.payment(None)?, world.payment_at(&other)?];
    let hosts = [world.host.url("operator")?, other.url("operator")?];
    let before = Books::read(world, &hosts)?;
    let (mut without, mut with) = (Seen::default(), Seen::default());
    let mut changed = 0;
    for _ in 0..plan.pairs {
        say("… without changes");
        let (tally, _) = round(world, &targets, None)?;
        without.add(tally);
        say("… with twenty");
        let (tally, done) = round(world, &targets, Some((&operators, &new)))?;
        with.add(tally);
        changed += done;
    }
    let wrong = Books::balance(world, &hosts, &before)?;
    drop(other);
    tell(&without, &with, changed, &wrong, plan, report);
    Ok(())
}

/// Installs a second version: the same code under another number, which is returned.
fn push(world: &World, operator: &Client) -> anyhow::Result<String> {
    let component = fs::read(world.places.component())?;
    let (component, number) = renumbered(component, &world.version_of_mock()?)?;
    let body = Body::Wasm { component, signature: None };
    let made = world.send(operator, Method::POST, "/admin/connectors", None, body)?;
    ensure!(
        made.get("version").is_some_and(|version| *version == number.as_str()),
        "the host has installed something else: {made}"
    );
    Ok(number)
}

/// The component under another version number of the same length.
fn renumbered(mut component: Vec<u8>, number: &str) -> anyhow::Result<(Vec<u8>, String)> {
    let last = if number.ends_with('9') { "8" } else { "9" };
    let other = format!("{}{last}", number.get(..number.len() - 1).unwrap_or_default());
    // Behind an `@` it is the contract's.
    let places: Vec<usize> = (1..component.len().saturating_sub(number.len()))
        .filter(|at| component.get(*at..).is_some_and(|rest| rest.starts_with(number.as_bytes())))
        .filter(|at| component.get(at - 1) != Some(&b'@'))
        .collect();
    let [at] = places.as_slice() else { bail!("`{number}` stands {} times in the component", places.len()) };
    component.get_mut(*at..at + other.len()).context("it was found there")?.copy_from_slice(other.as_bytes());
    Ok((component, other))
}

type Changing<'a> = Option<(&'a [Client; 2], &'a str)>;

fn round(world: &mut World, targets: &[Target], changing: Changing<'_>) -> anyhow::Result<(Tally, u32)> {
    outbox::wait_until_quiet(&mut world.postgres)?;
    let gateway = world.simulator.url.clone();
    world.gateway_takes(&gateway, DELAY_MS)?;
    let prefix = world.fresh_prefix();
    let closed = Closed { in_flight: IN_FLIGHT, warm: WARM, window: WINDOW };
    thread::scope(|scope| {
        let changes = changing.map(|(operators, new)| scope.spawn(move || change(operators, new)));
        let (tally, (), ()) = load::closed_at(targets, &Keys::fresh(prefix), &closed, || Ok(()))?;
        let done = changes.map(|changes| changes.join().map_err(|_| anyhow::anyhow!("changing panicked")));
        Ok((tally, done.transpose()?.transpose()?.unwrap_or(0)))
    })
}

/// Twenty changes over the window, at one host after the other: all to the new version and back, half to it and back.
fn change(operators: &[Client; 2], new: &str) -> anyhow::Result<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let began = Instant::now();
    for number in 0..CHANGES {
        let due = WARM + WINDOW * number / CHANGES;
        thread::sleep(due.saturating_sub(began.elapsed()));
        let activate = format!("/admin/connectors/{CONNECTOR}/versions/{new}/activate");
        let (path, body) = match number % 4 {
            0 => (activate, json!({})),
            2 => (activate, json!({ "share": 50 })),
            _ => (format!("/admin/connectors/{CONNECTOR}/rollback"), json!({})),
        };
        let operator = operators.iter().cycle().nth(usize::try_from(number)?).context("there are two")?;
        let done = runtime.block_on(operator.call(Method::POST, &path, Body::Json(body)));
        done.with_context(|| format!("change {number}: POST {path}"))?;
    }
    Ok(CHANGES)
}

impl Books {
    fn read(world: &mut World, hosts: &[String; 2]) -> anyhow::Result<Self> {
        let began = format!(
            "select v.version, count(*) from operations o
               join connector_versions v on v.name = o.connector and v.digest = o.digest
              where o.connector = '{CONNECTOR}' and o.kind = 'authorize' and o.status = 'done' group by 1"
        );
        let mixed = "select count(*) from operations o join attempts a
                         on a.merchant_id = o.merchant_id and a.payment_id = o.payment_id and a.number = o.attempt_number
                      where o.kind = 'authorize' and o.digest <> a.digest";
        let (mut ended, mut divergences) = (BTreeMap::new(), 0);
        for host in hosts {
            let metrics = world
                .postgres
                .block_on(async { reqwest::get(format!("{host}/metrics")).await?.error_for_status()?.text().await })?;
            for line in metrics.lines().filter(|line| line.contains(&format!("connector=\"{CONNECTOR}\""))) {
                let Some((labels, value)) = line.rsplit_once(' ') else { continue };
                let count: i64 = value.parse().unwrap_or(0);
                if labels.starts_with(meters::DIVERGENCES) {
                    divergences += count;
                } else if labels.starts_with(meters::RUNS)
                    && labels.contains("operation=\"authorize\"")
                    && labels.contains("result=\"done\"")
                {
                    *ended.entry(label(labels, "version")).or_insert(0) += count;
                }
            }
        }
        Ok(Self { began: world.postgres.counts(&began)?, ended, mixed: world.postgres.count(mixed)?, divergences })
    }

    /// What was ended more or less than begun since `before`, by version.
    fn off(&self, before: &Self) -> BTreeMap<String, i64> {
        let since = |now: &BTreeMap<String, i64>, before: &BTreeMap<String, i64>, version: &str| {
            now.get(version).copied().unwrap_or(0) - before.get(version).copied().unwrap_or(0)
        };
        let off =
            |version: &str| since(&self.ended, &before.ended, version) - since(&self.began, &before.began, version);
        self.began.keys().chain(self.ended.keys()).map(|version| (version.clone(), off(version))).collect()
    }

    /// The books when everything under way has ended, or had the time to.
    fn balance(world: &mut World, hosts: &[String; 2], before: &Self) -> anyhow::Result<Wrong> {
        let asked = Instant::now();
        loop {
            let now = Self::read(world, hosts)?;
            let off = now.off(before);
            if off.values().all(|off| *off == 0) || asked.elapsed() > ENDED_MAX {
                let is_used = |(version, count): &(&String, &i64)| before.began.get(*version) != Some(*count);
                return Ok(Wrong {
                    operations: off.values().map(|off| off.unsigned_abs()).sum(),
                    mixed: now.mixed - before.mixed,
                    divergences: now.divergences - before.divergences,
                    versions_used: now.began.iter().filter(is_used).count(),
                    shown: json!({ "began": now.began, "ended": now.ended, "off": off }),
                });
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// The value of a label in a line of metrics; empty where it has none.
fn label(labels: &str, name: &str) -> String {
    let value = labels.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| value.to_owned()).unwrap_or_default()
}

/// What there must be none of, and how many versions took operations.
struct Wrong {
    /// For machines: operations by version.
    shown: Value,
    operations: u64,
    mixed: i64,
    divergences: i64,
    versions_used: usize,
}

fn tell(without: &Seen, with: &Seen, changed: u32, wrong: &Wrong, plan: &Plan, report: &mut Report) {
    let times = ratio(with.p99_ms.median(), without.p99_ms.median());
    let added = |seen: &Seen| seen.p99_ms.median() - float(DELAY_MS);
    let added_times = ratio(added(with), added(without));
    let row = |name: &str, seen: &Seen| {
        vec![
            name.to_owned(),
            seen.rate.show(),
            seen.p50_ms.show(),
            seen.p99_ms.show(),
            seen.payments.to_string(),
            seen.errors.to_string(),
        ]
    };
    report.section(Section {
        title: "Versions swapped under load",
        about: format!(
            "{IN_FLIGHT} payments in flight all the time on two hosts, gateway {DELAY_MS} ms, {} s each, in turn, median of {} \
             pairs; {CHANGES} activations (all, or half as a canary) and rollbacks in each window with changes, {changed} in all. \
             Milliseconds. An operation on the wrong version would be missing among what its own version has ended \
             ({} such), or not have the version of its attempt ({}), or diverge from its journal ({}). What the host adds to \
             the gateway's time at the 99th percentile: {} times.",
            WINDOW.as_secs(),
            plan.pairs,
            wrong.operations,
            wrong.mixed,
            wrong.divergences,
            number(added_times),
        ),
        columns: vec!["", "payments /s", "p50", "p99", "payments", "errors"],
        rows: vec![row("without changes", without), row("with changes", with)],
        data: json!({
            "in_flight": IN_FLIGHT, "gateway_ms": DELAY_MS, "changes": changed,
            "without": shown(without), "with": shown(with), "p99_times": times, "p99_added_times": added_times,
            "operations": wrong.shown, "wrong_operations": wrong.operations, "mixed": wrong.mixed, "divergences": wrong.divergences,
            "versions_used": wrong.versions_used,
        }),
    });
    if let Some(error) = with.first_error.as_ref().or(without.first_error.as_ref()) {
        report.note(format!("the first error of the swaps was: {error}"));
    }
    let errors = with.errors;
    report.aim("errors while versions are swapped", "0", errors.to_string(), errors == 0);
    let off = i64::try_from(wrong.operations).unwrap_or(i64::MAX).saturating_add(wrong.mixed) + wrong.divergences;
    let good = off == 0 && wrong.versions_used == 2;
    let figure = format!("{off} of {}, {} versions used", with.payments, wrong.versions_used);
    report.aim("operations on the wrong version", "0", figure, good);
    report.aim(
        "p99 of payments with swaps against without",
        "at most 1.20 times",
        format!("{} times", number(times)),
        times <= P99_AIM,
    );
}

fn shown(seen: &Seen) -> Value {
    json!({
        "per_s": seen.rate.to_json(), "p50_ms": seen.p50_ms.to_json(), "p99_ms": seen.p99_ms.to_json(),
        "payments": seen.payments, "errors": seen.errors,
    })
}
