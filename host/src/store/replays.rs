//! Events that a merchant wants delivered once more: put into the queue again, behind what is live.
//!
//! What is in the queue already stays as it is, and is due now where it waited for its next try: whoever asks for it has
//! mended his receiver.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgConnection, Row};
use uuid::Uuid;

use super::{
    Error,
    event_ids::{ID_AND_ROW_DIFFER_MAX, first_id_of, rows_of},
};
use crate::domain::id::{EventId, MerchantId};

/// How far a clock may have stepped back between two events that are both missed.
const STEP_BACK_MAX: TimeDelta = TimeDelta::days(1);

/// Which events of a merchant an endpoint is to get again. They are taken in the order of their ids, whose time is that of
/// the event but for a moment.
pub struct Range<'a> {
    pub merchant_id: Uuid,
    /// The types that it wants.
    pub kinds: &'a [&'a str],
    /// From this time on, to the millisecond.
    pub from: DateTime<Utc>,
    /// And, of the day before, what was written by this transaction or later ones: a clock was behind.
    pub from_xid: Option<u64>,
    /// Before this time; none: up to the newest.
    pub to: Option<DateTime<Utc>>,
    /// Only events behind this one: where the piece before ended.
    pub after: Option<Uuid>,
    /// Events looked at, of whatever type.
    pub look_max: i64,
}

/// A piece of a range.
#[derive(Debug, Default)]
pub struct Found {
    /// Those that it wants.
    pub events: Vec<Replay>,
    /// The last event that was looked at, where there may be more behind it.
    pub last: Option<Uuid>,
}

/// An event that is to be queued again.
#[derive(Debug)]
pub struct Replay {
    pub event_id: Uuid,
    pub event_created_at: DateTime<Utc>,
    pub object: String,
    pub sequence: i32,
}

/// Looks through the next events of a range. It writes nothing and locks nothing, however long it takes: a transaction that
/// writes would hold back everybody's events meanwhile.
pub async fn find(conn: &mut PgConnection, range: &Range<'_>) -> Result<Found, Error> {
    let begin = if range.from_xid.is_some() { range.from - STEP_BACK_MAX } else { range.from };
    let rows = sqlx::query(
        "-- store::replays::find
         with seen as materialized (
            select o.id, o.created_at, o.aggregateid, o.sequence, o.type, o.id > $8 or o.xid >= $9::text::xid8 as is_meant
              from outbox as o
             where o.merchant_id = $1 and o.id > $3 and o.id < $4
               and o.created_at >= $5 and o.created_at <= coalesce($6, 'infinity')
             order by o.id
             limit $7),
         all_of_it as (
            select (select id from seen order by id desc limit 1) as last, (select count(*) from seen) = $7 as full)
         select last, \"full\", id, created_at, aggregateid, sequence
           from all_of_it left join seen on seen.type = any ($2) and seen.is_meant
          order by id",
    )
    .bind(range.merchant_id)
    .bind(range.kinds)
    .bind(range.after.unwrap_or_else(|| first_id_of(begin)))
    .bind(range.to.map_or(Uuid::max(), first_id_of))
    .bind(begin - ID_AND_ROW_DIFFER_MAX)
    .bind(range.to.map(|to| to + ID_AND_ROW_DIFFER_MAX))
    .bind(range.look_max)
    .bind(first_id_of(range.from))
    .bind(range.from_xid.map(|xid| xid.to_string()))
    .fetch_all(conn)
    .await?;
    let mut found = Found::default();
    for row in rows {
        let is_full: bool = row.try_get("full")?;
        found.last = row.try_get::<Option<Uuid>, _>("last")?.filter(|_| is_full);
        let Some(event_id) = row.try_get("id")? else { continue };
        found.events.push(Replay {
            event_id,
            event_created_at: row.try_get("created_at")?,
            object: row.try_get("aggregateid")?,
            sequence: row.try_get("sequence")?,
        });
    }
    Ok(found)
}

/// Queues these events for an endpoint. To be called in a transaction that holds it
/// ([`super::webhook_endpoints::get_held`]). Returns how many are in the queue now that were not, or not due.
///
/// An event that the fan-out has not read yet is queued as well: it may have decided already that this endpoint gets
/// nothing, and where it has not, it finds the event queued.
pub async fn enqueue_replays(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    endpoint_id: Uuid,
    events: &[Replay],
) -> Result<i64, Error> {
    let queued = sqlx::query_scalar(
        "-- store::replays::enqueue_replays
         with wanted as materialized (
            select id, created_at, aggregateid, sequence from unnest($3::uuid[], $4::timestamptz[], $5::text[], $6::int[])
                       as t (id, created_at, aggregateid, sequence)),
         waiting as (
            select ctid as place from delivery_queue
             where merchant_id = $1 and endpoint_id = $2 and event_id = any (array(select id from wanted))
               and owner is null and due_at > clock_timestamp()
               for update skip locked),
         hurried as ( -- by where they lie: joined by their keys, each could be looked for among all of them
            update delivery_queue set due_at = clock_timestamp()
             where ctid = any (array(select place from waiting))
            returning 1),
         queued as (
            insert into delivery_queue (merchant_id, endpoint_id, event_id, event_created_at, object, sequence, replay, due_at,
                                        created_at)
            select $1, $2, id, created_at, aggregateid, sequence, true, clock_timestamp(), clock_timestamp() from wanted
                on conflict (merchant_id, endpoint_id, event_id) do nothing
            returning 1)
         select (select count(*) from queued) + (select count(*) from hurried)",
    )
    // Planned for the queue as it is now: what was planned for a short one walks through a long one for each row.
    .persistent(false)
    .bind(merchant_id)
    .bind(endpoint_id)
    .bind(events.iter().map(|event| event.event_id).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.event_created_at).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.object.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.sequence).collect::<Vec<_>>())
    .fetch_one(conn)
    .await?;
    Ok(queued)
}

/// An event that is to be delivered again.
#[derive(Clone, Debug, FromRow)]
pub struct Replayed {
    #[sqlx(rename = "type")]
    pub kind: String,
    /// The public id of what it is about.
    #[sqlx(rename = "aggregateid")]
    pub object: String,
}

/// The merchant's event, if it is still kept.
pub async fn event(conn: &mut PgConnection, merchant: MerchantId, event: EventId) -> Result<Option<Replayed>, Error> {
    let made = rows_of(event.uuid());
    let row = sqlx::query_as(
        "-- store::replays::event
         select type, aggregateid from outbox where merchant_id = $1 and id = $2 and created_at between $3 and $4",
    )
    .bind(merchant.uuid())
    .bind(event.uuid())
    .bind(*made.start())
    .bind(*made.end())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Queues one event for each of these endpoints. To be called in a transaction that holds them. Returns for how many.
pub async fn enqueue_replay(
    conn: &mut PgConnection,
    merchant: MerchantId,
    event: EventId,
    endpoints: &[Uuid],
) -> Result<i64, Error> {
    let made = rows_of(event.uuid());
    let row = sqlx::query_scalar(
        "-- store::replays::enqueue_replay
         with waiting as (
            select endpoint_id from delivery_queue
             where merchant_id = $1 and endpoint_id = any ($3) and event_id = $2 and owner is null
               and due_at > clock_timestamp()
               for update skip locked),
         hurried as (
            update delivery_queue as q set due_at = clock_timestamp()
              from waiting
             where q.merchant_id = $1 and q.endpoint_id = waiting.endpoint_id and q.event_id = $2
            returning 1),
         queued as (
            insert into delivery_queue (merchant_id, endpoint_id, event_id, event_created_at, object, sequence, replay, due_at,
                                        created_at)
            select $1, endpoint_id, $2, o.created_at, o.aggregateid, o.sequence, true, clock_timestamp(), clock_timestamp()
              from outbox as o, unnest($3::uuid[]) as endpoint_id
             where o.merchant_id = $1 and o.id = $2 and o.created_at between $4 and $5
                on conflict (merchant_id, endpoint_id, event_id) do nothing
            returning 1)
         select (select count(*) from queued) + (select count(*) from hurried)",
    )
    .bind(merchant.uuid())
    .bind(event.uuid())
    .bind(endpoints)
    .bind(*made.start())
    .bind(*made.end())
    .fetch_one(conn)
    .await?;
    Ok(row)
}
