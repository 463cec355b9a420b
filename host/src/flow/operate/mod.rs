//! Complete, capture, cancel, refund: what is asked of a gateway about an attempt that is there.
//!
//! Three reads (the key, the payment, what it takes to run the connector), commit 1, commit 2. What cannot both be (two
//! captures, two refunds of more than is left) meets at the payment's version: the loser reads again, and is told what
//! is left.

mod commit;

use std::sync::Arc;

use serde_json::json;
use tracing::Instrument as _;

use self::commit::Commit;
use super::{
    Answer, Call, Fault, Refusal,
    advance::book_of,
    answer,
    begun::Begun,
    create_payment::capture,
    drive::read,
    prepare::{self, Purpose},
    resolve,
    route::Route,
    run, task,
};
use crate::{
    app::App,
    connector::{
        Version,
        types::{self, Action, OperationKind, Outcome, Pairs},
    },
    domain::{
        book::{Book, Features, Refused},
        connector_life::State as Life,
        id::{GatewayAccountId, OperationId, PaymentId},
        payment::{Event, State},
    },
    fault::{self, Point},
    mutation::{self, Mutation},
    store::{self, gateway_accounts::GatewayAccount, payments::Payment},
};

/// How often an operation is decided anew because another one was faster. Each time somebody has made progress.
const STALE_TRIES_MAX: usize = 5;

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// The customer is back, with what the browser brought.
    Complete {
        parameters: Pairs,
    },
    /// By default all that is left, and nothing after it.
    Capture {
        amount: Option<i64>,
        is_final: Option<bool>,
    },
    Cancel {
        reason: Option<String>,
    },
    /// The host's own: an authorization that nobody can find out about. `key`: what waits for its answer.
    CallOff {
        key: Option<(String, String, i16)>,
    },
    /// By default all that is left.
    Refund {
        amount: Option<i64>,
        reason: Option<String>,
    },
}

impl Ask {
    fn kind(&self) -> OperationKind {
        match self {
            Self::Complete { .. } => OperationKind::Complete,
            Self::Capture { .. } => OperationKind::Capture,
            Self::Cancel { .. } | Self::CallOff { .. } => OperationKind::Cancel,
            Self::Refund { .. } => OperationKind::Refund,
        }
    }
}

/// Does what a merchant asks. Runs as a task of its own: a client that hangs up changes nothing.
pub async fn operate(app: &Arc<App>, call: Call, payment: PaymentId, ask: Ask) -> Result<Answer, Refusal> {
    let owned = Arc::clone(app);
    task::detached(app, async move { Box::pin(asked(&owned, &call, payment, &ask)).await }).await
}

async fn asked(app: &Arc<App>, call: &Call, id: PaymentId, ask: &Ask) -> Result<Answer, Refusal> {
    // The key is answered before the state is looked at: a repeat of what succeeded is not an error.
    if let Some(answer) = answer::of_key(app, call).await? {
        return Ok(answer);
    }
    let mut payment = answer::payment(app, call.merchant, id).await?;
    if resolve_first(app, &payment).await? {
        payment = answer::payment(app, call.merchant, id).await?;
    }
    for _ in 0..STALE_TRIES_MAX {
        let begun = match ask {
            Ask::Cancel { .. } if payment.status == State::Created => {
                match super::expire::call_off(app, &payment, Some(call)).await? {
                    Some(answer) => return Ok(answer),
                    None => None,
                }
            }
            ask => match begin(app, Some(call), &payment, ask, None).await {
                Ok(begun) => begun,
                // An equal request may have moved the payment between the two reads: then its answer is this one's.
                Err(refusal) => return answer::or_stored(app, call, refusal).await,
            },
        };
        if let Some(begun) = begun {
            return run::drive_and_answer(app, call, begun, None).await;
        }
        if let Some(answer) = answer::of_key(app, call).await? {
            return Ok(answer);
        }
        payment = answer::payment(app, call.merchant, id).await?;
    }
    Err(Refusal::OperationInProgress)
}

/// Nothing new is begun on a payment before what is unknown of it was asked about. Asking may take longer than the
/// merchant can wait: then it goes on, and the merchant tries again.
async fn resolve_first(app: &Arc<App>, payment: &Payment) -> Result<bool, Refusal> {
    let is_known = payment.open_operation.is_none() && payment.amount_refunding == 0;
    if is_known && payment.status != State::PendingVerification {
        return Ok(false);
    }
    let (owned, unresolved) = (Arc::clone(app), payment.clone());
    let asking = app.tasks.spawn(async move { Box::pin(resolve::first(&owned, &unresolved)).await }.in_current_span());
    match tokio::time::timeout(app.config.answer_timeout / 2, asking).await {
        Ok(Ok(asked)) => asked,
        Ok(Err(panic)) => Err(Refusal::Internal(anyhow::Error::new(panic).context("a question ended abnormally"))),
        Err(_) => Err(Refusal::OperationInProgress),
    }
}

/// What it takes to ask something of a gateway about an attempt.
struct Ground {
    account: GatewayAccount,
    version: Arc<Version>,
    references: Pairs,
    /// The attempt's authorize operation: what the gateway knows it by.
    authorize: Option<OperationId>,
    captures: Vec<Pairs>,
}

/// Runs the connector and writes commit 1; none where the payment has moved on or the key is taken. Without a `call` it
/// is the host's own.
pub async fn begin(
    app: &Arc<App>,
    call: Option<&Call>,
    payment: &Payment,
    ask: &Ask,
    purpose: Option<Purpose>,
) -> Result<Option<Begun>, Refusal> {
    fault::point_of(Point::BeforeFirstRun, ask.kind());
    let place = match call {
        Some(_) => Some(task::place(app)?),
        None => None,
    };
    let number = payment.won_attempt.or(payment.open_attempt);
    // Nothing was tried, or nothing came of it: the rules say why not.
    let Some(number) = number else { return Err(why_not(&book_of(payment), ask)) };
    let ground = ground(app, payment, number, ask.kind()).await?;
    let (action, after) = plan(payment, ask, &ground)?;
    let takes_over = match ask {
        Ask::Complete { .. } => Some(waiting_attempt(app, payment).await?),
        Ask::Capture { .. } | Ask::Cancel { .. } | Ask::CallOff { .. } | Ask::Refund { .. } => None,
    };
    // Where the host goes on by itself, the key of what it goes on with still waits for its answer.
    let inherited = match (ask, call) {
        (Ask::CallOff { key }, None) => key.clone(),
        (_, None) => takes_over.as_ref().and_then(|waiting| waiting.key.clone()),
        (_, Some(_)) => None,
    };
    let amount = amount_of(payment, &action);
    let route = Route { account: ground.account, version: ground.version };
    let prepared = prepare::operation(app, payment.id(), action, ground.references.clone(), route).await?;
    let commit = Commit { payment, number, amount, after, takes_over, purpose, key: call, inherited };
    commit.write(app, prepared, ground.references, place).await
}

async fn ground(app: &App, payment: &Payment, number: i32, kind: OperationKind) -> Result<Ground, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let merchant = payment.merchant();
    let attempt = store::attempts::get(&mut conn, payment.merchant_id, payment.payment_id, number).await?;
    let attempt = attempt.ok_or_else(|| missing(&format!("attempt {number} of {}", payment.id())))?;
    let account = GatewayAccountId::from_uuid(attempt.gateway_account_id);
    // A deleted account's payments are still captured, cancelled and refunded: its row stays.
    let account = store::gateway_accounts::get(&mut conn, merchant, account).await?;
    let account = account.ok_or_else(|| missing(&format!("the gateway account of {}", payment.id())))?;
    let authorize =
        store::operations::first_of_attempt(&mut conn, payment.merchant_id, payment.payment_id, number).await?;
    let ended = store::operations::ended(&mut conn, payment.merchant_id, payment.payment_id, number).await?;
    drop(conn);
    let version = version_for(app, payment, &attempt, kind).await?;
    let references = read("attempts", attempt.gateway_references.clone())?;
    let captures = ended.into_iter().filter_map(|ended| captured(ended.outcome?)).collect();
    let authorize = authorize.map(OperationId::from_uuid);
    Ok(Ground { account, version, references, authorize, captures })
}

/// The version that begins it. What made the action reads what came of it, unless it was retired: a host that has not
/// loaded it yet does not take another one. Everything else is begun by the version that is chosen now, or, where none is,
/// by the one before as long as nobody has withdrawn it.
async fn version_for(
    app: &App,
    payment: &Payment,
    attempt: &store::attempts::Attempt,
    kind: OperationKind,
) -> Result<Arc<Version>, Refusal> {
    let digest: Option<[u8; 32]> = attempt.digest.as_slice().try_into().ok();
    let chosen = || {
        let chosen = app.registry.choose(&attempt.connector, payment.id());
        // What a canary has no operation for, the version beside it may have.
        let able = |version: &Arc<Version>| version.descriptor().rules(kind).is_some();
        chosen.filter(able).or_else(|| app.registry.active(&attempt.connector))
    };
    let pinned = digest.and_then(|digest| app.registry.by_digest(&digest));
    let version = if kind != OperationKind::Complete {
        chosen().or_else(|| digest.and_then(|digest| app.registry.in_use(&digest)))
    } else if pinned.is_some() {
        pinned
    } else {
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let state = store::connectors::state_of(&mut conn, &attempt.digest).await?;
        if state.is_none_or(|(state, _)| state == Life::Retired) { chosen() } else { None }
    };
    version.ok_or_else(|| Refusal::Unavailable {
        what: format!("connector {}", attempt.connector),
        retry_after_s: super::RETRY_AFTER_UNAVAILABLE_S,
    })
}

fn captured(outcome: serde_json::Value) -> Option<Pairs> {
    match serde_json::from_value(outcome) {
        Ok(Outcome::Captured(approval)) => Some(approval.references),
        Ok(_) | Err(_) => None,
    }
}

fn missing(what: &str) -> Refusal {
    Refusal::Internal(anyhow::anyhow!("{what} is not there"))
}

/// The operation that waits for the customer, whose lease a complete takes over.
async fn waiting_attempt(app: &App, payment: &Payment) -> Result<Waiting, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let open = store::work::of_payment(&mut conn, payment.merchant_id, payment.payment_id).await?;
    let waiting = open
        .into_iter()
        .find(|open| open.kind == "attempt" && matches!(open.task.as_str(), "act" | "poll") && !open.held);
    let operation_id = waiting.map(|open| open.operation_id).ok_or(Refusal::OperationInProgress)?;
    let operation = store::operations::get(&mut conn, payment.merchant_id, operation_id).await?;
    let key = operation.and_then(|operation| operation.key_scope.zip(operation.key).zip(operation.answer_status));
    Ok(Waiting { operation_id, key: key.map(|((scope, key), status)| (scope, key, status)) })
}

/// The operation that waits for its customer, and the key of whoever asked for it.
struct Waiting {
    operation_id: uuid::Uuid,
    key: Option<(String, String, i16)>,
}

/// What the gateway is asked, and the book and the state while it is under way.
struct After {
    book: Book,
    event: Event,
    detail: Option<serde_json::Value>,
}

fn plan(payment: &Payment, ask: &Ask, ground: &Ground) -> Result<(Action, After), Refusal> {
    let book = book_of(payment);
    let features = features(&ground.version);
    let currency = payment.currency.clone();
    let money = |minor: i64| types::Money { minor_units: minor.unsigned_abs(), currency: currency.clone() };
    if ground.version.descriptor().rules(ask.kind()).is_none() {
        return Err(unsupported(&book, ask));
    }
    Ok(match ask {
        // What is being called off is not completed.
        Ask::Complete { .. } if book.settling => return Err(Refusal::OperationInProgress),
        Ask::Complete { parameters } => {
            let complete = types::Complete {
                amount: money(payment.amount),
                capture: capture(payment.capture_method),
                parameters: parameters.clone(),
                extra: Vec::new(),
            };
            let book = Book { state: State::Processing, ..book };
            (Action::Complete(complete), After { book, event: Event::Submitted, detail: None })
        }
        Ask::Capture { amount, is_final } => {
            let asked = book.ask_capture(*amount, *is_final, features).map_err(refused)?;
            let detail = Some(json!({ "amount": asked.amount, "final": asked.is_final }));
            let action = types::Capture { amount: money(asked.amount), is_final: asked.is_final };
            let after = After { book: book.begin_capture(asked), event: Event::CaptureSubmitted, detail };
            (Action::Capture(action), after)
        }
        Ask::Cancel { reason } => {
            book.ask_cancel(features).map_err(refused)?;
            let target_id = ground.authorize.map(|id| id.to_string()).unwrap_or_default();
            let after = After { book: book.begin_cancel(), event: Event::CancelSubmitted, detail: None };
            (Action::Cancel(types::Cancel { target_id, reason: reason.clone() }), after)
        }
        Ask::CallOff { .. } => {
            book.ask_call_off(features).map_err(refused)?;
            let target_id = ground.authorize.map(|id| id.to_string()).unwrap_or_default();
            let reason = Some("the outcome is not known".to_owned());
            let after = After { book: book.begin_cancel(), event: Event::CancelSubmitted, detail: None };
            (Action::Cancel(types::Cancel { target_id, reason }), after)
        }
        Ask::Refund { amount, reason } => {
            let asked = book.ask_refund(*amount, features).map_err(refused)?;
            let action =
                types::Refund { amount: money(asked), reason: reason.clone(), captures: ground.captures.clone() };
            let detail = Some(json!({ "amount": asked }));
            let reserved = if mutation::is(Mutation::ForgetReservation) { 0 } else { asked };
            (Action::Refund(action), After { book: book.begin_refund(reserved), event: Event::RefundSubmitted, detail })
        }
    })
}

/// What the connector declares, in the domain's words.
#[must_use]
pub fn features(version: &Version) -> Features {
    let declared = &version.descriptor().features;
    Features {
        partial_capture: declared.partial_capture,
        multiple_capture: declared.multiple_capture,
        partial_refund: declared.partial_refund,
        cancel: declared.cancel,
    }
}

fn why_not(book: &Book, ask: &Ask) -> Refusal {
    let all = Features { partial_capture: true, multiple_capture: true, partial_refund: true, cancel: true };
    let refusal = match ask {
        Ask::Complete { .. } => None,
        Ask::Capture { amount, is_final } => book.ask_capture(*amount, *is_final, all).err(),
        Ask::Cancel { .. } => book.ask_cancel(all).err(),
        Ask::CallOff { .. } => book.ask_call_off(all).err(),
        Ask::Refund { amount, .. } => book.ask_refund(*amount, all).err(),
    };
    refusal.map_or_else(|| missing("the payment's attempt"), refused)
}

fn unsupported(book: &Book, ask: &Ask) -> Refusal {
    let why = "the gateway's connector has no such operation".to_owned();
    match ask {
        Ask::Complete { .. } => Refusal::NotConfirmable { why },
        Ask::Capture { .. } => Refusal::NotCapturable { why },
        Ask::Cancel { .. } | Ask::CallOff { .. } => refused(Refused::CancelIsUnsupported),
        Ask::Refund { .. } if book.state == State::Succeeded => Refusal::NotRefundable { why },
        Ask::Refund { .. } => why_not(book, ask),
    }
}

fn refused(refused: Refused) -> Refusal {
    let why = refused.to_string();
    match refused {
        Refused::OperationInProgress => Refusal::OperationInProgress,
        Refused::NotCapturable { .. } | Refused::NothingToCapture => Refusal::NotCapturable { why },
        Refused::NotCancelable { .. } | Refused::CancelIsUnsupported => Refusal::NotCancelable { why },
        Refused::NotRefundable { .. } => Refusal::NotRefundable { why },
        Refused::AmountIsTooLarge { left } => Refusal::AmountTooLarge { left },
        Refused::PartialCaptureIsUnsupported | Refused::PartialRefundIsUnsupported => {
            Refusal::Invalid(vec![Fault::new("/amount", why)])
        }
        Refused::MultipleCaptureIsUnsupported => Refusal::Invalid(vec![Fault::new("/final", why)]),
    }
}

fn amount_of(payment: &Payment, action: &Action) -> i64 {
    let minor = match action {
        Action::Capture(capture) => capture.amount.minor_units,
        Action::Refund(refund) => refund.amount.minor_units,
        Action::Cancel(_) | Action::Authorize(_) | Action::Complete(_) | Action::Sync(_) => return payment.amount,
    };
    i64::try_from(minor).unwrap_or(i64::MAX)
}
