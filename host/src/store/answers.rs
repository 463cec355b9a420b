//! Idempotency keys whose answer is known before anything is written: those of requests that ask no gateway.
//!
//! Key and answer are claimed in the transaction of the change, so that there is never a key without its answer or an
//! answer without its change. Keys of payments are claimed in [`super::begin`] and answered in [`super::finish`].

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Error, begin::Key};
use crate::domain::id::MerchantId;

/// Claims the key together with its answer; one whose answer's time is over is claimed anew. Touches one row, or none
/// where the key is taken: then the caller rolls back, and reads what the winner's answer is in a statement of its own
/// (whoever lost a conflict does not see the winner's row). Waits for a claim of the same key that is not committed yet.
pub async fn claim(
    conn: &mut PgConnection,
    merchant: MerchantId,
    key: &Key<'_>,
    answer_status: i16,
    answer_body: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::answers::claim
         insert into idempotency_keys as k (merchant_id, scope, key, fingerprint, answer_status, answer_body, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8 * interval '1 millisecond')
             on conflict (merchant_id, scope, key) do update
            set fingerprint = excluded.fingerprint, payment_id = null, operation_id = null,
                answer_status = excluded.answer_status, answer_body = excluded.answer_body,
                created_at = excluded.created_at, expires_at = excluded.expires_at
          where k.expires_at < clock_timestamp() and k.answer_status is not null",
    )
    .bind(merchant.uuid())
    .bind(key.scope)
    .bind(key.key)
    .bind(key.fingerprint)
    .bind(answer_status)
    .bind(answer_body)
    .bind(now)
    .bind(key.ttl_ms)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
