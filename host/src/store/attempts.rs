//! Attempts as rows, and how they are read.

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
