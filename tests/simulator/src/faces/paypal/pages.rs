//! Where payers are sent: PayPal's own page for a wallet, and the issuer's for a card.

use super::errors;
use super::state::{Order, Shared, Stage, lock};
use super::tokens;
use crate::faces::{Effects, Request, pages};
use crate::gateway::{Cause, Subject};

const WALLET_TITLE: &str = "PayPal";
const BANK_TITLE: &str = "Your bank";
/// What PayPal calls every payer here.
const PAYER_ID: &str = "QYR5Z8XDVJNXQ";

/// `/__checkoutnow/{order}` and `/__helios/{order}`: a question, and its buttons. `/__tokens` is a control.
pub fn visit(request: &Request, state: &Shared) -> Effects {
    match (request.method.as_str(), request.segments().as_slice()) {
        ("POST", ["__tokens"]) => tokens::control(request, state).into(),
        ("GET", [page @ ("__checkoutnow" | "__helios"), id]) => question(request, state, page, id),
        ("POST", ["__checkoutnow", id, choice @ ("approve" | "decline")]) => wallet(state, id, *choice == "approve"),
        ("POST", ["__helios", id, choice @ ("approve" | "decline")]) => bank(state, id, *choice == "approve"),
        (_, ["__tokens"]) => errors::not_found().into(),
        _ => pages::nothing_here().into(),
    }
}

fn question(request: &Request, state: &Shared, page: &str, id: &str) -> Effects {
    let title = if page == "__helios" { BANK_TITLE } else { WALLET_TITLE };
    let order = lock(state).any_order(id).cloned();
    let Some(order) = order else { return pages::nothing_here().into() };
    if order.stage != Stage::Waiting {
        return pages::decided(title).into();
    }
    let path = format!("{}/{page}/{id}", request.prefix);
    pages::question(title, order.amount, &order.currency, &path).into()
}

/// Approved, it waits for the merchant; else it goes on waiting for its payer.
fn wallet(state: &Shared, id: &str, approves: bool) -> Effects {
    let order = match waiting(state, id, WALLET_TITLE) {
        Ok(order) => order,
        Err(effects) => return *effects,
    };
    if !approves {
        return pages::back(WALLET_TITLE, order.cancel_url.as_deref(), &[("token", id)]).into();
    }
    let parameters = [("token", id), ("PayerID", PAYER_ID)];
    let answer = pages::back(WALLET_TITLE, order.return_url.as_deref(), &parameters);
    approved(state, Order { stage: Stage::Approved, ..order }, answer)
}

/// The issuer's answer stands in the order; where it is a no, nothing is to be captured.
fn bank(state: &Shared, id: &str, approves: bool) -> Effects {
    let order = match waiting(state, id, BANK_TITLE) {
        Ok(order) => order,
        Err(effects) => return *effects,
    };
    let shift = if approves { "POSSIBLE" } else { "NO" };
    let answer = pages::back(BANK_TITLE, order.return_url.as_deref(), &[("token", id), ("liability_shift", shift)]);
    if approves {
        return approved(state, Order { stage: Stage::Approved, authenticated: Some(true), ..order }, answer);
    }
    lock(state).put(Order { authenticated: Some(false), ..order });
    answer.into()
}

fn waiting(state: &Shared, id: &str, title: &str) -> Result<Order, Box<Effects>> {
    let order = lock(state).any_order(id).cloned();
    match order {
        None => Err(Box::new(pages::nothing_here().into())),
        Some(order) if order.stage != Stage::Waiting => Err(Box::new(pages::decided(title).into())),
        Some(order) => Ok(order),
    }
}

fn approved(state: &Shared, order: Order, answer: crate::faces::answer::Answer) -> Effects {
    let change = order.maker.changed(Subject::Own(order.id.clone()), Cause::Settled);
    lock(state).put(order);
    Effects { answer, changes: vec![change], timers: Vec::new() }
}
