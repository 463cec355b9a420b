//! What is under way, who owns it until when, and how another host takes it over.

use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// A row of `work` that was claimed: its lease is the caller's.
#[derive(Clone, Debug, FromRow)]
pub struct Claimed {
    pub merchant_id: Uuid,
    pub operation_id: Uuid,
    pub payment_id: Uuid,
    pub kind: String,
    pub task: String,
    pub fence: i32,
    pub checks: i16,
    pub never_received: i16,
    /// Whole seconds since it could no longer be under way, by the database's clock: rounded down, because what is proved by
    /// waiting must be waited for.
    pub unknown_for_s: Option<i64>,
    /// Seconds since commit 1, by the database's clock.
    pub age_s: i64,
    /// Milliseconds until its time would have come, by the database's clock: 0 where it had.
    pub due_in_ms: i64,
}

/// Takes up to `limit` rows whose time has come (by `statement_timestamp`, which an index can be searched by), each under a new fence and a lease of `lease_ms`. Rows that another
/// host is taking are passed over, so that any number of hosts may do this at once.
///
/// Who held a row and never let go of it may have sent again, a resend under the gateway's key: "never received" answers
/// from before count no more, and the operation may have been under way until that lease ended.
pub async fn claim_due(conn: &mut PgConnection, owner: Uuid, lease_ms: i64, limit: i64) -> Result<Vec<Claimed>, Error> {
    let rows = sqlx::query_as(
        "-- store::work::claim_due
        with due as (
            select merchant_id, operation_id from work
             where due_at <= statement_timestamp() and task = any ('{drive,resolve,poll,act,expire}')
             order by due_at
             limit $3
               for update skip locked)
        update work as w
           set owner = $1, fence = w.fence + 1, due_at = clock_timestamp() + $2 * interval '1 millisecond',
               never_received = case when w.owner is null then w.never_received else 0 end,
               unknown_since = case when w.owner is null or w.unknown_since is null then w.unknown_since else w.due_at end
          from due
         where w.merchant_id = due.merchant_id and w.operation_id = due.operation_id
        returning w.merchant_id, w.operation_id, w.payment_id, w.kind, w.task, w.fence, w.checks, w.never_received,
                  floor(extract(epoch from clock_timestamp() - w.unknown_since))::bigint as unknown_for_s,
                  extract(epoch from clock_timestamp() - w.created_at)::bigint as age_s, 0::bigint as due_in_ms",
    )
    .bind(owner)
    .bind(lease_ms)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Takes one row that nobody holds, whether its time has come or not, under a new fence and a lease of `lease_ms`. None
/// where it is gone, or in somebody's hands. What a holder that is gone leaves is as in [`claim_due`].
pub async fn claim(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    operation_id: Uuid,
    owner: Uuid,
    lease_ms: i64,
) -> Result<Option<Claimed>, Error> {
    let row = sqlx::query_as(
        "-- store::work::claim
        with free as (
            select merchant_id, operation_id, due_at from work
             where merchant_id = $3 and operation_id = $4 and (owner is null or due_at <= clock_timestamp())
               for update)
        update work as w
           set owner = $1, fence = w.fence + 1, due_at = clock_timestamp() + $2 * interval '1 millisecond',
               never_received = case when w.owner is null then w.never_received else 0 end,
               unknown_since = case when w.owner is null or w.unknown_since is null then w.unknown_since else w.due_at end
          from free
         where w.merchant_id = free.merchant_id and w.operation_id = free.operation_id
        returning w.merchant_id, w.operation_id, w.payment_id, w.kind, w.task, w.fence, w.checks, w.never_received,
                  floor(extract(epoch from clock_timestamp() - w.unknown_since))::bigint as unknown_for_s,
                  extract(epoch from clock_timestamp() - w.created_at)::bigint as age_s,
                  greatest(0, (extract(epoch from free.due_at - clock_timestamp()) * 1000)::bigint) as due_in_ms",
    )
    .bind(owner)
    .bind(lease_ms)
    .bind(merchant_id)
    .bind(operation_id)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// One thing that is under way for a payment.
#[derive(Clone, Debug, FromRow)]
pub struct Open {
    pub operation_id: Uuid,
    pub kind: String,
    pub task: String,
    /// A host holds its lease.
    pub held: bool,
}

/// What is under way for a payment, its expiry aside. Found by three partial indexes, each with few rows.
pub async fn of_payment(conn: &mut PgConnection, merchant_id: Uuid, payment_id: Uuid) -> Result<Vec<Open>, Error> {
    let rows = sqlx::query_as(
        "-- store::work::of_payment
        with found as (
            select operation_id, kind, task, owner, due_at from work
             where merchant_id = $1 and payment_id = $2 and kind = 'attempt'
            union all
            select operation_id, kind, task, owner, due_at from work
             where merchant_id = $1 and payment_id = $2 and kind = any ('{capture,cancel}')
            union all
            select operation_id, kind, task, owner, due_at from work
             where merchant_id = $1 and payment_id = $2 and kind = any ('{refund,expiry,sync}') and kind = 'refund')
        select operation_id, kind, task, owner is not null and due_at > clock_timestamp() as held from found",
    )
    .bind(merchant_id)
    .bind(payment_id)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Renews the lease, for a host that was held up before it could send. False where it is another's by now.
pub async fn renew(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    operation_id: Uuid,
    fence: i32,
    lease_ms: i64,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::work::renew
         update work set due_at = clock_timestamp() + $4 * interval '1 millisecond'
          where merchant_id = $1 and operation_id = $2 and fence = $3",
    )
    .bind(merchant_id)
    .bind(operation_id)
    .bind(fence)
    .bind(lease_ms)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives up the row of an operation that asks for nothing more: a question that was answered, an expiry that has no
/// object any more. Must touch one row, or none where the lease was lost.
pub async fn delete(conn: &mut PgConnection, merchant_id: Uuid, operation_id: Uuid, fence: i32) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::work::delete
         delete from work where merchant_id = $1 and operation_id = $2 and fence = $3",
    )
    .bind(merchant_id)
    .bind(operation_id)
    .bind(fence)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How much is under way, and how much of it has an unknown outcome: for metrics.
pub async fn count(conn: &mut PgConnection) -> Result<(i64, i64), Error> {
    let row = sqlx::query_as(
        "-- store::work::count
         select count(*) filter (where kind <> 'expiry'), count(*) filter (where task = 'resolve') from work",
    )
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// The fence of the operation's lease as it is now; none where the operation is resolved.
pub async fn fence(conn: &mut PgConnection, merchant_id: Uuid, operation_id: Uuid) -> Result<Option<i32>, Error> {
    let fence = sqlx::query_scalar(
        "-- store::work::fence
         select fence from work where merchant_id = $1 and operation_id = $2",
    )
    .bind(merchant_id)
    .bind(operation_id)
    .fetch_optional(conn)
    .await?;
    Ok(fence)
}

/// Looks again later, with nothing else changed: for a host that lacks what the work needs. Must touch one row, or none
/// where the lease was lost.
pub async fn postpone(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    operation_id: Uuid,
    fence: i32,
    in_ms: i64,
) -> Result<(), Error> {
    sqlx::query(
        "-- store::work::postpone
         update work set due_at = clock_timestamp() + $4 * interval '1 millisecond', owner = null
          where merchant_id = $1 and operation_id = $2 and fence = $3",
    )
    .bind(merchant_id)
    .bind(operation_id)
    .bind(fence)
    .bind(in_ms)
    .execute(conn)
    .await?;
    Ok(())
}
