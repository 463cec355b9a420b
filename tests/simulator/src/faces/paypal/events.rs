//! What PayPal tells of its own accord.

use serde_json::{Value, json};

use super::state::{Order, State};
use super::views::{Views, time};
use crate::faces::Notice;
use crate::faces::serials::Serials;
use crate::gateway::charges::Status;
use crate::gateway::steps::{Kind, Progress, Step};
use crate::gateway::{Cause, Change, Subject, refunds};

/// What is told of a change; nothing where it is nobody's business.
pub fn notice(views: &Views, state: &State, change: &Change, serials: &Serials, now: u64) -> Option<Notice> {
    let (kind, resource_type, resource) = told(views, state, change)?;
    let id = format!("WH-{}", serials.next().to_uppercase());
    let body = json!({
        "id": id, "event_version": "1.0", "create_time": time(now), "resource_type": resource_type,
        "resource_version": "2.0", "event_type": kind, "summary": "", "resource": resource,
        "links": [{"rel": "self", "href": format!("{}/v1/notifications/webhooks-events/{id}", views.base),
                   "method": "GET"}],
    });
    Some(Notice { id, kind: kind.to_owned(), body: body.to_string().into() })
}

fn told(views: &Views, state: &State, change: &Change) -> Option<(&'static str, &'static str, Value)> {
    match &change.subject {
        Subject::Own(order) => {
            Some(("CHECKOUT.ORDER.APPROVED", "checkout-order", views.order(state.any_order(order)?)))
        }
        Subject::Refund { id } => of_refund(views, state, id, change.cause),
        Subject::Charge { id, reference, step } => {
            let order = state.order_of(id)?;
            match step.map(|step| step.kind) {
                Some(Kind::Cancel) => {
                    Some(("PAYMENT.AUTHORIZATION.VOIDED", "authorization", views.authorization(order)?))
                }
                Some(Kind::Capture) => {
                    let capture = order.captures.iter().find(|it| it.step.as_deref() == Some(reference))?;
                    let kind = of_capture(step.as_ref().map(|step| step.progress), change.cause);
                    Some((kind, "capture", views.capture(order, capture)))
                }
                Some(Kind::Charge) | None => of_charge(views, order, step.as_ref(), change.cause),
            }
        }
    }
}

fn of_capture(progress: Option<Progress>, cause: Cause) -> &'static str {
    match progress {
        _ if cause == Cause::TakenBack => "PAYMENT.CAPTURE.DENIED",
        Some(Progress::Failed(_)) => "PAYMENT.CAPTURE.DECLINED",
        Some(Progress::Open { .. }) => "PAYMENT.CAPTURE.PENDING",
        Some(Progress::Done) | None => "PAYMENT.CAPTURE.COMPLETED",
    }
}

/// The charge itself: of an order that captures its only capture, of one that authorizes its authorization.
fn of_charge(
    views: &Views,
    order: &Order,
    step: Option<&Step>,
    cause: Cause,
) -> Option<(&'static str, &'static str, Value)> {
    let status = views.gateway.charge(order.charge.as_deref()?)?.status;
    if let Some(authorization) = views.authorization(order) {
        // PayPal has no event for one that is denied.
        let is_held = status == Status::Authorized;
        return is_held.then_some(("PAYMENT.AUTHORIZATION.CREATED", "authorization", authorization));
    }
    let capture = order.captures.first()?;
    let kind = match status {
        _ if step.is_some_and(|step| matches!(step.progress, Progress::Failed(_))) || cause == Cause::TakenBack => {
            "PAYMENT.CAPTURE.DENIED"
        }
        Status::Declined | Status::Cancelled => "PAYMENT.CAPTURE.DECLINED",
        Status::Pending | Status::RequiresAction => "PAYMENT.CAPTURE.PENDING",
        Status::Authorized | Status::Captured => "PAYMENT.CAPTURE.COMPLETED",
    };
    Some((kind, "capture", views.capture(order, capture)))
}

fn of_refund(
    views: &Views,
    state: &State,
    in_ledger: &str,
    cause: Cause,
) -> Option<(&'static str, &'static str, Value)> {
    let (refund, charge) = views.gateway.refund_of(in_ledger)?;
    let order = state.order_of(&charge.id)?;
    let kind = match refund.status {
        refunds::Status::Succeeded => "PAYMENT.CAPTURE.REFUNDED",
        refunds::Status::Pending => "PAYMENT.REFUND.PENDING",
        // At once, the answer has told it.
        refunds::Status::Declined if cause == Cause::Asked => return None,
        refunds::Status::Declined => "PAYMENT.REFUND.FAILED",
    };
    let shown = order.refunds.iter().find(|it| it.in_ledger == in_ledger)?;
    Some((kind, "refund", views.refund(order, shown)))
}
