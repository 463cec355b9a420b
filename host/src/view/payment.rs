//! The payment object of the API, its attempts and its audit trail.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::time;
use crate::{
    connector::hex,
    domain::{
        id::{AttemptId, GatewayAccountId, OperationId, OrderId, PaymentId},
        payment::State,
    },
    store::{attempts::Attempt, payment_events::PaymentEvent, payments::Payment},
};

/// One intent to move an amount.
#[derive(Serialize, ToSchema)]
#[schema(as = Payment)]
pub struct PaymentView<'a> {
    /// `pay_…`
    id: String,
    /// `payment`
    object: &'static str,
    status: &'static str,
    /// In the currency's minor unit.
    amount: i64,
    /// ISO 4217.
    currency: &'a str,
    /// `automatic` or `manual`
    capture_method: &'static str,
    /// What may still be captured.
    amount_capturable: i64,
    amount_captured: i64,
    amount_refunded: i64,
    /// `ord_…`
    order: Option<String>,
    description: Option<&'a str>,
    #[schema(value_type = Option<Object>)]
    payment_method: Option<&'a Value>,
    /// What the customer must do, where the status is `requires_action`.
    #[schema(value_type = Option<Object>)]
    next_action: Option<&'a Value>,
    /// Why the last attempt did not succeed: `{code, decline_code, gateway_code, network_code, message, advice}`.
    #[schema(value_type = Option<Object>)]
    last_error: Option<&'a Value>,
    /// `gwa_…`
    gateway_account: Option<String>,
    gateway_reference: Option<&'a str>,
    attempt_count: i32,
    #[schema(value_type = Object)]
    metadata: &'a Value,
    /// Counts changes of this object.
    version: i32,
    created_at: String,
    updated_at: String,
}

impl<'a> PaymentView<'a> {
    /// The object as merchants see it.
    #[must_use]
    pub fn new(payment: &'a Payment) -> Self {
        let capturable = matches!(payment.status, State::Authorized | State::PartiallyCaptured);
        Self {
            id: PaymentId::from_uuid(payment.payment_id).to_string(),
            object: "payment",
            status: payment.status.into(),
            amount: payment.amount,
            currency: &payment.currency,
            capture_method: payment.capture_method.into(),
            amount_capturable: if capturable {
                payment.amount_authorized - payment.amount_captured - payment.amount_capturing
            } else {
                0
            },
            amount_captured: payment.amount_captured,
            amount_refunded: payment.amount_refunded,
            order: payment.order_id.map(|id| OrderId::from_uuid(id).to_string()),
            description: payment.description.as_deref(),
            payment_method: payment.payment_method.as_ref(),
            next_action: payment.next_action.as_ref().filter(|_| payment.status == State::RequiresAction),
            last_error: payment.last_error.as_ref(),
            gateway_account: payment.gateway_account_id.map(|id| GatewayAccountId::from_uuid(id).to_string()),
            gateway_reference: payment.gateway_reference.as_deref(),
            attempt_count: payment.attempt_count,
            metadata: &payment.metadata,
            version: payment.version,
            created_at: time(payment.created_at),
            updated_at: time(payment.updated_at),
        }
    }

    /// Its bytes: what an answer holds, and what a replay repeats.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a view has string keys and no floats")
    }
}

/// One try at one gateway account.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptView<'a> {
    /// `att_…`
    id: String,
    /// `attempt`
    object: &'static str,
    /// From 1, in the order they were made.
    number: i32,
    status: &'a str,
    gateway_account: String,
    connector: &'a str,
    /// SHA-256 of the component that made it, in hex.
    connector_digest: String,
    #[schema(value_type = Object)]
    payment_method: &'a Value,
    gateway_reference: Option<&'a str>,
    #[schema(value_type = Option<Object>)]
    last_error: Option<&'a Value>,
    created_at: String,
    updated_at: String,
}

impl<'a> AttemptView<'a> {
    /// The object as merchants see it.
    #[must_use]
    pub fn new(attempt: &'a Attempt) -> Self {
        Self {
            id: AttemptId::from_uuid(attempt.attempt_id).to_string(),
            object: "attempt",
            number: attempt.number,
            status: &attempt.status,
            gateway_account: GatewayAccountId::from_uuid(attempt.gateway_account_id).to_string(),
            connector: &attempt.connector,
            connector_digest: hex(&attempt.digest),
            payment_method: &attempt.payment_method,
            gateway_reference: attempt.gateway_reference.as_deref(),
            last_error: attempt.last_error.as_ref(),
            created_at: time(attempt.created_at),
            updated_at: time(attempt.updated_at),
        }
    }
}

/// One line of a payment's audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentEvent)]
pub struct PaymentEventView<'a> {
    /// `payment_event`
    object: &'static str,
    /// From 1 without a gap.
    sequence: i32,
    /// What happened: `created`, `submitted`, `captured`, `declined`, …
    event: &'a str,
    from: Option<&'static str>,
    to: &'static str,
    attempt: Option<i32>,
    /// `op_…`
    operation: Option<String>,
    #[schema(value_type = Option<Object>)]
    detail: Option<&'a Value>,
    created_at: String,
}

impl<'a> PaymentEventView<'a> {
    /// The line as merchants see it.
    pub fn new(event: &'a PaymentEvent) -> Self {
        Self {
            object: "payment_event",
            sequence: event.sequence,
            event: &event.event,
            from: event.from_state.map(Into::into),
            to: event.to_state.into(),
            attempt: event.attempt_number,
            operation: event.operation_id.map(|id| OperationId::from_uuid(id).to_string()),
            // What is for operators stays in the database.
            detail: event.detail.as_ref().filter(|detail| detail.get("internal").is_none()),
            created_at: time(event.created_at),
        }
    }
}
