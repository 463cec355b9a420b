//! What is learned of an operation that nobody here drives: a webhook says so, a reply came after its lease was lost, a
//! question found out.
//!
//! It goes through the same gate as everything else. Where the operation is unresolved, its lease is taken and it ends as
//! if it had been asked about; where it is resolved, only what changes something is written, guarded by the payment's
//! version. Applying the same evidence twice changes nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{
    Refusal,
    advance::{self, Beside, NotApplied, Subject},
    answer,
    ask::{self, Asked},
    drive::What,
    learned::Learned,
    resolve, run, surplus,
};
use crate::{
    app::App,
    connector::types::{Action, Approval, Money, OperationKind, Outcome},
    domain::{
        book::Fact,
        id::{MerchantId, OperationId, PaymentId},
        payment::{Event, State},
    },
    store::{self, journal::Leased, operations::Operation, payments::Payment, work::Open},
};

/// How often it is decided anew because the payment has moved on. Each time somebody has made progress.
const STALE_TRIES_MAX: usize = 5;

/// What somebody says became of an operation.
pub struct Evidence {
    pub merchant_id: Uuid,
    pub operation_id: Uuid,
    /// Which kind of operation it says it speaks of; none where it is certain to be this one.
    pub kind: Option<OperationKind>,
    pub outcome: Outcome,
    pub received_at: DateTime<Utc>,
    pub source: Source,
}

/// Who says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A webhook that proved itself; `fence` is that of its row in `webhook_work`, which goes with the change.
    Webhook { gateway_account_id: Uuid, gateway_event_id: String, fence: i32 },
    /// A reply that came after its lease was lost.
    LateReply,
    /// The gateway was asked.
    Sync,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    Changed,
    /// It is known, or older than what is known.
    Nothing,
    /// A live host drives the operation.
    Later {
        why: String,
    },
    /// It cannot be applied to anything.
    Contradiction {
        why: String,
    },
}

/// Applies it. Five round trips where it changes something.
pub async fn apply(app: &Arc<App>, evidence: Evidence) -> Result<Applied, Refusal> {
    for _ in 0..STALE_TRIES_MAX {
        let Some(found) = find(app, evidence.merchant_id, evidence.operation_id).await? else {
            return Ok(Applied::Contradiction { why: "there is no such operation".into() });
        };
        if found.is_of_another_kind(evidence.kind) {
            return ask_now_boxed(app, evidence.merchant_id, evidence.operation_id).await;
        }
        if matches!(evidence.source, Source::Webhook { .. }) && found.open.is_some() {
            match evidence.outcome {
                // Of the first time it says nothing.
                Outcome::NotProcessed(_) | Outcome::NeverReceived => return Ok(Applied::Nothing),
                // Steps on the way come in any order: one that is older than what is known would lead back.
                Outcome::Pending(_) | Outcome::ActionRequired(_) | Outcome::ReadyToComplete(_) => {
                    return ask_now_boxed(app, evidence.merchant_id, evidence.operation_id).await;
                }
                _ => {}
            }
        }
        let applied = match &found.open {
            Some(open) if open.held => return Ok(Applied::Later { why: "a host drives the operation".into() }),
            // A person decides; the evidence is kept where it came from.
            Some(open) if open.task == "review" && found.payment.status == State::ManualReview => {
                return Ok(Applied::Nothing);
            }
            Some(open) => {
                let operation_id = open.operation_id;
                Box::pin(of_unresolved(app, &evidence, found, operation_id)).await?
            }
            None => Box::pin(of_resolved(app, &evidence, found)).await?,
        };
        if let Some(applied) = applied {
            return Ok(applied);
        }
    }
    Ok(Applied::Later { why: "the payment is changed by others again and again".into() })
}

/// Asks the gateway about the operation now, whatever its schedule says.
pub async fn ask_now(app: &Arc<App>, merchant_id: Uuid, operation_id: Uuid) -> Result<Applied, Refusal> {
    let Some(found) = find(app, merchant_id, operation_id).await? else {
        return Ok(Applied::Contradiction { why: "there is no such operation".into() });
    };
    match &found.open {
        Some(open) if open.held => Ok(Applied::Later { why: "a host drives the operation".into() }),
        Some(open) if open.task == "review" => Ok(Applied::Nothing),
        Some(open) => {
            let asked = resolve::by_hand(app, merchant_id, open.operation_id).await?;
            Ok(if asked { Applied::Changed } else { Applied::Later { why: "a host drives the operation".into() } })
        }
        None => {
            let Some(mut subject) = found.resolved(app)? else { return Ok(Applied::Nothing) };
            let outcome = match ask_about(app, &subject).await? {
                Asked::Said(outcome) => *outcome,
                Asked::NoWay => return Ok(Applied::Nothing),
                Asked::InVain => return Ok(Applied::Later { why: "the gateway was asked in vain".into() }),
            };
            let Some(learned) = Learned::late(&outcome, &subject) else { return Ok(Applied::Nothing) };
            let applied = write(app, &mut subject, learned, &outcome, &Source::Sync).await?;
            Ok(applied.unwrap_or(Applied::Later { why: "the payment is changed by others".into() }))
        }
    }
}

/// [`apply`], for callers that it leads back to.
pub fn apply_boxed(app: &Arc<App>, evidence: Evidence) -> BoxFuture<'_, Result<Applied, Refusal>> {
    Box::pin(apply(app, evidence))
}

/// [`ask_now`], for callers that it leads back to.
pub fn ask_now_boxed(app: &Arc<App>, merchant_id: Uuid, operation_id: Uuid) -> BoxFuture<'_, Result<Applied, Refusal>> {
    Box::pin(ask_now(app, merchant_id, operation_id))
}

/// An operation, and what is under way of it.
struct Found {
    operation: Operation,
    payment: Payment,
    open: Option<Open>,
}

async fn find(app: &App, merchant_id: Uuid, operation_id: Uuid) -> Result<Option<Found>, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let Some(operation) = store::operations::get(&mut conn, merchant_id, operation_id).await? else { return Ok(None) };
    let merchant = MerchantId::from_uuid(merchant_id);
    let payment = store::payments::get(&mut conn, merchant, PaymentId::from_uuid(operation.payment_id)).await?;
    let Some(payment) = payment else { return Ok(None) };
    // Read again, after the payment: an outcome that was written in between would be taken for news, and booked twice.
    // One that is written from here on changes the payment's version, and the write fails.
    let Some(operation) = store::operations::get(&mut conn, merchant_id, operation_id).await? else { return Ok(None) };
    let open = store::work::of_payment(&mut conn, merchant_id, operation.payment_id).await?;
    let is_attempt = matches!(operation.kind.as_str(), "authorize" | "complete");
    // An attempt has one row, whichever of its operations is the one that is under way now.
    let its_attempt_is_open = is_attempt && payment.open_attempt == Some(operation.attempt_number);
    let open = open
        .into_iter()
        .find(|open| open.operation_id == operation_id || (its_attempt_is_open && open.kind == "attempt"));
    Ok(Some(Found { operation, payment, open }))
}

impl Found {
    fn is_of_another_kind(&self, kind: Option<OperationKind>) -> bool {
        let family = |kind: &str| if kind == "complete" { "authorize".to_owned() } else { kind.to_owned() };
        kind.is_some_and(|kind| family(kind.into()) != family(&self.operation.kind))
    }

    /// As the gate takes it; none where no host has the version that began it.
    fn resolved(self, app: &App) -> Result<Option<Subject>, Refusal> {
        let version = resolve::pinned(app, &self.operation).or_else(|| app.registry.active(&self.operation.connector));
        let Some(version) = version else { return Ok(None) };
        let leased =
            Leased { merchant_id: self.operation.merchant_id, operation_id: self.operation.operation_id, fence: 0 };
        Ok(Some(resolve::subject(self.payment, self.operation, version, leased, None)?))
    }
}

/// Takes the operation's lease and ends it. None where another host was faster.
async fn of_unresolved(
    app: &Arc<App>,
    evidence: &Evidence,
    found: Found,
    operation_id: Uuid,
) -> Result<Option<Applied>, Refusal> {
    let merchant_id = evidence.merchant_id;
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let claimed = store::work::claim(&mut conn, merchant_id, operation_id, app.host_id, app.lease_ms()).await?;
    let Some(claimed) = claimed else { return Ok(None) };
    let operation = if operation_id == found.operation.operation_id {
        Some(found.operation)
    } else {
        store::operations::get(&mut conn, merchant_id, operation_id).await?
    };
    drop(conn);
    let leased = Leased { merchant_id, operation_id, fence: claimed.fence };
    let version = operation.as_ref().and_then(|operation| resolve::pinned(app, operation));
    let (Some(operation), Some(version)) = (operation, version) else {
        return Ok(Some(Applied::Later { why: "this host lacks the connector's version".into() }));
    };
    let payment = answer::payment(app, MerchantId::from_uuid(merchant_id), found.payment.id()).await?;
    let mut subject = resolve::subject(payment, operation, version, leased, Some(&claimed))?;
    let what = What::Outcome(evidence.outcome.clone());
    for _ in 0..STALE_TRIES_MAX {
        let learned = Learned::of(&what, &subject);
        match advance::write(app, &mut subject, learned, None, beside(&evidence.source)).await {
            Ok(Some(applied)) => {
                run::afterwards(app, &subject, &applied).await;
                return Ok(Some(Applied::Changed));
            }
            Ok(None) => advance::reread(app, &mut subject).await?,
            Err(NotApplied::LeaseLost | NotApplied::Contended) => return Ok(None),
            Err(NotApplied::Store(error)) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Writes what is new in it. None where the payment has moved on.
async fn of_resolved(app: &Arc<App>, evidence: &Evidence, found: Found) -> Result<Option<Applied>, Refusal> {
    let Some(mut subject) = found.resolved(app)? else {
        return Ok(Some(Applied::Later { why: "no host has the connector's version".into() }));
    };
    if let Some((capture, outcome)) = of_its_capture(&subject, &evidence.outcome) {
        let evidence = Evidence {
            merchant_id: evidence.merchant_id,
            operation_id: capture,
            kind: None,
            outcome,
            received_at: evidence.received_at,
            source: evidence.source.clone(),
        };
        return apply_boxed(app, evidence).await.map(Some);
    }
    let Some(learned) = Learned::late(&evidence.outcome, &subject) else { return Ok(Some(Applied::Nothing)) };
    // Events come in any order: one that would undo something may be older than what is known. The gateway is asked.
    let is_event = matches!(evidence.source, Source::Webhook { .. });
    let asked =
        if is_event && may_be_stale(&subject, &learned) { ask_about(app, &subject).await? } else { Asked::NoWay };
    let (outcome, learned) = match asked {
        // Where nobody can be asked, the names decide: another try of the same customer is not what was taken.
        Asked::NoWay if is_event && is_of_another_try(&subject, &learned, &evidence.outcome) => {
            return Ok(Some(Applied::Nothing));
        }
        Asked::NoWay => (evidence.outcome.clone(), learned),
        Asked::InVain => return Ok(Some(Applied::Later { why: "the gateway was asked in vain".into() })),
        Asked::Said(outcome) => match Learned::late(&outcome, &subject) {
            Some(learned) => (*outcome, learned),
            None => return Ok(Some(Applied::Nothing)),
        },
    };
    write(app, &mut subject, learned, &outcome, &evidence.source).await
}

/// "Paid", said of an attempt whose capture is under way, is that capture's outcome: where the sum is what it would make.
fn of_its_capture(subject: &Subject, outcome: &Outcome) -> Option<(Uuid, Outcome)> {
    let payment = &subject.payment;
    let capture = payment.open_operation.filter(|_| payment.amount_capturing > 0)?;
    let is_attempt = matches!(subject.underway.operation.action, Action::Authorize(_) | Action::Complete(_));
    let Outcome::Captured(approval) = outcome else { return None };
    let sum = payment.amount_captured + payment.amount_capturing;
    let fits = i64::try_from(approval.amount.minor_units) == Ok(sum) && approval.amount.currency == payment.currency;
    if !is_attempt || !fits || payment.won_attempt != Some(subject.underway.attempt_number) {
        return None;
    }
    let amount = Money { minor_units: payment.amount_capturing.unsigned_abs(), ..approval.amount.clone() };
    Some((capture, Outcome::Captured(Approval { amount, ..approval.clone() })))
}

fn may_be_stale(subject: &Subject, learned: &Learned) -> bool {
    match learned.fact {
        Fact::Attempt { event, .. } => {
            matches!(subject.payment.status, State::Cancelled | State::Expired)
                || matches!(event, Event::Declined | Event::Cancelled | Event::Lapsed)
        }
        Fact::CaptureFailedLater | Fact::RefundFailedLater { .. } => true,
        _ => false,
    }
}

/// Whether a refusal names another of the gateway's payments than the one that was taken: customers try again on a
/// gateway's own pages, under one reference of ours, and events of the tries come in any order.
fn is_of_another_try(subject: &Subject, learned: &Learned, outcome: &Outcome) -> bool {
    let is_attempt = matches!(subject.underway.operation.action, Action::Authorize(_) | Action::Complete(_));
    let (true, Fact::CaptureFailedLater, Outcome::Declined(decline)) = (is_attempt, learned.fact, outcome) else {
        return false;
    };
    let taken = subject.payment.gateway_reference.as_deref();
    decline.gateway_reference.as_deref().zip(taken).is_some_and(|(refused, taken)| refused != taken)
}

async fn ask_about(app: &App, subject: &Subject) -> Result<Asked, Refusal> {
    let payment = &subject.payment;
    ask::ask(app, payment.merchant(), payment.id(), &subject.underway, &subject.references, &payment.currency).await
}

/// Writes late knowledge, and begins to give back what was paid twice where the account wants that: one transaction.
async fn write(
    app: &Arc<App>,
    subject: &mut Subject,
    learned: Learned,
    outcome: &Outcome,
    source: &Source,
) -> Result<Option<Applied>, Refusal> {
    let is_surplus = matches!(learned.fact, Fact::Surplus { .. });
    let giving = if is_surplus { surplus::prepare(app, subject, &learned, outcome).await? } else { None };
    let beside = Beside { give_back: giving.as_ref().map(|giving| giving.row(app)), ..beside(source) };
    match advance::write(app, subject, learned, None, beside).await {
        Ok(Some(applied)) => {
            if let (Some(giving), Some(fence)) = (giving, applied.give_back_fence) {
                tracing::info!(payment.id = %subject.payment.id(), "what was paid twice is given back");
                run::drive_alone(app, giving.begun(subject, fence));
            }
            tracing::warn!(
                payment.id = %subject.payment.id(), operation.id = %OperationId::from_uuid(subject.underway.operation_id),
                event = <&str>::from(applied.entry.event), "a gateway said something new of an operation that had ended"
            );
            Ok(Some(Applied::Changed))
        }
        Ok(None) | Err(NotApplied::LeaseLost | NotApplied::Contended) => Ok(None),
        Err(NotApplied::Store(error)) => Err(error.into()),
    }
}

fn beside(source: &Source) -> Beside<'_> {
    let webhook = match source {
        Source::Webhook { gateway_account_id, gateway_event_id, fence } => {
            Some((*gateway_account_id, gateway_event_id.as_str(), *fence))
        }
        Source::LateReply | Source::Sync => None,
    };
    Beside { webhook, ..Beside::default() }
}
