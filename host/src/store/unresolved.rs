//! Operations that are not resolved, for operators: what `work` holds, with what each is about.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// The statuses that an operation may have while it is unresolved.
pub const STATUSES: &[&str] = &["under_way", "unknown", "pending", "manual_review"];

/// A row of `work` with its operation.
#[derive(Clone, Debug, FromRow)]
pub struct Unresolved {
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
    pub checks: i16,
    pub unknown_since: Option<DateTime<Utc>>,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

/// Which operations a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<String>,
    pub merchant: Option<Uuid>,
    /// Only operations begun after this one: the cursor.
    pub after: Option<Uuid>,
    /// Rows at most.
    pub limit: i64,
}

/// Unresolved operations of all merchants, oldest first. It walks `work`, which is small: `status` is in no index.
pub async fn list(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<Unresolved>, Error> {
    let rows = sqlx::query_as(
        "-- store::unresolved::list
         select w.merchant_id, w.operation_id, w.payment_id, o.attempt_number, o.gateway_account_id, o.kind, o.status,
                o.amount, o.currency, o.connector, w.checks, w.unknown_since, w.due_at, o.created_at
           from work as w
           join operations as o on o.merchant_id = w.merchant_id and o.operation_id = w.operation_id
          where ($1::text is null or o.status = $1)
            and ($2::uuid is null or w.merchant_id = $2)
            and w.operation_id > coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid)
          order by w.operation_id
          limit $4",
    )
    .bind(&filter.status)
    .bind(filter.merchant)
    .bind(filter.after)
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
