//! Operations as rows, and how they are read. They are written by [`super::begin`], [`super::journal`] and
//! [`super::finish`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// A row of `operations`, with what its attempt knows.
#[derive(Clone, Debug, FromRow)]
pub struct Operation {
    pub merchant_id: Uuid,
    pub operation_id: Uuid,
    pub payment_id: Uuid,
    pub attempt_number: i32,
    pub gateway_account_id: Uuid,
    pub kind: String,
    pub status: String,
    pub amount: i64,
    pub currency: String,
    pub connector: String,
    pub digest: Vec<u8>,
    pub input: Value,
    pub context: Value,
    pub token_id: Option<Uuid>,
    pub has_code: bool,
    pub key_scope: Option<String>,
    pub key: Option<String>,
    pub answer_status: Option<i16>,
    pub purpose: Option<String>,
    pub outcome: Option<Value>,
    pub correction: Option<Value>,
    /// Last event of a refund.
    pub event_sequence: i32,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// The attempt's status.
    pub attempt_status: String,
    /// The attempt's `references` so far.
    pub gateway_references: Value,
    pub attempt_reference: Option<String>,
}

/// The operation, if it is there.
pub async fn get(conn: &mut PgConnection, merchant_id: Uuid, operation_id: Uuid) -> Result<Option<Operation>, Error> {
    let row = sqlx::query_as(
        "-- store::operations::get
         select o.merchant_id, o.operation_id, o.payment_id, o.attempt_number, o.gateway_account_id, o.kind, o.status, o.amount,
                o.currency, o.connector, o.digest, o.input, o.context, o.token_id, o.has_code, o.key_scope, o.key,
                o.answer_status, o.purpose, o.outcome, o.correction, o.event_sequence, o.created_at, o.finished_at,
                a.status as attempt_status, a.gateway_references, a.gateway_reference as attempt_reference
           from operations as o
           join attempts as a
             on a.merchant_id = o.merchant_id and a.payment_id = o.payment_id and a.number = o.attempt_number
          where o.merchant_id = $1 and o.operation_id = $2",
    )
    .bind(merchant_id)
    .bind(operation_id)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// The operation with which an attempt began: its authorize. Found by the payment's audit trail, because operations are
/// keyed by their own id alone.
pub async fn first_of_attempt(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    payment_id: Uuid,
    attempt_number: i32,
) -> Result<Option<Uuid>, Error> {
    let id = sqlx::query_scalar(
        "-- store::operations::first_of_attempt
         select operation_id from payment_events
          where merchant_id = $1 and payment_id = $2 and attempt_number = $3 and operation_id is not null
          order by sequence limit 1",
    )
    .bind(merchant_id)
    .bind(payment_id)
    .bind(attempt_number)
    .fetch_optional(conn)
    .await?;
    Ok(id)
}

/// Whether the host itself has begun to call this attempt off because its outcome was unknown.
pub async fn was_called_off(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    payment_id: Uuid,
    attempt_number: i32,
) -> Result<bool, Error> {
    let was = sqlx::query_scalar(
        "-- store::operations::was_called_off
         select exists (
             select 1 from payment_events as e
               join operations as o on o.merchant_id = e.merchant_id and o.operation_id = e.operation_id
              where e.merchant_id = $1 and e.payment_id = $2 and e.attempt_number = $3 and e.event = 'cancel_submitted'
                and o.purpose = 'call_off')",
    )
    .bind(merchant_id)
    .bind(payment_id)
    .bind(attempt_number)
    .fetch_one(conn)
    .await?;
    Ok(was)
}

/// The operations of one kind of a payment that have ended, oldest first: what later ones refer to.
pub async fn ended(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    payment_id: Uuid,
    attempt_number: i32,
) -> Result<Vec<Ended>, Error> {
    // Found by the payment's audit trail: operations are keyed by their own id alone.
    let rows = sqlx::query_as(
        "-- store::operations::ended
         select o.operation_id, o.kind, o.amount, o.outcome
           from operations as o
          where o.merchant_id = $1
            and o.operation_id = any (array(
                select distinct e.operation_id from payment_events as e
                 where e.merchant_id = $1 and e.payment_id = $2 and e.operation_id is not null))
            and o.attempt_number = $3 and o.outcome is not null
          order by o.operation_id",
    )
    .bind(merchant_id)
    .bind(payment_id)
    .bind(attempt_number)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// An operation that has ended.
#[derive(Clone, Debug, FromRow)]
pub struct Ended {
    pub operation_id: Uuid,
    pub kind: String,
    pub amount: i64,
    pub outcome: Option<Value>,
}
