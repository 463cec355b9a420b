//! What is known of a refund: from the operation in hand, or from its row.

use super::{advance::Subject, drive::read, learned::Learned};
use crate::{
    connector::types::{Action, Operation, Outcome},
    domain::id::{OperationId, PaymentId},
    store::{self, operations},
    view::refund::Refund,
};

/// The refund in hand, with what was learned of it.
#[must_use]
pub fn known(subject: &Subject, status: &'static str, learned: &Learned) -> Refund {
    let underway = &subject.underway;
    let outcome: Option<Outcome> = learned
        .outcome
        .clone()
        .and_then(|outcome| serde_json::from_value(outcome).ok())
        .or_else(|| subject.said.clone());
    let said = outcome.as_ref().and_then(super::advance::reference_in);
    Refund {
        operation_id: OperationId::from_uuid(underway.operation_id),
        payment_id: subject.payment.id(),
        amount: underway.amount,
        currency: subject.payment.currency.clone(),
        status,
        reason: reason(&underway.operation),
        gateway_reference: said.map(ToOwned::to_owned),
        last_error: if status == "failed" { learned.last_error.clone() } else { None },
        created_at: underway.created_at,
    }
}

/// A refund as it is when it begins.
#[must_use]
pub fn begun(
    id: OperationId,
    payment: PaymentId,
    amount: i64,
    currency: &str,
    operation: &Operation,
    at: chrono::DateTime<chrono::Utc>,
) -> Refund {
    Refund {
        operation_id: id,
        payment_id: payment,
        amount,
        currency: currency.to_owned(),
        status: "pending",
        reason: reason(operation),
        gateway_reference: None,
        last_error: None,
        created_at: at,
    }
}

/// The refund that a row is. What the gateway proved later counts before what it said first.
pub fn of_row(row: &operations::Operation) -> Result<Refund, store::Error> {
    let outcome: Option<Outcome> = match row.correction.clone().or_else(|| row.outcome.clone()) {
        Some(outcome) => serde_json::from_value(outcome).ok(),
        None => None,
    };
    let operation: Operation = read("operations", row.input.clone())?;
    let status = match (row.status.as_str(), &outcome) {
        ("under_way" | "unknown" | "pending", _) => "pending",
        ("manual_review", _) => "manual_review",
        (_, Some(Outcome::Refunded(_))) => "succeeded",
        // An operator's word, where the gateway gave none.
        (_, None) if by_operator(row) == Some("succeeded") => "succeeded",
        _ => "failed",
    };
    let last_error = match &outcome {
        Some(Outcome::Declined(decline)) if status == "failed" => Some(super::learned::declined(decline)),
        _ if status == "failed" => Some(super::learned::unsent()),
        _ => None,
    };
    Ok(Refund {
        operation_id: OperationId::from_uuid(row.operation_id),
        payment_id: PaymentId::from_uuid(row.payment_id),
        amount: row.amount,
        currency: row.currency.clone(),
        status,
        reason: reason(&operation),
        gateway_reference: outcome.as_ref().and_then(super::advance::reference_in).map(ToOwned::to_owned),
        last_error,
        created_at: row.created_at,
    })
}

fn by_operator(row: &operations::Operation) -> Option<&str> {
    row.outcome.as_ref()?.pointer("/operator/outcome")?.as_str()
}

fn reason(operation: &Operation) -> Option<String> {
    match &operation.action {
        Action::Refund(refund) => refund.reason.clone(),
        _ => None,
    }
}
