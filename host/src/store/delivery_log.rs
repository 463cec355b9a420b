//! What became of deliveries, as merchants look it up: the log of every try, and what is still queued.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Error, LOOKED_AT_MAX, Looked};
use crate::domain::id::{DeliveryId, EventId, MerchantId, WebhookEndpointId};

/// A row of `delivery_log`: one try.
#[derive(Clone, FromRow)]
pub struct Tried {
    pub endpoint_id: Uuid,
    pub delivery_id: Uuid,
    pub event_id: Uuid,
    pub event_type: String,
    /// Of this event to this endpoint, from 1.
    pub r#try: i32,
    pub replay: bool,
    /// `delivered`, `failed` (it is tried again) or `given_up`
    pub outcome: String,
    /// Of the answer; none where there was none.
    pub status: Option<i16>,
    /// The class of what went wrong.
    pub error: Option<String>,
    /// The first bytes of the answer's body.
    pub response_head: Option<Vec<u8>>,
    pub took_ms: i32,
    /// When it is tried again.
    pub next_at: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

impl Tried {
    /// Its public id.
    #[must_use]
    pub fn id(&self) -> DeliveryId {
        DeliveryId::from_uuid(self.delivery_id)
    }
}

/// A row of `delivery_queue`, with the type of its event.
#[derive(Clone, FromRow)]
pub struct Queued {
    pub endpoint_id: Uuid,
    pub event_id: Uuid,
    /// None where the event is not kept any more.
    pub event_type: Option<String>,
    pub replay: bool,
    /// How often it was tried and failed.
    pub tries: i32,
    /// When it is tried next; none where it is being tried now.
    pub next_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl Queued {
    /// The event's public id.
    #[must_use]
    pub fn event(&self) -> EventId {
        EventId::from_uuid(self.event_id)
    }
}

/// Which tries a list shows.
pub struct Filter<'a> {
    pub event: Option<Uuid>,
    pub outcome: Option<&'a str>,
    /// Only what is older than the one of this id: the cursor.
    pub before: Option<Uuid>,
    /// Rows at most.
    pub limit: i64,
}

/// What both lists of tries have in common; `$1` to `$7`. What is shown is read at the end, by its keys.
macro_rules! list {
    ($narrowed:literal) => {
        concat!(
            "-- store::delivery_log::list
         with seen as materialized (
            select delivery_id, at, outcome from delivery_log
             where merchant_id = $1 and endpoint_id = $2
               and delivery_id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) and ",
            $narrowed,
            " order by delivery_id desc limit $6),
         found as materialized (
            select delivery_id, at from seen where $4::text is null or outcome = $4 order by delivery_id desc limit $5),
         ended as (
            select case when (select count(*) from found) < $5 and (select count(*) from seen) = $6
                        then (select delivery_id from seen order by delivery_id limit 1) end as until)
         select ended.until, tried.*
           from ended
           left join (found cross join lateral (
                select endpoint_id, delivery_id, event_id, event_type, try, replay, outcome, status, error, response_head,
                       took_ms, next_at, at
                  from delivery_log as l
                 where l.merchant_id = $1 and l.endpoint_id = $2 and l.delivery_id = found.delivery_id and l.at = found.at
                 limit 1) as tried) on true
          order by tried.delivery_id desc"
        )
    };
}

/// The tries at an endpoint, newest first. It walks the primary key, or the tries of one event; those of one outcome are
/// looked for among [`super::LOOKED_AT_MAX`] at most.
pub async fn list(
    conn: &mut PgConnection,
    merchant: MerchantId,
    endpoint: WebhookEndpointId,
    filter: &Filter<'_>,
) -> Result<Looked<Tried>, Error> {
    // Two statements, because the one plan that is made of a statement is for one index.
    let statement = match filter.event {
        None => list!("$7::uuid is null"),
        Some(_) => list!("event_id = $7"),
    };
    let rows = sqlx::query(statement)
        .bind(merchant.uuid())
        .bind(endpoint.uuid())
        .bind(filter.before)
        .bind(filter.outcome)
        .bind(filter.limit)
        // Of every outcome: what is looked at is what is found.
        .bind(if filter.outcome.is_some() { LOOKED_AT_MAX } else { filter.limit })
        .bind(filter.event)
        .fetch_all(conn)
        .await?;
    Ok(Looked::from_rows(&rows, "delivery_id")?)
}

/// What is queued for an endpoint, the newest event first.
pub async fn pending(
    conn: &mut PgConnection,
    merchant: MerchantId,
    endpoint: WebhookEndpointId,
    filter: &Filter<'_>,
) -> Result<Vec<Queued>, Error> {
    let rows = sqlx::query_as(
        "-- store::delivery_log::pending
         select q.endpoint_id, q.event_id, o.type as event_type, q.replay, q.tries,
                case when q.owner is null then q.due_at end as next_at, q.created_at
           from delivery_queue as q
           left join outbox as o
                  on o.merchant_id = q.merchant_id and o.id = q.event_id and o.created_at = q.event_created_at
          where q.merchant_id = $1 and q.endpoint_id = $2
            and q.event_id >= coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid)
            and q.event_id <= coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
            and q.event_id < coalesce($4, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          order by q.event_id desc
          limit $5",
    )
    .bind(merchant.uuid())
    .bind(endpoint.uuid())
    .bind(filter.event)
    .bind(filter.before)
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
