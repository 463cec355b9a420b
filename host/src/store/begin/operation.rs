//! An operation on a payment that is there: complete, capture, cancel, refund. See [`super`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{AuditRows, Exchange, Key, OutboxRows};
use crate::{domain::payment::State, store::Error};

/// What is written before a capture, cancel, refund or complete is sent.
pub struct BeginOperation<'a> {
    pub merchant_id: Uuid,
    pub payment_id: Uuid,
    /// The version of the payment that it was decided on.
    pub expected_version: i32,
    pub operation_id: Uuid,
    /// `complete`, `capture`, `cancel` or `refund`
    pub kind: &'static str,
    /// Why the host began it by itself; then it has no key. A surplus that is given back counts as a refund in `work`, also
    /// where it is a cancel: it must not exclude captures and cancels of the attempt that won.
    pub purpose: Option<&'static str>,
    pub attempt_number: i32,
    pub gateway_account_id: Uuid,
    pub amount: i64,
    pub currency: &'a str,
    pub connector: &'a str,
    pub digest: &'a [u8],
    pub input: Value,
    pub context: Value,
    /// The request that goes out first; none where the connector has none.
    pub exchange: Option<Exchange>,
    pub key: Option<(Key<'a>, i16)>,
    /// The operation whose `work` row it takes over: the one that waits for the customer, where this is a complete. That
    /// row must not be in anybody's hands.
    pub takes_over: Option<Uuid>,
    /// The key that waits for the answer of what is taken over, or of what is called off, where the host goes on by itself:
    /// scope, key, status.
    pub inherits: Option<(&'a str, &'a str, i16)>,
    pub owner: Uuid,
    pub lease_ms: i64,
    /// The payment's columns as they will be.
    pub status: State,
    pub amount_capturing: i64,
    pub amount_refunding: i64,
    pub open_operation: Option<Uuid>,
    pub version: i32,
    pub audit: AuditRows,
    /// The payment's audit and event counters as they will be.
    pub audit_sequence: i32,
    pub payment_event_sequence: i32,
    /// The operation's own counter of events: 1 for a refund.
    pub event_sequence: i32,
    pub outbox: OutboxRows,
    pub now: DateTime<Utc>,
}

/// Whether the operation was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationBegun {
    /// The lease has this fence.
    Yes { fence: i32 },
    /// The key is taken, the payment has moved on, or somebody holds the work that was to be taken over: nothing was written.
    No,
}

macro_rules! begin_operation {
    ($claim:literal) => {
        concat!(
            "-- store::begin::operation::begin_operation
    with free as (
        select merchant_id from work
         where merchant_id = $1 and operation_id = $23 and kind = 'attempt' and task = any ('{act,poll}')
           and (owner is null or due_at <= clock_timestamp())
           for update),
    held as (
        select p.merchant_id from payments as p
         where p.merchant_id = $1 and p.payment_id = $2 and p.version = $3
           and ($23::uuid is null or exists (select 1 from free))
           for update),
    ",
            $claim,
            "
    payment as (
        update payments as p
           set status = $28, amount_capturing = $29, amount_refunding = $30, open_operation = $31, version = $32,
               audit_sequence = $33, event_sequence = $34, next_action = case when $28 = any ('{requires_action,processing}') then p.next_action end,
               updated_at = $35
          from claim
         where p.merchant_id = $1 and p.payment_id = $2 and p.version = $3
        returning 1),
    operation as (
        insert into operations (merchant_id, operation_id, payment_id, attempt_number, gateway_account_id, kind, status, amount,
                                currency, connector, digest, input, context, purpose, key_scope, key, answer_status,
                                event_sequence, created_at)
        select $1, $4, $2, $6, $7, $5, 'under_way', $8, $9, $10, $11, $12, $13, $14, $15, $16, $19, $36, $35 from claim
        returning 1),
    exchange as (
        insert into exchanges (merchant_id, operation_id, position, request, effect, resendable, created_at)
        select $1, $4, 1, $20, $21, $22, $35 from claim where $20::jsonb is not null
        returning 1),
    begun as (
        insert into work (merchant_id, operation_id, payment_id, kind, task, owner, due_at, created_at)
        select $1, $4, $2, case when $14 = 'surplus' then 'refund' else $5 end, 'drive', $24, clock_timestamp() + $25 * interval '1 millisecond', clock_timestamp()
          from claim where $23::uuid is null
        returning fence),
    taken_over as (
        update work
           set operation_id = $4, task = 'drive', owner = $24, fence = work.fence + 1, checks = 0, never_received = 0,
               unknown_since = null, due_at = clock_timestamp() + $25 * interval '1 millisecond', created_at = clock_timestamp()
          from claim
         where work.merchant_id = $1 and work.operation_id = $23 and work.kind = 'attempt'
        returning work.fence),
    ended as (
        update operations as o set status = 'done', finished_at = $35 from claim
         where o.merchant_id = $1 and o.operation_id = $23 and o.outcome is null
        returning 1),
    rebound as (
        update idempotency_keys as k set operation_id = $4 from claim
         where k.merchant_id = $1 and k.scope = $15 and k.key = $16 and k.operation_id = $23 and k.answer_status is null),
    audit as (
        insert into payment_events (merchant_id, payment_id, sequence, from_state, to_state, event, attempt_number, operation_id,
                                    detail, created_at)
        select $1, $2, row.sequence, row.from_state, row.to_state, row.event, $6, $4, row.detail, $35
          from claim, unnest($26::int[], $27::text[], $37::text[], $38::text[], $39::jsonb[])
                   as row (sequence, from_state, to_state, event, detail)
        returning 1),
    events as (
        insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
        select $1, row.id, row.about, row.about_id, row.type, row.sequence, row.payload, $35
          from claim, unnest($40::uuid[], $41::text[], $42::text[], $43::text[], $44::int[], $45::text[])
                   as row (id, about, about_id, type, sequence, payload)
        returning 1)
    select (select fence from begun union all select fence from taken_over) as fence,
           1 / (case when (select count(*) from claim) = 0 then 1
                     when (select count(*) from payment) = 1 and (select count(*) from operation) = 1
                      and (select count(*) from exchange) = ($20::jsonb is not null)::int
                      and (select count(*) from begun) + (select count(*) from taken_over) = 1
                      and (select count(*) from ended) = ($23::uuid is not null)::int
                      and (select count(*) from audit) = cardinality($26::int[])
                      and (select count(*) from events) = cardinality($40::uuid[]) then 1
                     else 0 end) as rows_as_expected"
        )
    };
}

/// For a merchant's request: the key is claimed.
const WITH_KEY: &str = begin_operation!(
    "claim as (
        insert into idempotency_keys (merchant_id, scope, key, fingerprint, payment_id, operation_id, created_at, expires_at)
        select $1, $15, $16, $17, $2, $4, $35, clock_timestamp() + $18 * interval '1 millisecond' from held
        on conflict (merchant_id, scope, key) do update
           set fingerprint = excluded.fingerprint, payment_id = excluded.payment_id, operation_id = excluded.operation_id,
               answer_status = null, answer_body = null, created_at = excluded.created_at, expires_at = excluded.expires_at
         where idempotency_keys.expires_at < clock_timestamp() and idempotency_keys.answer_status is not null
        returning merchant_id),"
);
/// For what the host does by itself.
const WITHOUT_KEY: &str = begin_operation!(
    "claim as (
        select merchant_id from held where $17::bytea is null and $18::bigint is null),"
);

/// Writes down an operation, with the amounts that it reserves: one statement, one commit, one round trip. Two that
/// cannot both be (a second capture, two refunds of more than is left) meet at the payment's version; behind that stand
/// the index `work_one_settling` and the CHECK `payments_totals`.
pub async fn begin_operation(conn: &mut PgConnection, begin: BeginOperation<'_>) -> Result<OperationBegun, Error> {
    let exchange = begin.exchange;
    let key = begin.key.as_ref().map(|(key, _)| key);
    let row = sqlx::query(if key.is_some() { WITH_KEY } else { WITHOUT_KEY })
        .bind(begin.merchant_id)
        .bind(begin.payment_id)
        .bind(begin.expected_version)
        .bind(begin.operation_id)
        .bind(begin.kind)
        .bind(begin.attempt_number)
        .bind(begin.gateway_account_id)
        .bind(begin.amount)
        .bind(begin.currency)
        .bind(begin.connector)
        .bind(begin.digest)
        .bind(begin.input)
        .bind(begin.context)
        .bind(begin.purpose)
        .bind(key.map(|key| key.scope).or(begin.inherits.map(|(scope, _, _)| scope)))
        .bind(key.map(|key| key.key).or(begin.inherits.map(|(_, key, _)| key)))
        .bind(key.map(|key| key.fingerprint))
        .bind(key.map(|key| key.ttl_ms))
        .bind(begin.key.as_ref().map(|(_, status)| *status).or(begin.inherits.map(|(_, _, status)| status)))
        .bind(exchange.as_ref().map(|exchange| &exchange.request))
        .bind(exchange.as_ref().map(|exchange| <&str>::from(exchange.effect)))
        .bind(exchange.as_ref().is_some_and(|exchange| exchange.resendable))
        .bind(begin.takes_over)
        .bind(begin.owner)
        .bind(begin.lease_ms)
        .bind(begin.audit.sequence)
        .bind(begin.audit.from_state)
        .bind(<&str>::from(begin.status))
        .bind(begin.amount_capturing)
        .bind(begin.amount_refunding)
        .bind(begin.open_operation)
        .bind(begin.version)
        .bind(begin.audit_sequence)
        .bind(begin.payment_event_sequence)
        .bind(begin.now)
        .bind(begin.event_sequence)
        .bind(begin.audit.to_state)
        .bind(begin.audit.event)
        .bind(begin.audit.detail)
        .bind(begin.outbox.id)
        .bind(begin.outbox.about)
        .bind(begin.outbox.about_id)
        .bind(begin.outbox.kind)
        .bind(begin.outbox.sequence)
        .bind(begin.outbox.payload)
        .fetch_one(conn)
        .await;
    let row = match row {
        Ok(row) => row,
        // Behind the version stands the index: a capture or cancel that another host has begun.
        Err(error) => {
            let error = Error::from(error);
            return if error.constraint() == Some("work_one_settling") { Ok(OperationBegun::No) } else { Err(error) };
        }
    };
    let fence: Option<i32> = row.try_get("fence")?;
    Ok(fence.map_or(OperationBegun::No, |fence| OperationBegun::Yes { fence }))
}
