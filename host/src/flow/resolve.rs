//! Finds out what became of an operation that nobody drives: its host is gone, its outcome is unknown, or its gateway
//! has not decided. Everything it knows it reads from the journal.
//!
//! An exchange that is written down and has no reply counts as sent, always: between two commits nobody can know. So the
//! payment is `pending_verification` first, and what happens then is the connector's to declare: the same bytes again
//! under the same key, within limits, or a question. Silence never becomes a failure.

use std::{sync::Arc, time::Duration};

use super::{
    Refusal,
    advance::{self, Subject},
    drive::{self, Ended, Running, What, read},
    manage_accounts, method,
    prepare::{self, First, Underway},
};
use crate::{
    app::{App, Lease},
    connector::{
        Version, hex,
        types::{
            Accepted, Action, Context, DeclineCode, Effect, Exchange, Operation, Outcome, Request, Resolution,
            Response, Sync, SyncTarget,
        },
    },
    domain::{
        id::{GatewayAccountId, MerchantId, OperationId, PaymentId},
        resolution::{Situation, Way, choose},
    },
    fault::{self, Point},
    store::{
        self,
        journal::{Journaled, Leased, Question},
        work::Claimed,
    },
    vault::Holes,
    wire::Permit,
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
    fault::point(Point::AfterTakeover);
    let leased = Leased { merchant_id: claimed.merchant_id, operation_id: claimed.operation_id, fence: claimed.fence };
    match carry_on(app, &claimed, leased, lease).await {
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

/// Why an operation was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Its host is gone.
    Drive,
    /// Its outcome is unknown.
    Resolve,
    /// The gateway has accepted it and not decided.
    Poll,
    /// The customer was to act, and the time for it is over.
    Act,
}

/// An operation as the journal tells it.
struct Case {
    task: Task,
    subject: Subject,
    permit: Permit,
    lease: Lease,
    /// Exchanges in order; the last may lack its reply.
    journal: Vec<Journaled>,
    amount: i64,
    currency: String,
    has_code: bool,
}

impl Case {
    /// What a question or a resend that came to nothing leaves: an accepted operation stays accepted, an unknown one
    /// unknown, and one that waits for its customer waits on. None where nothing was learned and nothing was tried that
    /// counts: the operation is looked at again after the pause.
    fn knew(&self, app: &App, ended: Ended) -> Result<Ended, Pause> {
        if let What::NotSent { held_back: true, .. } = ended.what {
            return Err(Pause(HELD_BACK_PAUSE_MS + self.jitter_ms()));
        }
        let ended = still_unknown(ended);
        match (self.task, ended.what) {
            (Task::Poll, What::Unknown(_)) => {
                let accepted = Accepted { gateway_reference: None, references: Vec::new() };
                Ok(Ended { what: What::Outcome(Outcome::Pending(accepted)), reply: ended.reply })
            }
            (Task::Act, What::Unknown(_)) => {
                Err(Pause(i64::try_from(app.config.action_ttl.as_millis()).unwrap_or(i64::MAX)))
            }
            (_, what) => Ok(Ended { what, reply: ended.reply }),
        }
    }

    /// Up to as much again, different for each operation: after an outage they must not all come at once.
    fn jitter_ms(&self) -> i64 {
        let spread = u128::from(HELD_BACK_PAUSE_MS.unsigned_abs());
        i64::try_from(self.subject.leased.operation_id.as_u128() % spread).unwrap_or(0)
    }

    async fn conclude(self, app: &Arc<App>, ended: Ended) -> Result<(), Stuck> {
        match self.knew(app, ended) {
            Ok(ended) => advance::conclude(app, self.subject, ended, None).await,
            Err(Pause(ms)) => postpone(app, self.subject.leased, ms).await?,
        }
        Ok(())
    }
}

/// Milliseconds after which an operation is looked at again, with nothing else changed.
struct Pause(i64);

async fn carry_on(app: &Arc<App>, claimed: &Claimed, leased: Leased, lease: Lease) -> Result<(), Stuck> {
    let Some(case) = load(app, claimed, leased, lease).await? else { return Ok(()) };
    match case.task {
        Task::Drive => take_over(app, case).await,
        Task::Poll | Task::Act => ask(app, case).await,
        Task::Resolve => find_out(app, case).await,
    }
}

/// Four reads; none where the operation was resolved in the meantime.
async fn load(app: &App, claimed: &Claimed, leased: Leased, lease: Lease) -> Result<Option<Case>, Stuck> {
    let merchant = MerchantId::from_uuid(claimed.merchant_id);
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let operation = store::operations::get(&mut conn, claimed.merchant_id, claimed.operation_id).await?;
    let payment = store::payments::get(&mut conn, merchant, PaymentId::from_uuid(claimed.payment_id)).await?;
    let journal = store::journal::transcript(&mut conn, claimed.merchant_id, claimed.operation_id).await?;
    drop(conn);
    let (Some(operation), Some(payment)) = (operation, payment) else { return Ok(None) };
    let Some(version) = digest_of(&operation.digest).and_then(|digest| app.registry.by_digest(&digest)) else {
        return Err(Stuck::Lacking(format!("version {} of connector {}", hex(&operation.digest), operation.connector)));
    };
    let context: Context = read("operations", operation.context)?;
    let permit = Permit::new(version.descriptor(), &context.settings)
        .map_err(|error| Stuck::Lacking(format!("the account's settings: {error}")))?;
    let key = match (operation.key_scope, operation.key, operation.answer_status) {
        (Some(scope), Some(key), Some(status)) => Some((scope, key, status)),
        _ => None,
    };
    let underway = Underway {
        operation_id: operation.operation_id,
        attempt_number: operation.attempt_number,
        gateway_account_id: operation.gateway_account_id,
        token_id: operation.token_id,
        key,
        operation: Arc::new(read("operations", operation.input)?),
        context: Arc::new(context),
        version,
    };
    // A commit that lies in the future means that the database's clock was set back: no window is trusted then.
    let age = u64::try_from(claimed.age_s).map_or(Duration::MAX, Duration::from_secs);
    let subject = Subject {
        payment,
        underway,
        leased,
        checks: claimed.checks,
        never_received: claimed.never_received,
        age,
        references: read("attempts", operation.gateway_references)?,
        unknown_for: claimed.unknown_for_s.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
    };
    Ok(Some(Case {
        task: match claimed.task.as_str() {
            "drive" => Task::Drive,
            "poll" => Task::Poll,
            "act" => Task::Act,
            _ => Task::Resolve,
        },
        subject,
        permit,
        lease,
        journal,
        amount: operation.amount,
        currency: operation.currency,
        has_code: operation.has_code,
    }))
}

/// The host that drove it is gone. What it wrote down decides how to go on.
async fn take_over(app: &Arc<App>, case: Case) -> Result<(), Stuck> {
    let replied = answered(&case.journal)?;
    if replied.len() < case.journal.len() {
        let what = What::Unknown("the host that was to send it is gone; it may have been sent".into());
        advance::conclude(app, case.subject, Ended { what, reply: None }, None).await;
        return Ok(());
    }
    // Nothing of it can be under way: what is written down has its reply, and the next step follows from that.
    let Some(holes) = holes(app, &case).await? else {
        return unknown(app, case, "what fills its holes is gone").await;
    };
    let mut running =
        running(&case, case.subject.leased.operation_id, Arc::clone(&case.subject.underway.operation), holes, replied);
    let ended = match drive::run(app, &running).await {
        Ok(request) => match drive::write_down(app, &mut running, None, &request).await {
            Ok(()) => drive::drive(app, &mut running, request).await,
            Err(what) => Ended { what, reply: None },
        },
        Err(what) => Ended { what, reply: None },
    };
    advance::conclude(app, case.subject, ended, None).await;
    Ok(())
}

/// The outcome is unknown: one of the ways that the connector declares.
async fn find_out(app: &Arc<App>, case: Case) -> Result<(), Stuck> {
    fault::point(Point::BeforeResolve);
    let holes = holes(app, &case).await?;
    let last = case.journal.last();
    let situation = Situation {
        age: case.subject.age,
        gateway_timeout: app.exchange_timeout(),
        resendable: last.is_some_and(|last| last.resendable),
        holes_complete: holes.is_some(),
        has_reference: !case.subject.references.is_empty(),
    };
    let ways = ways(&case.subject);
    let check = usize::try_from(case.subject.checks.max(1) - 1).unwrap_or(0);
    match choose(&ways, &situation, check) {
        Some(Way::Resend { .. }) => resend(app, case, holes.unwrap_or_default()).await,
        Some(Way::GetByReference | Way::FindByOperationId { .. }) => ask(app, case).await,
        Some(Way::AwaitWebhook | Way::CancelByOperationId) | None => {
            let what = What::Unknown("there is no way to ask just now".into());
            advance::conclude(app, case.subject, Ended { what, reply: None }, None).await;
            Ok(())
        }
    }
}

/// The very request that was written down, again: the gateway knows its key.
async fn resend(app: &Arc<App>, case: Case, holes: Holes) -> Result<(), Stuck> {
    let Some((last, before)) = case.journal.split_last() else {
        return Err(Stuck::Lacking("an exchange to send again".into()));
    };
    let request: Request = read("exchanges", last.request.clone())?;
    let mut running = running(
        &case,
        case.subject.leased.operation_id,
        Arc::clone(&case.subject.underway.operation),
        holes,
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
    let sync_id = OperationId::from_uuid(app.ids.v7());
    let operation = Arc::new(Operation {
        id: sync_id.to_string(),
        payment_id: underway.operation.payment_id.clone(),
        references: case.subject.references.clone(),
        action: Action::Sync(Sync { target_id: underway.operation.id.clone(), target }),
    });
    let context = Arc::new(Context {
        settings: underway.context.settings.clone(),
        now: u64::try_from(app.clock.now().timestamp_millis()).unwrap_or(0),
        nonce: app.ids.nonce().to_vec(),
    });
    let (_, first) = prepare::first_run(app, &underway.version, &context, &operation).await?;
    let request = match first {
        First::Send(request) if request.effect == Effect::Reads => request,
        First::Send(_) => return unknown(app, case, "a question must only read; the connector wants to write").await,
        First::Done(_) => return unknown(app, case, "the connector answers a question without asking").await,
        First::Broken(why) => return unknown(app, case, &why).await,
    };
    // Before anything is written: a question that cannot be sent leaves no row behind.
    let Ok(secrets) = account_secrets(app, &case).await else {
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
    let mut running = Running { lease, context, ..running(&case, sync_id.uuid(), operation, secrets, Vec::new()) };
    let ended = drive::drive(app, &mut running, request).await;
    case.conclude(app, ended).await
}

async fn unknown(app: &Arc<App>, case: Case, why: &str) -> Result<(), Stuck> {
    case.conclude(app, Ended { what: What::Unknown(why.to_owned()), reply: None }).await
}

/// What a question or a resend came to may speak of itself alone: that not a byte of it left, that the gateway did
/// nothing this time, or that it did not even look (a key of the account that is refused). None of these says anything
/// about the first time.
fn still_unknown(ended: Ended) -> Ended {
    let what = match ended.what {
        What::NotSent { why, .. } => What::Unknown(why),
        What::Outcome(Outcome::NotProcessed(_)) => {
            What::Unknown("this time the gateway says that it did nothing".into())
        }
        What::Outcome(Outcome::Declined(decline))
            if decline.code == DeclineCode::Misconfigured || decline.gateway_reference.is_none() =>
        {
            What::Unknown(format!("this time the gateway refused to look at it: {}", decline.gateway_code))
        }
        what @ (What::Outcome(_) | What::Unknown(_) | What::LeaseLost | What::Interrupted(_)) => what,
    };
    Ended { what, reply: ended.reply }
}

fn running(
    case: &Case,
    asking: uuid::Uuid,
    operation: Arc<Operation>,
    holes: Holes,
    transcript: Vec<Exchange>,
) -> Running {
    let underway = &case.subject.underway;
    Running {
        asking,
        leased: case.subject.leased,
        lease: case.lease,
        gateway_account_id: underway.gateway_account_id,
        version: Arc::clone(&underway.version),
        context: Arc::clone(&underway.context),
        operation,
        permit: case.permit.clone(),
        holes,
        transcript,
    }
}

/// What fills the operation's holes; none where the vault has let go of something that it had, a card code above all,
/// or where it does not open (which a person must see in the end: the schedule runs on).
async fn holes(app: &App, case: &Case) -> Result<Option<Holes>, Stuck> {
    let secrets = match account_secrets(app, case).await {
        Ok(secrets) => secrets,
        Err(Stuck::Refused(refusal @ Refusal::Unavailable { .. })) => return Err(refusal.into()),
        Err(Stuck::Refused(refusal)) => {
            tracing::error!(%refusal, "the gateway account's secrets do not open");
            return Ok(None);
        }
        Err(Stuck::Lacking(what)) => {
            tracing::error!(what, "the operation's gateway account is gone");
            return Ok(None);
        }
    };
    let filling = match method::filling_of(app, case.subject.payment.merchant(), case.subject.underway.token_id).await {
        Ok(filling) => filling,
        Err(refusal @ Refusal::Unavailable { .. }) => return Err(refusal.into()),
        Err(refusal) => {
            tracing::error!(%refusal, "what the customer pays with does not open");
            None
        }
    };
    Ok(filling.filter(|filling| filling.has_code() || !case.has_code).map(|filling| filling.into_holes(secrets)))
}

async fn account_secrets(app: &App, case: &Case) -> Result<Holes, Stuck> {
    let account = GatewayAccountId::from_uuid(case.subject.underway.gateway_account_id);
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    // A deleted account's operations are still finished: its row stays.
    let row = store::gateway_accounts::get(&mut conn, case.subject.payment.merchant(), account).await?;
    let row = row.ok_or_else(|| Stuck::Lacking(format!("gateway account {account}")))?;
    Ok(manage_accounts::holes_secrets(app, &row)?)
}

/// The exchanges that have a complete reply, up to the first that has none.
fn answered(journal: &[Journaled]) -> Result<Vec<Exchange>, store::Error> {
    let mut transcript = Vec::with_capacity(journal.len());
    for exchange in journal {
        let (Some(status), Some(headers), Some(body)) = (exchange.status, &exchange.headers, &exchange.body) else {
            break;
        };
        transcript.push(Exchange {
            request: read("exchanges", exchange.request.clone())?,
            response: Response {
                status: status.unsigned_abs(),
                headers: read("exchange_replies", headers.clone())?,
                body: body.clone(),
            },
        });
    }
    Ok(transcript)
}

fn target(action: &Action) -> Option<SyncTarget> {
    match action.clone() {
        Action::Authorize(authorize) => Some(SyncTarget::Authorize(authorize)),
        Action::Complete(complete) => Some(SyncTarget::Complete(complete)),
        Action::Capture(capture) => Some(SyncTarget::Capture(capture)),
        Action::Cancel(cancel) => Some(SyncTarget::Cancel(cancel)),
        Action::Refund(refund) => Some(SyncTarget::Refund(refund)),
        Action::Sync(_) => None,
    }
}

fn ways(subject: &Subject) -> Vec<Way> {
    let version: &Version = &subject.underway.version;
    let kind = subject.underway.operation.action.kind();
    let declared = version.descriptor().rules(kind).map(|rules| rules.resolutions.as_slice()).unwrap_or_default();
    declared
        .iter()
        .map(|resolution| match resolution {
            Resolution::Resend(seconds) => Way::Resend { window: Duration::from_secs(u64::from(*seconds)) },
            Resolution::GetByReference => Way::GetByReference,
            Resolution::FindByOperationId(seconds) => {
                Way::FindByOperationId { settle: Duration::from_secs(u64::from(*seconds)) }
            }
            Resolution::AwaitWebhook => Way::AwaitWebhook,
            Resolution::CancelByOperationId => Way::CancelByOperationId,
        })
        .collect()
}

fn digest_of(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}
