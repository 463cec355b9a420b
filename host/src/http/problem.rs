//! The only table of status codes and error codes: every way a request can fail, as RFC 9457 has it.
//!
//! A handler returns a [`Problem`]; it becomes bytes in [`super::observe`], where the request's id is known, and where
//! the cause of an internal error is logged once. The client gets none of that cause.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::flow::{Fault, Refusal};

/// The media type of problem documents.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Where each code is explained; the code follows as the fragment.
pub const ERRORS_PAGE: &str = "/docs/errors";

/// How many faults of one body are told. More than this is not read by anybody.
const ERRORS_MAX: usize = 50;

/// What went wrong. The snake-case name is the `code`, which clients match on and which never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Code {
    MalformedJson,
    IdempotencyKeyMissing,
    IdempotencyKeyInvalid,
    Unauthenticated,
    WebhookRefused,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    IdempotencyInProgress,
    OperationInProgress,
    PaymentNotConfirmable,
    ReviewNotClosable,
    PaymentNotCapturable,
    PaymentNotCancelable,
    PaymentNotRefundable,
    PaymentNotResolvable,
    Stale,
    OrderExists,
    OrderNotPayable,
    OrderNotCancelable,
    SettingIsIdentity,
    NotQuarantined,
    SinkInUse,
    ConnectorState,
    WebhookEndpointDisabled,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidRequest,
    IdempotencyKeyReused,
    AmountTooLarge,
    OrderMismatch,
    ConnectorRefused,
    InternalError,
    Unavailable,
}

impl Code {
    /// The status, and the title: prose for people, which may be reworded.
    pub fn row(self) -> (StatusCode, &'static str) {
        match self {
            Self::MalformedJson => (StatusCode::BAD_REQUEST, "The body is not well-formed JSON"),
            Self::IdempotencyKeyMissing => (StatusCode::BAD_REQUEST, "The header Idempotency-Key is missing"),
            Self::IdempotencyKeyInvalid => (StatusCode::BAD_REQUEST, "The header Idempotency-Key is not valid"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "A valid key is needed"),
            Self::WebhookRefused => (StatusCode::UNAUTHORIZED, "The webhook is not believed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "There is no such thing here"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "This path does not have that method"),
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time"),
            Self::IdempotencyInProgress => {
                (StatusCode::CONFLICT, "The first request with this idempotency key is still being worked on")
            }
            Self::OperationInProgress => (StatusCode::CONFLICT, "An operation of this payment is under way"),
            Self::PaymentNotConfirmable => (StatusCode::CONFLICT, "The payment cannot be confirmed"),
            Self::ReviewNotClosable => (StatusCode::CONFLICT, "The review cannot be closed"),
            Self::PaymentNotCapturable => (StatusCode::CONFLICT, "The payment cannot be captured"),
            Self::PaymentNotCancelable => (StatusCode::CONFLICT, "The payment cannot be cancelled"),
            Self::PaymentNotRefundable => (StatusCode::CONFLICT, "The payment cannot be refunded"),
            Self::PaymentNotResolvable => (StatusCode::CONFLICT, "The payment cannot be resolved like this"),
            Self::Stale => (StatusCode::CONFLICT, "The payment has changed since it was read"),
            Self::AmountTooLarge => (StatusCode::UNPROCESSABLE_ENTITY, "The amount is more than is left"),
            Self::OrderExists => (StatusCode::CONFLICT, "There is an order with this reference"),
            Self::OrderNotPayable => (StatusCode::CONFLICT, "The order cannot be paid"),
            Self::OrderNotCancelable => (StatusCode::CONFLICT, "The order cannot be cancelled"),
            Self::SettingIsIdentity => {
                (StatusCode::CONFLICT, "The setting names the account at the gateway and cannot be changed")
            }
            Self::NotQuarantined => (StatusCode::CONFLICT, "The event is not in quarantine any more"),
            Self::SinkInUse => (StatusCode::CONFLICT, "The sink is in use"),
            Self::ConnectorState => (StatusCode::CONFLICT, "The state of the connector's version does not allow this"),
            Self::WebhookEndpointDisabled => (StatusCode::CONFLICT, "The webhook endpoint is disabled"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is of a type that is not read here")
            }
            Self::InvalidRequest => (StatusCode::UNPROCESSABLE_ENTITY, "The request is not valid"),
            Self::IdempotencyKeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "This idempotency key was used with another body")
            }
            Self::OrderMismatch => (StatusCode::UNPROCESSABLE_ENTITY, "The payment does not fit its order"),
            Self::ConnectorRefused => (StatusCode::UNPROCESSABLE_ENTITY, "The connector was refused"),
            Self::InternalError => (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Not available at the moment"),
        }
    }

    /// What a client should do about it, for the page at [`ERRORS_PAGE`].
    pub fn advice(self) -> &'static str {
        match self {
            Self::MalformedJson => "Mend the body; `detail` says at which line and column reading it ended.",
            Self::IdempotencyKeyMissing => {
                "Send a key of your own with every POST, the same one with every retry of the same request."
            }
            Self::IdempotencyKeyInvalid => "Send one header with 1 to 255 visible ASCII characters.",
            Self::Unauthenticated => "Send `Authorization: Bearer …` with a key that exists and was not revoked.",
            Self::WebhookRefused => {
                "Check the webhook secret on both sides, and the clock; `detail` is what the connector says."
            }
            Self::NotFound => "Check the id and the path. Another merchant's objects are not there for you either.",
            Self::MethodNotAllowed => "The header `Allow` names the methods that this path has.",
            Self::RequestTimeout => "Nothing was done: send the request again.",
            Self::IdempotencyInProgress => "Wait as `Retry-After` says, then send the same request with the same key.",
            Self::OperationInProgress => "Wait until the operation has ended: read the payment, or wait for its event.",
            Self::PaymentNotConfirmable => {
                "Read the payment: its status, and `last_error.advice`, say what is possible."
            }
            Self::ReviewNotClosable => "Read the review: `detail` says what it waits for.",
            Self::PaymentNotCapturable => "Read the payment: only authorized money can be captured, once at a time.",
            Self::PaymentNotCancelable => {
                "Read the payment: what is captured is refunded, and what has ended cannot be cancelled."
            }
            Self::PaymentNotRefundable => "Read the payment: only captured money is refunded, after the last capture.",
            Self::PaymentNotResolvable => "Read the review: it lists what can be resolved now, and as what.",
            Self::Stale => "Read the review again, decide anew, and send the `version` that you have read.",
            Self::AmountTooLarge => "`detail` says how much is left; what is under way counts as taken.",
            Self::OrderExists => "Use the order that `detail` names, or another reference.",
            Self::OrderNotPayable => {
                "Read the order and its payments: it is cancelled, or paid and under way payments leave less than was asked for."
            }
            Self::OrderNotCancelable => "Cancel or refund its payments first; wait for those that are under way.",
            Self::SettingIsIdentity => {
                "Make a new gateway account with the other value, and disable or delete this one."
            }
            Self::NotQuarantined => "It was put back before, and is being tried again: look again in a moment.",
            Self::SinkInUse => "Take its table out of the settings of every host, and start them again.",
            Self::ConnectorState => "Read the connector: `detail` says what stands in the way, and what can be done.",
            Self::WebhookEndpointDisabled => {
                "Read the endpoint: `disabled_reason` says why. Mend it, set `enabled` to true, and ask again."
            }
            Self::BodyTooLarge => "Send less; `detail` names the limit.",
            Self::UnsupportedMediaType => "Send the type that `detail` names.",
            Self::InvalidRequest => "Every entry of `errors` points at one value and says what is wrong with it.",
            Self::IdempotencyKeyReused => "Use a new key for a new request.",
            Self::OrderMismatch => {
                "A payment has the currency of its order, and the order that it was created with; `detail` says what differs."
            }
            Self::ConnectorRefused => "Every entry of `errors` is one reason for which the component was not let in.",
            Self::InternalError => {
                "Send the same request with the same key again: it goes on where it stopped. If it stays, tell us `request_id`."
            }
            Self::Unavailable => {
                "Wait as `Retry-After` says, then send the same request with the same key: it goes on where it stopped."
            }
        }
    }
}

/// A request that failed.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    errors: Vec<Fault>,
    retry_after_s: Option<u64>,
    /// Of an internal error: logged, never shown.
    cause: Option<anyhow::Error>,
}

/// The body of every answer that is an error (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView<'a> {
    /// A page about the code, as a path on this host.
    r#type: String,
    /// What kind of problem it is, for people.
    title: &'static str,
    /// The HTTP status again.
    status: u16,
    /// What is wrong with this very request, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// What clients match on.
    code: &'static str,
    /// The same as in the header `Request-Id`.
    request_id: &'a str,
    /// Where the body or the query is wrong: one entry for each fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FaultView<'a>>,
}

/// One thing that is wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = Fault)]
pub struct FaultView<'a> {
    /// RFC 6901; a query parameter is named like a field of the body.
    pointer: &'a str,
    detail: &'a str,
    /// Of `connector_refused` alone: the reason, for clients to match on.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

impl Problem {
    /// A problem of which the code says everything.
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, errors: Vec::new(), retry_after_s: None, cause: None }
    }

    /// With words about this very request.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// 422 with a pointer for each fault.
    pub fn invalid(errors: Vec<Fault>) -> Self {
        Self { errors, ..Self::new(Code::InvalidRequest) }
    }

    /// 503 with `Retry-After`.
    pub fn unavailable(what: &str, retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(Code::Unavailable).with_detail(format!("{what} cannot be used at the moment"))
        }
    }

    /// 500; `cause` is logged once, with its chain, and not shown.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::InternalError) }
    }

    /// Its row of the table.
    #[cfg(test)]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The faults it tells.
    #[cfg(test)]
    pub fn errors(&self) -> &[Fault] {
        &self.errors
    }

    /// What caused it, with the whole chain; none where there is nothing to log.
    pub fn cause(&self) -> Option<&anyhow::Error> {
        self.cause.as_ref()
    }

    /// The answer's bytes.
    pub fn to_bytes(&self, request_id: &str) -> Vec<u8> {
        let (status, title) = self.code.row();
        let code: &'static str = self.code.into();
        let view = ProblemView {
            r#type: format!("{ERRORS_PAGE}#{code}"),
            title,
            status: status.as_u16(),
            detail: self.detail.as_deref(),
            code,
            request_id,
            errors: self.errors.iter().take(ERRORS_MAX).map(|fault| self.fault_view(fault)).collect(),
        };
        serde_json::to_vec(&view).expect("a view has string keys and no floats")
    }
}

impl Problem {
    fn fault_view<'a>(&self, fault: &'a Fault) -> FaultView<'a> {
        // A component has no pointers: what stands in their place is the reason's code, and it is all of the body.
        let (pointer, code) = match self.code {
            Code::ConnectorRefused => ("", Some(fault.pointer.as_str())),
            _ => (fault.pointer.as_str(), None),
        };
        FaultView { pointer, detail: &fault.detail, code }
    }
}

impl IntoResponse for Problem {
    /// Status and headers; the body follows in [`super::observe`].
    fn into_response(self) -> Response {
        let (status, _) = self.code.row();
        let mut response = status.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"interlock\""));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::KeyReused => Self::new(Code::IdempotencyKeyReused),
            Refusal::KeyInProgress { retry_after_s } => {
                Self { retry_after_s: Some(retry_after_s), ..Self::new(Code::IdempotencyInProgress) }
            }
            Refusal::NotFound => Self::new(Code::NotFound),
            Refusal::NotConfirmable { why } => Self::new(Code::PaymentNotConfirmable).with_detail(why),
            Refusal::ReviewNotClosable { why } => Self::new(Code::ReviewNotClosable).with_detail(why),
            Refusal::OrderExists { .. } => Self::new(Code::OrderExists).with_detail(refusal.to_string()),
            Refusal::OrderNotPayable { why } => Self::new(Code::OrderNotPayable).with_detail(why),
            Refusal::OrderMismatch { why } => Self::new(Code::OrderMismatch).with_detail(why),
            Refusal::OrderNotCancelable { why } => Self::new(Code::OrderNotCancelable).with_detail(why),
            Refusal::NotCapturable { why } => Self::new(Code::PaymentNotCapturable).with_detail(why),
            Refusal::NotCancelable { why } => Self::new(Code::PaymentNotCancelable).with_detail(why),
            Refusal::NotRefundable { why } => Self::new(Code::PaymentNotRefundable).with_detail(why),
            Refusal::NotResolvable { why } => Self::new(Code::PaymentNotResolvable).with_detail(why),
            Refusal::Stale => Self::new(Code::Stale),
            Refusal::AmountTooLarge { left } => Self {
                errors: vec![Fault::new("/amount", format!("must be at most {left}, which is what is left"))],
                ..Self::new(Code::AmountTooLarge).with_detail(format!("{left} is left"))
            },
            Refusal::OperationInProgress => Self::new(Code::OperationInProgress),
            Refusal::SettingIsIdentity { ref name } => Self {
                errors: vec![Fault::new(
                    format!("/settings/{}", super::json::escaped(name)),
                    "cannot be changed once the account is made",
                )],
                ..Self::new(Code::SettingIsIdentity).with_detail(refusal.to_string())
            },
            Refusal::WebhookRefused { why } => Self::new(Code::WebhookRefused).with_detail(why),
            Refusal::NotQuarantined => Self::new(Code::NotQuarantined),
            Refusal::ConnectorState { why } => Self::new(Code::ConnectorState).with_detail(why),
            Refusal::SinkInUse => Self::new(Code::SinkInUse),
            Refusal::EndpointIsDisabled => Self::new(Code::WebhookEndpointDisabled),
            Refusal::Invalid(faults) => Self::invalid(faults),
            Refusal::ConnectorRefused(reasons) => Self { errors: reasons, ..Self::new(Code::ConnectorRefused) },
            Refusal::Unavailable { what, retry_after_s } => Self::unavailable(&what, retry_after_s),
            Refusal::Internal(cause) => Self::internal(cause),
        }
    }
}

impl From<crate::store::Error> for Problem {
    fn from(error: crate::store::Error) -> Self {
        Refusal::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// The whole table on one screen: codes and statuses are part of the contract.
    #[test]
    fn codes_keep_their_statuses() {
        let table = Code::VARIANTS.iter().fold(String::new(), |mut table, code| {
            let name: &str = code.into();
            writeln!(table, "{} {name}", code.row().0.as_u16()).expect("a String takes everything");
            table
        });
        insta::assert_snapshot!(table, @r"
        400 malformed_json
        400 idempotency_key_missing
        400 idempotency_key_invalid
        401 unauthenticated
        401 webhook_refused
        404 not_found
        405 method_not_allowed
        408 request_timeout
        409 idempotency_in_progress
        409 operation_in_progress
        409 payment_not_confirmable
        409 review_not_closable
        409 payment_not_capturable
        409 payment_not_cancelable
        409 payment_not_refundable
        409 payment_not_resolvable
        409 stale
        409 order_exists
        409 order_not_payable
        409 order_not_cancelable
        409 setting_is_identity
        409 not_quarantined
        409 sink_in_use
        409 connector_state
        409 webhook_endpoint_disabled
        413 body_too_large
        415 unsupported_media_type
        422 invalid_request
        422 idempotency_key_reused
        422 amount_too_large
        422 order_mismatch
        422 connector_refused
        500 internal_error
        503 unavailable
        ");
    }

    #[test]
    fn a_document_has_the_members_of_the_contract() {
        let problem = Problem::invalid(vec![Fault::new("/amount", "must be at least 1")]).with_detail("look again");
        let document: serde_json::Value = serde_json::from_slice(&problem.to_bytes("req_1")).unwrap();
        insta::assert_json_snapshot!(document, @r#"
        {
          "code": "invalid_request",
          "detail": "look again",
          "errors": [
            {
              "detail": "must be at least 1",
              "pointer": "/amount"
            }
          ],
          "request_id": "req_1",
          "status": 422,
          "title": "The request is not valid",
          "type": "/docs/errors#invalid_request"
        }
        "#);
    }

    #[test]
    fn every_reason_against_a_connector_has_its_code() {
        let reasons = vec![Fault::new("wasi_import", "it imports wasi:cli/exit"), Fault::new("limits", "two memories")];
        let problem = Problem::from(Refusal::ConnectorRefused(reasons));
        let document: serde_json::Value = serde_json::from_slice(&problem.to_bytes("req_1")).unwrap();
        assert_eq!(document["errors"][0]["code"], "wasi_import");
        assert_eq!(document["errors"][0]["pointer"], "");
        assert_eq!(document["errors"][1]["detail"], "two memories");
    }

    /// The cause may hold anything: it is for the log alone.
    #[test]
    fn an_internal_cause_is_not_shown() {
        let problem = Problem::internal(anyhow::anyhow!("password hunter2").context("signing in"));
        let document = String::from_utf8(problem.to_bytes("req_1")).unwrap();
        assert!(!document.contains("hunter2") && !document.contains("signing"), "{document}");
        assert_eq!(format!("{:#}", problem.cause().unwrap()), "signing in: password hunter2");
    }

    #[test]
    fn headers_say_when_to_come_back_and_how_to_sign_in() {
        let response = Problem::unavailable("the database", 2).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        let response = Problem::new(Code::Unauthenticated).into_response();
        assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
    }
}
