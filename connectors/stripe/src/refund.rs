//! Giving taken money back, and refunds as Stripe writes them.
//!
//! Source: <https://docs.stripe.com/api/refunds/object>.

use interlock_connector::types::{
    Accepted, Approval, Context, Decline, DeclineCode, Failure, Operation, Outcome, Pairs, Refund as Asked, Response,
    RetryAdvice,
};
use interlock_connector::{DeclineTable, Host, references};
use serde::Deserialize;

use crate::intent::{INTENT, Notes, another_operation};
use crate::units::{from_stripe, to_stripe, unsayable};
use crate::{ask, capture, refused};

/// The name under which a refund's id is kept.
const REFUND: &str = "refund";
/// The reasons that Stripe knows; others stand in the refund's metadata.
const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];
/// What Stripe takes as a value of metadata.
const REASON_MAX_CHARS: usize = 500;

/// Why a refund did not arrive, in Stripe's words. The money is back on the account's balance; to give it back another
/// way is the merchant's business.
const FAILURES: DeclineTable = DeclineTable(&[
    ("canceled", DeclineCode::CustomerCancelled, RetryAdvice::Never),
    ("charge_for_pending_refund_disputed", DeclineCode::Other, RetryAdvice::Never),
    ("declined", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("expired_or_canceled_card", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("insufficient_funds", DeclineCode::InsufficientFunds, RetryAdvice::SameGatewayLater),
    ("lost_or_stolen_card", DeclineCode::LostOrStolen, RetryAdvice::Never),
    ("merchant_request", DeclineCode::Other, RetryAdvice::Never),
    ("unknown", DeclineCode::Other, RetryAdvice::Never),
]);

/// A refund. Amount in Stripe's unit.
#[derive(Deserialize)]
pub struct Refund {
    pub id: String,
    pub amount: u64,
    pub currency: String,
    pub status: Status,
    pub payment_intent: Option<String>,
    #[serde(default)]
    pub metadata: Option<Notes>,
    failure_reason: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    RequiresAction,
    Succeeded,
    Failed,
    Canceled,
}

pub fn refund(ctx: &Context, operation: &Operation, asked: &Asked, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(INTENT)?;
    let Some(amount) = to_stripe(&asked.amount) else {
        return Ok(Outcome::Declined(unsayable(&asked.amount, RetryAdvice::Never)));
    };
    let reason = asked.reason.as_deref().filter(|reason| REASONS.contains(reason));
    let words = asked.reason.as_deref().filter(|words| reason.is_none() && !words.is_empty());
    let words: Option<String> = words.map(|words| words.chars().take(REASON_MAX_CHARS).collect());
    let reply = host.exchange(&ask::refund(ctx, operation, id, amount, reason, words.as_deref())?);
    match refund_of(&reply)? {
        Some(made) => {
            if made.operation() != Some(operation.id.as_str()) || made.payment_intent.as_deref() != Some(id) {
                return Err(another_operation());
            }
            made.outcome(host)
        }
        None => refused_refund(&reply, capture::known(operation, id), host),
    }
}

/// A payment does not show its refunds: that Stripe looked at it says nothing of an earlier request for the same refund.
/// Only a decline does.
fn refused_refund(reply: &Response, known: Pairs, host: &mut dyn Host) -> Result<Outcome, Failure> {
    Ok(match refused::outcome(reply, known, host)? {
        Outcome::Declined(decline) if reply.status != 402 => {
            Outcome::Declined(Decline { gateway_reference: None, ..decline })
        }
        other => other,
    })
}

fn refund_of(reply: &Response) -> Result<Option<Refund>, Failure> {
    if reply.status == 200 { reply.json().map(Some) } else { Ok(None) }
}

impl Refund {
    /// Our operation, where it is one of ours.
    pub fn operation(&self) -> Option<&str> {
        self.metadata.as_ref()?.operation.as_deref()
    }

    /// What it says of the operation that made it. A refund that had succeeded may fail weeks later.
    pub fn outcome(&self, host: &mut dyn Host) -> Result<Outcome, Failure> {
        Ok(match self.status {
            Status::Pending | Status::RequiresAction => {
                Outcome::Pending(Accepted::of(self.id.as_str(), self.references()))
            }
            Status::Succeeded => Outcome::Refunded(Approval {
                references: self.references(),
                ..Approval::of(self.id.as_str(), from_stripe(self.amount, &self.currency)?)
            }),
            Status::Failed => self.declined(self.failure_reason.as_deref().unwrap_or("unknown"), host),
            Status::Canceled => self.declined("canceled", host),
        })
    }

    fn declined(&self, word: &str, host: &mut dyn Host) -> Outcome {
        let message = "The refund did not arrive; the money is back on the Stripe account's balance.".to_owned();
        let decline = FAILURES.decline(word, message, host);
        Outcome::Declined(decline.about(self.id.as_str()).with_references(self.references()))
    }

    fn references(&self) -> Pairs {
        let mut pairs = references([(REFUND, self.id.as_str())]);
        pairs.extend(self.payment_intent.as_ref().map(|id| (INTENT.to_owned(), id.clone())));
        pairs
    }
}
