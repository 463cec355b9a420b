//! What the gateway says, as JSON.

use axum::http::StatusCode;
use bytes::Bytes;
use serde::Serialize;

use super::charges::{Action, Charge, Decline, Status};
use super::refunds::Refund;
use super::steps::{self, Step};

/// A status and a JSON body.
#[derive(Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// An error answer: `{"error":{"code","message"}}`. Nothing has happened.
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

    /// The refusal as the client gets it.
    pub fn answer(self) -> Answer {
        #[derive(Serialize)]
        struct Body {
            error: Inner,
        }
        #[derive(Serialize)]
        struct Inner {
            code: &'static str,
            message: &'static str,
        }
        let body = Body { error: Inner { code: self.code, message: self.message } };
        Answer { status: self.status, body: to_bytes(&body) }
    }
}

#[derive(Serialize)]
struct ChargeView<'a> {
    id: &'a str,
    reference: &'a str,
    amount: i64,
    captured: i64,
    refunded: i64,
    currency: &'a str,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline: Option<Decline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<StepView>,
}

/// Which operation the reference names, where it is not the charge itself. Beyond the protocol: `captured` tells the sum
/// of all captures, and which share of it is this one's could not be known from a webhook.
#[derive(Serialize)]
struct StepView {
    kind: steps::Kind,
    amount: i64,
}

#[derive(Serialize)]
struct RefundView<'a> {
    id: &'a str,
    charge: &'a str,
    reference: &'a str,
    amount: i64,
    /// Beyond the protocol: without it a webhook about a refund would tell half of the story.
    currency: &'a str,
    status: super::refunds::Status,
}

/// A charge as the API shows it. `reference` and `step` are those of the operation that is answered: the charge's own,
/// a capture's or a cancel's.
pub fn charge_body(charge: &Charge, reference: &str, step: Option<&Step>) -> Bytes {
    let (status, decline) = step.map_or((charge.status, charge.decline), |step| step.status(charge));
    to_bytes(&ChargeView {
        id: &charge.id,
        reference,
        amount: charge.amount,
        captured: charge.captured,
        refunded: charge.refunded,
        currency: &charge.currency,
        status,
        decline,
        action: charge.action.as_ref().filter(|_| status == Status::RequiresAction),
        step: step
            .filter(|step| step.kind != steps::Kind::Charge)
            .map(|step| StepView { kind: step.kind, amount: step.amount }),
    })
}

/// A refund as the API shows it.
pub fn refund_body(refund: &Refund, charge: &Charge) -> Bytes {
    to_bytes(&RefundView {
        id: &refund.id,
        charge: &charge.id,
        reference: &refund.reference,
        amount: refund.amount,
        currency: &charge.currency,
        status: refund.status,
    })
}

fn to_bytes(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).expect("a struct of strings and numbers always has a JSON form").into()
}
