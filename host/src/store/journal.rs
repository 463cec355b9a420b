//! The journal between commit 1 and commit 2: further exchanges of an operation, questions about one, and evidence.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Postgres, Row as _, postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::{
    Error,
    begin::Exchange,
    finish::{Reply, bind_reply},
};

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
    let query = sqlx::query(
        "-- store::journal::next_exchange
        with held as (
            update work set due_at = clock_timestamp() + $16 * interval '1 millisecond'
             where merchant_id = $1 and operation_id = $2 and fence = $3
            returning merchant_id),
        reply as (
            insert into exchange_replies (merchant_id, operation_id, position, fence, kind, status, headers, body, detail, received_at)
            select $1, $4, $5, $3, $6, $7, $8, $9, $10, $11 from held where $6::text is not null
            returning 1),
        next as (
            insert into exchanges (merchant_id, operation_id, position, request, effect, resendable, created_at)
            select $1, $4, $12, $13, $14, $15, $17 from held
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
    .bind(next.asking);
    let query = bind_reply(query, reply)
        .bind(next.position)
        .bind(&next.exchange.request)
        .bind(<&str>::from(next.exchange.effect))
        .bind(next.exchange.resendable)
        .bind(lease_ms)
        .bind(now);
    was_held(conn, query).await
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
    let query = sqlx::query(
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
    .bind(lease_ms);
    was_held(conn, bind_question(query, question, now)).await
}

/// Writes down a question about an operation that is resolved, under a lease of its own (fence 1): one statement, one
/// commit.
pub async fn begin_question(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    question: &Question<'_>,
    owner: Uuid,
    lease_ms: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let query = sqlx::query(
        "-- store::journal::begin_question
        with lease as (
            insert into work (merchant_id, operation_id, payment_id, kind, task, owner, due_at, created_at)
            values ($1, $2, $3, 'sync', 'drive', $16, clock_timestamp() + $17 * interval '1 millisecond', clock_timestamp())
            returning merchant_id),
        operation as (
            insert into operations (merchant_id, operation_id, payment_id, attempt_number, gateway_account_id, kind, status, amount,
                                    currency, connector, digest, input, context, created_at)
            select $1, $2, $3, $4, $5, 'sync', 'under_way', $6, $7, $8, $9, $10, $11, $12 from lease
            returning 1),
        exchange as (
            insert into exchanges (merchant_id, operation_id, position, request, effect, resendable, created_at)
            select $1, $2, 1, $13, $14, $15, $12 from lease where $13::jsonb is not null
            returning 1)
        select 1 / (case when (select count(*) from operation) = 1
                          and (select count(*) from exchange) = ($13::jsonb is not null)::int then 1
                         else 0 end)",
    )
    .bind(merchant_id);
    bind_question(query, question, now).bind(owner).bind(lease_ms).fetch_one(conn).await?;
    Ok(())
}

/// Binds a question's own row and its first request: fourteen values, from its id to whether the request may be sent again.
fn bind_question<'q>(
    query: Query<'q, Postgres, PgArguments>,
    question: &Question<'_>,
    now: DateTime<Utc>,
) -> Query<'q, Postgres, PgArguments> {
    let exchange = question.exchange.as_ref();
    query
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
}

/// Ends such a question: its reply, what it said, its lease. Returns false, with nothing written, where the lease is
/// another's.
pub async fn end_question(
    conn: &mut PgConnection,
    leased: Leased,
    reply: Option<&Reply<'_>>,
    outcome: Option<&Value>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let query = sqlx::query(
        "-- store::journal::end_question
        with held as (
            delete from work where merchant_id = $1 and operation_id = $2 and fence = $3
            returning merchant_id),
        reply as (
            insert into exchange_replies (merchant_id, operation_id, position, fence, kind, status, headers, body, detail, received_at)
            select $1, $2, $4, $3, $5, $6, $7, $8, $9, $10 from held where $5::text is not null
            returning 1),
        operation as (
            update operations as o set status = 'done', outcome = $11, finished_at = $12 from held
             where o.merchant_id = $1 and o.operation_id = $2 and o.outcome is null
            returning 1)
        select (select count(*) from held)
               / (case when (select count(*) from held) = 0 then 1
                       when (select count(*) from operation) = 1
                        and (select count(*) from reply) = ($5::text is not null)::int then 1
                       else 0 end)",
    )
    .bind(leased.merchant_id)
    .bind(leased.operation_id)
    .bind(leased.fence);
    was_held(conn, bind_reply(query, reply).bind(outcome).bind(now)).await
}

/// Runs a statement that counts the rows it holds by the lease: whether there was one.
async fn was_held(conn: &mut PgConnection, query: Query<'_, Postgres, PgArguments>) -> Result<bool, Error> {
    let row = query.fetch_one(conn).await?;
    Ok(row.try_get::<i64, _>(0)? == 1)
}

/// When an operation is looked at again of which nothing was learned.
pub struct Aside {
    /// From now, by the database's clock.
    pub in_ms: i64,
    pub checks: i16,
    /// It was sent again: from here on "never received" counts anew.
    pub sent_again: bool,
}

/// Keeps what came of a try that told nothing, ends the question if it was one, and gives the lease up until its time has
/// come. Touches nothing where the lease is another's.
pub async fn set_aside(
    conn: &mut PgConnection,
    leased: Leased,
    reply: Option<&Reply<'_>>,
    aside: &Aside,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let query = sqlx::query(
        "-- store::journal::set_aside
        with held as (
            update work
               set due_at = clock_timestamp() + $4 * interval '1 millisecond', owner = null, checks = $15,
                   never_received = case when $5 then 0 else never_received end,
                   unknown_since = case when $5 then clock_timestamp() else unknown_since end
             where merchant_id = $1 and operation_id = $2 and fence = $3
            returning merchant_id),
        reply as (
            insert into exchange_replies (merchant_id, operation_id, position, fence, kind, status, headers, body, detail, received_at)
            select $1, $6, $7, $3, $8, $9, $10, $11, $12, $13 from held where $8::text is not null
            on conflict do nothing)
        update operations as o set status = 'done', finished_at = $14 from held
         where o.merchant_id = $1 and o.operation_id = $6 and $6 <> $2 and o.outcome is null",
    )
    .bind(leased.merchant_id)
    .bind(leased.operation_id)
    .bind(leased.fence)
    .bind(aside.in_ms)
    .bind(aside.sent_again)
    .bind(reply.map(|reply| reply.operation_id));
    bind_reply(query, reply).bind(now).bind(aside.checks).execute(conn).await?;
    Ok(())
}

/// Keeps a reply that came after its lease was lost. Evidence is never dropped and never overwrites: where the same
/// lease has brought one already, that one stands. An operation that is still unresolved is asked about at once. Touches
/// one row, or none where that reply is kept already.
pub async fn late_reply(conn: &mut PgConnection, leased: Leased, reply: &Reply<'_>) -> Result<(), Error> {
    let query = sqlx::query(
        "-- store::journal::late_reply
        with kept as (
            insert into exchange_replies
                (merchant_id, operation_id, position, fence, kind, status, headers, body, detail, late, received_at)
            values ($1, $4, $5, $2, $6, $7, $8, $9, $10, true, $11)
            on conflict do nothing
            returning merchant_id)
        update work set due_at = least(due_at, clock_timestamp()) from kept
         where work.merchant_id = $1 and work.operation_id = $3 and work.task in ('resolve', 'poll')
           and (work.owner is null or work.due_at <= clock_timestamp())",
    )
    .bind(leased.merchant_id)
    .bind(leased.fence)
    .bind(leased.operation_id)
    .bind(reply.operation_id);
    bind_reply(query, Some(reply)).execute(conn).await?;
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
