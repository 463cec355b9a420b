//! One private cluster for a run, one database for a test.
//!
//! `with-postgres` starts the cluster, makes the template and tells its children by [`ADMIN_URL_VARIABLE`]. A test that
//! stops and starts Postgres itself has a cluster of its own ([`Cluster::start`]).

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::Context as _;
use interlock::dev::postgres::{Durability, PrivatePostgres};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

/// Names the database `postgres` of the run's cluster, as a user who may create others.
pub const ADMIN_URL_VARIABLE: &str = "INTERLOCK_TEST_POSTGRES";
/// The database that every test's is a copy of.
const TEMPLATE: &str = "interlock_template";
/// Connections of one test that looks into its database.
const CONNECTIONS_MAX: u32 = 4;

/// A running cluster in a folder of its own. Dropped, it is stopped and removed.
pub struct Cluster {
    running: Option<PrivatePostgres>,
    folder: TempDir,
}

impl Cluster {
    /// Starts an empty one. Blocks for a second or two.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("interlock-test-").tempdir()?;
        // Started by root, the server is another user, who must be able to pass.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let running = Some(launch(folder.path())?);
        Ok(Self { running, folder })
    }

    /// The database `postgres`, for those who create others.
    pub fn admin_url(&self) -> String {
        self.running.as_ref().expect("the cluster runs").url_of("postgres")
    }

    /// Stops the server as an operator would: sessions are ended, what was committed is kept.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    /// Starts it again, at the same place and with the same password.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        if self.running.is_none() {
            self.running = Some(launch(self.folder.path())?);
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let running = self.running.take().or_else(|| launch(self.folder.path()).ok());
        if let Some(running) = running
            && let Err(error) = running.remove()
        {
            report(&format!("the test cluster could not be removed: {error:#}"));
        }
    }
}

/// Tests begin anew anyway, and kill hosts, not machines: nothing has to reach the disk.
fn launch(folder: &Path) -> anyhow::Result<PrivatePostgres> {
    PrivatePostgres::start(&folder.join("postgres"), Durability::None, &|_| ())
}

/// Makes the template: the schema as a host would find it after its first start.
pub async fn make_template(admin_url: &str) -> anyhow::Result<()> {
    create(admin_url, TEMPLATE, "template0").await?;
    let pool = PgPool::connect(&url_of(admin_url, TEMPLATE)).await?;
    interlock::store::MIGRATOR.run(&pool).await.context("the schema could not be made")?;
    // A database with a connection to it cannot be copied.
    pool.close().await;
    Ok(())
}

/// The database of one test.
pub struct Database {
    name: String,
    admin_url: String,
    url: String,
    pool: PgPool,
    /// Where the test has a cluster of its own.
    cluster: Option<Cluster>,
}

impl Database {
    /// A copy of the template in the run's cluster.
    pub async fn new() -> Self {
        let Ok(admin_url) = std::env::var(ADMIN_URL_VARIABLE) else {
            panic!(
                "{ADMIN_URL_VARIABLE} is not set: run `make test`, or one test by \
                 `cargo run -p interlock-tests --bin with-postgres -- cargo nextest run -p interlock-tests NAME`"
            )
        };
        Self::copy(admin_url, None).await.unwrap_or_else(|error| panic!("no database for this test: {error:#}"))
    }

    /// The same in a cluster of its own, which the test may stop and start.
    pub async fn in_own_cluster() -> Self {
        let make = async {
            let cluster = tokio::task::spawn_blocking(Cluster::start).await??;
            let admin_url = cluster.admin_url();
            make_template(&admin_url).await?;
            Self::copy(admin_url, Some(cluster)).await
        };
        make.await.unwrap_or_else(|error| panic!("no cluster for this test: {error:#}"))
    }

    async fn copy(admin_url: String, cluster: Option<Cluster>) -> anyhow::Result<Self> {
        let name = format!("t_{}", Uuid::now_v7().simple());
        create(&admin_url, &name, TEMPLATE).await?;
        let url = url_of(&admin_url, &name);
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).connect_lazy(&url)?;
        Ok(Self { name, admin_url, url, pool, cluster })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where hosts find it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Connections for looking into it.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Stops the test's own cluster.
    pub async fn stop(&mut self) {
        let mut cluster = self.own_cluster();
        self.cluster = tokio::task::spawn_blocking(move || {
            cluster.stop();
            Some(cluster)
        })
        .await
        .expect("stopping does not panic");
    }

    /// Starts the test's own cluster again.
    pub async fn start_again(&mut self) {
        let mut cluster = self.own_cluster();
        self.cluster = tokio::task::spawn_blocking(move || {
            cluster.start_again().unwrap_or_else(|error| panic!("Postgres does not start again: {error:#}"));
            Some(cluster)
        })
        .await
        .expect("it started once");
    }

    /// Removes it. Whoever is still connected is not any more.
    pub async fn remove(&self) {
        if self.cluster.is_some() {
            return;
        }
        let statement = format!("drop database if exists {} with (force)", self.name);
        if let Err(error) = run(&self.admin_url, &statement).await {
            report(&format!("the database {} could not be dropped: {error:#}", self.name));
        }
    }

    fn own_cluster(&mut self) -> Cluster {
        self.cluster.take().expect("only a world with `own_postgres()` may stop its Postgres")
    }
}

async fn create(admin_url: &str, name: &str, template: &str) -> anyhow::Result<()> {
    run(admin_url, &format!("create database {name} template {template}")).await
}

async fn run(url: &str, statement: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await.context("the test cluster is out of reach")?;
    // The names in it are ours.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.with_context(|| statement.to_owned())?;
    connection.close().await?;
    Ok(())
}

/// The URL of another database of the same cluster.
fn url_of(admin_url: &str, database: &str) -> String {
    let mut url = Url::parse(admin_url).expect("the cluster's URL is one");
    url.set_path(database);
    url.into()
}

/// Tells the person who runs the tests.
pub(crate) fn report(line: &str) {
    use std::io::Write as _;

    // Nobody is left to tell where standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}
