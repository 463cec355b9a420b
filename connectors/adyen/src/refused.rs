//! Replies that carry no payment: refusals, conflicts, troubles.
//! <https://docs.adyen.com/development-resources/error-codes>

use interlock_connector::types::{Decline, DeclineCode, Failure, Outcome, Pairs, Response, RetryAdvice};
use interlock_connector::{DeclineTable, Host};
use serde::Deserialize;

/// "Payment details are not supported": the merchant account lacks the method. It comes with status 500, and means that
/// nothing was tried.
const NOT_SUPPORTED: &str = "905";
/// They say that Adyen did not get to it, or is at it: a resource is away, or another request has the same key.
const UNDECIDED: [&str; 2] = ["703", "704"];

/// Requests that Adyen does not take. Where it is the request or the account that is wrong, another gateway may well take
/// the payment; where it is the customer's entry, none will.
const REFUSALS: DeclineTable = DeclineTable(&[
    ("101", DeclineCode::IncorrectNumber, RetryAdvice::Never),
    ("102", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("103", DeclineCode::IncorrectCvc, RetryAdvice::Never),
    ("129", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("130", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("137", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("138", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("140", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("141", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("153", DeclineCode::IncorrectCvc, RetryAdvice::Never),
    // No such payment to capture, cancel or refund.
    ("167", DeclineCode::Other, RetryAdvice::Never),
    ("702", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    // No such stored method.
    ("800", DeclineCode::Other, RetryAdvice::Never),
    ("803", DeclineCode::Other, RetryAdvice::Never),
    ("901", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    (NOT_SUPPORTED, DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("14_030", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
]);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceError {
    error_code: String,
    error_type: ErrorType,
    #[serde(default)]
    message: String,
    psp_reference: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum ErrorType {
    Validation,
    Security,
    Configuration,
    #[serde(other)]
    Other,
}

/// What a reply means that has neither 200 nor 201.
///
/// 400, 401, 403 and 422 say in Adyen's words why nothing was done, unless Adyen says that it is undecided. 429 comes from
/// Adyen's rate limit, before anything is done. Everything else says nothing: 500 and its like, a conflict, a redirect, a
/// page of something in between.
pub fn outcome(reply: &Response, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let is_transient = reply.header("transient-error").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_transient {
        return Err(Failure::new("Adyen asks to send the request again under its key"));
    }
    match reply.status {
        400 | 401 | 403 | 422 => {
            let error: ServiceError = reply.json()?;
            if UNDECIDED.contains(&error.error_code.as_str()) || error.error_type == ErrorType::Other {
                return Err(Failure::new(["Adyen has not decided: error ", &error.error_code].concat()));
            }
            Ok(Outcome::Declined(error.decline(host)))
        }
        429 => {
            reply.json::<ServiceError>()?;
            Ok(Outcome::NotProcessed(reply.header("retry-after").and_then(|seconds| seconds.parse().ok())))
        }
        500 => {
            let error: ServiceError = reply.json()?;
            if error.error_code == NOT_SUPPORTED && error.error_type == ErrorType::Configuration {
                return Ok(Outcome::Declined(error.decline(host)));
            }
            Err(Failure::new(["Adyen broke down with error ", &error.error_code].concat()))
        }
        _ => Err(Failure::new("the reply's status says nothing about what became of the request")),
    }
}

impl ServiceError {
    /// Its `pspReference` names the request and no payment, so it is told in words: it must not look as if the gateway
    /// spoke of what an earlier request with the same key has done.
    fn decline(self, host: &mut dyn Host) -> Decline {
        let message = match &self.psp_reference {
            Some(reference) => [&self.message, " (pspReference ", reference, ")"].concat(),
            None => self.message,
        };
        let is_known = REFUSALS.find(&self.error_code).is_some();
        match self.error_type {
            // Keys, roles and switches of the account: for the merchant to mend, whatever the number.
            ErrorType::Security | ErrorType::Configuration if !is_known => Decline {
                code: DeclineCode::Misconfigured,
                gateway_code: self.error_code,
                network_code: None,
                message,
                advice: RetryAdvice::OtherGateway,
                gateway_reference: None,
                references: Pairs::new(),
                reopenable_for_seconds: 0,
            },
            _ => REFUSALS.decline(&self.error_code, message, host),
        }
    }
}
