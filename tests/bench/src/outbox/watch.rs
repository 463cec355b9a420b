//! Looks again and again at which transactions are visible and how far the log's reader is.
//!
//! An event can be read from the moment at which its transaction is visible, which is later than the time that Postgres
//! notes for its commit: the log is flushed in between. So what is reported is from the last look that did not see the
//! transaction to the first that saw the cursor behind the event, which is never too little, and too much by the time
//! between two looks on each side.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::READER;

/// Connecting, and the first look.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(30);

/// Somebody who looks, in a thread of his own.
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Vec<Look>>>,
}

/// What was seen, in the order of time.
pub struct Looks(Vec<Look>);

/// One look.
struct Look {
    asked: Instant,
    told: Instant,
    /// Below it everything has ended.
    xmin: u64,
    /// From it on nothing has.
    xmax: u64,
    /// What runs between the two.
    running: Vec<u64>,
    /// What the reader has read last.
    cursor: (u64, Uuid),
}

impl Watch {
    /// Begins to look, with a pause of `pause` between two looks; returns after the first.
    pub fn start(url: String, pause: Duration) -> anyhow::Result<Self> {
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut conn = PgConnection::connect(&url).await?;
                let mut looks = vec![look(&mut conn).await?];
                // Whoever started it may have gone.
                let _ = tell.send(());
                while !stopped.load(Ordering::Relaxed) {
                    looks.push(look(&mut conn).await?);
                    // Not the runtime's clock, which has steps of a millisecond.
                    std::thread::sleep(pause);
                }
                conn.close().await?;
                Ok(looks)
            })
        });
        let watch = Self { stop, thread };
        if told.recv_timeout(FIRST_LOOK_MAX).is_err() {
            watch.end()?;
            bail!("who watches the log did not see anything within {} s", FIRST_LOOK_MAX.as_secs());
        }
        Ok(watch)
    }

    /// Ends it.
    pub fn end(self) -> anyhow::Result<Looks> {
        self.stop.store(true, Ordering::Relaxed);
        let looks = self.thread.join().map_err(|_| anyhow!("who watched the log panicked"))?;
        Ok(Looks(looks?))
    }
}

async fn look(conn: &mut PgConnection) -> anyhow::Result<Look> {
    let sql =
        format!("select pg_current_snapshot()::text, xid::text, id from outbox_cursors where reader = '{READER}'");
    let asked = Instant::now();
    let row: PgRow = sqlx::query(AssertSqlSafe(sql)).fetch_one(conn).await?;
    let told = Instant::now();
    let (snapshot, xid): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let (xmin, xmax, running) = parse(&snapshot).with_context(|| format!("`{snapshot}` is no snapshot"))?;
    Ok(Look { asked, told, xmin, xmax, running, cursor: (xid.parse()?, row.try_get(2)?) })
}

/// `xmin:xmax:running,running,…`
fn parse(snapshot: &str) -> Option<(u64, u64, Vec<u64>)> {
    let mut parts = snapshot.split(':');
    let (xmin, xmax) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let running: Result<_, _> = parts.next()?.split(',').filter(|xid| !xid.is_empty()).map(str::parse).collect();
    Some((xmin, xmax, running.ok()?))
}

impl Look {
    fn sees(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && !self.running.contains(&xid))
    }
}

impl Looks {
    /// The last moment at which a transaction was not to be seen; none where it was there from the beginning.
    pub fn hidden_until(&self, xid: u64) -> Option<Instant> {
        let first = self.0.partition_point(|look| !look.sees(xid));
        Some(self.0.get(first.checked_sub(1)?)?.asked)
    }

    /// The first moment at which the reader was seen to have read an event; none where it was not.
    pub fn passed(&self, xid: u64, id: Uuid) -> Option<Instant> {
        let first = self.0.partition_point(|look| look.cursor < (xid, id));
        Some(self.0.get(first)?.told)
    }

    /// The longest time between two looks.
    pub fn widest(&self) -> Duration {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        pairs.map(|(one, next)| next.told.duration_since(one.asked)).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(asked: Instant, snapshot: &str, cursor: u64) -> Look {
        let (xmin, xmax, running) = parse(snapshot).expect("it is one");
        Look { asked, told: asked + Duration::from_millis(1), xmin, xmax, running, cursor: (cursor, Uuid::max()) }
    }

    #[test]
    fn a_transaction_is_hidden_until_it_is_seen_and_passed_when_the_cursor_is_there() {
        let began = Instant::now();
        let ms = Duration::from_millis;
        let looks = Looks(vec![
            at(began, "10:12:10,11", 9),
            at(began + ms(10), "10:13:10", 9),
            at(began + ms(20), "13:13:", 12),
        ]);
        assert_eq!(looks.hidden_until(9), None, "it was there before");
        assert_eq!(looks.hidden_until(10), Some(began + ms(10)), "it ran when the second look was made");
        assert_eq!(looks.hidden_until(11), Some(began), "the second look saw it");
        assert_eq!(looks.passed(11, Uuid::nil()), Some(began + ms(21)));
        assert_eq!(looks.passed(13, Uuid::nil()), None);
        assert_eq!(looks.widest(), ms(11));
        assert_eq!(parse("10:13"), None);
    }
}
