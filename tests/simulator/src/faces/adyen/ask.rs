//! Reads requests: Adyen's JSON into what the gateway understands.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::errors::{self, ServiceError};
use super::state::State;
use crate::faces::{Deed, Request};
use crate::gateway::Gateway;
use crate::gateway::ask::{Card, Method, NewCapture, NewCharge, NewRefund};

/// The longest reference, in bytes.
const REFERENCE_MAX_BYTES: usize = 80;

/// A request.
pub enum Ask {
    Pay(Box<Pay>),
    /// What the browser brought back.
    Details(String),
    Modify(Modify),
}

/// `POST /payments`
pub struct Pay {
    pub charge: NewCharge,
    pub merchant_account: String,
    pub metadata: Map<String, Value>,
    /// `scheme`, `applepay` …
    pub kind: String,
    pub holder_name: Option<String>,
    /// `additionalData.RequestedTestAcquirerResponseCode`
    pub wanted: Option<String>,
}

/// A capture, cancel or refund.
pub struct Modify {
    pub merchant_account: String,
    /// What the caller calls it; the operation's id and its kind.
    pub reference: String,
    pub of: Target,
    pub what: What,
}

/// Which payment.
pub enum Target {
    /// By Adyen's reference.
    Psp(String),
    /// By the caller's.
    Own(String),
}

pub enum What {
    Capture(NewCapture),
    Cancel,
    Refund(NewRefund),
}

/// An amount as Adyen writes it.
#[derive(Deserialize, Clone)]
pub struct Amount {
    value: i64,
    currency: String,
}

impl Amount {
    /// In minor units of ISO 4217.
    fn minor(&self) -> Result<i64, ServiceError> {
        match self.currency.as_str() {
            "CLP" | "ISK" if self.value % 100 != 0 => Err(errors::NO_AMOUNT),
            "CLP" | "ISK" => Ok(self.value / 100),
            "CVE" | "IDR" => self.value.checked_mul(100).ok_or(errors::NO_AMOUNT),
            _ => Ok(self.value),
        }
    }
}

/// How Adyen writes so many minor units of ISO 4217.
pub fn value(minor: i64, currency: &str) -> i64 {
    match currency {
        "CLP" | "ISK" => minor * 100,
        "CVE" | "IDR" => minor / 100,
        _ => minor,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentRequest {
    amount: Amount,
    #[serde(default)]
    merchant_account: String,
    #[serde(default)]
    reference: String,
    payment_method: PaymentMethod,
    return_url: Option<String>,
    shopper_reference: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    additional_data: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentMethod {
    #[serde(rename = "type")]
    kind: String,
    number: Option<String>,
    expiry_month: Option<String>,
    expiry_year: Option<String>,
    cvc: Option<String>,
    holder_name: Option<String>,
    stored_payment_method_id: Option<String>,
    apple_pay_token: Option<String>,
    google_pay_token: Option<String>,
}

#[derive(Deserialize)]
struct DetailsRequest {
    details: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModificationRequest {
    #[serde(default)]
    merchant_account: String,
    #[serde(default)]
    reference: String,
    amount: Option<Amount>,
    payment_reference: Option<String>,
}

impl Ask {
    /// Understands a request, without any effect.
    pub fn read(request: &Request) -> Result<Self, ServiceError> {
        if request.method != "POST" {
            return Err(errors::NO_SUCH_PATH);
        }
        match request.segments().as_slice() {
            ["v71", "payments"] => pay(request),
            ["v71", "payments", "details"] => details(request),
            ["v71", "cancels"] => modify(request, "cancels", None),
            ["v71", "payments", payment, verb] => modify(request, verb, Some(payment)),
            _ => Err(errors::NO_SUCH_PATH),
        }
    }
}

fn body<T: for<'a> Deserialize<'a>>(request: &Request) -> Result<T, ServiceError> {
    serde_json::from_slice(request.body).map_err(|_| errors::UNREADABLE)
}

fn pay(request: &Request) -> Result<Ask, ServiceError> {
    let asked: PaymentRequest = body(request)?;
    named(&asked.merchant_account, &asked.reference)?;
    let return_url = asked.return_url.clone().filter(|url| !url.is_empty()).ok_or(errors::NO_RETURN_URL)?;
    let text = |name: &str| asked.additional_data.get(name).and_then(Value::as_str).map(str::to_owned);
    let charge = NewCharge {
        reference: asked.reference.clone(),
        amount: asked.amount.minor()?,
        currency: asked.amount.currency.clone(),
        capture: text("manualCapture").as_deref() != Some("true"),
        method: method(&asked)?,
        return_url: Some(return_url),
    };
    charge.check().map_err(errors::of_refusal)?;
    Ok(Ask::Pay(Box::new(Pay {
        charge,
        wanted: text("RequestedTestAcquirerResponseCode"),
        merchant_account: asked.merchant_account,
        metadata: asked.metadata,
        kind: asked.payment_method.kind,
        holder_name: asked.payment_method.holder_name,
    })))
}

fn method(asked: &PaymentRequest) -> Result<Method, ServiceError> {
    let method = &asked.payment_method;
    match (method.kind.as_str(), &method.number, &method.stored_payment_method_id) {
        ("scheme", Some(number), None) => {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            // Adyen takes "3" for March.
            let expiry_month = format!("{:0>2}", part(&method.expiry_month));
            let expiry_year = part(&method.expiry_year);
            Ok(Method::Card(Card { number: number.clone(), expiry_month, expiry_year, cvc: method.cvc.clone() }))
        }
        ("scheme", None, Some(token)) => {
            asked.shopper_reference.as_ref().ok_or(errors::NO_SHOPPER)?;
            Ok(Method::Token { token: token.clone() })
        }
        ("applepay", ..) => Ok(Method::Wallet { token: Some(method.apple_pay_token.clone().unwrap_or_default()) }),
        ("googlepay", ..) => Ok(Method::Wallet { token: Some(method.google_pay_token.clone().unwrap_or_default()) }),
        _ => Err(errors::NO_VARIANT),
    }
}

fn details(request: &Request) -> Result<Ask, ServiceError> {
    let asked: DetailsRequest = body(request)?;
    let result = ["redirectResult", "payload", "MD"].iter().find_map(|name| asked.details.get(*name)?.as_str());
    Ok(Ask::Details(result.ok_or(errors::NO_RESULT)?.to_owned()))
}

fn modify(request: &Request, verb: &str, payment: Option<&str>) -> Result<Ask, ServiceError> {
    let asked: ModificationRequest = body(request)?;
    named(&asked.merchant_account, &asked.reference)?;
    let amount = || asked.amount.as_ref().ok_or(errors::NO_AMOUNT)?.minor().and_then(above_zero);
    let operation = operation_of(&asked.reference).to_owned();
    let what = match verb {
        "captures" => What::Capture(NewCapture {
            reference: operation,
            amount: amount()?,
            last: !asked.reference.ends_with("-part"),
        }),
        "cancels" => What::Cancel,
        "refunds" => What::Refund(NewRefund { reference: operation, amount: amount()? }),
        _ => return Err(errors::NO_SUCH_PATH),
    };
    let of = match (payment, &asked.payment_reference) {
        (Some(payment), _) => Target::Psp(payment.to_owned()),
        (None, Some(reference)) => Target::Own(reference.clone()),
        (None, None) => return Err(errors::NO_PAYMENT),
    };
    Ok(Ask::Modify(Modify { merchant_account: asked.merchant_account, reference: asked.reference, of, what }))
}

fn above_zero(amount: i64) -> Result<i64, ServiceError> {
    if amount > 0 { Ok(amount) } else { Err(errors::NO_AMOUNT) }
}

fn named(merchant_account: &str, reference: &str) -> Result<(), ServiceError> {
    if merchant_account.is_empty() {
        return Err(errors::NO_MERCHANT_ACCOUNT);
    }
    match reference.len() {
        0 => Err(errors::NO_REFERENCE),
        1..=REFERENCE_MAX_BYTES => Ok(()),
        _ => Err(errors::REFERENCE_TOO_LONG),
    }
}

/// The host's operation: what stands before the kind.
pub fn operation_of(reference: &str) -> &str {
    reference.split_once('-').map_or(reference, |(operation, _)| operation)
}

impl Pay {
    pub fn card(&self) -> Option<&Card> {
        match &self.charge.method {
            Method::Card(card) => Some(card),
            Method::Upi { .. } | Method::Wallet { .. } | Method::Token { .. } => None,
        }
    }
}

impl Modify {
    pub fn operation(&self) -> &str {
        operation_of(&self.reference)
    }

    pub fn deed(&self) -> Deed {
        match self.what {
            What::Capture(_) => Deed::Capture,
            What::Cancel => Deed::Cancel,
            What::Refund(_) => Deed::Refund,
        }
    }

    pub fn amount(&self) -> Option<i64> {
        match &self.what {
            What::Capture(capture) => Some(capture.amount),
            What::Cancel => None,
            What::Refund(refund) => Some(refund.amount),
        }
    }

    /// The id of the charge that is meant.
    pub fn charge(&self, gateway: &Gateway, state: &State) -> Option<String> {
        match &self.of {
            Target::Psp(psp_reference) => state.charge(psp_reference),
            Target::Own(reference) => gateway.step(reference).map(|(_, charge)| charge.id.clone()),
        }
    }
}
