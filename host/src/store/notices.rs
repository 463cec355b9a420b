//! Notices: what operators should know and nobody must decide. Shown until somebody takes them away.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Error, audit_log::Audit};
use crate::domain::id::NoticeId;

/// A row of `notices` that nobody has dismissed.
#[derive(Clone, Debug, FromRow)]
pub struct Notice {
    /// Nil where it is about the whole installation.
    pub merchant_id: Uuid,
    pub notice_id: Uuid,
    /// `endpoint_disabled`, `canary_rolled_back`, `connector_quarantined`
    pub kind: String,
    /// The public id of what it is about.
    pub subject: String,
    pub detail: Value,
    pub created_at: DateTime<Utc>,
}

impl Notice {
    /// Its public id.
    #[must_use]
    pub fn id(&self) -> NoticeId {
        NoticeId::from_uuid(self.notice_id)
    }
}

/// Writes one notice. To be called in the transaction of what it tells of.
pub async fn write(conn: &mut PgConnection, notice: &Notice) -> Result<(), Error> {
    let done = sqlx::query(
        "-- store::notices::write
         insert into notices (merchant_id, notice_id, kind, subject, detail, created_at)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(notice.merchant_id)
    .bind(notice.notice_id)
    .bind(&notice.kind)
    .bind(&notice.subject)
    .bind(&notice.detail)
    .bind(notice.created_at)
    .execute(conn)
    .await?;
    debug_assert_eq!(done.rows_affected(), 1, "an insert of one row inserts it or fails");
    Ok(())
}

/// Up to `limit` notices that are open, newest first, made before `before`.
pub async fn list(conn: &mut PgConnection, before: Option<Uuid>, limit: i64) -> Result<Vec<Notice>, Error> {
    let rows = sqlx::query_as(
        "-- store::notices::list
         select merchant_id, notice_id, kind, subject, detail, created_at
           from notices
          where dismissed_at is null and notice_id < coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          order by notice_id desc
          limit $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// How many are open.
pub async fn count_open(conn: &mut PgConnection) -> Result<i64, Error> {
    let count = sqlx::query_scalar(
        "-- store::notices::count_open
         select count(*) from notices where dismissed_at is null",
    )
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// Takes a notice away, with what the audit log says of it. Returns false where none of this name is open, and nothing
/// changed.
pub async fn dismiss(
    conn: &mut PgConnection,
    notice: NoticeId,
    audit: &Audit,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::notices::dismiss
         with dismissed as (
            update notices set dismissed_at = $4
             where notice_id = $1 and dismissed_at is null
            returning merchant_id, kind, subject)
         insert into audit_log (entry_id, actor, action, subject, merchant_id, detail, created_at)
         select $2, $5, 'notice.dismiss', $3, nullif(merchant_id, '00000000-0000-0000-0000-000000000000'::uuid), jsonb_build_object('kind', kind, 'about', subject), $4
           from dismissed",
    )
    .bind(notice.uuid())
    .bind(audit.entry_id)
    .bind(notice.to_string())
    .bind(now)
    .bind(&audit.actor)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
