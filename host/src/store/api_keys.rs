//! API keys: only a hash of each is kept. Written by operators, each change together with its row in the audit log.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Error, audit_log::Audit};
use crate::domain::id::{ApiKeyId, MerchantId};

/// A row of `api_keys`, without the hash.
#[derive(Clone, Debug, FromRow)]
pub struct ApiKey {
    pub key_id: Uuid,
    /// The key's last four characters.
    pub hint: String,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Inserts one key of a merchant that exists, and what the audit log says of it. Returns whether that merchant exists.
pub async fn insert(
    conn: &mut PgConnection,
    merchant: MerchantId,
    key: &ApiKey,
    hash: &[u8],
    audit: &Audit,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::api_keys::insert
         with owner as (
            select merchant_id from merchants where merchant_id = $1),
         audit as (
            insert into audit_log (entry_id, actor, action, subject, merchant_id, detail, created_at)
            select $6, $8, 'api_key.create', $7, $1, jsonb_build_object('hint', $4::text), $5 from owner)
         insert into api_keys (merchant_id, key_id, hash, hint, created_at)
         select merchant_id, $2, $3, $4, $5 from owner",
    )
    .bind(merchant.uuid())
    .bind(key.key_id)
    .bind(hash)
    .bind(&key.hint)
    .bind(key.created_at)
    .bind(audit.entry_id)
    .bind(ApiKeyId::from_uuid(key.key_id).to_string())
    .bind(&audit.actor)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The merchant's keys, revoked ones too, newest first, made before `before`.
pub async fn list(
    conn: &mut PgConnection,
    merchant: MerchantId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ApiKey>, Error> {
    let rows = sqlx::query_as(
        "-- store::api_keys::list
         select key_id, hint, created_at, revoked_at
           from api_keys
          where merchant_id = $1 and ($2::uuid is null or key_id < $2)
          order by key_id desc
          limit $3",
    )
    .bind(merchant.uuid())
    .bind(before)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Revokes one key, and says so in the audit log; its row stays. Returns whether there was one to revoke.
pub async fn revoke(
    conn: &mut PgConnection,
    merchant: MerchantId,
    key: ApiKeyId,
    now: DateTime<Utc>,
    audit: &Audit,
) -> Result<bool, Error> {
    let revoked: i64 = sqlx::query_scalar(
        "-- store::api_keys::revoke
         with revoked as (
            update api_keys set revoked_at = $3
             where merchant_id = $1 and key_id = $2 and revoked_at is null
            returning merchant_id),
         audit as (
            insert into audit_log (entry_id, actor, action, subject, merchant_id, detail, created_at)
            select $4, $6, 'api_key.revoke', $5, merchant_id, '{}', $3 from revoked)
         select count(*) from revoked",
    )
    .bind(merchant.uuid())
    .bind(key.uuid())
    .bind(now)
    .bind(audit.entry_id)
    .bind(key.to_string())
    .bind(&audit.actor)
    .fetch_one(conn)
    .await?;
    Ok(revoked == 1)
}

/// Which live key of the merchant has this hash, if one does.
pub async fn find(conn: &mut PgConnection, merchant: MerchantId, hash: &[u8]) -> Result<Option<ApiKeyId>, Error> {
    let found: Option<Uuid> = sqlx::query_scalar(
        "-- store::api_keys::find
         select key_id from api_keys where merchant_id = $1 and hash = $2 and revoked_at is null",
    )
    .bind(merchant.uuid())
    .bind(hash)
    .fetch_optional(conn)
    .await?;
    Ok(found.map(ApiKeyId::from_uuid))
}
