//! `interlock-chaos`: payments on three hosts that are killed, frozen and drained, on a database that crashes, at
//! gateways that fail in every way they know, for clients of which some misuse their keys. Afterwards a checker compares
//! the gateways' books, the database, the answers that clients saw and the events.
//!
//! Everything is real: processes, Postgres, components, HTTP on loopback. The seed decides what clients do, what befalls
//! whom and which faults are drawn; threads of the machine decide the rest. Exit code 0 only where nothing is broken.

#![expect(clippy::indexing_slicing, reason = "of JSON: what is absent is null there")]

mod check;
mod client;
mod dice;
mod facts;
mod journeys;
mod monkey;
mod mutations;
mod owner;
mod plan;
mod play;
mod settle;
mod story;
mod weather;
mod world;

use std::{io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};
use interlock_tests::harness;

use self::{plan::Plan, play::Verdict};

/// Many payments through everything that may go wrong, and a check of all books; see `make chaos`.
#[derive(Parser)]
#[command(name = "interlock-chaos", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(clap::Args)]
struct Run {
    /// What decides everything; printed at the beginning, and taken from the clock where it is not said
    #[arg(long)]
    seed: Option<u64>,
    /// How many payments
    #[arg(long, default_value_t = 20_000)]
    payments: u32,
    /// How many minutes all of it may take; clients stop in time, however many payments are made
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// 500 payments in less than a minute and a half; 200 through a connector that is not the mock
    #[arg(long)]
    quick: bool,
    /// Through whose connector and face: mock, stripe, razorpay, adyen, paypal; several are played one after the other
    #[arg(long, value_delimiter = ',', default_value = "mock", value_parser = through)]
    gateway: Vec<&'static harness::Gateway>,
}

fn through(name: &str) -> Result<&'static harness::Gateway, String> {
    let known = || harness::gateways::ALL.map(|gateway| gateway.name).join(", ");
    harness::gateways::named(name).ok_or_else(|| format!("known are {}", known()))
}

#[derive(Subcommand)]
enum Command {
    /// Breaks the host on purpose, in one way after the other, and demands that the checker finds each
    Mutations {
        /// As above
        #[arg(long)]
        seed: Option<u64>,
        /// Accepted for symmetry: these runs are short anyway
        #[arg(long)]
        quick: bool,
        /// Only these
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// The same schedules on hosts that are not broken: the rules must hold there
        #[arg(long)]
        control: bool,
    },
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let work = work(Arguments::parse());
    // Interrupted, everything that was started is dropped, and ends.
    let result = tokio::select! {
        result = work => result,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether everything is as it must be.
async fn work(arguments: Arguments) -> anyhow::Result<bool> {
    match arguments.command {
        None => {
            let Run { seed, payments, minutes, quick, gateway } = arguments.run;
            let seed = seed.unwrap_or_else(any_seed);
            let mut sound = true;
            for through in gateway {
                let full = || Plan { through, ..Plan::full(seed, payments, minutes) };
                let plan = if quick { Plan::quick_through(seed, through) } else { full() };
                let size =
                    if quick { "--quick".to_owned() } else { format!("--payments {payments} --minutes {minutes}") };
                let gateway = through.name;
                say(&format!("seed {seed}; again with `make chaos ARGS=\"--seed {seed} --gateway {gateway} {size}\"`"));
                sound &= play::play(&plan, &format!("run-{gateway}-{seed}"), None).await? == Verdict::Sound;
            }
            Ok(sound)
        }
        Some(Command::Mutations { seed, quick: _, only, control }) => {
            mutations::all(seed.unwrap_or_else(any_seed), &only, control).await
        }
    }
}

/// Another one for every run.
fn any_seed() -> u64 {
    u64::from(fastrand::u32(..))
}

/// Tells the person at the terminal what is being done.
pub fn say(what: &str) {
    // Nobody is left to tell where standard error is closed.
    let _ = writeln!(std::io::stderr(), "chaos: {what}");
}
