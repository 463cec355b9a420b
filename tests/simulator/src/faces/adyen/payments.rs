//! What the calls do, and what they are answered.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::ask::{Modify, Pay, Target, What, value};
use super::cards;
use super::errors::{self, ServiceError};
use super::state::{Modification, Refused, State};
use super::wake;
use crate::faces::answer::Answer;
use crate::faces::{Effects, Ground};
use crate::gateway::charges::{Action, Charge, Status};
use crate::gateway::settle::Settling;
use crate::gateway::{Done, Gateway, Maker, Twist};

/// `POST /payments`
pub fn pay(
    pay: &Pay,
    maker: Maker,
    gateway: &mut Gateway,
    state: &mut State,
    ground: &Ground,
    twist: Twist,
    now: u64,
) -> Effects {
    // The page is named by a number of its own: the charge has no id yet.
    let number = pay.card().map(|card| card.number.as_str());
    let verdict = cards::verdict(number, pay.holder_name.as_deref(), pay.wanted.as_deref(), "");
    let done = gateway.create(&pay.charge, maker, verdict, twist, now);
    let id = charge_of(&done);
    let payment = state.payment(&id, ground, &pay.merchant_account);
    payment.metadata.clone_from(&pay.metadata);
    let answer = gateway
        .charge(&id)
        .map_or_else(|| errors::NO_PAYMENT.answer(), |charge| answer(charge, state, ground, &pay.kind));
    Effects::of(done, answer)
}

fn charge_of(done: &Done) -> String {
    match &done.change.subject {
        crate::gateway::Subject::Charge { id, .. } => id.clone(),
        crate::gateway::Subject::Refund { .. } | crate::gateway::Subject::Own(_) => String::new(),
    }
}

/// `POST /payments/details`: the payment is decided as the customer decided on the page.
pub fn details(
    result: &str,
    gateway: &mut Gateway,
    state: &mut State,
    ground: &Ground,
    now: u64,
) -> Result<Effects, ServiceError> {
    let (id, approved) = state.result(result).ok_or(errors::NO_RESULT)?;
    let is_open = gateway.charge(&id).is_some_and(|charge| charge.status == Status::RequiresAction);
    let mut changes = Vec::new();
    if is_open {
        let settling = if approved { Settling::Approved } else { Settling::Refused };
        changes.extend(gateway.settle(&id, settling, now).ok());
    }
    let charge = gateway.charge(&id).ok_or(errors::NO_RESULT)?;
    Ok(Effects { answer: answer(charge, state, ground, "scheme"), changes, timers: Vec::new() })
}

/// What a payment's caller is told.
fn answer(charge: &Charge, state: &State, ground: &Ground, kind: &str) -> Answer {
    let psp_reference = state.known(&charge.id).map(|payment| payment.psp_reference.as_str());
    let mut body = Map::new();
    body.insert("pspReference".to_owned(), json!(psp_reference.unwrap_or_default()));
    body.insert("merchantReference".to_owned(), json!(charge.reference));
    let mut say = |name: &str, value: Value| body.insert(name.to_owned(), value);
    match charge.status {
        Status::Authorized | Status::Captured => {
            say("resultCode", json!("Authorised"));
            say("amount", amount(charge.amount, &charge.currency));
            say("additionalData", json!({ "authCode": "044925", "refusalReasonRaw": "AUTHORISED" }));
            say("paymentMethod", json!({ "type": kind }));
        }
        Status::Pending => {
            say("resultCode", json!("Received"));
            say("amount", amount(charge.amount, &charge.currency));
        }
        Status::RequiresAction => {
            say("resultCode", json!("RedirectShopper"));
            say("action", action(charge, ground, kind));
        }
        Status::Declined | Status::Cancelled => {
            let decline = charge.decline.as_ref();
            let refused = decline.map(cards::refusal);
            say("resultCode", json!(refused.map_or("Cancelled", |refused| refused.result)));
            say("refusalReason", json!(refused.map_or("Cancelled", |refused| refused.reason)));
            say("refusalReasonCode", json!(refused.map_or("15", |refused| refused.code)));
            if let Some(raw) = decline.and_then(cards::raw) {
                say("additionalData", json!({ "refusalReasonRaw": raw }));
            }
        }
    }
    Answer::json(StatusCode::OK, &body)
}

fn action(charge: &Charge, ground: &Ground, kind: &str) -> Value {
    match &charge.action {
        Some(Action::OpenApp { url }) => json!({ "type": "qrCode", "paymentMethodType": kind, "qrCodeData": url }),
        Some(Action::Redirect { .. }) | None => {
            let url = format!("{}/{}/__threeds/{}", ground.url, super::NAME, charge.id);
            json!({ "type": "redirect", "method": "GET", "paymentMethodType": kind, "url": url })
        }
    }
}

/// An amount as Adyen writes it.
pub fn amount(minor: i64, currency: &str) -> Value {
    json!({ "value": value(minor, currency), "currency": currency })
}

/// A capture, cancel or refund: received whatever comes of it, unless there is no such payment.
pub fn modify(
    modify: &Modify,
    maker: Maker,
    gateway: &mut Gateway,
    state: &mut State,
    ground: &Ground,
    twist: Twist,
    now: u64,
) -> Result<Effects, ServiceError> {
    let charge = modify.charge(gateway, state);
    if charge.is_none() && matches!(modify.of, Target::Psp(_)) {
        return Err(errors::NO_PAYMENT);
    }
    let psp_reference = ground.serials.next().to_uppercase();
    state.receive(modify.operation(), modification(modify, &psp_reference));
    let answer = received(modify, &psp_reference, charge.as_deref().and_then(|charge| gateway.charge(charge)));
    let done = charge.as_deref().map(|charge| perform(modify, charge, gateway, twist, now));
    Ok(match done {
        Some(Ok(done)) => Effects::of(done, answer),
        Some(Err(reason)) => refused(modify, maker, charge.as_deref(), gateway, state, reason, answer),
        None => refused(modify, maker, None, gateway, state, "Transaction not found", answer),
    })
}

fn perform(modify: &Modify, charge: &str, gateway: &mut Gateway, twist: Twist, now: u64) -> Result<Done, &'static str> {
    let later = twist.later(gateway.modes.settle_ms);
    let done = match &modify.what {
        What::Capture(capture) => gateway.capture(charge, capture, later, now),
        What::Cancel => gateway.cancel(charge, modify.operation(), twist, now),
        What::Refund(refund) => gateway.refund(charge, refund, later, now),
    };
    done.map_err(|_| match modify.what {
        What::Capture(_) => "Insufficient balance on payment",
        What::Cancel => "Transaction already captured or cancelled",
        What::Refund(_) => "Insufficient balance on payment",
    })
}

/// What was received and cannot be done: a webhook says so, when it would have said the contrary.
fn refused(
    modify: &Modify,
    maker: Maker,
    charge: Option<&str>,
    gateway: &Gateway,
    state: &mut State,
    reason: &'static str,
    answer: Answer,
) -> Effects {
    let found = charge.and_then(|charge| gateway.charge(charge));
    let (minor, currency) = found.map_or((0, "EUR"), |charge| (charge.amount, charge.currency.as_str()));
    let original = charge.and_then(|charge| state.known(charge)).map(|payment| payment.psp_reference.clone());
    state.refuse(
        modify.operation(),
        Refused {
            maker,
            original: original.unwrap_or_default(),
            merchant_account: modify.merchant_account.clone(),
            value: value(modify.amount().unwrap_or(minor), currency),
            currency: currency.to_owned(),
            reason,
        },
    );
    let timer = wake(modify.operation().to_owned(), gateway.modes.settle_ms);
    Effects { answer, changes: Vec::new(), timers: vec![timer] }
}

fn modification(modify: &Modify, psp_reference: &str) -> Modification {
    let (event_code, merchant_reference) = match (&modify.what, &modify.of) {
        (What::Capture(_), _) => ("CAPTURE", &modify.reference),
        (What::Refund(_), _) => ("REFUND", &modify.reference),
        (What::Cancel, Target::Psp(_)) => ("CANCELLATION", &modify.reference),
        // In Adyen's example it comes under the payment's name.
        (What::Cancel, Target::Own(payment)) => ("TECHNICAL_CANCEL", payment),
    };
    let (psp_reference, merchant_reference) = (psp_reference.to_owned(), merchant_reference.clone());
    Modification { psp_reference, merchant_reference, event_code }
}

fn received(modify: &Modify, psp_reference: &str, charge: Option<&Charge>) -> Answer {
    let (name, payment) = match &modify.of {
        Target::Psp(payment) => ("paymentPspReference", payment),
        Target::Own(reference) => ("paymentReference", reference),
    };
    let mut body = Map::from_iter([
        ("merchantAccount".to_owned(), json!(modify.merchant_account)),
        (name.to_owned(), json!(payment)),
        ("pspReference".to_owned(), json!(psp_reference)),
        ("reference".to_owned(), json!(modify.reference)),
        ("status".to_owned(), json!("received")),
    ]);
    if let (Some(minor), Some(charge)) = (modify.amount(), charge) {
        body.insert("amount".to_owned(), amount(minor, &charge.currency));
    }
    Answer::json(StatusCode::CREATED, &body)
}
