//! What a person must look at. Reviews are opened by [`super::finish`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// A row of `reviews`.
#[derive(Clone, Debug, FromRow)]
pub struct Review {
    pub merchant_id: Uuid,
    pub review_id: Uuid,
    pub payment_id: Uuid,
    pub operation_id: Option<Uuid>,
    pub reason: String,
    pub detail: Value,
    pub opened_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
}

/// Reviews that nobody has closed, oldest first.
pub async fn open(conn: &mut PgConnection, limit: i64) -> Result<Vec<Review>, Error> {
    let rows = sqlx::query_as(
        "-- store::reviews::open
         select merchant_id, review_id, payment_id, operation_id, reason, detail, opened_at, closed_at
           from reviews where closed_at is null order by opened_at limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
