//! The refund object of the API.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::time;
use crate::domain::id::{OperationId, PaymentId};

/// What a refund is known to be; its view is made of it.
#[derive(Clone, Debug)]
pub struct Refund {
    pub operation_id: OperationId,
    pub payment_id: PaymentId,
    /// In the currency's minor unit.
    pub amount: i64,
    pub currency: String,
    /// `pending`, `succeeded`, `failed` or `manual_review`
    pub status: &'static str,
    pub reason: Option<String>,
    pub gateway_reference: Option<String>,
    pub last_error: Option<Value>,
    pub created_at: DateTime<Utc>,
}

/// Money that is given back, or is to be.
#[derive(Serialize, ToSchema)]
#[schema(as = Refund)]
pub struct RefundView<'a> {
    /// `op_…`
    id: String,
    /// `refund`
    object: &'static str,
    /// `pay_…`
    payment: String,
    /// In the currency's minor unit.
    amount: i64,
    /// ISO 4217.
    currency: &'a str,
    /// `pending` while its outcome is not known, then `succeeded` or `failed`; `manual_review` where a person must decide.
    status: &'static str,
    reason: Option<&'a str>,
    /// The gateway's own name for it.
    gateway_reference: Option<&'a str>,
    /// Why it failed: `{code, decline_code, gateway_code, network_code, message, advice}`.
    #[schema(value_type = Option<Object>)]
    last_error: Option<&'a Value>,
    created_at: String,
}

impl<'a> RefundView<'a> {
    /// The object as merchants see it.
    #[must_use]
    pub fn new(refund: &'a Refund) -> Self {
        Self {
            id: refund.operation_id.to_string(),
            object: "refund",
            payment: refund.payment_id.to_string(),
            amount: refund.amount,
            currency: &refund.currency,
            status: refund.status,
            reason: refund.reason.as_deref(),
            gateway_reference: refund.gateway_reference.as_deref(),
            last_error: refund.last_error.as_ref(),
            created_at: time(refund.created_at),
        }
    }

    /// Its bytes: what an answer holds, and what a replay repeats.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a view has string keys and no floats")
    }
}
