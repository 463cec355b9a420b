//! What a client may ask of the gateway, read from method, path, query and body.
//!
//! Nothing here has an effect: a call is understood first, so that a fault can be chosen by its reference or amount
//! before anything has happened.

use axum::http::Method as Verb;
use serde::Deserialize;

use super::answer::Refusal;

/// The largest amount, in minor units. A million of these add up without overflowing what totals are counted in.
pub const AMOUNT_MAX_MINOR: i64 = 1_000_000_000_000;
/// The longest reference, in bytes.
pub const REFERENCE_MAX_BYTES: usize = 255;

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

/// The body of `POST /charges`. No `Debug`: it holds a card number.
#[derive(Deserialize)]
pub struct NewCharge {
    pub reference: String,
    pub amount: i64,
    pub currency: String,
    /// Take the money at once, or only hold it.
    pub capture: bool,
    pub method: Method,
    pub return_url: Option<String>,
}

/// What is charged. No `Debug`: it holds a card number.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Method {
    Card(Card),
    Upi {
        flow: UpiFlow,
        /// Required for `collect`.
        vpa: Option<String>,
    },
    /// Without a token the customer is sent to the wallet.
    Wallet {
        token: Option<String>,
    },
    Token {
        token: String,
    },
}

#[derive(Deserialize)]
pub struct Card {
    pub number: String,
    /// "01" … "12"
    pub expiry_month: String,
    /// "2030"
    pub expiry_year: String,
    pub cvc: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum UpiFlow {
    Collect,
    Intent,
    Qr,
}

/// The body of a capture.
#[derive(Deserialize)]
pub struct NewCapture {
    pub reference: String,
    pub amount: i64,
    /// A final capture gives back what is still held.
    #[serde(rename = "final", default = "yes")]
    pub last: bool,
}

/// The body of a refund.
#[derive(Deserialize)]
pub struct NewRefund {
    pub reference: String,
    pub amount: i64,
}

#[derive(Deserialize)]
struct NewCancel {
    reference: String,
}

#[derive(Deserialize)]
struct ByReference {
    reference: String,
}

/// Serde wants a function for a default of `true`.
fn yes() -> bool {
    true
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
        if self.reference().is_some_and(|r| r.is_empty() || r.len() > REFERENCE_MAX_BYTES) {
            return Err(Refusal::bad_request("invalid_reference", "reference must have 1 to 255 bytes"));
        }
        if self.amount().is_some_and(|amount| !(1..=AMOUNT_MAX_MINOR).contains(&amount)) {
            return Err(Refusal::bad_request("invalid_amount", "amount must be above zero and not beyond all measure"));
        }
        let Self::Create(charge) = self else { return Ok(()) };
        if charge.currency.len() != 3 || !charge.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Refusal::bad_request("invalid_currency", "currency must be three capital letters"));
        }
        charge.method.check()
    }
}

impl Method {
    fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Card(card) => {
                let (month, year) = (card.expiry_month.as_str(), card.expiry_year.as_str());
                let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
                if !digits(month, 2) || !("01"..="12").contains(&month) || !digits(year, 4) {
                    return Err(Refusal::bad_request("invalid_expiry", "expiry must look like 05 and 2030"));
                }
                if !(12..=19).contains(&card.number.len()) || !card.number.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(Refusal::bad_request("invalid_number", "a card number has 12 to 19 digits"));
                }
                if card.cvc.as_ref().is_some_and(|cvc| !digits(cvc, 3) && !digits(cvc, 4)) {
                    return Err(Refusal::bad_request("invalid_cvc", "a card's code has 3 or 4 digits"));
                }
            }
            Self::Upi { flow: UpiFlow::Collect, vpa } if !vpa.as_ref().is_some_and(|vpa| vpa.contains('@')) => {
                return Err(Refusal::bad_request("invalid_vpa", "collect needs a vpa like name@bank"));
            }
            Self::Token { token } | Self::Wallet { token: Some(token) } if token.is_empty() => {
                return Err(Refusal::bad_request("invalid_token", "token must not be empty"));
            }
            Self::Upi { .. } | Self::Wallet { .. } | Self::Token { .. } => {}
        }
        Ok(())
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
