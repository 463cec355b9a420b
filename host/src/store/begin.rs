//! Commit 1: everything that must be on disk before a byte is on the wire, in one statement.
//!
//! The idempotency key, the payment, its attempt, the operation with its whole input, the exact request, the lease,
//! the audit rows and the outbox rows stand or fall together, in one round trip. Two traps, both tried: the loser of a
//! conflict on the key sees neither its own row nor the winner's, so an empty `claim` is answered by a second statement
//! ([`super::idempotency::find`]); and a row that one arm inserts cannot be updated by another. So every arm selects
//! from the claim, and where the claim is empty nothing at all is written.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::Error;
use crate::{connector::types::Effect, domain::payment::CaptureMethod};

/// The key that a merchant's request holds.
pub struct Key<'a> {
    pub scope: &'a str,
    pub key: &'a str,
    pub fingerprint: &'a [u8],
    /// How long its answer is kept, from now by the database's clock.
    pub ttl_ms: i64,
}

/// The payment's own columns, where the statement makes it.
pub struct NewPayment<'a> {
    pub order_id: Option<Uuid>,
    pub status: &'a str,
    pub amount: i64,
    pub currency: &'a str,
    pub capture_method: CaptureMethod,
    pub gateway_account_id: Option<Uuid>,
    pub token_id: Option<Uuid>,
    pub payment_method: Option<&'a Value>,
    pub description: Option<&'a str>,
    pub return_url: Option<&'a str>,
    pub metadata: &'a Value,
    pub customer: &'a Value,
    pub version: i32,
}

/// A payment that is there already: moved by compare-and-set.
pub struct Expected<'a> {
    pub version: i32,
    pub order_id: Option<Uuid>,
    pub return_url: Option<&'a str>,
}

/// The attempt and its authorize operation.
pub struct Attempt<'a> {
    pub operation_id: Uuid,
    pub attempt_id: Uuid,
    pub number: i32,
    pub gateway_account_id: Uuid,
    pub connector: &'a str,
    pub digest: &'a [u8],
    pub token_id: Option<Uuid>,
    pub payment_method: &'a Value,
    pub amount: i64,
    pub currency: &'a str,
    pub input: Value,
    pub context: Value,
    pub has_code: bool,
    pub answer_status: i16,
    /// The request that goes out first; none where the connector had its outcome without asking.
    pub exchange: Option<Exchange>,
    pub owner: Uuid,
    pub lease_ms: i64,
}

/// A request as the journal keeps it.
pub struct Exchange {
    pub request: Value,
    pub effect: Effect,
    pub resendable: bool,
}

/// What the vault sealed on the way in.
pub struct SealedToken {
    pub token_id: Uuid,
    pub kind: &'static str,
    pub sealed: Vec<u8>,
    pub fingerprint: Option<Vec<u8>>,
    pub details: Value,
    /// The card's code under the key of the day.
    pub code: Option<(NaiveDate, Vec<u8>)>,
}

/// Rows of the audit trail, column by column.
#[derive(Default)]
pub struct AuditRows {
    pub sequence: Vec<i32>,
    pub from_state: Vec<Option<&'static str>>,
    pub to_state: Vec<&'static str>,
    pub event: Vec<&'static str>,
    pub wins: Vec<bool>,
    pub detail: Vec<Option<Value>>,
}

/// Rows of the outbox, column by column.
#[derive(Default)]
pub struct OutboxRows {
    pub id: Vec<Uuid>,
    pub kind: Vec<&'static str>,
    pub sequence: Vec<i32>,
    pub payload: Vec<String>,
}

/// Everything that one commit 1 writes.
pub struct Begin<'a> {
    pub merchant_id: Uuid,
    pub payment_id: Uuid,
    /// The payment's public id: the outbox's `aggregateid`.
    pub public_id: &'a str,
    pub key: Key<'a>,
    pub token: Option<&'a SealedToken>,
    pub attempt: Attempt<'a>,
    pub audit: AuditRows,
    pub outbox: OutboxRows,
    pub now: DateTime<Utc>,
}

/// Whether commit 1 happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    Yes,
    /// The key is taken, or the payment has moved on: nothing was written. The caller reads and decides again.
    No,
}

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
    () => {
        "
        select (select count(*) from claim) as claimed,
               1 / (case when (select count(*) from claim) = 0 then 1
                         when (select count(*) from payment) = 1 and (select count(*) from attempt) = 1
                          and (select count(*) from operation) = 1 and (select count(*) from lease) = 1
                          and (select count(*) from exchange) = ($19::jsonb is not null)::int
                          and (select count(*) from token) = ($22::text is not null)::int
                          and (select count(*) from code) = ($26::date is not null)::int
                          and (select count(*) from audit) = cardinality($32::int[])
                          and (select count(*) from events) = cardinality($36::uuid[]) then 1
                         else 0 end) as rows_as_expected
        "
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

/// The statement of [`create_and_begin`], for those who measure what it costs.
pub const CREATE_AND_BEGIN: &str = concat!(
        "-- store::begin::create_and_begin
        with ",
        claim_arm!(""),
        "
        payment as (
            insert into payments (merchant_id, payment_id, order_id, status, amount, currency, capture_method, open_attempt,
                                  attempt_count, version, audit_sequence, event_sequence, gateway_account_id, token_id,
                                  payment_method, description, return_url, metadata, customer, created_at, updated_at)
            select $1, $2, $43, $44, $11, $12, $45, $5, 1, $46, cardinality($32::int[]), cardinality($36::uuid[]), $6, $9,
                   $10, $47, $48, $49, $50, $30, $30 from claim
            returning 1),",
        shared_arms!(),
        shared_count!()
    );

/// Creates a payment and begins its first attempt. One statement, one commit, one round trip.
pub async fn create_and_begin(
    conn: &mut PgConnection,
    begin: Begin<'_>,
    payment: &NewPayment<'_>,
) -> Result<Begun, Error> {
    let query = sqlx::query(CREATE_AND_BEGIN);
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

/// Begins another attempt of a payment that is there: its version must be as expected, and nothing under way. One
/// statement, one commit, one round trip. Where the payment has moved on, the key is not claimed either.
pub async fn begin(conn: &mut PgConnection, begin: Begin<'_>, expected: &Expected<'_>) -> Result<Begun, Error> {
    let query = sqlx::query(concat!(
        "-- store::begin::begin
        with held as (
            select merchant_id from payments
             where merchant_id = $1 and payment_id = $2 and version = $43 and open_attempt is null and won_attempt is null
               for update),",
        claim_arm!("from held"),
        "
        payment as (
            update payments as p
               set status = 'processing', open_attempt = $5, attempt_count = $5, version = p.version + 1,
                   audit_sequence = p.audit_sequence + cardinality($32::int[]),
                   event_sequence = p.event_sequence + cardinality($36::uuid[]), gateway_account_id = $6, token_id = $9,
                   payment_method = $10, order_id = coalesce($44, p.order_id), return_url = coalesce($45, p.return_url),
                   next_action = null, last_error = null, gateway_reference = null, updated_at = $30
              from claim
             where p.merchant_id = $1 and p.payment_id = $2 and p.version = $43
            returning 1),",
        shared_arms!(),
        shared_count!()
    ));
    let row = bind_shared(query, begin)
        .bind(expected.version)
        .bind(expected.order_id)
        .bind(expected.return_url)
        .fetch_one(conn)
        .await?;
    claimed(&row)
}

fn claimed(row: &sqlx::postgres::PgRow) -> Result<Begun, Error> {
    let claimed: i64 = sqlx::Row::try_get(row, "claimed")?;
    Ok(if claimed == 1 { Begun::Yes } else { Begun::No })
}

/// Binds `$1` to `$42`.
fn bind_shared<'q>(query: Query<'q, Postgres, PgArguments>, begin: Begin<'q>) -> Query<'q, Postgres, PgArguments> {
    let Begin { merchant_id, payment_id, public_id, key, token, attempt, audit, outbox, now } = begin;
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
        .bind(public_id)
        .bind(key.fingerprint)
        .bind(key.ttl_ms)
}

/// Creates a payment that nobody has confirmed yet, with its answer stored: one statement, one commit.
pub async fn create(conn: &mut PgConnection, begin: Created<'_>, payment: &NewPayment<'_>) -> Result<Begun, Error> {
    let row = sqlx::query(
        "-- store::begin::create
        with claim as (
            insert into idempotency_keys (merchant_id, scope, key, fingerprint, payment_id, answer_status, answer_body, created_at,
                                          expires_at)
            values ($1, $3, $4, $5, $2, $7, $8, $9, clock_timestamp() + $6 * interval '1 millisecond')
            on conflict (merchant_id, scope, key) do update
               set fingerprint = excluded.fingerprint, payment_id = excluded.payment_id, operation_id = null,
                   answer_status = excluded.answer_status, answer_body = excluded.answer_body, created_at = excluded.created_at,
                   expires_at = excluded.expires_at
             where idempotency_keys.expires_at < clock_timestamp() and idempotency_keys.answer_status is not null
            returning merchant_id),
        payment as (
            insert into payments (merchant_id, payment_id, order_id, status, amount, currency, capture_method, version,
                                  audit_sequence, event_sequence, gateway_account_id, token_id, payment_method, description,
                                  return_url, metadata, customer, created_at, updated_at)
            select $1, $2, $10, $11, $12, $13, $14, $15, 1, 1, $16, $17, $18, $19, $20, $21, $22, $9, $9 from claim
            returning 1),
        token as (
            insert into tokens (merchant_id, token_id, kind, sealed, fingerprint, details, created_at)
            select $1, $17, $23, $24, $25, $26, $9 from claim where $23::text is not null
            returning 1),
        code as (
            insert into token_codes (merchant_id, token_id, day, sealed, expires_at)
            select $1, $17, $27, $28, clock_timestamp() + interval '1 hour' from claim where $27::date is not null
            returning 1),
        audit as (
            insert into payment_events (merchant_id, payment_id, sequence, to_state, event, created_at)
            select $1, $2, 1, 'created', 'created', $9 from claim
            returning 1),
        events as (
            insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
            select $1, $29, 'payment', $30, 'payment.created', 1, $31, $9 from claim
            returning 1)
        select (select count(*) from claim) as claimed,
               1 / (case when (select count(*) from claim) = 0 then 1
                         when (select count(*) from payment) = 1 and (select count(*) from audit) = 1
                          and (select count(*) from events) = 1
                          and (select count(*) from token) = ($23::text is not null)::int
                          and (select count(*) from code) = ($27::date is not null)::int then 1
                         else 0 end) as rows_as_expected",
    )
    .bind(begin.merchant_id)
    .bind(begin.payment_id)
    .bind(begin.key.scope)
    .bind(begin.key.key)
    .bind(begin.key.fingerprint)
    .bind(begin.key.ttl_ms)
    .bind(begin.answer_status)
    .bind(begin.answer_body)
    .bind(begin.now)
    .bind(payment.order_id)
    .bind(payment.status)
    .bind(payment.amount)
    .bind(payment.currency)
    .bind(<&str>::from(payment.capture_method))
    .bind(payment.version)
    .bind(payment.gateway_account_id)
    .bind(payment.token_id)
    .bind(payment.payment_method)
    .bind(payment.description)
    .bind(payment.return_url)
    .bind(payment.metadata)
    .bind(payment.customer)
    .bind(begin.token.map(|token| token.kind))
    .bind(begin.token.map(|token| token.sealed.as_slice()))
    .bind(begin.token.and_then(|token| token.fingerprint.as_deref()))
    .bind(begin.token.map(|token| &token.details))
    .bind(begin.token.and_then(|token| token.code.as_ref()).map(|(day, _)| *day))
    .bind(begin.token.and_then(|token| token.code.as_ref()).map(|(_, sealed)| sealed.as_slice()))
    .bind(begin.event_id)
    .bind(begin.public_id)
    .bind(begin.event_payload)
    .fetch_one(conn)
    .await?;
    claimed(&row)
}

/// What [`create`] writes besides the payment's own columns.
pub struct Created<'a> {
    pub merchant_id: Uuid,
    pub payment_id: Uuid,
    pub public_id: &'a str,
    pub key: Key<'a>,
    pub answer_status: i16,
    pub answer_body: &'a [u8],
    pub token: Option<&'a SealedToken>,
    pub event_id: Uuid,
    pub event_payload: &'a str,
    pub now: DateTime<Utc>,
}
