//! Replies that carry no order and no payment: errors, and what each says about what was asked.

use interlock_connector::types::{DeclineCode, Failure, Outcome, Pairs, Response, RetryAdvice};
use interlock_connector::{DeclineTable, Host};
use serde::Deserialize;

use crate::order::Link;

/// What PayPal says of a request that it does not carry out.
#[derive(Deserialize)]
pub struct Refused {
    /// `UNPROCESSABLE_ENTITY`
    name: String,
    message: Option<String>,
    /// PayPal's own id of the call, for its support.
    debug_id: Option<String>,
    #[serde(default)]
    details: Vec<Detail>,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Detail {
    /// `INSTRUMENT_DECLINED`
    issue: String,
    description: Option<String>,
}

/// What the token endpoint, and the gate before the API, say: OAuth's form of an error.
#[derive(Deserialize)]
struct OAuthRefused {
    error: String,
    error_description: Option<String>,
}

/// Issues that say how things stand and not that this was refused: it may be the operation itself that has done it. The
/// gateway is asked.
const ASK: [&str; 22] = [
    "AUTHORIZATION_ALREADY_CAPTURED",
    "AUTHORIZATION_AMOUNT_EXCEEDED",
    "AUTHORIZATION_DENIED",
    "AUTHORIZATION_EXPIRED",
    "AUTHORIZATION_VOIDED",
    "CAPTURE_FULLY_REFUNDED",
    "DUPLICATE_INVOICE_ID",
    "DUPLICATE_REQUEST_ID",
    "MAX_AUTHORIZATION_COUNT_EXCEEDED",
    "MAX_CAPTURE_AMOUNT_EXCEEDED",
    "MAX_CAPTURE_COUNT_EXCEEDED",
    "MAX_NUMBER_OF_REFUNDS_EXCEEDED",
    "ORDER_ALREADY_AUTHORIZED",
    "ORDER_ALREADY_CAPTURED",
    "ORDER_ALREADY_COMPLETED",
    "ORDER_COMPLETED_OR_VOIDED",
    "ORDER_COMPLETION_IN_PROGRESS",
    "PAYPAL_REQUEST_ID_PREVIOUSLY_USED",
    "PREVIOUSLY_CAPTURED",
    "PREVIOUSLY_VOIDED",
    "PREVIOUS_REQUEST_IN_PROGRESS",
    "REFUND_AMOUNT_EXCEEDED",
];

/// PayPal has seen an id of ours that it is to see once, or is at it right now. What came of it, only the order tells.
const SEEN_BEFORE: [&str; 5] = [
    "DUPLICATE_INVOICE_ID",
    "DUPLICATE_REQUEST_ID",
    "ORDER_COMPLETION_IN_PROGRESS",
    "PAYPAL_REQUEST_ID_PREVIOUSLY_USED",
    "PREVIOUS_REQUEST_IN_PROGRESS",
];

/// Issues that the payer can mend at PayPal: another card of theirs, a confirmation.
const BACK_TO_PAYER: [&str; 4] =
    ["INSTRUMENT_DECLINED", "ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"];

/// What cannot be done here, by issue; errors without details by their name. Where it is the account or the request that
/// is wrong, another gateway may well take the payment; where it is the payer or the instrument, none will.
const ISSUES: DeclineTable = DeclineTable(&[
    ("ACTION_DOES_NOT_MATCH_INTENT", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("AGREEMENT_ALREADY_CANCELLED", DeclineCode::Other, RetryAdvice::Never),
    ("ALIAS_DECLINED_BY_PROCESSOR", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("AMOUNT_CANNOT_BE_SPECIFIED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("AMOUNT_MISMATCH", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("AUTHENTICATION_FAILURE", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("AUTHORIZATION_ALREADY_CAPTURED", DeclineCode::Other, RetryAdvice::Never),
    ("AUTHORIZATION_AMOUNT_EXCEEDED", DeclineCode::LimitExceeded, RetryAdvice::Never),
    ("AUTHORIZATION_CURRENCY_MISMATCH", DeclineCode::Misconfigured, RetryAdvice::Never),
    ("AUTHORIZATION_DENIED", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("AUTHORIZATION_EXPIRED", DeclineCode::Expired, RetryAdvice::Never),
    ("AUTHORIZATION_VOIDED", DeclineCode::Other, RetryAdvice::Never),
    ("AUTH_CAPTURE_CURRENCY_MISMATCH", DeclineCode::Misconfigured, RetryAdvice::Never),
    ("AUTH_CAPTURE_NOT_ENABLED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("BILLING_AGREEMENT_ID_MISMATCH", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("BILLING_AGREEMENT_NOT_FOUND", DeclineCode::Other, RetryAdvice::Never),
    ("CANCEL_URL_REQUIRED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("CANNOT_BE_NEGATIVE", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("CANNOT_BE_VOIDED", DeclineCode::Other, RetryAdvice::Never),
    ("CANNOT_BE_ZERO_OR_NEGATIVE", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("CAPTURE_FULLY_REFUNDED", DeclineCode::Other, RetryAdvice::Never),
    ("CARD_BRAND_NOT_SUPPORTED", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("CARD_EXPIRED", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("CARD_EXPIRY_REQUIRED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("CARD_NUMBER_REQUIRED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("COMPLIANCE_VIOLATION", DeclineCode::FraudSuspected, RetryAdvice::Never),
    ("CONSENT_NEEDED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("CURRENCY_MISMATCH", DeclineCode::Misconfigured, RetryAdvice::Never),
    ("CURRENCY_NOT_SUPPORTED", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("DECIMALS_NOT_SUPPORTED", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("DECIMAL_PRECISION", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("DECLINED_DUE_TO_RELATED_TXN", DeclineCode::DoNotHonor, RetryAdvice::OtherGateway),
    ("DOMESTIC_TRANSACTION_REQUIRED", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("IDENTIFIER_NOT_FOUND", DeclineCode::Other, RetryAdvice::Never),
    ("INCOMPATIBLE_PARAMETER_VALUE", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("INSTRUMENT_DECLINED", DeclineCode::DoNotHonor, RetryAdvice::OtherGateway),
    ("INVALID_ACCOUNT_STATUS", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("INVALID_CURRENCY_CODE", DeclineCode::CurrencyUnsupported, RetryAdvice::OtherGateway),
    ("INVALID_EXPIRY_DATE", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("INVALID_PARAMETER_SYNTAX", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("INVALID_PARAMETER_VALUE", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("INVALID_REQUEST", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("INVALID_RESOURCE_ID", DeclineCode::Other, RetryAdvice::Never),
    ("INVALID_SECURITY_CODE_LENGTH", DeclineCode::IncorrectCvc, RetryAdvice::Never),
    ("INVALID_STRING_LENGTH", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("INVALID_STRING_MAX_LENGTH", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("MALFORMED_REQUEST_JSON", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("MAX_CAPTURE_AMOUNT_EXCEEDED", DeclineCode::LimitExceeded, RetryAdvice::Never),
    ("MAX_CAPTURE_COUNT_EXCEEDED", DeclineCode::LimitExceeded, RetryAdvice::Never),
    ("MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED", DeclineCode::LimitExceeded, RetryAdvice::Never),
    ("MAX_NUMBER_OF_REFUNDS_EXCEEDED", DeclineCode::LimitExceeded, RetryAdvice::Never),
    ("MAX_VALUE_EXCEEDED", DeclineCode::LimitExceeded, RetryAdvice::OtherGateway),
    ("MISMATCHED_VAULT_ID_TO_PAYMENT_SOURCE", DeclineCode::Misconfigured, RetryAdvice::Never),
    ("MISSING_REQUIRED_PARAMETER", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("NOT_AUTHORIZED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("NOT_ELIGIBLE_FOR_TOKEN_PROCESSING", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("NOT_ENABLED_FOR_CARD_PROCESSING", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("NOT_SUPPORTED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("ORDER_EXPIRED", DeclineCode::Expired, RetryAdvice::Never),
    ("ORDER_NOT_APPROVED", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("PARTIAL_REFUND_NOT_ALLOWED", DeclineCode::Other, RetryAdvice::Never),
    ("PAYEE_ACCOUNT_INVALID", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("PAYEE_ACCOUNT_LOCKED_OR_CLOSED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("PAYEE_ACCOUNT_NOT_VERIFIED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("PAYEE_ACCOUNT_RESTRICTED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("PAYEE_BLOCKED_TRANSACTION", DeclineCode::FraudSuspected, RetryAdvice::OtherGateway),
    ("PAYEE_NOT_ENABLED_FOR_CARD_PROCESSING", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("PAYER_ACCOUNT_LOCKED_OR_CLOSED", DeclineCode::MethodUnsupported, RetryAdvice::Never),
    ("PAYER_ACCOUNT_RESTRICTED", DeclineCode::MethodUnsupported, RetryAdvice::Never),
    ("PAYER_ACTION_REQUIRED", DeclineCode::AuthenticationRequired, RetryAdvice::Never),
    ("PAYER_CANNOT_PAY", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("PAYMENT_DENIED", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("PAYMENT_SOURCE_CANNOT_BE_USED", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("PAYMENT_SOURCE_DECLINED_BY_PROCESSOR", DeclineCode::DoNotHonor, RetryAdvice::OtherGateway),
    ("PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED", DeclineCode::DoNotHonor, RetryAdvice::OtherGateway),
    ("PAYMENT_TYPE_NOT_SUPPORTED_FOR_INTENT", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("PAYPAL_REQUEST_ID_REQUIRED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("PENDING_CAPTURE", DeclineCode::Other, RetryAdvice::SameGatewayLater),
    ("PERMISSION_DENIED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("PREFERRED_PAYMENT_SOURCE_MISMATCH", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("PREVIOUSLY_CAPTURED", DeclineCode::Other, RetryAdvice::Never),
    ("REDIRECT_PAYER_FOR_ALTERNATE_FUNDING", DeclineCode::DoNotHonor, RetryAdvice::OtherGateway),
    ("REFERENCED_CARD_EXPIRED", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("REFUND_AMOUNT_EXCEEDED", DeclineCode::Other, RetryAdvice::Never),
    ("REFUND_AMOUNT_TOO_LOW", DeclineCode::Other, RetryAdvice::Never),
    ("REFUND_CAPTURE_CURRENCY_MISMATCH", DeclineCode::Misconfigured, RetryAdvice::Never),
    ("REFUND_FAILED_INSUFFICIENT_FUNDS", DeclineCode::InsufficientFunds, RetryAdvice::SameGatewayLater),
    ("REFUND_IS_RESTRICTED", DeclineCode::Misconfigured, RetryAdvice::Never),
    ("REFUND_NOT_ALLOWED", DeclineCode::Other, RetryAdvice::Never),
    ("REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK", DeclineCode::Other, RetryAdvice::Never),
    ("REFUND_TIME_LIMIT_EXCEEDED", DeclineCode::Expired, RetryAdvice::Never),
    ("REQUIRED_PARAMETER_FOR_CUSTOMER_INITIATED_PAYMENT", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("RESOURCE_NOT_FOUND", DeclineCode::Other, RetryAdvice::Never),
    ("RETURN_URL_REQUIRED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("TOKEN_EXPIRED", DeclineCode::Expired, RetryAdvice::Never),
    ("TOKEN_ID_NOT_FOUND", DeclineCode::Other, RetryAdvice::Never),
    ("TRANSACTION_BLOCKED_BY_PAYEE", DeclineCode::FraudSuspected, RetryAdvice::OtherGateway),
    ("TRANSACTION_DISPUTED", DeclineCode::Other, RetryAdvice::SameGatewayLater),
    ("TRANSACTION_LIMIT_EXCEEDED", DeclineCode::LimitExceeded, RetryAdvice::OtherGateway),
    ("TRANSACTION_RECEIVING_LIMIT_EXCEEDED", DeclineCode::LimitExceeded, RetryAdvice::OtherGateway),
    ("TRANSACTION_REFUSED", DeclineCode::DoNotHonor, RetryAdvice::OtherGateway),
    ("UNSUPPORTED_INTENT_FOR_PAYMENT_SOURCE", DeclineCode::MethodUnsupported, RetryAdvice::OtherGateway),
    ("UNSUPPORTED_MEDIA_TYPE", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("VAULT_INSTRUCTION_REQUIRED", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    // OAuth's words, of a request whose token was refused twice.
    ("invalid_client", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
    ("invalid_token", DeclineCode::Misconfigured, RetryAdvice::OtherGateway),
]);

/// What an error says of the request that it answers.
pub enum Said {
    /// Nothing was done, and nothing will be.
    No(Refused),
    /// Nothing was done yet: the payer can still mend it.
    BackToPayer(Refused),
    /// How things stand has to be asked.
    Ask(Refused),
    /// Nothing was done, for now.
    Later(Option<u32>),
}

/// Reads an error.
///
/// 400 and its like are final. 429 says that nothing was done. 409 speaks of another request that is still under way,
/// perhaps this very one; of that and of everything else (408, 5xx, a redirect, an error that cannot be read) nothing is
/// known.
pub fn said(reply: &Response) -> Result<Said, Failure> {
    match reply.status {
        400 | 401 | 403 | 404 | 415 | 422 => {
            let refused = Refused::read(reply)?;
            Ok(if refused.has_one_of(&ASK) || refused.has_one_of(&SEEN_BEFORE) {
                Said::Ask(refused)
            } else if BACK_TO_PAYER.contains(&refused.issue()) {
                Said::BackToPayer(refused)
            } else {
                Said::No(refused)
            })
        }
        429 => {
            let _: Refused = reply.json()?;
            Ok(Said::Later(reply.header("retry-after").and_then(|seconds| seconds.parse().ok())))
        }
        409 => Err(Failure::new("PayPal is still busy with a request for the same object")),
        _ => Err(Failure::new("the reply's status says nothing about what became of the request")),
    }
}

/// Whether PayPal says, in its words, that it has no such object. A 404 of anything in between proves nothing.
pub fn is_not_found(reply: &Response) -> bool {
    reply.status == 404 && reply.json::<Refused>().is_ok_and(|refused| refused.name == "RESOURCE_NOT_FOUND")
}

/// What PayPal would say to an amount with a fraction in a currency that it takes whole, said before it is asked.
pub fn has_fraction(host: &mut dyn Host) -> Outcome {
    let message = "PayPal takes this currency in whole units alone.".to_owned();
    Outcome::Declined(ISSUES.decline("DECIMALS_NOT_SUPPORTED", message, host))
}

/// What PayPal would say to a refund of more than is left of the captures.
pub fn refund_exceeds(host: &mut dyn Host) -> Outcome {
    let message = "The captures have less left than is to be given back.".to_owned();
    Outcome::Declined(ISSUES.decline("REFUND_AMOUNT_EXCEEDED", message, host))
}

/// One operation has room for so many requests; in smaller parts it goes.
pub fn too_many_captures(host: &mut dyn Host) -> Outcome {
    let message = "It would take too many captures at once; refund it in smaller parts.".to_owned();
    Outcome::Declined(ISSUES.decline("MAX_NUMBER_OF_REFUNDS_EXCEEDED", message, host))
}

impl Refused {
    /// Some errors have OAuth's form.
    fn read(reply: &Response) -> Result<Self, Failure> {
        if reply.status == 401
            && let Ok(OAuthRefused { error, error_description }) = reply.json()
        {
            let (details, links) = (Vec::new(), Vec::new());
            return Ok(Self { name: error, message: error_description, debug_id: None, details, links });
        }
        reply.json()
    }

    /// The most exact word.
    pub fn issue(&self) -> &str {
        self.details.first().map_or(self.name.as_str(), |detail| detail.issue.as_str())
    }

    /// Whether an id of ours was seen before.
    pub fn is_seen_before(&self) -> bool {
        self.has_one_of(&SEEN_BEFORE)
    }

    /// Whether it has one of these among all that it says.
    pub fn has_one_of(&self, issues: &[&str]) -> bool {
        let said = self.details.iter().map(|detail| detail.issue.as_str());
        said.chain([self.name.as_str()]).any(|issue| issues.contains(&issue))
    }

    /// Where the payer is to go.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// As a decline of this very request. It has no reference of PayPal's: an error speaks of no order or payment, and so
    /// says nothing about what an earlier request under the same id has done. By the `debug_id` PayPal's support finds it.
    pub fn declined(self, references: Pairs, host: &mut dyn Host) -> Outcome {
        let detail = self.details.into_iter().next();
        let (issue, description) = detail.map_or((self.name, None), |detail| (detail.issue, detail.description));
        let message = description.or(self.message).unwrap_or_default();
        let message = match self.debug_id.filter(|id| !id.is_empty()) {
            Some(id) => [&message, " (debug_id ", &id, ")"].concat(),
            None => message,
        };
        Outcome::Declined(ISSUES.decline(&issue, message, host).with_references(references))
    }
}
