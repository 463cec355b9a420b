//! Authorizations, captures and refunds as PayPal shows them, and what they mean to us.

use interlock_connector::types::{Accepted, Approval, DeclineCode, Failure, Level, Money, Outcome, Pairs, RetryAdvice};
use interlock_connector::{DeclineTable, Host, references, time};
use serde::Deserialize;

use crate::amount::Amount;
use crate::order::{Link, ORDER};
use crate::processor::{self, ProcessorResponse};

/// The name under which an authorization's id is kept between operations.
pub const AUTHORIZATION: &str = "authorization";
/// The name under which a capture's id is kept.
pub const CAPTURE: &str = "capture";
/// The name under which a refund's id is kept.
pub const REFUND: &str = "refund";

/// Money that is held.
#[derive(Deserialize)]
pub struct Authorization {
    pub id: String,
    pub status: AuthorizationStatus,
    amount: Option<Amount>,
    /// RFC 3339.
    expiration_time: Option<String>,
    processor_response: Option<ProcessorResponse>,
    network_transaction_reference: Option<NetworkReference>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthorizationStatus {
    Created,
    Captured,
    Denied,
    Expired,
    PartiallyCaptured,
    Voided,
    Pending,
}

/// Money that was taken, or is to be.
#[derive(Deserialize)]
pub struct Capture {
    pub id: String,
    pub status: CaptureStatus,
    status_details: Option<StatusDetails>,
    amount: Option<Amount>,
    /// For a capture of an authorization the id of our operation; else that of the order's.
    pub invoice_id: Option<String>,
    processor_response: Option<ProcessorResponse>,
    network_transaction_reference: Option<NetworkReference>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CaptureStatus {
    Completed,
    Declined,
    /// The word of some webhooks and older replies for `DECLINED`.
    Denied,
    Failed,
    PartiallyRefunded,
    Pending,
    Refunded,
}

/// Money that was given back, or is to be.
#[derive(Deserialize)]
pub struct Refund {
    pub id: String,
    pub status: RefundStatus,
    amount: Option<Amount>,
    custom_id: Option<String>,
    invoice_id: Option<String>,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    Cancelled,
    Failed,
    Pending,
    Completed,
}

#[derive(Deserialize)]
struct StatusDetails {
    reason: Option<String>,
}

#[derive(Deserialize)]
struct NetworkReference {
    id: Option<String>,
}

/// Why money waits that somebody has to do something about, in PayPal's words: it waits for the merchant, and nobody
/// else would notice.
const WAITS_FOR_MERCHANT: [&str; 3] =
    ["RECEIVING_PREFERENCE_MANDATES_MANUAL_ACTION", "UNILATERAL", "VERIFICATION_REQUIRED"];

/// What a decline is called that has no processor's code.
const STATUSES: DeclineTable = DeclineTable(&[
    ("CAPTURE_DECLINED", DeclineCode::DoNotHonor, RetryAdvice::OtherGateway),
    ("CAPTURE_DENIED", DeclineCode::DoNotHonor, RetryAdvice::OtherGateway),
    ("CAPTURE_FAILED", DeclineCode::GatewayError, RetryAdvice::OtherGateway),
    ("AUTHORIZATION_DENIED", DeclineCode::DoNotHonor, RetryAdvice::OtherGateway),
    ("REFUND_CANCELLED", DeclineCode::Other, RetryAdvice::Never),
    ("REFUND_FAILED", DeclineCode::Other, RetryAdvice::SameGatewayLater),
]);

impl Authorization {
    /// What it says of the order that asked for it. `now_ms` tells one that lapsed from one that was called off: PayPal
    /// has the same word for both.
    pub fn outcome(&self, order: Option<&str>, now_ms: u64, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let references = self.references(order);
        Ok(match self.status {
            AuthorizationStatus::Created | AuthorizationStatus::Captured | AuthorizationStatus::PartiallyCaptured => {
                Outcome::Authorized(Approval {
                    capture_before: self.expires_ms(),
                    network_reference: network_reference(self.network_transaction_reference.as_ref()),
                    references,
                    ..Approval::of(self.id.as_str(), self.money()?)
                })
            }
            AuthorizationStatus::Pending => Outcome::Pending(Accepted::of(self.id.as_str(), references)),
            AuthorizationStatus::Expired => Outcome::Expired(Accepted::of(self.id.as_str(), references)),
            AuthorizationStatus::Voided if self.expires_ms().is_some_and(|expires| expires <= now_ms) => {
                Outcome::Expired(Accepted::of(self.id.as_str(), references))
            }
            AuthorizationStatus::Voided => {
                Outcome::Cancelled(Approval { references, ..Approval::of(self.id.as_str(), self.money()?) })
            }
            AuthorizationStatus::Denied => {
                declined("AUTHORIZATION_DENIED", self.processor_response.as_ref(), &self.id, references, host)
            }
        })
    }

    pub fn money(&self) -> Result<Money, Failure> {
        money(self.amount.as_ref())
    }

    pub fn references(&self, order: Option<&str>) -> Pairs {
        with_order(order, [(AUTHORIZATION, self.id.as_str())])
    }

    fn expires_ms(&self) -> Option<u64> {
        time::from_rfc3339(self.expiration_time.as_deref()?)
    }
}

impl Capture {
    /// What it says of the operation that made it. What became of the money later (a refund) does not change that.
    pub fn outcome(&self, order: Option<&str>, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let references = with_order(order, [(CAPTURE, self.id.as_str())]);
        let declined =
            |status, host| declined(status, self.processor_response.as_ref(), &self.id, references.clone(), host);
        Ok(match self.status {
            CaptureStatus::Completed | CaptureStatus::PartiallyRefunded | CaptureStatus::Refunded => {
                Outcome::Captured(Approval {
                    network_reference: network_reference(self.network_transaction_reference.as_ref()),
                    references,
                    ..Approval::of(self.id.as_str(), self.money()?)
                })
            }
            CaptureStatus::Pending => {
                self.tell_why(host);
                Outcome::Pending(Accepted::of(self.id.as_str(), references))
            }
            CaptureStatus::Declined => declined("CAPTURE_DECLINED", host),
            CaptureStatus::Denied => declined("CAPTURE_DENIED", host),
            CaptureStatus::Failed => declined("CAPTURE_FAILED", host),
        })
    }

    pub fn money(&self) -> Result<Money, Failure> {
        money(self.amount.as_ref())
    }

    /// Whether money was taken by it, or still may be.
    pub fn holds_money(&self) -> bool {
        !matches!(self.status, CaptureStatus::Declined | CaptureStatus::Denied | CaptureStatus::Failed)
    }

    fn tell_why(&self, host: &mut dyn Host) {
        let reason = self.status_details.as_ref().and_then(|details| details.reason.as_deref());
        if let Some(reason) = reason.filter(|reason| WAITS_FOR_MERCHANT.contains(reason)) {
            host.log(Level::Warn, &["a capture waits for the merchant at PayPal: ", reason].concat());
        }
    }
}

impl Refund {
    /// Whether it was made by the operation: by the first of its requests or a later one.
    pub fn is_of(&self, operation_id: &str) -> bool {
        let is_its =
            |id: &&String| id.strip_prefix(operation_id).is_some_and(|nth| nth.is_empty() || nth.starts_with('-'));
        self.ids().any(|id| is_its(&id))
    }

    /// Whether the reply to the operation's own request speaks of another one. One that names none does not.
    pub fn is_of_another(&self, operation_id: &str) -> bool {
        self.ids().next().is_some() && !self.is_of(operation_id)
    }

    fn ids(&self) -> impl Iterator<Item = &String> {
        self.custom_id.iter().chain(&self.invoice_id)
    }

    /// The capture that it gives back of, as its link tells.
    pub fn capture_id(&self) -> Option<&str> {
        let link = self.links.iter().find(|link| link.rel == "up")?;
        link.href.rsplit_once("/captures/").map(|(_, id)| id)
    }

    pub fn money(&self) -> Result<Money, Failure> {
        money(self.amount.as_ref())
    }

    /// Whether money was given back by it, or still may be.
    pub fn holds_money(&self) -> bool {
        matches!(self.status, RefundStatus::Completed | RefundStatus::Pending)
    }
}

/// The decline of a refund that ended so.
pub fn refund_declined(status: RefundStatus, id: &str, references: Pairs, host: &mut dyn Host) -> Outcome {
    let word = if status == RefundStatus::Cancelled { "REFUND_CANCELLED" } else { "REFUND_FAILED" };
    declined(word, None, id, references, host)
}

/// A decline: by the processor's code where there is one, else by the status.
fn declined(
    status: &str,
    processor: Option<&ProcessorResponse>,
    id: &str,
    references: Pairs,
    host: &mut dyn Host,
) -> Outcome {
    let decline = match processor.and_then(|processor| processor.decline(host)) {
        Some(decline) => decline,
        None => STATUSES.decline(status, processor::REFUSED.to_owned(), host),
    };
    Outcome::Declined(decline.about(id).with_references(references))
}

fn with_order<'a>(order: Option<&'a str>, own: [(&'a str, &'a str); 1]) -> Pairs {
    references(order.map(|order| (ORDER, order)).into_iter().chain(own))
}

fn network_reference(reference: Option<&NetworkReference>) -> Option<String> {
    reference.and_then(|reference| reference.id.clone()).filter(|id| !id.is_empty())
}

fn money(amount: Option<&Amount>) -> Result<Money, Failure> {
    amount.ok_or_else(|| Failure::new("the reply names no amount"))?.money()
}
