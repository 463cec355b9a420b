//! `interlock dev`: everything that one needs to try Interlock, in one process tree and one folder.
//!
//! A private Postgres ([`postgres`]), the gateway simulator, a host in this process, and in it a merchant, an API key and
//! an account at the simulator. What it makes is kept in the data folder, so that the second start is quick and finds
//! the payments of the first. Everything ends with this process, however that ends.

mod bootstrap;
mod child;
mod files;
mod kept;
pub mod postgres;
mod postgres_programs;
mod simulator;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use self::bootstrap::reachable;
use self::{
    bootstrap::{Addresses, bootstrap},
    kept::{Kept, World},
    postgres::{Durability, PrivatePostgres},
    simulator::Simulator,
};
use crate::{
    config::{Config, Hidden, Layers, settings},
    connector::Admission,
    serve::{Ready, serve},
};

/// Where everything is kept where nobody says otherwise, below the working folder.
pub const DATA_DIR: &str = ".interlock";
/// How often the children are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Starts everything, says so, and runs until `shutdown`; then everything ends in order.
pub async fn run(data_dir: &Path, layers: Layers, shutdown: CancellationToken) -> anyhow::Result<()> {
    fs::create_dir_all(data_dir).with_context(|| format!("{} could not be made", data_dir.display()))?;
    let home = data_dir.canonicalize()?;
    let _lock = files::lock(&home)?;
    let mut kept = Kept::open(&home)?;
    let layers = with_defaults(layers, &home, &kept)?;
    // A bad setting is said now, and not after Postgres was started for nothing.
    let config = Config::read(&layers.clone().with_default(&settings::DATABASE_URL, "postgres://localhost/interlock"))?;
    ensure!(
        config.tls.is_none(),
        "`dev` speaks plain HTTP on loopback; {} and {} are for `serve`",
        settings::TLS_CERT.name,
        settings::TLS_KEY.name
    );

    let postgres = if layers.sets(&settings::DATABASE_URL) {
        say("using the database of DATABASE_URL");
        None
    } else {
        say("starting Postgres");
        Some(start_postgres(home.join("postgres")).await?)
    };
    let layers = match &postgres {
        Some(postgres) => layers.with_default(&settings::DATABASE_URL, postgres.url()),
        None => layers,
    };
    let admission = Admission::by_own_program().context("our own program has no path")?;
    let config = Config::read(&layers)?.judging(admission);
    if shutdown.is_cancelled() {
        return Ok(());
    }
    say("starting the gateway simulator");
    let simulator = Simulator::start(&home, &kept.simulator)?;
    kept.simulator.port = simulator.url.rsplit(':').next().and_then(|port| port.parse().ok());
    kept.save()?;
    // In this order they end: the simulator, then Postgres.
    let mut children = Children { simulator, postgres };
    let ended = Box::pin(run_host(config, &mut kept, &mut children, &shutdown)).await;
    say("stopping");
    tokio::task::spawn_blocking(move || drop(children)).await.context("the children are being stopped")?;
    ended
}

/// The token of the `dev` that keeps its things in `data_dir`, if there is one.
#[must_use]
pub fn operator_token(data_dir: &Path) -> Option<Hidden<String>> {
    let kept = Kept::read(&data_dir.join(kept::FILE)).ok()??;
    Some(Hidden::new(kept.operator_token))
}

/// What runs beside us. Fields are dropped in their order.
struct Children {
    simulator: Simulator,
    postgres: Option<PrivatePostgres>,
}

impl Children {
    /// Waits until one of them ends that should not, and says why.
    async fn watch(&mut self) -> String {
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            let ended = self.simulator.ended().or_else(|| self.postgres.as_mut().and_then(PrivatePostgres::ended));
            if let Some(why) = ended {
                return why;
            }
        }
    }
}

/// What holds in `dev` where nobody says otherwise.
fn with_defaults(layers: Layers, home: &Path, kept: &Kept) -> anyhow::Result<Layers> {
    let layers = layers
        .with_default(&settings::OPERATOR_TOKEN, &kept.operator_token)
        .with_default(&settings::MASTER_KEY, &kept.master_key)
        .with_default(&settings::ALLOW_PRIVATE_NETWORKS, "true")
        .with_default(&settings::CACHE_DIR, home.join("cache").display().to_string());
    if layers.sets(&settings::CONNECTORS_DIR) {
        return Ok(layers);
    }
    let connectors = built_connectors()?;
    Ok(layers.with_default(&settings::CONNECTORS_DIR, connectors.display().to_string()))
}

/// `target/connectors`, as seen from `target/release/interlock`.
fn built_connectors() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("our own program has a path")?;
    let folder = program.ancestors().nth(2).map(|target| target.join("connectors")).unwrap_or_default();
    if !folder.join("mock.wasm").is_file() {
        bail!(
            "the connector `mock` is not at {}; `make build` puts it there, or {} names another folder",
            folder.join("mock.wasm").display(),
            settings::CONNECTORS_DIR.name
        );
    }
    Ok(folder)
}

async fn start_postgres(folder: PathBuf) -> anyhow::Result<PrivatePostgres> {
    tokio::task::spawn_blocking(move || PrivatePostgres::start(&folder, Durability::Full, &say))
        .await
        .context("Postgres is being started")?
}

/// Runs the host until it is told to end, or until what it needs has ended.
async fn run_host(
    config: Config,
    kept: &mut Kept,
    children: &mut Children,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let stop = shutdown.child_token();
    let database_url = config.database_url.clone();
    let operator_token = config.operator_token.clone();
    let (tell, told) = oneshot::channel();
    say("starting the host");
    let host = serve(config, stop.clone().cancelled_owned(), move |ready: &Ready| {
        // Nobody waits any more where we are stopping already.
        let _ = tell.send((ready.public.clone(), ready.operator.clone()));
    });
    tokio::pin!(host);
    let beside = async {
        // Where the host does not come to that, the other arm says why.
        let Ok((public, operator)) = told.await else { return std::future::pending().await };
        let at = Addresses { public: &public, operator: &operator, simulator: &children.simulator.url };
        let world = bootstrap(kept, &database_url, operator_token.expose(), &at).await?;
        announce(&world, operator_token.expose(), &at)?;
        tokio::select! {
            why = children.watch() => bail!("{why}"),
            () = stop.cancelled() => Ok(()),
        }
    };
    tokio::select! {
        ended = &mut host => ended,
        ended = beside => {
            stop.cancel();
            let drained = host.await;
            ended.and(drained)
        }
    }
}

/// The contract with programs that start `dev`. Serialisable although it holds keys: handing them out is what it is for,
/// and they open test data alone.
#[derive(serde::Serialize)]
struct ReadyLine<'a> {
    event: &'static str,
    public: &'a str,
    operator: &'a str,
    api_key: &'a str,
    operator_token: &'a str,
    gateway_account: &'a str,
    simulator: &'a str,
}

/// The line for programs on standard output, and what a person may do now on standard error.
fn announce(world: &World, operator_token: &str, at: &Addresses<'_>) -> anyhow::Result<()> {
    let ready = ReadyLine {
        event: "ready",
        public: at.public,
        operator: at.operator,
        api_key: &world.api_key,
        operator_token,
        gateway_account: &world.gateway_account,
        simulator: at.simulator,
    };
    let ready = serde_json::to_string(&ready).context("texts have a form in JSON")?;
    let mut out = std::io::stdout();
    writeln!(out, "{ready}").and_then(|()| out.flush()).context("standard output is closed")?;
    let public = reachable(at.public);
    eprintln!(
        "
Ready. A payment (with card 4000000000000002 it is declined):

  curl -i {public}/v1/payments -H 'Authorization: Bearer {key}' \\
    -H 'Idempotency-Key: first-payment' -H 'Content-Type: application/json' \\
    -d '{{\"amount\":1250,\"currency\":\"EUR\",\"confirm\":true,\"payment_method\":{{\"type\":\"card\",\"card\":{{\"number\":\"4242424242424242\",\"expiry_month\":12,\"expiry_year\":2030,\"cvc\":\"123\"}}}}}}'

  API: {public}/docs    gateway simulator: {simulator}/__ledger    Ctrl-C ends all of it
",
        key = world.api_key,
        simulator = at.simulator,
    );
    Ok(())
}

/// Says to the person at the terminal what is being done.
fn say(what: &str) {
    eprintln!("interlock: {what}");
}
