//! Replies that carry no charge: refusals, conflicts, troubles.

use interlock_connector::types::{DeclineCode, Failure, Outcome, Response, RetryAdvice};
use interlock_connector::{DeclineTable, Host};
use serde::Deserialize;

/// Says that nothing happened, and that it may be tried again.
const NOT_PROCESSED: &str = "not_processed";

/// The gateway's words for requests that it does not take. Where it is the request that is wrong, another gateway may
/// well take the payment; where it is the customer's entry, none will.
const REFUSALS: DeclineTable = DeclineTable(&[
    ("amount_too_large", DeclineCode::Other, RetryAdvice::Never),
    ("invalid_amount", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("invalid_currency", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("invalid_cvc", DeclineCode::IncorrectCvc, RetryAdvice::Never),
    ("invalid_expiry", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("invalid_number", DeclineCode::IncorrectNumber, RetryAdvice::Never),
    ("invalid_reference", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("invalid_request", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("invalid_token", DeclineCode::Other, RetryAdvice::Never),
    ("invalid_vpa", DeclineCode::Other, RetryAdvice::Never),
    ("method_not_allowed", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("not_cancellable", DeclineCode::Other, RetryAdvice::Never),
    ("not_capturable", DeclineCode::Other, RetryAdvice::Never),
    ("not_found", DeclineCode::Other, RetryAdvice::Never),
    ("not_refundable", DeclineCode::Other, RetryAdvice::Never),
    ("body_too_large", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("unauthenticated", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
]);

#[derive(Deserialize)]
struct Refusal {
    error: Error,
}

#[derive(Deserialize)]
struct Error {
    code: String,
    #[serde(default)]
    message: String,
}

/// What a reply means that has neither 200, 201 nor 402.
///
/// 400 and its like are final. 429 and 409 with the code `not_processed` say that nothing happened. Everything else
/// says nothing (another 409, 408, 5xx, a redirect, a refusal that cannot be read), so the outcome stays unknown.
pub fn outcome(reply: &Response, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match reply.status {
        400 | 401 | 403 | 404 | 405 | 413 | 422 => {
            let Refusal { error } = reply.json()?;
            Ok(Outcome::Declined(REFUSALS.decline(&error.code, error.message, host)))
        }
        409 | 429 => {
            let Refusal { error } = reply.json()?;
            if error.code == NOT_PROCESSED {
                let seconds = reply.header("retry-after").and_then(|seconds| seconds.parse().ok());
                return Ok(Outcome::NotProcessed(seconds));
            }
            Err(Failure::new(["the gateway answered with the conflict ", &error.code].concat()))
        }
        _ => Err(Failure::new("the gateway's status says nothing about what became of the request")),
    }
}

/// Whether the gateway says, in words, that it knows no such thing. A 404 of anything else in between (a proxy, a
/// wrong base URL) proves nothing.
pub fn is_not_found(reply: &Response) -> bool {
    reply.status == 404 && reply.json::<Refusal>().is_ok_and(|refusal| refusal.error.code == "not_found")
}
