//! What the journal tells of an operation: as the gate takes it, and as a question about it.

use std::{sync::Arc, time::Duration};

use crate::{
    app::App,
    connector::{
        Version,
        types::{Action, Context, Exchange, Operation, Pairs, Resolution, Response, Sync, SyncTarget},
    },
    domain::{id::OperationId, resolution::Way},
    flow::{advance::Subject, drive::read, prepare::Underway},
    store::{
        self,
        journal::{Journaled, Leased},
        payments::Payment,
        work::Claimed,
    },
};

/// The version that began the operation, where this host has it.
#[must_use]
pub fn pinned(app: &App, operation: &store::operations::Operation) -> Option<Arc<Version>> {
    let digest: [u8; 32] = operation.digest.as_slice().try_into().ok()?;
    app.registry.by_digest(&digest)
}

/// An operation's row, as the gate takes it: under a lease where its work was claimed, else as one that is resolved.
pub fn subject(
    payment: Payment,
    operation: store::operations::Operation,
    version: Arc<Version>,
    leased: Leased,
    claimed: Option<&Claimed>,
) -> Result<Subject, store::Error> {
    let key = match (operation.key_scope, operation.key, operation.answer_status) {
        (Some(scope), Some(key), Some(status)) => Some((scope, key, status)),
        _ => None,
    };
    let said = operation.correction.or(operation.outcome).and_then(|said| serde_json::from_value(said).ok());
    let underway = Underway {
        operation_id: operation.operation_id,
        attempt_number: operation.attempt_number,
        gateway_account_id: operation.gateway_account_id,
        token_id: operation.token_id,
        key,
        operation: Arc::new(read("operations", operation.input)?),
        context: Arc::new(read("operations", operation.context)?),
        version,
        purpose: operation.purpose.as_deref().and_then(|purpose| purpose.parse().ok()),
        amount: operation.amount,
        created_at: operation.created_at,
    };
    // A commit that lies in the future means that the database's clock was set back: no window is trusted then.
    let age = claimed.and_then(|claimed| u64::try_from(claimed.age_s).ok()).map_or(Duration::MAX, Duration::from_secs);
    Ok(Subject {
        payment,
        order: None,
        stale_tries: 0,
        underway,
        leased,
        resolved: claimed.is_none(),
        checks: claimed.map_or(0, |claimed| claimed.checks),
        never_received: claimed.map_or(0, |claimed| claimed.never_received),
        age,
        due_in: Duration::from_millis(claimed.map_or(0, |claimed| claimed.due_in_ms.unsigned_abs())),
        references: read("attempts", operation.gateway_references)?,
        by_hand: false,
        secrets_changed: false,
        called_off: false,
        was_accepted: claimed.is_some_and(|claimed| claimed.task == "poll"),
        unknown_for: claimed
            .and_then(|claimed| claimed.unknown_for_s)
            .map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
        said,
        attempt_status: operation.attempt_status,
        event_sequence: operation.event_sequence,
    })
}

/// The operation that asks about `underway`: an id of its own, and the settings as they were.
pub fn question(
    app: &App,
    underway: &Underway,
    references: &Pairs,
    target: SyncTarget,
) -> (OperationId, Arc<Operation>, Arc<Context>) {
    let sync_id = OperationId::from_uuid(app.ids.v7());
    let operation = Operation {
        id: sync_id.to_string(),
        payment_id: underway.operation.payment_id.clone(),
        references: references.clone(),
        action: Action::Sync(Sync { target_id: underway.operation.id.clone(), target }),
    };
    let context = Context {
        settings: underway.context.settings.clone(),
        now: u64::try_from(app.clock.now().timestamp_millis()).unwrap_or(0),
        nonce: app.ids.nonce().to_vec(),
    };
    (sync_id, Arc::new(operation), Arc::new(context))
}

/// The exchanges that have a complete reply, up to the first that has none.
pub fn answered(journal: &[Journaled]) -> Result<Vec<Exchange>, store::Error> {
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

/// What a question is about.
#[must_use]
pub fn target(action: &Action) -> Option<SyncTarget> {
    match action.clone() {
        Action::Authorize(authorize) => Some(SyncTarget::Authorize(authorize)),
        Action::Complete(complete) => Some(SyncTarget::Complete(complete)),
        Action::Capture(capture) => Some(SyncTarget::Capture(capture)),
        Action::Cancel(cancel) => Some(SyncTarget::Cancel(cancel)),
        Action::Refund(refund) => Some(SyncTarget::Refund(refund)),
        Action::Sync(_) => None,
    }
}

/// The ways that the connector declares, in its order.
pub(super) fn ways(subject: &Subject) -> Vec<Way> {
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
