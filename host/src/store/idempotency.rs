//! Idempotency keys, and how they are read. They are claimed in [`super::begin`] and answered in [`super::finish`].

use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;
use crate::domain::id::MerchantId;

/// A key that was used, and what became of its request.
#[derive(Clone, Debug, FromRow)]
pub struct Found {
    pub fingerprint: Vec<u8>,
    pub payment_id: Option<Uuid>,
    pub operation_id: Option<Uuid>,
    pub answer_status: Option<i16>,
    pub answer_body: Option<Vec<u8>>,
    /// A lease on its operation runs: a live host works on it.
    pub driven: bool,
    /// Its answer's time is over: the key may be claimed anew.
    pub expired: bool,
}

/// The key's record, if it was used. One read, no commit.
pub async fn find(
    conn: &mut PgConnection,
    merchant: MerchantId,
    scope: &str,
    key: &str,
) -> Result<Option<Found>, Error> {
    let row = sqlx::query_as(
        "-- store::idempotency::find
         select k.fingerprint, k.payment_id, k.operation_id, k.answer_status, k.answer_body,
                k.answer_status is not null and k.expires_at < clock_timestamp() as expired,
                exists (select 1 from work as w
                         where w.merchant_id = k.merchant_id and w.operation_id = k.operation_id and w.task = 'drive' and w.owner is not null
                           and w.due_at > clock_timestamp()) as driven
           from idempotency_keys as k
          where k.merchant_id = $1 and k.scope = $2 and k.key = $3",
    )
    .bind(merchant.uuid())
    .bind(scope)
    .bind(key)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Deletes up to `limit` keys whose answer's time is over. A key without an answer is never deleted. Returns how many.
pub async fn delete_expired(conn: &mut PgConnection, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::idempotency::delete_expired
         delete from idempotency_keys
          where ctid = any (array(
                select ctid from idempotency_keys
                 where expires_at < statement_timestamp() and answer_status is not null
                 limit $1))",
    )
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
