//! A payment that nobody has confirmed yet. See [`super`].

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{Begun, Key, NewPayment, SealedToken};
use crate::store::Error;

/// Creates a payment that nobody has confirmed yet, with its answer stored: one statement, one commit.
pub async fn create(conn: &mut PgConnection, begin: Created<'_>, payment: &NewPayment<'_>) -> Result<Begun, Error> {
    let row = sqlx::query(
        "-- store::begin::create::create
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
            returning 1),
        expiry as (
            insert into work (merchant_id, operation_id, payment_id, kind, task, due_at, created_at)
            select $1, $2, $2, 'expiry', 'expire', clock_timestamp() + $32 * interval '1 millisecond', clock_timestamp() from claim
            returning 1)
        select (select count(*) from claim) as claimed,
               1 / (case when (select count(*) from claim) = 0 then 1
                         when (select count(*) from payment) = 1 and (select count(*) from expiry) = 1 and (select count(*) from audit) = 1
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
    .bind(begin.expires_in_ms)
    .fetch_one(conn)
    .await?;
    let claimed: i64 = row.try_get("claimed")?;
    Ok(if claimed == 1 { Begun::Yes } else { Begun::No })
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
    /// From now, by the database's clock: when it expires where nobody confirms it.
    pub expires_in_ms: i64,
    pub now: DateTime<Utc>,
}
