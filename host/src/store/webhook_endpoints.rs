//! Merchants' webhook endpoints. Secrets in these rows are sealed.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow, types::Json};
use strum::{EnumString, IntoStaticStr};
use uuid::Uuid;

use super::{Error, enum_column, gateway_accounts::SealedSecret};
use crate::domain::id::{MerchantId, WebhookEndpointId};

/// The merchant's endpoints at most, deleted ones aside: each event is matched with all of them.
pub const ENDPOINTS_MAX: i64 = 50;
/// Rows of the queue that are taken off in the transaction that switches an endpoint off.
const STOP_ROWS_MAX: i64 = 5_000;

/// How many deliveries of one object may be under way to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Mode {
    /// As many as there are.
    Parallel,
    /// One, and the next only when it is delivered or given up.
    Ordered,
}

/// Why an endpoint gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DisabledReason {
    /// The merchant said so.
    Merchant,
    /// It answered 410 Gone.
    Gone,
    /// Nothing was delivered to it for too long.
    Failing,
}

/// A row of `webhook_endpoints`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookEndpoint {
    pub merchant_id: Uuid,
    pub endpoint_id: Uuid,
    pub url: String,
    /// Patterns of the events it wants; none: every event.
    pub event_types: Option<Vec<String>>,
    pub mode: Mode,
    pub description: Option<String>,
    /// What its deliveries are signed with, newest first.
    pub secrets: Vec<SealedSecret>,
    pub enabled: bool,
    pub disabled_reason: Option<DisabledReason>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since about when it misses something, because it was disabled: a minute before the first such event at the latest.
    /// It stays when the endpoint is enabled again, until a redelivery from then up to the newest event has queued it all.
    pub resume_from: Option<DateTime<Utc>>,
    /// With it: what was written by this transaction or later ones it has not got either, whatever a host's clock said then.
    pub resume_xid: Option<u64>,
    /// The first failed try since the last success.
    pub failing_since: Option<DateTime<Utc>>,
    /// Last sequence of this endpoint's own events.
    pub event_sequence: i32,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

impl WebhookEndpoint {
    /// Its public id.
    #[must_use]
    pub fn id(&self) -> WebhookEndpointId {
        WebhookEndpointId::from_uuid(self.endpoint_id)
    }

    /// Whose it is.
    #[must_use]
    pub fn merchant(&self) -> MerchantId {
        MerchantId::from_uuid(self.merchant_id)
    }
}

impl FromRow<'_, PgRow> for WebhookEndpoint {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(secrets) = row.try_get("secrets")?;
        let reason: Option<&str> = row.try_get("disabled_reason")?;
        // As text: sqlx does not know the type.
        let xid: Option<&str> = row.try_get("resume_xid")?;
        let xid = xid.map(str::parse).transpose().map_err(|fault| sqlx::Error::Decode(Box::new(fault)))?;
        Ok(Self {
            merchant_id: row.try_get("merchant_id")?,
            endpoint_id: row.try_get("endpoint_id")?,
            url: row.try_get("url")?,
            event_types: row.try_get("event_types")?,
            mode: enum_column(row, "mode")?,
            description: row.try_get("description")?,
            secrets,
            enabled: row.try_get("enabled")?,
            disabled_reason: reason.map(|_| enum_column(row, "disabled_reason")).transpose()?,
            disabled_at: row.try_get("disabled_at")?,
            resume_from: row.try_get("resume_from")?,
            resume_xid: xid,
            failing_since: row.try_get("failing_since")?,
            event_sequence: row.try_get("event_sequence")?,
            version: row.try_get("version")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            deleted_at: row.try_get("deleted_at")?,
        })
    }
}

/// The columns of a [`WebhookEndpoint`]. Not `*`: a prepared statement fails once a migration adds a column to that.
macro_rules! columns {
    () => {
        "merchant_id, endpoint_id, url, event_types, mode, description, secrets, enabled, disabled_reason, disabled_at,
                resume_from, resume_xid::text as resume_xid, failing_since, event_sequence, version, created_at, updated_at, deleted_at"
    };
}

/// Every endpoint of `merchants` that is enabled, held as it is until the transaction ends: who changes one of them
/// takes [`get_for_update`], which waits, and then sees what was queued for it. A mere `for share` would also hold up those
/// who only write down how deliveries went (`failing_since`).
pub async fn enabled_of(conn: &mut PgConnection, merchants: &[Uuid]) -> Result<Vec<WebhookEndpoint>, Error> {
    let rows = sqlx::query_as(concat!(
        "-- store::webhook_endpoints::enabled_of
        select ",
        columns!(),
        " from webhook_endpoints where merchant_id = any ($1) and enabled and deleted_at is null for key share"
    ))
    .bind(merchants)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Inserts one endpoint, unless the merchant has [`ENDPOINTS_MAX`] of them: returns whether it did. Two that are made at
/// once may both pass at the limit, which is a bound and not a promise.
pub async fn insert(conn: &mut PgConnection, endpoint: &WebhookEndpoint) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::webhook_endpoints::insert
         insert into webhook_endpoints (merchant_id, endpoint_id, url, event_types, mode, description, secrets, enabled,
                                        disabled_reason, disabled_at, resume_from, resume_xid, version, created_at,
                                        updated_at)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                case when not $8 then (select xid from outbox_cursors where reader = 'endpoints') end, $12, $13, $14
          where (select count(*) from webhook_endpoints where merchant_id = $1 and deleted_at is null) < $15",
    )
    .bind(endpoint.merchant_id)
    .bind(endpoint.endpoint_id)
    .bind(&endpoint.url)
    .bind(&endpoint.event_types)
    .bind(<&str>::from(endpoint.mode))
    .bind(&endpoint.description)
    .bind(Json(&endpoint.secrets))
    .bind(endpoint.enabled)
    .bind(endpoint.disabled_reason.map(<&str>::from))
    .bind(endpoint.disabled_at)
    .bind(endpoint.resume_from)
    .bind(endpoint.version)
    .bind(endpoint.created_at)
    .bind(endpoint.updated_at)
    .bind(ENDPOINTS_MAX)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes an endpoint as it now is, where nobody has written it since `expected_version`: returns whether it did. Identity
/// and time of creation never change; what it has to resume from is written by [`stop`] and [`resume_at`].
pub async fn update(conn: &mut PgConnection, endpoint: &WebhookEndpoint, expected_version: i32) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::webhook_endpoints::update
         update webhook_endpoints
            set url = $4, event_types = $5, mode = $6, description = $7, secrets = $8, enabled = $9, disabled_reason = $10,
                disabled_at = $11, failing_since = $12, event_sequence = $13, version = $14, updated_at = $15,
                deleted_at = $16
          where merchant_id = $1 and endpoint_id = $2 and version = $3 and deleted_at is null",
    )
    .bind(endpoint.merchant_id)
    .bind(endpoint.endpoint_id)
    .bind(expected_version)
    .bind(&endpoint.url)
    .bind(&endpoint.event_types)
    .bind(<&str>::from(endpoint.mode))
    .bind(&endpoint.description)
    .bind(Json(&endpoint.secrets))
    .bind(endpoint.enabled)
    .bind(endpoint.disabled_reason.map(<&str>::from))
    .bind(endpoint.disabled_at)
    .bind(endpoint.failing_since)
    .bind(endpoint.event_sequence)
    .bind(endpoint.version)
    .bind(endpoint.updated_at)
    .bind(endpoint.deleted_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The endpoint, if the merchant has it; deleted ones too.
pub async fn get(
    conn: &mut PgConnection,
    merchant: MerchantId,
    endpoint: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::webhook_endpoints::get
         select ",
        columns!(),
        " from webhook_endpoints where merchant_id = $1 and endpoint_id = $2",
    ))
    .bind(merchant.uuid())
    .bind(endpoint.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// As [`get`], and nobody else changes it or queues anything for it until the transaction ends.
pub async fn get_for_update(
    conn: &mut PgConnection,
    merchant: MerchantId,
    endpoint: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::webhook_endpoints::get_for_update
         select ",
        columns!(),
        " from webhook_endpoints where merchant_id = $1 and endpoint_id = $2 for update",
    ))
    .bind(merchant.uuid())
    .bind(endpoint.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// As [`get`], and it stays enabled or disabled as it is until the transaction ends: for who queues something for it.
pub async fn get_held(
    conn: &mut PgConnection,
    merchant: MerchantId,
    endpoint: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::webhook_endpoints::get_held
         select ",
        columns!(),
        " from webhook_endpoints where merchant_id = $1 and endpoint_id = $2 for key share",
    ))
    .bind(merchant.uuid())
    .bind(endpoint.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// The merchant's endpoints, newest first, made before `before`; without deleted ones.
pub async fn list(
    conn: &mut PgConnection,
    merchant: MerchantId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<WebhookEndpoint>, Error> {
    let rows = sqlx::query_as(concat!(
        "-- store::webhook_endpoints::list
         select ",
        columns!(),
        " from webhook_endpoints
          where merchant_id = $1 and deleted_at is null
            and endpoint_id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          order by endpoint_id desc
          limit $3",
    ))
    .bind(merchant.uuid())
    .bind(before)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Takes what is queued for an endpoint off the queue, and remembers since when it misses something. To be called in the
/// transaction that has written it as disabled or deleted, after that: what the fan-out queued until then is seen.
///
/// What it misses begins with the oldest event that is queued, or was tried and failed, or that the fan-out has not read
/// yet, or is just being written: a minute early, because all of that goes by several clocks. And with where the fan-out
/// stands, because clocks step: what is written from now on is missed also where its time is long past.
///
/// At most [`STOP_ROWS_MAX`] rows are taken off, for a queue may be long, and everybody's events wait for a transaction
/// that writes. The rest nobody claims any more: [`super::deliveries::delete_orphans`] takes it off piece by piece, as it
/// does with rows whose tries are just being written down; and [`clear`], before the endpoint is enabled again. Touches one endpoint, or fails.
pub async fn stop(conn: &mut PgConnection, merchant: MerchantId, endpoint: WebhookEndpointId) -> Result<(), Error> {
    sqlx::query(
        "-- store::webhook_endpoints::stop
         with queued as (
            -- Ids are in the order of time: one look into the primary key, however long the queue is.
            select event_created_at as since from delivery_queue
             where merchant_id = $1 and endpoint_id = $2 order by event_id limit 1),
         unread as (
            select o.created_at as since
              from outbox_cursors as c
              cross join lateral (
                   select created_at from outbox where (outbox.xid, outbox.id) > (c.xid, c.id)
                    order by outbox.xid, outbox.id limit 1) as o
             where c.reader = 'endpoints'),
         gone as ( -- by where they lie: joined by their keys, each could be looked for among all of them
            delete from delivery_queue
             where ctid = any (array(
                   select ctid from delivery_queue where merchant_id = $1 and endpoint_id = $2
                     limit $3 for update skip locked))),
         stopped as (
            update webhook_endpoints as e
               set resume_from = least(e.resume_from, least(e.disabled_at, e.failing_since, (select since from queued),
                                                            (select since from unread)) - interval '1 minute'),
                   resume_xid = least(e.resume_xid, (select xid from outbox_cursors where reader = 'endpoints'))
             where e.merchant_id = $1 and e.endpoint_id = $2 and not e.enabled
            returning 1)
         select 1 / (select count(*) from stopped) as rows_as_expected",
    )
    // Planned for the queue as it is now: what was planned for a short one walks through a long one for each row.
    .persistent(false)
    .bind(merchant.uuid())
    .bind(endpoint.uuid())
    .bind(STOP_ROWS_MAX)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a piece of what is left in the queue of an endpoint that is off. Says whether there was any: what somebody was just
/// writing is waited for, and taken by the next call. To be called until there is none, at last in the transaction that
/// enables the endpoint: then nothing of what was queued before it was disabled is sent after it.
pub async fn clear(conn: &mut PgConnection, merchant: MerchantId, endpoint: WebhookEndpointId) -> Result<bool, Error> {
    let found = sqlx::query_scalar(
        "-- store::webhook_endpoints::clear
         with off as (
            select merchant_id, endpoint_id from webhook_endpoints
             where merchant_id = $1 and endpoint_id = $2 and not enabled
               for key share),
         remains as ( -- in the order in which results are written down, so that nobody waits for each other
            select q.ctid as place
              from off join delivery_queue as q using (merchant_id, endpoint_id)
             order by q.event_id
             limit $3
               for update of q),
         gone as (
            delete from delivery_queue where ctid = any (array(select place from remains)))
         select exists (select from remains)",
    )
    // Planned for the queue as it is now: what was planned for a short one walks through a long one for each row.
    .persistent(false)
    .bind(merchant.uuid())
    .bind(endpoint.uuid())
    .bind(STOP_ROWS_MAX)
    .fetch_one(conn)
    .await?;
    Ok(found)
}

/// Remembers since when the endpoint misses something, by the ids of events alone, or that it misses nothing any more. Touches one row, or none where
/// that has changed since it was read.
pub async fn resume_at(
    conn: &mut PgConnection,
    endpoint: &WebhookEndpoint,
    from: Option<DateTime<Utc>>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::webhook_endpoints::resume_at
         update webhook_endpoints
            set resume_from = $4, resume_xid = null
          where merchant_id = $1 and endpoint_id = $2 and resume_from is not distinct from $3",
    )
    .bind(endpoint.merchant_id)
    .bind(endpoint.endpoint_id)
    .bind(endpoint.resume_from)
    .bind(from)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// An event about an endpoint.
pub struct EndpointEvent<'a> {
    pub id: Uuid,
    /// `webhook_endpoint.disabled`, …
    pub kind: &'a str,
    pub payload: &'a str,
}

/// Writes an event about the endpoint into the outbox, as number `event_sequence`. To be called in the transaction that
/// counts it. Inserts one row, or fails.
pub async fn tell(
    conn: &mut PgConnection,
    endpoint: &WebhookEndpoint,
    event: &EndpointEvent<'_>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let done = sqlx::query(
        "-- store::webhook_endpoints::tell
         insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
         values ($1, $2, 'webhook_endpoint', $3, $4, $5, $6, $7)",
    )
    .bind(endpoint.merchant_id)
    .bind(event.id)
    .bind(endpoint.id().to_string())
    .bind(event.kind)
    .bind(endpoint.event_sequence)
    .bind(event.payload)
    .bind(now)
    .execute(conn)
    .await?;
    debug_assert_eq!(done.rows_affected(), 1, "an insert of one row inserts it or fails");
    Ok(())
}

/// Deletes up to `limit` endpoints that were deleted longer ago than `kept_s` seconds, when nothing is left of what was sent
/// there. Returns how many.
pub async fn delete_old(conn: &mut PgConnection, kept_s: i64, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::webhook_endpoints::delete_old
        with old as (
            select merchant_id, endpoint_id from webhook_endpoints
             where deleted_at < statement_timestamp() - $1 * interval '1 second'
             limit $2
               for update skip locked)
        delete from webhook_endpoints as e using old
         where e.merchant_id = old.merchant_id and e.endpoint_id = old.endpoint_id",
    )
    .bind(kept_s)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
