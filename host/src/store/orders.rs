//! Orders as rows. Payments reserve their share of one in [`super::begin`] and settle it in [`super::finish`]; what else
//! is written of orders is written here.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{Error, enum_column};
use crate::domain::{
    id::{MerchantId, OrderId},
    order::{OrderStatus, Totals},
};

/// A row of `orders`. What its columns mean is said in the schema.
#[derive(Clone, Debug)]
pub struct Order {
    pub merchant_id: Uuid,
    pub order_id: Uuid,
    /// The merchant's own name for it, unique among its orders.
    pub reference: String,
    pub status: OrderStatus,
    /// In minor units, as all amounts here.
    pub amount: i64,
    pub currency: String,
    pub amount_reserved: i64,
    pub amount_paid: i64,
    pub amount_refunded: i64,
    pub amount_surplus: i64,
    pub metadata: Value,
    pub version: i32,
    pub event_sequence: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Order {
    /// Its public id.
    #[must_use]
    pub fn id(&self) -> OrderId {
        OrderId::from_uuid(self.order_id)
    }

    /// Whose it is.
    #[must_use]
    pub fn merchant(&self) -> MerchantId {
        MerchantId::from_uuid(self.merchant_id)
    }

    /// Its sums, as the rules take them.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            amount: self.amount,
            reserved: self.amount_reserved,
            paid: self.amount_paid,
            refunded: self.amount_refunded,
            surplus: self.amount_surplus,
        }
    }
}

impl FromRow<'_, PgRow> for Order {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            merchant_id: row.try_get("merchant_id")?,
            order_id: row.try_get("order_id")?,
            reference: row.try_get("reference")?,
            status: enum_column(row, "status")?,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            amount_reserved: row.try_get("amount_reserved")?,
            amount_paid: row.try_get("amount_paid")?,
            amount_refunded: row.try_get("amount_refunded")?,
            amount_surplus: row.try_get("amount_surplus")?,
            metadata: row.try_get("metadata")?,
            version: row.try_get("version")?,
            event_sequence: row.try_get("event_sequence")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

/// The columns of an [`Order`]. Not `*`: a prepared statement fails once a migration adds a column to that.
macro_rules! columns {
    () => {
        "merchant_id, order_id, reference, status, amount, currency, amount_reserved, amount_paid, amount_refunded,
                amount_surplus, metadata, version, event_sequence, created_at, updated_at"
    };
}

/// The order, if the merchant has it.
pub async fn get(conn: &mut PgConnection, merchant: MerchantId, order: OrderId) -> Result<Option<Order>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::orders::get
         select ",
        columns!(),
        "
           from orders
          where merchant_id = $1 and order_id = $2",
    ))
    .bind(merchant.uuid())
    .bind(order.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// As [`get`], and nobody else changes it until the transaction ends: no payment reserves of it meanwhile.
pub async fn get_for_update(
    conn: &mut PgConnection,
    merchant: MerchantId,
    order: OrderId,
) -> Result<Option<Order>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::orders::get_for_update
         select ",
        columns!(),
        "
           from orders
          where merchant_id = $1 and order_id = $2 for update",
    ))
    .bind(merchant.uuid())
    .bind(order.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// The order that the merchant gave this reference.
pub async fn by_reference(
    conn: &mut PgConnection,
    merchant: MerchantId,
    reference: &str,
) -> Result<Option<Order>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::orders::by_reference
         select ",
        columns!(),
        "
           from orders
          where merchant_id = $1 and reference = $2",
    ))
    .bind(merchant.uuid())
    .bind(reference)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Which orders a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<OrderStatus>,
    /// Only orders made before this one: the cursor.
    pub before: Option<Uuid>,
    /// Rows at most.
    pub limit: i64,
}

/// The merchant's orders, newest first. It walks the primary key; `status` is in no index, so a rare status is found by
/// reading past the others. The bound is never null: see [`super::payments::list`].
pub async fn list(conn: &mut PgConnection, merchant: MerchantId, filter: &Filter) -> Result<Vec<Order>, Error> {
    let rows = sqlx::query_as(concat!(
        "-- store::orders::list
         select ",
        columns!(),
        "
           from orders
          where merchant_id = $1
            and ($2::text is null or status = $2)
            and order_id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          order by order_id desc
          limit $4",
    ))
    .bind(merchant.uuid())
    .bind(filter.status.map(<&str>::from))
    .bind(filter.before)
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Inserts one order of which nothing is reserved or paid yet, or none where the merchant has one with this reference:
/// returns whether it did. Waits for an insert of the same reference that is not committed yet.
pub async fn insert(conn: &mut PgConnection, order: &Order) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::orders::insert
         insert into orders (merchant_id, order_id, reference, status, amount, currency, metadata, version, event_sequence,
                             created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict (merchant_id, reference) do nothing",
    )
    .bind(order.merchant_id)
    .bind(order.order_id)
    .bind(&order.reference)
    .bind(<&str>::from(order.status))
    .bind(order.amount)
    .bind(&order.currency)
    .bind(&order.metadata)
    .bind(order.version)
    .bind(order.event_sequence)
    .bind(order.created_at)
    .bind(order.updated_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The event that goes with a change of an order.
pub struct OrderEvent {
    pub id: Uuid,
    /// `order.cancelled`, …
    pub kind: &'static str,
    pub payload: String,
}

/// Writes `order` as cancelled, together with its event, where nobody has written it since `expected_version` and nothing
/// of it is paid or reserved: returns whether it did. Both rows or none.
pub async fn cancel(
    conn: &mut PgConnection,
    order: &Order,
    expected_version: i32,
    event: &OrderEvent,
) -> Result<bool, Error> {
    let row = sqlx::query(
        "-- store::orders::cancel
         with cancelled as (
            update orders
               set status = 'cancelled', version = $4, event_sequence = $5, updated_at = $6
             where merchant_id = $1 and order_id = $2 and version = $3 and event_sequence = $5 - 1 and status = 'open'
               and amount_reserved = 0 and amount_paid = 0 and amount_surplus = 0
            returning 1),
         events as (
            insert into outbox (merchant_id, id, aggregatetype, aggregateid, type, sequence, payload, created_at)
            select $1, $7, 'order', $8, $9, $5, $10, $6 from cancelled
            returning 1)
         select (select count(*) from cancelled) as cancelled,
                1 / (case when (select count(*) from events) = (select count(*) from cancelled) then 1 else 0 end) as rows_as_expected",
    )
    .bind(order.merchant_id)
    .bind(order.order_id)
    .bind(expected_version)
    .bind(order.version)
    .bind(order.event_sequence)
    .bind(order.updated_at)
    .bind(event.id)
    .bind(order.id().to_string())
    .bind(event.kind)
    .bind(&event.payload)
    .fetch_one(conn)
    .await?;
    let cancelled: i64 = row.try_get("cancelled")?;
    Ok(cancelled == 1)
}
