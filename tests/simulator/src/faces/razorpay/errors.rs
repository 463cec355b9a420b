//! Razorpay's errors.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::words::Words;
use crate::faces::answer::Answer;
use crate::gateway::refusal::Refusal;

/// 400: the request cannot be used. `field` is the member that is wrong.
pub fn invalid(description: &str, field: Option<&str>) -> Answer {
    invalid_because("input_validation_failed", description, field)
}

/// The same for another reason.
pub fn invalid_because(reason: &str, description: &str, field: Option<&str>) -> Answer {
    answer(
        StatusCode::BAD_REQUEST,
        &json!({
            "code": "BAD_REQUEST_ERROR", "description": description, "source": "business", "step": "payment_initiation",
            "reason": reason, "metadata": {}, "field": field,
        }),
    )
}

/// An error without a reason, as Razorpay has it for keys, limits and paths.
pub fn plain(status: StatusCode, description: &str) -> Answer {
    answer(
        status,
        &json!({"code": "BAD_REQUEST_ERROR", "description": description, "source": "NA", "step": "NA", "reason": "NA", "metadata": {}}),
    )
}

/// There is no such path: 400, and not 404.
pub fn no_such_path() -> Answer {
    plain(StatusCode::BAD_REQUEST, "The requested URL was not found on the server.")
}

/// There is no such thing.
pub fn no_such_id() -> Answer {
    invalid("The id provided does not exist", None)
}

/// An error of Razorpay's own, which says nothing of what happened.
pub fn server() -> Answer {
    answer(
        StatusCode::INTERNAL_SERVER_ERROR,
        &json!({
            "code": "SERVER_ERROR", "source": "internal", "step": "payment_initiation", "reason": "server_error", "metadata": {},
            "description": "We are facing some trouble completing your request at the moment. Please try again shortly.",
        }),
    )
}

/// 400: a payment was made, and failed at once. An error of a bank in between is one of Razorpay's 502.
pub fn failed(words: &Words, payment: &str, order: &str) -> Answer {
    let status = if words.code == "GATEWAY_ERROR" { StatusCode::BAD_GATEWAY } else { StatusCode::BAD_REQUEST };
    answer(
        status,
        &json!({
            "code": words.code, "description": words.description, "source": words.source, "step": words.step,
            "reason": words.reason, "metadata": {"payment_id": payment, "order_id": order},
        }),
    )
}

/// What the gateway does not do, in Razorpay's words.
pub fn of(refusal: Refusal) -> Answer {
    match refusal.code {
        "not_found" => no_such_id(),
        "not_capturable" => plain(
            StatusCode::BAD_REQUEST,
            "Only payments which have been authorized and not yet captured can be captured",
        ),
        "not_refundable" => {
            plain(StatusCode::BAD_REQUEST, "The payment status should be captured for action to be taken")
        }
        "amount_too_large" => invalid("The refund amount provided is greater than amount captured", Some("amount")),
        "invalid_number" => invalid("The card number is invalid.", Some("number")),
        "invalid_expiry" => invalid("The expiry date is invalid.", Some("expiry_month")),
        "invalid_cvc" => invalid("The cvv must be between 3 and 4 digits.", Some("cvv")),
        "invalid_vpa" => invalid_because("invalid_vpa", "The VPA is invalid.", Some("vpa")),
        _ => invalid(refusal.message, None),
    }
}

fn answer(status: StatusCode, error: &Value) -> Answer {
    Answer::json(status, &json!({ "error": error }))
}
