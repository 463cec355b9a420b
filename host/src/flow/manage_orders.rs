//! `POST /v1/orders`, `POST /v1/orders/{id}/cancel`: what is being paid for, made and called off.
//!
//! Paying is not here: a payment reserves its share in commit 1 and settles it in commit 2.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::{Answer, Call, Refusal, answer, create_payment::key_of, task};
use crate::{
    app::App,
    domain::{
        id::{EventId, OrderId},
        money::Money,
        order::{self, OrderStatus},
    },
    store::{
        self,
        orders::{Order, OrderEvent},
    },
    view::{self, order::OrderView},
};

/// The status of an answer that tells of something new.
const CREATED: i16 = 201;
/// The status of an answer that tells of a change, or that there was none to make.
const OK: i16 = 200;

/// A new order, checked field by field at the edge.
pub struct NewOrder {
    pub reference: String,
    pub money: Money,
    pub metadata: Vec<(String, String)>,
}

/// Makes an order. The answer is written down with the key in the same transaction.
pub async fn create_order(app: &Arc<App>, call: Call, new: NewOrder) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, &call).await? {
        return Ok(answer);
    }
    let owned = Arc::clone(app);
    task::detached(app, async move {
        let order = new_order(&owned, &call, new);
        let mut conn = owned.pool.acquire().await.map_err(store::Error::from)?;
        let mut tx = conn.begin().await.map_err(store::Error::from)?;
        let written = write_new(&owned, &mut tx, &call, &order).await;
        end(&owned, tx, &call, written).await
    })
    .await
}

/// None where the key is taken.
async fn write_new(app: &App, tx: &mut PgConnection, call: &Call, order: &Order) -> Result<Option<Answer>, Refusal> {
    let body = OrderView::new(order).to_bytes();
    if !store::answers::claim(tx, call.merchant, &key_of(app, call), CREATED, &body, order.created_at).await? {
        return Ok(None);
    }
    if !store::orders::insert(tx, order).await? {
        // What is in the way is committed, and orders are never deleted.
        let other = store::orders::by_reference(tx, call.merchant, &order.reference).await?;
        return Err(match other {
            Some(other) => Refusal::OrderExists { id: other.id() },
            None => Refusal::Internal(anyhow::anyhow!("an order is in the way of its reference and is not there")),
        });
    }
    Ok(Some(Answer { status: CREATED.unsigned_abs(), body: body.into(), replayed: false }))
}

/// Commits what was written, or takes it back: aloud, because a transaction that is merely dropped ends when its
/// connection is used next, and holds its locks until then. For the same reason it runs in a task of its own.
async fn end(
    app: &Arc<App>,
    tx: Transaction<'_, Postgres>,
    call: &Call,
    written: Result<Option<Answer>, Refusal>,
) -> Result<Answer, Refusal> {
    match written {
        Ok(Some(answer)) => {
            tx.commit().await.map_err(store::Error::from)?;
            app.wake.committed();
            Ok(answer)
        }
        Ok(None) => {
            tx.rollback().await.map_err(store::Error::from)?;
            answer::of_taken_key(app, call).await
        }
        Err(refusal) => {
            tx.rollback().await.map_err(store::Error::from)?;
            Err(refusal)
        }
    }
}

fn new_order(app: &App, call: &Call, new: NewOrder) -> Order {
    let now = app.clock.now();
    let metadata: Map<_, _> = new.metadata.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    Order {
        merchant_id: call.merchant.uuid(),
        order_id: app.ids.v7(),
        reference: new.reference,
        status: OrderStatus::Open,
        amount: new.money.minor(),
        currency: new.money.currency().code().to_owned(),
        amount_reserved: 0,
        amount_paid: 0,
        amount_refunded: 0,
        amount_surplus: 0,
        metadata: Value::Object(metadata),
        version: 1,
        event_sequence: 0,
        created_at: now,
        updated_at: now,
    }
}

/// Calls an order off, where nothing of it is paid or under way. One that is cancelled already is answered as it is.
pub async fn cancel_order(app: &Arc<App>, call: Call, id: OrderId) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, &call).await? {
        return Ok(answer);
    }
    let owned = Arc::clone(app);
    task::detached(app, async move {
        let mut conn = owned.pool.acquire().await.map_err(store::Error::from)?;
        let mut tx = conn.begin().await.map_err(store::Error::from)?;
        let written = write_cancelled(&owned, &mut tx, &call, id).await;
        match end(&owned, tx, &call, written).await {
            // The same request may have been answered while this one waited for the row.
            Err(refusal @ Refusal::OrderNotCancelable { .. }) => answer::or_stored(&owned, &call, refusal).await,
            result => result,
        }
    })
    .await
}

/// None where the key is taken. The order's row is locked, so that no payment reserves of it between the decision and
/// the commit.
async fn write_cancelled(
    app: &App,
    tx: &mut PgConnection,
    call: &Call,
    id: OrderId,
) -> Result<Option<Answer>, Refusal> {
    let order = store::orders::get_for_update(tx, call.merchant, id).await?.ok_or(Refusal::NotFound)?;
    let now = app.clock.now();
    let after = match order.status {
        OrderStatus::Cancelled => order.clone(),
        _ => cancelled(&order, now)?,
    };
    let body = OrderView::new(&after).to_bytes();
    if !store::answers::claim(tx, call.merchant, &key_of(app, call), OK, &body, now).await? {
        return Ok(None);
    }
    if after.version != order.version
        && !store::orders::cancel(tx, &after, order.version, &event(app, &order, &after)?).await?
    {
        // Locked, read and judged a moment ago: code and statement disagree about what may be cancelled.
        return Err(Refusal::Internal(anyhow::anyhow!("{id} was to be cancelled, and its row refused")));
    }
    Ok(Some(Answer { status: OK.unsigned_abs(), body: body.into(), replayed: false }))
}

/// The order as it is once it is called off.
fn cancelled(order: &Order, now: DateTime<Utc>) -> Result<Order, Refusal> {
    let why = if order.amount_reserved > 0 {
        "a payment of it is under way, or holds money"
    } else if order.status != OrderStatus::Open || order.amount_surplus > 0 {
        "some of it is paid"
    } else {
        return Ok(Order {
            status: OrderStatus::Cancelled,
            version: order.version + 1,
            event_sequence: order.event_sequence + 1,
            updated_at: now,
            ..order.clone()
        });
    };
    Err(Refusal::OrderNotCancelable { why: why.to_owned() })
}

/// What merchants are told of the change.
fn event(app: &App, before: &Order, after: &Order) -> Result<OrderEvent, Refusal> {
    let kind = order::event(before.status, after.status, &before.totals(), &after.totals())
        .ok_or_else(|| anyhow::anyhow!("{} is called off without an event", after.id()))?;
    let id = app.ids.v7();
    let payload = view::event::payload(
        EventId::from_uuid(id),
        kind,
        after.updated_at,
        after.event_sequence,
        &OrderView::new(after),
    );
    Ok(OrderEvent { id, kind, payload })
}
