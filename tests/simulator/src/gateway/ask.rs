//! What the gateway is asked to do: charge, capture, refund. The mock's JSON looks exactly like this.

use serde::Deserialize;

use super::refusal::Refusal;

/// The largest amount, in minor units. A million of these add up without overflowing what totals are counted in.
pub const AMOUNT_MAX_MINOR: i64 = 1_000_000_000_000;
/// The longest reference, in bytes.
pub const REFERENCE_MAX_BYTES: usize = 255;

/// A charge to be made. No `Debug`: it holds a card number.
#[derive(Deserialize, Clone)]
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
#[derive(Deserialize, Clone)]
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

/// No `Debug`: it holds a card number.
#[derive(Deserialize, Clone)]
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

/// A capture to be made.
#[derive(Deserialize, Clone)]
pub struct NewCapture {
    pub reference: String,
    pub amount: i64,
    /// A final capture gives back what is still held.
    #[serde(rename = "final", default = "yes")]
    pub last: bool,
}

/// A refund to be made.
#[derive(Deserialize, Clone)]
pub struct NewRefund {
    pub reference: String,
    pub amount: i64,
}

/// Serde wants a function for a default of `true`.
fn yes() -> bool {
    true
}

/// Whether the gateway can work with such a reference and, where one is named, such an amount.
///
/// # Errors
/// `invalid_reference`, `invalid_amount`.
pub fn check(reference: &str, amount: Option<i64>) -> Result<(), Refusal> {
    if reference.is_empty() || reference.len() > REFERENCE_MAX_BYTES {
        return Err(Refusal::bad_request("invalid_reference", "reference must have 1 to 255 bytes"));
    }
    if amount.is_some_and(|amount| !(1..=AMOUNT_MAX_MINOR).contains(&amount)) {
        return Err(Refusal::bad_request("invalid_amount", "amount must be above zero and not beyond all measure"));
    }
    Ok(())
}

impl NewCharge {
    /// Whether it can be charged.
    ///
    /// # Errors
    /// `invalid_*`, with what is wrong.
    pub fn check(&self) -> Result<(), Refusal> {
        check(&self.reference, Some(self.amount))?;
        if self.currency.len() != 3 || !self.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Refusal::bad_request("invalid_currency", "currency must be three capital letters"));
        }
        self.method.check()
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
