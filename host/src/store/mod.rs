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
pub mod connectors;
pub mod day_keys;
pub mod finish;
pub mod gateway_accounts;
pub mod idempotency;
pub mod inbox;
pub mod journal;
pub mod merchants;
pub mod operations;
pub mod orders;
pub mod outbox;
pub mod payment_events;
pub mod payments;
pub mod pool;
pub mod quarantine;
pub mod reviews;
pub mod routing_rules;
pub mod story;
pub mod tokens;
pub mod unresolved;
pub mod work;

use std::str::FromStr;

use sqlx::{Row, postgres::PgRow};

/// A text column that holds one of our words.
pub(crate) fn enum_column<T: FromStr>(row: &PgRow, column: &str) -> Result<T, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|_| {
        sqlx::Error::Decode(format!("column {column} holds `{text}`, which this program does not know").into())
    })
}

/// The schema, embedded: `serve`, `dev` and `migrate` apply what is missing.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

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
                    // 57014 statement_timeout, 55P03 lock_timeout, 25006 read-only (a standby that took over)
                    code.starts_with("08")
                        || code.starts_with("40")
                        || code.starts_with("53")
                        || code.starts_with("57")
                        || code == "55P03"
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
