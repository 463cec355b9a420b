//! What Stripe does, and what it says of it.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::ask::{Ask, New};
use super::books::{Books, Intent, RefundNotes, Status};
use super::errors::{Code, Refused};
use super::views;
use super::{StripeCall, lock};
use crate::faces::Effects;
use crate::faces::answer::Answer;
use crate::gateway::ask::{NewCapture, NewCharge, NewRefund};
use crate::gateway::{Cause, Done, Gateway, Subject, Twist};

/// The search finds what was there so long ago.
const SEARCH_LAG_SECONDS: u64 = 1;

/// Does it, the first time that it is asked.
pub fn perform(call: &StripeCall, gateway: &mut Gateway, twist: Twist, now: u64) -> Result<Effects, Refused> {
    let mut books = lock(&call.books);
    let mut act = Act { call, books: &mut books, gateway, twist, now };
    match &call.asked.ask {
        Ask::Create(new) => act.create(new),
        Ask::Confirm { id, paying, return_url, never_ask } => {
            let status = act.intent(id)?.status(act.gateway);
            if !matches!(status, Status::RequiresPaymentMethod | Status::RequiresConfirmation) {
                return Err(act.unexpected(id, "confirm"));
            }
            if let Some(intent) = act.books.intent_mut(id) {
                intent.paying = paying.clone().or(intent.paying.take());
                intent.return_url = return_url.clone().or(intent.return_url.take());
            }
            act.confirm(id, *never_ask)
        }
        Ask::Capture { id, amount, last, .. } => act.capture(id, *amount, *last),
        Ask::Cancel { id, reason } => act.cancel(id, reason.as_deref()),
        Ask::Refund { intent, amount, reason, .. } => act.refund(intent, *amount, reason.as_deref()),
        Ask::Show { id } => Ok(ok(&act.shown(act.intent(id)?)).into()),
        Ask::List(page) => {
            let (items, more) = page.cut(act.own().collect(), |intent: &&Intent| &intent.id);
            let views: Vec<Value> = items.into_iter().map(|intent| act.shown(intent)).collect();
            Ok(ok(&views::list("/v1/payment_intents", &views, more)).into())
        }
        Ask::Search { name, value } => Ok(ok(&act.search(name, value)).into()),
        Ask::ShowRefund { id } => {
            let (refund, charge) = act.gateway.refund_of(id).ok_or_else(|| Refused::missing("refund", id, "id"))?;
            Ok(ok(&views::refund(refund, charge, act.books)).into())
        }
        Ask::ListRefunds { intent, page } => Ok(ok(&act.refunds(intent.as_deref(), page)).into()),
    }
}

struct Act<'a> {
    call: &'a StripeCall,
    books: &'a mut Books,
    gateway: &'a mut Gateway,
    twist: Twist,
    now: u64,
}

impl Act<'_> {
    fn create(&mut self, new: &New) -> Result<Effects, Refused> {
        let id = format!("pi_{}", self.call.ground.serials.next());
        self.books.add(Intent {
            id: id.clone(),
            maker: self.call.maker,
            created: self.now,
            amount: new.amount,
            currency: new.currency.clone(),
            manual: new.manual,
            multicapture: new.multicapture,
            challenge_all: new.challenge_all,
            metadata: new.metadata.clone(),
            captures: Vec::new(),
            description: new.description.clone(),
            customer: new.customer.clone(),
            return_url: new.return_url.clone(),
            paying: new.paying.clone(),
            charge: None,
            canceled_at: None,
            cancellation_reason: None,
        });
        if new.confirm { self.confirm(&id, new.never_ask) } else { Ok(ok(&self.shown(self.intent(&id)?)).into()) }
    }

    /// Charges what a payment is made with.
    fn confirm(&mut self, id: &str, never_ask: bool) -> Result<Effects, Refused> {
        let page = format!("{}/stripe/__redirect/{id}", self.call.ground.url);
        let intent = self.intent(id)?;
        let Some(paying) = intent.paying.clone() else {
            let message = "You cannot confirm this PaymentIntent because it's missing a payment method.";
            return Err(self.about(id, Refused::request(message).code(Code::UNEXPECTED_STATE)));
        };
        let asks = intent.return_url.is_some() && !never_ask;
        let verdict = paying.verdict(intent.challenge_all, asks.then_some(page.as_str()));
        let charge = NewCharge {
            reference: intent.name().to_owned(),
            amount: intent.amount,
            currency: intent.currency.clone(),
            capture: !intent.manual,
            method: paying.charged(),
            return_url: intent.return_url.clone(),
        };
        let done = self.gateway.create(&charge, intent.maker, verdict, self.twist, self.now);
        if let Subject::Charge { id: made, .. } = &done.change.subject {
            self.books.charged(id, made);
            if let Some(intent) = self.books.intent_mut(id) {
                intent.charge = Some(made.clone());
            }
        }
        self.caused_by(&charge.reference);
        Ok(self.answered(id, done))
    }

    fn capture(&mut self, id: &str, amount: Option<i64>, last: bool) -> Result<Effects, Refused> {
        let intent = self.intent(id)?;
        let held = intent.charge(self.gateway).filter(|_| intent.status(self.gateway) == Status::RequiresCapture);
        let Some(charge) = held else { return Err(self.unexpected(id, "capture")) };
        let (charge, held, captured) = (charge.id.clone(), charge.held, charge.captured);
        let amount = amount.unwrap_or(held);
        if amount > held {
            let message = "The amount to capture is greater than the remaining authorized amount.";
            return Err(Refused::request(message).code(Code::AMOUNT_TOO_LARGE).param("amount_to_capture"));
        }
        if !last && !intent.multicapture {
            return Err(
                Refused::request("Multicapture is not available for this PaymentIntent.").param("final_capture")
            );
        }
        let name = self.name();
        if amount == 0 {
            // What is left of it is released.
            if !last || captured == 0 {
                let refused = Refused::request("This value must be greater than or equal to 1.");
                return Err(refused.code(Code("parameter_invalid_integer")).param("amount_to_capture"));
            }
            let done = self.gateway.cancel(&charge, &name, self.twist, self.now);
            let done = done.map_err(|_| self.unexpected(id, "capture"))?;
            self.caused_by(&name);
            return Ok(self.answered(id, done));
        }
        let capture = NewCapture { reference: name.clone(), amount, last };
        let done = self.gateway.capture(&charge, &capture, self.twist, self.now);
        let done = done.map_err(|_| self.unexpected(id, "capture"))?;
        self.caused_by(&name);
        if let (Ask::Capture { metadata, .. }, Some(intent)) = (&self.call.asked.ask, self.books.intent_mut(id)) {
            intent.captures.push((name, metadata.clone()));
        }
        Ok(self.answered(id, done))
    }

    fn cancel(&mut self, id: &str, reason: Option<&str>) -> Result<Effects, Refused> {
        let intent = self.intent(id)?;
        let charge = intent.charge(self.gateway).map(|charge| (charge.id.clone(), charge.captured));
        let name = self.name();
        let mut effects = match (intent.status(self.gateway), charge) {
            (Status::RequiresAction | Status::RequiresCapture, Some((charge, 0))) => {
                let done = self.gateway.cancel(&charge, &name, self.twist, self.now);
                let done = done.map_err(|_| self.unexpected(id, "cancel"))?;
                Effects::of(done, Answer::empty(StatusCode::OK))
            }
            // Nothing is held: its charge was declined, or there was none.
            (Status::RequiresPaymentMethod | Status::RequiresConfirmation, _) => {
                let change = intent.maker.changed(Subject::Own(id.to_owned()), Cause::Asked);
                Effects { answer: Answer::empty(StatusCode::OK), changes: vec![change], timers: Vec::new() }
            }
            _ => return Err(self.unexpected(id, "cancel")),
        };
        self.caused_by(&name);
        if let Some(intent) = self.books.intent_mut(id) {
            intent.canceled_at = Some(self.now);
            intent.cancellation_reason = reason.map(str::to_owned);
        }
        effects.answer = ok(&self.shown(self.intent(id)?));
        Ok(effects)
    }

    fn refund(&mut self, id: &str, amount: Option<i64>, reason: Option<&str>) -> Result<Effects, Refused> {
        let charge = self.intent(id)?.charge(self.gateway).filter(|charge| charge.captured > 0);
        let Some(charge) = charge else {
            let message = "This PaymentIntent does not have a successful charge to refund.";
            return Err(Refused::request(message).code(Code::UNEXPECTED_STATE));
        };
        let (charge, left) = (charge.id.clone(), charge.refundable());
        let amount = amount.unwrap_or(left);
        if left == 0 {
            let message = format!("Charge {charge} has already been refunded.");
            return Err(Refused::request(&message).code(Code::ALREADY_REFUNDED));
        }
        if amount == 0 || amount > left {
            let message = "Refund amount is greater than unrefunded amount on charge";
            return Err(Refused::request(message).param("amount"));
        }
        let new = NewRefund { reference: self.name(), amount };
        let done = self.gateway.refund(&charge, &new, self.twist, self.now);
        let done = done.map_err(|refusal| Refused::request(refusal.message).param("amount"))?;
        self.caused_by(&new.reference);
        let Subject::Refund { id: made } = &done.change.subject else {
            return Err(Refused::request("The refund was not made"));
        };
        if let Ask::Refund { metadata, .. } = &self.call.asked.ask {
            let notes =
                RefundNotes { metadata: metadata.clone(), reason: reason.map(str::to_owned), created: self.now };
            self.books.refunds.insert(made.clone(), notes);
        }
        let (refund, charge) = self.gateway.refund_of(made).ok_or_else(|| Refused::missing("refund", made, "id"))?;
        let answer = ok(&views::refund(refund, charge, self.books));
        Ok(Effects::of(done, answer))
    }

    fn search(&self, name: &str, value: &str) -> Value {
        let seen = |intent: &&Intent| {
            self.gateway.modes.lookup
                && intent.created + SEARCH_LAG_SECONDS < self.now
                && intent.metadata(self.gateway).get(name).map(String::as_str) == Some(value)
        };
        let found: Vec<Value> = self.own().filter(seen).map(|intent| self.shown(intent)).collect();
        json!({ "object": "search_result", "url": "/v1/payment_intents/search", "has_more": false, "next_page": null,
                "data": found })
    }

    fn refunds(&self, intent: Option<&str>, page: &super::form::Page) -> Value {
        let wanted = self.own().filter(|own| intent.is_none_or(|id| own.id == id));
        let charges = wanted.filter_map(|intent| intent.charge(self.gateway));
        let refunds = charges.flat_map(|charge| {
            let mut refunds: Vec<_> = self.gateway.refunds_of(&charge.id).map(|refund| (refund, charge)).collect();
            refunds.reverse();
            refunds
        });
        let (items, more) = page.cut(refunds.collect(), |(refund, _)| &refund.id);
        let views: Vec<Value> =
            items.into_iter().map(|(refund, charge)| views::refund(refund, charge, self.books)).collect();
        views::list("/v1/refunds", &views, more)
    }

    /// The merchant's payments, newest first.
    fn own(&self) -> impl Iterator<Item = &Intent> {
        let owner = self.call.maker.owner;
        self.books.intents.iter().rev().filter(move |intent| intent.maker.owner == owner)
    }

    fn intent(&self, id: &str) -> Result<&Intent, Refused> {
        self.books.intent(id, self.call.maker.owner).ok_or_else(|| Refused::missing("payment_intent", id, "intent"))
    }

    /// What the ledger calls this deed.
    fn name(&self) -> String {
        self.call.asked.reference.clone().unwrap_or_else(|| self.call.ground.serials.next())
    }

    /// Its webhook will say which request it came of.
    fn caused_by(&mut self, name: &str) {
        if let Some(key) = &self.call.key {
            self.books.keys.insert(name.to_owned(), key.clone());
        }
    }

    fn shown(&self, intent: &Intent) -> Value {
        views::intent(intent, self.gateway, self.call.asked.expand)
    }

    /// The payment after a deed, or the card's error.
    fn answered(&self, id: &str, done: Done) -> Effects {
        let Ok(intent) = self.intent(id) else { return Effects::of(done, Answer::empty(StatusCode::NOT_FOUND)) };
        if !self.gateway.declined(&done.change) {
            return Effects::of(done, ok(&self.shown(intent)));
        }
        let charge = intent.charge(self.gateway);
        let step = self.call.asked.reference.as_deref().and_then(|name| self.gateway.step(name));
        let of_step = step.and_then(|(step, charge)| step.status(charge).1);
        let decline = of_step.or_else(|| charge.and_then(|charge| charge.decline));
        let mut error =
            decline.map_or_else(|| json!({ "type": "card_error" }), |decline| views::error(&decline, charge));
        if let Some(members) = error.as_object_mut() {
            members.insert("payment_intent".to_owned(), views::intent(intent, self.gateway, false));
        }
        Effects::of(done, Answer::json(StatusCode::PAYMENT_REQUIRED, &json!({ "error": error })))
    }

    fn unexpected(&self, id: &str, verb: &str) -> Refused {
        let status = self.intent(id).map_or("unknown", |intent| intent.status(self.gateway).word());
        let message = format!("You cannot {verb} this PaymentIntent because it has a status of {status}.");
        self.about(id, Refused::request(&message).code(Code::UNEXPECTED_STATE))
    }

    /// With the payment that it is about.
    fn about(&self, id: &str, refused: Refused) -> Refused {
        match self.intent(id) {
            Ok(intent) => refused.with("payment_intent", views::intent(intent, self.gateway, false)),
            Err(_) => refused,
        }
    }
}

fn ok(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body)
}
