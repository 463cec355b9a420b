//! What we remember: all SQL, one file per table group, free functions on a connection.
//!
//! Every statement begins with a comment that names its function, and says how many rows it must touch: where the
//! count is off, the statement itself fails and nothing of it is kept. No function opens a transaction: most writes are
//! one statement, and where two must be one, `flow` opens and commits.

pub mod answers;
pub mod api_keys;
pub mod attempts;
pub mod audit_log;
pub mod begin;
pub mod connector_health;
pub mod connector_log;
pub mod connector_reports;
pub mod connector_shadows;
pub mod connectors;
pub mod day_keys;
pub mod deliveries;
pub mod delivery_claims;
pub mod delivery_log;
pub mod delivery_results;
pub mod event_ids;
pub mod events;
pub mod finish;
pub mod gateway_accounts;
pub mod idempotency;
pub mod inbox;
pub mod journal;
pub mod merchants;
pub mod notices;
pub mod operations;
pub mod orders;
pub mod outbox;
pub mod outbox_cursors;
pub mod partitions;
pub mod payment_events;
pub mod payments;
pub mod pool;
pub mod quarantine;
pub mod replays;
pub mod reviews;
pub mod routing_rules;
pub mod sessions;
pub mod sinks;
pub mod story;
pub mod tokens;
pub mod unresolved;
pub mod webhook_endpoints;
pub mod work;

use std::str::FromStr;

use sqlx::{FromRow, Row, postgres::PgRow};
use uuid::Uuid;

/// A text column that holds one of our words.
pub(crate) fn enum_column<T: FromStr>(row: &PgRow, column: &str) -> Result<T, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|_| {
        sqlx::Error::Decode(format!("column {column} holds `{text}`, which this program does not know").into())
    })
}

/// The schema, embedded: `serve`, `dev` and `migrate` apply what is missing.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// For how long a transaction that others wait for may stand still between two of its statements, in milliseconds: its host
/// is frozen, or cut off. The server then ends it, long before the time-out that all transactions have.
macro_rules! brief_idle_ms {
    () => {
        "2000"
    };
}

/// Begins a transaction that holds what everybody's events need. One round trip.
pub const BEGIN_BRIEF: &str = concat!("begin; set local idle_in_transaction_session_timeout = ", brief_idle_ms!());

/// The same, and its commit does not wait for the disk. For what is done again where it is lost: a server that crashes
/// forgets the last fraction of a second of such transactions, each as a whole and the latest first. One round trip.
pub const BEGIN_BRIEF_RELAXED: &str = concat!(
    "begin; set local synchronous_commit = off; set local idle_in_transaction_session_timeout = ",
    brief_idle_ms!()
);

/// Rows looked at for one page of a list that is narrowed to what no index knows: some milliseconds of work, however long a
/// history is and however rare what is looked for.
pub const LOOKED_AT_MAX: i64 = 5_000;

/// What was found among at most [`LOOKED_AT_MAX`] rows.
pub struct Looked<T> {
    pub rows: Vec<T>,
    /// The last row that was looked at, where that bound ended the search before there were enough: what is behind it is for
    /// the next page.
    pub until: Option<Uuid>,
}

impl<T: for<'r> FromRow<'r, PgRow>> Looked<T> {
    /// From rows that all have the column `until`, and one of them alone nothing in the column `id` where nothing was found.
    fn from_rows(rows: &[PgRow], id: &str) -> Result<Self, sqlx::Error> {
        let mut looked = Self { rows: Vec::with_capacity(rows.len()), until: None };
        for row in rows {
            looked.until = row.try_get("until")?;
            if row.try_get::<Option<Uuid>, _>(id)?.is_some() {
                looked.rows.push(T::from_row(row)?);
            }
        }
        Ok(looked)
    }
}

/// What can go wrong with a statement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused, or is out of reach.
    #[error("the database did not do as asked")]
    Database(#[source] sqlx::Error),
    /// A row holds what this program does not know. A newer host wrote it, or somebody by hand.
    #[error("{table} holds what this program cannot read: {what}")]
    Unreadable { table: &'static str, what: String },
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let error = Self::Database(error);
        if error.is_transient() {
            pool::doubt_all();
        }
        error
    }
}

impl Error {
    /// Whether the same request may succeed in a moment: the connection broke, the server is away or starting, the
    /// pool is exhausted, or a serialisation failure or deadlock rolled it back. Of a statement that was under way when
    /// the connection broke nobody knows whether it committed: callers that write go on by the idempotency key.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreadable { .. } => false,
            Self::Database(error) => match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => true,
                sqlx::Error::Database(database) => database.code().is_some_and(|code| {
                    // 08 connection, 40 rollback (serialisation, deadlock), 53 resources, 57P0x shutdown and start-up,
                    // 57014 statement_timeout, 55P03 lock_timeout, 25P03 idle in a transaction for too long (this host
                    // stood still), 25006 read-only (a standby that took over)
                    code.starts_with("08")
                        || code.starts_with("40")
                        || code.starts_with("53")
                        || code.starts_with("57")
                        || code == "55P03"
                        || code == "25P03"
                        || code == "25006"
                }),
                // The rest is our own mistake (a column, a type, a URL) and stays one. It cannot be listed: sqlx may add
                // to its errors at any time, and what is not known to pass is not retried.
                _ => false,
            },
        }
    }

    /// The constraint that refused the write, if one did.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(database)) => database.constraint(),
            Self::Database(_) | Self::Unreadable { .. } => None,
        }
    }
}
