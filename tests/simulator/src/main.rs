//! The simulator's command line.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use clap::{Parser, ValueEnum};
use interlock_simulator::{Settings, Simulator};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// A payment gateway that moves no money, with faults on demand. See README.md for its endpoints.
#[derive(Parser)]
#[command(name = "interlock-simulator", version)]
struct Arguments {
    /// Where to listen; port 0 takes any that is free.
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddr,
    /// Decides ids and chance. Without it every run has others.
    #[arg(long)]
    seed: Option<u64>,
    /// The face whose paths need no prefix: mock, stripe, razorpay, adyen or paypal.
    #[arg(long, default_value = "mock")]
    root: String,
    /// Where webhooks go; more can be added while it runs.
    #[arg(long, requires = "webhook_secret")]
    webhook_url: Option<String>,
    /// What webhooks are signed with.
    #[arg(long, requires = "webhook_url", env = "SIMULATOR_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Option<String>,
    /// Whether the header Idempotency-Key is known.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    idempotency: Switch,
    /// Whether charges and refunds are found by their reference.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    lookup: Switch,
    /// A bearer token to accept; may be given several times. Without it any is.
    #[arg(long = "api-key")]
    api_keys: Vec<String>,
    /// How long something pending stays pending, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    settle_ms: u64,
    /// Ends when standard input is closed: no simulator survives the program that started it.
    #[arg(long)]
    until_stdin_closes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// One thread: in a load test the simulator must not take the processors from what is measured, and one is enough for
/// tens of thousands of calls a second.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell where standard error is closed too.
            let _ = writeln!(io::stderr(), "interlock-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let orphaned = arguments.until_stdin_closes.then(orphaned);
    let simulator = Simulator::start(Settings {
        address: arguments.addr,
        seed: arguments.seed,
        api_keys: arguments.api_keys,
        idempotency: arguments.idempotency == Switch::On,
        lookup: arguments.lookup == Switch::On,
        settle_ms: arguments.settle_ms,
        webhook: arguments.webhook_url.zip(arguments.webhook_secret),
        root: arguments.root,
    })
    .await?;
    let ready = serde_json::json!({"event": "ready", "url": simulator.url()});
    let mut out = io::stdout();
    writeln!(out, "{ready}")?;
    out.flush()?;
    let closed = async {
        match orphaned {
            Some(closed) => drop(closed.await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
        () = closed => {}
    }
    drop(simulator);
    Ok(())
}

/// Tells when standard input ends. A thread of its own: reading it cannot be interrupted.
fn orphaned() -> oneshot::Receiver<()> {
    let (tell, closed) = oneshot::channel();
    thread::spawn(move || {
        let mut unread = [0; 64];
        while io::stdin().read(&mut unread).is_ok_and(|count| count > 0) {}
        // Whoever waited has ended already.
        let _ = tell.send(());
    });
    closed
}
