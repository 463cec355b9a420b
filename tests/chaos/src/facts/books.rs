//! Our own side: the rows of the database, read at one moment, with ids as the API writes them.

use anyhow::Context as _;
use interlock::domain::id::{EventId, GatewayAccountId, OperationId, OrderId, PaymentId};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use crate::world::Database;

/// All rows that the checker looks at.
#[derive(Clone, Debug, Default)]
pub struct Books {
    pub payments: Vec<Payment>,
    pub attempts: Vec<Attempt>,
    pub operations: Vec<Operation>,
    pub exchanges: Vec<Exchange>,
    pub trail: Vec<Line>,
    pub told: Vec<Told>,
    pub keys: Vec<Key>,
    pub orders: Vec<Order>,
    pub work: Vec<Work>,
    /// Reviews that nobody has closed.
    pub reviews: Vec<Review>,
    /// The declared table of what may follow what.
    pub transitions: Vec<(String, String)>,
}

/// `payments`; amounts in minor units.
#[derive(Clone, Debug, Default)]
pub struct Payment {
    pub id: String,
    pub status: String,
    pub amount: i64,
    pub currency: String,
    pub captured: i64,
    pub refunded: i64,
    /// Asked for and not known.
    pub capturing: i64,
    pub refunding: i64,
    pub surplus: i64,
    pub order: Option<String>,
    pub open_attempt: Option<i32>,
    pub version: i64,
    pub event_sequence: i64,
}

/// `attempts`
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    pub payment: String,
    pub number: i32,
    pub status: String,
    pub account: String,
}

/// `operations`
#[derive(Clone, Debug, Default)]
pub struct Operation {
    pub id: String,
    pub payment: String,
    pub attempt: i32,
    pub kind: String,
    pub status: String,
    pub amount: i64,
    pub account: String,
    pub outcome: Value,
    /// What its gateway said of it after that.
    pub correction: Value,
    /// Unix time in milliseconds.
    pub created_ms: i64,
}

/// `exchanges`
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    pub operation: String,
    pub effect: String,
    pub resendable: bool,
}

/// `payment_events`: one line of the audit trail.
#[derive(Clone, Debug, Default)]
pub struct Line {
    pub payment: String,
    pub sequence: i64,
    pub from: Option<String>,
    pub to: String,
    pub event: String,
    /// Of which something was learned; none where the line is about the payment itself.
    pub operation: Option<String>,
}

/// `outbox`: one event for the merchant.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// `evt_…`
    pub id: String,
    /// `payment`, `refund` or `order`.
    pub about: String,
    pub object: String,
    pub kind: String,
    pub sequence: i64,
    /// The object's status as the event shows it.
    pub status: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub body: String,
}

/// `idempotency_keys`
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// Method and path.
    pub scope: String,
    pub text: String,
    pub payment: Option<String>,
    pub operation: Option<String>,
    pub status: Option<u16>,
    pub body: Option<Vec<u8>>,
}

/// `orders`
#[derive(Clone, Debug, Default)]
pub struct Order {
    pub id: String,
    pub status: String,
    pub amount: i64,
    pub reserved: i64,
    pub paid: i64,
    pub refunded: i64,
    /// What gateways proved beyond its amount.
    pub surplus: i64,
}

/// `work`
#[derive(Clone, Debug, Default)]
pub struct Work {
    pub operation: String,
    pub payment: String,
    pub task: String,
}

/// `reviews`
#[derive(Clone, Debug, Default)]
pub struct Review {
    pub payment: String,
    pub reason: String,
}

/// Reads all of it in one snapshot.
pub async fn read(database: &Database) -> anyhow::Result<Books> {
    let mut conn = PgConnection::connect(&database.url).await?;
    sqlx::raw_sql("begin isolation level repeatable read read only").execute(&mut conn).await?;
    let mut books = Books::default();
    let sql = "select payment_id, status, amount, currency, amount_captured, amount_refunded, amount_capturing,
                      amount_refunding, amount_surplus, order_id, open_attempt, version::bigint, event_sequence::bigint
                 from payments";
    books.payments = rows(&mut conn, sql, |row| {
        Ok(Payment {
            id: payment(row.try_get(0)?),
            status: row.try_get(1)?,
            amount: row.try_get(2)?,
            currency: row.try_get(3)?,
            captured: row.try_get(4)?,
            refunded: row.try_get(5)?,
            capturing: row.try_get(6)?,
            refunding: row.try_get(7)?,
            surplus: row.try_get(8)?,
            order: row.try_get::<Option<Uuid>, _>(9)?.map(|id| OrderId::from_uuid(id).to_string()),
            open_attempt: row.try_get(10)?,
            version: row.try_get(11)?,
            event_sequence: row.try_get(12)?,
        })
    })
    .await?;
    let sql = "select payment_id, number, status, gateway_account_id from attempts";
    books.attempts = rows(&mut conn, sql, |row| {
        let account = GatewayAccountId::from_uuid(row.try_get(3)?).to_string();
        Ok(Attempt { payment: payment(row.try_get(0)?), number: row.try_get(1)?, status: row.try_get(2)?, account })
    })
    .await?;
    let sql = "select operation_id, payment_id, attempt_number, kind, status, amount, gateway_account_id,
                      coalesce(outcome, 'null'), coalesce(correction, 'null'),
                      (extract(epoch from created_at) * 1000)::bigint
                 from operations";
    books.operations = rows(&mut conn, sql, |row| {
        Ok(Operation {
            id: operation(row.try_get(0)?),
            payment: payment(row.try_get(1)?),
            attempt: row.try_get(2)?,
            kind: row.try_get(3)?,
            status: row.try_get(4)?,
            amount: row.try_get(5)?,
            account: GatewayAccountId::from_uuid(row.try_get(6)?).to_string(),
            outcome: row.try_get(7)?,
            correction: row.try_get(8)?,
            created_ms: row.try_get(9)?,
        })
    })
    .await?;
    let sql = "select operation_id, effect, resendable from exchanges";
    books.exchanges = rows(&mut conn, sql, |row| {
        Ok(Exchange { operation: operation(row.try_get(0)?), effect: row.try_get(1)?, resendable: row.try_get(2)? })
    })
    .await?;
    journals(&mut conn, &mut books).await?;
    conn.close().await?;
    Ok(books)
}

/// What is only ever added to, and what hangs on it.
async fn journals(conn: &mut PgConnection, books: &mut Books) -> anyhow::Result<()> {
    let sql = "select payment_id, sequence::bigint, from_state, to_state, event, operation_id from payment_events
                order by payment_id, sequence";
    books.trail = rows(conn, sql, |row| {
        Ok(Line {
            payment: payment(row.try_get(0)?),
            sequence: row.try_get(1)?,
            from: row.try_get(2)?,
            to: row.try_get(3)?,
            event: row.try_get(4)?,
            operation: row.try_get::<Option<Uuid>, _>(5)?.map(operation),
        })
    })
    .await?;
    let sql = "select aggregatetype, aggregateid, type, sequence::bigint,
                      coalesce(payload::jsonb -> 'data' -> 'object' ->> 'status', ''), id,
                      encode(sha256(convert_to(payload, 'UTF8')), 'hex')
                 from outbox order by aggregateid, sequence";
    books.told = rows(conn, sql, |row| {
        Ok(Told {
            about: row.try_get(0)?,
            object: row.try_get(1)?,
            kind: row.try_get(2)?,
            sequence: row.try_get(3)?,
            status: row.try_get(4)?,
            id: EventId::from_uuid(row.try_get(5)?).to_string(),
            body: row.try_get(6)?,
        })
    })
    .await?;
    let sql = "select scope, key, payment_id, operation_id, answer_status, answer_body from idempotency_keys";
    books.keys = rows(conn, sql, |row| {
        Ok(Key {
            scope: row.try_get(0)?,
            text: row.try_get(1)?,
            payment: row.try_get::<Option<Uuid>, _>(2)?.map(payment),
            operation: row.try_get::<Option<Uuid>, _>(3)?.map(operation),
            status: row.try_get::<Option<i16>, _>(4)?.map(i16::unsigned_abs),
            body: row.try_get(5)?,
        })
    })
    .await?;
    let sql =
        "select order_id, status, amount, amount_reserved, amount_paid, amount_refunded, amount_surplus from orders";
    books.orders = rows(conn, sql, |row| {
        Ok(Order {
            id: OrderId::from_uuid(row.try_get(0)?).to_string(),
            status: row.try_get(1)?,
            amount: row.try_get(2)?,
            reserved: row.try_get(3)?,
            paid: row.try_get(4)?,
            refunded: row.try_get(5)?,
            surplus: row.try_get(6)?,
        })
    })
    .await?;
    books.work = rows(conn, "select operation_id, payment_id, task from work", |row| {
        Ok(Work { operation: operation(row.try_get(0)?), payment: payment(row.try_get(1)?), task: row.try_get(2)? })
    })
    .await?;
    books.reviews = rows(conn, "select payment_id, reason from reviews where closed_at is null", |row| {
        Ok(Review { payment: payment(row.try_get(0)?), reason: row.try_get(1)? })
    })
    .await?;
    books.transitions = rows(conn, "select from_state, to_state from payment_transitions", |row| {
        Ok((row.try_get(0)?, row.try_get(1)?))
    })
    .await?;
    Ok(())
}

async fn rows<T>(
    conn: &mut PgConnection,
    sql: &'static str,
    read: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> anyhow::Result<Vec<T>> {
    let rows = sqlx::query(sql).fetch_all(conn).await.with_context(|| sql.to_owned())?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn payment(id: Uuid) -> String {
    PaymentId::from_uuid(id).to_string()
}

fn operation(id: Uuid) -> String {
    OperationId::from_uuid(id).to_string()
}
