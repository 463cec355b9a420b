//! Connections to Postgres: kept and lent.
//!
//! Not sqlx's own pool: that one asks a connection whether it lives whenever it is given back, which is a round trip for
//! each statement and half of all that a payment makes. Here a connection is asked before it is used, and only where
//! there is reason to doubt it: nobody has used it for a while, or a statement has failed for want of a connection since.
//!
//! A future that is dropped in the middle of a statement leaves an answer unread; sqlx reads past it when the connection
//! is used next.

use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{Manager, Metrics, Object, PoolError, RecycleError, RecycleResult},
};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

/// A connection that nobody has used for longer is asked before it is lent.
const DOUBTED_AFTER: Duration = Duration::from_secs(1);
/// How long a statement waits for a connection, and a connection for being made.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// When a statement last failed for want of a connection, in this process. Every connection lent before is asked first.
static FAILED_AT: LazyLock<Mutex<Option<Instant>>> = LazyLock::new(Mutex::default);

/// Says that a connection has turned out to be broken. Called where errors become [`super::Error`].
pub(super) fn doubt_all() {
    *FAILED_AT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// A connection that goes back to the pool when it is dropped.
pub type Connection = Object<Connections>;

/// Makes connections and judges them.
pub struct Connections {
    options: PgConnectOptions,
}

impl Manager for Connections {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect_with(&self.options).await
    }

    async fn recycle(&self, connection: &mut PgConnection, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        let lent_at = metrics.recycled.unwrap_or(metrics.created);
        let failed_at = *FAILED_AT.lock().unwrap_or_else(PoisonError::into_inner);
        if lent_at.elapsed() >= DOUBTED_AFTER || failed_at.is_some_and(|failed_at| lent_at <= failed_at) {
            connection.ping().await.map_err(RecycleError::Backend)?;
        }
        Ok(())
    }
}

/// The connections of one process.
#[derive(Clone)]
pub struct Pool(deadpool::managed::Pool<Connections>);

impl Pool {
    /// A pool of at most `max` connections, none of them made yet.
    ///
    /// # Errors
    ///
    /// Where the time limits cannot be kept, which is a mistake in this program.
    pub fn new(options: PgConnectOptions, max: usize) -> anyhow::Result<Self> {
        let pool = deadpool::managed::Pool::builder(Connections { options })
            .max_size(max)
            .wait_timeout(Some(WAIT_MAX))
            .create_timeout(Some(WAIT_MAX))
            .recycle_timeout(Some(WAIT_MAX))
            .runtime(Runtime::Tokio1)
            .build()?;
        Ok(Self(pool))
    }

    /// A connection, waited for as long as a request can wait.
    pub async fn acquire(&self) -> Result<Connection, sqlx::Error> {
        // Boxed: connecting is a large future, and every flow that reads would carry it.
        Box::pin(self.0.get()).await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => sqlx::Error::PoolClosed,
            PoolError::Timeout(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                sqlx::Error::PoolTimedOut
            }
        })
    }

    /// How many connections there are, and how many of them nobody uses.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        let status = self.0.status();
        (status.size, status.available)
    }

    /// Lends no more, and closes what comes back.
    pub fn close(&self) {
        self.0.close();
    }
}
