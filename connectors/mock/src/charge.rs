//! Charges and refunds as the gateway writes them, and what they mean to us.

use interlock_connector::types::{
    Accepted, ActionNeeded, Approval, CustomerAction, DeclineCode, Failure, Method, Money, Outcome, Pairs, Redirect,
    RetryAdvice,
};
use interlock_connector::{DeclineTable, Host, references};
use serde::Deserialize;

/// The name under which the charge's id is kept between operations.
pub const CHARGE: &str = "charge";
/// The name under which a refund's id is kept.
const REFUND: &str = "refund";

/// The word for a bank that did not answer in time, and may still approve.
const BANK_SILENT: &str = "bank_silent";
/// For how long it may: three days.
const BANK_SILENT_S: u32 = 3 * 86_400;

/// The gateway's words for declines. Only where another gateway may see it differently does it pay to ask one.
const DECLINES: DeclineTable = DeclineTable(&[
    ("authentication_failed", DeclineCode::AuthenticationFailed, RetryAdvice::Never),
    (BANK_SILENT, DeclineCode::GatewayError, RetryAdvice::OtherGateway),
    ("capture_failed", DeclineCode::Other, RetryAdvice::Never),
    ("customer_declined", DeclineCode::CustomerCancelled, RetryAdvice::Never),
    ("do_not_honor", DeclineCode::DoNotHonor, RetryAdvice::Never),
    ("expired_card", DeclineCode::ExpiredCard, RetryAdvice::Never),
    ("incorrect_number", DeclineCode::IncorrectNumber, RetryAdvice::Never),
    ("insufficient_funds", DeclineCode::InsufficientFunds, RetryAdvice::OtherGateway),
]);

/// A charge. Amounts in minor units; `captured` and `refunded` are cumulative.
#[derive(Deserialize)]
pub struct Charge {
    pub id: String,
    /// The operation that the reply speaks of.
    pub reference: String,
    pub amount: u64,
    pub captured: u64,
    pub refunded: u64,
    pub currency: String,
    pub status: Status,
    pub decline: Option<Declined>,
    pub action: Option<Action>,
    /// Which operation `reference` names, where that is not the charge itself and the gateway says so. Without it a sum
    /// of captures may be that of one or of many.
    pub step: Option<Step>,
}

/// One operation on a charge. Amount in minor units.
#[derive(Clone, Copy, Deserialize)]
pub struct Step {
    pub kind: StepKind,
    pub amount: u64,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    Capture,
    Cancel,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Authorized,
    Captured,
    Pending,
    RequiresAction,
    Declined,
    Cancelled,
}

#[derive(Default, Deserialize)]
pub struct Declined {
    code: String,
    message: String,
    /// What the card network said, where it was asked.
    network_code: Option<String>,
}

#[derive(Deserialize)]
pub struct Action {
    #[serde(rename = "type")]
    kind: ActionKind,
    url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionKind {
    Redirect,
    OpenApp,
}

/// A refund. Where it names no currency, it is the charge's.
#[derive(Deserialize)]
pub struct Refund {
    pub id: String,
    pub charge: String,
    pub reference: String,
    pub amount: u64,
    pub currency: Option<String>,
    pub status: RefundStatus,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    Succeeded,
    Pending,
    Declined,
}

impl Charge {
    /// What it says of the operation that made it.
    pub fn outcome(self, host: &mut dyn Host) -> Result<Outcome, Failure> {
        Ok(match self.status {
            Status::Authorized => Outcome::Authorized(self.approval(|charge| charge.amount)),
            Status::Captured => Outcome::Captured(self.approval(|charge| charge.captured)),
            Status::Cancelled => Outcome::Cancelled(self.released()),
            Status::Pending => Outcome::Pending(self.accepted()),
            Status::RequiresAction => Outcome::ActionRequired(self.action()?),
            Status::Declined => self.declined(host),
        })
    }

    /// What it says of a capture of `asked` minor units. Where the gateway does not say how much this one took, it
    /// tells the sum of all captures: where that is less than what was asked for, it is the most that this one can have
    /// taken.
    pub fn captured(self, asked: u64) -> Outcome {
        let own = self.step.filter(|step| step.kind == StepKind::Capture).map(|step| step.amount);
        Outcome::Captured(self.approval(|charge| own.unwrap_or_else(|| asked.min(charge.captured))))
    }

    /// What it says of one of its captures, found by the capture's reference; nothing where it says nothing of that.
    pub fn capture_outcome(self, asked: u64, host: &mut dyn Host) -> Option<Outcome> {
        match self.status {
            Status::Captured => Some(self.captured(asked)),
            // The rest may have been called off since.
            Status::Cancelled if self.captured > 0 => Some(self.captured(asked)),
            Status::Pending => Some(Outcome::Pending(self.accepted())),
            Status::Declined => Some(self.declined(host)),
            Status::Authorized | Status::RequiresAction | Status::Cancelled => None,
        }
    }

    /// What was called off: whatever had not been captured.
    pub fn released(self) -> Approval {
        self.approval(|charge| charge.amount.saturating_sub(charge.captured))
    }

    fn approval(self, minor_units: impl FnOnce(&Self) -> u64) -> Approval {
        let total = |minor_units| Money::new(minor_units, self.currency.as_str());
        let references = references([(CHARGE, self.id.as_str())]);
        let (captured, refunded, amount) = (total(self.captured), total(self.refunded), minor_units(&self));
        Approval {
            captured_total: Some(captured),
            refunded_total: Some(refunded),
            references,
            ..Approval::of(self.id, Money::new(amount, self.currency))
        }
    }

    fn accepted(self) -> Accepted {
        let references = references([(CHARGE, self.id.as_str())]);
        Accepted::of(self.id, references)
    }

    fn action(self) -> Result<ActionNeeded, Failure> {
        let action = self.action.ok_or_else(|| Failure::new("the charge requires an action and names none"))?;
        let actions = match action.kind {
            ActionKind::Redirect => {
                vec![CustomerAction::Redirect(Redirect { url: action.url, method: Method::Get, fields: Vec::new() })]
            }
            // On the phone itself the link opens the app; elsewhere the customer scans it.
            ActionKind::OpenApp => {
                vec![CustomerAction::OpenApp(action.url.clone()), CustomerAction::DisplayQr(action.url)]
            }
        };
        let references = references([(CHARGE, self.id.as_str())]);
        Ok(ActionNeeded { gateway_reference: Some(self.id), references, actions, expires_at: None })
    }

    fn declined(self, host: &mut dyn Host) -> Outcome {
        let references = references([(CHARGE, self.id.as_str())]);
        let Declined { code, message, network_code } = self.decline.unwrap_or_default();
        let reopenable_s = if code == BANK_SILENT { BANK_SILENT_S } else { 0 };
        let decline = DECLINES.decline(&code, message, host).reopenable_for(reopenable_s);
        let decline = decline.with_network_code(network_code.as_deref());
        Outcome::Declined(decline.about(self.id).with_references(references))
    }
}

impl Refund {
    /// What it says of the refund that made it. `currency` is the charge's, for a gateway that does not name it.
    pub fn outcome(self, currency: &str, host: &mut dyn Host) -> Outcome {
        match self.status {
            RefundStatus::Pending => Outcome::Pending(self.accepted()),
            RefundStatus::Declined => self.declined(host),
            RefundStatus::Succeeded => Outcome::Refunded(Approval {
                references: self.references(),
                ..Approval::of(self.id, Money::new(self.amount, self.currency.as_deref().unwrap_or(currency)))
            }),
        }
    }

    /// That the gateway has it, without saying what became of it.
    pub fn accepted(self) -> Accepted {
        let references = self.references();
        Accepted::of(self.id, references)
    }

    /// The gateway gives refunds no reasons.
    pub fn declined(self, host: &mut dyn Host) -> Outcome {
        const TABLE: DeclineTable = DeclineTable(&[("refund_declined", DeclineCode::Other, RetryAdvice::Never)]);
        let references = self.references();
        let decline = TABLE.decline("refund_declined", "The gateway declined the refund.".to_owned(), host);
        Outcome::Declined(decline.about(self.id).with_references(references))
    }

    fn references(&self) -> Pairs {
        references([(CHARGE, self.charge.as_str()), (REFUND, self.id.as_str())])
    }
}
