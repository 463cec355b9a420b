//! Refunds as Razorpay writes them, and what they mean to us.

use interlock_connector::types::{Accepted, Approval, DeclineCode, Money, Outcome, Pairs, RetryAdvice};
use interlock_connector::{DeclineTable, Host, references};
use serde::Deserialize;

use crate::payment::{Acquirer, Notes, OPERATION_PREFIX, PAYMENT, text};

/// The name under which a refund's id is kept.
const REFUND: &str = "refund";

/// A refund. Amount in minor units.
#[derive(Deserialize)]
pub struct Refund {
    pub id: String,
    pub amount: u64,
    pub currency: String,
    pub payment_id: String,
    /// The operation that made it; none, or another system's, for what was not made here.
    #[serde(default, deserialize_with = "text")]
    pub receipt: Option<String>,
    #[serde(default)]
    notes: Option<Notes>,
    #[serde(default)]
    acquirer_data: Option<Acquirer>,
    pub status: Status,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    /// Razorpay is done with it. Usually that is so before the bank is, and the bank may still refuse.
    Processed,
    Failed,
}

impl Refund {
    /// Our operation, by note or receipt; none for what other systems of the merchant made.
    pub fn operation_id(&self) -> Option<&str> {
        let noted = self.notes.as_ref().and_then(Notes::operation_id);
        noted.or_else(|| self.receipt.as_deref().filter(|receipt| receipt.starts_with(OPERATION_PREFIX)))
    }

    /// Whether that operation made it. By either: what is not recognized counts as never made, and is made again.
    pub fn is_of(&self, operation_id: &str) -> bool {
        self.operation_id() == Some(operation_id) || self.receipt.as_deref() == Some(operation_id)
    }

    /// What it says of the operation that made it.
    pub fn outcome(self, host: &mut dyn Host) -> Outcome {
        match self.status {
            Status::Pending => {
                let references = self.references();
                Outcome::Pending(Accepted::of(self.id, references))
            }
            Status::Processed => self.refunded(),
            Status::Failed => self.declined(host),
        }
    }

    fn refunded(self) -> Outcome {
        let references = self.references();
        let Acquirer { rrn, arn, .. } = self.acquirer_data.unwrap_or_default();
        Outcome::Refunded(Approval {
            references,
            network_reference: arn.or(rrn),
            ..Approval::of(self.id, Money::new(self.amount, self.currency))
        })
    }

    /// Razorpay gives a failed refund no reason.
    fn declined(self, host: &mut dyn Host) -> Outcome {
        const TABLE: DeclineTable = DeclineTable(&[("refund_failed", DeclineCode::Other, RetryAdvice::Never)]);
        let references = self.references();
        let message = "Razorpay could not make the refund.".to_owned();
        Outcome::Declined(TABLE.decline("refund_failed", message, host).about(self.id).with_references(references))
    }

    fn references(&self) -> Pairs {
        references([(PAYMENT, self.payment_id.as_str()), (REFUND, self.id.as_str())])
    }
}
