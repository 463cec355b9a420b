//! An operation that is written down: driven to what it comes to, and answered.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{
    Answer, Call, Refusal,
    advance::{self, Applied, Concluded, Subject},
    answer,
    begun::Begun,
    connectors,
    drive::{self, Ended, Running, What},
    evidence,
    fail_over::Trial,
    manage_accounts, operate,
    prepare::First,
    refunds,
};
use crate::{
    app::App,
    connector::types::{Action, OperationKind},
    domain::payment::Event,
    fault::{self, Point},
    store,
    view::refund::RefundView,
};

/// The key that waits for an answer, as the operation remembers it.
#[must_use]
pub fn key_to_answer(call: &Call) -> (String, String, i16) {
    (call.scope.clone(), call.key.clone(), call.answer_status())
}

/// Drives an operation that is written down, and answers: with its outcome, or 202 where the gateway takes longer than
/// the time to answer, while the operation goes on.
pub async fn drive_and_answer(
    app: &Arc<App>,
    call: &Call,
    begun: Begun,
    trial: Option<Trial>,
) -> Result<Answer, Refusal> {
    fault::point_of(Point::AfterCommitOne, begun.underway.operation.action.kind());
    tracing::debug!(merchant.id = %call.merchant, operation.id = %begun.underway.operation.id, "an operation begins");
    let as_begun = accepted(&begun);
    let (report, reported) = oneshot::channel();
    let owned = Arc::clone(app);
    app.tasks.spawn(async move { Box::pin(drive_begun(&owned, begun, Some(report), trial)).await }.in_current_span());
    match tokio::time::timeout(app.config.answer_timeout, reported).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Refusal::Internal(anyhow::anyhow!("the task of an operation ended without a report"))),
        Err(_) => Ok(as_begun),
    }
}

/// Drives what the host began by itself, in a task of its own.
pub fn drive_alone(app: &Arc<App>, begun: Begun) {
    let owned = Arc::clone(app);
    app.tasks.spawn(
        async move {
            // Boxed: what it comes to may begin an operation of its own, which ends here again.
            Box::pin(drive_begun(&owned, begun, None, None)).await;
        }
        .in_current_span(),
    );
}

fn accepted(begun: &Begun) -> Answer {
    if let Action::Refund(_) = &begun.underway.operation.action {
        let id = crate::domain::id::OperationId::from_uuid(begun.underway.operation_id);
        let (amount, at) = (begun.underway.amount, begun.underway.created_at);
        let operation = &begun.underway.operation;
        let refund = refunds::begun(id, begun.payment.id(), amount, &begun.payment.currency, operation, at);
        return Answer { status: answer::ACCEPTED, body: RefundView::new(&refund).to_bytes().into(), replayed: false };
    }
    answer::accepted(&begun.payment)
}

async fn drive_begun(app: &Arc<App>, begun: Begun, report: advance::Report, trial: Option<Trial>) {
    let (mut begun, mut report, mut trial) = (begun, report, trial);
    loop {
        // One that never had a request was counted when that was found out.
        let was_sent = !matches!(begun.first, First::Broken(_));
        let (mut subject, ended, place) = drive_once(app, begun).await;
        if was_sent {
            connectors::ended(&subject.underway.version, subject.underway.operation.action.kind(), &ended.what);
        }
        match advance::conclude(app, &mut subject, ended, &mut report, trial.as_mut()).await {
            Concluded::Done(applied) => {
                if let Some(applied) = applied {
                    afterwards(app, &subject, &applied).await;
                }
                drop(place);
                return;
            }
            Concluded::FailsOver(next) => {
                begun = *next;
                begun.place = place;
            }
        }
    }
}

type Place = Option<tokio::sync::OwnedSemaphorePermit>;

async fn drive_once(app: &Arc<App>, begun: Begun) -> (Subject, Ended, Place) {
    let Begun { payment, underway, account, permit, first, filling, lease, leased, references, event_sequence, place } =
        begun;
    let ended = match first {
        First::Done(outcome) => Ended { what: What::Outcome(outcome), reply: None },
        First::Broken(why) => Ended { what: What::NotSent { why, held_back: false }, reply: None },
        First::Send(request) => match manage_accounts::holes_secrets(app, &account, &underway.version) {
            Err(refusal) => {
                tracing::error!(gateway.account = %account.id(), "the account's secrets do not open: {refusal}");
                let why = "the gateway account's secrets do not open".into();
                Ended { what: What::NotSent { why, held_back: false }, reply: None }
            }
            Ok(secrets) => {
                let mut running = Running {
                    asking: leased.operation_id,
                    leased,
                    lease,
                    account,
                    version: Arc::clone(&underway.version),
                    context: Arc::clone(&underway.context),
                    operation: Arc::clone(&underway.operation),
                    permit,
                    holes: filling.into_holes(secrets),
                    transcript: Vec::new(),
                };
                drive::drive(app, &mut running, request).await
            }
        },
    };
    let subject = Subject {
        payment,
        order: None,
        stale_tries: 0,
        underway,
        leased,
        resolved: false,
        checks: 0,
        never_received: 0,
        age: Duration::ZERO,
        due_in: Duration::ZERO,
        by_hand: false,
        was_accepted: false,
        secrets_changed: false,
        called_off: false,
        references,
        unknown_for: None,
        said: None,
        attempt_status: "under_way".to_owned(),
        event_sequence,
    };
    (subject, ended, place)
}

/// What an outcome makes due: an approval that waits for us is completed; a cancel that came too late has the attempt
/// asked about at once.
pub async fn afterwards(app: &Arc<App>, subject: &Subject, applied: &Applied) {
    if applied.ready_to_complete {
        let ask = operate::Ask::Complete { parameters: Vec::new() };
        match Box::pin(operate::begin(app, None, &subject.payment, &ask, None)).await {
            Ok(Some(begun)) => drive_alone(app, begun),
            Ok(None) => {}
            Err(refusal) => tracing::warn!(%refusal, "an approved payment is completed by its schedule"),
        }
        return;
    }
    let refused = applied.entry.event == Event::CancelRefused;
    if !refused || subject.underway.operation.action.kind() != OperationKind::Cancel {
        return;
    }
    let payment = &subject.payment;
    let open = async {
        let mut conn = app.pool.acquire().await?;
        store::work::of_payment(&mut conn, payment.merchant_id, payment.payment_id).await
    };
    let open = open.await.unwrap_or_default();
    let mut about: Vec<_> =
        open.into_iter().filter(|open| open.kind == "attempt").map(|open| open.operation_id).collect();
    if let (true, Some(number)) = (about.is_empty(), payment.won_attempt) {
        let first = async {
            let mut conn = app.pool.acquire().await?;
            let (merchant_id, payment_id) = (payment.merchant_id, payment.payment_id);
            store::operations::first_of_attempt(&mut conn, merchant_id, payment_id, number).await
        };
        about.extend(first.await.ok().flatten());
    }
    for operation in about {
        if let Err(refusal) = evidence::ask_now_boxed(app, payment.merchant_id, operation).await {
            tracing::warn!(%refusal, "the attempt is asked about by its schedule");
        }
    }
}
