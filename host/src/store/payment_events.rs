//! The audit trail of payments, and how it is read. It is written by [`super::begin`] and [`super::finish`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{Error, enum_column};
use crate::domain::{
    id::{MerchantId, PaymentId},
    payment::State,
};

/// A row of `payment_events`.
#[derive(Clone, Debug)]
pub struct PaymentEvent {
    pub sequence: i32,
    pub from_state: Option<State>,
    pub to_state: State,
    pub event: String,
    pub wins: bool,
    pub attempt_number: Option<i32>,
    pub operation_id: Option<Uuid>,
    pub detail: Option<Value>,
    pub created_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for PaymentEvent {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let from: Option<&str> = row.try_get("from_state")?;
        Ok(Self {
            sequence: row.try_get("sequence")?,
            from_state: from.map(|_| enum_column(row, "from_state")).transpose()?,
            to_state: enum_column(row, "to_state")?,
            event: row.try_get("event")?,
            wins: row.try_get("wins")?,
            attempt_number: row.try_get("attempt_number")?,
            operation_id: row.try_get("operation_id")?,
            detail: row.try_get("detail")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

/// The payment's audit trail after `after_sequence`, oldest first.
pub async fn list(
    conn: &mut PgConnection,
    merchant: MerchantId,
    payment: PaymentId,
    after_sequence: i32,
    limit: i64,
) -> Result<Vec<PaymentEvent>, Error> {
    let rows = sqlx::query_as(
        "-- store::payment_events::list
         select sequence, from_state, to_state, event, wins, attempt_number, operation_id, detail, created_at
           from payment_events
          where merchant_id = $1 and payment_id = $2 and sequence > $3
          order by sequence
          limit $4",
    )
    .bind(merchant.uuid())
    .bind(payment.uuid())
    .bind(after_sequence)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
