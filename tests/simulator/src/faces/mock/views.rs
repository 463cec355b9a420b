//! What the mock says, as JSON.

use bytes::Bytes;
use serde::Serialize;

use crate::faces::answer::Answer;
use crate::gateway::charges::{Action, Charge, Decline, Status};
use crate::gateway::refunds::{self, Refund};
use crate::gateway::refusal::Refusal;
use crate::gateway::steps::{self, Step};
use crate::gateway::{Change, Gateway, Subject};

/// `{"error":{"code","message"}}`. Nothing has happened.
pub fn refusal(refusal: Refusal) -> Answer {
    #[derive(Serialize)]
    struct Body {
        error: Inner,
    }
    #[derive(Serialize)]
    struct Inner {
        code: &'static str,
        message: &'static str,
    }
    Answer::json(refusal.status, &Body { error: Inner { code: refusal.code, message: refusal.message } })
}

#[derive(Serialize)]
struct ChargeView<'a> {
    id: &'a str,
    reference: &'a str,
    amount: i64,
    captured: i64,
    refunded: i64,
    currency: &'a str,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline: Option<Decline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<StepView>,
}

/// Which operation the reference names, where it is not the charge itself. Beyond the protocol: `captured` tells the sum
/// of all captures, and which share of it is this one's could not be known from a webhook.
#[derive(Serialize)]
struct StepView {
    kind: steps::Kind,
    amount: i64,
}

#[derive(Serialize)]
struct RefundView<'a> {
    id: &'a str,
    charge: &'a str,
    reference: &'a str,
    amount: i64,
    /// Beyond the protocol: without it a webhook about a refund would tell half of the story.
    currency: &'a str,
    status: refunds::Status,
}

/// The type of the event that tells a change; nothing of what is another face's alone.
pub fn kind_of(change: &Change) -> Option<&'static str> {
    match change.subject {
        Subject::Charge { .. } => Some("charge.updated"),
        Subject::Refund { .. } => Some("refund.updated"),
        Subject::Own(_) => None,
    }
}

/// What has changed, as the mock shows it.
pub fn object(gateway: &Gateway, change: &Change) -> Option<Bytes> {
    match &change.subject {
        Subject::Charge { id, reference, step } => Some(charge(gateway.charge(id)?, reference, step.as_ref())),
        Subject::Refund { id } => gateway.refund_of(id).map(|(of, charge)| refund(of, charge)),
        Subject::Own(_) => None,
    }
}

/// A charge as the API shows it. `reference` and `step` are those of the operation that is answered: the charge's own,
/// a capture's or a cancel's.
pub fn charge(charge: &Charge, reference: &str, step: Option<&Step>) -> Bytes {
    let (status, decline) = step.map_or((charge.status, charge.decline), |step| step.status(charge));
    to_bytes(&ChargeView {
        id: &charge.id,
        reference,
        amount: charge.amount,
        captured: charge.captured,
        refunded: charge.refunded,
        currency: &charge.currency,
        status,
        decline,
        action: charge.action.as_ref().filter(|_| status == Status::RequiresAction),
        step: step
            .filter(|step| step.kind != steps::Kind::Charge)
            .map(|step| StepView { kind: step.kind, amount: step.amount }),
    })
}

/// A refund as the API shows it.
pub fn refund(refund: &Refund, charge: &Charge) -> Bytes {
    to_bytes(&RefundView {
        id: &refund.id,
        charge: &charge.id,
        reference: &refund.reference,
        amount: refund.amount,
        currency: &charge.currency,
        status: refund.status,
    })
}

fn to_bytes(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).expect("a struct of strings and numbers always has a JSON form").into()
}
