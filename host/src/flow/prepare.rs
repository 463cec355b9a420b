//! The first run of an operation: everything that can be known before anything is written down.
//!
//! A run is pure, so it may come before commit 1. A connector that traps or asks for what it may not have has sent
//! nothing, and the next account is tried, without a trace in the database.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::{RETRY_AFTER_UNAVAILABLE_S, Refusal, route::Route};
use crate::{
    app::App,
    connector::{
        RunError, Step, Verb, Version,
        types::{Action, Authorize, Context, Operation, Outcome, Pairs, Request},
    },
    domain::{
        connector_health::Ending,
        id::{AttemptId, MerchantId, OperationId, PaymentId},
    },
    store::{begin::Exchange, gateway_accounts::GatewayAccount},
    wire::Permit,
};

/// An operation that is ready to be written down.
pub struct Prepared {
    pub operation_id: OperationId,
    pub attempt_id: AttemptId,
    pub account: GatewayAccount,
    pub version: Arc<Version>,
    pub permit: Permit,
    pub operation: Arc<Operation>,
    pub context: Arc<Context>,
    pub first: First,
}

/// Where the first run led.
pub enum First {
    /// To a request, which may go where it wants to.
    Send(Request),
    /// To an outcome, without asking anybody.
    Done(Outcome),
    /// Nowhere: nothing was sent, and this account cannot take the payment. The text is for operators.
    Broken(String),
}

impl First {
    /// The request that goes out first, as the journal keeps it; none where there is none.
    #[must_use]
    pub fn exchange(&self) -> Option<Exchange> {
        match self {
            Self::Send(request) => Some(journaled(request)),
            Self::Done(_) | Self::Broken(_) => None,
        }
    }
}

/// Runs the authorize operation for each candidate until one has something to send. The last one is returned even where
/// it is broken: the payment is then written down as not sent.
pub async fn authorize(
    app: &App,
    payment: PaymentId,
    authorize: &Authorize,
    routes: Vec<Route>,
) -> Result<Prepared, Refusal> {
    let mut last = None;
    for route in routes {
        let prepared = operation(app, payment, Action::Authorize(authorize.clone()), Vec::new(), route).await?;
        if !matches!(prepared.first, First::Broken(_)) {
            return Ok(prepared);
        }
        last = Some(prepared);
    }
    last.ok_or_else(|| Refusal::Internal(anyhow::anyhow!("an authorize operation had no account to try")))
}

/// Runs any operation up to its first request.
pub async fn operation(
    app: &App,
    payment: PaymentId,
    action: Action,
    references: Pairs,
    route: Route,
) -> Result<Prepared, Refusal> {
    let Route { account, version } = route;
    let operation_id = OperationId::from_uuid(app.ids.v7());
    let operation =
        Arc::new(Operation { id: operation_id.to_string(), payment_id: payment.to_string(), references, action });
    let context = Arc::new(new_context(app, &account, &version));
    let (permit, first) = first_run(app, account.merchant(), &version, &context, &operation).await?;
    if let First::Broken(why) = &first {
        version.ended(operation.action.kind().into(), Ending::Failed);
        tracing::warn!(
            payment.id = %payment, gateway.account = %account.id(), connector.name = version.name(),
            connector.version = version.version(), "the connector cannot take this payment: {why}"
        );
    }
    Ok(Prepared {
        operation_id,
        attempt_id: AttemptId::from_uuid(app.ids.v7()),
        account,
        version,
        permit,
        operation,
        context,
        first,
    })
}

/// What a run of this version may depend on: the account's public settings, and where it says nothing the defaults (a
/// version may declare settings that the account's maker has not heard of); the time, a nonce. Written down with the
/// operation.
pub fn new_context(app: &App, account: &GatewayAccount, version: &Version) -> Context {
    let mut settings = account.settings_pairs();
    for setting in &version.descriptor().settings {
        if let Some(default) = &setting.default
            && !settings.iter().any(|(name, _)| *name == setting.name)
        {
            settings.push((setting.name.clone(), default.clone()));
        }
    }
    settings.sort();
    Context {
        settings,
        now: u64::try_from(app.clock.now().timestamp_millis()).unwrap_or(0),
        nonce: app.ids.nonce().to_vec(),
    }
}

/// Runs the operation up to its first request, and checks that this may be sent at all. Busy engines are the host's
/// trouble, not the connector's: 503.
pub async fn first_run(
    app: &App,
    merchant: MerchantId,
    version: &Arc<Version>,
    context: &Arc<Context>,
    operation: &Arc<Operation>,
) -> Result<(Permit, First), Refusal> {
    let permit = match Permit::new(version.descriptor(), &context.settings) {
        Ok(permit) => permit,
        Err(error) => {
            return Ok((Permit { origins: Vec::new(), placements: Vec::new() }, First::Broken(error.to_string())));
        }
    };
    let run = app.engine.perform_for(Some(merchant.uuid()), version, context, operation, Arc::new(Vec::new()));
    let broken = |why: String| {
        let (verb, lines) = (Verb::from(operation.action.kind()), app.engine.lines());
        lines.found_of(version, verb, &operation.id, Some(merchant.uuid()), &why);
        First::Broken(why)
    };
    let first = match run.await {
        Ok(Step::Send(request)) => match app.wire.check(&request, &permit) {
            Ok(_) => First::Send(request),
            Err(refused) => {
                metrics::counter!("interlock_egress_refused_total", "connector" => version.name().to_owned())
                    .increment(1);
                broken(format!("its request was refused: {refused}"))
            }
        },
        Ok(Step::Done(outcome)) if out_of_nothing(&outcome) => {
            broken("it has an outcome without having asked the gateway".into())
        }
        Ok(Step::Done(outcome)) => First::Done(outcome),
        Ok(Step::Failed(failure)) => broken(format!("it gave up: {}", failure.message)),
        Err(RunError::Busy) => {
            return Err(Refusal::Unavailable {
                what: "the engine for connectors".into(),
                retry_after_s: RETRY_AFTER_UNAVAILABLE_S,
            });
        }
        // That it broke down is noted where it ran.
        Err(error) => First::Broken(error.to_string()),
    };
    Ok((permit, first))
}

/// Whether only a gateway can know this: a connector that says it unasked is not believed.
#[must_use]
pub fn out_of_nothing(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Authorized(_)
        | Outcome::Captured(_)
        | Outcome::Cancelled(_)
        | Outcome::Refunded(_)
        | Outcome::ReadyToComplete(_)
        | Outcome::Pending(_)
        | Outcome::Expired(_)
        | Outcome::NeverReceived => true,
        Outcome::Declined(_) | Outcome::ActionRequired(_) | Outcome::NotProcessed(_) => false,
    }
}

/// A request as the journal keeps it.
#[must_use]
pub fn journaled(request: &Request) -> Exchange {
    Exchange { request: json(request), effect: request.effect, resendable: request.resendable }
}

/// The JSON form of what the journal keeps.
pub fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("our types have string keys and finite numbers")
}

/// Why the host began an operation by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Purpose {
    /// Nobody finished in time: it is called off.
    Expiry,
    /// It was paid twice: it is given back.
    Surplus,
    /// Nobody can find out what became of it: it is called off.
    CallOff,
}

/// An operation in this process: what [`super::drive`] carries on and [`super::advance`] ends.
#[derive(Clone)]
pub struct Underway {
    pub operation_id: Uuid,
    pub attempt_number: i32,
    pub gateway_account_id: Uuid,
    pub token_id: Option<Uuid>,
    /// The idempotency key that waits for an answer: scope, key, status of a final answer.
    pub key: Option<(String, String, i16)>,
    pub operation: Arc<Operation>,
    pub context: Arc<Context>,
    pub version: Arc<Version>,
    pub purpose: Option<Purpose>,
    /// What it asks to move, in minor units.
    pub amount: i64,
    pub created_at: chrono::DateTime<chrono::Utc>,
}
