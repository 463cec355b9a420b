//! The operations that act, from request to outcome.

use interlock_connector::types::{
    Action, ActionNeeded, Authorize, Capture, Complete, Context, CustomerAction, Decline, DeclineCode, Failure, Method,
    Operation, Outcome, PaymentMethod, Redirect, Refund, Response, RetryAdvice, Upi,
};
use interlock_connector::{Host, references};
use serde::Deserialize;

use crate::payment::{ORDER, Order, PAYMENT, Payment, Status};
use crate::refused::{self, Refusal, Refused};
use crate::{ask, money, refund, sync};

pub fn perform(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Outcome, Failure> {
    match &operation.action {
        Action::Authorize(action) => authorize(ctx, operation, action, host),
        Action::Complete(action) => complete(ctx, operation, action, host),
        Action::Capture(action) => capture(ctx, operation, action, host),
        Action::Cancel(_) => Err(Failure::new("Razorpay has no way to release a payment")),
        Action::Refund(action) => refund(ctx, operation, action, host),
        Action::Sync(action) => sync::sync(ctx, operation, action, host),
    }
}

/// First the order, then the one payment under it.
fn authorize(
    ctx: &Context,
    operation: &Operation,
    authorize: &Authorize,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    if let Some(decline) = unfit(authorize) {
        return Ok(Outcome::Declined(decline));
    }
    let Some(payer) = payer(ctx, authorize) else { return Ok(Outcome::Declined(customer_unknown())) };
    let reply = host.exchange(&ask::order(ctx, operation, authorize)?);
    if !reply.is_success() {
        // Whatever the reason: without an order there is no payment.
        return refused::read(&reply)?.outcome(|refusal| Ok(Outcome::Declined(refusal.words.of_request(host))));
    }
    let order: Order = reply.json()?;
    let is_ours = order.receipt.as_deref() == Some(operation.id.as_str())
        && (order.amount, &order.currency) == (authorize.amount.minor_units, &authorize.amount.currency);
    if !is_ours {
        return Err(another_object());
    }
    let reply = host.exchange(&ask::payment(ctx, operation, authorize, &payer, &order.id)?);
    if !reply.is_success() {
        let is_upi = matches!(authorize.method, PaymentMethod::Upi(_));
        return refused::read(&reply)?.outcome(|refusal| payment_refused(refusal, &order.id, is_upi, host));
    }
    let created: Created = reply.json()?;
    if let Some(actions) = actions(&created, &authorize.method) {
        let references = references([(ORDER, order.id.as_str()), (PAYMENT, created.razorpay_payment_id.as_str())]);
        let gateway_reference = Some(created.razorpay_payment_id);
        return Ok(Outcome::ActionRequired(ActionNeeded { gateway_reference, references, actions, expires_at: None }));
    }
    // There is nothing for the customer to do: it is decided, or the bank is thinking.
    let payment = fetch(ctx, &created.razorpay_payment_id, host)?;
    if payment.order_id.as_deref() != Some(order.id.as_str()) {
        return Err(another_object());
    }
    payment.outcome(ctx, authorize.capture, host)
}

/// Why the payment cannot be asked for at all.
fn unfit(authorize: &Authorize) -> Option<Decline> {
    let is_upi_abroad = matches!(authorize.method, PaymentMethod::Upi(_)) && authorize.amount.currency != "INR";
    let abroad = || {
        let code = DeclineCode::CurrencyUnsupported;
        money::locally(code, RetryAdvice::Never, "upi_currency", "UPI pays in INR alone.")
    };
    money::unfit(&authorize.amount).or_else(|| is_upi_abroad.then(abroad))
}

/// Whom Razorpay is told of; none where neither the merchant nor the account says. The banks' check of a card wants to
/// know the browser, too.
fn payer<'a>(ctx: &'a Context, authorize: &'a Authorize) -> Option<ask::Payer<'a>> {
    let told = |value: &'a Option<String>, fallback: &str| {
        let value = value.as_deref().or_else(|| ctx.setting(fallback)).map(str::trim);
        value.filter(|value| !value.is_empty())
    };
    let customer = &authorize.customer;
    if matches!(authorize.method, PaymentMethod::Card(_)) && customer.browser.is_none() {
        return None;
    }
    let (email, contact) = (told(&customer.email, "fallback_email"), told(&customer.phone, "fallback_contact"));
    Some(ask::Payer { email: email?, contact: contact?, ip: customer.ip.as_deref()? })
}

fn customer_unknown() -> Decline {
    let message = "Razorpay wants to know the customer: send customer.email, customer.phone and customer.ip with the \
                   payment, and for cards customer.browser.";
    money::locally(DeclineCode::Misconfigured, RetryAdvice::OtherGateway, "customer_unknown", message)
}

/// Razorpay's answer to a payment: its id, and what the customer may do. One that needs nobody has no `next`.
#[derive(Deserialize)]
struct Created {
    razorpay_payment_id: String,
    #[serde(default)]
    next: Vec<Next>,
}

#[derive(Deserialize)]
struct Next {
    action: String,
    url: Option<String>,
}

/// What the customer may do, the best first; none where there is nothing that we can offer. One-time passwords that the
/// merchant's own page asks for (`otp_submit`) are not: there is the bank's page for them.
fn actions(created: &Created, method: &PaymentMethod) -> Option<Vec<CustomerAction>> {
    let url = |action: &str| {
        let found = created.next.iter().find(|next| next.action == action);
        found.and_then(|next| next.url.clone())
    };
    if let Some(url) = url("redirect") {
        return Some(vec![CustomerAction::Redirect(Redirect { url, method: Method::Get, fields: Vec::new() })]);
    }
    if let Some(link) = url("intent") {
        let mut both = vec![CustomerAction::OpenApp(link.clone()), CustomerAction::DisplayQr(link)];
        if matches!(method, PaymentMethod::Upi(Upi::Qr)) {
            both.reverse();
        }
        return Some(both);
    }
    let is_collect = matches!(method, PaymentMethod::Upi(Upi::Collect(_)));
    (is_collect && url("poll").is_some()).then(|| vec![CustomerAction::AwaitApproval])
}

/// A payment that was refused. Where it was made first and then failed, it can be looked up, and may come back. Where
/// there is no word of it, only a refusal before anybody was asked says that there is none, or somebody's no; and with UPI
/// a no is not the last word. Else nobody knows: its order tells.
fn payment_refused(refusal: Refusal, order: &str, is_upi: bool, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let is_certain = refusal.is_early || (refusal.words.is_answer() && !is_upi);
    match refusal.payment {
        Some(payment) => {
            let references = references([(ORDER, order), (PAYMENT, payment.as_str())]);
            let decline = refusal.words.of_payment(is_upi, host).about(payment).with_references(references);
            Ok(Outcome::Declined(decline))
        }
        None if is_certain => Ok(Outcome::Declined(refusal.words.of_request(host))),
        None => Err(Failure::new("the gateway refused it, and somebody may have been asked before")),
    }
}

/// The customer is back. What the browser brought along proves nothing, so Razorpay is asked.
fn complete(
    ctx: &Context,
    operation: &Operation,
    complete: &Complete,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    known_payment(ctx, operation, host)?.outcome(ctx, complete.capture, host)
}

/// Takes held money. A refusal does not say what became of it (taken before, given back, still held), so that is asked.
fn capture(ctx: &Context, operation: &Operation, capture: &Capture, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let id = operation.required_reference(PAYMENT)?;
    let reply = host.exchange(&ask::capture(ctx, operation, id, &capture.amount)?);
    if reply.is_success() {
        let payment = payment_of(&reply, id)?;
        return if payment.status == Status::Captured { payment.standing(ctx, host) } else { Err(other_status()) };
    }
    let refusal = match refused::read(&reply)? {
        Refused::TooMany(seconds) => return Ok(Outcome::NotProcessed(seconds)),
        Refused::Refusal(refusal) => Some(refusal),
        Refused::DoneBefore => None,
    };
    let payment = fetch(ctx, id, host)?;
    match (payment.status, refusal) {
        // Without a reference: what it says is said of this request, and not of one before that may be on its way.
        (Status::Authorized, Some(refusal)) => Ok(Outcome::Declined(refusal.words.of_request(host))),
        (Status::Authorized, None) | (Status::Created, _) => Err(other_status()),
        (Status::Captured | Status::Refunded | Status::Failed, _) => payment.standing(ctx, host),
    }
}

fn refund(ctx: &Context, operation: &Operation, asked: &Refund, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if let Some(decline) = money::unfit(&asked.amount) {
        return Ok(Outcome::Declined(decline));
    }
    let id = operation.required_reference(PAYMENT)?;
    let reply = host.exchange(&ask::refund(ctx, operation, id, asked)?);
    if !reply.is_success() {
        return refused::read(&reply)?.outcome(|refusal| Ok(Outcome::Declined(refusal.words.of_request(host))));
    }
    let made: refund::Refund = reply.json()?;
    if made.payment_id != id || !made.is_of(&operation.id) {
        return Err(another_object());
    }
    Ok(made.outcome(host))
}

/// The payment of the attempt.
pub fn known_payment(ctx: &Context, operation: &Operation, host: &mut dyn Host) -> Result<Payment, Failure> {
    let payment = fetch(ctx, operation.required_reference(PAYMENT)?, host)?;
    let order = operation.reference(ORDER);
    if order.is_some() && payment.order_id.as_deref() != order {
        return Err(another_object());
    }
    Ok(payment)
}

fn fetch(ctx: &Context, id: &str, host: &mut dyn Host) -> Result<Payment, Failure> {
    let reply = host.exchange(&ask::payment_by_id(ctx, id)?);
    if !reply.is_success() {
        return Err(Failure::new("the gateway did not show the payment"));
    }
    payment_of(&reply, id)
}

fn payment_of(reply: &Response, id: &str) -> Result<Payment, Failure> {
    let payment: Payment = reply.json()?;
    if payment.id == id { Ok(payment) } else { Err(another_object()) }
}

pub fn other_status() -> Failure {
    Failure::new("the payment has a status that does not follow from what was asked")
}

pub fn another_object() -> Failure {
    Failure::new("the reply speaks of another order, payment or refund")
}
