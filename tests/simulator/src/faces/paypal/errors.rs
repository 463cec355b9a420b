//! PayPal's errors: a name, and an issue that says more. PayPal describes each issue besides; programs read the issue.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::faces::answer::Answer;
use crate::gateway::refusal::Refusal;

/// Where PayPal explains its errors.
const EXPLAINED: &str = "https://developer.paypal.com/docs/api/orders/v2/#errors";

/// An error without details.
pub fn plain(status: StatusCode, name: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"name": name, "message": message, "debug_id": DEBUG_ID, "links": links(&[])}))
}

/// PayPal's id of a call. Every call here has the same: nobody looks it up.
const DEBUG_ID: &str = "f8a2b7c01d3e4";

/// 400: the request itself is wrong.
pub fn invalid(issue: &str, field: &str) -> Answer {
    let message = "Request is not well-formed, syntactically incorrect, or violates schema.";
    let detail = json!({"issue": issue, "field": field, "location": "body"});
    detailed(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message, &detail, &[])
}

/// 422: it cannot be done.
pub fn unprocessable(issue: &str) -> Answer {
    unprocessable_with(issue, &[])
}

/// The same, with somewhere to go: relation and address.
pub fn unprocessable_with(issue: &str, more: &[(&str, &str)]) -> Answer {
    let message = "The requested action could not be performed, semantically incorrect, or failed business validation.";
    detailed(StatusCode::UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY", message, &json!({"issue": issue}), more)
}

/// 404: there is no such object, or not for this merchant.
pub fn not_found() -> Answer {
    let detail = json!({
        "issue": "INVALID_RESOURCE_ID",
        "description": "Specified resource ID does not exist. Please check the resource ID and try again.",
    });
    let message = "The specified resource does not exist.";
    detailed(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", message, &detail, &[])
}

/// 409: something else is going on.
pub fn conflict() -> Answer {
    let detail = json!({
        "issue": "PREVIOUS_REQUEST_IN_PROGRESS",
        "description": "A previous request on this resource is currently in progress. Please wait for sometime and try \
                        again. It is best to space out the initial and the subsequent request(s) to avoid receiving \
                        this error.",
    });
    let message = "The server has detected a conflict while processing this request.";
    detailed(StatusCode::CONFLICT, "RESOURCE_CONFLICT", message, &detail, &[])
}

/// 401 in OAuth's words.
pub fn oauth(error: &str, description: &str) -> Answer {
    Answer::json(StatusCode::UNAUTHORIZED, &json!({"error": error, "error_description": description}))
}

/// What is wrong with a payment method, in PayPal's words.
pub fn of_method(refusal: Refusal) -> Answer {
    match refusal.code {
        "invalid_number" => invalid("INVALID_PARAMETER_SYNTAX", "/payment_source/card/number"),
        "invalid_expiry" => invalid("INVALID_PARAMETER_SYNTAX", "/payment_source/card/expiry"),
        "invalid_cvc" => unprocessable("INVALID_SECURITY_CODE_LENGTH"),
        "invalid_token" => unprocessable("TOKEN_ID_NOT_FOUND"),
        "invalid_amount" => unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE"),
        "invalid_currency" => unprocessable("INVALID_CURRENCY_CODE"),
        _ => invalid("INVALID_PARAMETER_VALUE", "/"),
    }
}

fn detailed(status: StatusCode, name: &str, message: &str, detail: &Value, more: &[(&str, &str)]) -> Answer {
    let body = json!({
        "name": name, "message": message, "debug_id": DEBUG_ID, "details": [detail], "links": links(more),
    });
    Answer::json(status, &body)
}

fn links(more: &[(&str, &str)]) -> Value {
    let own = [("information_link", EXPLAINED)];
    let all = more.iter().chain(&own).map(|(rel, href)| json!({"rel": rel, "href": href, "method": "GET"}));
    all.collect()
}
