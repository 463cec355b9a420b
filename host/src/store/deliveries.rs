//! What is to be delivered to merchants' endpoints: how it gets into the queue, and how the queue is weighed. Who takes
//! it from there is in [`super::delivery_claims`], what is written down of a try in [`super::delivery_results`].

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// One event for one endpoint, to be queued.
pub struct NewDelivery {
    pub merchant_id: Uuid,
    pub endpoint_id: Uuid,
    pub event_id: Uuid,
    pub event_created_at: DateTime<Utc>,
    /// The public id of what the event is about, and its place among that object's events.
    pub object: String,
    pub sequence: i32,
    /// The host that takes it in hand at once, for a lease; none: whoever comes first.
    pub owner: Option<Uuid>,
}

/// Which row of the queue, under which lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromRow)]
pub struct Lease {
    pub merchant_id: Uuid,
    pub endpoint_id: Uuid,
    pub event_id: Uuid,
    pub fence: i32,
}

/// By which plan a statement on the queue is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The connection's, made when it ran the statement first: where the queue was short then, it walks through all of it.
    Kept,
    /// One that is made for the queue as it is now, which costs a millisecond.
    New,
}

/// Queues deliveries of the log, in one statement. What is queued already stays as it is: a reader that read an event
/// twice changes nothing. One with an owner is leased to it for `lease_ms`; returns the leases of those that are new. An
/// owned one that is not among them is somebody else's, and must not be sent.
pub async fn enqueue(
    conn: &mut PgConnection,
    deliveries: &[NewDelivery],
    lease_ms: i64,
) -> Result<HashSet<Lease>, Error> {
    let column = |of: fn(&NewDelivery) -> Uuid| deliveries.iter().map(of).collect::<Vec<_>>();
    let leases: Vec<Lease> = sqlx::query_as(
        "-- store::deliveries::enqueue
        with new as (
            insert into delivery_queue (merchant_id, endpoint_id, event_id, event_created_at, object, sequence, replay,
                                        owner, due_at, created_at)
            select merchant_id, endpoint_id, event_id, event_created_at, object, sequence, false, owner,
                   clock_timestamp() + case when owner is null then interval '0' else $8 * interval '1 millisecond' end,
                   clock_timestamp()
              from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::int[], $7::uuid[])
                   as t (merchant_id, endpoint_id, event_id, event_created_at, object, sequence, owner)
                on conflict (merchant_id, endpoint_id, event_id) do nothing
            returning merchant_id, endpoint_id, event_id, fence, owner)
        select merchant_id, endpoint_id, event_id, fence from new where owner is not null",
    )
    .bind(column(|delivery| delivery.merchant_id))
    .bind(column(|delivery| delivery.endpoint_id))
    .bind(column(|delivery| delivery.event_id))
    .bind(deliveries.iter().map(|delivery| delivery.event_created_at).collect::<Vec<_>>())
    .bind(deliveries.iter().map(|delivery| delivery.object.as_str()).collect::<Vec<_>>())
    .bind(deliveries.iter().map(|delivery| delivery.sequence).collect::<Vec<_>>())
    .bind(deliveries.iter().map(|delivery| delivery.owner).collect::<Vec<_>>())
    .bind(lease_ms)
    .fetch_all(conn)
    .await?;
    Ok(leases.into_iter().collect())
}

/// Rows of the queue that are counted one by one. Of a longer queue the database's own estimate is told.
pub const COUNTED_MAX: i64 = 100_000;

/// How many deliveries are queued, and for how many seconds the one that is due for the longest has been; none is due
/// where there is no second number. For metrics. Costs some steps of the index for each endpoint with a queue, and a count
/// of [`COUNTED_MAX`], however long the queue is. What waits for an endpoint that is off is about to be deleted: it is
/// counted, and is not due.
pub async fn weigh(conn: &mut PgConnection) -> Result<(i64, Option<i64>), Error> {
    let row = sqlx::query_as(
        "-- store::deliveries::weigh
         with recursive waiting as (
            (select merchant_id, endpoint_id from delivery_queue order by merchant_id, endpoint_id limit 1)
            union all
            select next.merchant_id, next.endpoint_id
              from waiting as w
             cross join lateral (
                   select q.merchant_id, q.endpoint_id from delivery_queue as q
                    where (q.merchant_id, q.endpoint_id) > (w.merchant_id, w.endpoint_id)
                    order by q.merchant_id, q.endpoint_id
                    limit 1) as next),
         first as (
            select d.due_at
              from waiting as w
              join webhook_endpoints as e using (merchant_id, endpoint_id)
             cross join (values (false), (true)) as kind (replay)
             cross join lateral (
                   select q.due_at from delivery_queue as q
                    where q.merchant_id = w.merchant_id and q.endpoint_id = w.endpoint_id and q.replay = kind.replay
                    order by q.due_at
                    limit 1) as d
             where e.enabled and e.deleted_at is null),
         counted as (
            select count(*) as rows from (select from delivery_queue limit $1) as piece)
         select case when c.rows < $1 then c.rows
                     else greatest(c.rows, (select reltuples::bigint from pg_class
                                             where oid = 'delivery_queue'::regclass)) end,
                (select extract(epoch from clock_timestamp() - min(due_at))::bigint
                   from first where due_at <= clock_timestamp())
           from counted as c",
    )
    .bind(COUNTED_MAX)
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// Deletes up to `limit` queued deliveries whose endpoint is disabled or deleted: who disables one clears its queue, and
/// what was asked for again in that very moment is left over. Returns how many.
pub async fn delete_orphans(conn: &mut PgConnection, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::deliveries::delete_orphans
        with recursive waiting as (
            (select merchant_id, endpoint_id from delivery_queue order by merchant_id, endpoint_id limit 1)
            union all
            select next.merchant_id, next.endpoint_id
              from waiting as w
             cross join lateral (
                   select q.merchant_id, q.endpoint_id from delivery_queue as q
                    where (q.merchant_id, q.endpoint_id) > (w.merchant_id, w.endpoint_id)
                    order by q.merchant_id, q.endpoint_id
                    limit 1) as next),
        off as ( -- held: who switches one on again waits, and what is asked for then is not taken for a leftover
            select e.merchant_id, e.endpoint_id
              from waiting as w join webhook_endpoints as e using (merchant_id, endpoint_id)
             where not e.enabled or e.deleted_at is not null
               for key share of e skip locked),
        orphans as (
            select q.ctid as place
              from off join delivery_queue as q using (merchant_id, endpoint_id)
             limit $1
               for update of q skip locked)
        delete from delivery_queue where ctid = any (array(select place from orphans))",
    )
    // Planned for the queue as it is now: what was planned for a short one walks through a long one for each row.
    .persistent(false)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
