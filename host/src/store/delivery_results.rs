//! What is written down of tries to deliver: the log, what becomes of the queue's rows, and how endpoints are doing.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Error,
    deliveries::{Lease, Plan},
};

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    Delivered,
    /// It is tried again.
    Failed,
    /// It was the last try.
    GivenUp,
}

/// One try to deliver one event to one endpoint.
#[expect(clippy::struct_excessive_bools, reason = "each says something by itself")]
pub struct Tried {
    pub lease: Lease,
    /// Names this try.
    pub delivery_id: Uuid,
    /// Where it was sent.
    pub url: Arc<str>,
    pub event_type: String,
    /// How many tries failed before it.
    pub tries: i32,
    pub replay: bool,
    /// The endpoint wants one event of an object at a time.
    pub ordered: bool,
    /// Its last try had failed when this one was begun.
    pub endpoint_failed: bool,
    pub outcome: Outcome,
    /// The receiver says that it is gone for good: its endpoint is to be disabled. Until that is done, it is a failure like
    /// others.
    pub gone: bool,
    /// Whether it was a try at all: one that this host could not make uses none up, and says nothing of the endpoint.
    pub counts: bool,
    /// Until the next try, where there is one.
    pub after: Option<Duration>,
    /// Of the answer, if there was one.
    pub status: Option<u16>,
    /// The class of what went wrong.
    pub error: Option<&'static str>,
    /// The first bytes of the answer's body.
    pub response_head: Option<Vec<u8>>,
    pub took: Duration,
    /// When it was sent, by this host's clock.
    pub at: DateTime<Utc>,
}

/// What the latest tries at a URL say of the endpoint that is there.
pub struct Heard {
    pub merchant_id: Uuid,
    pub endpoint_id: Uuid,
    /// Where they were sent.
    pub url: Arc<str>,
    /// One of them succeeded.
    pub well: bool,
    /// One of them failed, and none has succeeded since.
    pub failing: bool,
}

/// Endpoints that have failed for long enough: merchant, endpoint, and the URL that failed.
pub type Overdue = Vec<(Uuid, Uuid, String)>;

/// Keeps since when each of these endpoints fails. Returns those that have failed now and for `disable_after_ms` without a
/// success. Touches the rows that change, and none that is disabled or deleted, or is at another URL by now: what the old
/// one did says nothing of the new one. To be called before [`settle`], on its own: who disables an endpoint takes its row
/// first and its queue afterwards.
pub async fn hear(conn: &mut PgConnection, heard: &[Heard], disable_after_ms: i64) -> Result<Overdue, Error> {
    let rows = sqlx::query_as(
        "-- store::delivery_results::hear
        with heard as (
            select * from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::bool[], $6::text[])
                          as t (merchant_id, endpoint_id, well, failing, url)),
        mine as ( -- the same order everywhere: two hosts that write of the same endpoints must not deadlock
            select e.merchant_id, e.endpoint_id, e.failing_since, e.url, h.well, h.failing
              from webhook_endpoints as e join heard as h using (merchant_id, endpoint_id, url)
             where e.enabled and e.deleted_at is null
             order by e.merchant_id, e.endpoint_id
               for no key update of e), -- the fan-out reads them meanwhile
        changed as (
            update webhook_endpoints as e
               set failing_since = case when m.failing then clock_timestamp() end
              from mine as m
             where e.merchant_id = m.merchant_id and e.endpoint_id = m.endpoint_id
               and case when m.well then m.failing or m.failing_since is not null
                                    else m.failing and m.failing_since is null end
            returning 1)
        select merchant_id, endpoint_id, url
          from mine
         where failing and not well
           and coalesce(failing_since, clock_timestamp()) <= clock_timestamp() - $5 * interval '1 millisecond'",
    )
    .bind(heard.iter().map(|heard| heard.merchant_id).collect::<Vec<_>>())
    .bind(heard.iter().map(|heard| heard.endpoint_id).collect::<Vec<_>>())
    .bind(heard.iter().map(|heard| heard.well).collect::<Vec<_>>())
    .bind(heard.iter().map(|heard| heard.failing).collect::<Vec<_>>())
    .bind(disable_after_ms)
    .bind(heard.iter().map(|heard| &*heard.url).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Writes down tries, in one statement: a row of the log each; a delivery that is over leaves the queue, one that failed is
/// due again. Where the lease was lost, or the endpoint was disabled meanwhile, the log has its row and the queue stays as
/// it is. Must log every one, or none where it is the repeat of a statement that had gone through unheard.
///
/// An event that fails takes the later events of its object with it where the endpoint wants them in order: they could
/// not be sent before it anyway, and would be looked at by each claim. One that is over makes the next of its object due.
/// What somebody else is just writing is passed over, so that nobody waits for the other.
///
/// Not waited for on disk: if Postgres loses it, the events are delivered again, which receivers must expect.
pub async fn settle(conn: &mut PgConnection, tried: &[Tried], plan: Plan) -> Result<(), Error> {
    let ids = |of: fn(&Tried) -> Uuid| tried.iter().map(of).collect::<Vec<_>>();
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    sqlx::query(
        "-- store::delivery_results::settle
        with told as (
            select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::uuid[], $6::text[], $7::int[],
                                 $8::bool[], $9::bool[], $10::text[], $11::bigint[], $12::smallint[], $13::text[],
                                 $14::bytea[], $15::bigint[], $16::timestamptz[], $17::bool[])
                   as t (merchant_id, endpoint_id, event_id, fence, delivery_id, event_type, tries, replay, ordered,
                         outcome, after_ms, status, error, response_head, took_ms, at, counts)),
        mine as (
            select q.merchant_id, q.endpoint_id, q.event_id, q.object, q.sequence, t.ordered, t.after_ms, t.counts
              from told as t join delivery_queue as q using (merchant_id, endpoint_id, event_id)
             where q.fence = t.fence
             order by q.merchant_id, q.endpoint_id, q.event_id
               for update of q),
        over as (
            delete from delivery_queue as q using mine as m
             where q.merchant_id = m.merchant_id and q.endpoint_id = m.endpoint_id and q.event_id = m.event_id
               and m.after_ms is null
            returning q.merchant_id, q.endpoint_id, q.event_id, q.object, q.sequence, m.ordered),
        again as (
            update delivery_queue as q
               set owner = null, fence = q.fence + 1, tries = q.tries + m.counts::int,
                   due_at = clock_timestamp() + m.after_ms * interval '1 millisecond'
              from mine as m
             where q.merchant_id = m.merchant_id and q.endpoint_id = m.endpoint_id and q.event_id = m.event_id
               and m.after_ms is not null
            returning q.merchant_id, q.endpoint_id, q.event_id, q.object, q.sequence, q.due_at, m.ordered),
        behind as (
            select q.merchant_id, q.endpoint_id, q.event_id, a.due_at
              from again as a join delivery_queue as q using (merchant_id, endpoint_id, object)
             where a.ordered and q.sequence > a.sequence and q.owner is null and q.due_at < a.due_at
               for update of q skip locked),
        next as (
            select q.merchant_id, q.endpoint_id, q.event_id, clock_timestamp() as due_at
              from over as o
             cross join lateral (
                   select merchant_id, endpoint_id, event_id from delivery_queue as d
                    where d.merchant_id = o.merchant_id and d.endpoint_id = o.endpoint_id and d.object = o.object
                      and d.event_id <> o.event_id
                    order by d.sequence
                    limit 1) as first
              join delivery_queue as q
                on q.merchant_id = first.merchant_id and q.endpoint_id = first.endpoint_id
               and q.event_id = first.event_id
             where o.ordered and q.owner is null and q.tries = 0 and q.due_at > clock_timestamp()
               for update of q skip locked),
        moved as (
            update delivery_queue as q
               set due_at = m.due_at
              from (select * from behind union all select * from next) as m
             where q.merchant_id = m.merchant_id and q.endpoint_id = m.endpoint_id and q.event_id = m.event_id
            returning 1),
        logged as (
            insert into delivery_log (merchant_id, endpoint_id, delivery_id, event_id, event_type, try, replay, outcome,
                                      status, error, response_head, took_ms, next_at, at)
            select t.merchant_id, t.endpoint_id, t.delivery_id, t.event_id, t.event_type, t.tries + 1, t.replay,
                   t.outcome, t.status, t.error, t.response_head, least(t.took_ms, 2147483647)::int, a.due_at, t.at
              from told as t left join again as a using (merchant_id, endpoint_id, event_id)
                on conflict (merchant_id, endpoint_id, delivery_id, at) do nothing
            returning 1)
        select 1 / (case when (select count(*) from over) + (select count(*) from again) = (select count(*) from mine)
                          and (select count(*) from logged) in ((select count(*) from told), 0)
                         then 1 else 0 end),
               (select count(*) from moved), set_config('synchronous_commit', 'off', true)",
    )
    .bind(ids(|tried| tried.lease.merchant_id))
    .bind(ids(|tried| tried.lease.endpoint_id))
    .bind(ids(|tried| tried.lease.event_id))
    .bind(tried.iter().map(|tried| tried.lease.fence).collect::<Vec<_>>())
    .bind(ids(|tried| tried.delivery_id))
    .bind(tried.iter().map(|tried| tried.event_type.as_str()).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| tried.tries).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| tried.replay).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| tried.ordered).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| <&str>::from(tried.outcome)).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| tried.after.map(millis)).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| tried.status.and_then(|status| i16::try_from(status).ok())).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| tried.error).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| tried.response_head.as_deref()).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| millis(tried.took)).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| tried.at).collect::<Vec<_>>())
    .bind(tried.iter().map(|tried| tried.counts).collect::<Vec<_>>())
    .persistent(plan == Plan::Kept)
    .fetch_one(conn)
    .await?;
    Ok(())
}
