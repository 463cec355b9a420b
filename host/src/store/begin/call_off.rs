//! A payment that no gateway has heard of, called off or expired. See [`super`].

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{Begun, Key, OutboxRows};
use crate::{domain::payment::State, store::Error};

/// What is written when a payment ends that was never tried.
pub struct CallOff<'a> {
    pub merchant_id: Uuid,
    pub payment_id: Uuid,
    pub expected_version: i32,
    pub to: State,
    pub event: &'static str,
    /// The merchant's key with its answer: status and bytes. None where time called it off.
    pub answered: Option<(Key<'a>, i16, &'a [u8])>,
    pub outbox: OutboxRows,
    pub now: DateTime<Utc>,
}

macro_rules! call_off {
    ($claim:literal) => {
        concat!(
            "-- store::begin::call_off::call_off
    with held as (
        select merchant_id from payments
         where merchant_id = $1 and payment_id = $2 and version = $3 and status = 'created' and open_attempt is null
           for update),
    ",
            $claim,
            "
    payment as (
        update payments as p
           set status = $4, version = p.version + 1, audit_sequence = p.audit_sequence + 1,
               event_sequence = p.event_sequence + 1, updated_at = $6
          from claim
         where p.merchant_id = $1 and p.payment_id = $2 and p.version = $3
        returning p.audit_sequence),
    unexpired as (
        delete from work using claim
         where work.merchant_id = $1 and work.operation_id = $2 and work.kind = 'expiry'
        returning 1),
    audit as (
        insert into payment_events (merchant_id, payment_id, sequence, from_state, to_state, event, created_at)
        select $1, $2, payment.audit_sequence, 'created', $4, $5, $6 from payment
        returning 1),
    events as (
        insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
        select $1, row.id, row.about, row.about_id, row.type, row.sequence, row.payload, $6
          from claim, unnest($7::uuid[], $8::text[], $9::text[], $10::text[], $11::int[], $12::text[])
                   as row (id, about, about_id, type, sequence, payload)
        returning 1)
    select (select count(*) from claim) as claimed,
           1 / (case when (select count(*) from claim) = 0 then 1
                     when (select count(*) from payment) = 1 and (select count(*) from audit) = 1
                      and (select count(*) from events) = cardinality($7::uuid[]) then 1
                     else 0 end) as rows_as_expected"
        )
    };
}

const WITH_KEY: &str = call_off!(
    "claim as (
        insert into idempotency_keys as k (merchant_id, scope, key, fingerprint, payment_id, answer_status, answer_body,
                                           created_at, expires_at)
        select $1, $13, $14, $15, $2, $17, $18, $6, clock_timestamp() + $16 * interval '1 millisecond' from held
        on conflict (merchant_id, scope, key) do update
           set fingerprint = excluded.fingerprint, payment_id = excluded.payment_id, operation_id = null,
               answer_status = excluded.answer_status, answer_body = excluded.answer_body,
               created_at = excluded.created_at, expires_at = excluded.expires_at
         where k.expires_at < clock_timestamp() and k.answer_status is not null
        returning merchant_id),"
);
const WITHOUT_KEY: &str = call_off!("claim as (select merchant_id from held),");

/// Ends it, with its answer where a merchant asked: one statement, one commit. [`Begun::No`] where it has moved on, or
/// the key is taken.
pub async fn call_off(conn: &mut PgConnection, call_off: CallOff<'_>) -> Result<Begun, Error> {
    let CallOff { outbox, answered, .. } = call_off;
    let query = sqlx::query(if answered.is_some() { WITH_KEY } else { WITHOUT_KEY })
        .bind(call_off.merchant_id)
        .bind(call_off.payment_id)
        .bind(call_off.expected_version)
        .bind(<&str>::from(call_off.to))
        .bind(call_off.event)
        .bind(call_off.now)
        .bind(outbox.id)
        .bind(outbox.about)
        .bind(outbox.about_id)
        .bind(outbox.kind)
        .bind(outbox.sequence)
        .bind(outbox.payload);
    let query = match answered {
        None => query,
        Some((key, status, body)) => {
            query.bind(key.scope).bind(key.key).bind(key.fingerprint).bind(key.ttl_ms).bind(status).bind(body)
        }
    };
    let row = query.fetch_one(conn).await?;
    let claimed: i64 = row.try_get("claimed")?;
    Ok(if claimed == 1 { Begun::Yes } else { Begun::No })
}
