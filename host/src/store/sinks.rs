//! The cursors of sinks as operators see them, and the end of one. Feeding a sink is [`super::outbox_cursors`].

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::{Error, audit_log::Audit};

/// A sink's cursor as operators see it.
#[derive(Clone, Debug, FromRow)]
pub struct Sink {
    pub name: String,
    /// A host holds its lease.
    pub is_fed: bool,
    /// The time of the first event behind the cursor.
    pub unread_since: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

/// The cursors of all sinks, by name.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Sink>, Error> {
    let rows = sqlx::query_as(
        "-- store::sinks::list
        select substr(reader, 6) as name, owner is not null and due_at > clock_timestamp() as is_fed, updated_at,
               (select created_at from outbox
                 where (outbox.xid, outbox.id) > (outbox_cursors.xid, outbox_cursors.id)
                 order by outbox.xid, outbox.id
                 limit 1) as unread_since
          from outbox_cursors
         where reader like 'sink:%'
         order by reader",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Deletes the cursor of a sink that nobody feeds, nor has let go of only because its broker is away, and says in the audit log who did it. Says whether there was one.
pub async fn forget(conn: &mut PgConnection, name: &str, audit: &Audit, now: DateTime<Utc>) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::sinks::forget
         with gone as (
            delete from outbox_cursors
             where reader = 'sink:' || $1 and due_at <= clock_timestamp()
            returning xid)
         insert into audit_log (entry_id, actor, action, subject, merchant_id, detail, created_at)
         select $2, $3, 'sink.forget', $1, null, jsonb_build_object('xid', xid::text), $4 from gone",
    )
    .bind(name)
    .bind(audit.entry_id)
    .bind(&audit.actor)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether there is a cursor of this sink.
pub async fn is_known(conn: &mut PgConnection, name: &str) -> Result<bool, Error> {
    let known = sqlx::query_scalar(
        "-- store::sinks::is_known
         select exists (select from outbox_cursors where reader = 'sink:' || $1)",
    )
    .bind(name)
    .fetch_one(conn)
    .await?;
    Ok(known)
}
