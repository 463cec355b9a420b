//! Events of gateways that could not be applied: kept for operators, and put back by them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Error, audit_log::Audit, inbox::Lease};
use crate::domain::id::QuarantineId;

/// An event in quarantine, as an operator sees it.
#[derive(Clone, FromRow)]
pub struct Quarantined {
    pub quarantine_id: Uuid,
    pub merchant_id: Uuid,
    pub gateway_account_id: Uuid,
    pub gateway_event_id: String,
    /// Why it could not be applied.
    pub reason: String,
    pub tries: i32,
    pub verified: bool,
    pub event: Value,
    /// Of what the gateway sent, at most as much as was asked for.
    pub body: Vec<u8>,
    /// Bytes of all of it.
    pub body_bytes: i32,
    pub received_at: DateTime<Utc>,
    pub quarantined_at: DateTime<Utc>,
}

/// Puts an event in quarantine, where it blocks nothing. Returns false where the lease was lost, and nothing changed.
pub async fn put(
    conn: &mut PgConnection,
    lease: &Lease,
    quarantine_id: Uuid,
    why: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::quarantine::put
         update webhook_work
            set owner = null, due_at = 'infinity', quarantined = $6, quarantined_at = $7,
                quarantine_id = coalesce(quarantine_id, $5)
          where merchant_id = $1 and gateway_account_id = $2 and gateway_event_id = $3 and fence = $4",
    )
    .bind(lease.merchant_id)
    .bind(lease.gateway_account_id)
    .bind(&lease.gateway_event_id)
    .bind(lease.fence)
    .bind(quarantine_id)
    .bind(why)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Up to `limit` events in quarantine, newest first, named before `before`, with the first `body_max_bytes` of what the
/// gateway sent.
pub async fn list(
    conn: &mut PgConnection,
    body_max_bytes: i32,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Quarantined>, Error> {
    let rows = sqlx::query_as(
        "-- store::quarantine::list
         select w.quarantine_id, w.merchant_id, w.gateway_account_id, w.gateway_event_id, w.quarantined as reason,
                w.tries, i.verified, i.event, substring(d.body from 1 for $1) as body, length(d.body) as body_bytes,
                i.received_at, w.quarantined_at
           from webhook_work as w
           join webhook_inbox as i using (merchant_id, gateway_account_id, gateway_event_id)
           join webhook_deliveries as d on d.merchant_id = i.merchant_id and d.delivery_id = i.delivery_id
          where w.quarantined is not null and w.quarantine_id is not null
            and ($2::uuid is null or w.quarantine_id < $2)
          order by w.quarantine_id desc
          limit $3",
    )
    .bind(body_max_bytes)
    .bind(before)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Whether an event that was put in quarantine is still to be applied.
pub async fn is_known(conn: &mut PgConnection, quarantine: QuarantineId) -> Result<bool, Error> {
    let known = sqlx::query_scalar(
        "-- store::quarantine::is_known
         select exists (select 1 from webhook_work where quarantine_id = $1)",
    )
    .bind(quarantine.uuid())
    .fetch_one(conn)
    .await?;
    Ok(known)
}

/// Puts an event back among those that are due, with what the audit log says of it. Returns false where it is not in
/// quarantine, and nothing changed.
pub async fn release(
    conn: &mut PgConnection,
    quarantine: QuarantineId,
    audit: &Audit,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::quarantine::release
         with held as (
            select merchant_id, gateway_account_id, gateway_event_id, quarantined from webhook_work
             where quarantine_id = $1 and quarantined is not null
               for update),
         released as (
            update webhook_work as w
               set quarantined = null, quarantined_at = null, due_at = clock_timestamp(), tries = 0, owner = null,
                   fence = w.fence + 1
              from held
             where w.merchant_id = held.merchant_id and w.gateway_account_id = held.gateway_account_id
               and w.gateway_event_id = held.gateway_event_id
            returning w.merchant_id, w.gateway_event_id, held.quarantined as reason)
         insert into audit_log (entry_id, actor, action, subject, merchant_id, detail, created_at)
         select $2, $5, 'quarantine.replay', $3, merchant_id,
                jsonb_build_object('gateway_event_id', gateway_event_id, 'reason', reason), $4
           from released",
    )
    .bind(quarantine.uuid())
    .bind(audit.entry_id)
    .bind(quarantine.to_string())
    .bind(now)
    .bind(&audit.actor)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
