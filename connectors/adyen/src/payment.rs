//! What Adyen answers to a payment, and what that means to us.

use interlock_connector::types::{
    Accepted, Approval, CaptureMethod, Decline, DeclineCode, Failure, Money, Outcome, Pairs, Response, RetryAdvice,
};
use interlock_connector::{DeclineTable, Host, references};
use serde::Deserialize;

use crate::action::{self, Action};
use crate::currency::Amount;
use crate::refusal;

/// The name under which Adyen's reference of an authorised payment is kept between operations.
pub const PAYMENT: &str = "payment";
/// The name under which ours is kept while the customer acts.
pub const REFERENCE: &str = "reference";

/// What was asked for.
pub struct Asked<'a> {
    pub amount: &'a Money,
    pub capture: CaptureMethod,
    /// What the payment is called; none where nobody has kept it.
    pub reference: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    result_code: ResultCode,
    psp_reference: Option<String>,
    merchant_reference: Option<String>,
    amount: Option<Amount>,
    refusal_reason: Option<String>,
    refusal_reason_code: Option<String>,
    action: Option<Action>,
    #[serde(default)]
    additional_data: AdditionalData,
}

/// What more is told about a card payment, as far as the merchant account is set to tell it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AdditionalData {
    pub auth_code: Option<String>,
    pub network_tx_reference: Option<String>,
    pub refusal_reason_raw: Option<String>,
}

/// A word that is not listed makes the reply unreadable, and the payment unknown.
#[derive(Deserialize)]
enum ResultCode {
    Authorised,
    PartiallyAuthorised,
    Refused,
    Error,
    Cancelled,
    Pending,
    Received,
    RedirectShopper,
    PresentToShopper,
    IdentifyShopper,
    ChallengeShopper,
    /// Only for payments that are authenticated and no more, which we do not ask for.
    AuthenticationFinished,
    AuthenticationNotRequired,
    /// Not for payments.
    Success,
}

/// What a reply with status 200 says of a payment.
pub fn outcome(reply: &Response, asked: &Asked<'_>, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let payment: Payment = reply.json()?;
    if let (Some(said), Some(ours)) = (&payment.merchant_reference, asked.reference)
        && said != ours
    {
        return Err(Failure::new("the reply speaks of another payment"));
    }
    match payment.result_code {
        ResultCode::Authorised => payment.approved(asked, Some(asked.amount)),
        // How much, only the reply knows.
        ResultCode::PartiallyAuthorised => payment.approved(asked, None),
        ResultCode::Refused => Ok(payment.declined("2", host)),
        ResultCode::Error => Ok(payment.declined("0", host)),
        ResultCode::Cancelled => Ok(payment.declined("15", host)),
        ResultCode::Pending | ResultCode::Received if payment.action.is_none() => Ok(payment.pending(asked)),
        ResultCode::Pending | ResultCode::Received | ResultCode::RedirectShopper | ResultCode::PresentToShopper => {
            payment.action_required(asked)
        }
        ResultCode::IdentifyShopper | ResultCode::ChallengeShopper => Ok(payment.native(host)),
        ResultCode::AuthenticationFinished | ResultCode::AuthenticationNotRequired | ResultCode::Success => {
            Err(Failure::new("the payment has a result that does not follow from what was asked"))
        }
    }
}

impl Payment {
    /// Held or taken. With automatic capture Adyen takes what it has authorised without a further word, unless that
    /// fails: `CAPTURE_FAILED` tells, and corrects this.
    fn approved(self, asked: &Asked<'_>, whole: Option<&Money>) -> Result<Outcome, Failure> {
        let psp_reference = self.psp_reference.ok_or_else(|| Failure::new("an authorised payment has no reference"))?;
        let amount = match (self.amount, whole) {
            (Some(amount), _) => amount.money()?,
            (None, Some(whole)) => whole.clone(),
            (None, None) => return Err(Failure::new("a part was authorised, and the reply does not say how much")),
        };
        let approval = Approval {
            references: references([(PAYMENT, psp_reference.as_str())]),
            network_reference: self.additional_data.network_tx_reference,
            authorization_code: self.additional_data.auth_code,
            ..Approval::of(psp_reference, amount)
        };
        Ok(match asked.capture {
            CaptureMethod::Automatic => Outcome::Captured(approval),
            CaptureMethod::Manual => Outcome::Authorized(approval),
        })
    }

    /// A final no. `code` is what it means where Adyen gives no reason.
    fn declined(self, code: &str, host: &mut dyn Host) -> Outcome {
        let code = self.refusal_reason_code.as_deref().unwrap_or(code);
        let decline = refusal::by_code(code, self.refusal_reason.unwrap_or_default(), host)
            .with_network_code(self.additional_data.refusal_reason_raw.as_deref());
        Outcome::Declined(about(decline, self.psp_reference))
    }

    /// Under the reference that it will be authorised with.
    fn pending(self, asked: &Asked<'_>) -> Outcome {
        let payment = self.psp_reference.as_deref().map(|reference| (PAYMENT, reference));
        let references = kept(asked).into_iter().chain(references(payment)).collect();
        Outcome::Pending(Accepted { references, gateway_reference: self.psp_reference })
    }

    fn action_required(self, asked: &Asked<'_>) -> Result<Outcome, Failure> {
        let action = self.action.ok_or_else(|| Failure::new("the customer is to act, and nothing says how"))?;
        Ok(Outcome::ActionRequired(action::needed(action, self.psp_reference, kept(asked))?))
    }

    /// Adyen waits for a script in the customer's page, which there is not. Nothing is authorised before it has spoken.
    fn native(self, host: &mut dyn Host) -> Outcome {
        const WORD: &str = "native_3ds";
        const TABLE: DeclineTable =
            DeclineTable(&[(WORD, DeclineCode::AuthenticationRequired, RetryAdvice::OtherGateway)]);
        let message = "Adyen wants 3-D Secure in the merchant's own page, and was asked not to.".to_owned();
        Outcome::Declined(about(TABLE.decline(WORD, message, host), self.psp_reference))
    }
}

/// While the customer acts: the payment's reference at Adyen may become another one then; ours stays.
fn kept(asked: &Asked<'_>) -> Pairs {
    references(asked.reference.map(|reference| (REFERENCE, reference)))
}

fn about(decline: Decline, psp_reference: Option<String>) -> Decline {
    match psp_reference {
        Some(reference) => decline.about(reference),
        None => decline,
    }
}
