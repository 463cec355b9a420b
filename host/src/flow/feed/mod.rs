//! Feeds one sink from the log: reads, publishes, and moves the cursor past what the broker has.
//!
//! One host at a time does it, under a lease on the cursor. Whoever dies, freezes or is cut off from the broker is
//! replaced, and what it had published and not written down is published again: at least once, under the same ids. The
//! cursor moves past an event when it and everything before it is acknowledged, never earlier.
//!
//! A broker that is away, or that refuses an event, holds back this sink and nothing else: the log keeps what is behind
//! the slowest cursor, payments and the other readers know nothing of it.

mod chains;
mod message;
mod taken;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use taken::Taken;

use crate::{
    app::App,
    config::sinks::{Begin, OnRefused, SinkSettings},
    domain::schedule,
    fault,
    flow::{Refusal, publish::batch},
    sink::{Fault, Sink},
    store::{
        self,
        audit_log::{Actor, Audit},
        outbox::Cursor,
        outbox_cursors::{self, Start},
    },
    wake::Listener,
};

/// Events read at once. With the largest of them that is some megabytes.
const BATCH_MAX: u32 = 500;
/// How often the log is looked into where nobody wakes us.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// How soon again where a transaction that still runs holds events back.
const GATED_PAUSE: Duration = Duration::from_millis(5);
/// How often a host that does not feed the sink looks whether it should.
const CLAIM_EVERY: Duration = Duration::from_secs(1);
/// Failures in a row after which a host lets go of a batch that the broker has in part: another one may fare better, and
/// publishes that part again. About a minute and a half.
const HOLD_FAILURES_MAX: u32 = 20;
/// For how long a sink whose lease a host let go of, because its broker is away, still counts as one that hosts feed: much
/// longer than the pause after which it is tried again, in milliseconds.
const WANTED_MS: i64 = 30_000;

/// What is to be waited for before the next round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: there is more.
    Nothing,
    /// The time, or a commit to the log.
    UntilWoken(Duration),
    /// The time.
    Pause(Duration),
}

/// What one host remembers about one sink. All of it may be lost: the cursor is in the database.
pub struct Feed {
    settings: SinkSettings,
    reader: String,
    listener: Listener,
    /// The cursor is known to exist.
    has_cursor: bool,
    held: Option<Held>,
    sink: Option<Sink>,
    taken: Option<Taken>,
    /// The broker refused something: until the batch is done messages go one by one, so that it is clear which.
    is_alone: bool,
    failures: u32,
    trouble: Option<Trouble>,
    /// The time of the oldest event that the broker had not when this host last tried; none where that was nothing, or is
    /// another host's to know.
    oldest: Option<DateTime<Utc>>,
}

/// The lease.
struct Held {
    cursor: Cursor,
    fence: i32,
    /// When it ends, on the clock that runs through suspension, in milliseconds.
    ends_ms: AtomicU64,
}

/// What keeps the sink from going on, said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Away,
    Refused,
}

/// Why publishing ended before the end.
enum Stopped {
    /// This host ends, or may not go on: its lease has run out.
    Over,
    Fault(Fault),
}

/// Makes the cursors that are missing, before the host takes its first request: a sink that is to begin now misses
/// nothing that its host is told.
pub async fn begin(app: &App) -> Result<(), store::Error> {
    let mut conn = app.pool.acquire().await?;
    for settings in &app.config.sinks {
        ensure(&mut conn, settings).await?;
    }
    Ok(())
}

async fn ensure(conn: &mut store::pool::Connection, settings: &SinkSettings) -> Result<(), store::Error> {
    let start = match settings.from {
        Begin::Now => Start::Now,
        Begin::Beginning => Start::Beginning,
    };
    outbox_cursors::ensure_reader(conn, &reader(settings), start).await
}

/// Forgets how far a sink is that no host feeds any more, so that the log need not keep for it what it has not got. Who
/// did it stands in the audit log.
pub async fn forget(app: &App, name: &str, actor: &Actor) -> Result<(), Refusal> {
    // This host would begin it anew within a second.
    if app.config.sinks.iter().any(|sink| sink.name == name) {
        return Err(Refusal::SinkInUse);
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let audit = Audit::new(app.ids.v7(), actor);
    if store::sinks::forget(&mut conn, name, &audit, app.clock.now()).await? {
        return Ok(());
    }
    let is_known = store::sinks::is_known(&mut conn, name).await?;
    Err(if is_known { Refusal::SinkInUse } else { Refusal::NotFound })
}

/// What the sink's cursor goes by.
fn reader(settings: &SinkSettings) -> String {
    format!("sink:{}", settings.name)
}

impl Feed {
    /// Begins with nothing in hand.
    #[must_use]
    pub fn new(app: &App, settings: SinkSettings) -> Self {
        Self {
            reader: reader(&settings),
            settings,
            listener: app.wake.outbox.listen(),
            has_cursor: true,
            held: None,
            sink: None,
            taken: None,
            is_alone: false,
            failures: 0,
            trouble: None,
            oldest: None,
        }
    }

    /// One round: what can be read at once is published. Where nothing is to be done, one statement; for a host that does not
    /// feed the sink, one.
    pub async fn once(&mut self, app: &App) -> Result<Rest, store::Error> {
        if !self.hold(app).await? {
            self.oldest = None;
            self.show(app);
            return Ok(Rest::Pause(CLAIM_EVERY));
        }
        let rest = self.read(app).await?;
        self.show(app);
        match self.publish(app).await {
            Ok(()) => {
                let is_done = self.advance(app).await?;
                if self.taken.is_none() && is_done {
                    self.well();
                }
                self.show(app);
                Ok(if is_done { rest } else { Rest::Nothing })
            }
            Err((_, Stopped::Over)) => {
                self.advance(app).await?;
                Ok(Rest::Nothing)
            }
            Err((at, Stopped::Fault(Fault::Refused(why)))) => {
                self.advance(app).await?;
                let rest = self.refused(app, at, &why);
                self.show(app);
                Ok(rest)
            }
            Err((_, Stopped::Fault(Fault::Away(why)))) => {
                self.advance(app).await?;
                let rest = self.away(app, &why).await?;
                self.show(app);
                Ok(rest)
            }
        }
    }

    /// Waits as the round said.
    pub async fn rest(&mut self, rest: Rest) {
        match rest {
            Rest::Nothing => {}
            Rest::Pause(pause) => tokio::time::sleep(pause).await,
            Rest::UntilWoken(longest) => {
                tokio::select! {
                    () = self.listener.rung() => {}
                    () = tokio::time::sleep(longest) => {}
                }
            }
        }
    }

    /// Lets go of the lease, so that another host goes on at once.
    pub async fn end(&mut self, app: &App) {
        let Some(held) = self.held.take() else { return };
        (self.taken, self.sink) = (None, None);
        let released = async {
            let mut conn = app.pool.acquire().await?;
            outbox_cursors::release_cursor(&mut conn, &self.reader, held.fence, 0).await
        };
        if let Err(error) = released.await {
            tracing::debug!(sink = self.settings.name, %error, "the lease of a sink runs out by itself");
        }
    }

    /// Whether this host feeds the sink: it did and its lease is fresh, or nobody does.
    async fn hold(&mut self, app: &App) -> Result<bool, store::Error> {
        let now_ms = boot_ms(app);
        if let Some(held) = &self.held
            && now_ms + lease_ms(app) / 2 < held.ends_ms.load(Ordering::Relaxed)
        {
            return Ok(true);
        }
        let mut conn = app.pool.acquire().await?;
        if let Some(held) = &self.held {
            if renew(app, &mut conn, &self.reader, held, held.cursor).await? {
                return Ok(true);
            }
            self.lost();
        }
        if !self.has_cursor {
            ensure(&mut conn, &self.settings).await?;
            self.has_cursor = true;
        }
        let ends_ms = boot_ms(app) + lease_ms(app);
        let claimed = outbox_cursors::claim_cursor(&mut conn, &self.reader, app.host_id, app.lease_ms()).await?;
        // A cursor that an operator took away is made anew.
        self.has_cursor = claimed.is_some();
        self.held = claimed.map(|claimed| Held {
            cursor: claimed.cursor,
            fence: claimed.fence,
            ends_ms: AtomicU64::new(ends_ms),
        });
        Ok(self.held.is_some())
    }

    /// Takes the next events in hand, unless there are some already.
    async fn read(&mut self, app: &App) -> Result<Rest, store::Error> {
        let Some(held) = &self.held else { return Ok(Rest::Nothing) };
        if self.taken.is_some() {
            return Ok(Rest::Nothing);
        }
        let mut conn = app.pool.acquire().await?;
        let batch = batch(&mut conn, held.cursor, BATCH_MAX).await?;
        let rest = match (batch.more, batch.gated) {
            (true, _) => Rest::Nothing,
            (false, true) => Rest::Pause(GATED_PAUSE),
            (false, false) => Rest::UntilWoken(POLL_EVERY),
        };
        self.taken = (!batch.events.is_empty()).then(|| Taken::new(batch));
        self.oldest = self.taken.as_ref().and_then(Taken::oldest);
        Ok(rest)
    }

    /// Publishes what is in hand, and renews the lease meanwhile. Connects first, also where there is nothing to publish: a
    /// setting that is wrong is to be known before the first event.
    async fn publish(&mut self, app: &App) -> Result<(), (usize, Stopped)> {
        if self.sink.is_none() {
            let connected = Sink::connect(&self.settings).await;
            self.sink = Some(connected.map_err(|fault| (0, Stopped::Fault(fault)))?);
        }
        let (Some(sink), Some(taken), Some(held)) = (&self.sink, &self.taken, &self.held) else { return Ok(()) };
        let in_flight_max = if self.is_alone { 1 } else { self.settings.in_flight_max };
        let one = async |at: usize| {
            let Some(item) = taken.items().get(at).filter(|item| !item.is_done()) else { return Ok(()) };
            // Between two messages this host may have been frozen for longer than its lease.
            if app.stop.is_cancelled() || boot_ms(app) >= held.ends_ms.load(Ordering::Relaxed) {
                return Err(Stopped::Over);
            }
            if let Some(message) = item.message() {
                sink.publish(message).await.map_err(Stopped::Fault)?;
                metrics::counter!("interlock_sink_events_total", "sink" => self.settings.name.clone()).increment(1);
            }
            item.done();
            Ok(())
        };
        let mut publishing = std::pin::pin!(chains::in_order(taken.keys(), in_flight_max, one));
        loop {
            tokio::select! {
                ended = &mut publishing => {
                    fault::point(fault::Point::AfterSinkPublished);
                    return ended;
                }
                () = tokio::time::sleep(app.config.lease / 3) => {
                    let renewed = async {
                        let mut conn = app.pool.acquire().await?;
                        renew(app, &mut conn, &self.reader, held, taken.through(held.cursor)).await
                    };
                    // A lease that is lost, or cannot be renewed, ends by itself: `one` looks at its time.
                    if let Ok(false) = renewed.await {
                        held.ends_ms.store(0, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    /// Moves the cursor past what the broker has. Says whether all that was in hand is done.
    async fn advance(&mut self, app: &App) -> Result<bool, store::Error> {
        let (Some(held), Some(taken)) = (&mut self.held, &self.taken) else { return Ok(true) };
        let to = taken.through(held.cursor);
        if to != held.cursor {
            let mut conn = app.pool.acquire().await?;
            if !renew(app, &mut conn, &self.reader, held, to).await? {
                self.lost();
                return Ok(false);
            }
            held.cursor = to;
        }
        let is_done = taken.is_done();
        self.oldest = taken.oldest();
        if is_done {
            (self.taken, self.is_alone) = (None, false);
        }
        Ok(is_done)
    }

    /// Another host feeds the sink now.
    fn lost(&mut self) {
        tracing::info!(sink = self.settings.name, "another host has taken over a sink whose lease ran out here");
        (self.held, self.taken, self.sink, self.is_alone) = (None, None, None, false);
    }

    /// The broker does not take the event in this place: neither together with others nor alone.
    fn refused(&mut self, app: &App, at: usize, why: &str) -> Rest {
        let name = &self.settings.name;
        // Together with others it may be they that were too much.
        if !self.is_alone {
            self.is_alone = true;
            return Rest::Nothing;
        }
        metrics::counter!("interlock_sink_errors_total", "sink" => name.clone(), "error" => "refused").increment(1);
        let Some(item) = self.taken.as_ref().and_then(|taken| taken.items().get(at)) else { return Rest::Nothing };
        let (event, bytes) = item.message().map_or(("", 0), |message| (message.id.as_str(), message.body.len()));
        if self.settings.on_refused == OnRefused::Skip {
            tracing::error!(
                sink = name,
                event.id = event,
                bytes,
                why,
                "an event was left out of a stream: the broker refuses it"
            );
            metrics::counter!("interlock_sink_skipped_total", "sink" => name.clone()).increment(1);
            item.done();
            return Rest::Nothing;
        }
        if self.trouble != Some(Trouble::Refused) {
            tracing::error!(
                sink = name,
                event.id = event,
                bytes,
                why,
                "a stream stands still: its broker refuses an event; raise the broker's limit, or write on_refused = \"skip\""
            );
        }
        self.trouble = Some(Trouble::Refused);
        self.pause(app)
    }

    /// The broker is away, or not as it should be.
    async fn away(&mut self, app: &App, why: &str) -> Result<Rest, store::Error> {
        let name = &self.settings.name;
        metrics::counter!("interlock_sink_errors_total", "sink" => name.clone(), "error" => "away").increment(1);
        if self.trouble.is_none() {
            tracing::warn!(sink = name, why, "events are not published for now; it is tried again until it works");
        }
        self.trouble.get_or_insert(Trouble::Away);
        self.sink = None;
        let rest = self.pause(app);
        // Where the broker has a part already, the same host had better publish the rest.
        let has_part = self.taken.as_ref().is_some_and(Taken::is_begun);
        if let Some(held) = &self.held
            && (!has_part || self.failures > HOLD_FAILURES_MAX)
        {
            let mut conn = app.pool.acquire().await?;
            outbox_cursors::release_cursor(&mut conn, &self.reader, held.fence, WANTED_MS).await?;
            (self.held, self.taken, self.is_alone) = (None, None, false);
        }
        Ok(rest)
    }

    fn pause(&mut self, app: &App) -> Rest {
        self.failures = self.failures.saturating_add(1);
        let chance = app.ids.nonce().first().copied().unwrap_or_default();
        Rest::Pause(schedule::away(self.failures, chance))
    }

    fn well(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(sink = self.settings.name, "events are published again");
        }
        self.failures = 0;
    }

    /// What operators watch. A host that does not feed the sink shows nought: the greatest of all hosts counts.
    fn show(&self, app: &App) {
        let gauge = |name: &'static str| metrics::gauge!(name, "sink" => self.settings.name.clone());
        let lag = self.oldest.and_then(|at| (app.clock.now() - at).to_std().ok()).unwrap_or_default();
        gauge("interlock_sink_lag_seconds").set(lag.as_secs_f64());
        gauge("interlock_sink_up").set(i32::from(self.held.is_some() && self.sink.is_some() && self.trouble.is_none()));
        gauge("interlock_sink_stuck").set(i32::from(self.trouble == Some(Trouble::Refused)));
    }
}

/// Moves the cursor and makes the lease last from now. Says whether it was still there.
async fn renew(
    app: &App,
    conn: &mut store::pool::Connection,
    reader: &str,
    held: &Held,
    to: Cursor,
) -> Result<bool, store::Error> {
    // Read before the statement, so that it never ends later here than in the database.
    let ends_ms = boot_ms(app) + lease_ms(app);
    let is_ours = outbox_cursors::advance_cursor(conn, reader, held.fence, to, app.lease_ms()).await?;
    if is_ours {
        held.ends_ms.store(ends_ms, Ordering::Relaxed);
    }
    Ok(is_ours)
}

fn boot_ms(app: &App) -> u64 {
    u64::try_from(app.clock.boot().as_millis()).unwrap_or(u64::MAX)
}

fn lease_ms(app: &App) -> u64 {
    u64::try_from(app.config.lease.as_millis()).unwrap_or(u64::MAX)
}
