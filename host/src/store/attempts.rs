//! Attempts as rows, and how they are read.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;
use crate::domain::id::{MerchantId, PaymentId};

/// A row of `attempts`.
#[derive(Clone, Debug, FromRow)]
pub struct Attempt {
    pub number: i32,
    pub attempt_id: Uuid,
    pub gateway_account_id: Uuid,
    pub connector: String,
    pub digest: Vec<u8>,
    pub status: String,
    pub payment_method: Value,
    pub gateway_reference: Option<String>,
    pub gateway_references: Value,
    pub last_error: Option<Value>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// An attempt, and whose it is.
#[derive(Clone, Debug, FromRow)]
struct OfPayment {
    payment_id: Uuid,
    #[sqlx(flatten)]
    attempt: Attempt,
}

/// The attempts of each of `payments`, in the order they were made. A payment without one is not in it.
pub async fn list_of_payments(
    conn: &mut PgConnection,
    merchant: MerchantId,
    payments: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Attempt>>, Error> {
    let rows: Vec<OfPayment> = sqlx::query_as(
        "-- store::attempts::list_of_payments
         select payment_id, number, attempt_id, gateway_account_id, connector, digest, status, payment_method,
                gateway_reference, gateway_references, last_error, created_at, updated_at
           from attempts
          where merchant_id = $1 and payment_id = any ($2)
          order by payment_id, number",
    )
    .bind(merchant.uuid())
    .bind(payments)
    .fetch_all(conn)
    .await?;
    let mut attempts: HashMap<Uuid, Vec<Attempt>> = HashMap::with_capacity(payments.len());
    for OfPayment { payment_id, attempt } in rows {
        attempts.entry(payment_id).or_default().push(attempt);
    }
    Ok(attempts)
}

/// The payment's attempts in the order they were made; at most 20.
pub async fn list(conn: &mut PgConnection, merchant: MerchantId, payment: PaymentId) -> Result<Vec<Attempt>, Error> {
    let rows = sqlx::query_as(
        "-- store::attempts::list
         select number, attempt_id, gateway_account_id, connector, digest, status, payment_method, gateway_reference,
                gateway_references, last_error, created_at, updated_at
           from attempts
          where merchant_id = $1 and payment_id = $2
          order by number",
    )
    .bind(merchant.uuid())
    .bind(payment.uuid())
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// One attempt of a payment.
pub async fn get(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    payment_id: Uuid,
    number: i32,
) -> Result<Option<Attempt>, Error> {
    let row = sqlx::query_as(
        "-- store::attempts::get
         select number, attempt_id, gateway_account_id, connector, digest, status, payment_method, gateway_reference,
                gateway_references, last_error, created_at, updated_at
           from attempts
          where merchant_id = $1 and payment_id = $2 and number = $3",
    )
    .bind(merchant_id)
    .bind(payment_id)
    .bind(number)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}
