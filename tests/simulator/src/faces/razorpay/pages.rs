//! The pages for customers: the bank's for cards, the app's for UPI. Both approve, or decline.

use std::sync::Mutex;

use axum::http::StatusCode;

use super::ask::charge_of;
use super::state::{Paid, State};
use super::words::{self, INCORRECT_PIN};
use super::{TITLE, errors, lock, views};
use crate::faces::{Effects, Request, hmac, pages};
use crate::gateway::charges::{Charge, Status};
use crate::gateway::settle::Settling;
use crate::gateway::{Gateway, Twist};

/// `GET /__pay/{payment}`, and `POST` to `…/approve` or `…/decline`. `POST /__lapse/{payment}` and `POST
/// /__lists/{all|decided}` are for tests.
pub fn visit(request: &Request, gateway: &mut Gateway, state: &Mutex<State>, now: u64) -> Effects {
    let visited = match (request.method.as_str(), request.segments().as_slice()) {
        ("GET", ["__pay", id]) => show(request, id, gateway, state),
        ("POST", ["__pay", id, "approve"]) => press(id, true, gateway, state, now),
        ("POST", ["__pay", id, "decline"]) => press(id, false, gateway, state, now),
        ("POST", ["__lapse", id]) => lapse(id, gateway, state, now),
        ("POST", ["__lists", which @ ("all" | "decided")]) => {
            lock(state).hides_undecided = *which == "decided";
            Some(pages::page(TITLE, "<p>So it is.</p>").into())
        }
        _ => None,
    };
    visited.unwrap_or_else(|| pages::nothing_here().into())
}

fn show(request: &Request, id: &str, gateway: &Gateway, state: &Mutex<State>) -> Option<Effects> {
    let charge = gateway.charge(&charge_of(id).ok()?)?;
    if !may_act(charge, is_upi(state, &charge.id)?) {
        return Some(pages::decided(TITLE).into());
    }
    let path = format!("{}/__pay/{id}", request.prefix);
    Some(pages::question(TITLE, charge.amount, &charge.currency, &path).into())
}

/// Whether the customer may decide. In an app one that was declined may be tried again.
fn may_act(charge: &Charge, is_upi: bool) -> bool {
    let again = is_upi && charge.status == Status::Declined && charge.fate.is_some();
    charge.status == Status::RequiresAction || again
}

fn is_upi(state: &Mutex<State>, charge: &str) -> Option<bool> {
    Some(matches!(lock(state).payments.get(charge)?.method, Paid::Upi { .. }))
}

/// The customer decides. From the bank's page the browser posts a form to the merchant: on success the ids and their
/// signature, else the error. An app leads nowhere.
fn press(id: &str, approves: bool, gateway: &mut Gateway, state: &Mutex<State>, now: u64) -> Option<Effects> {
    let id = charge_of(id).ok()?;
    let is_upi = is_upi(state, &id)?;
    if !may_act(gateway.charge(&id)?, is_upi) {
        let answer = errors::plain(StatusCode::BAD_REQUEST, "There is nothing left to decide");
        return Some(answer.into());
    }
    let how = match (approves, is_upi) {
        (true, _) => Settling::Approved,
        (false, true) => Settling::RefusedForNow,
        (false, false) => Settling::Refused,
    };
    let change = gateway.settle(&id, how, now).ok()?;
    let charge = gateway.charge(&id)?;
    let mut state = lock(state);
    let payment = state.payments.get_mut(&id)?;
    if is_upi {
        payment.reason = (!approves).then_some(INCORRECT_PIN);
        let answer = pages::back(TITLE, None, &[]);
        return Some(Effects { answer, changes: vec![change], timers: Vec::new() });
    }
    let shown = views::payment_id(&id);
    let answer = if approves {
        let signature = hmac::hex(payment.secret.as_bytes(), &[payment.order.as_bytes(), b"|", shown.as_bytes()]);
        let told = [
            ("razorpay_payment_id", shown.as_str()),
            ("razorpay_order_id", payment.order.as_str()),
            ("razorpay_signature", signature.as_str()),
        ];
        pages::post_back(TITLE, charge.return_url.as_deref(), &told)
    } else {
        let words = payment.reason.unwrap_or_else(|| words::of(charge.decline, false));
        let told =
            [("error[code]", words.code), ("error[description]", words.description), ("error[reason]", words.reason)];
        pages::post_back(TITLE, charge.return_url.as_deref(), &told)
    };
    Some(Effects { answer, changes: vec![change], timers: Vec::new() })
}

/// Nobody captured it in time: what is held is given back.
fn lapse(id: &str, gateway: &mut Gateway, state: &Mutex<State>, now: u64) -> Option<Effects> {
    let charge = charge_of(id).ok()?;
    if gateway.charge(&charge)?.status != Status::Authorized {
        return Some(errors::plain(StatusCode::BAD_REQUEST, "Only what is authorized can lapse").into());
    }
    let refund = id.replacen("pay_", "rfnd_", 1);
    if let Some(payment) = lock(state).payments.get_mut(&charge) {
        payment.lapsed = Some(refund.clone());
    }
    let done = gateway.cancel(&charge, &refund, Twist::None, now).ok()?;
    let answer = pages::page(TITLE, "<p>It has lapsed.</p>");
    Some(Effects { answer, changes: vec![done.change], timers: Vec::new() })
}
