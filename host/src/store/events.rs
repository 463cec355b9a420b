//! The events of one merchant as it asks for them: the log of [`super::outbox`], newest first.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Error, LOOKED_AT_MAX, Looked, event_ids::rows_of};
use crate::domain::id::{EventId, MerchantId};

/// An event as it was sent.
#[derive(FromRow)]
pub struct Sent {
    pub id: Uuid,
    /// Its JSON, byte for byte.
    pub payload: String,
}

impl Sent {
    /// Its public id.
    #[must_use]
    pub fn id(&self) -> EventId {
        EventId::from_uuid(self.id)
    }
}

/// What a list is narrowed to.
#[derive(Default)]
pub struct Filter {
    /// Only these types; none: all.
    pub types: Option<Vec<&'static str>>,
    /// Only what is about the object with this public id.
    pub object: Option<String>,
    pub created_after: Option<DateTime<Utc>>,
    pub created_before: Option<DateTime<Utc>>,
    /// Only what is older than this event.
    pub before: Option<Uuid>,
    pub limit: i64,
}

/// What all lists have in common; `$1` to `$7`. The bodies of what is shown are read at the end, by their keys.
macro_rules! list {
    ($narrowed:literal) => {
        concat!(
            "-- store::events::list
         with seen as materialized (
            select id, created_at, type from outbox
             where merchant_id = $1 and id < coalesce($2, uuid 'ffffffff-ffff-ffff-ffff-ffffffffffff')
               and created_at > coalesce($3, timestamptz '-infinity') and created_at < coalesce($4, timestamptz 'infinity') ",
            $narrowed,
            " order by id desc limit $7),
         found as materialized (
            select id, created_at from seen where $5::text[] is null or type = any ($5) order by id desc limit $6),
         ended as (
            select case when (select count(*) from found) < $6 and (select count(*) from seen) = $7
                        then (select id from seen order by id limit 1) end as until)
         select ended.until, event.id, event.payload
           from ended
           left join (found cross join lateral (
                select o.id, o.payload from outbox as o
                 where o.merchant_id = $1 and o.id = found.id and o.created_at = found.created_at
                 limit 1) as event) on true
          order by event.id desc"
        )
    };
}

/// Events by their ids, newest first: in the order in which they were made, as far as hosts' clocks agree. Where it is
/// narrowed to some types, these are looked for among [`super::LOOKED_AT_MAX`] events at most.
pub async fn list(conn: &mut PgConnection, merchant: MerchantId, filter: &Filter) -> Result<Looked<Sent>, Error> {
    // Two statements, because a plan is made once for all values: an object's few events are found by their own index.
    let statement = match &filter.object {
        None => list!(""),
        Some(_) => list!("and aggregateid = $8"),
    };
    let query = sqlx::query(statement)
        .bind(merchant.uuid())
        .bind(filter.before)
        .bind(filter.created_after)
        .bind(filter.created_before)
        .bind(&filter.types)
        .bind(filter.limit)
        // Of every type: what is looked at is what is found.
        .bind(if filter.types.is_some() { LOOKED_AT_MAX } else { filter.limit });
    let query = match &filter.object {
        None => query,
        Some(object) => query.bind(object),
    };
    Ok(Looked::from_rows(&query.fetch_all(conn).await?, "id")?)
}

/// One event; none where the merchant has no such one, or has it no longer.
pub async fn get(conn: &mut PgConnection, merchant: MerchantId, event: EventId) -> Result<Option<Sent>, Error> {
    let made = rows_of(event.uuid());
    let row = sqlx::query_as(
        "-- store::events::get
        select id, payload from outbox
         where merchant_id = $1 and id = $2 and created_at between $3 and $4",
    )
    .bind(merchant.uuid())
    .bind(event.uuid())
    .bind(*made.start())
    .bind(*made.end())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}
