//! What an item of a webhook means to us.
//! <https://docs.adyen.com/development-resources/webhooks/webhook-types>

use interlock_connector::types::{
    Accepted, Approval, DeclineCode, EventKind, Failure, Level, OperationKind, Outcome, Pairs, RetryAdvice,
};
use interlock_connector::{DeclineTable, Host, references};

use crate::item::{Item, some};
use crate::payment::PAYMENT;
use crate::reference::{self, Modification, Named};
use crate::refusal;

/// Adyen's words for what an item says to be wrong, which are those of the events themselves.
const FAILURES: DeclineTable = DeclineTable(&[
    ("CANCELLATION", DeclineCode::Other, RetryAdvice::Never),
    ("CANCEL_OR_REFUND", DeclineCode::Other, RetryAdvice::Never),
    ("CAPTURE", DeclineCode::Other, RetryAdvice::Never),
    ("CAPTURE_FAILED", DeclineCode::Other, RetryAdvice::Never),
    ("OFFER_CLOSED", DeclineCode::Expired, RetryAdvice::Never),
    ("REFUND", DeclineCode::Other, RetryAdvice::Never),
    ("REFUNDED_REVERSED", DeclineCode::Other, RetryAdvice::Never),
    ("REFUND_FAILED", DeclineCode::Other, RetryAdvice::Never),
    ("TECHNICAL_CANCEL", DeclineCode::Other, RetryAdvice::Never),
    ("VOID_PENDING_REFUND", DeclineCode::Other, RetryAdvice::Never),
]);

/// What an item says, and of what.
pub struct Told {
    pub operation_id: Option<String>,
    pub gateway_reference: Option<String>,
    pub references: Pairs,
    pub kind: EventKind,
}

/// Whether an item with that code speaks of a payment, or only tells something worth keeping.
pub fn changes_something(event_code: &str) -> bool {
    matches!(event_code, "AUTHORISATION" | "EXPIRE") || FAILURES.find(event_code).is_some()
}

/// What the item means. A code that is not listed is a notice: chargebacks, reports, and what Adyen thinks of next. So is
/// an item that cannot be read, with a line in the log: Adyen would only send it again as it is.
pub fn told(item: &Item, host: &mut dyn Host) -> Told {
    match read(item, host) {
        Ok(told) => told,
        Err(failure) => {
            host.log(Level::Warn, &["a signed item of a webhook is kept unread: ", &failure.message].concat());
            notice(item)
        }
    }
}

fn read(item: &Item, host: &mut dyn Host) -> Result<Told, Failure> {
    let code = item.event_code.as_str();
    if !changes_something(code) {
        return Ok(notice(item));
    }
    let succeeded = match item.success.as_str() {
        "true" => true,
        "false" => false,
        _ => return Err(Failure::new("it says neither that it succeeded nor that it failed")),
    };
    match (reference::read(&item.merchant_reference), code, succeeded) {
        (Named::Payment(id), "AUTHORISATION", true) => authorised(item, id),
        (Named::Payment(id), "AUTHORISATION", false) => Ok(refused(item, id, host)),
        (Named::Payment(_), "TECHNICAL_CANCEL", false) => Ok(failed(item, OperationKind::Cancel, None, host)),
        (Named::Payment(id), _, true) => of_payment(item, Some(id), host),
        // Nobody here has named it: by hand, or by another system. Whose payment it is, its reference tells.
        (Named::Foreign, _, true) if !item.original_reference.is_empty() => of_payment(item, None, host),
        (Named::Modification(kind, id), code, succeeded) => of_modification(item, kind, id, (code, succeeded), host),
        (Named::Payment(_) | Named::Foreign, ..) => Ok(notice(item)),
    }
}

/// What was done to a payment and asked for by no operation of ours. Without an id it is looked for by the payment's
/// reference.
fn of_payment(item: &Item, id: Option<&str>, host: &mut dyn Host) -> Result<Told, Failure> {
    let action = item.additional_data.modification_action.as_str();
    match (item.event_code.as_str(), action) {
        ("EXPIRE", _) => Ok(expired(item, id)),
        ("OFFER_CLOSED" | "CAPTURE_FAILED", _) => Ok(failed(item, OperationKind::Authorize, id, host)),
        ("CAPTURE", _) => done(item, OperationKind::Authorize, id, Outcome::Captured),
        ("CANCELLATION", _) | ("CANCEL_OR_REFUND", "cancel") => {
            done(item, OperationKind::Authorize, id, Outcome::Cancelled)
        }
        // A cancel by our name of the payment may be told under that name; it is found by its own reference.
        ("TECHNICAL_CANCEL", _) => done(item, OperationKind::Cancel, None, Outcome::Cancelled),
        // Nobody here asked for it, so it is looked for by its own reference, and kept for a person where it is not found.
        ("REFUND", _) | ("CANCEL_OR_REFUND", "refund") => done(item, OperationKind::Refund, None, Outcome::Refunded),
        ("REFUND_FAILED" | "REFUNDED_REVERSED", _) => Ok(failed(item, OperationKind::Refund, None, host)),
        _ => Ok(notice(item)),
    }
}

fn of_modification(
    item: &Item,
    kind: Modification,
    id: &str,
    said: (&str, bool),
    host: &mut dyn Host,
) -> Result<Told, Failure> {
    match (kind, said.0, said.1) {
        (Modification::Capture, "CAPTURE", true) => done(item, OperationKind::Capture, Some(id), Outcome::Captured),
        (Modification::Cancel, "CANCELLATION" | "TECHNICAL_CANCEL", true) => {
            done(item, OperationKind::Cancel, Some(id), Outcome::Cancelled)
        }
        (Modification::Refund, "REFUND", true) => done(item, OperationKind::Refund, Some(id), Outcome::Refunded),
        (Modification::Capture, "CAPTURE", false)
        | (Modification::Capture, "CAPTURE_FAILED", true)
        | (Modification::Cancel, "CANCELLATION" | "TECHNICAL_CANCEL", false)
        | (Modification::Refund, "REFUND", false)
        // The network or the customer's bank sent it back, perhaps days later; or it was called off before it left.
        | (Modification::Refund, "REFUND_FAILED" | "REFUNDED_REVERSED" | "VOID_PENDING_REFUND", true) => {
            Ok(failed(item, kind.operation(), Some(id), host))
        }
        _ => Ok(notice(item)),
    }
}

/// Held or taken, as was asked for: the item is the same for both, and the host knows what that was.
fn authorised(item: &Item, id: &str) -> Result<Told, Failure> {
    let approval = approval(item, OperationKind::Authorize)?;
    Ok(Told { kind: EventKind::Approved(approval), ..about_operation(item, OperationKind::Authorize, Some(id)) })
}

/// Of one try: within one redirect the customer may have several, each with a reference of its own.
fn refused(item: &Item, id: &str, host: &mut dyn Host) -> Told {
    let decline = refusal::by_reason(item.reason.clone(), host)
        .with_network_code(some(&item.additional_data.refusal_reason_raw))
        .about(item.psp_reference.as_str());
    outcome(item, OperationKind::Authorize, Some(id), Outcome::Declined(decline))
}

/// What was not captured in time.
fn expired(item: &Item, id: Option<&str>) -> Told {
    let accepted = Accepted { gateway_reference: Some(item.payment().to_owned()), references: Pairs::new() };
    outcome(item, OperationKind::Authorize, id, Outcome::Expired(accepted))
}

fn done(item: &Item, kind: OperationKind, id: Option<&str>, of: fn(Approval) -> Outcome) -> Result<Told, Failure> {
    Ok(outcome(item, kind, id, of(approval(item, kind)?)))
}

fn approval(item: &Item, kind: OperationKind) -> Result<Approval, Failure> {
    let data = &item.additional_data;
    Ok(Approval {
        references: own_references(item, kind),
        network_reference: some(&data.network_tx_reference).map(str::to_owned),
        authorization_code: some(&data.auth_code).map(str::to_owned),
        ..Approval::of(own_reference(item, kind), item.money()?)
    })
}

fn failed(item: &Item, kind: OperationKind, id: Option<&str>, host: &mut dyn Host) -> Told {
    let decline = FAILURES.decline(&item.event_code, item.reason.clone(), host).about(own_reference(item, kind));
    outcome(item, kind, id, Outcome::Declined(decline))
}

fn outcome(item: &Item, kind: OperationKind, id: Option<&str>, outcome: Outcome) -> Told {
    Told { kind: EventKind::Outcome((kind, outcome)), ..about_operation(item, kind, id) }
}

/// Of which operation the item speaks. Without an id of ours a payment is found by its reference, and what is done to one
/// by its own: by the payment's it would be taken for any other operation of that kind.
fn about_operation(item: &Item, kind: OperationKind, id: Option<&str>) -> Told {
    let by_payment = id.is_some() || kind == OperationKind::Authorize;
    Told {
        operation_id: id.map(str::to_owned),
        gateway_reference: by_payment.then(|| item.payment().to_owned()),
        references: if id.is_some() { Pairs::new() } else { own_references(item, kind) },
        kind: EventKind::Notice(String::new()),
    }
}

/// What an operation of that kind is called at Adyen.
fn own_reference(item: &Item, kind: OperationKind) -> &str {
    if kind == OperationKind::Authorize { item.payment() } else { &item.psp_reference }
}

/// As the operation's own outcome has left them.
fn own_references(item: &Item, kind: OperationKind) -> Pairs {
    let name = match kind {
        OperationKind::Capture => Modification::Capture.name(),
        OperationKind::Cancel => Modification::Cancel.name(),
        OperationKind::Refund => Modification::Refund.name(),
        OperationKind::Authorize | OperationKind::Complete | OperationKind::Sync => PAYMENT,
    };
    references([(name, own_reference(item, kind))])
}

fn notice(item: &Item) -> Told {
    Told {
        operation_id: None,
        gateway_reference: some(&item.psp_reference).map(str::to_owned),
        references: Pairs::new(),
        kind: EventKind::Notice(item.event_code.clone()),
    }
}
