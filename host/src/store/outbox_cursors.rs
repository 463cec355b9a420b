//! How far each reader of the outbox has read, and which host reads for it.
//!
//! The fan-out to merchants' endpoints moves its cursor in the transaction that queues what it read, by compare-and-set: of
//! two hosts that read the same, one queues it. A sink holds its by a lease: it waits for a broker in between, and no transaction may be open then.

use std::convert::Infallible;

use sqlx::{
    FromRow, PgConnection, Row,
    postgres::{PgListener, PgRow},
};
use uuid::Uuid;

use super::{Error, outbox::Cursor};

/// Where a reader that is new begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event that is kept.
    Beginning,
    /// With what is committed from now on. What was committed while an older transaction was still running comes too.
    Now,
}

/// A cursor that was claimed: until its lease ends, nobody else moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub cursor: Cursor,
    /// Every write under this lease carries it.
    pub fence: i32,
}

/// The last event that was read, in two columns.
fn cursor_of(row: &PgRow) -> Result<Cursor, sqlx::Error> {
    let xid: String = row.try_get("xid")?;
    let xid = xid.parse().map_err(|fault| sqlx::Error::Decode(Box::new(fault)))?;
    Ok(Cursor { xid, id: row.try_get("id")? })
}

impl FromRow<'_, PgRow> for Claimed {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self { cursor: cursor_of(row)?, fence: row.try_get("fence")? })
    }
}

/// Makes the cursor of `reader` where it has none. One that is there stays as it is, wherever it was to begin, and is not
/// waited for: a host that stands still while it moves the cursor must not keep others from starting.
pub async fn ensure_reader(conn: &mut PgConnection, reader: &str, from: Start) -> Result<(), Error> {
    // Everything that is older than the oldest transaction that runs is behind it; nothing that commits later can be.
    sqlx::query(
        "-- store::outbox_cursors::ensure_reader
        insert into outbox_cursors (reader, xid, id, due_at, updated_at)
        select $1, case when $2 then xid8 '0' else (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8 end,
               case when $2 then uuid '00000000-0000-0000-0000-000000000000'
                    else uuid 'ffffffff-ffff-ffff-ffff-ffffffffffff' end,
               clock_timestamp(), clock_timestamp()
         where not exists (select 1 from outbox_cursors where reader = $1)
            on conflict (reader) do nothing",
    )
    .bind(reader)
    .bind(from == Start::Beginning)
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves a cursor that nobody holds by a lease, from where it was read to where it is to stand when this transaction
/// commits. Says no where it is elsewhere by now, or another host's transaction is moving it: nobody waits here.
pub async fn move_cursor(conn: &mut PgConnection, reader: &str, from: Cursor, to: Cursor) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::outbox_cursors::move_cursor
        update outbox_cursors set xid = $2::text::xid8, id = $3, updated_at = clock_timestamp()
         where reader = (select reader from outbox_cursors
                          where reader = $1 and xid = $4::text::xid8 and id = $5 for update skip locked)",
    )
    .bind(reader)
    .bind(to.xid.to_string())
    .bind(to.id)
    .bind(from.xid.to_string())
    .bind(from.id)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the lease of a cursor that nobody holds, under a new fence. None where another host holds it.
pub async fn claim_cursor(
    conn: &mut PgConnection,
    reader: &str,
    owner: Uuid,
    lease_ms: i64,
) -> Result<Option<Claimed>, Error> {
    let row = sqlx::query_as(
        "-- store::outbox_cursors::claim_cursor
        update outbox_cursors
           set owner = $2, fence = fence + 1, due_at = clock_timestamp() + $3 * interval '1 millisecond',
               updated_at = clock_timestamp()
         where reader = $1 and (owner is null or due_at <= clock_timestamp())
        returning xid::text as xid, id, fence",
    )
    .bind(reader)
    .bind(owner)
    .bind(lease_ms)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Moves a leased cursor and makes its lease last from now; to where it stands already renews the lease alone. Says
/// whether the lease was still there: without it nothing is moved. A cursor never goes back.
pub async fn advance_cursor(
    conn: &mut PgConnection,
    reader: &str,
    fence: i32,
    to: Cursor,
    lease_ms: i64,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::outbox_cursors::advance_cursor
        update outbox_cursors
           set xid = $3::text::xid8, id = $4, due_at = clock_timestamp() + $5 * interval '1 millisecond',
               updated_at = clock_timestamp()
         where reader = $1 and fence = $2 and owner is not null and (xid, id) <= ($3::text::xid8, $4)",
    )
    .bind(reader)
    .bind(fence)
    .bind(to.xid.to_string())
    .bind(to.id)
    .bind(lease_ms)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets go of a lease, so that another host need not wait for its end. For `wanted_ms` more the cursor still counts as in
/// use: its host is to come back, and nobody forgets it ([`super::sinks::forget`]). Says whether the lease was still there.
pub async fn release_cursor(conn: &mut PgConnection, reader: &str, fence: i32, wanted_ms: i64) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::outbox_cursors::release_cursor
         update outbox_cursors
            set owner = null, due_at = clock_timestamp() + $3 * interval '1 millisecond', updated_at = clock_timestamp()
          where reader = $1 and fence = $2",
    )
    .bind(reader)
    .bind(fence)
    .bind(wanted_ms)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What hosts tell each other on: that something was committed to the log. The note is the host's id.
const CHANNEL: &str = "interlock_outbox";

/// Tells the hosts that read for a stream that something was committed to the log; nobody, where this host reads for all
/// of them. Says whether anybody was told. A transaction of its own that writes nothing: a NOTIFY within the payment's
/// would make all commits queue behind one lock, through the flush to disk.
pub async fn tell_others(conn: &mut PgConnection, host: Uuid) -> Result<bool, Error> {
    let told: Option<bool> = sqlx::query_scalar(
        "-- store::outbox_cursors::tell_others
        select pg_notify($2, $1::uuid::text) is not null
          from outbox_cursors where owner is not null and owner <> $1 and due_at > clock_timestamp() limit 1",
    )
    .bind(host)
    .bind(CHANNEL)
    .fetch_optional(conn)
    .await?;
    Ok(told.is_some())
}

/// Listens to what other hosts tell, on a connection of its own, and calls `heard` for it; also once at the beginning and
/// whenever the connection was broken in between, because what was told then is lost. Ends only with an error.
pub async fn listen(database_url: &str, host: Uuid, heard: impl Fn()) -> Result<Infallible, Error> {
    let mut listener = PgListener::connect(database_url).await?;
    listener.listen(CHANNEL).await?;
    let own = host.to_string();
    heard();
    loop {
        // None: the connection was lost, and is there again.
        match listener.try_recv().await? {
            Some(note) if note.payload() == own => {}
            Some(_) | None => heard(),
        }
    }
}

/// How far each reader is behind.
#[derive(FromRow)]
pub struct Lag {
    pub reader: String,
    /// Seconds since its oldest unread event was written; none where it has read everything.
    pub unread_s: Option<f64>,
    /// It stands beyond what the database has ever written: see [`super::outbox::read`].
    pub is_ahead: bool,
}

/// How far every reader is behind; for metrics.
pub async fn lags(conn: &mut PgConnection) -> Result<Vec<Lag>, Error> {
    let rows = sqlx::query_as(
        "-- store::outbox_cursors::lags
        select reader, at.xid >= pg_snapshot_xmax(pg_current_snapshot()) as is_ahead,
               (select extract(epoch from clock_timestamp() - created_at)::float8 from outbox
                 where (outbox.xid, outbox.id) > (at.xid, at.id) order by outbox.xid, outbox.id limit 1) as unread_s
          from outbox_cursors as at",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Seconds for which the oldest transaction that may still write has run, prepared ones included: it holds back every
/// event that was written since. None where there is none. For metrics.
pub async fn oldest_transaction_s(conn: &mut PgConnection) -> Result<Option<f64>, Error> {
    let oldest = sqlx::query_scalar(
        "-- store::outbox_cursors::oldest_transaction_s
        select extract(epoch from clock_timestamp() - least(
                   (select min(xact_start) from pg_stat_activity where backend_xid is not null),
                   (select min(prepared) from pg_prepared_xacts where database = current_database())))::float8",
    )
    .fetch_one(conn)
    .await?;
    Ok(oldest)
}
