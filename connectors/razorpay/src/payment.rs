//! Orders and payments as Razorpay writes them, and what they mean to us.

use interlock_connector::types::{Accepted, Approval, CaptureMethod, Context, Failure, Money, Outcome, Pairs};
use interlock_connector::{Host, references};
use serde::{Deserialize, Deserializer};

use crate::ask;
use crate::reasons::Words;

/// The name under which the order's id is kept between operations.
pub const ORDER: &str = "order";
/// The name under which the payment's id is kept.
pub const PAYMENT: &str = "payment";

/// How the ids of all our operations begin; other receipts are other systems'.
pub const OPERATION_PREFIX: &str = "op_";

/// An order. Amounts in minor units.
#[derive(Deserialize)]
pub struct Order {
    pub id: String,
    pub amount: u64,
    pub currency: String,
    pub receipt: Option<String>,
    pub status: OrderStatus,
    /// Payments that were tried under it.
    pub attempts: u64,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Nothing was ever tried under it.
    Created,
    Attempted,
    /// A payment under it was captured.
    Paid,
}

/// A payment. Amounts in minor units.
#[derive(Deserialize)]
pub struct Payment {
    pub id: String,
    pub amount: u64,
    pub currency: String,
    pub status: Status,
    pub order_id: Option<String>,
    #[serde(default)]
    amount_refunded: u64,
    /// Whether it was ever captured. A payment that was given back without it had lapsed.
    #[serde(deserialize_with = "flag")]
    pub captured: bool,
    #[serde(default, deserialize_with = "text")]
    method: Option<String>,
    #[serde(default)]
    pub notes: Option<Notes>,
    #[serde(default, deserialize_with = "text")]
    error_code: Option<String>,
    #[serde(default, deserialize_with = "text")]
    error_reason: Option<String>,
    #[serde(default, deserialize_with = "text")]
    error_description: Option<String>,
    #[serde(default)]
    pub acquirer_data: Option<Acquirer>,
    /// Unix time in seconds.
    pub created_at: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The customer has yet to act, or the bank to answer.
    Created,
    Authorized,
    Captured,
    /// Given back in full.
    Refunded,
    Failed,
}

/// What was noted on a payment or refund; Razorpay writes none as `[]`, which is read as none too.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Notes {
    #[serde(deserialize_with = "text")]
    interlock_operation: Option<String>,
    #[serde(deserialize_with = "text")]
    interlock_capture: Option<String>,
}

/// Numbers of the banks.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Acquirer {
    #[serde(deserialize_with = "text")]
    pub rrn: Option<String>,
    #[serde(deserialize_with = "text")]
    auth_code: Option<String>,
    #[serde(deserialize_with = "text")]
    pub arn: Option<String>,
}

/// A page of a list.
#[derive(Deserialize)]
pub struct Collection<T> {
    count: usize,
    items: Vec<T>,
}

impl<T> Collection<T> {
    /// Its items, where there are as many as it says: an empty list has to say that it is empty.
    pub fn items(self) -> Result<Vec<T>, Failure> {
        if self.count == self.items.len() { Ok(self.items) } else { Err(Failure::new("a list has another length")) }
    }
}

impl Notes {
    /// The operation that made it, without the number of the request; none for what other systems of the merchant made.
    pub fn operation_id(&self) -> Option<&str> {
        let noted = self.interlock_operation.as_deref()?;
        Some(noted.rsplit_once('-').map_or(noted, |(operation, _)| operation))
    }

    /// Of a payment: whether it was to be captured by itself. An event does not say so otherwise.
    pub fn capture(&self) -> Option<CaptureMethod> {
        match self.interlock_capture.as_deref() {
            Some(ask::AUTOMATIC) => Some(CaptureMethod::Automatic),
            Some(ask::MANUAL) => Some(CaptureMethod::Manual),
            _ => None,
        }
    }
}

impl Payment {
    /// Our operation, by the payment's notes.
    pub fn operation_id(&self) -> Option<&str> {
        self.notes.as_ref().and_then(Notes::operation_id)
    }

    /// What it says of the attempt that made it.
    ///
    /// With automatic capture an authorized payment is on its way to be captured, for as long as Razorpay was told to
    /// take it by itself; after that it is held until the merchant takes it.
    pub fn outcome(self, ctx: &Context, capture: CaptureMethod, host: &mut dyn Host) -> Result<Outcome, Failure> {
        self.outcome_at(ctx.now, ctx, capture, host)
    }

    /// As [`Payment::outcome`], of a payment that stood so at `time`, in Unix milliseconds: events may come late.
    pub fn outcome_at(
        self,
        time: u64,
        ctx: &Context,
        capture: CaptureMethod,
        host: &mut dyn Host,
    ) -> Result<Outcome, Failure> {
        if self.status == Status::Authorized && capture == CaptureMethod::Automatic {
            let ends = self.after(ask::minutes(ctx, "automatic_expiry_period")?.unwrap_or(0));
            if time < ends {
                return Ok(Outcome::Pending(self.accepted()));
            }
        }
        self.standing(ctx, host)
    }

    /// What it says as it stands.
    pub fn standing(self, ctx: &Context, host: &mut dyn Host) -> Result<Outcome, Failure> {
        Ok(match self.status {
            Status::Created => Outcome::Pending(self.accepted()),
            Status::Authorized => {
                let lapses = ask::minutes(ctx, "manual_expiry_period")?.map(|minutes| self.after(minutes));
                Outcome::Authorized(Approval { capture_before: lapses, ..self.approval() })
            }
            Status::Captured => Outcome::Captured(self.approval()),
            Status::Refunded if self.captured => Outcome::Captured(self.approval()),
            // Nobody took it in time, and Razorpay gave it back by itself.
            Status::Refunded => Outcome::Expired(self.accepted()),
            Status::Failed => self.declined(host),
        })
    }

    /// That Razorpay gave it back, uncaptured.
    pub fn accepted(self) -> Accepted {
        let references = self.references();
        Accepted::of(self.id, references)
    }

    pub fn references(&self) -> Pairs {
        let order = self.order_id.as_deref().map(|order| (ORDER, order));
        references(order.into_iter().chain([(PAYMENT, self.id.as_str())]))
    }

    fn approval(self) -> Approval {
        let references = self.references();
        let Acquirer { rrn, auth_code, .. } = self.acquirer_data.unwrap_or_default();
        let of = |minor_units| Money::new(minor_units, self.currency.as_str());
        let was_captured = self.captured || self.status == Status::Captured;
        let (captured, refunded) = if was_captured { (self.amount, self.amount_refunded) } else { (0, 0) };
        let (captured, refunded) = (of(captured), of(refunded));
        Approval {
            captured_total: Some(captured),
            refunded_total: Some(refunded),
            references,
            network_reference: rrn,
            authorization_code: auth_code,
            ..Approval::of(self.id, Money::new(self.amount, self.currency))
        }
    }

    fn declined(self, host: &mut dyn Host) -> Outcome {
        let references = self.references();
        let words = Words { code: self.error_code, reason: self.error_reason, description: self.error_description };
        let is_upi = self.method.as_deref() == Some("upi");
        Outcome::Declined(words.of_payment(is_upi, host).about(self.id).with_references(references))
    }

    /// Unix time in milliseconds, so many minutes after it was made.
    fn after(&self, minutes: u64) -> u64 {
        self.created_at.saturating_add(minutes.saturating_mul(60)).saturating_mul(1000)
    }
}

/// `true` and `false`, and the older `1` and `0`, as numbers and as texts.
fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    match serde_json::Value::deserialize(from)? {
        serde_json::Value::Bool(flag) => Ok(flag),
        serde_json::Value::Number(number) if number.as_u64().is_some_and(|number| number < 2) => {
            Ok(number.as_u64() == Some(1))
        }
        serde_json::Value::String(text) if matches!(text.as_str(), "0" | "1") => Ok(text == "1"),
        _ => Err(serde::de::Error::custom("neither true nor false")),
    }
}

/// A text that is worth something; none for null, `""` and what is no text. For members whose absence, or oddity, must
/// not make a payment unreadable.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    })
}
