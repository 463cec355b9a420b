//! The order object of the API, and the payments of an order with their attempts.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    payment::{AttemptView, PaymentView},
    time,
};
use crate::store::{attempts::Attempt, orders::Order, payments::Payment};

/// What is being paid for.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView<'a> {
    /// `ord_…`
    id: String,
    /// `order`
    object: &'static str,
    /// The merchant's own name for it.
    reference: &'a str,
    /// `open`, `partially_paid`, `paid`, `partially_refunded`, `refunded` or `cancelled`
    status: &'static str,
    /// In the currency's minor unit.
    amount: i64,
    /// ISO 4217.
    currency: &'a str,
    /// What payments took of it; never more than `amount`.
    amount_paid: i64,
    /// What was given back of that.
    amount_refunded: i64,
    #[schema(value_type = Object)]
    metadata: &'a Value,
    /// Counts changes of this object.
    version: i32,
    created_at: String,
    updated_at: String,
}

impl<'a> OrderView<'a> {
    /// The object as merchants see it.
    #[must_use]
    pub fn new(order: &'a Order) -> Self {
        Self {
            id: order.id().to_string(),
            object: "order",
            reference: &order.reference,
            status: order.status.into(),
            amount: order.amount,
            currency: &order.currency,
            amount_paid: order.amount_paid,
            amount_refunded: order.amount_refunded,
            metadata: &order.metadata,
            version: order.version,
            created_at: time(order.created_at),
            updated_at: time(order.updated_at),
        }
    }

    /// Its bytes: what an answer holds, and what a replay repeats.
    ///
    /// # Panics
    /// Never: all names are strings, and there are no floats.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a view has string keys and no floats")
    }
}

/// A payment of an order: the payment as it always looks, and what was tried for it.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderPayment)]
pub struct OrderPaymentView<'a> {
    #[serde(flatten)]
    payment: PaymentView<'a>,
    /// In the order they were made.
    attempts: Vec<AttemptView<'a>>,
}

impl<'a> OrderPaymentView<'a> {
    /// The payment with its attempts as merchants see them.
    #[must_use]
    pub fn new(payment: &'a Payment, attempts: &'a [Attempt]) -> Self {
        Self { payment: PaymentView::new(payment), attempts: attempts.iter().map(AttemptView::new).collect() }
    }
}
