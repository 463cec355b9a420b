//! Everything that is known of a payment's operations, for the person who decides: read within bounds, newest first
//! where a bound leaves something out.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// Operations that a story shows. A payment has 20 attempts at most; the rest are captures, refunds and questions.
pub const OPERATIONS_MAX: i64 = 60;
/// Replies that a story shows: an operation that was sent again has several for one exchange.
pub const REPLIES_MAX: i64 = 200;
/// Webhook events that a story shows.
pub const WEBHOOKS_MAX: i64 = 50;
/// Bytes of a body that are shown.
pub const BODY_MAX_BYTES: i32 = 8 * 1024;
/// A request, the headers of a reply or an event that has more characters as JSON is not shown, only how long it is.
pub const JSON_MAX_CHARACTERS: i32 = 16 * 1024;

/// An operation of the payment, with its row of `work` where it is unresolved.
#[derive(Clone, Debug, FromRow)]
pub struct Operation {
    pub operation_id: Uuid,
    pub attempt_number: i32,
    pub gateway_account_id: Uuid,
    pub kind: String,
    pub status: String,
    pub amount: i64,
    pub currency: String,
    pub connector: String,
    pub digest: Vec<u8>,
    pub outcome: Option<Value>,
    /// What the gateway proved after the outcome was written.
    pub correction: Option<Value>,
    /// Why the host began it by itself.
    pub purpose: Option<String>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub checks: Option<i16>,
    pub never_received: Option<i16>,
    pub unknown_since: Option<DateTime<Utc>>,
    pub due_at: Option<DateTime<Utc>>,
}

/// The payment's operations, oldest first: the newest `limit` of them.
pub async fn operations(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    payment_id: Uuid,
    limit: i64,
) -> Result<Vec<Operation>, Error> {
    let mut rows: Vec<Operation> = sqlx::query_as(
        "-- store::story::operations
         select o.operation_id, o.attempt_number, o.gateway_account_id, o.kind, o.status, o.amount, o.currency,
                o.connector, o.digest, o.outcome, o.correction, o.purpose, o.created_at, o.finished_at, w.checks, w.never_received,
                w.unknown_since, w.due_at
           from operations as o
           left join work as w on w.merchant_id = o.merchant_id and w.operation_id = o.operation_id
          where o.merchant_id = $1
            and o.operation_id in (
                select operation_id from operations
                 where merchant_id = $1 and payment_id = $2 and kind <> 'authorize'
                 union
                select operation_id from payment_events where merchant_id = $1 and payment_id = $2)
          order by o.operation_id desc
          limit $3",
    )
    .bind(merchant_id)
    .bind(payment_id)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.reverse();
    Ok(rows)
}

/// A request as it was written down before it was sent.
#[derive(Clone, Debug, FromRow)]
pub struct Exchange {
    pub operation_id: Uuid,
    pub position: i16,
    /// None where it is too long to be shown.
    pub request: Option<Value>,
    pub request_characters: i32,
    pub effect: String,
    pub resendable: bool,
    pub created_at: DateTime<Utc>,
}

/// The exchanges of these operations, in order; at most 8 of each.
pub async fn exchanges(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    operations: &[Uuid],
) -> Result<Vec<Exchange>, Error> {
    let rows = sqlx::query_as(
        "-- store::story::exchanges
         select operation_id, position, case when length(request::text) <= $3 then request end as request,
                length(request::text) as request_characters, effect, resendable, created_at
           from exchanges
          where merchant_id = $1 and operation_id = any ($2)
          order by operation_id, position",
    )
    .bind(merchant_id)
    .bind(operations)
    .bind(JSON_MAX_CHARACTERS)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// What came back, or what is known instead.
#[derive(Clone, Debug, FromRow)]
pub struct Reply {
    pub operation_id: Uuid,
    pub position: i16,
    pub fence: i32,
    pub kind: String,
    pub status: Option<i16>,
    /// None where there are none, or where they are too long to be shown.
    pub headers: Option<Value>,
    /// Its first [`BODY_MAX_BYTES`].
    pub body: Option<Vec<u8>>,
    pub body_bytes: Option<i32>,
    pub detail: Option<String>,
    pub late: bool,
    pub received_at: DateTime<Utc>,
}

/// The replies to these operations, oldest first: the newest [`REPLIES_MAX`] of them.
pub async fn replies(conn: &mut PgConnection, merchant_id: Uuid, operations: &[Uuid]) -> Result<Vec<Reply>, Error> {
    let mut rows: Vec<Reply> = sqlx::query_as(
        "-- store::story::replies
         select operation_id, position, fence, kind, status,
                case when length(headers::text) <= $3 then headers end as headers,
                substring(body from 1 for $4) as body, length(body) as body_bytes, detail, late, received_at
           from exchange_replies
          where merchant_id = $1 and operation_id = any ($2)
          order by received_at desc, operation_id desc, position desc, fence desc
          limit $5",
    )
    .bind(merchant_id)
    .bind(operations)
    .bind(JSON_MAX_CHARACTERS)
    .bind(BODY_MAX_BYTES)
    .bind(REPLIES_MAX)
    .fetch_all(conn)
    .await?;
    rows.reverse();
    Ok(rows)
}

/// An event that a gateway told by itself.
#[derive(Clone, Debug, FromRow)]
pub struct Webhook {
    pub gateway_account_id: Uuid,
    pub gateway_event_id: String,
    /// As the connector read it; none where it is too long to be shown.
    pub event: Option<Value>,
    pub verified: bool,
    /// Its work is not done: it waits, or it is in quarantine.
    pub waits: bool,
    pub quarantined: Option<String>,
    pub received_at: DateTime<Utc>,
}

/// Events that name one of these operations (as `op_…`), oldest first: the newest [`WEBHOOKS_MAX`] of them. One that
/// names the gateway's reference alone is not found by this.
pub async fn webhooks(
    conn: &mut PgConnection,
    merchant_id: Uuid,
    operations: &[String],
) -> Result<Vec<Webhook>, Error> {
    let mut rows: Vec<Webhook> = sqlx::query_as(
        "-- store::story::webhooks
         select i.gateway_account_id, i.gateway_event_id,
                case when length(i.event::text) <= $3 then i.event end as event, i.verified,
                w.merchant_id is not null as waits, w.quarantined, i.received_at
           from webhook_inbox as i
           left join webhook_work as w
             on w.merchant_id = i.merchant_id and w.gateway_account_id = i.gateway_account_id
            and w.gateway_event_id = i.gateway_event_id
          where i.merchant_id = $1 and i.event ->> 'operation_id' = any ($2)
            and i.event ->> 'operation_id' is not null
          order by i.received_at desc
          limit $4",
    )
    .bind(merchant_id)
    .bind(operations)
    .bind(JSON_MAX_CHARACTERS)
    .bind(WEBHOOKS_MAX)
    .fetch_all(conn)
    .await?;
    rows.reverse();
    Ok(rows)
}

/// Everything that [`crate::view::review`] shows of a payment.
pub struct Story {
    pub payment: super::payments::Payment,
    pub attempts: Vec<super::attempts::Attempt>,
    pub operations: Vec<Operation>,
    pub exchanges: Vec<Exchange>,
    pub replies: Vec<Reply>,
    pub events: Vec<super::payment_events::PaymentEvent>,
    pub webhooks: Vec<Webhook>,
    pub reviews: Vec<super::reviews::Review>,
}
