//! Two hundred connectors (fifty in a quick run) on one host: its start, its memory, and whether a run is slower for the others.

use std::{fs, path::PathBuf, sync::Arc, thread, time::Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use http::Method;
use interlock::{
    client::Body,
    clock::{Clock, Ids},
    connector::{Engine, Version},
    store::{
        self,
        audit_log::{Actor, Audit},
        connectors::NewVersion,
    },
};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::{
    languages::{Bed, us},
    runs::{STACK_BYTES, record, times},
};
use crate::{
    plan::Plan,
    procfs::{self, REST},
    report::{Report, Section},
    say,
    stats::{Sample, float, float_of, number, ratio},
    world::World,
};

/// The example that all are copies of, each under a name of its own of the same length.
const EXAMPLE: &str = "tiny-rust";
const START_AIM_MS: f64 = 1_000.0;
/// How much slower a run may be beside the others.
const RUN_AIM: f64 = 1.1;
/// Runs of one side before it is the other's turn.
const TURN: usize = 500;
/// How often what is judged is told of.
const TELL_EVERY: usize = 25;

/// What hosts with so many connectors were seen to need.
struct Seen {
    count: usize,
    url: String,
    folder: PathBuf,
    start_ms: Sample,
    resident_kib: Sample,
    written_kib: Sample,
}

/// Runs of one connector, in nanoseconds.
struct Runs {
    /// On an engine that has no other.
    alone: Histogram<u64>,
    /// On an engine that has all, while nobody uses the others.
    among: Histogram<u64>,
    /// Of all of them, one after the other.
    in_turn: Histogram<u64>,
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let file = world.places.example(EXAMPLE);
    if !file.is_file() {
        report.note(format!("many connectors were left out: {} is not there; `make bench` builds it", file.display()));
        return Ok(());
    }
    let example = fs::read(file)?;
    let components: Vec<Vec<u8>> =
        (0..plan.connectors).map(|number| renamed(&example, number)).collect::<anyhow::Result<_>>()?;
    let versions = judge(world, &components)?;
    let digests = versions.iter().map(|version| *version.digest()).collect();
    let runs = runs(world, digests, plan.connector_runs)?;

    // Nothing lies there: what is installed is what the database has.
    let folder = world.places.home.join("no-connectors");
    fs::create_dir_all(&folder)?;
    let mut seen = Vec::new();
    for count in [0, 1, plan.connectors] {
        let url = world.postgres.further(&format!("installed_{count}"))?;
        let of = Seen {
            count,
            url,
            folder: folder.clone(),
            start_ms: Sample::default(),
            resident_kib: Sample::default(),
            written_kib: Sample::default(),
        };
        say(&format!("… {count} are installed and activated"));
        start(world, &of)?;
        install(world, &of, versions.iter().zip(&components).take(count))?;
        seen.push(of);
    }
    for _ in 0..plan.starts {
        for of in &mut seen {
            let took_ms = start(world, of)?;
            of.start_ms.push(took_ms);
            thread::sleep(REST);
            let host = world.host.id();
            of.resident_kib.push(float(procfs::resident_kib(host)?));
            of.written_kib.push(float(procfs::written_kib(host)?));
        }
    }
    fs::remove_dir_all(&folder)?;
    world.restart_host(&world.places.host())?;
    tell(&seen, &runs, plan, report);
    Ok(())
}

/// The component under a name of its own. The name stands where the descriptor takes it from, and maybe in its cassettes.
fn renamed(component: &[u8], number: usize) -> anyhow::Result<Vec<u8>> {
    let name = format!("tiny-{number:04}");
    ensure!(name.len() == EXAMPLE.len(), "a name of another length has no place");
    let mut renamed = component.to_vec();
    let places: Vec<usize> = component
        .windows(EXAMPLE.len())
        .enumerate()
        .filter(|(_, part)| *part == EXAMPLE.as_bytes())
        .map(|(at, _)| at)
        .collect();
    ensure!(!places.is_empty(), "`{EXAMPLE}` does not stand in its component");
    for at in places {
        let place = renamed.get_mut(at..at + name.len()).context("it was found there")?;
        place.copy_from_slice(name.as_bytes());
    }
    Ok(renamed)
}

/// Has every component judged and compiled, or read from the cache that hosts share. Without the conformance kit: they are
/// all the same code.
fn judge(world: &World, components: &[Vec<u8>]) -> anyhow::Result<Vec<Arc<Version>>> {
    let engine = world.engine()?;
    let mut versions = Vec::new();
    for (number, component) in components.iter().enumerate() {
        if number % TELL_EVERY == 0 {
            say(&format!("… {number} of {} are compiled, or in the cache", components.len()));
        }
        let version = engine.load(component);
        versions.push(version.map_err(|refused| anyhow::anyhow!("copy {number} was refused: {refused}"))?);
    }
    Ok(versions)
}

/// Keeps them as another host would have, and has the host that runs activate each.
fn install<'a>(
    world: &World,
    of: &Seen,
    installed: impl Iterator<Item = (&'a Arc<Version>, &'a Vec<u8>)>,
) -> anyhow::Result<()> {
    let operator = world.operator()?;
    let mut conn = world.postgres.block_on(PgConnection::connect(&of.url))?;
    for (version, component) in installed {
        let new = NewVersion {
            name: version.name(),
            version: version.version(),
            digest: version.digest(),
            descriptor: serde_json::to_value(version.descriptor())?,
            component,
            report: serde_json::to_value(version.report())?,
            signature: None,
            now: Clock::real().now(),
        };
        let audit = Audit::new(Ids::default().v7(), &Actor::ConnectorsFolder);
        world.postgres.block_on(store::connectors::insert(&mut conn, &new, &audit))?;
        let path = format!("/admin/connectors/{}/versions/{}/activate", version.name(), version.version());
        world.send(&operator, Method::POST, &path, None, Body::Json(json!({})))?;
    }
    world.postgres.block_on(conn.close())?;
    Ok(())
}

/// Starts a host on that database, and says how long it took until it was ready, in milliseconds.
fn start(world: &mut World, of: &Seen) -> anyhow::Result<f64> {
    let settings = [("DATABASE_URL", of.url.clone()), ("INTERLOCK_CONNECTORS_DIR", of.folder.display().to_string())];
    world.restart_host_with(&world.places.host(), &settings)?;
    Ok(world.host.took.as_secs_f64() * 1_000.0)
}

/// Runs one connector alone and among all.
fn runs(world: &World, digests: Vec<[u8; 32]>, count: usize) -> anyhow::Result<Runs> {
    let engines = [world.engine()?, world.engine()?];
    // A deep recursion of the component must end at its own bound and not at ours.
    let thread = thread::Builder::new().stack_size(STACK_BYTES);
    let measured = thread.spawn(move || measured(engines, &digests, count))?;
    measured.join().map_err(|_| anyhow::anyhow!("it panicked"))?
}

fn measured(engines: [Engine; 2], digests: &[[u8; 32]], count: usize) -> anyhow::Result<Runs> {
    let [alone, among] = engines.map(Bed::new);
    let (alone, among) = (alone?, among?);
    let load = |bed: &Bed, digest: &[u8; 32]| bed.engine.cached(digest).context("it is in the cache");
    let one = digests.first().context("there are some")?;
    let by_itself = load(&alone, one)?;
    let all: Vec<Arc<Version>> = digests.iter().map(|digest| load(&among, digest)).collect::<anyhow::Result<_>>()?;
    let beside = all.first().context("there are some")?;
    let mut runs = Runs { alone: times()?, among: times()?, in_turn: times()? };
    for counts in [false, true] {
        for _ in 0..if counts { count.div_ceil(TURN) } else { 1 } {
            for number in 0..TURN {
                timed(&alone, &by_itself, &mut runs.alone)?;
                timed(&among, beside, &mut runs.among)?;
                let next = all.get(number % all.len()).context("it is one of them")?;
                if counts || number < all.len() {
                    timed(&among, next, &mut runs.in_turn)?;
                }
            }
        }
        if !counts {
            runs.alone.reset();
            runs.among.reset();
            runs.in_turn.reset();
        }
    }
    Ok(runs)
}

fn timed(bed: &Bed, version: &Version, times: &mut Histogram<u64>) -> anyhow::Result<()> {
    let began = Instant::now();
    let step = bed.run(version, &Arc::default())?;
    record(times, began.elapsed());
    drop(step);
    Ok(())
}

fn tell(seen: &[Seen], runs: &Runs, plan: &Plan, report: &mut Report) {
    let of = |count: usize| seen.iter().find(|of| of.count == count);
    let mib = |kib: &Sample| number(kib.median() / 1_024.0);
    let (Some(one), Some(most)) = (of(1), seen.last()) else { return };
    let each =
        |pick: fn(&Seen) -> &Sample| ratio(pick(most).median() - pick(one).median(), float_of(most.count - one.count));
    let (resident, written) = (each(|of| &of.resident_kib), each(|of| &of.written_kib));
    let p50 = |times: &Histogram<u64>| us(times, 0.5);
    let slower = ratio(p50(&runs.among), p50(&runs.alone));
    report.section(Section {
        title: "Many connectors",
        about: format!(
            "Copies of {EXAMPLE} under names of their own, installed and active, compiled images in the cache; {} starts of \
             each, in turn. From the start of the process to its ready line, and memory in MiB at rest. One connector adds {} \
             KiB in RAM, of that {} KiB written. A fresh run takes {} µs on an engine that has no other connector, {} µs on one \
             that has {}, and {} µs where all of them run in turn (p50).",
            plan.starts,
            number(resident),
            number(written),
            number(p50(&runs.alone)),
            number(p50(&runs.among)),
            most.count,
            number(p50(&runs.in_turn)),
        ),
        columns: vec!["installed", "start ms", "in RAM", "of that written"],
        rows: seen
            .iter()
            .map(|of| {
                vec![of.count.to_string(), of.start_ms.show(), mib(&of.resident_kib), mib(&of.written_kib)]
            })
            .collect(),
        data: json!({
            "hosts": seen.iter().map(|of| json!({
                "installed": of.count, "start_ms": of.start_ms.to_json(), "resident_kib": of.resident_kib.to_json(),
                "written_kib": of.written_kib.to_json(),
            })).collect::<Vec<_>>(),
            "resident_kib_each": resident, "written_kib_each": written,
            "alone_p50_us": p50(&runs.alone), "among_p50_us": p50(&runs.among), "in_turn_p50_us": p50(&runs.in_turn),
        }),
    });
    let start = most.start_ms.median();
    report.aim(
        format!("start to ready with {} connectors, warm cache", most.count),
        "below 1,000 ms",
        format!("{} ms", number(start)),
        start < START_AIM_MS,
    );
    report.aim(
        format!("a fresh run among {} connectors against alone", most.count),
        "at most 1.10 times",
        format!("{} times", number(slower)),
        slower <= RUN_AIM,
    );
}
