//! How Stripe says no.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::faces::answer::Answer;

/// One of Stripe's error codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code(pub &'static str);

impl Code {
    pub const PARAMETER_MISSING: Self = Self("parameter_missing");
    pub const PARAMETER_UNKNOWN: Self = Self("parameter_unknown");
    pub const PARAMETER_INVALID_INTEGER: Self = Self("parameter_invalid_integer");
    pub const RESOURCE_MISSING: Self = Self("resource_missing");
    pub const UNEXPECTED_STATE: Self = Self("payment_intent_unexpected_state");
    pub const AMOUNT_TOO_LARGE: Self = Self("amount_too_large");
    pub const ALREADY_REFUNDED: Self = Self("charge_already_refunded");
}

/// A refusal: nothing was done.
#[derive(Debug)]
pub struct Refused {
    status: StatusCode,
    error: Value,
}

impl Refused {
    /// 400 for what is asked.
    pub fn request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// 404 for a path that leads nowhere.
    pub fn nowhere(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", &message)
    }

    /// 404 for an object that this account does not have.
    pub fn missing(object: &str, id: &str, param: &str) -> Self {
        let message = format!("No such {object}: '{id}'");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", &message).code(Code::RESOURCE_MISSING).param(param)
    }

    pub fn new(status: StatusCode, kind: &str, message: &str) -> Self {
        Self { status, error: json!({ "type": kind, "message": message }) }
    }

    pub fn code(self, code: Code) -> Self {
        self.with("code", json!(code.0))
    }

    pub fn param(self, name: &str) -> Self {
        self.with("param", json!(name))
    }

    /// With something more about it.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        if let Some(members) = self.error.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
        self
    }

    pub fn answer(self) -> Answer {
        Answer::json(self.status, &json!({ "error": self.error }))
    }
}
