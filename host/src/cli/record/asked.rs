//! The operation that is recorded: from a file, or made up; and what is asked after it.

use std::fs;

use anyhow::Context as _;
use clap::ValueEnum;
use interlock_connector::money::from_decimal;

use super::{RecordArguments, given::Given};
use crate::{
    cli::failure::Usage,
    clock::Ids,
    connector::types::{
        Action, Approval, Authorize, Cancel, Capture, CaptureMethod, Customer, Money, Operation, Outcome, Pairs,
        PaymentMethod, Refund, Sync, SyncTarget,
    },
    domain::{
        id::{OperationId, PaymentId},
        money::Currency,
    },
};

/// What can be asked about a payment that was authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Then {
    Capture,
    Cancel,
    Refund,
    Sync,
}

impl Then {
    pub fn word(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::Sync => "sync",
        }
    }
}

/// An operation, and what is known of the payment by then.
pub struct Asked {
    pub operation: Operation,
    amount: Option<Money>,
    /// Of each capture so far.
    captures: Vec<Pairs>,
}

impl Asked {
    /// What the command line asks for.
    pub fn first(arguments: &RecordArguments, given: &Given, ids: &Ids) -> anyhow::Result<Self> {
        let operation = match &arguments.operation {
            Some(path) => {
                let text = fs::read_to_string(path).with_context(|| format!("{} could not be read", path.display()))?;
                let operation: Operation = serde_json::from_str(&text).map_err(|error| {
                    Usage(format!("{} is no operation as cassettes have it: {error}", path.display()))
                })?;
                paid_with(operation, given)?
            }
            None => Operation {
                id: OperationId::from_uuid(ids.v7()).to_string(),
                payment_id: PaymentId::from_uuid(ids.v7()).to_string(),
                references: Vec::new(),
                action: Action::Authorize(authorize(arguments, given)?),
            },
        };
        let amount = match &operation.action {
            Action::Authorize(it) => Some(it.amount.clone()),
            Action::Complete(it) => Some(it.amount.clone()),
            Action::Capture(it) => Some(it.amount.clone()),
            Action::Refund(it) => Some(it.amount.clone()),
            Action::Cancel(_) | Action::Sync(_) => None,
        };
        Ok(Self { operation, amount, captures: Vec::new() })
    }

    /// What is asked next, of the same payment.
    pub fn then(&self, then: Then, outcome: &Outcome, ids: &Ids) -> Result<Self, Usage> {
        let before = &self.operation;
        let mut captures = self.captures.clone();
        if let Outcome::Captured(Approval { references, .. }) = outcome {
            captures.push(references.clone());
        }
        let amount = || {
            let says = format!("--then {} needs an amount, and the operation before has none", then.word());
            self.amount.clone().ok_or(Usage(says))
        };
        let action = match then {
            Then::Capture => Action::Capture(Capture { amount: amount()?, is_final: true }),
            Then::Cancel => Action::Cancel(Cancel { target_id: before.id.clone(), reason: None }),
            Then::Refund => Action::Refund(Refund { amount: amount()?, reason: None, captures: captures.clone() }),
            Then::Sync => Action::Sync(Sync { target_id: before.id.clone(), target: target(&before.action)? }),
        };
        let operation = Operation {
            id: OperationId::from_uuid(ids.v7()).to_string(),
            payment_id: before.payment_id.clone(),
            references: merged(&before.references, references(outcome)),
            action,
        };
        Ok(Self { operation, amount: self.amount.clone(), captures })
    }

    /// What kind of operation it is.
    pub fn word(&self) -> &'static str {
        self.operation.action.kind().into()
    }

    /// For the person who reads the cassette.
    pub fn about(&self) -> String {
        match &self.amount {
            Some(Money { minor_units, currency }) => format!("{} of {minor_units} {currency}", self.word()),
            None => self.word().to_owned(),
        }
    }
}

fn authorize(arguments: &RecordArguments, given: &Given) -> Result<Authorize, Usage> {
    let [amount, code] = arguments.authorize.as_slice() else {
        return Err(Usage("--authorize takes an amount and a currency: 12.50 EUR".into()));
    };
    let currency: Currency = code.parse().map_err(|fault| Usage(format!("{code}: {fault}")))?;
    let minor_units = from_decimal(amount, currency.exponent().into())
        .filter(|amount| *amount > 0)
        .ok_or_else(|| Usage(format!("{amount} is no amount of {code}, which has {} decimals", currency.exponent())))?;
    Ok(Authorize {
        amount: Money { minor_units, currency: code.clone() },
        method: PaymentMethod::Card(given.card()),
        capture: if arguments.hold { CaptureMethod::Manual } else { CaptureMethod::Automatic },
        customer: Customer::default(),
        description: None,
        order_reference: None,
        return_url: None,
        metadata: Vec::new(),
        extra: Vec::new(),
    })
}

/// What the operation says of a card is that of the card that is charged.
fn paid_with(mut operation: Operation, given: &Given) -> Result<Operation, Usage> {
    let Action::Authorize(authorize) = &mut operation.action else { return Ok(operation) };
    match &mut authorize.method {
        PaymentMethod::Card(card) => *card = given.card(),
        PaymentMethod::Wallet(wallet) => wallet.has_token = given.has_token(),
        PaymentMethod::GatewayToken if !given.has_token() => {
            return Err(Usage("the operation is paid with a gateway's token: give it with --token".into()));
        }
        PaymentMethod::GatewayToken | PaymentMethod::Upi(_) => {}
    }
    Ok(operation)
}

fn target(action: &Action) -> Result<SyncTarget, Usage> {
    Ok(match action.clone() {
        Action::Authorize(it) => SyncTarget::Authorize(it),
        Action::Complete(it) => SyncTarget::Complete(it),
        Action::Capture(it) => SyncTarget::Capture(it),
        Action::Cancel(it) => SyncTarget::Cancel(it),
        Action::Refund(it) => SyncTarget::Refund(it),
        Action::Sync(_) => return Err(Usage("a sync asks about what was done, and a sync does nothing".into())),
    })
}

fn references(outcome: &Outcome) -> &[(String, String)] {
    match outcome {
        Outcome::Authorized(it) | Outcome::Captured(it) | Outcome::Cancelled(it) | Outcome::Refunded(it) => {
            &it.references
        }
        Outcome::Declined(it) => &it.references,
        Outcome::ActionRequired(it) => &it.references,
        Outcome::ReadyToComplete(references) => references,
        Outcome::Pending(it) | Outcome::Expired(it) => &it.references,
        Outcome::NotProcessed(_) | Outcome::NeverReceived => &[],
    }
}

/// The later value of a name counts.
fn merged(before: &[(String, String)], new: &[(String, String)]) -> Pairs {
    let kept = before.iter().filter(|(name, _)| !new.iter().any(|(other, _)| other == name));
    kept.chain(new).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_merged_by_name() {
        let pairs = |pairs: &[(&str, &str)]| -> Pairs {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let merged = merged(&pairs(&[("charge", "1"), ("order", "2")]), &pairs(&[("charge", "3")]));
        assert_eq!(merged, pairs(&[("order", "2"), ("charge", "3")]));
    }
}
