//! Payment intents and their charges as Stripe writes them, and what they mean to us.
//!
//! Sources: <https://docs.stripe.com/api/payment_intents/object>, <https://docs.stripe.com/payments/paymentintents/lifecycle>.

use interlock_connector::types::{
    Accepted, ActionNeeded, Approval, CustomerAction, Failure, Method, Outcome, Pairs, Redirect, Response,
};
use interlock_connector::{Host, references};
use serde::Deserialize;

use crate::declines::Error;
use crate::units::from_stripe;

/// The name under which the payment intent's id is kept between operations.
pub const INTENT: &str = "payment_intent";
/// The name under which its charge's id is kept.
const CHARGE: &str = "charge";
/// The name under which is kept what was captured so far, in Stripe's unit.
pub const CAPTURED: &str = "captured";

/// A payment. Amounts in Stripe's unit.
#[derive(Deserialize)]
pub struct Intent {
    pub id: String,
    pub amount: u64,
    pub amount_capturable: u64,
    /// The sum of all captures.
    pub amount_received: u64,
    pub currency: String,
    pub status: Status,
    #[serde(default)]
    pub metadata: Notes,
    pub cancellation_reason: Option<String>,
    pub last_payment_error: Option<Error>,
    next_action: Option<NextAction>,
    latest_charge: Option<Expandable>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
}

/// Our own entries of an object's metadata.
#[derive(Default, Deserialize)]
pub struct Notes {
    #[serde(rename = "interlock_operation")]
    pub operation: Option<String>,
    /// The last capture's operation.
    #[serde(rename = "interlock_capture")]
    pub capture: Option<String>,
    /// What had been captured before it, in Stripe's unit.
    #[serde(rename = "interlock_captured_before")]
    captured_before: Option<String>,
}

#[derive(Deserialize)]
struct NextAction {
    redirect_to_url: Option<RedirectToUrl>,
}

#[derive(Deserialize)]
struct RedirectToUrl {
    url: Option<String>,
}

/// An object, or its id where nobody asked for more.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expandable {
    Whole(Box<Charge>),
    Id(String),
}

#[derive(Deserialize)]
struct Charge {
    id: String,
    payment_method_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    card: Option<CardDetails>,
}

#[derive(Clone, Default, Deserialize)]
struct CardDetails {
    network_transaction_id: Option<String>,
    authorization_code: Option<String>,
    /// Unix time in seconds after which what is held is given back.
    capture_before: Option<u64>,
}

impl Intent {
    /// What it says of the operation that made it.
    pub fn outcome(mut self, host: &mut dyn Host) -> Result<Outcome, Failure> {
        Ok(match self.status {
            Status::Succeeded => Outcome::Captured(self.approval(self.amount_received)?),
            Status::RequiresCapture => Outcome::Authorized(self.approval(self.held_at_first()?)?),
            Status::Processing => Outcome::Pending(self.accepted()),
            Status::RequiresAction => Outcome::ActionRequired(self.action()?),
            Status::RequiresConfirmation => Outcome::ReadyToComplete(self.references()),
            Status::RequiresPaymentMethod => {
                let error = self.last_payment_error.take();
                let error = error.ok_or_else(|| Failure::new("the payment has no method and no error"))?;
                Outcome::Declined(error.decline(Some(self.id.clone()), self.references(), host))
            }
            Status::Canceled => self.called_off()?,
        })
    }

    /// What it says of its last capture, which must be that of `operation_id`.
    pub fn captured(&self, operation_id: &str) -> Result<Outcome, Failure> {
        if self.metadata.capture.as_deref() != Some(operation_id) {
            return Err(another_operation());
        }
        match self.status {
            Status::Succeeded | Status::RequiresCapture => {
                let before = self.metadata.captured_before()?;
                let own = self.amount_received.checked_sub(before).filter(|own| *own > 0);
                let own = own.ok_or_else(|| Failure::new("the payment's captures do not add up"))?;
                Ok(Outcome::Captured(self.approval(own)?))
            }
            Status::Processing => Ok(Outcome::Pending(self.accepted())),
            _ => Err(other_status()),
        }
    }

    /// That what was held is held no longer: called off by somebody, or lapsed.
    pub fn called_off(&self) -> Result<Outcome, Failure> {
        Ok(match self.cancellation_reason.as_deref() {
            // Nobody asked for it: the time for the capture was over.
            Some("expired" | "automatic") => Outcome::Expired(self.accepted()),
            _ => Outcome::Cancelled(self.released()?),
        })
    }

    /// What was released: whatever had not been captured.
    pub fn released(&self) -> Result<Approval, Failure> {
        self.approval(self.amount.saturating_sub(self.amount_received))
    }

    /// That the gateway has it, without saying what became of it.
    pub fn accepted(&self) -> Accepted {
        Accepted::of(self.id.as_str(), self.references())
    }

    /// What later operations are to know. The payment intent comes first.
    pub fn references(&self) -> Pairs {
        let mut pairs = references([(INTENT, self.id.as_str())]);
        let charge = self.latest_charge.as_ref().map(|charge| match charge {
            Expandable::Whole(charge) => charge.id.clone(),
            Expandable::Id(id) => id.clone(),
        });
        pairs.extend(charge.map(|id| (CHARGE.to_owned(), id)));
        if self.amount_received > 0 {
            pairs.push((CAPTURED.to_owned(), self.amount_received.to_string()));
        }
        pairs
    }

    /// What can be captured yet, and what was.
    fn held_at_first(&self) -> Result<u64, Failure> {
        self.amount_capturable
            .checked_add(self.amount_received)
            .ok_or_else(|| Failure::new("the payment's amounts make no sense"))
    }

    fn approval(&self, amount: u64) -> Result<Approval, Failure> {
        let details = match &self.latest_charge {
            Some(Expandable::Whole(charge)) => charge.payment_method_details.as_ref(),
            Some(Expandable::Id(_)) | None => None,
        };
        let card = details.and_then(|details| details.card.clone()).unwrap_or_default();
        let holds = self.status == Status::RequiresCapture;
        Ok(Approval {
            captured_total: Some(from_stripe(self.amount_received, &self.currency)?),
            references: self.references(),
            network_reference: card.network_transaction_id,
            authorization_code: card.authorization_code,
            capture_before: card.capture_before.filter(|_| holds).and_then(|seconds| seconds.checked_mul(1000)),
            ..Approval::of(self.id.as_str(), from_stripe(amount, &self.currency)?)
        })
    }

    fn action(&self) -> Result<ActionNeeded, Failure> {
        let redirect = self.next_action.as_ref().and_then(|action| action.redirect_to_url.as_ref());
        let url = redirect.and_then(|redirect| redirect.url.clone());
        let url = url.ok_or_else(|| Failure::new("the customer's next action is no redirect"))?;
        let action = Redirect { url, method: Method::Get, fields: Vec::new() };
        Ok(ActionNeeded {
            gateway_reference: Some(self.id.clone()),
            references: self.references(),
            actions: vec![CustomerAction::Redirect(action)],
            expires_at: None,
        })
    }
}

impl Notes {
    fn captured_before(&self) -> Result<u64, Failure> {
        let text = self.captured_before.as_deref().unwrap_or("0");
        text.parse().map_err(|_| Failure::new("the payment's metadata is not as it was written"))
    }
}

/// The payment intent that a reply carries; none where its status says that it carries none.
pub fn intent_of(reply: &Response) -> Result<Option<Intent>, Failure> {
    if reply.status == 200 { reply.json().map(Some) } else { Ok(None) }
}

/// As [`intent_of`], of a payment whose id Stripe gave us itself: anything else makes no sense.
pub fn known_intent(reply: &Response, id: &str) -> Result<Intent, Failure> {
    let intent = intent_of(reply)?.ok_or_else(|| Failure::new("the gateway did not show the payment"))?;
    is_intent(&intent, id)?;
    Ok(intent)
}

/// A reply about another payment is somebody else's money.
pub fn is_intent(intent: &Intent, id: &str) -> Result<(), Failure> {
    if intent.id == id { Ok(()) } else { Err(another_operation()) }
}

pub fn another_operation() -> Failure {
    Failure::new("the reply speaks of another operation or payment")
}

pub fn contradiction() -> Failure {
    Failure::new("the reply's status and the payment in it contradict each other")
}

pub fn other_status() -> Failure {
    Failure::new("the payment has a status that does not follow from what was asked")
}
