//! What a person must look at, and how it is closed. Reviews are opened by [`super::finish`] and [`super::journal`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Error, audit_log::Audit};
use crate::domain::id::{PaymentId, ReviewId};

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
    pub resolution: Option<Value>,
}

/// Which reviews a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub merchant: Option<Uuid>,
    pub payment: Option<Uuid>,
    pub reason: Option<String>,
    /// Whether only open or only closed ones are wanted.
    pub is_open: Option<bool>,
    /// Only reviews opened before this one: the cursor.
    pub before: Option<Uuid>,
    /// Rows at most.
    pub limit: i64,
}

/// The reviews of all merchants, newest first.
pub async fn list(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<Review>, Error> {
    let rows = sqlx::query_as(
        "-- store::reviews::list
         select merchant_id, review_id, payment_id, operation_id, reason, detail, opened_at, closed_at, resolution
           from reviews
          where ($1::uuid is null or merchant_id = $1)
            and ($2::uuid is null or payment_id = $2)
            and ($3::text is null or reason = $3)
            and ($4::boolean is null or (closed_at is null) = $4)
            and review_id < coalesce($5, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          order by review_id desc
          limit $6",
    )
    .bind(filter.merchant)
    .bind(filter.payment)
    .bind(&filter.reason)
    .bind(filter.is_open)
    .bind(filter.before)
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// One review. An operator names it alone; its id is unique across merchants because it is a `UUIDv7` of ours.
pub async fn get(conn: &mut PgConnection, review: ReviewId) -> Result<Option<Review>, Error> {
    let row = sqlx::query_as(
        "-- store::reviews::get
         select merchant_id, review_id, payment_id, operation_id, reason, detail, opened_at, closed_at, resolution
           from reviews where review_id = $1",
    )
    .bind(review.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// How many nobody has closed: for metrics.
pub async fn count_open(conn: &mut PgConnection) -> Result<i64, Error> {
    let count = sqlx::query_scalar(
        "-- store::reviews::count_open
         select count(*) from reviews where closed_at is null",
    )
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// Whose payment it is, where a review or unresolved work knows it. An operator names the payment alone, and the
/// payments' own table cannot be searched without the merchant.
pub async fn merchant_of(conn: &mut PgConnection, payment: PaymentId) -> Result<Option<Uuid>, Error> {
    let merchant = sqlx::query_scalar(
        "-- store::reviews::merchant_of
         select merchant_id from reviews where payment_id = $1
          union all
         select merchant_id from work where payment_id = $1
          limit 1",
    )
    .bind(payment.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(merchant)
}

/// Closes every open review of a payment. Returns how many there were.
pub async fn close_all(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    payment_id: Uuid,
    resolution: &Value,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::reviews::close_all
         update reviews set closed_at = $4, resolution = $3
          where merchant_id = $1 and payment_id = $2 and closed_at is null",
    )
    .bind(merchant_id)
    .bind(payment_id)
    .bind(resolution)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Closes one review, and says so in the audit log. Returns whether it was open; where it was not, nothing is written.
pub async fn close(
    conn: &mut PgConnection,
    review: &Review,
    resolution: &Value,
    audit: &Audit,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let closed: i64 = sqlx::query_scalar(
        "-- store::reviews::close
         with closed as (
            update reviews set closed_at = $4, resolution = $3
             where merchant_id = $1 and review_id = $2 and closed_at is null
            returning merchant_id),
         audit as (
            insert into audit_log (entry_id, actor, action, subject, merchant_id, detail, created_at)
            select $5, $6, 'review.close', $7, merchant_id, $3, $4 from closed
            returning 1)
         select (select count(*) from closed)
                / (case when (select count(*) from closed) = 0 then 1
                        when (select count(*) from audit) = 1 then 1
                        else 0 end)",
    )
    .bind(review.merchant_id)
    .bind(review.review_id)
    .bind(resolution)
    .bind(now)
    .bind(audit.entry_id)
    .bind(&audit.actor)
    .bind(ReviewId::from_uuid(review.review_id).to_string())
    .fetch_one(conn)
    .await?;
    Ok(closed == 1)
}

/// Opens a review of an operation, unless one is open for the same reason. Touches one row, or none.
pub async fn open_once(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    payment_id: Uuid,
    operation_id: Uuid,
    reason: &str,
    review_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "-- store::reviews::open_once
         insert into reviews (merchant_id, review_id, payment_id, operation_id, reason, detail, opened_at)
         select $1, $2, $3, $4, $5, '{}', $6
          where not exists (select 1 from reviews as r
                             where r.merchant_id = $1 and r.payment_id = $3 and r.operation_id = $4 and r.reason = $5
                               and r.closed_at is null)",
    )
    .bind(merchant_id)
    .bind(review_id)
    .bind(payment_id)
    .bind(operation_id)
    .bind(reason)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}
