//! The run's own Postgres: it can be struck down as a crash would, and looked into.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use interlock_tests::harness::postgres::{Cluster, make_template};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, PgPool, Row as _, postgres::PgPoolOptions};

/// The database of the run.
const NAME: &str = "chaos";
/// Our own connections to it.
const CONNECTIONS_MAX: u32 = 4;
/// How long a session of ours may wait for a connection.
const PATIENCE: Duration = Duration::from_secs(20);

/// A cluster of our own with one database.
pub struct Database {
    /// None only while it is being struck down.
    cluster: Option<Cluster>,
    pub url: String,
    pub pool: PgPool,
    /// The process that all sessions are children of.
    postmaster: Pid,
    programs: String,
}

impl Database {
    /// Starts it with an empty database that has the schema.
    pub async fn start() -> anyhow::Result<Self> {
        let cluster = tokio::task::spawn_blocking(Cluster::start).await??;
        let admin_url = cluster.admin_url();
        make_template(&admin_url).await?;
        let admin = PgPoolOptions::new().max_connections(1).connect(&admin_url).await?;
        let create = format!("create database {NAME} template interlock_template");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&admin).await?;
        let programs = sqlx::query_scalar("select setting from pg_config where name = 'BINDIR'");
        let programs = programs.fetch_one(&admin).await?;
        admin.close().await;
        let url = admin_url.replacen("/postgres?", &format!("/{NAME}?"), 1);
        ensure!(url != admin_url, "the cluster's URL has no database to replace");
        let pool =
            PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(PATIENCE).connect(&url).await?;
        let postmaster = postmaster(&pool).await?;
        Ok(Self { cluster: Some(cluster), url, pool, postmaster, programs })
    }

    /// Stops Postgres in its immediate mode, which is a crash to everybody, and starts it again: it recovers from its
    /// log. What was committed is there; sessions are gone.
    pub async fn crash(&mut self, down: Duration) -> anyhow::Result<()> {
        kill_process(self.postmaster, Signal::QUIT).context("Postgres does not run")?;
        let mut cluster = self.cluster.take().context("Postgres is struck down once at a time")?;
        tokio::time::sleep(down).await;
        let restarted = tokio::task::spawn_blocking(move || {
            // It has ended, or is about to; this waits for it.
            cluster.stop();
            cluster.start_again().map(|()| cluster)
        });
        self.cluster = Some(restarted.await??);
        self.postmaster = postmaster(&self.pool).await?;
        Ok(())
    }

    /// One number.
    pub async fn count(&self, sql: &'static str) -> anyhow::Result<i64> {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.with_context(|| sql.to_owned())
    }

    /// The first column of every row, as text.
    pub async fn texts(&self, sql: &str) -> anyhow::Result<Vec<String>> {
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.pool).await.with_context(|| sql.to_owned())?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Everything that is in it, as SQL.
    pub fn dump(&self, to: &Path) -> anyhow::Result<()> {
        let program = Path::new(&self.programs).join("pg_dump");
        let output = Command::new(program).arg("--dbname").arg(&self.url).output().context("pg_dump does not run")?;
        ensure!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
        fs::write(to, output.stdout).with_context(|| format!("{} could not be written", to.display()))
    }
}

/// As the server's own file says.
async fn postmaster(pool: &PgPool) -> anyhow::Result<Pid> {
    // The first connections after a crash are refused, or found to be dead.
    let mut folder: Result<String, sqlx::Error> = Err(sqlx::Error::PoolTimedOut);
    for _ in 0..40 {
        folder = sqlx::query_scalar("show data_directory").fetch_one(pool).await;
        if folder.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let path = Path::new(&folder?).join("postmaster.pid");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    pid.context("the server's file names its process")
}
