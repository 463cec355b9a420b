//! Adyen's errors: `{status, errorCode, message, errorType}`.

use axum::http::StatusCode;
use serde_json::json;

use crate::faces::Trouble;
use crate::faces::answer::Answer;
use crate::gateway::refusal::Refusal;

/// One error.
#[derive(Clone, Copy, Debug)]
pub struct ServiceError {
    status: StatusCode,
    code: &'static str,
    kind: &'static str,
    message: &'static str,
}

const VALIDATION: &str = "validation";

pub const KEY_TOO_LONG: ServiceError = invalid("705", "Idempotency key is too long");
/// Documentation does not say what the same key with another body is answered with.
pub const KEY_REUSED: ServiceError = invalid("704", "request already processed or in progress");
pub const UNREADABLE: ServiceError =
    ServiceError::new(StatusCode::BAD_REQUEST, "702", VALIDATION, "Unexpected input, expected: }");
pub const NO_SUCH_PATH: ServiceError =
    ServiceError::new(StatusCode::NOT_FOUND, "000", "validation", "There is no such path");
pub const NO_MERCHANT_ACCOUNT: ServiceError =
    ServiceError::new(StatusCode::FORBIDDEN, "901", "security", "Invalid Merchant Account");
pub const NO_RETURN_URL: ServiceError = invalid("14_030", "Return URL is missing.");
pub const NO_REFERENCE: ServiceError = invalid("130", "Reference Missing");
pub const REFERENCE_TOO_LONG: ServiceError = invalid("198", "Reference may not exceed 80 characters");
pub const NO_AMOUNT: ServiceError = invalid("137", "Invalid amount specified");
pub const NO_CURRENCY: ServiceError = invalid("138", "Unsupported currency specified");
pub const NO_VARIANT: ServiceError = invalid("102", "Unable to determine variant");
pub const NO_SHOPPER: ServiceError = invalid("180", "Invalid shopperReference");
pub const NO_RESULT: ServiceError = invalid("14_006", "Invalid redirectResult");
pub const NO_PAYMENT: ServiceError = invalid("167", "Original pspReference required for this operation");

const fn invalid(code: &'static str, message: &'static str) -> ServiceError {
    ServiceError::new(StatusCode::UNPROCESSABLE_ENTITY, code, VALIDATION, message)
}

impl ServiceError {
    const fn new(status: StatusCode, code: &'static str, kind: &'static str, message: &'static str) -> Self {
        Self { status, code, kind, message }
    }

    pub fn answer(self) -> Answer {
        let Self { status, code, kind, message } = self;
        Answer::json(
            status,
            &json!({ "status": status.as_u16(), "errorCode": code, "message": message, "errorType": kind }),
        )
    }
}

/// The gateway's objection to a payment, in Adyen's words.
pub fn of_refusal(refusal: Refusal) -> ServiceError {
    match refusal.code {
        "invalid_amount" => NO_AMOUNT,
        "invalid_currency" => NO_CURRENCY,
        "invalid_reference" => NO_REFERENCE,
        "invalid_number" => invalid("101", "Invalid card number"),
        "invalid_expiry" => invalid("129", "Expiry Date Invalid"),
        "invalid_cvc" => invalid("103", "CVC is not the right length"),
        "invalid_token" => invalid("803", "PaymentDetail not found"),
        _ => NO_PAYMENT,
    }
}

/// What stands before the gateway. Adyen has no conflict that says that nothing happened; its rate limit says so.
pub fn of_trouble(trouble: Trouble) -> ServiceError {
    match trouble {
        Trouble::Unauthenticated => {
            ServiceError::new(StatusCode::UNAUTHORIZED, "000", "security", "HTTP Status Response - Unauthorized")
        }
        Trouble::TooLarge => UNREADABLE,
        Trouble::Conflict => KEY_REUSED,
        Trouble::NotProcessed | Trouble::RateLimited => {
            ServiceError::new(StatusCode::TOO_MANY_REQUESTS, "010", "security", "Too many requests")
        }
        Trouble::Internal => ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, "903", "internal", "Internal error"),
    }
}
