//! `interlock-bench`: measures what Interlock costs, as ratios within one run, and says which aims are met.
//!
//! Everything is real and on loopback: a private Postgres that waits for its disk, the host as a process, the gateway
//! simulator, the mock connector. Pairs are measured in turn (A, B, A, B …), so that a machine that gets slower or
//! faster meanwhile does so for both. It ends all that it started.

#![expect(clippy::float_arithmetic, reason = "figures about speed, none about money")]

mod child;
mod floor;
mod load;
mod machine;
mod measure;
mod outbox;
mod plan;
mod postgres;
mod procfs;
mod receiver;
mod relay;
mod report;
mod stats;
mod world;

use std::{fs, io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Parser;
use interlock::clock::Clock;

use self::{
    measure::{Findings, Measure},
    plan::Plan,
    report::Report,
    world::World,
};

/// Measures a release build of this checkout; see `make bench`.
#[derive(Parser)]
#[command(name = "interlock-bench", version)]
struct Arguments {
    /// Five minutes instead of a quarter of an hour: fewer rounds, shorter ones, fewer degrees of concurrency
    #[arg(long)]
    quick: bool,
    /// Only these, in this order; all of them where none is named
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Measure>,
    /// The folder with `interlock` and `interlock-simulator`; that of this program where it is not said
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// A setting of the host, such as `INTERLOCK_ENGINE_THREADS=4`; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Another build of the host, whose rate and CPU per payment are measured in turn with the first's
    #[arg(long, value_name = "PROGRAM")]
    against: Option<PathBuf>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let plan = if arguments.quick { Plan::quick() } else { Plan::full() };
    let places = world::Places::find(arguments.programs)?;
    let measures = if arguments.only.is_empty() { Measure::all() } else { arguments.only };
    let began = Clock::real().now();

    let load = procfs::load_average()?;
    let mut world = World::start(places, arguments.settings, arguments.against)?;
    let mut report = Report::new(began, machine::describe(&mut world, load)?);
    let mut findings = Findings::default();
    for measure in measures {
        if plan.is_over() {
            report.note(format!("`{}` was left out: the time of a run is over", measure.name()));
            continue;
        }
        say(&format!("measuring {}", measure.name()));
        let result = measure.run(&mut world, &plan, &mut findings, &mut report);
        result.with_context(|| format!("`{}` could not be measured", measure.name()))?;
    }
    report.disk_after(machine::disk(&mut world)?);
    let folder = world.places.home.clone();
    world.end()?;

    let file = folder.join(format!("{}.json", began.format("%Y-%m-%dT%H-%M-%SZ")));
    let json = serde_json::to_vec_pretty(&report.to_json())?;
    fs::write(&file, json).with_context(|| format!("{} could not be written", file.display()))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", report.to_markdown())?;
    writeln!(out, "As JSON: {}", file.display())?;
    Ok(())
}

/// Tells the person at the terminal what is being done.
pub fn say(what: &str) {
    // Nobody is left to tell where standard error is closed.
    let _ = writeln!(std::io::stderr(), "bench: {what}");
}
