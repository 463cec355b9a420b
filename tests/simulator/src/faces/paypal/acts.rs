//! What PayPal's calls do: make orders, finish them, capture, void, refund.

use axum::http::StatusCode;

use super::errors;
use super::read::{NewCapture, NewOrder, NewRefund};
use super::state::{Capture, Intent, Made, Order, Refund, Stage, State};
use super::views::Views;
use crate::faces::answer::Answer;
use crate::faces::serials::Serials;
use crate::gateway::ask::{self, Method, NewCharge};
use crate::gateway::charges::{Decline, Status};
use crate::gateway::methods::{BANK_SILENT, Verdict};
use crate::gateway::refusal::Refusal;
use crate::gateway::{Change, Done, Gateway, Maker, Subject, Timer, Twist};

/// The mock's card that wants the customer.
const CARD_WITH_CHALLENGE: &str = "4000000000003220";
/// What the issuer says to that card where nobody asked the customer.
const SCA_REQUIRED: Decline = Decline::new("5650", "The issuer wants the customer authenticated.");
/// The sandbox's triggers: what stands in the name on the card, and what the processor answers.
const TRIGGERS: [(&str, Decline); 8] = [
    ("CCREJECT-REFUSED", Decline::new("0500", "Refused.")),
    ("CCREJECT-SF", Decline::new("9500", "Suspected of fraud.")),
    ("CCREJECT-EC", Decline::new("5400", "The card has expired.")),
    ("CCREJECT-IRC", Decline::new("5180", "The number is not that of a card.")),
    ("CCREJECT-IF", Decline::new("5120", "The account holds too little.")),
    ("CCREJECT-LS", Decline::new("9520", "Lost or stolen.")),
    ("CCREJECT-IA", Decline::new("1330", "There is no such account.")),
    ("CCREJECT-CVV_F", Decline::new("00N7", "The code is wrong.")),
];

/// What a call made, and what follows from it.
pub struct Acted {
    pub made: Made,
    pub status: StatusCode,
    pub change: Option<Change>,
    pub timer: Option<Timer>,
}

impl Acted {
    fn shown(made: Made) -> Self {
        Self { made, status: StatusCode::OK, change: None, timer: None }
    }

    fn by(done: Done, made: Made) -> Self {
        Self { made, status: StatusCode::CREATED, change: Some(done.change), timer: done.timer }
    }
}

/// One deed: all that it needs at hand.
pub struct Deed<'a> {
    pub gateway: &'a mut Gateway,
    pub state: &'a mut State,
    pub serials: &'a Serials,
    pub maker: Maker,
    /// Begin of all addresses.
    pub base: &'a str,
    pub twist: Twist,
    /// Unix time in seconds.
    pub now: u64,
}

impl Deed<'_> {
    /// Makes an order, and charges a card at once.
    pub fn create(&mut self, new: &NewOrder) -> Result<Acted, Answer> {
        let order = Order {
            id: self.id('O'),
            maker: self.maker,
            intent: new.intent,
            reference_id: new.reference_id.clone().unwrap_or_else(|| "default".to_owned()),
            description: new.description.clone(),
            custom_id: new.custom_id.clone(),
            invoice_id: new.invoice_id.clone(),
            amount: new.amount,
            currency: new.currency.clone(),
            method: new.method.clone(),
            name: new.name.clone(),
            verifies: new.verifies,
            stage: Stage::Waiting,
            authenticated: None,
            return_url: new.return_url.clone(),
            cancel_url: new.cancel_url.clone(),
            created_at: self.now,
            charge: None,
            authorization: None,
            captures: Vec::new(),
            refunds: Vec::new(),
        };
        charge_of(&order).check().map_err(errors::of_method)?;
        if waits_for_payer(&order) {
            let made = Made::Order(order.id.clone());
            self.state.put(order);
            return Ok(Acted::shown(made));
        }
        self.is_new_invoice(order.invoice_id.as_ref())?;
        Ok(self.charge(order))
    }

    /// Captures or authorizes an order that was approved.
    pub fn finish(&mut self, id: &str, intent: Intent) -> Result<Acted, Answer> {
        let order = self.state.order(id, self.maker, self.now).ok_or_else(errors::not_found)?.clone();
        if order.intent != intent {
            return Err(errors::unprocessable("ACTION_DOES_NOT_MATCH_INTENT"));
        }
        let page = Views { gateway: self.gateway, base: self.base }.page(&order);
        match (order.stage, intent) {
            (Stage::Waiting, _) if order.is_by_card() => {
                return Err(errors::unprocessable_with("PAYER_ACTION_REQUIRED", &[("payer-action", &page)]));
            }
            (Stage::Waiting, _) => return Err(errors::unprocessable("ORDER_NOT_APPROVED")),
            (Stage::Done, Intent::Capture) => return Err(errors::unprocessable("ORDER_ALREADY_CAPTURED")),
            (Stage::Done, Intent::Authorize) => return Err(errors::unprocessable("ORDER_ALREADY_AUTHORIZED")),
            (Stage::Approved, _) => {}
        }
        self.is_new_invoice(order.invoice_id.as_ref())?;
        // A wallet whose instrument is declined for good lets its payer choose another one: there is no payment yet.
        let is_final = matches!(self.twist, Twist::Decline(decline) if decline != BANK_SILENT);
        if is_final && !order.is_by_card() {
            self.state.put(Order { stage: Stage::Waiting, ..order });
            return Err(errors::unprocessable_with("INSTRUMENT_DECLINED", &[("redirect", &page)]));
        }
        Ok(self.charge(order))
    }

    /// Asks for the money.
    fn charge(&mut self, mut order: Order) -> Acted {
        let new = charge_of(&order);
        let done = self.gateway.create(&new, self.maker, verdict(&order), self.twist, self.now);
        if let Subject::Charge { id, .. } = &done.change.subject {
            order.charge = Some(id.clone());
        }
        order.stage = Stage::Done;
        match order.intent {
            Intent::Capture => order.captures.push(Capture {
                id: self.id('C'),
                invoice_id: order.invoice_id.clone(),
                step: None,
                amount: order.amount,
                is_final: true,
                at: self.now,
            }),
            Intent::Authorize => order.authorization = Some(self.id('A')),
        }
        let made = Made::Order(order.id.clone());
        self.state.put(order);
        Acted::by(done, made)
    }

    /// Takes some or all of what is held.
    pub fn capture(&mut self, authorization: &str, new: &NewCapture) -> Result<Acted, Answer> {
        let mut order = self.order_of(authorization)?;
        let charge = order.charge.as_deref().and_then(|id| self.gateway.charge(id)).ok_or_else(errors::not_found)?;
        let (charge_id, held) = (charge.id.clone(), charge.held);
        match charge.status {
            Status::Cancelled => return Err(errors::unprocessable("AUTHORIZATION_VOIDED")),
            Status::Declined => return Err(errors::unprocessable("AUTHORIZATION_DENIED")),
            Status::Pending | Status::RequiresAction => return Err(errors::unprocessable("TRANSACTION_REFUSED")),
            Status::Captured if held == 0 => return Err(errors::unprocessable("AUTHORIZATION_ALREADY_CAPTURED")),
            Status::Authorized | Status::Captured => {}
        }
        let (amount, currency) = new.amount.clone().unwrap_or_else(|| (held, order.currency.clone()));
        if currency != order.currency {
            return Err(errors::unprocessable("AUTH_CAPTURE_CURRENCY_MISMATCH"));
        }
        self.is_new_invoice(new.invoice_id.as_ref())?;
        let id = self.id('C');
        let reference = new.invoice_id.clone().unwrap_or_else(|| id.clone());
        let capture = ask::NewCapture { reference: reference.clone(), amount, last: new.is_final };
        let done = self.gateway.capture(&charge_id, &capture, self.twist, self.now).map_err(|refusal| {
            let is_too_much = refusal.code == "amount_too_large";
            let issue = if is_too_much { "MAX_CAPTURE_AMOUNT_EXCEEDED" } else { "AUTHORIZATION_ALREADY_CAPTURED" };
            errors::unprocessable(issue)
        })?;
        order.captures.push(Capture {
            id: id.clone(),
            invoice_id: new.invoice_id.clone(),
            step: Some(reference),
            amount,
            is_final: new.is_final,
            at: self.now,
        });
        self.state.put(order);
        Ok(Acted::by(done, Made::Capture(id)))
    }

    /// Gives back what is held. The ledger knows the void by the request's id.
    pub fn void(&mut self, authorization: &str, reference: Option<&str>) -> Result<Acted, Answer> {
        let order = self.order_of(authorization)?;
        let charge = order.charge.as_deref().and_then(|id| self.gateway.charge(id)).ok_or_else(errors::not_found)?;
        let issue = if charge.status == Status::Cancelled { "PREVIOUSLY_VOIDED" } else { "PREVIOUSLY_CAPTURED" };
        let (id, own) = (charge.id.clone(), self.id('V'));
        let reference = reference.unwrap_or(&own);
        let voided = self.gateway.cancel(&id, reference, self.twist, self.now);
        let done = voided.map_err(|_| errors::unprocessable(issue))?;
        Ok(Acted { status: StatusCode::OK, ..Acted::by(done, Made::Authorization(authorization.to_owned())) })
    }

    /// Gives some or all of a capture back.
    pub fn refund(&mut self, capture: &str, new: &NewRefund) -> Result<Acted, Answer> {
        let mut order = self.order_of(capture)?;
        let views = Views { gateway: self.gateway, base: self.base };
        let taken = order.capture(capture).ok_or_else(errors::not_found)?;
        if !views.is_taken(&order, taken) {
            let issue = if views.is_pending(&order, taken) { "PENDING_CAPTURE" } else { "REFUND_NOT_ALLOWED" };
            return Err(errors::unprocessable(issue));
        }
        let left = taken.amount - views.given_back(&order, capture, true);
        let (amount, currency) = new.amount.clone().unwrap_or_else(|| (left, order.currency.clone()));
        if currency != order.currency {
            return Err(errors::unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH"));
        }
        if left == 0 {
            return Err(errors::unprocessable("CAPTURE_FULLY_REFUNDED"));
        }
        if amount > left {
            return Err(errors::unprocessable("REFUND_AMOUNT_EXCEEDED"));
        }
        self.is_new_invoice(new.invoice_id.as_ref())?;
        let id = self.id('R');
        let charge = order.charge.clone().unwrap_or_default();
        // Several refunds may be of one operation; their invoices differ.
        let reference = new.invoice_id.clone().or_else(|| new.custom_id.clone()).unwrap_or_else(|| id.clone());
        let refund = ask::NewRefund { reference, amount };
        let done = self.gateway.refund(&charge, &refund, self.twist, self.now).map_err(of_refund)?;
        let Subject::Refund { id: in_ledger } = &done.change.subject else {
            return Err(errors::not_found());
        };
        order.refunds.push(Refund {
            id: id.clone(),
            in_ledger: in_ledger.clone(),
            capture: capture.to_owned(),
            custom_id: new.custom_id.clone(),
            invoice_id: new.invoice_id.clone(),
            note: new.note.clone(),
            amount,
            at: self.now,
        });
        self.state.put(order);
        Ok(Acted::by(done, Made::Refund(id)))
    }

    /// Something that is there already.
    pub fn shown(&self, made: Made) -> Result<Acted, Answer> {
        let is_there = match &made {
            Made::Order(id) => self.state.order(id, self.maker, self.now).is_some(),
            Made::Authorization(id) | Made::Capture(id) | Made::Refund(id) => self.order_of(id).is_ok(),
        };
        if is_there { Ok(Acted::shown(made)) } else { Err(errors::not_found()) }
    }

    /// The merchant's order under which this is.
    fn order_of(&self, id: &str) -> Result<Order, Answer> {
        let order = self.state.order_of(id).filter(|order| order.maker == self.maker);
        order.cloned().ok_or_else(errors::not_found)
    }

    fn is_new_invoice(&self, invoice_id: Option<&String>) -> Result<(), Answer> {
        match invoice_id {
            Some(id) if self.state.has_used(self.maker, id) => Err(errors::unprocessable("DUPLICATE_INVOICE_ID")),
            _ => Ok(()),
        }
    }

    /// 17 capitals and digits, as PayPal's.
    fn id(&self, kind: char) -> String {
        format!("{}{kind}", self.serials.next().to_uppercase())
    }
}

/// A wallet that nobody has approved yet, or a card whose issuer wants to see its holder first.
fn waits_for_payer(order: &Order) -> bool {
    match &order.method {
        Method::Wallet { token } => token.is_none(),
        Method::Card(card) => order.verifies && card.number == CARD_WITH_CHALLENGE,
        Method::Token { .. } | Method::Upi { .. } => false,
    }
}

/// What PayPal decides itself; else the mock's test cards do.
fn verdict(order: &Order) -> Option<Verdict> {
    let name = order.name.as_deref().unwrap_or_default();
    if let Some((_, decline)) = TRIGGERS.iter().find(|(trigger, _)| *trigger == name) {
        return Some(Verdict::Decline(*decline));
    }
    match &order.method {
        Method::Card(card) if card.number == CARD_WITH_CHALLENGE => Some(match order.authenticated {
            Some(true) => Verdict::Approve,
            Some(false) | None => Verdict::Decline(SCA_REQUIRED),
        }),
        // The payer has approved it.
        Method::Wallet { .. } => Some(Verdict::Approve),
        Method::Card(_) | Method::Token { .. } | Method::Upi { .. } => None,
    }
}

fn charge_of(order: &Order) -> NewCharge {
    NewCharge {
        reference: order.reference().to_owned(),
        amount: order.amount,
        currency: order.currency.clone(),
        capture: order.intent == Intent::Capture,
        method: order.method.clone(),
        return_url: order.return_url.clone(),
    }
}

fn of_refund(refusal: Refusal) -> Answer {
    let issue = if refusal.code == "amount_too_large" { "REFUND_AMOUNT_EXCEEDED" } else { "REFUND_NOT_ALLOWED" };
    errors::unprocessable(issue)
}
