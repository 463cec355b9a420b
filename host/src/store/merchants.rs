//! Merchants: who is paid. Written by operators, each change together with its row in the audit log.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Error, audit_log::Audit};
use crate::domain::id::MerchantId;

/// A row of `merchants`.
#[derive(Clone, Debug, FromRow)]
pub struct Merchant {
    pub merchant_id: Uuid,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

/// Inserts one merchant, and what the audit log says of it.
pub async fn insert(conn: &mut PgConnection, merchant: &Merchant, audit: &Audit) -> Result<(), Error> {
    let done = sqlx::query(
        "-- store::merchants::insert
         with audit as (
            insert into audit_log (entry_id, actor, action, subject, merchant_id, detail, created_at)
            values ($4, $6, 'merchant.create', $5, $1, jsonb_build_object('name', $2::text), $3))
         insert into merchants (merchant_id, name, created_at) values ($1, $2, $3)",
    )
    .bind(merchant.merchant_id)
    .bind(&merchant.name)
    .bind(merchant.created_at)
    .bind(audit.entry_id)
    .bind(MerchantId::from_uuid(merchant.merchant_id).to_string())
    .bind(&audit.actor)
    .execute(conn)
    .await?;
    debug_assert_eq!(done.rows_affected(), 1, "an insert of one row inserts it or fails");
    Ok(())
}

/// Up to `limit` merchants, newest first, made before `before`.
pub async fn list(conn: &mut PgConnection, before: Option<Uuid>, limit: i64) -> Result<Vec<Merchant>, Error> {
    let rows = sqlx::query_as(
        "-- store::merchants::list
         select merchant_id, name, created_at
           from merchants
          where $1::uuid is null or merchant_id < $1
          order by merchant_id desc
          limit $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Whether there is such a merchant.
pub async fn exists(conn: &mut PgConnection, merchant: MerchantId) -> Result<bool, Error> {
    let found = sqlx::query_scalar(
        "-- store::merchants::exists
         select exists (select 1 from merchants where merchant_id = $1)",
    )
    .bind(merchant.uuid())
    .fetch_one(conn)
    .await?;
    Ok(found)
}
