//! Replies that carry nothing but an error: refusals, limits, troubles.

use interlock_connector::types::{Failure, Outcome, Response};
use serde::Deserialize;

use crate::payment::text;
use crate::reasons::Words;

/// Razorpay's word for a request that it does not take. With the other two, which speak of itself and of the banks, it
/// says nothing of what became of the request.
const BAD_REQUEST: &str = "BAD_REQUEST_ERROR";
/// Refusals that say that there is something already: the opposite of "nothing happened".
const DONE_BEFORE: [&str; 3] = ["duplicate_refund_id", "duplicate_request", "order_already_paid"];
/// Where Razorpay looks at a request before it asks anybody: what is refused here was not done.
const LOOKED_AT: &str = "payment_initiation";
/// Refusals without a reason that come before the request is looked at at all.
const NOT_LOOKED_AT: [&str; 3] = ["requested URL was not found", "Authentication failed", "api key"];
/// What the refusal of a refund key says that another request came with. There is no reason for it, only this sentence.
const KEY_IS_TAKEN: &str = "idempotency key";

#[derive(Deserialize)]
struct Body {
    error: Error,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error {
    #[serde(deserialize_with = "text")]
    code: Option<String>,
    #[serde(deserialize_with = "text")]
    description: Option<String>,
    #[serde(deserialize_with = "text")]
    reason: Option<String>,
    #[serde(deserialize_with = "text")]
    step: Option<String>,
    /// `{}`, and sometimes `[]`.
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    payment_id: Option<String>,
}

/// That Razorpay did not do what it was asked for.
pub struct Refusal {
    pub words: Words,
    /// The payment that was made and failed, where it came that far.
    pub payment: Option<String>,
    /// Whether it was refused before anybody was asked: at the door, or by Razorpay itself.
    pub is_early: bool,
}

/// What a reply is that is no success.
pub enum Refused {
    /// It was looked at, and refused.
    Refusal(Refusal),
    /// Too many requests: it was not even looked at.
    TooMany(Option<u32>),
    /// Something like it was done before.
    DoneBefore,
}

impl Refused {
    /// The outcome of an operation that was refused; `outcome` reads a refusal.
    pub fn outcome(self, outcome: impl FnOnce(Refusal) -> Result<Outcome, Failure>) -> Result<Outcome, Failure> {
        match self {
            Self::Refusal(refusal) => outcome(refusal),
            Self::TooMany(seconds) => Ok(Outcome::NotProcessed(seconds)),
            Self::DoneBefore => Err(Failure::new("the gateway says that something like it was done before")),
        }
    }
}

/// Reads a reply that is no success.
///
/// 400 and its like are refusals where they say so in Razorpay's words, and 429 says that nothing was looked at. All else
/// says nothing of what became of the request: 409 (the same is under way), 5xx, a redirect, a page of something in
/// between, an error of the bank or of Razorpay itself.
pub fn read(reply: &Response) -> Result<Refused, Failure> {
    if !matches!(reply.status, 400 | 401 | 403 | 404 | 405 | 413 | 422 | 429) {
        return Err(Failure::new("the gateway's status says nothing about what became of the request"));
    }
    let Error { code, description, reason, step, metadata } = reply.json::<Body>()?.error;
    if code.as_deref() != Some(BAD_REQUEST) {
        return Err(Failure::new("the gateway's error says nothing about what became of the request"));
    }
    if reply.status == 429 {
        return Ok(Refused::TooMany(reply.header("retry-after").and_then(|seconds| seconds.parse().ok())));
    }
    let words = Words { code, reason, description };
    let says = |part: &&str| words.description.as_deref().is_some_and(|sentence| sentence.contains(*part));
    if words.reason().is_some_and(|reason| DONE_BEFORE.contains(&reason)) || says(&KEY_IS_TAKEN) {
        return Ok(Refused::DoneBefore);
    }
    let was_read = matches!(reply.status, 400 | 422) && !NOT_LOOKED_AT.iter().any(says);
    let is_early = !was_read || (step.as_deref() == Some(LOOKED_AT) && !words.stands_in_for_an_answer());
    let payment = metadata.payment_id.filter(|id| !id.is_empty());
    Ok(Refused::Refusal(Refusal { words, payment, is_early }))
}
