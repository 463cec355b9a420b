//! Charges, refunds and refusals as the gateway writes them, and what they mean to us.

use interlock_connector::types::{
    Accepted, Approval, DeclineCode, Failure, Money, Outcome, Pairs, Response, RetryAdvice,
};
use interlock_connector::{DeclineTable, Host, references};
use serde::Deserialize;

/// The name under which the charge's id is kept between operations.
pub const CHARGE: &str = "charge";

/// The gateway's words for declines and refusals. Only where another gateway may see it differently does it pay to ask
/// one.
const DECLINES: DeclineTable = DeclineTable(&[
    ("do_not_honor", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("expired_card", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("incorrect_number", DeclineCode::IncorrectNumber, RetryAdvice::Never),
    ("insufficient_funds", DeclineCode::InsufficientFunds, RetryAdvice::OtherGateway),
    ("invalid_amount", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("invalid_currency", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("invalid_cvc", DeclineCode::IncorrectCvc, RetryAdvice::Never),
    ("invalid_number", DeclineCode::IncorrectNumber, RetryAdvice::Never),
    ("invalid_request", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("refund_declined", DeclineCode::Other, RetryAdvice::Never),
    ("unauthenticated", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
]);

/// A charge. Amounts in minor units; `captured` is cumulative.
#[derive(Deserialize)]
pub struct Charge {
    pub id: String,
    /// The operation that the reply speaks of.
    pub reference: String,
    pub amount: u64,
    pub captured: u64,
    pub currency: String,
    pub status: ChargeStatus,
    pub decline: Option<Refusal>,
    /// Which operation `reference` names, where that is not the charge itself.
    pub step: Option<Step>,
}

// A status that is not listed makes the reply unreadable, and the operation unknown: never a guess.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    Authorized,
    Captured,
    Pending,
    Declined,
}

#[derive(Deserialize)]
pub struct Step {
    pub kind: String,
}

#[derive(Deserialize)]
pub struct Refunded {
    pub id: String,
    pub charge: String,
    pub reference: String,
    pub amount: u64,
    pub currency: String,
    pub status: RefundStatus,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    Succeeded,
    Pending,
    Declined,
}

#[derive(Default, Deserialize)]
pub struct Refusal {
    pub code: String,
    pub message: Option<String>,
    /// What the card network said, where the gateway passes it on.
    pub network_code: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: Refusal,
}

/// The charge that a reply carries; none where its status says that it carries none. 402 carries a declined one.
pub fn charge(reply: &Response) -> Result<Option<Charge>, Failure> {
    if !matches!(reply.status, 200 | 201 | 402) {
        return Ok(None);
    }
    let charge: Charge = reply.json()?;
    if reply.status == 402 && charge.status != ChargeStatus::Declined {
        return Err(Failure::new("the reply's status and body contradict each other"));
    }
    Ok(Some(charge))
}

/// As [`charge`], for a refund.
pub fn refund(reply: &Response) -> Result<Option<Refunded>, Failure> {
    if !matches!(reply.status, 200 | 201 | 402) {
        return Ok(None);
    }
    let refund: Refunded = reply.json()?;
    if reply.status == 402 && refund.status != RefundStatus::Declined {
        return Err(Failure::new("the reply's status and body contradict each other"));
    }
    Ok(Some(refund))
}

/// What a reply means that carries neither. What is final, the gateway says in words; and of 409 and 429 with the code
/// `not_processed` it promises that nothing happened. Everything else says nothing, so the outcome stays unknown.
pub fn refused(reply: &Response, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match reply.status {
        400 | 401 | 403 | 404 | 422 => {
            let Refused { error } = reply.json()?;
            Ok(Outcome::Declined(DECLINES.decline(&error.code, error.message.unwrap_or_default(), host)))
        }
        409 | 429 if code_of(reply)? == "not_processed" => Ok(Outcome::NotProcessed(None)),
        _ => Err(Failure::new("the gateway's status says nothing about what became of the request")),
    }
}

/// Whether the gateway says, in words, that it knows no such thing. A 404 of something in between proves nothing.
pub fn is_not_found(reply: &Response) -> bool {
    reply.status == 404 && code_of(reply).is_ok_and(|code| code == "not_found")
}

fn code_of(reply: &Response) -> Result<String, Failure> {
    reply.json().map(|Refused { error }| error.code)
}

impl Charge {
    /// What it says of the operation that made it.
    pub fn outcome(self, host: &mut dyn Host) -> Outcome {
        let references = references([(CHARGE, self.id.as_str())]);
        let approval = |id, minor_units, references| Approval {
            references,
            ..Approval::of(id, Money::new(minor_units, self.currency))
        };
        match self.status {
            ChargeStatus::Authorized => Outcome::Authorized(approval(self.id, self.amount, references)),
            ChargeStatus::Captured => Outcome::Captured(approval(self.id, self.captured, references)),
            ChargeStatus::Pending => Outcome::Pending(Accepted::of(self.id, references)),
            ChargeStatus::Declined => declined(self.decline.unwrap_or_default(), self.id, references, host),
        }
    }

    /// What it says of its capture.
    pub fn capture_outcome(self, host: &mut dyn Host) -> Result<Outcome, Failure> {
        if self.status == ChargeStatus::Authorized {
            return Err(Failure::new("the charge has a status that does not follow from what was asked"));
        }
        Ok(self.outcome(host))
    }
}

impl Refunded {
    /// What it says of the refund that made it.
    pub fn outcome(self, host: &mut dyn Host) -> Outcome {
        let references = references([(CHARGE, self.charge.as_str()), ("refund", self.id.as_str())]);
        match self.status {
            RefundStatus::Succeeded => Outcome::Refunded(Approval {
                references,
                ..Approval::of(self.id, Money::new(self.amount, self.currency))
            }),
            RefundStatus::Pending => Outcome::Pending(Accepted::of(self.id, references)),
            RefundStatus::Declined => {
                let refusal = Refusal {
                    code: "refund_declined".to_owned(),
                    message: Some("The gateway declined the refund.".to_owned()),
                    network_code: None,
                };
                declined(refusal, self.id, references, host)
            }
        }
    }
}

fn declined(refusal: Refusal, id: String, references: Pairs, host: &mut dyn Host) -> Outcome {
    let Refusal { code, message, network_code } = refusal;
    let decline = DECLINES.decline(&code, message.unwrap_or_default(), host);
    Outcome::Declined(decline.with_network_code(network_code.as_deref()).about(id).with_references(references))
}
