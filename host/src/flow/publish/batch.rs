//! What a reader of the log takes at once: the next events behind its cursor, those of each object in their sequence.

use sqlx::PgConnection;

use crate::{
    domain::sequence::{in_sequence, releasable, without_predecessor},
    store::{
        self,
        outbox::{self, Cursor, Event, Page},
    },
};

/// How often the number of events is doubled to find a predecessor that comes behind them.
const DOUBLINGS_MAX: u32 = 5;

/// Events in the order in which a reader releases them.
#[derive(Debug)]
pub struct Batch {
    /// Those of each object in their sequence; see [`crate::domain::sequence`].
    pub events: Vec<Event>,
    /// Where the reader began.
    pub begin: Cursor,
    /// Where it stands when it is done with all of them.
    pub end: Cursor,
    /// There may be as many again: read on at once.
    pub more: bool,
    /// There is more, and a transaction that still runs holds it back: look again in some milliseconds.
    pub gated: bool,
}

/// The next events after `after`: about `limit`, more where an object's order asks for it. For readers that hold a lease.
///
/// One round trip; a second one where the log goes on behind them and an event's predecessor may be there.
pub async fn batch(conn: &mut PgConnection, after: Cursor, limit: u32) -> Result<Batch, store::Error> {
    let mut limit = i64::from(limit);
    for doublings in 0.. {
        let page = outbox::read(conn, after, limit).await?;
        if let Some(batch) = in_order(conn, page, limit, doublings).await? {
            return Ok(batch);
        }
        limit *= 2;
    }
    unreachable!("the last doubling gives a batch")
}

/// As [`batch`], from where `reader` stands, which is read in the same statement. None where there is no such reader.
pub async fn batch_of(conn: &mut PgConnection, reader: &str, limit: u32) -> Result<Option<Batch>, store::Error> {
    let Some(page) = outbox::read_of(conn, reader, i64::from(limit)).await? else { return Ok(None) };
    let after = page.after;
    match in_order(conn, page, i64::from(limit), 0).await? {
        Some(batch) => Ok(Some(batch)),
        None => batch(conn, after, limit.saturating_mul(2)).await.map(Some),
    }
}

/// Puts a page in order. None where it is to be read again, longer.
///
/// An event may be before its predecessor in the log, and the predecessor behind the end of the page: because the page is
/// full, or because a third transaction with a number in between holds the predecessor back. In the first case a longer
/// page has both. In the second the event waits, and with it what comes after it: the cursor cannot leave one out.
async fn in_order(
    conn: &mut PgConnection,
    page: Page,
    limit: i64,
    doublings: u32,
) -> Result<Option<Batch>, store::Error> {
    let Page { after, mut events, mut gated } = page;
    let mut more = i64::try_from(events.len()) == Ok(limit);
    // Where nothing is behind the page, no predecessor is.
    if let Some(last) = events.last()
        && (more || gated)
    {
        let alone: Vec<(usize, &Event)> =
            without_predecessor(&events).into_iter().filter_map(|at| Some((at, events.get(at)?))).collect();
        let early = outbox::overtaken(conn, last.cursor, &alone).await?;
        if !early.is_empty() && more {
            if doublings < DOUBLINGS_MAX {
                return Ok(None);
            }
            // So far apart are two events of one object only where a transaction took its number and then waited for
            // seconds. Who receives them can tell by their sequence; better than an ever longer page.
            tracing::warn!(events = early.len(), "events are released before ones of their object that came first");
        } else if !early.is_empty() {
            events.truncate(releasable(&events, &early));
            (more, gated) = (false, true);
        }
    }
    let end = events.last().map_or(after, |last| last.cursor);
    Ok(Some(Batch { events: in_sequence(events), begin: after, end, more, gated }))
}
