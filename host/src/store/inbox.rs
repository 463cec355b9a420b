//! What gateways tell by webhook: stored once, claimed, found its operation, done. What cannot be applied is in
//! [`super::quarantine`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{Error, enum_column};
use crate::connector::types::OperationKind;

/// A delivery as it is kept.
pub struct NewDelivery<'a> {
    pub merchant_id: Uuid,
    pub gateway_account_id: Uuid,
    pub delivery_id: Uuid,
    /// Names and values, as [`crate::connector::types::Pairs`] has them.
    pub headers: Value,
    pub query: &'a str,
    pub body: &'a [u8],
    pub received_at: DateTime<Utc>,
}

/// One event of a delivery.
pub struct NewEvent {
    /// The gateway's own id, unique for its account.
    pub gateway_event_id: String,
    /// As the connector read it.
    pub event: Value,
    /// Whether it has a proof of its own.
    pub verified: bool,
    /// Whether it is to be applied; what is only worth keeping is not.
    pub queued: bool,
}

/// Keeps the events that are new, with their delivery and their work: one statement. Returns how many it kept. An event
/// that is here already changes nothing, but for one that has a proof where the one that is here has none: it takes its
/// place, or whoever guesses an id could silence the gateway.
///
/// `events` must not hold an id twice.
pub async fn insert(conn: &mut PgConnection, delivery: &NewDelivery<'_>, events: &[NewEvent]) -> Result<i64, Error> {
    let ids: Vec<&str> = events.iter().map(|event| event.gateway_event_id.as_str()).collect();
    let bodies: Vec<&Value> = events.iter().map(|event| &event.event).collect();
    let verified: Vec<bool> = events.iter().map(|event| event.verified).collect();
    let queued: Vec<bool> = events.iter().map(|event| event.queued).collect();
    let row = sqlx::query(
        "-- store::inbox::insert
        with told as (
            select t.gateway_event_id, t.event, t.verified, t.queued
              from unnest($4::text[], $5::jsonb[], $6::bool[], $7::bool[])
                   as t (gateway_event_id, event, verified, queued)),
        kept as (
            insert into webhook_inbox as i (merchant_id, gateway_account_id, gateway_event_id, delivery_id, event,
                                            verified, received_at)
            select $1, $2, gateway_event_id, $3, event, verified, $8 from told
             order by gateway_event_id -- the same order everywhere: two deliveries of the same events must not deadlock
                on conflict (merchant_id, gateway_account_id, gateway_event_id) do update
               set delivery_id = excluded.delivery_id, event = excluded.event, verified = true,
                   received_at = excluded.received_at
             where excluded.verified and not i.verified
            returning gateway_event_id),
        delivery as (
            insert into webhook_deliveries (merchant_id, delivery_id, gateway_account_id, headers, query, body, received_at)
            select $1, $3, $2, $9, $10, $11, $8 where exists (select 1 from kept)
            returning 1),
        wanted as (
            select gateway_event_id from told join kept using (gateway_event_id) where told.queued),
        work as (
            insert into webhook_work as w (merchant_id, gateway_account_id, gateway_event_id, due_at)
            select $1, $2, gateway_event_id, clock_timestamp() from wanted
                on conflict (merchant_id, gateway_account_id, gateway_event_id) do update
               set owner = null, fence = w.fence + 1, due_at = excluded.due_at, tries = 0, quarantined = null,
                   quarantined_at = null
            returning 1)
        select (select count(*) from kept) as kept,
               1 / (case when (select count(*) from delivery) = least((select count(*) from kept), 1)
                          and (select count(*) from work) = (select count(*) from wanted)
                         then 1 else 0 end) as counted",
    )
    .bind(delivery.merchant_id)
    .bind(delivery.gateway_account_id)
    .bind(delivery.delivery_id)
    .bind(ids)
    .bind(bodies)
    .bind(verified)
    .bind(queued)
    .bind(delivery.received_at)
    .bind(&delivery.headers)
    .bind(delivery.query)
    .bind(delivery.body)
    .fetch_one(conn)
    .await?;
    Ok(row.try_get("kept")?)
}

/// Which row of the queue, under which lease.
#[derive(Clone, Debug, FromRow)]
pub struct Lease {
    pub merchant_id: Uuid,
    pub gateway_account_id: Uuid,
    pub gateway_event_id: String,
    pub fence: i32,
}

/// An event that was claimed: its lease is the caller's.
#[derive(Clone, Debug, FromRow)]
pub struct Claimed {
    #[sqlx(flatten)]
    pub lease: Lease,
    /// How often it was tried, this time included.
    pub tries: i32,
    pub event: Value,
    pub verified: bool,
    pub received_at: DateTime<Utc>,
}

/// Takes up to `limit` events whose time has come, each under a new fence and a lease of `lease_ms`. What another host
/// is taking is passed over. A try counts from here: a host that dies of an event must not die of it for ever.
pub async fn claim_due(conn: &mut PgConnection, owner: Uuid, lease_ms: i64, limit: i64) -> Result<Vec<Claimed>, Error> {
    let rows = sqlx::query_as(
        "-- store::inbox::claim_due
        with due as (
            select merchant_id, gateway_account_id, gateway_event_id from webhook_work
             where due_at <= statement_timestamp()
             order by due_at
             limit $3
               for update skip locked)
        update webhook_work as w
           set owner = $1, fence = w.fence + 1, tries = w.tries + 1,
               due_at = clock_timestamp() + $2 * interval '1 millisecond'
          from due
          join webhook_inbox as i using (merchant_id, gateway_account_id, gateway_event_id)
         where w.merchant_id = due.merchant_id and w.gateway_account_id = due.gateway_account_id
           and w.gateway_event_id = due.gateway_event_id
        returning w.merchant_id, w.gateway_account_id, w.gateway_event_id, w.fence, w.tries, i.event, i.verified,
                  i.received_at",
    )
    .bind(owner)
    .bind(lease_ms)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The operation that an event speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    pub operation_id: Uuid,
    pub gateway_account_id: Uuid,
    pub kind: OperationKind,
}

impl FromRow<'_, PgRow> for Spoken {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            operation_id: row.try_get("operation_id")?,
            gateway_account_id: row.try_get("gateway_account_id")?,
            kind: enum_column(row, "kind")?,
        })
    }
}

/// The merchant's operation with this id.
pub async fn operation(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    operation_id: Uuid,
) -> Result<Option<Spoken>, Error> {
    let row = sqlx::query_as(
        "-- store::inbox::operation
         select operation_id, gateway_account_id, kind from operations where merchant_id = $1 and operation_id = $2",
    )
    .bind(merchant_id)
    .bind(operation_id)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// How far back operations are searched by the gateway's reference, in operations of the merchant.
const SEARCHED_OPERATIONS_MAX: i64 = 2_000;

/// Up to two operations of this kind whose attempt at the account has the gateway's reference, or all of `references`
/// (`[[name, value], …]`; none where it is empty), the newest first.
///
/// There is no index for this, on purpose: the reference is learned in commit 2, and an index on it would end the
/// heap-only updates of attempts and cost each payment a write, for the few gateways that do not give our own id back.
/// So it is looked for where it can be: in what is unresolved, however old, and in the merchant's latest
/// [`SEARCHED_OPERATIONS_MAX`] operations, both by their primary keys.
pub async fn operations_by_reference(
    conn: &mut PgConnection,
    lease: &Lease,
    kind: OperationKind,
    reference: Option<&str>,
    references: &Value,
) -> Result<Vec<Spoken>, Error> {
    let rows = sqlx::query_as(
        "-- store::inbox::operations_by_reference
        with searched as (
            (select operation_id from operations where merchant_id = $1 order by operation_id desc limit $6)
            union
            select operation_id from work where merchant_id = $1)
        select o.operation_id, o.gateway_account_id, o.kind
          from searched as s
          join operations as o on o.merchant_id = $1 and o.operation_id = s.operation_id
          join attempts as a
            on a.merchant_id = o.merchant_id and a.payment_id = o.payment_id and a.number = o.attempt_number
         where o.gateway_account_id = $2 and o.kind = $3
           and (a.gateway_reference = $4 or ($5 <> '[]'::jsonb and a.gateway_references @> $5))
         order by o.operation_id desc
         limit 2",
    )
    .bind(lease.merchant_id)
    .bind(lease.gateway_account_id)
    .bind(<&str>::from(kind))
    .bind(reference)
    .bind(references)
    .bind(SEARCHED_OPERATIONS_MAX)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The event is applied: its work is gone, the event stays. Returns false where the lease was lost, and nothing
/// changed. To be called in the transaction of the change that it makes, where it makes one.
pub async fn applied(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    gateway_account_id: Uuid,
    gateway_event_id: &str,
    fence: i32,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::inbox::applied
         delete from webhook_work
          where merchant_id = $1 and gateway_account_id = $2 and gateway_event_id = $3 and fence = $4",
    )
    .bind(merchant_id)
    .bind(gateway_account_id)
    .bind(gateway_event_id)
    .bind(fence)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Looks again in `in_ms` milliseconds. A try that is not `counted` was none: nobody looked. Must touch one row, or none
/// where the lease was lost.
pub async fn postpone(conn: &mut PgConnection, lease: &Lease, in_ms: i64, counted: bool) -> Result<(), Error> {
    sqlx::query(
        "-- store::inbox::postpone
         update webhook_work
            set owner = null, due_at = clock_timestamp() + $5 * interval '1 millisecond',
                tries = tries - (not $6::bool)::int
          where merchant_id = $1 and gateway_account_id = $2 and gateway_event_id = $3 and fence = $4",
    )
    .bind(lease.merchant_id)
    .bind(lease.gateway_account_id)
    .bind(&lease.gateway_event_id)
    .bind(lease.fence)
    .bind(in_ms)
    .bind(counted)
    .execute(conn)
    .await?;
    Ok(())
}

/// How many events wait to be applied, and how many are in quarantine: for metrics.
pub async fn count(conn: &mut PgConnection) -> Result<(i64, i64), Error> {
    let row = sqlx::query_as(
        "-- store::inbox::count
         select count(*) filter (where quarantined is null), count(*) filter (where quarantined is not null)
           from webhook_work",
    )
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// Deletes up to `limit` events that are older than `kept_days` and wait for nobody, and as many deliveries of which
/// nothing waits. Returns how many events and deliveries went.
pub async fn delete_old(conn: &mut PgConnection, kept_days: i32, limit: i64) -> Result<(u64, u64), Error> {
    let events = sqlx::query(
        "-- store::inbox::delete_old
        with old as (
            select i.merchant_id, i.gateway_account_id, i.gateway_event_id from webhook_inbox as i
             where i.received_at < statement_timestamp() - make_interval(days => $1)
               and not exists (
                   select 1 from webhook_work as w
                    where w.merchant_id = i.merchant_id and w.gateway_account_id = i.gateway_account_id
                      and w.gateway_event_id = i.gateway_event_id)
             limit $2)
        delete from webhook_inbox as i using old
         where i.merchant_id = old.merchant_id and i.gateway_account_id = old.gateway_account_id
           and i.gateway_event_id = old.gateway_event_id",
    )
    .bind(kept_days)
    .bind(limit)
    .execute(&mut *conn)
    .await?;
    // Work is small, so what waits is gathered from there: events have no index by delivery.
    let deliveries = sqlx::query(
        "-- store::inbox::delete_old (deliveries)
        with waiting as (
            select i.merchant_id, i.delivery_id
              from webhook_work as w
              join webhook_inbox as i using (merchant_id, gateway_account_id, gateway_event_id)),
        old as (
            select d.merchant_id, d.delivery_id from webhook_deliveries as d
             where d.received_at < statement_timestamp() - make_interval(days => $1)
               and not exists (
                   select 1 from waiting as w where w.merchant_id = d.merchant_id and w.delivery_id = d.delivery_id)
             limit $2)
        delete from webhook_deliveries as d using old
         where d.merchant_id = old.merchant_id and d.delivery_id = old.delivery_id",
    )
    .bind(kept_days)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok((events.rows_affected(), deliveries.rows_affected()))
}
