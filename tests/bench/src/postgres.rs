//! The private Postgres of a run: its database, its counters, its programs.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use interlock::dev::postgres::{Durability, PrivatePostgres};
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqlSafeStr as _, Statement as _,
    TypeInfo as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use tokio::runtime::Runtime;
use url::Url;

use crate::{relay::Relay, say};

/// The database that is measured; made anew by every run.
const DATABASE: &str = "bench";
/// What counts statements. In Debian it comes with Postgres; elsewhere it may be missing.
const STATEMENTS: &str = "pg_stat_statements";
/// Until every session has taken in a changed setting.
const RELOADED: Duration = Duration::from_millis(300);

/// A running cluster and a connection to the database of this run.
pub struct Postgres {
    conn: PgConnection,
    runtime: Runtime,
    server: PrivatePostgres,
    /// Whether statements can be counted one by one.
    pub counts_statements: bool,
    /// Where this installation has its programs.
    programs: PathBuf,
}

/// What the database has counted up to a moment.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Transactions that began to write: the next number to be given out. Exact.
    pub next_transaction: i64,
    /// Bytes of the write-ahead log, whole pages included. Exact.
    pub wal_bytes: f64,
    /// Commits, reading ones too; what sessions have reported so far.
    pub commits: i64,
    /// Rows that were added to `payments`, reported by the same sessions.
    pub payments: i64,
    /// Updates of rows of `payments`, and those of them that touched no index.
    pub updates: i64,
    pub hot_updates: i64,
}

/// One kind of statement and how often it ran.
pub struct Counted {
    /// The function that sends it, or its first words.
    pub name: String,
    pub calls: i64,
    /// Time in the server, in milliseconds.
    pub time_ms: f64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: f64,
    /// Whole pages among them, which the first change after a checkpoint writes.
    pub wal_pages: i64,
}

impl Postgres {
    /// Starts a cluster in `folder` that waits for its disk as in production, with an empty database.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let launch = || PrivatePostgres::start(folder, Durability::Full, &say);
        let mut server = launch()?;
        let mut admin = runtime.block_on(PgConnection::connect(&server.url_of("postgres")))?;
        let mut run = |sql: String| runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin));
        run(format!("drop database if exists {DATABASE} with (force)"))?;
        run(format!("create database {DATABASE}"))?;
        let available = run(format!("select 1 from pg_available_extensions where name = '{STATEMENTS}'"))?;
        let counts_statements = available.rows_affected() == 1;
        if counts_statements {
            run(format!("alter system set shared_preload_libraries = '{STATEMENTS}'"))?;
            run("alter system set track_io_timing = off".to_owned())?;
        }
        runtime.block_on(admin.close())?;
        if counts_statements {
            // A library is loaded at the start of the server alone.
            server.stop();
            server = launch()?;
        }
        let conn = runtime.block_on(PgConnection::connect(&server.url_of(DATABASE)))?;
        let mut postgres = Self { conn, runtime, server, counts_statements, programs: PathBuf::new() };
        if counts_statements {
            postgres.execute(&format!("create extension {STATEMENTS}"))?;
            postgres.count_statements(false)?;
        }
        postgres.programs = PathBuf::from(postgres.text("select setting from pg_config where name = 'BINDIR'")?);
        Ok(postgres)
    }

    /// Stops the cluster and removes it.
    pub fn end(self) -> anyhow::Result<()> {
        self.runtime.block_on(self.conn.close())?;
        self.server.remove()
    }

    /// Where a host finds the database.
    pub fn url(&self) -> String {
        self.server.url_of(DATABASE)
    }

    /// Where a host finds a further database, which is made anew.
    pub fn further(&mut self, name: &str) -> anyhow::Result<String> {
        self.execute(&format!("drop database if exists {name} with (force)"))?;
        self.execute(&format!("create database {name}"))?;
        Ok(self.server.url_of(name))
    }

    /// What the server writes.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// One of the programs that came with the server, told where the database is.
    pub fn program(&self, name: &str) -> anyhow::Result<Command> {
        let program = self.programs.join(name);
        ensure!(program.is_file(), "{name} is not in {}; Debian has it in `postgresql`", self.programs.display());
        let (url, socket) = self.place()?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command
            .env("PGHOST", socket)
            .env("PGPORT", url.port().context("the socket has a number")?.to_string())
            .env("PGUSER", url.username())
            .env("PGPASSWORD", url.password().unwrap_or_default())
            .env("PGDATABASE", DATABASE)
            .env("LC_ALL", "C");
        Ok(command)
    }

    /// Its URL, and the folder of its socket.
    fn place(&self) -> anyhow::Result<(Url, PathBuf)> {
        let url = Url::parse(&self.url())?;
        let socket = url.query_pairs().find(|(name, _)| name == "host").map(|(_, path)| path.into_owned());
        Ok((url, PathBuf::from(socket.context("the cluster listens at a socket")?)))
    }

    /// A relay to it, and the URL of the database by way of that.
    pub fn relay(&self) -> anyhow::Result<(Relay, String)> {
        let (mut url, socket) = self.place()?;
        let port = url.port().context("the socket has a number")?;
        let relay = Relay::start(socket.join(format!(".s.PGSQL.{port}")))?;
        url.set_query(Some("sslmode=disable"));
        url.set_ip_host([127, 0, 0, 1].into())
            .and_then(|()| url.set_port(Some(relay.port)))
            .map_err(|()| anyhow::anyhow!("the database's URL has no place for an address"))?;
        Ok((relay, url.into()))
    }

    /// The process that all sessions are children of.
    pub fn process(&mut self) -> anyhow::Result<u32> {
        let data = self.text("show data_directory")?;
        let path = Path::new(&data).join("postmaster.pid");
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        text.lines().next().and_then(|line| line.trim().parse().ok()).context("the server's file names its process")
    }

    /// Runs statements that answer nothing.
    pub fn execute(&mut self, sql: &str) -> anyhow::Result<()> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(sql.execute(&mut self.conn))?;
        Ok(())
    }

    /// One text.
    pub fn text(&mut self, sql: &str) -> anyhow::Result<String> {
        Ok(self.one(sql)?.try_get(0)?)
    }

    fn one(&mut self, sql: &str) -> anyhow::Result<PgRow> {
        let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(query.fetch_one(&mut self.conn)).with_context(|| sql.to_owned())
    }

    /// Counts by name.
    pub fn counts(&mut self, sql: &str) -> anyhow::Result<BTreeMap<String, i64>> {
        let rows = self.rows(sqlx::query(AssertSqlSafe(sql.to_owned())))?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Changes a setting of all sessions; none takes it back.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> anyhow::Result<()> {
        let to = value.map_or("default".to_owned(), |value| format!("'{value}'"));
        self.execute(&format!("alter system set {name} = {to}"))?;
        self.execute("select pg_reload_conf()")?;
        std::thread::sleep(RELOADED);
        Ok(())
    }

    /// The types of a statement's parameters, as casts name them.
    pub fn parameter_types(&mut self, sql: &'static str) -> anyhow::Result<Vec<String>> {
        let statement = self.runtime.block_on((&mut self.conn).prepare(sql.into_sql_str()))?;
        let parameters = statement.parameters().and_then(sqlx::Either::left).context("Postgres knows the types")?;
        Ok(parameters.iter().map(|parameter| parameter.name().to_lowercase()).collect())
    }

    /// Counts statements from here on, from nought; or no more.
    pub fn count_statements(&mut self, wanted: bool) -> anyhow::Result<()> {
        if self.counts_statements {
            self.set(&format!("{STATEMENTS}.track"), Some(if wanted { "top" } else { "none" }))?;
            self.execute(&format!("select {STATEMENTS}_reset()"))?;
        }
        Ok(())
    }

    /// What was counted, ours left out; the most frequent first.
    pub fn counted_statements(&mut self) -> anyhow::Result<Vec<Counted>> {
        if !self.counts_statements {
            return Ok(Vec::new());
        }
        let query = sqlx::query(
            "-- bench::postgres::counted_statements
             select query, calls, total_exec_time, wal_bytes::float8, wal_fpi
               from pg_stat_statements
              where dbid = (select oid from pg_database where datname = current_database()) and query not like '-- bench%'
              order by calls desc",
        );
        let rows = self.runtime.block_on(query.fetch_all(&mut self.conn))?;
        let counted = rows.iter().map(|row| {
            let query: String = row.try_get(0)?;
            let first = query.lines().next().unwrap_or_default().trim();
            let name = first.strip_prefix("-- ").unwrap_or(first).to_owned();
            Ok(Counted {
                name,
                calls: row.try_get(1)?,
                time_ms: row.try_get(2)?,
                wal_bytes: row.try_get(3)?,
                wal_pages: row.try_get(4)?,
            })
        });
        counted.collect()
    }

    /// The counters as they are.
    pub fn counters(&mut self) -> anyhow::Result<Counters> {
        let row = self.one(
            "-- bench::postgres::counters
             select pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                    (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8,
                    d.xact_commit, t.n_tup_ins, t.n_tup_upd, t.n_tup_hot_upd
               from pg_stat_database as d, pg_stat_user_tables as t
              where d.datname = current_database() and t.relname = 'payments'",
        )?;
        Ok(Counters {
            next_transaction: row.try_get(0)?,
            wal_bytes: row.try_get(1)?,
            commits: row.try_get(2)?,
            payments: row.try_get(3)?,
            updates: row.try_get(4)?,
            hot_updates: row.try_get(5)?,
        })
    }

    /// Rows.
    pub fn rows(&mut self, query: Query<'_, sqlx::Postgres, PgArguments>) -> anyhow::Result<Vec<PgRow>> {
        Ok(self.runtime.block_on(query.fetch_all(&mut self.conn))?)
    }

    /// A session of its own.
    pub fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(self.block_on(PgConnection::connect(&self.url()))?)
    }

    /// A number.
    pub fn count(&mut self, sql: &str) -> anyhow::Result<i64> {
        Ok(self.one(sql)?.try_get(0)?)
    }

    /// Waits for what is asynchronous; beside it nothing runs.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
