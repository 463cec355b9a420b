//! What the calls do.

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use serde_json::json;

use super::ask::{Asked, AskedRefund, NewOrder, NewPayment};
use super::state::{Order, Payment, Refund, State};
use super::words::{self, TIMED_OUT, UPI_FAILED};
use super::{NAME, errors, lock, views};
use crate::faces::answer::Answer;
use crate::faces::kept::Found;
use crate::faces::{Call, Deed, Effects, Ground, hmac};
use crate::gateway::ask::{Card, Method, NewCapture, UpiFlow};
use crate::gateway::charges::{Action, Charge, Decline, Fate, Status};
use crate::gateway::methods::Verdict;
use crate::gateway::refusal::Refusal;
use crate::gateway::settle::Settling;
use crate::gateway::{Change, Gateway, Maker, Subject, Timer, Turn, Twist};

/// What the customer does not finish in ten minutes has failed.
const PAYMENT_LIFE_MS: u64 = 600_000;
/// Razorpay does not say for how long it knows a refund key.
const REFUND_KEY_LIFE_SECONDS: u64 = u64::MAX;

/// A call in Razorpay's protocol. No `Debug`: it holds a secret.
pub struct RazorpayCall {
    pub asked: Asked,
    pub maker: Maker,
    pub secret: String,
    pub ground: Arc<Ground>,
    pub state: Arc<Mutex<State>>,
}

impl Call for RazorpayCall {
    fn deed(&self) -> Deed {
        match self.asked {
            Asked::Payment(_) => Deed::Charge,
            Asked::Capture { .. } => Deed::Capture,
            Asked::Refund { .. } => Deed::Refund,
            _ => Deed::Other,
        }
    }

    fn reference(&self) -> Option<&str> {
        match &self.asked {
            Asked::Order(order) => order.receipt.as_deref(),
            Asked::Payment(payment) => Some(&payment.charge.reference),
            Asked::Capture { capture, .. } => Some(&capture.reference),
            Asked::Refund { refund, .. } => refund.receipt.as_deref().or(refund.key.as_deref()),
            Asked::Orders { receipt, .. } => Some(receipt),
            _ => None,
        }
    }

    fn amount(&self) -> Option<i64> {
        match &self.asked {
            Asked::Order(order) => Some(order.amount),
            Asked::Payment(payment) => Some(payment.charge.amount),
            Asked::Capture { capture, .. } => Some(capture.amount),
            Asked::Refund { refund, .. } => refund.amount,
            _ => None,
        }
    }

    fn amount_in(&self, gateway: &Gateway) -> Option<i64> {
        match &self.asked {
            Asked::Refund { charge, .. } | Asked::ShowPayment(charge) | Asked::RefundsOf { charge, .. } => {
                gateway.charge(charge).map(|charge| charge.amount)
            }
            Asked::ShowOrder(id) | Asked::PaymentsOf(id) => lock(&self.state).order(id).map(|order| order.amount),
            _ => None,
        }
    }

    fn card(&self) -> Option<&Card> {
        match &self.asked {
            Asked::Payment(payment) => match &payment.charge.method {
                Method::Card(card) => Some(card),
                Method::Upi { .. } | Method::Wallet { .. } | Method::Token { .. } => None,
            },
            _ => None,
        }
    }

    fn act(&self, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        match &self.asked {
            Asked::Order(order) => self.order(order, gateway, now).into(),
            Asked::Payment(payment) => self.pay(payment, gateway, twist, now),
            Asked::Capture { charge, currency, capture } => {
                self.capture(charge, currency, capture, gateway, twist, now)
            }
            Asked::Refund { charge, refund } => self.refund(charge, refund, gateway, twist, now),
            _ => self.show(gateway).unwrap_or_else(errors::no_such_id).into(),
        }
    }
}

impl RazorpayCall {
    fn order(&self, new: &NewOrder, gateway: &Gateway, now: u64) -> Answer {
        let order = Order {
            id: format!("order_{}", self.ground.serials.next()),
            owner: self.maker.owner,
            amount: new.amount,
            currency: new.currency.clone(),
            receipt: new.receipt.clone(),
            notes: new.notes.clone(),
            capture_at_once: new.capture_at_once,
            created_at: now,
            charges: Vec::new(),
        };
        let answer = ok(&views::order(&order, gateway));
        lock(&self.state).add(order);
        answer
    }

    /// Makes the payment. An order has one that went well, and no second.
    fn pay(&self, new: &NewPayment, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        let went_well = lock(&self.state).order(&new.order).is_some_and(|order| {
            let has_money = |id: &String| gateway.charge(id).is_some_and(|charge| charge.held + charge.captured > 0);
            order.charges.iter().any(has_money)
        });
        if went_well {
            let sentence = "Payment already done for this order.";
            return errors::invalid_because("order_already_paid", sentence, Some("order_id")).into();
        }
        let (verdict, reason) = self.verdict(new);
        // Razorpay never takes a captured payment back.
        let twist = if matches!(twist, Twist::FailsLater { .. }) { Twist::None } else { twist };
        let done = gateway.create(&new.charge, self.maker, verdict, twist, now);
        let Some(charge) = charge_of(gateway, &done.change) else { return errors::server().into() };
        let mut state = lock(&self.state);
        state.tried(&new.order, &charge.id);
        let payment = Payment {
            order: new.order.clone(),
            notes: new.notes.clone(),
            method: new.paid.clone(),
            email: new.email.clone(),
            contact: new.contact.clone(),
            description: new.description.clone(),
            secret: self.secret.clone(),
            reason,
            lapsed: None,
            created_at: now,
        };
        state.payments.insert(charge.id.clone(), payment);
        drop(state);
        let answer = self.created(new, charge);
        let waits = charge.status == Status::RequiresAction;
        let gives_up = || Timer { subject: charge.id.clone(), after_ms: PAYMENT_LIFE_MS, turn: Turn::Wake(NAME) };
        let timers = waits.then(gives_up).into_iter().collect();
        let mut effects = Effects::of(done, answer);
        effects.timers.extend::<Vec<Timer>>(timers);
        effects
    }

    /// What becomes of it, where Razorpay's own test cards and addresses say so; and why it fails if it fails. The page's
    /// address holds the charge's id, which is not there yet: [`Self::created`] knows it.
    fn verdict(&self, new: &NewPayment) -> (Option<Verdict>, Option<words::Words>) {
        match &new.charge.method {
            Method::Card(card) if words::is_test_card(&card.number) => {
                let redirect = Action::Redirect { url: self.ground.url.clone() };
                (Some(Verdict::Act(redirect)), words::of_test_card(&card.number))
            }
            Method::Upi { flow: UpiFlow::Collect, vpa } if vpa.as_deref() == Some("failure@razorpay") => {
                let decline = Decline::named("customer_declined").map(Fate::Decline);
                (Some(Verdict::Pending(decline.unwrap_or(Fate::Approve))), Some(UPI_FAILED))
            }
            Method::Card(_) | Method::Upi { .. } | Method::Wallet { .. } | Method::Token { .. } => (None, None),
        }
    }

    /// Razorpay's answer to a new payment.
    fn created(&self, new: &NewPayment, charge: &Charge) -> Answer {
        let id = views::payment_id(&charge.id);
        let poll = json!({"action": "poll", "url": format!("{}/{NAME}/v1/payments/{id}", self.ground.url)});
        let page = format!("{}/{NAME}/__pay/{id}", self.ground.url);
        let next = match (charge.status, &new.charge.method) {
            (Status::Declined, _) => {
                let words = words::of(charge.decline, charge.fate.is_some());
                return errors::failed(&words, &id, &new.order);
            }
            (Status::RequiresAction, Method::Upi { .. }) => {
                let link = format!(
                    "upi://pay?pa=upi@razorpay&pn=Merchant&tr={id}&am={}&cu={}&mc=5411",
                    charge.amount, charge.currency
                );
                json!([{"action": "intent", "url": link}, poll])
            }
            (Status::RequiresAction, _) => json!([{"action": "redirect", "url": page}]),
            (Status::Pending, Method::Upi { .. }) => json!([poll]),
            (Status::Pending, _) => return ok(&json!({"razorpay_payment_id": id})),
            (Status::Authorized | Status::Captured | Status::Cancelled, _) => {
                let signature = hmac::hex(self.secret.as_bytes(), &[new.order.as_bytes(), b"|", id.as_bytes()]);
                return ok(&json!({
                    "razorpay_payment_id": id, "razorpay_order_id": new.order, "razorpay_signature": signature,
                }));
            }
        };
        ok(&json!({"razorpay_payment_id": id, "next": next}))
    }

    /// In whole, and at once: there is nothing pending about it.
    fn capture(
        &self,
        id: &str,
        currency: &str,
        capture: &NewCapture,
        gateway: &mut Gateway,
        twist: Twist,
        now: u64,
    ) -> Effects {
        let Some(charge) = self.own(gateway, id) else { return errors::no_such_id().into() };
        if charge.captured > 0 {
            return errors::plain(StatusCode::BAD_REQUEST, "This payment has already been captured").into();
        }
        if charge.held > 0 && (capture.amount, currency) != (charge.amount, charge.currency.as_str()) {
            let sentence = "Capture amount must be equal to the amount authorized";
            return errors::invalid(sentence, Some("amount")).into();
        }
        if matches!(twist, Twist::Decline(_)) {
            return errors::invalid_because("capture_failed", "Payment capture has failed.", None).into();
        }
        match gateway.capture(id, capture, Twist::None, now) {
            Ok(done) => {
                let view = gateway.charge(id).map(|charge| views::payment(charge, &lock(&self.state)));
                Effects::of(done, ok(&view))
            }
            Err(refusal) => errors::of(refusal).into(),
        }
    }

    fn refund(&self, id: &str, asked: &AskedRefund, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        let Some(key) = asked.key.as_ref().filter(|_| gateway.modes.idempotency) else {
            return self.refund_once(id, asked, gateway, twist, now);
        };
        let owner = self.maker.owner;
        let found = lock(&self.state).kept.find(owner, key, asked.fingerprint, now, REFUND_KEY_LIFE_SECONDS);
        match found {
            Found::Same(answer) => answer.into(),
            Found::Another => {
                let sentence = "Different request with the same idempotency key has already been processed.";
                errors::plain(StatusCode::BAD_REQUEST, sentence).into()
            }
            Found::New => {
                let effects = self.refund_once(id, asked, gateway, twist, now);
                if effects.answer.status == StatusCode::OK {
                    lock(&self.state).kept.keep(owner, key, asked.fingerprint, now, &effects.answer);
                }
                effects
            }
        }
    }

    fn refund_once(&self, id: &str, asked: &AskedRefund, gateway: &mut Gateway, twist: Twist, now: u64) -> Effects {
        let Some(charge) = self.own(gateway, id) else { return errors::no_such_id().into() };
        let left = charge.refundable();
        if charge.captured > 0 && left == 0 {
            return errors::invalid("The payment has been fully refunded already", None).into();
        }
        let done = match gateway.refund(id, &asked.new_refund(left, id), twist, now) {
            Ok(done) => done,
            Err(refusal) => return errors::of(refusal).into(),
        };
        let Subject::Refund { id: refund } = &done.change.subject else { return errors::server().into() };
        let told =
            Refund { receipt: asked.receipt.clone(), notes: asked.notes.clone(), speed: asked.speed, created_at: now };
        let mut state = lock(&self.state);
        state.refunds.insert(refund.clone(), told);
        let view = gateway.refund_of(refund).map(|(refund, charge)| views::refund(refund, charge, &state));
        drop(state);
        Effects::of(done, ok(&view))
    }

    /// What is asked for, where it is there and this merchant's.
    fn show(&self, gateway: &Gateway) -> Option<Answer> {
        let state = lock(&self.state);
        let own_order = |id: &str| state.order(id).filter(|order| order.owner == self.maker.owner);
        let view = match &self.asked {
            Asked::ShowPayment(id) => views::payment(self.own(gateway, id)?, &state),
            Asked::ShowOrder(id) => views::order(own_order(id)?, gateway),
            Asked::Orders { receipt, page } => {
                let orders = state.with_receipt(self.maker.owner, receipt).skip(page.skip).take(page.count);
                views::collection(&orders.map(|order| views::order(order, gateway)).collect::<Vec<_>>())
            }
            Asked::PaymentsOf(id) => {
                let charges = own_order(id)?.charges.iter().rev().filter_map(|id| gateway.charge(id));
                let charges = charges.filter(|charge| !state.hides_undecided || views::status(charge) != "created");
                views::collection(&charges.map(|charge| views::payment(charge, &state)).collect::<Vec<_>>())
            }
            Asked::RefundsOf { charge, page } => {
                let charge = self.own(gateway, charge)?;
                let mut all: Vec<_> = gateway.refunds_of(&charge.id).collect();
                all.reverse();
                let some = all.into_iter().skip(page.skip).take(page.count);
                views::collection(&some.map(|refund| views::refund(refund, charge, &state)).collect::<Vec<_>>())
            }
            Asked::ShowRefund(id) => {
                let (refund, charge) = gateway.refund_of(id)?;
                views::refund(refund, self.own(gateway, &charge.id)?, &state)
            }
            Asked::Order(_) | Asked::Payment(_) | Asked::Capture { .. } | Asked::Refund { .. } => return None,
        };
        Some(ok(&view))
    }

    /// A charge of this merchant's, made through this face.
    fn own<'a>(&self, gateway: &'a Gateway, id: &str) -> Option<&'a Charge> {
        gateway.charge(id).filter(|charge| charge.maker == self.maker)
    }
}

/// What the customer did not finish in time fails. The bank may say otherwise later, and nobody here does.
pub fn give_up(id: &str, gateway: &mut Gateway, state: &Mutex<State>, now: u64) -> Vec<Change> {
    let waits = gateway.charge(id).is_some_and(|charge| charge.status == Status::RequiresAction);
    if !waits {
        return Vec::new();
    }
    if let Some(payment) = lock(state).payments.get_mut(id) {
        payment.reason = Some(TIMED_OUT);
    }
    let ended: Result<Change, Refusal> = gateway.settle(id, Settling::Refused, now);
    ended.into_iter().collect()
}

fn charge_of<'a>(gateway: &'a Gateway, change: &Change) -> Option<&'a Charge> {
    match &change.subject {
        Subject::Charge { id, .. } => gateway.charge(id),
        Subject::Refund { .. } | Subject::Own(_) => None,
    }
}

/// Razorpay answers everything that went well with 200.
fn ok(view: &impl serde::Serialize) -> Answer {
    Answer::json(StatusCode::OK, view)
}
