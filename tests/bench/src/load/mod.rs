//! The load generator: closed loops for rates, an open loop for latencies.
//!
//! One thread, one connection for each request in flight, each used again and again. In the open loop a request's time
//! begins when it was due, not when it could be sent: a host that stands still for a second is charged for everybody
//! who would have come in that second.

mod connection;
mod open;
mod plain;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use self::connection::{Connection, Reply};
pub use self::{
    connection::{KEY, Target},
    open::{Open, open, open_each},
    plain::{Posts, post_all},
};
use crate::stats::{float, microseconds};

/// Beyond its windows a load ends within this: a gateway's time-out, and some.
const LATE_MAX: Duration = Duration::from_mins(1);

/// Where idempotency keys come from.
#[derive(Clone)]
pub struct Keys {
    prefix: String,
    /// After so many they begin again.
    count: u64,
    next: Rc<Cell<u64>>,
}

impl Keys {
    /// Keys that are used once.
    pub fn fresh(prefix: String) -> Self {
        Self { prefix, count: u64::MAX, next: Rc::default() }
    }

    /// The first `count` keys of that prefix, over and over.
    pub fn again(prefix: String, count: u64) -> Self {
        Self { prefix, count: count.max(1), next: Rc::default() }
    }

    fn take(&self) -> String {
        let number = self.next.get();
        self.next.set(number + 1);
        format!("{}{}", self.prefix, number % self.count)
    }

    /// The key that was used for the request with this number, from nought.
    pub fn nth(&self, number: usize) -> String {
        format!("{}{number}", self.prefix)
    }

    /// How many were used.
    pub fn used(&self) -> u64 {
        self.next.get()
    }
}

/// What came of a load.
pub struct Tally {
    /// Good replies within the window.
    pub good: u64,
    /// Those of them that said that they are a replay.
    pub replayed: u64,
    /// Everything else within the window.
    pub bad: u64,
    /// What the first bad reply was.
    pub first_bad: Option<String>,
    /// Times of the good ones, in microseconds.
    pub times: Histogram<u64>,
    pub window: Duration,
}

impl Tally {
    fn new() -> Self {
        Self { good: 0, replayed: 0, bad: 0, first_bad: None, times: microseconds(), window: Duration::ZERO }
    }

    fn count(&mut self, reply: anyhow::Result<Reply>, took: Duration) {
        match reply {
            Ok(Reply::Good { replayed }) => {
                self.good += 1;
                self.replayed += u64::from(replayed);
                self.times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            }
            Ok(Reply::Bad(said)) => self.count_bad(said),
            Err(error) => self.count_bad(format!("{error:#}")),
        }
    }

    fn count_bad(&mut self, said: String) {
        self.bad += 1;
        self.first_bad.get_or_insert(said);
    }

    /// Good replies a second.
    pub fn rate(&self) -> f64 {
        float(self.good) / self.window.as_secs_f64()
    }

    /// Fails where anything went wrong: a rate of errors is no rate.
    pub fn must_be_good(&self) -> anyhow::Result<()> {
        match &self.first_bad {
            Some(said) => bail!("{} of {} requests went wrong; the first: {said}", self.bad, self.bad + self.good),
            None if self.good == 0 => bail!("nothing was answered in {} s", self.window.as_secs_f64()),
            None => Ok(()),
        }
    }
}

/// How a closed loop goes: everybody waits for his answer and asks again.
pub struct Closed {
    pub in_flight: usize,
    pub warm: Duration,
    pub window: Duration,
}

/// Runs a closed loop; `probe` is asked at both ends of the window.
pub fn closed<P>(
    target: &Target,
    keys: &Keys,
    closed: &Closed,
    probe: impl Fn() -> anyhow::Result<P>,
) -> anyhow::Result<(Tally, P, P)> {
    closed_at(std::slice::from_ref(target), keys, closed, probe)
}

/// The same at several hosts: who is in flight asks one of them, in turn.
pub fn closed_at<P>(
    targets: &[Target],
    keys: &Keys,
    closed: &Closed,
    probe: impl Fn() -> anyhow::Result<P>,
) -> anyhow::Result<(Tally, P, P)> {
    let tally = Rc::new(RefCell::new(Tally::new()));
    let (counting, stop) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    run(closed.warm + closed.window + LATE_MAX, async {
        let local = LocalSet::new();
        let ends = local
            .run_until(async {
                let mut callers = Vec::new();
                for target in targets.iter().cycle().take(closed.in_flight) {
                    let mut connection = Connection::open(target.address).await?;
                    let (tally, counting, stop) = (Rc::clone(&tally), Rc::clone(&counting), Rc::clone(&stop));
                    let (target, keys) = (target.clone(), keys.clone());
                    callers.push(tokio::task::spawn_local(async move {
                        while !stop.get() {
                            let began = Instant::now();
                            let reply = connection.exchange(&target, &keys.take()).await;
                            let broken = reply.is_err();
                            if counting.get() {
                                tally.borrow_mut().count(reply, began.elapsed());
                            }
                            if broken {
                                connection = Connection::open(target.address).await?;
                            }
                        }
                        anyhow::Ok(())
                    }));
                }
                tokio::time::sleep(closed.warm).await;
                let (before, began) = (probe()?, Instant::now());
                counting.set(true);
                tokio::time::sleep(closed.window).await;
                counting.set(false);
                let (window, after) = (began.elapsed(), probe()?);
                stop.set(true);
                for caller in callers {
                    caller.await.context("a caller does not panic")??;
                }
                anyhow::Ok((before, after, window))
            })
            .await;
        let (before, after, window) = ends?;
        let mut tally = tally.replace(Tally::new());
        tally.window = window;
        Ok((tally, before, after))
    })
}

/// Has exactly `count` requests answered, `in_flight` at a time.
pub fn exactly(target: &Target, keys: &Keys, in_flight: usize, count: usize) -> anyhow::Result<Tally> {
    let tally = Rc::new(RefCell::new(Tally::new()));
    let left = Rc::new(Cell::new(count));
    let began = Instant::now();
    run(LATE_MAX, async {
        let local = LocalSet::new();
        let sent = local.run_until(async {
            let mut callers = Vec::new();
            for _ in 0..in_flight {
                let mut connection = Connection::open(target.address).await?;
                let (target, keys, left, tally) = (target.clone(), keys.clone(), Rc::clone(&left), Rc::clone(&tally));
                callers.push(tokio::task::spawn_local(async move {
                    while let Some(rest) = left.get().checked_sub(1) {
                        left.set(rest);
                        let began = Instant::now();
                        let reply = connection.exchange(&target, &keys.take()).await;
                        let broken = reply.is_err();
                        tally.borrow_mut().count(reply, began.elapsed());
                        if broken {
                            return;
                        }
                    }
                }));
            }
            for caller in callers {
                caller.await.context("a caller does not panic")?;
            }
            anyhow::Ok(())
        });
        sent.await?;
        let mut tally = tally.replace(Tally::new());
        tally.window = began.elapsed();
        Ok(tally)
    })
}

/// Runs `load` on a runtime of its own, in this thread, for not longer than `time_max`.
fn run<T>(time_max: Duration, load: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async { tokio::time::timeout(time_max, load).await });
    ended.with_context(|| format!("the load did not end within {} s", time_max.as_secs()))?
}
