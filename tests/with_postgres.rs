//! `with-postgres -- COMMAND …`: runs a command with a Postgres that lives as long as it does.
//!
//! The command finds it in `INTERLOCK_TEST_POSTGRES`; its exit code is ours. `with-postgres -- bash` gives a shell in
//! which tests can be run one by one, and the databases of failed ones looked into.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    process::{ExitCode, ExitStatus},
};

use anyhow::{Context as _, bail};
use interlock_tests::harness::postgres::{ADMIN_URL_VARIABLE, Cluster, make_template};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

/// What shells add to the number of the signal that ended a command.
const SIGNAL_BASE: i32 = 128;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1).skip_while(|argument| argument == "--");
    let Some(program) = arguments.next() else {
        bail!("what is to be run? with-postgres -- cargo nextest run --workspace")
    };
    let cluster = tokio::task::spawn_blocking(Cluster::start).await??;
    let admin_url = cluster.admin_url();
    make_template(&admin_url).await?;
    let status = run(program, arguments.collect(), &admin_url).await;
    tokio::task::spawn_blocking(move || drop(cluster)).await?;
    let status = status?;
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNAL_BASE + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Runs the command to its end. Ctrl-C reaches it without us; a SIGTERM is passed on. Either way the cluster outlives it.
async fn run(program: OsString, arguments: Vec<OsString>, admin_url: &str) -> anyhow::Result<ExitStatus> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let shown = program.display().to_string();
    let mut child = Command::new(program)
        .args(arguments)
        .env(ADMIN_URL_VARIABLE, admin_url)
        .spawn()
        .with_context(|| format!("{shown} could not be started"))?;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(status?),
            _ = interrupted.recv() => {}
            _ = terminated.recv() => terminate(&child),
        }
    }
}

fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // It may have ended by itself just now.
    let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
}
