//! The first operation of an attempt: authorize. See [`super`].

use sqlx::{PgConnection, Postgres, Row as _, postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::{Begin, Begun, Expected, NewPayment};
use crate::{domain::id::PaymentId, store::Error};

/// How long a card code that came with a payment may stay, where its operation does not end before: a resend after a
/// day would come after every gateway's window for keys.
const CODE_LIFE_S: i32 = 86_400;

/// The arms that both statements share; `$1` to `$42` as [`bind_shared`] binds them. Each selects from `claim`.
macro_rules! shared_arms {
    () => {
        "
        attempt as (
            insert into attempts (merchant_id, payment_id, number, attempt_id, gateway_account_id, connector, digest, status,
                                  token_id, payment_method, gateway_references, created_at, updated_at)
            select $1, $2, $5, $4, $6, $7, $8, 'under_way', $9, $10, '[]', $30, $30 from claim
            returning 1),
        operation as (
            insert into operations (merchant_id, operation_id, payment_id, attempt_number, gateway_account_id, kind, status, amount,
                                    currency, connector, digest, input, context, token_id, has_code, key_scope, key, answer_status,
                                    created_at)
            select $1, $3, $2, $5, $6, 'authorize', 'under_way', $11, $12, $7, $8, $13, $14, $9, $15, $16, $17, $18, $30 from claim
            returning 1),
        exchange as (
            insert into exchanges (merchant_id, operation_id, position, request, effect, resendable, created_at)
            select $1, $3, 1, $19, $20, $21, $30 from claim where $19::jsonb is not null
            returning 1),
        token as (
            insert into tokens (merchant_id, token_id, kind, sealed, fingerprint, details, created_at)
            select $1, $9, $22, $23, $24, $25, $30 from claim where $22::text is not null
            returning 1),
        code as (
            insert into token_codes (merchant_id, token_id, day, sealed, expires_at)
            select $1, $9, $26, $27, clock_timestamp() + make_interval(secs => $31) from claim where $26::date is not null
            returning 1),
        lease as (
            insert into work (merchant_id, operation_id, payment_id, kind, task, owner, due_at, created_at)
            select $1, $3, $2, 'attempt', 'drive', $28, clock_timestamp() + $29 * interval '1 millisecond', clock_timestamp() from claim
            returning 1),
        audit as (
            insert into payment_events (merchant_id, payment_id, sequence, from_state, to_state, event, attempt_number, operation_id,
                                        created_at)
            select $1, $2, row.sequence, row.from_state, row.to_state, row.event,
                   case when row.event = 'created' then null else $5 end,
                   case when row.event = 'created' then null else $3 end, $30
              from claim, unnest($32::int[], $33::text[], $34::text[], $35::text[]) as row (sequence, from_state, to_state, event)
            returning 1),
        events as (
            insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
            select $1, row.id, 'payment', $40, row.type, row.sequence, row.payload, $30
              from claim, unnest($36::uuid[], $37::text[], $38::int[], $39::text[]) as row (id, type, sequence, payload)
            returning 1)
        "
    };
}

/// The last line of both statements: how many rows each arm must have touched, or the statement fails as a whole
/// (division by zero), and nothing of it is kept.
macro_rules! shared_count {
    ($payable:literal, $reserved:literal) => {
        concat!(
            "
        select (select count(*) from claim) as claimed, ",
            $payable,
            " as payable,
               1 / (case when (select count(*) from claim) = 0 then 1
                         when (select count(*) from payment) = 1 and (select count(*) from attempt) = 1
                          and (select count(*) from operation) = 1 and (select count(*) from lease) = 1
                          and (select count(*) from exchange) = ($19::jsonb is not null)::int
                          and (select count(*) from token) = ($22::text is not null)::int
                          and (select count(*) from code) = ($26::date is not null)::int
                          and (select count(*) from audit) = cardinality($32::int[])
                          and (select count(*) from events) = cardinality($36::uuid[])",
            $reserved,
            " then 1
                         else 0 end) as rows_as_expected
        "
        )
    };
}

/// Claims the key, an expired one too: a row without an answer never expires. Expiry goes by the database's clock alone:
/// a host whose clock is ahead must not free keys that others still answer.
macro_rules! claim_arm {
    ($source:literal) => {
        concat!(
            "
        claim as (
            insert into idempotency_keys (merchant_id, scope, key, fingerprint, payment_id, operation_id, created_at, expires_at)
            select $1, $16, $17, $41, $2, $3, $30, clock_timestamp() + $42 * interval '1 millisecond' ",
            $source,
            "
            on conflict (merchant_id, scope, key) do update
               set fingerprint = excluded.fingerprint, payment_id = excluded.payment_id, operation_id = excluded.operation_id,
                   answer_status = null, answer_body = null, created_at = excluded.created_at, expires_at = excluded.expires_at
             where idempotency_keys.expires_at < clock_timestamp() and idempotency_keys.answer_status is not null
            returning merchant_id),"
        )
    };
}

/// With what it takes to reserve the payment's whole amount of its order, under the order's row lock.
macro_rules! create_and_begin {
    ($order:literal, $source:literal, $reserve:literal, $payable:literal, $reserved:literal) => {
        concat!(
            "-- store::begin::attempt::create_and_begin
        with ",
            $order,
            claim_arm!($source),
            $reserve,
            "
        payment as (
            insert into payments (merchant_id, payment_id, order_id, status, amount, currency, capture_method, open_attempt,
                                  attempt_count, version, audit_sequence, event_sequence, gateway_account_id, token_id,
                                  payment_method, description, return_url, metadata, customer, amount_reserved, created_at,
                                  updated_at)
            select $1, $2, $43, $44, $11, $12, $45, $5, 1, $46, cardinality($32::int[]), cardinality($36::uuid[]), $6, $9,
                   $10, $47, $48, $49, $50, case when $43::uuid is null then 0 else $11 end, $30, $30 from claim
            returning 1),",
            shared_arms!(),
            shared_count!($payable, $reserved)
        )
    };
}

/// The statement of [`create_and_begin()`], for those who measure what it costs.
pub const CREATE_AND_BEGIN: &str = create_and_begin!("", "", "", "1::bigint", "");
/// The same for a payment of an order.
const CREATE_AND_BEGIN_OF_ORDER: &str = create_and_begin!(
    "
        held_order as (
            select merchant_id from orders
             where merchant_id = $1 and order_id = $43 and currency = $12 and status <> 'cancelled'
               and amount_paid + amount_reserved + $11 <= amount
               for update),",
    "from held_order",
    "
        reserved as (
            update orders as o
               set amount_reserved = o.amount_reserved + $11, version = o.version + 1, updated_at = $30
              from claim
             where o.merchant_id = $1 and o.order_id = $43
            returning 1),",
    "(select count(*) from held_order)",
    " and (select count(*) from reserved) = 1"
);

/// Creates a payment and begins its first attempt. One statement, one commit, one round trip.
pub async fn create_and_begin(
    conn: &mut PgConnection,
    begin: Begin<'_>,
    payment: &NewPayment<'_>,
) -> Result<Begun, Error> {
    let statement = if payment.order_id.is_some() { CREATE_AND_BEGIN_OF_ORDER } else { CREATE_AND_BEGIN };
    let query = sqlx::query(statement);
    let row = bind_shared(query, begin)
        .bind(payment.order_id)
        .bind(payment.status)
        .bind(<&str>::from(payment.capture_method))
        .bind(payment.version)
        .bind(payment.description)
        .bind(payment.return_url)
        .bind(payment.metadata)
        .bind(payment.customer)
        .fetch_one(conn)
        .await?;
    claimed(&row)
}

macro_rules! begin {
    ($order:literal, $held:literal, $reserve:literal, $payable:literal, $reserved:literal) => {
        concat!(
            "-- store::begin::attempt::begin
        with ",
            $order,
            "
        held as (
            select p.merchant_id from ",
            $held,
            "
             where p.merchant_id = $1 and p.payment_id = $2 and p.version = $43 and p.open_attempt is null
               and p.won_attempt is null and p.open_operation is null
               for update of p),",
            claim_arm!("from held"),
            $reserve,
            "
        unexpired as (
            delete from work using claim
             where work.merchant_id = $1 and work.operation_id = $2 and work.kind = 'expiry'),
        payment as (
            update payments as p
               set status = 'processing', open_attempt = $5, attempt_count = $5, version = p.version + 1,
                   audit_sequence = p.audit_sequence + cardinality($32::int[]),
                   event_sequence = p.event_sequence + cardinality($36::uuid[]), gateway_account_id = $6, token_id = $9,
                   payment_method = $10, order_id = $44, amount_reserved = case when $44::uuid is null then 0 else $11 end,
                   return_url = coalesce($45, p.return_url), next_action = null, last_error = null,
                   gateway_reference = null, updated_at = $30
              from claim
             where p.merchant_id = $1 and p.payment_id = $2 and p.version = $43
            returning 1),",
            shared_arms!(),
            shared_count!($payable, $reserved)
        )
    };
}

const BEGIN: &str = begin!("", "payments as p", "", "1::bigint", "");
const BEGIN_OF_ORDER: &str = begin!(
    "
        held_order as (
            select merchant_id from orders
             where merchant_id = $1 and order_id = $44 and currency = $12 and status <> 'cancelled'
               and amount_paid + amount_reserved + $11 <= amount
               for update),",
    "held_order join payments as p on p.merchant_id = held_order.merchant_id",
    "
        reserved as (
            update orders as o
               set amount_reserved = o.amount_reserved + $11, version = o.version + 1, updated_at = $30
              from claim
             where o.merchant_id = $1 and o.order_id = $44
            returning 1),",
    "(select count(*) from held_order)",
    " and (select count(*) from reserved) = 1"
);

/// Begins another attempt of a payment that is there: its version must be as expected, and nothing under way. One
/// statement, one commit, one round trip. Where the payment has moved on, the key is not claimed either.
pub async fn begin(conn: &mut PgConnection, begin: Begin<'_>, expected: &Expected<'_>) -> Result<Begun, Error> {
    let query = sqlx::query(if expected.order_id.is_some() { BEGIN_OF_ORDER } else { BEGIN });
    let row = bind_shared(query, begin)
        .bind(expected.version)
        .bind(expected.order_id)
        .bind(expected.return_url)
        .fetch_one(conn)
        .await?;
    claimed(&row)
}

/// What the attempt is that follows one which did nothing.
pub struct NextAttempt {
    /// Of the payment, as [`super::super::finish`] has just left it in the same transaction.
    pub version: i32,
    /// The operation of the attempt before, which the idempotency key named.
    pub before: Uuid,
}

/// Begins the attempt that a failed-over payment goes on with, in the transaction in which the one before ended. The
/// idempotency key follows it. Must touch the payment's row: it is this transaction's own.
pub async fn next_attempt(conn: &mut PgConnection, begin: Begin<'_>, next: &NextAttempt) -> Result<(), Error> {
    let query = sqlx::query(concat!(
        "-- store::begin::attempt::next_attempt
        with claim as (
            update payments as p
               set open_attempt = $5, attempt_count = $5, gateway_account_id = $6, gateway_reference = null
             where p.merchant_id = $1 and p.payment_id = $2 and p.version = $43 and p.open_attempt is null
            returning p.merchant_id),
        payment as (select merchant_id from claim),
        rebound as (
            update idempotency_keys as k set operation_id = $3 from claim
             where k.merchant_id = $1 and k.scope = $16 and k.key = $17 and k.operation_id = $44
               and $41::bytea is not null and $42::bigint is not null),",
        shared_arms!(),
        shared_count!("1::bigint", "")
    ));
    let row = bind_shared(query, begin).bind(next.version).bind(next.before).fetch_one(conn).await?;
    match claimed(&row)? {
        Begun::Yes => Ok(()),
        Begun::No | Begun::OrderIsFull => {
            Err(Error::Unreadable { table: "payments", what: "the row that this transaction holds is another".into() })
        }
    }
}

fn claimed(row: &sqlx::postgres::PgRow) -> Result<Begun, Error> {
    let (claimed, payable): (i64, i64) = (row.try_get("claimed")?, row.try_get("payable")?);
    Ok(match (claimed, payable) {
        (1, _) => Begun::Yes,
        (_, 0) => Begun::OrderIsFull,
        _ => Begun::No,
    })
}
/// Binds `$1` to `$42`.
fn bind_shared<'q>(query: Query<'q, Postgres, PgArguments>, begin: Begin<'q>) -> Query<'q, Postgres, PgArguments> {
    let Begin { merchant_id, payment_id, key, token, attempt, audit, outbox, now } = begin;
    let exchange = attempt.exchange;
    let code = token.and_then(|token| token.code.as_ref());
    query
        .bind(merchant_id)
        .bind(payment_id)
        .bind(attempt.operation_id)
        .bind(attempt.attempt_id)
        .bind(attempt.number)
        .bind(attempt.gateway_account_id)
        .bind(attempt.connector)
        .bind(attempt.digest)
        .bind(attempt.token_id)
        .bind(attempt.payment_method)
        .bind(attempt.amount)
        .bind(attempt.currency)
        .bind(attempt.input)
        .bind(attempt.context)
        .bind(attempt.has_code)
        .bind(key.scope)
        .bind(key.key)
        .bind(attempt.answer_status)
        .bind(exchange.as_ref().map(|exchange| exchange.request.clone()))
        .bind(exchange.as_ref().map(|exchange| <&str>::from(exchange.effect)))
        .bind(exchange.as_ref().is_some_and(|exchange| exchange.resendable))
        .bind(token.map(|token| token.kind))
        .bind(token.map(|token| token.sealed.as_slice()))
        .bind(token.and_then(|token| token.fingerprint.as_deref()))
        .bind(token.map(|token| &token.details))
        .bind(code.map(|(day, _)| *day))
        .bind(code.map(|(_, sealed)| sealed.as_slice()))
        .bind(attempt.owner)
        .bind(attempt.lease_ms)
        .bind(now)
        .bind(f64::from(CODE_LIFE_S))
        .bind(audit.sequence)
        .bind(audit.from_state)
        .bind(audit.to_state)
        .bind(audit.event)
        .bind(outbox.id)
        .bind(outbox.kind)
        .bind(outbox.sequence)
        .bind(outbox.payload)
        .bind(PaymentId::from_uuid(payment_id).to_string())
        .bind(key.fingerprint)
        .bind(key.ttl_ms)
}
