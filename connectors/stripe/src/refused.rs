//! Replies that carry an error: declines, refusals, conflicts, troubles.
//!
//! Sources: <https://docs.stripe.com/error-low-level>, <https://docs.stripe.com/api/errors>.

use interlock_connector::Host;
use interlock_connector::types::{Failure, Outcome, Pairs, Response};
use serde::Deserialize;

use crate::declines::Error;
use crate::intent::Intent;

/// The type of an error that says that an earlier request came with the same key, and was another one.
const ANOTHER_REQUEST: &str = "idempotency_error";

/// The status with which Stripe refuses what the payment's own state does not allow, and shows the payment.
pub const OUT_OF_PLACE: u16 = 400;

#[derive(Deserialize)]
struct Refusal {
    error: Error,
}

/// What Stripe says in an error about a request of ours.
fn error_of(reply: &Response) -> Result<Error, Failure> {
    reply.json::<Refusal>().map(|refusal| refusal.error)
}

/// The payment that a refusal brings along, as it stands; none where it brings none.
pub fn brought(reply: &Response) -> Result<Option<Intent>, Failure> {
    if !matches!(reply.status, 400..=404) {
        return Ok(None);
    }
    let error = error_of(reply)?;
    let is_ours = error.kind.as_deref() != Some(ANOTHER_REQUEST);
    Ok(error.payment_intent.filter(|_| is_ours).map(|intent| *intent))
}

/// What a reply means that carries no object. `references` is what is known of the payment already.
///
/// A 402 is a decline; 400, 401, 403 and 404 are refusals: final, where Stripe says that the card or the request is at
/// fault. 429, and a 409 for a lock, say that nothing was done. Everything else says nothing (an error of Stripe's own,
/// another 409, 5xx, a redirect, what cannot be read), so the outcome stays unknown.
pub fn outcome(reply: &Response, references: Pairs, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match reply.status {
        400..=404 => {
            let error = error_of(reply)?;
            match (reply.status, error.kind.as_deref()) {
                (_, Some("card_error" | "invalid_request_error")) | (401 | 403, Some("authentication_error")) => {}
                // An earlier request under this key was another one. It may have moved money.
                (_, Some(ANOTHER_REQUEST)) => {
                    return Err(Failure::new("the gateway knows another request under this operation's key"));
                }
                _ => return Err(Failure::new("the gateway's error says nothing about what became of the request")),
            }
            let about = about(reply.status, error.payment_intent.as_deref(), &references);
            let references = match &error.payment_intent {
                Some(intent) => intent.references(),
                None => references,
            };
            Ok(Outcome::Declined(error.decline(about, references, host)))
        }
        409 | 429 => conflict(reply),
        500..=599 if is_replayed(reply) => {
            Err(Failure::new("the gateway keeps a server error under this operation's key, and will say nothing else"))
        }
        _ => Err(Failure::new("the gateway's status says nothing about what became of the request")),
    }
}

/// Which payment was looked at; none where a refusal may have come before anybody looked. Where the same request was sent
/// before, such a refusal says nothing of what became of it then, and is not to be taken for its outcome.
fn about(status: u16, intent: Option<&Intent>, known: &Pairs) -> Option<String> {
    match (status, intent) {
        (400 | 402, Some(intent)) => Some(intent.id.clone()),
        // A decline: the card's issuer was asked.
        (402, None) => known.first().map(|(_, id)| id.clone()),
        _ => None,
    }
}

/// The rate limiter runs before anything else, and who waits in vain for a lock has done nothing. But "this key is in
/// use" says that the same operation is under way in another request, which may well charge.
fn conflict(reply: &Response) -> Result<Outcome, Failure> {
    let error = error_of(reply)?;
    let limited = reply.status == 429 || error.code.as_deref() == Some("lock_timeout");
    let in_use = error.code.as_deref() == Some("idempotency_key_in_use");
    let final_says_header = reply.header("stripe-should-retry") == Some("false");
    if limited && !in_use && !final_says_header {
        let seconds = reply.header("retry-after").and_then(|seconds| seconds.parse().ok());
        return Ok(Outcome::NotProcessed(seconds));
    }
    let code = error.code.or(error.kind).unwrap_or_default();
    Err(Failure::new(["the gateway answered with the conflict ", &code].concat()))
}

/// Whether it is what was said to an earlier request under the same key.
fn is_replayed(reply: &Response) -> bool {
    reply.header("idempotent-replayed") == Some("true")
}
