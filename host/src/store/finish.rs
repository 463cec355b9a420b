//! Commit 2: what came of it, in one statement.
//!
//! The reply, the outcome, the payment's state and totals, the audit rows, the outbox rows, the stored answer of the
//! merchant's key, and the lease given up or handed on: together or not at all, in one round trip. The statement holds
//! the `work` row at the fence of the writer's lease and the payment at the version it decided on, and the order where
//! its sums change; where one of them has moved on it writes nothing ([`Finished::No`]) and the caller reads and decides
//! again. What a gateway proves of an operation that is resolved is written without a lease: the version alone guards it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::{
    Error,
    begin::{AuditRows, OutboxRows},
};
use crate::domain::payment::State;

/// What a gateway said, or what we know instead.
pub struct Reply<'a> {
    /// The operation that asked: the one that is finished, or the sync that asked about it.
    pub operation_id: Uuid,
    pub position: i16,
    pub kind: &'static str,
    pub status: Option<i16>,
    pub headers: Option<Value>,
    pub body: Option<&'a [u8]>,
    pub detail: Option<&'a str>,
    pub received_at: DateTime<Utc>,
}

/// What becomes of the `work` row.
pub enum Work {
    /// There is none: the operation was resolved before.
    None,
    /// The attempt is resolved.
    Done,
    /// Somebody looks again. `unknown_now`: only from now on can nothing of it be under way.
    Again { task: &'static str, in_ms: i64, checks: i16, never_received: i16, unknown_now: bool },
}

/// The payment's columns as they will be.
pub struct PaymentColumns<'a> {
    pub status: State,
    pub amount_authorized: i64,
    pub amount_capturing: i64,
    pub amount_captured: i64,
    pub amount_refunding: i64,
    pub amount_refunded: i64,
    /// What it holds of its order.
    pub amount_reserved: i64,
    pub open_operation: Option<Uuid>,
    pub amount_surplus: i64,
    pub open_attempt: Option<i32>,
    pub won_attempt: Option<i32>,
    pub version: i32,
    pub audit_sequence: i32,
    pub event_sequence: i32,
    pub gateway_reference: Option<&'a str>,
    pub next_action: Option<&'a Value>,
    pub last_error: Option<&'a Value>,
    /// As the object shows it: unchanged where nothing of it changed.
    pub updated_at: DateTime<Utc>,
}

/// The attempt's columns as they will be.
pub struct AttemptColumns<'a> {
    pub number: i32,
    /// None: it stays as it is, and so does its error.
    pub status: Option<&'static str>,
    pub gateway_reference: Option<&'a str>,
    /// Added to what earlier outcomes returned.
    pub references: Value,
    pub last_error: Option<&'a Value>,
}

/// The operation's columns as they will be.
pub struct OperationColumns {
    pub status: &'static str,
    /// Written once: a second outcome is refused, and is a correction where the operation was resolved before.
    pub outcome: Option<Value>,
    pub finished: bool,
    /// What a sync said that asked about it, for that one's own row.
    pub asked: Option<Value>,
    /// Last event of a refund.
    pub event_sequence: i32,
}

/// The sums of the payment's order as they will be. Only where they change.
pub struct OrderColumns {
    pub order_id: Uuid,
    pub expected_version: i32,
    pub status: &'static str,
    pub amount_reserved: i64,
    pub amount_paid: i64,
    pub amount_refunded: i64,
    pub amount_surplus: i64,
    pub event_sequence: i32,
}

/// The answer that the merchant's key will replay.
pub struct KeyAnswer<'a> {
    pub scope: &'a str,
    pub key: &'a str,
    pub status: i16,
    pub body: &'a [u8],
    /// How long it is kept, from now by the database's clock: the time while the outcome was not final does not count.
    pub ttl_ms: i64,
}

/// Something that a person must look at. One that is open for the same operation and reason stands for it.
pub struct Review {
    pub review_id: Uuid,
    pub reason: &'static str,
    pub detail: Value,
}

/// Everything that one commit 2 writes.
pub struct Finish<'a> {
    pub merchant_id: Uuid,
    pub payment_id: Uuid,
    pub operation_id: Uuid,
    /// The lease under which this is written: none where the operation was resolved before.
    pub fence: Option<i32>,
    /// The attempt that waits for its customer ends with this operation, which called it off.
    pub closes_attempt: bool,
    /// The version of the payment it was decided on.
    pub expected_version: i32,
    pub reply: Option<Reply<'a>>,
    pub work: Work,
    pub payment: PaymentColumns<'a>,
    pub attempt: AttemptColumns<'a>,
    pub operation: OperationColumns,
    pub order: Option<OrderColumns>,
    pub audit: AuditRows,
    pub outbox: OutboxRows,
    pub answer: Option<KeyAnswer<'a>>,
    /// The token whose card code has served.
    pub code_of: Option<Uuid>,
    pub review: Option<Review>,
    /// Why the open reviews of this operation are closed, where they are.
    pub closes_reviews: Option<Value>,
    /// Who holds the lease from here on, where the work goes on in this host.
    pub owner: Option<Uuid>,
    pub now: DateTime<Utc>,
}

/// Whether commit 2 happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Finished {
    Yes,
    /// The lease is another's, or the payment has moved on: nothing was written.
    No,
}

// Where the statement closes the attempt that waits for its customer, that one's row of work is locked before the payment
// (`waiting`): whoever takes that attempt over in this moment locks the two in the same order, and neither of them is thrown
// out for a deadlock.
macro_rules! finish {
    ($order:literal, $held:literal, $settle:literal, $leased:literal, $ordered:literal) => {
        concat!(
            "-- store::finish::finish
    with ",
            $order,
            "
    held as (
        ",
            $held,
            "),",
            $settle,
            "
    reply as (
        insert into exchange_replies (merchant_id, operation_id, position, fence, kind, status, headers, body, detail, received_at)
        select $1, $6, $7, $4, $8, $9, $10, $11, $12, $13 from held where $8::text is not null
        returning 1),
    done as (
        delete from work using held
         where work.merchant_id = $1 and work.operation_id = $2 and work.fence = $4 and $14::text is null
        returning 1),
    again as (
        update work
           set task = $14, owner = $19, due_at = clock_timestamp() + $15 * interval '1 millisecond', checks = $16,
               never_received = $17, unknown_since = case when $18 then clock_timestamp() else unknown_since end
          from held
         where work.merchant_id = $1 and work.operation_id = $2 and work.fence = $4 and $14::text is not null
        returning 1),
    payment as (
        update payments as p
           set status = $20, amount_authorized = $21, amount_captured = $22, amount_surplus = $23, open_attempt = $24,
               won_attempt = $25, version = $26, audit_sequence = $27, event_sequence = $28, gateway_reference = $29,
               next_action = $30, last_error = $31, updated_at = $60, amount_capturing = $63, amount_refunding = $64,
               amount_refunded = $65, open_operation = $66, amount_reserved = $67
          from held
         where p.merchant_id = $1 and p.payment_id = $3 and p.version = $5
        returning 1),
    attempt as (
        update attempts as a
           set status = coalesce($34, a.status), gateway_reference = coalesce($35, a.gateway_reference),
               gateway_references = a.gateway_references || $36,
               last_error = case when $34::text is null then a.last_error else $37 end, updated_at = $32
          from held
         where a.merchant_id = $1 and a.payment_id = $3 and a.number = $33
        returning 1),
    operation as (
        update operations as o
           set status = $38, outcome = coalesce(o.outcome, $39), finished_at = case when $40 then coalesce(o.finished_at, $32) end,
               correction = case when $4::int is null then $39 else o.correction end, event_sequence = $68
          from held
         where o.merchant_id = $1 and o.operation_id = $2 and (o.outcome is null or $4::int is null)
        returning 1),
    asked as (
        update operations as o
           set status = 'done', outcome = $62, finished_at = $32
          from held
         where o.merchant_id = $1 and o.operation_id = $6 and $6 <> $2
        returning 1),
    closed as (
        delete from work using held
         where $51 and work.merchant_id = $1 and work.payment_id = $3 and work.kind = 'attempt' and work.operation_id <> $2
        returning work.operation_id),
    closed_operation as (
        update operations as o set status = 'done', outcome = $39, finished_at = $32
          from closed
         where o.merchant_id = $1 and o.operation_id = closed.operation_id and o.outcome is null
        returning 1),
    audit as (
        insert into payment_events (merchant_id, payment_id, sequence, from_state, to_state, event, wins, attempt_number,
                                    operation_id, detail, created_at)
        select $1, $3, row.sequence, row.from_state, row.to_state, row.event, row.wins, $33, $2, row.detail, $32
          from held, unnest($41::int[], $42::text[], $43::text[], $44::text[], $45::boolean[], $46::jsonb[])
                  as row (sequence, from_state, to_state, event, wins, detail)
        returning 1),
    events as (
        insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
        select $1, row.id, row.about, row.about_id, row.type, row.sequence, row.payload, $32
          from held, unnest($47::uuid[], $48::text[], $49::int[], $50::text[], $69::text[], $70::text[])
                  as row (id, type, sequence, payload, about, about_id)
        returning 1),
    answered as (
        update idempotency_keys as k
           set answer_status = $54, answer_body = $55,
               expires_at = greatest(k.expires_at, clock_timestamp() + $61 * interval '1 millisecond')
          from held
         where k.merchant_id = $1 and k.scope = $52 and k.key = $53 and k.answer_status is null
           and (k.operation_id = $2 or k.operation_id in (select closed.operation_id from closed))
        returning 1),
    code as (
        delete from token_codes as c using held where c.merchant_id = $1 and c.token_id = $56
        returning 1),
    review as (
        insert into reviews (merchant_id, review_id, payment_id, operation_id, reason, detail, opened_at)
        select $1, $57, $3, $2, $58, $59, $32 from held
         where $57::uuid is not null
           and not exists (select 1 from reviews as r
                            where r.merchant_id = $1 and r.payment_id = $3 and r.operation_id = $2 and r.reason = $58
                              and r.closed_at is null)
        returning 1),
    reviewed as (
        update reviews as r set closed_at = $32, resolution = $71 from held
         where $71::jsonb is not null and r.merchant_id = $1 and r.payment_id = $3 and r.closed_at is null
           and (r.operation_id = $2 or r.operation_id is null or $4::int is null
                or (r.reason = 'surplus'
                    and exists (select 1 from operations as o
                                 where o.merchant_id = $1 and o.operation_id = $2 and o.purpose = 'surplus')))
        returning 1)
    select (select count(*) from held) as held,
           1 / (case when (select count(*) from held) = 0 then 1
                     when (select count(*) from reply) = ($8::text is not null)::int
                      and (select count(*) from done) + (select count(*) from again) = ",
            $leased,
            "
                      and (select count(*) from payment) = 1 and (select count(*) from attempt) = 1
                      and (select count(*) from operation) = 1
                      and (select count(*) from audit) = cardinality($41::int[])
                      and (select count(*) from events) = cardinality($47::uuid[])",
            $ordered,
            "
                      and (select count(*) from review) <= ($57::uuid is not null)::int then 1
                     else 0 end) as rows_as_expected"
        )
    };
}

/// What locks and changes the payment's order: first of all, as everywhere.
macro_rules! of_order {
    ($held:literal, $leased:literal) => {
        finish!(
            "held_order as (
        select merchant_id from orders where merchant_id = $1 and order_id = $72 and version = $73
           for update),
    waiting as (
        select w.operation_id
          from held_order as o
          join work as w on w.merchant_id = o.merchant_id
         where w.merchant_id = $1 and w.payment_id = $3 and w.kind = 'attempt' and w.operation_id <> $2
           for update of w),",
            $held,
            "
    ordered as (
        update orders as o
           set status = $74, amount_reserved = $75, amount_paid = $76, amount_refunded = $77, amount_surplus = $78,
               event_sequence = $79, version = o.version + 1, updated_at = $32
          from held
         where o.merchant_id = $1 and o.order_id = $72 and o.version = $73
        returning 1),",
            $leased,
            "
                      and (select count(*) from ordered) = 1"
        )
    };
}

/// The statement of [`finish()`], for those who measure what it costs.
pub const FINISH: &str = finish!(
    "waiting as (
        select operation_id from work
         where merchant_id = $1 and payment_id = $3 and kind = 'attempt' and operation_id <> $2
           for update),",
    "select w.merchant_id
          from work as w
          join payments as p on p.merchant_id = w.merchant_id and p.payment_id = w.payment_id
         where w.merchant_id = $1 and w.operation_id = $2 and w.fence = $4
           and p.merchant_id = $1 and p.payment_id = $3 and p.version = $5
           and (not $51 or (select count(*) from waiting) >= 0)
           for update",
    "",
    "1",
    ""
);
const FINISH_OF_ORDER: &str = of_order!(
    "select w.merchant_id
          from held_order as o
          join work as w on w.merchant_id = o.merchant_id
          join payments as p on p.merchant_id = w.merchant_id and p.payment_id = w.payment_id
         where w.merchant_id = $1 and w.operation_id = $2 and w.fence = $4
           and p.merchant_id = $1 and p.payment_id = $3 and p.version = $5
           and (not $51 or (select count(*) from waiting) >= 0)
           for update of w, p",
    "1"
);
const CORRECT: &str = finish!(
    "waiting as (
        select operation_id from work
         where merchant_id = $1 and payment_id = $3 and kind = 'attempt' and operation_id <> $2
           for update),",
    "select p.merchant_id from payments as p
         where p.merchant_id = $1 and p.payment_id = $3 and p.version = $5
           and (not $51 or (select count(*) from waiting) >= 0)
           for update",
    "",
    "0",
    ""
);
const CORRECT_OF_ORDER: &str = of_order!(
    "select p.merchant_id
          from held_order as o
          join payments as p on p.merchant_id = o.merchant_id
         where p.merchant_id = $1 and p.payment_id = $3 and p.version = $5
           and (not $51 or (select count(*) from waiting) >= 0)
           for update of p",
    "0"
);

/// Writes all of it, or nothing where the lease or the payment has moved on. One statement, one commit, one round trip.
pub async fn finish(conn: &mut PgConnection, finish: Finish<'_>) -> Result<Finished, Error> {
    let statement = match (finish.fence, &finish.order) {
        (Some(_), None) => FINISH,
        (Some(_), Some(_)) => FINISH_OF_ORDER,
        (None, None) => CORRECT,
        (None, Some(_)) => CORRECT_OF_ORDER,
    };
    let Finish { reply, work, payment, attempt, operation, order, audit, outbox, answer, review, .. } = finish;
    let (task, in_ms, checks, never_received, unknown_now) = match work {
        Work::None | Work::Done => (None, 0, 0, 0, false),
        Work::Again { task, in_ms, checks, never_received, unknown_now } => {
            (Some(task), in_ms, checks, never_received, unknown_now)
        }
    };
    let query = sqlx::query(statement)
        .bind(finish.merchant_id)
        .bind(finish.operation_id)
        .bind(finish.payment_id)
        .bind(finish.fence)
        .bind(finish.expected_version)
        .bind(reply.as_ref().map_or(finish.operation_id, |reply| reply.operation_id));
    let query = bind_reply(query, reply.as_ref())
        .bind(task)
        .bind(in_ms)
        .bind(checks)
        .bind(never_received)
        .bind(unknown_now)
        .bind(finish.owner)
        .bind(<&str>::from(payment.status))
        .bind(payment.amount_authorized)
        .bind(payment.amount_captured)
        .bind(payment.amount_surplus)
        .bind(payment.open_attempt)
        .bind(payment.won_attempt)
        .bind(payment.version)
        .bind(payment.audit_sequence)
        .bind(payment.event_sequence)
        .bind(payment.gateway_reference)
        .bind(payment.next_action)
        .bind(payment.last_error)
        .bind(finish.now)
        .bind(attempt.number)
        .bind(attempt.status)
        .bind(attempt.gateway_reference)
        .bind(attempt.references)
        .bind(attempt.last_error)
        .bind(operation.status)
        .bind(operation.outcome)
        .bind(operation.finished)
        .bind(audit.sequence)
        .bind(audit.from_state)
        .bind(audit.to_state)
        .bind(audit.event)
        .bind(audit.wins)
        .bind(audit.detail)
        .bind(outbox.id)
        .bind(outbox.kind)
        .bind(outbox.sequence)
        .bind(outbox.payload)
        .bind(finish.closes_attempt)
        .bind(answer.as_ref().map(|answer| answer.scope))
        .bind(answer.as_ref().map(|answer| answer.key))
        .bind(answer.as_ref().map(|answer| answer.status))
        .bind(answer.as_ref().map(|answer| answer.body))
        .bind(finish.code_of)
        .bind(review.as_ref().map(|review| review.review_id))
        .bind(review.as_ref().map(|review| review.reason))
        .bind(review.as_ref().map(|review| &review.detail))
        .bind(payment.updated_at)
        .bind(answer.as_ref().map(|answer| answer.ttl_ms))
        .bind(operation.asked)
        .bind(payment.amount_capturing)
        .bind(payment.amount_refunding)
        .bind(payment.amount_refunded)
        .bind(payment.open_operation)
        .bind(payment.amount_reserved)
        .bind(operation.event_sequence)
        .bind(outbox.about)
        .bind(outbox.about_id)
        .bind(finish.closes_reviews);
    let query = match order {
        None => query,
        Some(order) => bind_order(query, &order),
    };
    let row = query.fetch_one(conn).await?;
    let held: i64 = sqlx::Row::try_get(&row, "held")?;
    Ok(if held == 1 { Finished::Yes } else { Finished::No })
}

/// Binds what is kept of a reply, in the order of `exchange_replies`: position, kind, status, headers, body, detail,
/// `received_at`. All of them null where there is none.
pub(super) fn bind_reply<'q>(
    query: Query<'q, Postgres, PgArguments>,
    reply: Option<&Reply<'_>>,
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(reply.map(|reply| reply.position))
        .bind(reply.map(|reply| reply.kind))
        .bind(reply.and_then(|reply| reply.status))
        .bind(reply.and_then(|reply| reply.headers.as_ref()))
        .bind(reply.and_then(|reply| reply.body))
        .bind(reply.and_then(|reply| reply.detail))
        .bind(reply.map(|reply| reply.received_at))
}

fn bind_order<'q>(query: Query<'q, Postgres, PgArguments>, order: &OrderColumns) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(order.order_id)
        .bind(order.expected_version)
        .bind(order.status)
        .bind(order.amount_reserved)
        .bind(order.amount_paid)
        .bind(order.amount_refunded)
        .bind(order.amount_surplus)
        .bind(order.event_sequence)
}
