//! `POST /v1/payments/{id}/confirm`: have a payment tried. What a confirm does depends on where the payment stands; the
//! table is in [`may_try`].
//!
//! Three round trips: the payment with its key, commit 1, commit 2.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument as _;

use super::{
    Answer, Call, Confirmation, Fault, Refusal, advance, answer,
    create_payment::{begun_attempt, capture, key_of, push_event},
    drive::{self, Ended, Running, What},
    manage_accounts,
    method::{self, Filling, Method},
    prepare::{self, First, Prepared, Underway},
    route, task,
};
use crate::{
    app::{App, Lease},
    connector::types::{self, Authorize},
    domain::{
        id::{GatewayAccountId, PaymentId},
        money::Currency,
        payment::{Event, State},
    },
    fault::{self, Point},
    store::{
        self,
        begin::{AuditRows, Begin, Expected, OutboxRows},
        journal::Leased,
        payments::Payment,
    },
};

/// Attempts that a payment may have.
pub const ATTEMPTS_MAX: i32 = 20;
/// How often a confirm reads again because another one was faster. Each time somebody has made progress.
const STALE_TRIES_MAX: usize = 5;

/// Confirms a payment. Runs as a task of its own: a client that hangs up changes nothing.
pub async fn confirm_payment(
    app: &Arc<App>,
    call: Call,
    payment: PaymentId,
    confirmation: Confirmation,
) -> Result<Answer, Refusal> {
    if confirmation.order.is_some() {
        return Err(Refusal::Invalid(vec![Fault::new("/order", "names no order of this merchant")]));
    }
    let owned = Arc::clone(app);
    task::detached(app, async move { confirm(&owned, &call, payment, confirmation).await }).await
}

async fn confirm(app: &Arc<App>, call: &Call, id: PaymentId, confirmation: Confirmation) -> Result<Answer, Refusal> {
    // The key is answered before the state is looked at: a repeat of a confirm that succeeded is not an error.
    if let Some(answer) = answer::of_key(app, call).await? {
        return Ok(answer);
    }
    let Confirmation { method, return_url, gateway_account, parameters, .. } = confirmation;
    let mut payment = read(app, call, id).await?;
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
            Verdict::AsItIs => return Ok(answer::unchanged(&payment)),
            Verdict::Accepted => return Ok(answer::accepted(&payment)),
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
        let trial = Trial { call, payment: payment.clone(), return_url: return_url.clone(), wanted };
        if let Some(begun) = trial.begin(app, method).await? {
            return drive_and_answer(app, call, begun).await;
        }
        if let Some(answer) = answer::of_key(app, call).await? {
            return Ok(answer);
        }
        payment = read(app, call, id).await?;
        if brings_method {
            // What it brought was consumed by the try that lost; the winner is under way.
            return match may_try(&payment, true, false)? {
                Verdict::AsItIs => Ok(answer::unchanged(&payment)),
                Verdict::Accepted => Ok(answer::accepted(&payment)),
                Verdict::Try => Err(Refusal::OperationInProgress),
            };
        }
    }
    Err(Refusal::OperationInProgress)
}

async fn read(app: &App, call: &Call, id: PaymentId) -> Result<Payment, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    store::payments::get(&mut conn, call.merchant, id).await?.ok_or(Refusal::NotFound)
}

enum Verdict {
    Try,
    /// 200 with the payment, no gateway call.
    AsItIs,
    /// 202 with the payment, no gateway call.
    Accepted,
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
        // The customer has not acted as far as we know. Bringing parameters completes it: see complete.
        State::RequiresAction if brings_parameters => refuse("this payment's action cannot be completed here yet"),
        State::RequiresAction => Ok(Verdict::AsItIs),
        State::Authorized
        | State::PartiallyCaptured
        | State::Succeeded
        | State::PartiallyRefunded
        | State::Refunded => Ok(Verdict::AsItIs),
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

/// An attempt that commit 1 has written down.
pub struct Begun {
    /// As commit 1 left it.
    pub payment: Payment,
    pub prepared: Prepared,
    pub filling: Filling,
    pub lease: Lease,
    pub place: OwnedSemaphorePermit,
}

struct Trial<'a> {
    call: &'a Call,
    payment: Payment,
    return_url: Option<String>,
    wanted: Option<GatewayAccountId>,
}

impl Trial<'_> {
    /// Runs the connector and writes commit 1; none where the payment has moved on or the key is taken.
    async fn begin(self, app: &Arc<App>, method: Method) -> Result<Option<Begun>, Refusal> {
        fault::point(Point::BeforeFirstRun);
        let place = task::place(app)?;
        let Self { call, mut payment, return_url, wanted } = self;
        let currency: Currency = payment
            .currency
            .parse()
            .map_err(|_| Refusal::Internal(anyhow::anyhow!("payment {} has a currency that is none", payment.id())))?;
        let routes = route::candidates(app, call.merchant, &method.word, currency, wanted).await?;
        let authorize = authorize_of(&payment, &method, return_url.clone())?;
        let prepared = prepare::authorize(app, payment.id(), &authorize, routes).await?;

        let now = app.clock.now();
        let expected = Expected { version: payment.version, order_id: None, return_url: return_url.as_deref() };
        let from = payment.status;
        payment.status = State::Processing;
        payment.version += 1;
        payment.attempt_count += 1;
        payment.open_attempt = Some(payment.attempt_count);
        payment.audit_sequence += 1;
        payment.event_sequence += 1;
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
        fault::point(Point::BeforeCommitOne);
        let public_id = payment.id().to_string();
        let lease = app.new_lease();
        let commit = Begin {
            merchant_id: payment.merchant_id,
            payment_id: payment.payment_id,
            public_id: &public_id,
            key: key_of(app, call),
            token: method.sealed.as_ref(),
            attempt: begun_attempt(app, call, &payment, &prepared, &method),
            audit,
            outbox,
            now,
        };
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let begun = store::begin::begin(&mut conn, commit, &expected).await?;
        drop(conn);
        Ok(match begun {
            store::begin::Begun::Yes => Some(Begun { payment, prepared, filling: method.filling, lease, place }),
            store::begin::Begun::No => None,
        })
    }
}

fn authorize_of(payment: &Payment, method: &Method, return_url: Option<String>) -> Result<Authorize, Refusal> {
    let metadata = payment.metadata.as_object().into_iter().flatten();
    Ok(Authorize {
        amount: types::Money { minor_units: payment.amount.unsigned_abs(), currency: payment.currency.clone() },
        method: method.for_connector.clone(),
        capture: capture(payment.capture_method),
        customer: drive::read("payments", payment.customer.clone())?,
        description: payment.description.clone(),
        order_reference: None,
        return_url: return_url.or_else(|| payment.return_url.clone()),
        metadata: metadata.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        extra: Vec::new(),
    })
}

/// Drives an attempt that is written down, and answers: with its outcome, or 202 where the gateway takes longer than
/// the time to answer, while the operation goes on.
pub async fn drive_and_answer(app: &Arc<App>, call: &Call, begun: Begun) -> Result<Answer, Refusal> {
    fault::point(Point::AfterCommitOne);
    let as_begun = answer::accepted(&begun.payment);
    let (report, reported) = oneshot::channel();
    let owned = Arc::clone(app);
    let key = Some((call.scope.clone(), call.key.clone(), i16::try_from(call.final_status).unwrap_or(200)));
    app.tasks.spawn(async move { drive_begun(owned, begun, key, report).await }.in_current_span());
    match tokio::time::timeout(app.config.answer_timeout, reported).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Refusal::Internal(anyhow::anyhow!("the task of an operation ended without a report"))),
        Err(_) => Ok(as_begun),
    }
}

async fn drive_begun(
    app: Arc<App>,
    begun: Begun,
    key: Option<(String, String, i16)>,
    report: oneshot::Sender<Result<Answer, Refusal>>,
) {
    let Begun { payment, prepared, filling, lease, place } = begun;
    let leased = Leased { merchant_id: payment.merchant_id, operation_id: prepared.operation_id.uuid(), fence: 1 };
    let underway = Underway {
        operation_id: prepared.operation_id.uuid(),
        attempt_number: payment.attempt_count,
        gateway_account_id: prepared.account.gateway_account_id,
        token_id: payment.token_id,
        key,
        operation: Arc::clone(&prepared.operation),
        context: Arc::clone(&prepared.context),
        version: Arc::clone(&prepared.version),
    };
    let ended = match prepared.first {
        First::Done(outcome) => Ended { what: What::Outcome(outcome), reply: None },
        First::Broken(why) => Ended { what: What::NotSent { why, held_back: false }, reply: None },
        First::Send(request) => match manage_accounts::holes_secrets(&app, &prepared.account) {
            Err(refusal) => {
                tracing::error!(gateway.account = %prepared.account.id(), "the account's secrets do not open: {refusal}");
                {
                    let why = "the gateway account's secrets do not open".into();
                    Ended { what: What::NotSent { why, held_back: false }, reply: None }
                }
            }
            Ok(secrets) => {
                let mut running = Running {
                    asking: leased.operation_id,
                    leased,
                    lease,
                    gateway_account_id: prepared.account.gateway_account_id,
                    version: prepared.version,
                    context: prepared.context,
                    operation: prepared.operation,
                    permit: prepared.permit,
                    holes: filling.into_holes(secrets),
                    transcript: Vec::new(),
                };
                drive::drive(&app, &mut running, request).await
            }
        },
    };
    let subject = advance::Subject {
        payment,
        underway,
        leased,
        checks: 0,
        never_received: 0,
        age: Duration::ZERO,
        references: Vec::new(),
        unknown_for: None,
    };
    advance::conclude(&app, subject, ended, Some(report)).await;
    drop(place);
}
