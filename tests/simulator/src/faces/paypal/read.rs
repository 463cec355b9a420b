//! Requests as PayPal understands them.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::errors;
use super::state::Intent;
use crate::faces::answer::Answer;
use crate::faces::money;
use crate::gateway::ask::{Card, Method};

/// What PayPal counts in whole units, whatever ISO 4217 says.
const WHOLE: [&str; 3] = ["HUF", "JPY", "TWD"];
/// What it takes of everybody.
const CURRENCIES: [&str; 24] = [
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
    "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
];
/// In characters: ids of the merchant's, descriptions.
const TEXT_MAX_CHARS: usize = 127;

/// What is asked.
pub enum Ask {
    Create(Box<NewOrder>),
    Order(String),
    Finish { order: String, intent: Intent },
    Authorization(String),
    Capture { authorization: String, capture: NewCapture },
    Void(String),
    CaptureShown(String),
    Refund { capture: String, refund: NewRefund },
    RefundShown(String),
}

/// An order to be made. No `Debug`: it holds a card number.
pub struct NewOrder {
    pub intent: Intent,
    pub reference_id: Option<String>,
    pub description: Option<String>,
    pub custom_id: Option<String>,
    pub invoice_id: Option<String>,
    /// Minor units of ISO 4217.
    pub amount: i64,
    pub currency: String,
    pub method: Method,
    pub name: Option<String>,
    pub verifies: bool,
    pub return_url: Option<String>,
    pub cancel_url: Option<String>,
}

pub struct NewCapture {
    /// Minor units and currency; all of it where it says nothing.
    pub amount: Option<(i64, String)>,
    pub invoice_id: Option<String>,
    pub is_final: bool,
}

pub struct NewRefund {
    pub amount: Option<(i64, String)>,
    pub custom_id: Option<String>,
    pub invoice_id: Option<String>,
    pub note: Option<String>,
}

#[derive(Deserialize)]
struct Amount {
    currency_code: String,
    value: String,
}

#[derive(Deserialize)]
struct OrderBody {
    intent: Option<String>,
    purchase_units: Option<Vec<Unit>>,
    payment_source: Option<Source>,
}

#[derive(Deserialize)]
struct Unit {
    reference_id: Option<String>,
    description: Option<String>,
    custom_id: Option<String>,
    invoice_id: Option<String>,
    amount: Option<Amount>,
}

#[derive(Deserialize)]
struct Source {
    card: Option<CardSource>,
    paypal: Option<WalletSource>,
}

#[derive(Deserialize)]
struct CardSource {
    number: Option<String>,
    expiry: Option<String>,
    security_code: Option<String>,
    name: Option<String>,
    vault_id: Option<String>,
    attributes: Option<Attributes>,
    experience_context: Option<Pages>,
}

#[derive(Deserialize)]
struct Attributes {
    verification: Option<Verification>,
}

#[derive(Deserialize)]
struct Verification {
    method: String,
}

#[derive(Deserialize)]
struct WalletSource {
    vault_id: Option<String>,
    experience_context: Option<Pages>,
}

#[derive(Deserialize, Default)]
struct Pages {
    return_url: Option<String>,
    cancel_url: Option<String>,
}

#[derive(Deserialize)]
struct CaptureBody {
    amount: Option<Amount>,
    invoice_id: Option<String>,
    #[serde(default)]
    final_capture: bool,
}

#[derive(Deserialize)]
struct RefundBody {
    amount: Option<Amount>,
    custom_id: Option<String>,
    invoice_id: Option<String>,
    note_to_payer: Option<String>,
}

impl Ask {
    /// Understands a request; `segments` are those of its path.
    pub fn read(method: &str, segments: &[&str], body: &[u8]) -> Result<Self, Answer> {
        let owned = |id: &str| id.to_owned();
        Ok(match (method, segments) {
            ("POST", ["v2", "checkout", "orders"]) => Self::Create(Box::new(json::<OrderBody>(body)?.read()?)),
            ("GET", ["v2", "checkout", "orders", id]) => Self::Order(owned(id)),
            ("POST", ["v2", "checkout", "orders", id, "capture"]) => {
                Self::Finish { order: owned(id), intent: Intent::Capture }
            }
            ("POST", ["v2", "checkout", "orders", id, "authorize"]) => {
                Self::Finish { order: owned(id), intent: Intent::Authorize }
            }
            ("GET", ["v2", "payments", "authorizations", id]) => Self::Authorization(owned(id)),
            ("POST", ["v2", "payments", "authorizations", id, "capture"]) => {
                Self::Capture { authorization: owned(id), capture: json::<CaptureBody>(body)?.read()? }
            }
            ("POST", ["v2", "payments", "authorizations", id, "void"]) => Self::Void(owned(id)),
            ("GET", ["v2", "payments", "captures", id]) => Self::CaptureShown(owned(id)),
            ("POST", ["v2", "payments", "captures", id, "refund"]) => {
                Self::Refund { capture: owned(id), refund: json::<RefundBody>(body)?.read()? }
            }
            ("GET", ["v2", "payments", "refunds", id]) => Self::RefundShown(owned(id)),
            _ => return Err(errors::not_found()),
        })
    }
}

impl OrderBody {
    fn read(self) -> Result<NewOrder, Answer> {
        let intent = match self.intent.as_deref() {
            Some("CAPTURE") => Intent::Capture,
            Some("AUTHORIZE") => Intent::Authorize,
            Some(_) => return Err(errors::invalid("INVALID_PARAMETER_VALUE", "/intent")),
            None => return Err(errors::invalid("MISSING_REQUIRED_PARAMETER", "/intent")),
        };
        let units = self.purchase_units.unwrap_or_default();
        // More than one is PayPal's, and nobody's here.
        let [unit] =
            <[Unit; 1]>::try_from(units).map_err(|_| errors::invalid("INVALID_ARRAY_MIN_ITEMS", "/purchase_units"))?;
        let texts = [
            ("/purchase_units/0/custom_id", &unit.custom_id),
            ("/purchase_units/0/invoice_id", &unit.invoice_id),
            ("/purchase_units/0/description", &unit.description),
        ];
        for (field, text) in texts {
            short(text.as_ref(), field)?;
        }
        let amount =
            unit.amount.ok_or_else(|| errors::invalid("MISSING_REQUIRED_PARAMETER", "/purchase_units/0/amount"));
        let (amount, currency) = amount?.read()?;
        let source = self.payment_source.ok_or_else(|| errors::unprocessable("ONE_OF_PARAMETERS_REQUIRED"))?;
        let (method, name, verifies, pages) = source.read()?;
        let Pages { return_url, cancel_url } = pages.unwrap_or_default();
        let Unit { reference_id, description, custom_id, invoice_id, .. } = unit;
        Ok(NewOrder {
            intent,
            reference_id,
            description,
            custom_id,
            invoice_id,
            amount,
            currency,
            method,
            name,
            verifies,
            return_url,
            cancel_url,
        })
    }
}

impl Source {
    /// The method, the name on it, whether the payer is to be asked, and where to send them.
    fn read(self) -> Result<(Method, Option<String>, bool, Option<Pages>), Answer> {
        match (self.card, self.paypal) {
            (Some(card), None) => {
                let verifies = card.attributes.and_then(|it| it.verification).is_some_and(|it| !it.method.is_empty());
                let method = if let Some(token) = card.vault_id {
                    Method::Token { token }
                } else {
                    let number = card.number.ok_or_else(|| errors::unprocessable("CARD_NUMBER_REQUIRED"))?;
                    let expiry = card.expiry.ok_or_else(|| errors::unprocessable("CARD_EXPIRY_REQUIRED"))?;
                    let (year, month) = expiry.split_once('-').unwrap_or((&expiry, ""));
                    let (expiry_month, expiry_year) = (month.to_owned(), year.to_owned());
                    Method::Card(Card { number, expiry_month, expiry_year, cvc: card.security_code })
                };
                Ok((method, card.name, verifies, card.experience_context))
            }
            (None, Some(wallet)) => {
                Ok((Method::Wallet { token: wallet.vault_id }, None, false, wallet.experience_context))
            }
            _ => Err(errors::unprocessable("ONE_OF_PARAMETERS_REQUIRED")),
        }
    }
}

impl CaptureBody {
    fn read(self) -> Result<NewCapture, Answer> {
        short(self.invoice_id.as_ref(), "/invoice_id")?;
        let amount = self.amount.map(Amount::read).transpose()?;
        Ok(NewCapture { amount, invoice_id: self.invoice_id, is_final: self.final_capture })
    }
}

impl RefundBody {
    fn read(self) -> Result<NewRefund, Answer> {
        short(self.invoice_id.as_ref(), "/invoice_id")?;
        short(self.custom_id.as_ref(), "/custom_id")?;
        let amount = self.amount.map(Amount::read).transpose()?;
        let Self { custom_id, invoice_id, note_to_payer: note, .. } = self;
        Ok(NewRefund { amount, custom_id, invoice_id, note })
    }
}

impl Amount {
    /// In minor units of ISO 4217, whatever PayPal counts in.
    fn read(self) -> Result<(i64, String), Answer> {
        let Self { currency_code: currency, value } = self;
        if !CURRENCIES.contains(&currency.as_str()) {
            return Err(errors::unprocessable("INVALID_CURRENCY_CODE"));
        }
        if WHOLE.contains(&currency.as_str()) && value.contains('.') {
            return Err(errors::unprocessable("DECIMALS_NOT_SUPPORTED"));
        }
        let minor = money::minor(&value, money::exponent(&currency));
        match minor {
            Some(minor) if minor > 0 => Ok((minor, currency)),
            Some(_) => Err(errors::unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE")),
            None if value.split_once('.').is_some_and(|(_, cents)| cents.len() > 2) => {
                Err(errors::unprocessable("DECIMAL_PRECISION"))
            }
            None => Err(errors::invalid("INVALID_PARAMETER_SYNTAX", "/amount/value")),
        }
    }
}

/// The amount as PayPal writes it.
pub fn written(minor: i64, currency: &str) -> String {
    let exponent = money::exponent(currency);
    let text = money::decimal(minor, exponent);
    let whole = WHOLE.contains(&currency).then(|| text.split('.').next().unwrap_or_default().to_owned());
    whole.unwrap_or(text)
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Answer> {
    // PayPal takes no body for an empty object.
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|_| errors::invalid("MALFORMED_REQUEST_JSON", "/"))
}

fn short(text: Option<&String>, field: &str) -> Result<(), Answer> {
    match text {
        Some(text) if text.is_empty() || text.chars().count() > TEXT_MAX_CHARS => {
            Err(errors::invalid("INVALID_STRING_LENGTH", field))
        }
        _ => Ok(()),
    }
}
