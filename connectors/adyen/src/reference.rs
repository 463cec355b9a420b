//! What our operations are called at Adyen. A webhook brings nothing of ours but that name, signed; so it says of which
//! kind the operation is.
//!
//! A payment is called by its operation's id alone: it is called off by that, too. A capture, cancel or refund has its
//! kind behind it (`op_…-capture`, or `op_…-part` where more captures are to follow). What was captured, cancelled or
//! refunded at Adyen by hand comes under the payment's name or under none of ours, and so it is told apart from what we
//! asked for.

use interlock_connector::types::{Action, Capture, Operation, OperationKind};

/// How every operation's id begins. What does not was not asked for by Interlock.
const OURS: &str = "op_";

const CAPTURE: &str = "capture";
/// A capture that is not the last one. To Adyen they are all the same; who looks at them there sees the difference.
const PART: &str = "part";
const CANCEL: &str = "cancel";
const REFUND: &str = "refund";

/// The name of a modification.
pub fn of_modification(operation: &Operation, kind: Modification) -> String {
    let kind = match &operation.action {
        Action::Capture(Capture { is_final: false, .. }) => PART,
        _ => kind.name(),
    };
    [&operation.id, "-", kind].concat()
}

/// A change to a payment that was authorised before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Modification {
    Capture,
    Cancel,
    Refund,
}

impl Modification {
    /// As its references are called, too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => CAPTURE,
            Self::Cancel => CANCEL,
            Self::Refund => REFUND,
        }
    }

    pub fn operation(self) -> OperationKind {
        match self {
            Self::Capture => OperationKind::Capture,
            Self::Cancel => OperationKind::Cancel,
            Self::Refund => OperationKind::Refund,
        }
    }
}

/// Whom a name means.
#[derive(PartialEq, Eq)]
pub enum Named<'a> {
    /// The payment of the authorize with this id.
    Payment(&'a str),
    Modification(Modification, &'a str),
    /// Somebody else's: other systems may use the same merchant account.
    Foreign,
}

/// Reads a name.
pub fn read(name: &str) -> Named<'_> {
    if !name.starts_with(OURS) {
        return Named::Foreign;
    }
    match name.split_once('-') {
        None => Named::Payment(name),
        Some((id, CAPTURE | PART)) => Named::Modification(Modification::Capture, id),
        Some((id, CANCEL)) => Named::Modification(Modification::Cancel, id),
        Some((id, REFUND)) => Named::Modification(Modification::Refund, id),
        Some(_) => Named::Foreign,
    }
}
