//! The journal between commit 1 and commit 2: further exchanges of an operation, questions about one, and evidence.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Error, begin::Exchange, finish::Reply};

/// Whose lease a write is made under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased {
    pub merchant_id: Uuid,
    /// The operation whose `work` row holds the lease.
    pub operation_id: Uuid,
    pub fence: i32,
}

/// The request that goes out next.
pub struct Next<'a> {
    /// Whose exchange it is: the leased operation's, or that of a sync that asks about it.
    pub asking: Uuid,
    pub position: i16,
    pub exchange: &'a Exchange,
}

/// Writes down a reply and the next request of the same operation, and renews the lease: one statement, one commit.
/// Returns false, with nothing written, where the lease is another's.
pub async fn next_exchange(
    conn: &mut PgConnection,
    leased: Leased,
    reply: Option<&Reply<'_>>,
    next: &Next<'_>,
    lease_ms: i64,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let row: (i64,) = sqlx::query_as(
        "-- store::journal::next_exchange
        with held as (
            update work set due_at = clock_timestamp() + $15 * interval '1 millisecond'
             where merchant_id = $1 and operation_id = $2 and fence = $3
            returning merchant_id),
        reply as (
            insert into exchange_replies (merchant_id, operation_id, position, fence, kind, status, headers, body, detail, received_at)
            select $1, $4, $5, $3, $6, $7, $8, $9, $10, $16 from held where $6::text is not null
            returning 1),
        next as (
            insert into exchanges (merchant_id, operation_id, position, request, effect, resendable, created_at)
            select $1, $4, $11, $12, $13, $14, $16 from held
            returning 1)
        select (select count(*) from held)
               / (case when (select count(*) from held) = 0 then 1
                       when (select count(*) from next) = 1
                        and (select count(*) from reply) = ($6::text is not null)::int then 1
                       else 0 end)",
    )
    .bind(leased.merchant_id)
    .bind(leased.operation_id)
    .bind(leased.fence)
    .bind(next.asking)
    .bind(reply.map(|reply| reply.position))
    .bind(reply.map(|reply| reply.kind))
    .bind(reply.and_then(|reply| reply.status))
    .bind(reply.and_then(|reply| reply.headers.as_ref()))
    .bind(reply.and_then(|reply| reply.body))
    .bind(reply.and_then(|reply| reply.detail))
    .bind(next.position)
    .bind(&next.exchange.request)
    .bind(<&str>::from(next.exchange.effect))
    .bind(next.exchange.resendable)
    .bind(lease_ms)
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(row.0 == 1)
}

/// A question about an operation: its own row, with its whole input.
pub struct Question<'a> {
    pub operation_id: Uuid,
    pub payment_id: Uuid,
    pub attempt_number: i32,
    pub gateway_account_id: Uuid,
    pub amount: i64,
    pub currency: &'a str,
    pub connector: &'a str,
    pub digest: &'a [u8],
    pub input: Value,
    pub context: Value,
    pub exchange: Option<Exchange>,
}

/// Writes down a sync operation with its first request, under the lease of the operation that it asks about, and
/// renews that: one statement, one commit. Returns false, with nothing written, where the lease is another's.
pub async fn begin_sync(
    conn: &mut PgConnection,
    leased: Leased,
    question: &Question<'_>,
    lease_ms: i64,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let exchange = question.exchange.as_ref();
    let row: (i64,) = sqlx::query_as(
        "-- store::journal::begin_sync
        with held as (
            update work set due_at = clock_timestamp() + $4 * interval '1 millisecond'
             where merchant_id = $1 and operation_id = $2 and fence = $3
            returning merchant_id),
        operation as (
            insert into operations (merchant_id, operation_id, payment_id, attempt_number, gateway_account_id, kind, status, amount,
                                    currency, connector, digest, input, context, created_at)
            select $1, $5, $6, $7, $8, 'sync', 'under_way', $9, $10, $11, $12, $13, $14, $15 from held
            returning 1),
        exchange as (
            insert into exchanges (merchant_id, operation_id, position, request, effect, resendable, created_at)
            select $1, $5, 1, $16, $17, $18, $15 from held where $16::jsonb is not null
            returning 1)
        select (select count(*) from held)
               / (case when (select count(*) from held) = 0 then 1
                       when (select count(*) from operation) = 1
                        and (select count(*) from exchange) = ($16::jsonb is not null)::int then 1
                       else 0 end)",
    )
    .bind(leased.merchant_id)
    .bind(leased.operation_id)
    .bind(leased.fence)
    .bind(lease_ms)
    .bind(question.operation_id)
    .bind(question.payment_id)
    .bind(question.attempt_number)
    .bind(question.gateway_account_id)
    .bind(question.amount)
    .bind(question.currency)
    .bind(question.connector)
    .bind(question.digest)
    .bind(&question.input)
    .bind(&question.context)
    .bind(now)
    .bind(exchange.map(|exchange| &exchange.request))
    .bind(exchange.map(|exchange| <&str>::from(exchange.effect)))
    .bind(exchange.is_some_and(|exchange| exchange.resendable))
    .fetch_one(conn)
    .await?;
    Ok(row.0 == 1)
}

/// Keeps a reply that came after its lease was lost. Evidence is never dropped and never overwrites: where the same
/// lease has brought one already, that one stands. An operation that is still unresolved is asked about at once; for one
/// that is resolved a review opens: a person compares.
pub async fn late_reply(
    conn: &mut PgConnection,
    leased: Leased,
    reply: &Reply<'_>,
    review_id: Uuid,
) -> Result<(), Error> {
    sqlx::query(
        "-- store::journal::late_reply
        with kept as (
            insert into exchange_replies
                (merchant_id, operation_id, position, fence, kind, status, headers, body, detail, late, received_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, true, $10)
            on conflict do nothing
            returning merchant_id),
        asked_soon as (
            update work set due_at = least(due_at, clock_timestamp()) from kept
             where work.merchant_id = $1 and work.operation_id = $11 and work.task in ('resolve', 'poll'))
        insert into reviews (merchant_id, review_id, payment_id, operation_id, reason, detail, opened_at)
        select $1, $12, o.payment_id, $11, 'late_reply', '{}', $10
          from kept join operations as o on o.merchant_id = $1 and o.operation_id = $11
         where $5 = 'reply'
           and not exists (select 1 from work as w where w.merchant_id = $1 and w.operation_id = $11)",
    )
    .bind(leased.merchant_id)
    .bind(reply.operation_id)
    .bind(reply.position)
    .bind(leased.fence)
    .bind(reply.kind)
    .bind(reply.status)
    .bind(&reply.headers)
    .bind(reply.body)
    .bind(reply.detail)
    .bind(reply.received_at)
    .bind(leased.operation_id)
    .bind(review_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// An exchange with the reply that counts: where it was sent again, the one that came of the last time.
#[derive(Clone, Debug, FromRow)]
pub struct Journaled {
    pub position: i16,
    pub request: Value,
    pub effect: String,
    pub resendable: bool,
    pub created_at: DateTime<Utc>,
    pub status: Option<i16>,
    pub headers: Option<Value>,
    pub body: Option<Vec<u8>>,
}

/// The operation's exchanges in order, each with its reply if one came.
pub async fn transcript(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    operation_id: Uuid,
) -> Result<Vec<Journaled>, Error> {
    let rows = sqlx::query_as(
        "-- store::journal::transcript
         select e.position, e.request, e.effect, e.resendable, e.created_at, r.status, r.headers, r.body
           from exchanges as e
           left join lateral (
                select status, headers, body from exchange_replies as r
                 where r.merchant_id = e.merchant_id and r.operation_id = e.operation_id and r.position = e.position
                   and r.kind = 'reply' and not r.late
                 order by r.fence desc limit 1) as r on true
          where e.merchant_id = $1 and e.operation_id = $2
          order by e.position",
    )
    .bind(merchant_id)
    .bind(operation_id)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
