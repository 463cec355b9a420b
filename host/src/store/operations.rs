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
    pub created_at: DateTime<Utc>,
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
                o.answer_status, o.created_at, a.gateway_references, a.gateway_reference as attempt_reference
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

/// An operation that an operator looks at.
#[derive(Clone, Debug, FromRow)]
pub struct Unresolved {
    pub merchant_id: Uuid,
    pub operation_id: Uuid,
    pub payment_id: Uuid,
    pub task: String,
    pub checks: i16,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

/// Operations whose outcome is unknown, oldest first.
pub async fn unknown(conn: &mut PgConnection, limit: i64) -> Result<Vec<Unresolved>, Error> {
    let rows = sqlx::query_as(
        "-- store::operations::unknown
         select merchant_id, operation_id, payment_id, task, checks, due_at, created_at
           from work where task = 'resolve' order by created_at limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
