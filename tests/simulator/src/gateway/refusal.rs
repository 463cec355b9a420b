//! Why the gateway does not do what it was asked. Each face says it in its own words.

use axum::http::StatusCode;

/// A refusal in the mock's words; other faces translate its code. Nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: &'static str,
}

impl Refusal {
    pub const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing here");
    pub const METHOD_NOT_ALLOWED: Self =
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "only GET and POST are known here");
    pub const UNAUTHENTICATED: Self =
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "the bearer token is missing or not known");
    pub const TOO_LARGE: Self = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large");
    pub const KEY_REUSED: Self =
        Self::new(StatusCode::CONFLICT, "idempotency_key_reused", "this key belongs to a different request");
    pub const NOT_PROCESSED: Self =
        Self::new(StatusCode::CONFLICT, "not_processed", "nothing was done, come again later");
    pub const RATE_LIMITED: Self =
        Self::new(StatusCode::TOO_MANY_REQUESTS, "not_processed", "too many requests, nothing was done");
    pub const CONFLICT: Self = Self::new(StatusCode::CONFLICT, "conflict", "something else is going on");
    pub const INTERNAL: Self = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong");

    /// What is to end has ended.
    pub const NOT_PENDING: Self = Self::bad_request("not_pending", "nothing is open here");
    /// What is to be taken back was not done.
    pub const NOT_DONE: Self = Self::bad_request("not_done", "there is nothing to take back");

    const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message }
    }

    /// 400: final, nothing was and nothing will be done.
    pub const fn bad_request(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}
