//! Who takes what out of the queue of deliveries: a fair share of what is due, under a lease.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::{
    Error,
    deliveries::{Lease, Plan},
    enum_column,
    gateway_accounts::SealedSecret,
    webhook_endpoints::Mode,
};

/// How many deliveries a claim may take: in all, and of whom how many.
#[derive(Clone, Debug)]
pub struct Room {
    /// Rows of this claim.
    pub limit: u32,
    /// Under way at once to one merchant's endpoints, to one endpoint, to one that fails, and replays to one.
    pub merchant_max: u32,
    pub endpoint_max: u32,
    pub failing_endpoint_max: u32,
    pub replays_max: u32,
    /// Of this claim, to endpoints that fail: together they have a part of the host's places.
    pub failing_limit: u32,
    /// What this host has under way.
    pub busy: Vec<Busy>,
}

/// An endpoint that has deliveries under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    pub merchant_id: Uuid,
    pub endpoint_id: Uuid,
    /// Replays included.
    pub under_way: u32,
    pub replays: u32,
    /// By how much its part, and its merchant's, has grown.
    pub grown: u32,
}

/// A delivery that was claimed: its lease is the caller's.
pub struct Claimed {
    pub lease: Lease,
    /// How often it was tried and failed.
    pub tries: i32,
    pub replay: bool,
    /// Type and bytes of the event; none where the log holds it no more.
    pub event: Option<(String, String)>,
    pub url: String,
    pub mode: Mode,
    /// What it is signed with, newest first.
    pub secrets: Vec<SealedSecret>,
    /// Of the endpoint: changes whenever its URL or secrets do.
    pub version: i32,
    /// The first failed try since the endpoint's last success.
    pub failing_since: Option<DateTime<Utc>>,
}

/// What came of a claim.
#[derive(Default)]
pub struct Claim {
    pub rows: Vec<Claimed>,
    /// Rows that were meant to be taken as well, and that another host was just taking.
    pub passed_over: u32,
}

/// A row of the answer: one that was claimed, if any was, and how many there should have been.
struct Told {
    chosen: i64,
    claimed: Option<Claimed>,
}

impl FromRow<'_, PgRow> for Told {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let is_row = row.try_get::<Option<Uuid>, _>("event_id")?.is_some();
        let claimed = if is_row { Some(Claimed::from_row(row)?) } else { None };
        Ok(Self { chosen: row.try_get("chosen")?, claimed })
    }
}

impl FromRow<'_, PgRow> for Claimed {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(secrets) = row.try_get("secrets")?;
        let event: Option<String> = row.try_get("type")?;
        let payload: Option<String> = row.try_get("payload")?;
        Ok(Self {
            lease: Lease::from_row(row)?,
            tries: row.try_get("tries")?,
            replay: row.try_get("replay")?,
            event: event.zip(payload),
            url: row.try_get("url")?,
            mode: enum_column(row, "mode")?,
            secrets,
            version: row.try_get("version")?,
            failing_since: row.try_get("failing_since")?,
        })
    }
}

/// What [`claim_due`] asks: from all queues to what is dealt out, to what is leased, to what is sent.
const CLAIM_DUE: &str = "-- store::delivery_claims::claim_due
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
        busy as (
            select * from unnest($3::uuid[], $4::uuid[], $5::int[], $6::int[], $13::int[])
                          as t (merchant_id, endpoint_id, under_way, replays, grown)),
        merchants as (
            select merchant_id, sum(under_way)::int as under_way, sum(grown)::int as grown
              from busy group by merchant_id),
        open as ( -- endpoints with room, each with a number by chance
            select w.merchant_id, w.endpoint_id, e.mode, e.failing_since is not null as failing, random() as luck,
                   coalesce(m.under_way, 0) as merchant_under_way, coalesce(b.under_way, 0) as under_way,
                   $7 + coalesce(m.grown, 0) as merchant_max,
                   case when e.failing_since is null then $8 + coalesce(b.grown, 0) else $9 end
                   - coalesce(b.under_way, 0) as room,
                   $10 - coalesce(b.replays, 0) as replay_room
              from waiting as w
              join webhook_endpoints as e using (merchant_id, endpoint_id)
              left join busy as b using (merchant_id, endpoint_id)
              left join merchants as m using (merchant_id)
             where e.enabled and e.deleted_at is null),
        due as (
            select o.merchant_id, o.endpoint_id, o.failing, o.luck, o.merchant_under_way, o.merchant_max, o.under_way,
                   o.room, d.event_id, d.replay,
                   row_number() over (partition by o.merchant_id, o.endpoint_id order by d.replay, d.due_at) as place
              from open as o
             cross join lateral (
                   (select q.event_id, q.replay, q.due_at from delivery_queue as q
                     where q.merchant_id = o.merchant_id and q.endpoint_id = o.endpoint_id and not q.replay
                       and q.due_at <= statement_timestamp()
                       and (o.mode = 'parallel' or not exists (
                            select 1 from delivery_queue as p
                             where p.merchant_id = q.merchant_id and p.endpoint_id = q.endpoint_id
                               and p.object = q.object
                               and (p.sequence < q.sequence
                                    or (p.owner is not null and p.due_at > statement_timestamp()))))
                     order by q.due_at
                     limit greatest(o.room, 0))
                    union all
                   (select q.event_id, q.replay, q.due_at from delivery_queue as q
                     where q.merchant_id = o.merchant_id and q.endpoint_id = o.endpoint_id and q.replay
                       and q.due_at <= statement_timestamp()
                       and (o.mode = 'parallel' or not exists (
                            select 1 from delivery_queue as p
                             where p.merchant_id = q.merchant_id and p.endpoint_id = q.endpoint_id
                               and p.object = q.object
                               and (p.sequence < q.sequence
                                    or (p.owner is not null and p.due_at > statement_timestamp()))))
                     order by q.due_at
                     limit greatest(least(o.room, o.replay_room), 0))) as d
             where o.merchant_under_way < o.merchant_max and o.room > 0),
        dealt as (
            select merchant_id, endpoint_id, event_id, replay, failing, luck, merchant_max,
                   merchant_under_way + row_number() over (partition by merchant_id
                                                           order by replay, under_way + place, luck) as turn
              from due where place <= room),
        ranked as (
            select merchant_id, endpoint_id, event_id, replay, failing, luck, turn,
                   row_number() over (partition by failing order by replay, turn, luck) as rank
              from dealt
             where turn <= merchant_max),
        chosen as (
            select merchant_id, endpoint_id, event_id from ranked
             where not failing or rank <= $12
             order by replay, turn, luck
             limit $11),
        mine as (
            select q.merchant_id, q.endpoint_id, q.event_id
              from chosen as c join delivery_queue as q using (merchant_id, endpoint_id, event_id)
             where q.due_at <= statement_timestamp() -- another host may have taken it since
               for update of q skip locked),
        claimed as (
            update delivery_queue as q
               set owner = $1, fence = q.fence + 1, due_at = clock_timestamp() + $2 * interval '1 millisecond'
              from mine as m
             where q.merchant_id = m.merchant_id and q.endpoint_id = m.endpoint_id and q.event_id = m.event_id
            returning q.merchant_id, q.endpoint_id, q.event_id, q.event_created_at, q.fence, q.tries, q.replay)
        select n.chosen, c.merchant_id, c.endpoint_id, c.event_id, c.fence, c.tries, c.replay, o.type, o.payload,
               e.url, e.mode, e.secrets, e.version, e.failing_since
          from (select count(*) as chosen, set_config('synchronous_commit', 'off', true) from chosen) as n
          left join claimed as c on true
          left join webhook_endpoints as e using (merchant_id, endpoint_id)
          left join lateral (
               select o.type, o.payload from outbox as o
                where o.merchant_id = c.merchant_id and o.id = c.event_id and o.created_at = c.event_created_at
                limit 1) as o on true";

/// Takes deliveries whose time has come, each under a new fence and a lease of `lease_ms`, as many as there is `room`
/// for. One statement, not waited for on disk: if Postgres loses a claim, the event is sent again, which receivers must
/// expect.
///
/// Fair: it looks at each endpoint that has anything queued (a step of the index each, however long the queues are),
/// takes of each what is due up to its room, live before replayed, and deals these out by turns: whose merchant has the
/// least under way comes first, and among equals chance decides. What another host is taking is passed over. Of an endpoint
/// that wants its events in order, an event is taken where none before it about the same object is in the queue, and none
/// about it is under way (one that was asked for again may come before one that is being sent).
pub async fn claim_due(
    conn: &mut PgConnection,
    owner: Uuid,
    lease_ms: i64,
    room: &Room,
    plan: Plan,
) -> Result<Claim, Error> {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let told: Vec<Told> = sqlx::query_as(CLAIM_DUE)
        .bind(owner)
        .bind(lease_ms)
        .bind(room.busy.iter().map(|busy| busy.merchant_id).collect::<Vec<_>>())
        .bind(room.busy.iter().map(|busy| busy.endpoint_id).collect::<Vec<_>>())
        .bind(room.busy.iter().map(|busy| number(busy.under_way)).collect::<Vec<_>>())
        .bind(room.busy.iter().map(|busy| number(busy.replays)).collect::<Vec<_>>())
        .bind(number(room.merchant_max))
        .bind(number(room.endpoint_max))
        .bind(number(room.failing_endpoint_max))
        .bind(number(room.replays_max))
        .bind(i64::from(room.limit))
        .bind(i64::from(room.failing_limit))
        .bind(room.busy.iter().map(|busy| number(busy.grown)).collect::<Vec<_>>())
        .persistent(plan == Plan::Kept)
        .fetch_all(conn)
        .await?;
    let chosen = told.first().map_or(0, |row| row.chosen);
    let rows: Vec<Claimed> = told.into_iter().filter_map(|row| row.claimed).collect();
    let passed_over = usize::try_from(chosen).unwrap_or(0).saturating_sub(rows.len());
    Ok(Claim { rows, passed_over: u32::try_from(passed_over).unwrap_or(u32::MAX) })
}
