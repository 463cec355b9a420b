//! What Razorpay tells of a change: an authorization and its capture are two events, and the paid order a third.

use serde_json::{Value, json};

use super::state::State;
use super::views;
use crate::faces::Notice;
use crate::faces::serials::Serials;
use crate::gateway::charges::Status;
use crate::gateway::refunds;
use crate::gateway::steps::Kind;
use crate::gateway::{Cause, Change, Gateway, Subject};

/// The webhooks about a change. Each is a snapshot: `payment.authorized` shows an authorized payment, although it may be
/// captured by now.
pub fn of(gateway: &Gateway, state: &State, change: &Change, now: u64, serials: &Serials) -> Vec<Notice> {
    let notice = |(kind, contains, payload): Told| {
        let body = json!({
            "entity": "event", "account_id": "acc_BFQ7uQEaa7j2z7", "event": kind, "contains": contains,
            "payload": payload, "created_at": now,
        });
        Notice { id: serials.next(), kind: kind.to_owned(), body: body.to_string().into() }
    };
    let told = match &change.subject {
        Subject::Charge { id, step, .. } => of_charge(gateway, state, id, step.map(|step| step.kind), now),
        Subject::Refund { id } => of_refund(gateway, state, id, change.cause),
        Subject::Own(_) => None,
    };
    told.unwrap_or_default().into_iter().map(notice).collect()
}

/// Its name, what it contains, and that.
type Told = (&'static str, &'static [&'static str], Value);

fn of_charge(gateway: &Gateway, state: &State, id: &str, step: Option<Kind>, now: u64) -> Option<Vec<Told>> {
    let charge = gateway.charge(id)?;
    let payment = |status: &str| json!({"payment": {"entity": views::payment_as(charge, state, status)}});
    let captured = || {
        let order = state.order_of(id).map(|order| views::order(order, gateway));
        let shown = views::payment_as(charge, state, "captured");
        let paid = json!({"payment": {"entity": shown}, "order": {"entity": order}});
        [
            ("payment.captured", ["payment"].as_slice(), payment("captured")),
            ("order.paid", ["payment", "order"].as_slice(), paid),
        ]
    };
    let authorized = || ("payment.authorized", ["payment"].as_slice(), payment("authorized"));
    Some(match (step, charge.status) {
        (Some(Kind::Capture), Status::Captured) => captured().into(),
        (Some(Kind::Cancel), _) => lapsed(state, id, charge, now)?,
        (_, Status::Captured) => [authorized()].into_iter().chain(captured()).collect(),
        (_, Status::Authorized) => vec![authorized()],
        (_, Status::Declined) => vec![("payment.failed", &["payment"], payment("failed"))],
        (_, Status::Pending | Status::RequiresAction | Status::Cancelled) => Vec::new(),
    })
}

/// An authorized payment that nobody captured: Razorpay gives it back by a refund that nobody asked for.
fn lapsed(state: &State, id: &str, charge: &crate::gateway::charges::Charge, now: u64) -> Option<Vec<Told>> {
    let refund = state.payments.get(id)?.lapsed.as_deref()?;
    let payload = json!({
        "refund": {"entity": views::lapse(refund, charge, now)}, "payment": {"entity": views::payment(charge, state)},
    });
    let contains: &[&str] = &["refund", "payment"];
    Some(vec![("refund.created", contains, payload.clone()), ("refund.processed", contains, payload)])
}

fn of_refund(gateway: &Gateway, state: &State, id: &str, cause: Cause) -> Option<Vec<Told>> {
    let (refund, charge) = gateway.refund_of(id)?;
    let contains: &[&str] = &["refund", "payment"];
    let payment = views::payment(charge, state);
    let told = |kind, status| {
        let refund = views::refund_as(refund, charge, state, status);
        (kind, contains, json!({"refund": {"entity": refund}, "payment": {"entity": payment}}))
    };
    let ended = match refund.status {
        refunds::Status::Pending => None,
        refunds::Status::Succeeded => Some(told("refund.processed", "processed")),
        refunds::Status::Declined => Some(told("refund.failed", "failed")),
    };
    let created = (cause == Cause::Asked).then(|| {
        let status =
            if ended.is_some() && refund.status == refunds::Status::Succeeded { "processed" } else { "pending" };
        told("refund.created", status)
    });
    Some(created.into_iter().chain(ended).collect())
}
