//! What Adyen answers to a capture, a cancel or a refund: that it has it. What becomes of it, a webhook tells.

use interlock_connector::types::{Accepted, Failure, Operation, Outcome, Response};
use interlock_connector::{Host, references};
use serde::Deserialize;

use crate::reference::{Modification, of_modification};
use crate::refused;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    #[expect(dead_code, reason = "any other word makes the reply unreadable")]
    status: Status,
    psp_reference: String,
    payment_psp_reference: Option<String>,
    reference: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Status {
    Received,
}

/// What a reply says of the operation. `payment` is the one that was asked about, where it was named by Adyen's reference.
pub fn outcome(
    reply: &Response,
    operation: &Operation,
    kind: Modification,
    payment: Option<&str>,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    if reply.status != 201 {
        return refused::outcome(reply, host);
    }
    let received: Received = reply.json()?;
    let is_ours = |reference: &String| *reference == of_modification(operation, kind);
    let is_same = payment.is_none() || received.payment_psp_reference.as_deref() == payment;
    if !is_same || !received.reference.as_ref().is_none_or(is_ours) {
        return Err(Failure::new("the reply speaks of another payment or operation"));
    }
    let references = references([(kind.name(), received.psp_reference.as_str())]);
    Ok(Outcome::Pending(Accepted::of(received.psp_reference, references)))
}
