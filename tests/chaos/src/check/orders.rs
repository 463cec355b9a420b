//! Orders: never paid beyond their amount, and the sum of their payments.

use std::collections::BTreeMap;

use super::Breach;
use crate::facts::{
    Facts,
    books::{Order, Payment},
};

pub fn check(facts: &Facts, breaches: &mut Vec<Breach>) {
    let mut payments: BTreeMap<&str, Vec<&Payment>> = BTreeMap::new();
    for payment in &facts.books.payments {
        if let Some(order) = &payment.order {
            payments.entry(order).or_default().push(payment);
        }
    }
    for order in &facts.books.orders {
        let own = payments.remove(order.id.as_str()).unwrap_or_default();
        one(order, &own, breaches);
    }
    for (order, payments) in payments {
        let payment = payments.first().map(|payment| payment.id.as_str());
        breaches.push(Breach::of("a payment's order exists", payment, format!("{order} does not")));
    }
}

fn one(order: &Order, payments: &[&Payment], breaches: &mut Vec<Breach>) {
    let payment = payments.first().map(|payment| payment.id.as_str());
    let mut breach =
        |what: String| breaches.push(Breach::of("an order adds up", payment, format!("{}: {what}", order.id)));
    let Order { amount, reserved, paid, refunded, surplus, .. } = *order;
    if paid + reserved > amount {
        breach(format!("of {amount}, {paid} are paid and {reserved} reserved"));
    }
    let (captured, given_back) = payments
        .iter()
        .fold((0, 0), |(captured, refunded), payment| (captured + payment.captured, refunded + payment.refunded));
    if paid + surplus != captured {
        breach(format!("{paid} are paid and {surplus} too much, its payments took {captured}"));
    }
    if refunded != given_back {
        breach(format!("{refunded} are refunded, its payments gave back {given_back}"));
    }
    let is_open = |payment: &&&Payment| {
        payment.open_attempt.is_some()
            || matches!(payment.status.as_str(), "authorized" | "partially_captured" | "manual_review")
    };
    let open = payments.iter().filter(is_open).count();
    if reserved > 0 && open == 0 {
        breach(format!("{reserved} are reserved, and nothing is under way"));
    }
    let status = match (paid, refunded) {
        (0, 0) => "open",
        (_, given) if given > 0 && given == paid => "refunded",
        (_, given) if given > 0 => "partially_refunded",
        (paid, _) if paid == amount => "paid",
        (_, _) => "partially_paid",
    };
    if order.status != status && order.status != "cancelled" {
        breach(format!("{paid} of {amount} are paid, {refunded} refunded, and it is {}", order.status));
    }
}
