//! `POST /v1/payments/{id}/confirm`: have a payment tried. What a confirm does depends on where the payment stands; the
//! table is in [`may_try`].
//!
//! Four round trips: the key, the payment, commit 1, commit 2; and two more to read the order of a payment that has one.

use std::{sync::Arc, time::Duration};

use super::{
    Answer, Call, Confirmation, Fault, Refusal, answer,
    begun::{Begun, attempt_rows},
    create_payment::{capture, key_of, of_order, order_is_full, push_event},
    drive,
    fail_over::Trial,
    method::{self, Method},
    operate::{self, Ask},
    prepare, route, run, sync_payment, task,
};
use crate::{
    app::App,
    connector::types::{self, Authorize, OperationKind},
    domain::{
        id::{GatewayAccountId, OrderId, PaymentId},
        payment::{Event, State},
    },
    fault::{self, Point},
    store::{
        self,
        begin::{AuditRows, Begin, Expected, OutboxRows},
        orders::Order,
        payments::Payment,
    },
};

/// Attempts that a payment may have.
pub const ATTEMPTS_MAX: i32 = 20;
/// How often a confirm reads again because another one was faster. Each time somebody has made progress.
const STALE_TRIES_MAX: usize = 5;
/// How long it waits before each of these while a gateway is being listened to, or asked, about the same payment.
const TOLD_PAUSE: Duration = Duration::from_millis(200);

/// Confirms a payment. Runs as a task of its own: a client that hangs up changes nothing.
pub async fn confirm_payment(
    app: &Arc<App>,
    call: Call,
    payment: PaymentId,
    confirmation: Confirmation,
) -> Result<Answer, Refusal> {
    let owned = Arc::clone(app);
    task::detached(app, async move { confirm(&owned, &call, payment, confirmation).await }).await
}

async fn confirm(app: &Arc<App>, call: &Call, id: PaymentId, confirmation: Confirmation) -> Result<Answer, Refusal> {
    // The key is answered before the state is looked at: a repeat of a confirm that succeeded is not an error.
    if let Some(answer) = answer::of_key(app, call).await? {
        return Ok(answer);
    }
    let Confirmation { method, order, return_url, gateway_account, parameters } = confirmation;
    let mut payment = answer::payment(app, call.merchant, id).await?;
    let order = order_of(app, call, &payment, order).await?;
    let brings_method = method.is_some();
    let mut input = method;
    for _ in 0..STALE_TRIES_MAX {
        let verdict = may_try(&payment, brings_method, parameters.is_some());
        // An equal request may have moved the payment between the two reads: then its answer is this one's.
        if !matches!(verdict, Ok(Verdict::Try))
            && let Some(answer) = answer::of_key(app, call).await?
        {
            return Ok(answer);
        }
        match verdict? {
            Verdict::Try => {}
            Verdict::AsItIs => return sync_payment::answered(app, call, &payment).await,
            Verdict::Accepted => return Ok(answer::accepted(&payment)),
            Verdict::Ask => return sync_payment::ask(app, call, payment).await,
            Verdict::Complete => {
                let ask = Ask::Complete { parameters: parameters.clone().unwrap_or_default() };
                let begun = match operate::begin(app, Some(call), &payment, &ask, None).await {
                    Ok(begun) => begun,
                    // The gateway tells just now what became of it, as gateways do while the customer comes back: a
                    // moment later there is something to answer.
                    Err(Refusal::OperationInProgress) => None,
                    // An equal request may have been faster: then its answer is this one's.
                    Err(refusal) => return answer::or_stored(app, call, refusal).await,
                };
                if let Some(begun) = begun {
                    return run::drive_and_answer(app, call, begun, None).await;
                }
                if let Some(answer) = answer::of_key(app, call).await? {
                    return Ok(answer);
                }
                tokio::time::sleep(TOLD_PAUSE).await;
                payment = answer::payment(app, call.merchant, id).await?;
                continue;
            }
        }
        let method = match input.take() {
            Some(input) => method::from_input(app, call.merchant, input).await?,
            None => method::of_payment(app, &payment).await?.ok_or_else(|| {
                Refusal::Invalid(vec![Fault::new("/payment_method", "is needed: the payment was created without one")])
            })?,
        };
        // The account that the payment was created for; a new attempt after a failure is routed anew.
        let first = payment.gateway_account_id.filter(|_| payment.attempt_count == 0);
        let wanted = gateway_account.or(first.map(GatewayAccountId::from_uuid));
        let trying =
            Trying { call, payment: payment.clone(), order: order.as_ref(), return_url: return_url.clone(), wanted };
        if let Some(begun) = trying.begin(app, method).await? {
            let ends = app.clock.boot() + app.config.answer_timeout;
            let trial = Trial { ends, tried: Vec::new(), is_pinned: wanted.is_some() };
            return run::drive_and_answer(app, call, begun, Some(trial)).await;
        }
        if let Some(answer) = answer::of_key(app, call).await? {
            return Ok(answer);
        }
        payment = answer::payment(app, call.merchant, id).await?;
        if brings_method {
            // What it brought was consumed by the try that lost; the winner is under way.
            return match may_try(&payment, true, false)? {
                Verdict::AsItIs => sync_payment::answered(app, call, &payment).await,
                Verdict::Accepted => Ok(answer::accepted(&payment)),
                Verdict::Try | Verdict::Ask | Verdict::Complete => Err(Refusal::OperationInProgress),
            };
        }
    }
    Err(Refusal::OperationInProgress)
}

/// The order that the payment belongs to, or that the confirm names: one and the same.
async fn order_of(app: &App, call: &Call, payment: &Payment, named: Option<OrderId>) -> Result<Option<Order>, Refusal> {
    let its_own = payment.order_id.map(OrderId::from_uuid);
    if let (Some(own), Some(named)) = (its_own, named)
        && own != named
    {
        return Err(Refusal::OrderMismatch { why: format!("the payment belongs to {own}") });
    }
    if payment.status != State::Created && payment.status != State::Failed {
        return Ok(None);
    }
    of_order(app, call.merchant, its_own.or(named), &payment.currency).await
}

enum Verdict {
    Try,
    /// 200 with the payment, no gateway call.
    AsItIs,
    /// 202 with the payment, no gateway call.
    Accepted,
    /// The gateway is asked whether the customer has acted.
    Ask,
    /// The customer is back.
    Complete,
}

/// What a confirm does, by state.
fn may_try(payment: &Payment, brings_method: bool, brings_parameters: bool) -> Result<Verdict, Refusal> {
    let refuse = |why: &str| Err(Refusal::NotConfirmable { why: why.to_owned() });
    match payment.status {
        State::Created => Ok(Verdict::Try),
        State::Processing | State::PendingVerification => Ok(Verdict::Accepted),
        State::RequiresAction if brings_method => {
            refuse("the customer is asked to act on the present payment method; cancel the payment to try another one")
        }
        State::RequiresAction if brings_parameters => Ok(Verdict::Complete),
        State::RequiresAction => Ok(Verdict::Ask),
        State::Authorized
        | State::PartiallyCaptured
        | State::Succeeded
        | State::PartiallyRefunded
        | State::Refunded => Ok(Verdict::AsItIs),
        State::Failed if payment.won_attempt.is_some() => refuse("an operator has decided about it"),
        State::Failed if payment.attempt_count >= ATTEMPTS_MAX => {
            refuse("it has had 20 attempts, which is as many as a payment may have")
        }
        State::Failed if brings_method => Ok(Verdict::Try),
        State::Failed => {
            let advice = payment.last_error.as_ref().and_then(|error| error.get("advice")?.as_str());
            if advice == Some("never") {
                refuse("the last decline advises against trying the same payment method again; bring another one")
            } else {
                Ok(Verdict::Try)
            }
        }
        State::Cancelled => refuse("it was cancelled"),
        State::Expired => refuse("it has expired"),
        State::ManualReview => refuse("a person has to decide about it first"),
    }
}

struct Trying<'a> {
    call: &'a Call,
    payment: Payment,
    order: Option<&'a Order>,
    return_url: Option<String>,
    wanted: Option<GatewayAccountId>,
}

impl Trying<'_> {
    /// Runs the connector and writes commit 1; none where the payment has moved on or the key is taken.
    async fn begin(self, app: &Arc<App>, method: Method) -> Result<Option<Begun>, Refusal> {
        fault::point_of(Point::BeforeFirstRun, OperationKind::Authorize);
        let place = task::place(app)?;
        let Self { call, mut payment, order, return_url, wanted } = self;
        let routes = route::for_payment(app, &payment, &method, wanted).await?;
        let authorize = authorize_of(&payment, &method, return_url.clone(), order)?;
        let prepared = prepare::authorize(app, payment.id(), &authorize, routes).await?;

        let now = app.clock.now();
        let order_id = order.map(|order| order.order_id);
        let expected = Expected { version: payment.version, order_id, return_url: return_url.as_deref() };
        let from = payment.status;
        payment.status = State::Processing;
        payment.version += 1;
        payment.attempt_count += 1;
        payment.open_attempt = Some(payment.attempt_count);
        payment.audit_sequence += 1;
        payment.event_sequence += 1;
        payment.order_id = order_id;
        payment.amount_reserved = order_id.map_or(0, |_| payment.amount);
        payment.gateway_account_id = Some(prepared.account.gateway_account_id);
        payment.token_id = method.token_id;
        payment.payment_method = Some(method.shown.clone());
        payment.return_url = return_url.clone().or(payment.return_url);
        payment.next_action = None;
        payment.last_error = None;
        payment.gateway_reference = None;
        payment.updated_at = now;
        let mut outbox = OutboxRows::default();
        push_event(app, &mut outbox, &payment, "payment.processing", now);
        let audit = AuditRows {
            sequence: vec![payment.audit_sequence],
            from_state: vec![Some(from.into())],
            to_state: vec![State::Processing.into()],
            event: vec![Event::Submitted.into()],
            ..AuditRows::default()
        };
        fault::point_of(Point::BeforeCommitOne, OperationKind::Authorize);
        let lease = app.new_lease();
        let commit = Begin {
            merchant_id: payment.merchant_id,
            payment_id: payment.payment_id,
            key: key_of(app, call),
            token: method.sealed.as_ref(),
            attempt: attempt_rows(app, call.answer_status(), &payment, &prepared, &method),
            audit,
            outbox,
            now,
        };
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let begun = store::begin::begin(&mut conn, commit, &expected).await?;
        drop(conn);
        match begun {
            store::begin::Begun::Yes => {
                app.wake.committed();
                let key = run::key_to_answer(call);
                let begun = Begun::of_attempt(payment, prepared, method, lease, Some(key), now);
                Ok(Some(Begun { place: Some(place), ..begun }))
            }
            store::begin::Begun::No => Ok(None),
            // Whoever was faster may have been the same request.
            store::begin::Begun::OrderIsFull => match answer::of_key(app, call).await? {
                Some(_) => Ok(None),
                None => Err(order_is_full()),
            },
        }
    }
}

/// What a gateway is asked for this payment by this method.
pub fn authorize_of(
    payment: &Payment,
    method: &Method,
    return_url: Option<String>,
    order: Option<&Order>,
) -> Result<Authorize, Refusal> {
    let metadata = payment.metadata.as_object().into_iter().flatten();
    Ok(Authorize {
        amount: types::Money { minor_units: payment.amount.unsigned_abs(), currency: payment.currency.clone() },
        method: method.for_connector.clone(),
        capture: capture(payment.capture_method),
        customer: drive::read("payments", payment.customer.clone())?,
        description: payment.description.clone(),
        order_reference: order.map(|order| order.reference.clone()),
        return_url: return_url.or_else(|| payment.return_url.clone()),
        metadata: metadata.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        extra: Vec::new(),
    })
}
