//! What became of an operation whose outcome is unknown: found by its receipt, or by the payment that is known.

use interlock_connector::Host;
use interlock_connector::types::{Context, Failure, Operation, Outcome, Request, Sync, SyncTarget};
use serde::de::DeserializeOwned;

use crate::ask;
use crate::payment::{Collection, Order, OrderStatus, PAYMENT, Payment, Status};
use crate::perform::{another_object, known_payment, other_status};
use crate::refund::Refund;

/// Orders with one receipt: one, and one more for each time that its making was repeated. What there is beside the list
/// of orders must fit into the exchanges of one operation.
const ORDERS_MAX: usize = 6;
/// Pages of refunds that are looked through.
const PAGES_MAX: usize = 6;

pub fn sync(ctx: &Context, operation: &Operation, sync: &Sync, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match &sync.target {
        SyncTarget::Authorize(asked) => {
            let payment = if operation.reference(PAYMENT).is_some() {
                Some(known_payment(ctx, operation, host)?)
            } else {
                found_payment(ctx, &sync.target_id, host)?
            };
            payment.map_or(Ok(Outcome::NeverReceived), |payment| payment.outcome(ctx, asked.capture, host))
        }
        SyncTarget::Complete(asked) => known_payment(ctx, operation, host)?.outcome(ctx, asked.capture, host),
        SyncTarget::Capture(_) => {
            let payment = known_payment(ctx, operation, host)?;
            match payment.status {
                Status::Captured | Status::Refunded | Status::Failed => payment.standing(ctx, host),
                // Not captured yet, or never asked for: it may be on its way.
                Status::Authorized | Status::Created => Err(other_status()),
            }
        }
        SyncTarget::Cancel(_) => Err(Failure::new("Razorpay has no way to release a payment")),
        SyncTarget::Refund(_) => {
            let payment = operation.required_reference(PAYMENT)?;
            let found = found_refund(ctx, payment, &sync.target_id, host)?;
            Ok(found.map_or(Outcome::NeverReceived, |refund| refund.outcome(host)))
        }
    }
}

/// The payment of the operation; none where Razorpay shows none and says that none was ever tried. An order that says
/// otherwise and lists nothing is a contradiction, and proves nothing.
fn found_payment(ctx: &Context, operation_id: &str, host: &mut dyn Host) -> Result<Option<Payment>, Failure> {
    let listed: Vec<Order> = list(&ask::orders_by_receipt(ctx, operation_id)?, host)?;
    let is_all = listed.len() < ask::PAGE_MAX;
    let orders: Vec<_> = listed.into_iter().filter(|it| it.receipt.as_deref() == Some(operation_id)).collect();
    if !is_all || orders.len() > ORDERS_MAX {
        return Err(Failure::new("there are more orders with this receipt than can be looked through"));
    }
    let mut best: Option<Payment> = None;
    for order in orders {
        let payments: Vec<Payment> = list(&ask::payments_of_order(ctx, &order.id)?, host)?;
        let is_untouched = order.status == OrderStatus::Created && order.attempts == 0;
        if payments.is_empty() && !is_untouched {
            return Err(Failure::new("the order was tried, and lists no payment"));
        }
        for payment in payments {
            if payment.order_id.as_deref() != Some(order.id.as_str()) {
                return Err(another_object());
            }
            best = Some(match best {
                None => payment,
                Some(other) => better(other, payment)?,
            });
        }
    }
    Ok(best)
}

/// Of two payments for one operation, the one that counts. Of two that were captured, nobody can say.
fn better(one: Payment, other: Payment) -> Result<Payment, Failure> {
    let weight = |payment: &Payment| match payment.status {
        Status::Captured => 4,
        Status::Refunded if payment.captured => 4,
        Status::Authorized => 3,
        Status::Created => 2,
        Status::Refunded => 1,
        Status::Failed => 0,
    };
    match (weight(&one), weight(&other)) {
        (4, 4) => Err(Failure::new("the operation was paid twice")),
        (this, that) => Ok(if that > this { other } else { one }),
    }
}

/// The refund of the operation; none where Razorpay lists all refunds of the payment, and not this one.
fn found_refund(
    ctx: &Context,
    payment: &str,
    operation_id: &str,
    host: &mut dyn Host,
) -> Result<Option<Refund>, Failure> {
    for page in 0..PAGES_MAX {
        let refunds: Vec<Refund> = list(&ask::refunds_of_payment(ctx, payment, page * ask::PAGE_MAX)?, host)?;
        let is_last = refunds.len() < ask::PAGE_MAX;
        if refunds.iter().any(|refund| refund.payment_id != payment) {
            return Err(another_object());
        }
        let found = refunds.into_iter().find(|refund| refund.is_of(operation_id));
        if found.is_some() || is_last {
            return Ok(found);
        }
    }
    Err(Failure::new("the payment has more refunds than can be looked through"))
}

/// A refusal here refuses the question: it says nothing about the operation that was asked about.
fn list<T: DeserializeOwned>(request: &Request, host: &mut dyn Host) -> Result<Vec<T>, Failure> {
    let reply = host.exchange(request);
    if !reply.is_success() {
        return Err(Failure::new("the gateway refused the question"));
    }
    reply.json::<Collection<T>>()?.items()
}
