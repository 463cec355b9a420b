//! Finds out what became of an operation that nobody drives: its host is gone, its outcome is unknown, or its gateway
//! has not decided. Everything it knows it reads from the journal.
//!
//! An exchange that is written down and has no reply counts as sent, always: between two commits nobody can know. So the
//! payment is `pending_verification` first, and what happens then is the connector's to declare: the same bytes again
//! under the same key, within limits, or a question. Silence never becomes a failure.

use std::sync::Arc;

use uuid::Uuid;

mod call_off;
mod case;
mod journal;
mod secrets;

pub use self::{
    call_off::is_left,
    case::speaks_of_itself,
    journal::{answered, pinned, question, subject, target},
};
use self::{
    case::{Case, Task, load, running},
    journal::ways,
    secrets::{Filled, account_secrets, holes, secrets_changed},
};
use super::{
    Refusal,
    advance::{self, Concluded, Subject},
    connectors,
    drive::{self, Ended, Running, What, read},
    expire,
    prepare::{self, First},
    run,
};
use crate::{
    app::{App, Lease},
    connector::types::{Effect, OperationKind, Request},
    domain::{
        id::{MerchantId, OperationId},
        resolution::{Situation, Way, choose},
    },
    fault::{self, Point},
    mutation::{self, Mutation},
    store::{
        self,
        journal::{Leased, Question},
        payments::Payment,
        work::Claimed,
    },
};

/// How long an operation waits on a host that lacks what it needs (its connector's version is not here yet, the
/// account's secrets do not open): another host may have it.
const LACKING_PAUSE_MS: i64 = 10_000;

/// How long an operation waits that this host held back (its breaker is open, its pool full): nobody was asked, and no
/// check of the schedule is used up.
const HELD_BACK_PAUSE_MS: i64 = 5_000;

/// Carries on one operation that this host has claimed. Errors leave it to the next host, when the lease is over.
#[tracing::instrument(skip_all, fields(operation.id = %OperationId::from_uuid(claimed.operation_id), task = claimed.task, fence = claimed.fence))]
pub async fn resolve(app: &Arc<App>, claimed: Claimed, lease: Lease) {
    let leased = Leased { merchant_id: claimed.merchant_id, operation_id: claimed.operation_id, fence: claimed.fence };
    match Box::pin(carry_on(app, &claimed, leased, lease, By::Schedule)).await {
        Ok(()) => {}
        Err(Stuck::Lacking(what)) => {
            tracing::error!("this host lacks what the operation needs: {what}");
            if let Err(error) = postpone(app, leased, LACKING_PAUSE_MS).await {
                tracing::warn!(%error, "the operation waits for its lease to end");
            }
        }
        Err(Stuck::Refused(refusal)) => tracing::warn!(%refusal, "the operation waits for its lease to end"),
    }
}

/// Finds out about the unknown operations of a payment, before a new one begins on it. Returns whether any was asked
/// about. No round trip where none is under way.
pub async fn first(app: &Arc<App>, payment: &Payment) -> Result<bool, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let open = store::work::of_payment(&mut conn, payment.merchant_id, payment.payment_id).await?;
    drop(conn);
    let mut asked = false;
    for unknown in open.into_iter().filter(|open| open.task == "resolve" && !open.held) {
        asked |= by_hand(app, payment.merchant_id, unknown.operation_id).await?;
    }
    Ok(asked)
}

/// Finds out about one operation now, whatever its schedule says: that goes on as it was. False where a host has it in
/// its hands, or it is resolved.
pub async fn by_hand(app: &Arc<App>, merchant_id: Uuid, operation_id: Uuid) -> Result<bool, Refusal> {
    let lease = app.new_lease();
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let claimed = store::work::claim(&mut conn, merchant_id, operation_id, app.host_id, app.lease_ms()).await?;
    drop(conn);
    let Some(claimed) = claimed else { return Ok(false) };
    let leased = Leased { merchant_id, operation_id, fence: claimed.fence };
    match Box::pin(carry_on(app, &claimed, leased, lease, By::Hand)).await {
        Ok(()) => Ok(true),
        // Its time stays as it was: nobody has learned anything.
        Err(Stuck::Refused(refusal)) => {
            postpone(app, leased, claimed.due_in_ms).await?;
            Err(refusal)
        }
        Err(Stuck::Lacking(what)) => {
            tracing::error!("this host lacks what the operation needs: {what}");
            postpone(app, leased, claimed.due_in_ms.max(LACKING_PAUSE_MS)).await?;
            Ok(false)
        }
    }
}

/// On whose account an operation is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Its time has come.
    Schedule,
    /// Somebody asks. No check of the schedule is used up, and its time stays as it is.
    Hand,
}

/// Why an operation could not be carried on.
enum Stuck {
    Lacking(String),
    Refused(Refusal),
}

impl From<Refusal> for Stuck {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<store::Error> for Stuck {
    fn from(error: store::Error) -> Self {
        Self::Refused(error.into())
    }
}

async fn postpone(app: &App, leased: Leased, in_ms: i64) -> Result<(), store::Error> {
    let mut conn = app.pool.acquire().await?;
    store::work::postpone(&mut conn, leased.merchant_id, leased.operation_id, leased.fence, in_ms).await
}

/// Through the gate, with what follows from it.
async fn conclude(app: &Arc<App>, subject: &mut Subject, ended: Ended) {
    if let Concluded::Done(Some(applied)) = Box::pin(advance::conclude(app, subject, ended, &mut None, None)).await {
        run::afterwards(app, subject, &applied).await;
    }
}

async fn carry_on(app: &Arc<App>, claimed: &Claimed, leased: Leased, lease: Lease, by: By) -> Result<(), Stuck> {
    match claimed.kind.as_str() {
        "expiry" => return Ok(expire::unconfirmed(app, claimed).await?),
        // Whoever asked it is gone, and so is the reason.
        "sync" => {
            fault::point_of(Point::AfterTakeover, OperationKind::Sync);
            return Ok(super::ask::abandon(app, leased).await?);
        }
        _ => {}
    }
    let Some(mut case) = load(app, claimed, leased, lease, by).await? else { return Ok(()) };
    case.subject.by_hand = by == By::Hand && case.task == Task::Resolve;
    if by == By::Schedule {
        fault::point_of(Point::AfterTakeover, case.subject.underway.operation.action.kind());
    }
    if case.task == Task::Act && by == By::Schedule && case.subject.age < app.config.action_ttl {
        // A host died that had only asked: the customer still has time.
        let left = app.config.action_ttl.saturating_sub(case.subject.age);
        return Ok(postpone(app, leased, i64::try_from(left.as_millis()).unwrap_or(i64::MAX)).await?);
    }
    match case.task {
        Task::Drive => Box::pin(take_over(app, case)).await,
        Task::Poll | Task::Act => Box::pin(ask(app, case)).await,
        Task::Resolve => Box::pin(find_out(app, case)).await,
    }
}

/// The host that drove it is gone. What it wrote down decides how to go on.
async fn take_over(app: &Arc<App>, mut case: Case) -> Result<(), Stuck> {
    let replied = answered(&case.journal)?;
    if replied.len() < case.journal.len() {
        let what = What::Unknown("the host that was to send it is gone; it may have been sent".into());
        conclude(app, &mut case.subject, Ended { what, reply: None }).await;
        return Ok(());
    }
    // Nothing of it can be under way: what is written down has its reply, and the next step follows from that.
    let Some(filled) = holes(app, &case).await? else {
        return unknown(app, case, "what fills its holes is gone").await;
    };
    let mut running =
        running(&case, case.subject.leased.operation_id, Arc::clone(&case.subject.underway.operation), filled, replied);
    let ended = match drive::run(app, &running).await {
        Ok(request) => match drive::write_down(app, &mut running, None, &request).await {
            Ok(()) => drive::drive(app, &mut running, request).await,
            Err(what) => Ended { what, reply: None },
        },
        Err(what) => Ended { what, reply: None },
    };
    let underway = &case.subject.underway;
    connectors::ended(&underway.version, underway.operation.action.kind(), &ended.what);
    conclude(app, &mut case.subject, ended).await;
    Ok(())
}

/// The outcome is unknown: one of the ways that the connector declares.
async fn find_out(app: &Arc<App>, mut case: Case) -> Result<(), Stuck> {
    fault::point_of(Point::BeforeResolve, case.subject.underway.operation.action.kind());
    let filled = holes(app, &case).await?;
    case.subject.secrets_changed = secrets_changed(app, &case).await?;
    case.subject.called_off = call_off::was_begun(app, &case.subject).await?;
    if is_last_check(app, &case) && (case.subject.called_off || call_off::is_left(&case.subject)) {
        case.subject.checks = case.subject.checks.saturating_add(1);
        if call_off::call_off(app, &case).await? {
            return Ok(());
        }
        // A person is asked, as where there was no such way.
        case.subject.called_off = true;
        return unknown(app, case, "it could not be called off").await;
    }
    let last = case.journal.last();
    let situation = Situation {
        age: case.subject.age,
        gateway_timeout: app.exchange_timeout(),
        resendable: last.is_some_and(|last| last.resendable),
        // Never with another account's secret.
        holes_complete: filled.is_some() && !case.subject.secrets_changed,
        has_reference: !case.subject.references.is_empty(),
        called_off: case.subject.called_off,
    };
    let ways = ways(&case.subject);
    let check = usize::try_from(case.subject.checks.max(1) - 1).unwrap_or(0);
    match (choose(&ways, &situation, check), filled) {
        (Some(Way::Resend { .. }), Some(filled)) => resend(app, case, filled).await,
        (Some(Way::GetByReference | Way::FindByOperationId { .. }), _) => Box::pin(ask(app, case)).await,
        (Some(Way::Resend { .. } | Way::AwaitWebhook | Way::CancelByOperationId) | None, _) => {
            let what = What::Unknown("there is no way to ask just now".into());
            case.conclude(app, Ended { what, reply: None }).await
        }
    }
}

/// Whether this is the check after those of the schedule, which is there for what can be called off.
fn is_last_check(app: &App, case: &Case) -> bool {
    let checks = usize::try_from(case.subject.checks).unwrap_or(0);
    case.by == By::Schedule && checks == app.config.verify_delays.len() + 1
}

/// The very request that was written down, again: the gateway knows its key.
async fn resend(app: &Arc<App>, case: Case, filled: Filled) -> Result<(), Stuck> {
    let Some((last, before)) = case.journal.split_last() else {
        return Err(Stuck::Lacking("an exchange to send again".into()));
    };
    let mut request: Request = read("exchanges", last.request.clone())?;
    request.headers.retain(|(name, _)| name != "idempotency-key" || !mutation::is(Mutation::ResendWithoutKey));
    let mut running = running(
        &case,
        case.subject.leased.operation_id,
        Arc::clone(&case.subject.underway.operation),
        filled,
        answered(before)?,
    );
    tracing::info!("the request is sent again under its key");
    let ended = drive::drive(app, &mut running, request).await;
    let mut case = case;
    if !matches!(ended.what, What::NotSent { .. }) {
        // "Never received" was not said of this one, which may be on its way now: such answers count anew.
        case.subject.never_received = 0;
        case.subject.unknown_for = None;
    }
    case.conclude(app, ended).await
}

/// A sync operation of its own, under the lease of the one that it asks about.
async fn ask(app: &Arc<App>, case: Case) -> Result<(), Stuck> {
    let underway = &case.subject.underway;
    let Some(target) = target(&underway.operation.action) else {
        return Err(Stuck::Lacking("an operation that can be asked about".into()));
    };
    let (sync_id, operation, context) = question(app, underway, &case.subject.references, target);
    let merchant = MerchantId::from_uuid(case.subject.leased.merchant_id);
    let (_, first) = prepare::first_run(app, merchant, &underway.version, &context, &operation).await?;
    let request = match first {
        First::Send(request) if request.effect == Effect::Reads => request,
        First::Send(_) => return unknown(app, case, "a question must only read; the connector wants to write").await,
        First::Done(_) => return unknown(app, case, "the connector answers a question without asking").await,
        First::Broken(why) => return unknown(app, case, &why).await,
    };
    // Before anything is written: a question that cannot be sent leaves no row behind.
    let Ok(filled) = account_secrets(app, &case).await else {
        return unknown(app, case, "the gateway account's secrets do not open").await;
    };
    let lease = app.new_lease();
    let question = Question {
        operation_id: sync_id.uuid(),
        payment_id: case.subject.payment.payment_id,
        attempt_number: underway.attempt_number,
        gateway_account_id: underway.gateway_account_id,
        amount: case.amount,
        currency: &case.currency,
        connector: underway.version.name(),
        digest: underway.version.digest(),
        input: prepare::json(&*operation),
        context: prepare::json(&*context),
        exchange: Some(prepare::journaled(&request)),
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    if !store::journal::begin_sync(&mut conn, case.subject.leased, &question, app.lease_ms(), app.clock.now()).await? {
        return Ok(());
    }
    drop(conn);
    fault::point_of(Point::AfterCommitOne, OperationKind::Sync);
    let mut running = Running { lease, context, ..running(&case, sync_id.uuid(), operation, filled, Vec::new()) };
    let ended = drive::drive(app, &mut running, request).await;
    case.conclude(app, ended).await
}

async fn unknown(app: &Arc<App>, case: Case, why: &str) -> Result<(), Stuck> {
    case.conclude(app, Ended { what: What::Unknown(why.to_owned()), reply: None }).await
}
