//! A question about an operation that is resolved: has anything changed since?
//!
//! It has a lease of its own and only reads. What it finds goes through the gate as evidence.

use std::sync::Arc;

use super::{
    Refusal,
    drive::{self, Ended, Running, What},
    manage_accounts,
    prepare::{self, First, Underway},
    resolve,
};
use crate::{
    app::App,
    connector::types::{Effect, OperationKind, Outcome, Pairs},
    domain::id::{GatewayAccountId, MerchantId, PaymentId},
    fault::{self, Point},
    store::{
        self,
        journal::{Leased, Question},
    },
};

/// What a question came to.
pub enum Asked {
    /// The connector or the account has no way to ask.
    NoWay,
    /// It was asked, and what came back tells nothing.
    InVain,
    Said(Box<Outcome>),
}

/// What the gateway says of it now. Two commits.
pub async fn ask(
    app: &App,
    merchant: MerchantId,
    payment: PaymentId,
    underway: &Underway,
    references: &Pairs,
    currency: &str,
) -> Result<Asked, Refusal> {
    let Some(target) = resolve::target(&underway.operation.action) else { return Ok(Asked::NoWay) };
    let (sync_id, operation, context) = resolve::question(app, underway, references, target);
    fault::point_of(Point::BeforeFirstRun, OperationKind::Sync);
    let (permit, first) = prepare::first_run(app, merchant, &underway.version, &context, &operation).await?;
    let request = match first {
        First::Send(request) if request.effect == Effect::Reads => request,
        First::Send(_) | First::Done(_) | First::Broken(_) => return Ok(Asked::NoWay),
    };
    let account = GatewayAccountId::from_uuid(underway.gateway_account_id);
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let Some(account) = store::gateway_accounts::get(&mut conn, merchant, account).await? else {
        return Ok(Asked::NoWay);
    };
    let Ok(holes) = manage_accounts::holes_secrets(app, &account, &underway.version) else { return Ok(Asked::NoWay) };
    let question = Question {
        operation_id: sync_id.uuid(),
        payment_id: payment.uuid(),
        attempt_number: underway.attempt_number,
        gateway_account_id: underway.gateway_account_id,
        amount: underway.amount,
        currency,
        connector: underway.version.name(),
        digest: underway.version.digest(),
        input: prepare::json(&*operation),
        context: prepare::json(&*context),
        exchange: Some(prepare::journaled(&request)),
    };
    let lease = app.new_lease();
    let now = app.clock.now();
    fault::point_of(Point::BeforeCommitOne, OperationKind::Sync);
    store::journal::begin_question(&mut conn, merchant.uuid(), &question, app.host_id, app.lease_ms(), now).await?;
    drop(conn);
    fault::point_of(Point::AfterCommitOne, OperationKind::Sync);
    let leased = Leased { merchant_id: merchant.uuid(), operation_id: sync_id.uuid(), fence: 1 };
    let mut running = Running {
        asking: leased.operation_id,
        leased,
        lease,
        account,
        version: Arc::clone(&underway.version),
        context,
        operation,
        permit,
        holes,
        transcript: Vec::new(),
    };
    let Ended { what, reply } = drive::drive(app, &mut running, request).await;
    let outcome = match what {
        What::Outcome(outcome) => Some(outcome).filter(|outcome| !resolve::speaks_of_itself(outcome)),
        What::NotSent { .. } | What::Unknown(_) | What::LeaseLost | What::Interrupted(_) => None,
    };
    let said = outcome.as_ref().map(prepare::json);
    let row = reply.as_ref().map(drive::OwnedReply::row);
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    fault::point_of(Point::BeforeCommitTwo, OperationKind::Sync);
    let is_ours = store::journal::end_question(&mut conn, leased, row.as_ref(), said.as_ref(), app.clock.now()).await?;
    fault::point_of(Point::AfterCommitTwo, OperationKind::Sync);
    Ok(outcome.filter(|_| is_ours).map_or(Asked::InVain, |outcome| Asked::Said(Box::new(outcome))))
}

/// Ends a question whose host is gone: it only read, and nobody waits for it.
pub async fn abandon(app: &App, leased: Leased) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    store::journal::end_question(&mut conn, leased, None, None, app.clock.now()).await?;
    Ok(())
}
