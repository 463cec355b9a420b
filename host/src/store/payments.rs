//! Payments as rows, and how they are read. They are written by [`super::begin`] and [`super::finish`] alone.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{Error, enum_column};
use crate::domain::{
    id::{MerchantId, OrderId, PaymentId},
    payment::{CaptureMethod, State},
};

/// A row of `payments`. What its columns mean is said in the schema.
#[derive(Clone, Debug)]
pub struct Payment {
    pub merchant_id: Uuid,
    pub payment_id: Uuid,
    pub order_id: Option<Uuid>,
    pub status: State,
    pub amount: i64,
    pub currency: String,
    pub capture_method: CaptureMethod,
    pub amount_authorized: i64,
    pub amount_capturing: i64,
    pub amount_captured: i64,
    pub amount_refunding: i64,
    pub amount_refunded: i64,
    pub amount_surplus: i64,
    pub open_attempt: Option<i32>,
    pub won_attempt: Option<i32>,
    pub open_operation: Option<Uuid>,
    pub amount_reserved: i64,
    pub attempt_count: i32,
    pub version: i32,
    pub audit_sequence: i32,
    pub event_sequence: i32,
    pub gateway_account_id: Option<Uuid>,
    pub token_id: Option<Uuid>,
    pub gateway_reference: Option<String>,
    pub payment_method: Option<Value>,
    /// What the customer is to do; kept while a complete is under way, and shown in `requires_action` alone.
    pub next_action: Option<Value>,
    pub last_error: Option<Value>,
    pub description: Option<String>,
    pub return_url: Option<String>,
    pub metadata: Value,
    pub customer: Value,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Payment {
    /// Its public id.
    #[must_use]
    pub fn id(&self) -> PaymentId {
        PaymentId::from_uuid(self.payment_id)
    }

    /// Whose it is.
    #[must_use]
    pub fn merchant(&self) -> MerchantId {
        MerchantId::from_uuid(self.merchant_id)
    }
}

impl FromRow<'_, PgRow> for Payment {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            merchant_id: row.try_get("merchant_id")?,
            payment_id: row.try_get("payment_id")?,
            order_id: row.try_get("order_id")?,
            status: enum_column(row, "status")?,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            capture_method: enum_column(row, "capture_method")?,
            amount_authorized: row.try_get("amount_authorized")?,
            amount_capturing: row.try_get("amount_capturing")?,
            amount_captured: row.try_get("amount_captured")?,
            amount_refunding: row.try_get("amount_refunding")?,
            amount_refunded: row.try_get("amount_refunded")?,
            amount_surplus: row.try_get("amount_surplus")?,
            open_attempt: row.try_get("open_attempt")?,
            won_attempt: row.try_get("won_attempt")?,
            open_operation: row.try_get("open_operation")?,
            amount_reserved: row.try_get("amount_reserved")?,
            attempt_count: row.try_get("attempt_count")?,
            version: row.try_get("version")?,
            audit_sequence: row.try_get("audit_sequence")?,
            event_sequence: row.try_get("event_sequence")?,
            gateway_account_id: row.try_get("gateway_account_id")?,
            token_id: row.try_get("token_id")?,
            gateway_reference: row.try_get("gateway_reference")?,
            payment_method: row.try_get("payment_method")?,
            next_action: row.try_get("next_action")?,
            last_error: row.try_get("last_error")?,
            description: row.try_get("description")?,
            return_url: row.try_get("return_url")?,
            metadata: row.try_get("metadata")?,
            customer: row.try_get("customer")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

/// The columns of a [`Payment`]. Not `*`: a prepared statement fails once a migration adds a column to that.
macro_rules! columns {
    () => {
        "merchant_id, payment_id, order_id, status, amount, currency, capture_method, amount_authorized,
                amount_capturing, amount_captured, amount_refunding, amount_refunded, amount_surplus, open_attempt,
                won_attempt, open_operation, amount_reserved, attempt_count, version, audit_sequence, event_sequence, gateway_account_id, token_id,
                gateway_reference, payment_method, next_action, last_error, description, return_url, metadata, customer,
                created_at, updated_at"
    };
}

/// The payment, if the merchant has it.
pub async fn get(conn: &mut PgConnection, merchant: MerchantId, payment: PaymentId) -> Result<Option<Payment>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::payments::get
         select ",
        columns!(),
        "
           from payments
          where merchant_id = $1 and payment_id = $2",
    ))
    .bind(merchant.uuid())
    .bind(payment.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Which payments a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<State>,
    pub order: Option<OrderId>,
    pub created_after: Option<DateTime<Utc>>,
    /// Only payments made before this one: the cursor.
    pub before: Option<Uuid>,
    /// Rows at most.
    pub limit: i64,
}

/// How far a payment's id may say an earlier time than its `created_at`: the two are read one after the other, and the
/// clock may be set in between.
const ID_BEFORE_CREATED_MAX: TimeDelta = TimeDelta::minutes(1);

/// No `UUIDv7` of `time` or later is smaller: its first 48 bits are Unix milliseconds (RFC 9562, 5.7).
fn first_id_of(time: DateTime<Utc>) -> Uuid {
    const MILLISECONDS_MAX: u64 = (1 << 48) - 1;
    // What is before 1970 has no id at all.
    let milliseconds = u64::try_from(time.timestamp_millis()).unwrap_or(0).min(MILLISECONDS_MAX);
    Uuid::from_u128(u128::from(milliseconds) << 80)
}

macro_rules! list {
    ($of_order:literal) => {
        concat!(
            "-- store::payments::list
         select ",
            columns!(),
            "
           from payments
          where merchant_id = $1
            and ($2::text is null or status = $2)
            and ",
            $of_order,
            "
            and ($4::timestamptz is null or created_at > $4)
            and payment_id < coalesce($5, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
            and payment_id >= coalesce($7, '00000000-0000-0000-0000-000000000000'::uuid)
          order by payment_id desc
          limit $6"
        )
    };
}

const LIST: &str = list!("$3::uuid is null");
const LIST_OF_ORDER: &str = list!("order_id = $3");

/// The merchant's payments, newest first. It walks the primary key between cursor and `created_after` (ids are ordered by
/// time); `status` is in no index, so a rare status is found by reading past the others. The bounds are never null: under
/// a generic plan `$5 is null or payment_id < $5` would be a filter, and every page would read all pages before it.
pub async fn list(conn: &mut PgConnection, merchant: MerchantId, filter: &Filter) -> Result<Vec<Payment>, Error> {
    let oldest = filter.created_after.and_then(|time| time.checked_sub_signed(ID_BEFORE_CREATED_MAX)).map(first_id_of);
    // Two statements, so that the payments of an order are found by their own index: under a generic plan a condition that
    // may be absent is a filter.
    let statement = if filter.order.is_some() { LIST_OF_ORDER } else { LIST };
    let rows = sqlx::query_as(statement)
        .bind(merchant.uuid())
        .bind(filter.status.map(<&str>::from))
        .bind(filter.order.map(OrderId::uuid))
        .bind(filter.created_after)
        .bind(filter.before)
        .bind(filter.limit)
        .bind(oldest)
        .fetch_all(conn)
        .await?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound takes in every id of its millisecond and none of the one before.
    #[test]
    fn a_time_is_a_bound_of_ids() {
        let time = DateTime::from_timestamp_millis(1_750_000_000_123).unwrap();
        let id = |milliseconds, rest| uuid::Builder::from_unix_timestamp_millis(milliseconds, &[rest; 10]).into_uuid();
        assert!(id(1_750_000_000_123, 0) >= first_id_of(time));
        assert!(id(1_750_000_000_122, u8::MAX) < first_id_of(time));
        assert_eq!(first_id_of(DateTime::UNIX_EPOCH - TimeDelta::days(1)), Uuid::nil());
        assert!(first_id_of(DateTime::<Utc>::MAX_UTC) < Uuid::max());
    }
}
