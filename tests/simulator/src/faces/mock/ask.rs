//! What a client of the mock may ask, read from method, path, query and body.

use axum::http::Method as Verb;
use serde::Deserialize;

use crate::gateway::ask::{Card, Method, NewCapture, NewCharge, NewRefund, check};
use crate::gateway::refusal::Refusal;

/// One call, understood.
pub enum Ask {
    /// `POST /charges`
    Create(NewCharge),
    /// `POST /charges/{id}/capture`
    Capture { charge: String, capture: NewCapture },
    /// `POST /charges/{id}/cancel`
    Cancel { charge: String, reference: String },
    /// `POST /charges/{id}/refunds`
    Refund { charge: String, refund: NewRefund },
    /// `GET /charges/{id}`
    Charge(String),
    /// `GET /charges?reference=…`
    ChargeByReference(String),
    /// `GET /refunds?reference=…`
    RefundByReference(String),
}

#[derive(Deserialize)]
struct NewCancel {
    reference: String,
}

#[derive(Deserialize)]
struct ByReference {
    reference: String,
}

impl Ask {
    /// Reads a call.
    ///
    /// # Errors
    /// 404 for a path, 405 for a method that the gateway does not know, 400 for a body that it cannot read.
    pub fn read(verb: &Verb, path: &str, query: Option<&str>, body: &[u8]) -> Result<Self, Refusal> {
        let mut parts = path.trim_start_matches('/').split('/');
        let place = (parts.next().unwrap_or_default(), parts.next(), parts.next(), parts.next());
        let ask = match (verb.as_str(), place) {
            ("POST", ("charges", None, ..)) => Self::Create(json(body)?),
            ("POST", ("charges", Some(id), Some("capture"), None)) => {
                Self::Capture { charge: id.to_owned(), capture: json(body)? }
            }
            ("POST", ("charges", Some(id), Some("cancel"), None)) => {
                Self::Cancel { charge: id.to_owned(), reference: json::<NewCancel>(body)?.reference }
            }
            ("POST", ("charges", Some(id), Some("refunds"), None)) => {
                Self::Refund { charge: id.to_owned(), refund: json(body)? }
            }
            ("GET", ("charges", None, ..)) => Self::ChargeByReference(reference_of(query)?),
            ("GET", ("charges", Some(id), None, _)) => Self::Charge(id.to_owned()),
            ("GET", ("refunds", None, ..)) => Self::RefundByReference(reference_of(query)?),
            (_, ("charges" | "refunds", ..)) if !matches!(verb.as_str(), "GET" | "POST") => {
                return Err(Refusal::METHOD_NOT_ALLOWED);
            }
            _ => return Err(Refusal::NOT_FOUND),
        };
        ask.check()?;
        Ok(ask)
    }

    /// The operation that the call names: the body's or the query's reference.
    pub fn reference(&self) -> Option<&str> {
        match self {
            Self::Create(charge) => Some(&charge.reference),
            Self::Capture { capture, .. } => Some(&capture.reference),
            Self::Refund { refund, .. } => Some(&refund.reference),
            Self::Cancel { reference, .. }
            | Self::ChargeByReference(reference)
            | Self::RefundByReference(reference) => Some(reference),
            Self::Charge(_) => None,
        }
    }

    /// The amount that the call names, in minor units.
    pub fn amount(&self) -> Option<i64> {
        match self {
            Self::Create(charge) => Some(charge.amount),
            Self::Capture { capture, .. } => Some(capture.amount),
            Self::Refund { refund, .. } => Some(refund.amount),
            Self::Cancel { .. } | Self::Charge(_) | Self::ChargeByReference(_) | Self::RefundByReference(_) => None,
        }
    }

    /// The charge that the path names.
    pub fn charge(&self) -> Option<&str> {
        match self {
            Self::Capture { charge, .. } | Self::Cancel { charge, .. } | Self::Refund { charge, .. } => Some(charge),
            Self::Charge(charge) => Some(charge),
            Self::Create(_) | Self::ChargeByReference(_) | Self::RefundByReference(_) => None,
        }
    }

    /// The card that the call carries.
    pub fn card(&self) -> Option<&Card> {
        match self {
            Self::Create(NewCharge { method: Method::Card(card), .. }) => Some(card),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Create(charge) => charge.check(),
            other => other.reference().map_or(Ok(()), |reference| check(reference, other.amount())),
        }
    }
}

/// Serde's own message could quote a card number, so the answer does not carry it.
fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|_| Refusal::bad_request("invalid_request", "the body is not what this call takes"))
}

fn reference_of(query: Option<&str>) -> Result<String, Refusal> {
    serde_urlencoded::from_str::<ByReference>(query.unwrap_or_default())
        .map(|query| query.reference)
        .map_err(|_| Refusal::bad_request("invalid_request", "reference is missing from the query"))
}
