//! The outbox log: append-only, a partition a day. Written in the transactions of [`super::begin`] and
//! [`super::finish`]; read by cursors over (`xid`, `id`), gated by the oldest running transaction, so that a late commit
//! is never skipped. This and [`super::partitions`] are the files that may use what only Postgres has.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::Error;
use crate::domain::sequence::Numbered;

/// How far a reader has read: everything up to this event, in the order of (transaction, id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The transaction that wrote it (`xid8`, which never wraps).
    pub xid: u64,
    pub id: Uuid,
}

/// A row of the log.
#[derive(Clone, Debug)]
pub struct Event {
    pub cursor: Cursor,
    pub merchant_id: Uuid,
    /// What it is about (`payment`, `refund`, `order`, `webhook_endpoint`), and its public id.
    pub about: String,
    pub about_id: String,
    /// `payment.succeeded`, …
    pub kind: String,
    /// Of the object's events, from 1 without a gap.
    pub sequence: i32,
    /// The event's JSON, byte for byte as it is signed and sent.
    pub payload: String,
    pub created_at: DateTime<Utc>,
}

impl Numbered for Event {
    fn object(&self) -> &str {
        &self.about_id
    }

    fn sequence(&self) -> i32 {
        self.sequence
    }
}

/// A transaction's number, which comes as text: sqlx does not know the type.
fn number(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|fault| sqlx::Error::Decode(Box::new(fault)))
}

impl FromRow<'_, PgRow> for Event {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            cursor: Cursor { xid: number(row, "xid")?, id: row.try_get("id")? },
            merchant_id: row.try_get("merchant_id")?,
            about: row.try_get("aggregatetype")?,
            about_id: row.try_get("aggregateid")?,
            kind: row.try_get("type")?,
            sequence: row.try_get("sequence")?,
            payload: row.try_get("payload")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

/// Events behind a cursor, in the order of the log.
pub struct Page {
    /// The cursor.
    pub after: Cursor,
    pub events: Vec<Event>,
    /// There are more, which a transaction that still runs holds back.
    pub gated: bool,
}

/// The statement of a [`Page`]: `$after` is a relation of one row, the cursor; `$limit` bounds the rows.
///
/// Only what transactions wrote that are older than every one that still runs may be read: a transaction that took its
/// number earlier and commits later would otherwise appear behind the cursor and never be read. Transactions that only
/// read hold nothing back. Of the first event that is held back, and those behind it, no more is told than that.
///
/// Every partition is looked into: an event's time is that of its host's clock, and a clock that is days off must not
/// hide it. `limit` stands within the join, so that the rows come from the indexes in their order, whatever is known
/// of the tables when the statement is planned.
macro_rules! page {
    ($after:literal, $limit:literal) => {
        concat!(
            "select at.xid::text as after_xid, at.id as after_id,
                at.xid >= pg_snapshot_xmax(pg_current_snapshot()) as is_ahead, event.*
           from ",
            $after,
            " as at
           left join lateral (
                select merchant_id, id, aggregatetype, aggregateid, type, sequence, xid::text as xid, created_at,
                       xid < pg_snapshot_xmin(pg_current_snapshot()) as is_released,
                       case when xid < pg_snapshot_xmin(pg_current_snapshot()) then payload end as payload
                  from outbox where (outbox.xid, id) > (at.xid, at.id)
                 order by outbox.xid, id
                 limit ",
            $limit,
            ") as event on true"
        )
    };
}

/// Up to `limit` events after `after`, in the order of the log.
pub async fn read(conn: &mut PgConnection, after: Cursor, limit: i64) -> Result<Page, Error> {
    let rows = sqlx::query(concat!(
        "-- store::outbox::read
        ",
        page!("(select $1::text::xid8 as xid, $2::uuid as id)", "$3")
    ))
    .bind(after.xid.to_string())
    .bind(after.id)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(page(&rows)?.unwrap_or(Page { after, events: Vec::new(), gated: false }))
}

/// As [`read`], from where `reader` stands. None where there is no such reader.
pub async fn read_of(conn: &mut PgConnection, reader: &str, limit: i64) -> Result<Option<Page>, Error> {
    let rows = sqlx::query(concat!(
        "-- store::outbox::read_of
        ",
        page!("(select xid, id from outbox_cursors where reader = $1)", "$2")
    ))
    .bind(reader)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    page(&rows)
}

/// Takes the rows of [`page!`] apart. A cursor that is ahead of the database's own count of transactions is refused: the
/// database was restored from a dump, new events have lower numbers, and nothing would ever be read again.
fn page(rows: &[PgRow]) -> Result<Option<Page>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let after = Cursor { xid: number(first, "after_xid")?, id: first.try_get("after_id")? };
    if first.try_get("is_ahead")? {
        let what = format!(
            "transaction {} is ahead of this database's own, as after a restored dump; docs/operators.md says what to do",
            after.xid
        );
        return Err(Error::Unreadable { table: "outbox_cursors", what });
    }
    let is_released = |row: &PgRow| row.try_get::<Option<bool>, _>("is_released");
    let (mut events, mut gated) = (Vec::with_capacity(rows.len()), false);
    for row in rows {
        match is_released(row)? {
            Some(true) => events.push(Event::from_row(row)?),
            Some(false) => gated = true,
            // The row of a cursor that nothing is behind.
            None => {}
        }
    }
    // As the statement gives them; a join promises no order.
    events.sort_unstable_by_key(|event| event.cursor);
    Ok(Some(Page { after, events, gated }))
}

/// Which of `events`, each given with its place, have their predecessor behind `end`, committed, whether or not it may
/// be read yet. Looked for within a day of the event.
pub async fn overtaken(conn: &mut PgConnection, end: Cursor, events: &[(usize, &Event)]) -> Result<Vec<usize>, Error> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    // The limit makes it a probe of the index for each of them, never a scan of the log.
    let found: Vec<i64> = sqlx::query_scalar(
        "-- store::outbox::overtaken
        select wanted.place
          from unnest($1::uuid[], $2::text[], $3::int[], $4::timestamptz[])
               with ordinality as wanted (merchant_id, object, sequence, around, place)
         cross join lateral (
               select 1 from outbox
                where outbox.merchant_id = wanted.merchant_id and aggregateid = wanted.object
                  and outbox.sequence = wanted.sequence and (xid, id) > ($5::text::xid8, $6)
                  and created_at between wanted.around - interval '1 day' and wanted.around + interval '1 day'
                limit 1) as predecessor",
    )
    .bind(events.iter().map(|(_, event)| event.merchant_id).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, event)| event.about_id.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, event)| event.sequence - 1).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, event)| event.created_at).collect::<Vec<_>>())
    .bind(end.xid.to_string())
    .bind(end.id)
    .fetch_all(conn)
    .await?;
    // `ordinality` counts from 1.
    let place = |found: i64| events.get(usize::try_from(found - 1).ok()?).map(|&(place, _)| place);
    Ok(found.into_iter().filter_map(place).collect())
}
