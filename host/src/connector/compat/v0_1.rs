//! Contract 0.1.0: what a component of that version returns, in the newest types.
//!
//! 0.2.0 added `decline.network-code`. So what has a decline in it is another type here: outcomes, and webhook events that
//! tell of one. All else is the same in both versions, and crosses as the newest types do. What the types are is derived
//! by hand, as in [`super::super::bindings`], and held to `wit/released/0.1.0/connector.wit` twice: admission compares the
//! component with that text, and then with these types ([`check`]).
//!
//! What an old component costs more: an outcome is moved into the newest type once it has crossed (some words; its texts
//! stay where they are), and a delivery's events into a new list. No call is made twice, no text is copied, and
//! components of the newest version never come here.
//!
//! Requests are not among the types that differ: what is written down for a component of this version is what it asked
//! for, and is compared with what it asks for again.

use wasmtime::{
    Store,
    component::{ComponentExportIndex, ComponentType, Instance, Lift},
};

use super::super::{
    bindings::{only, typed},
    run::Run,
    types::{
        self, Accepted, ActionNeeded, Approval, Context, DeclineCode, Failure, Inbound, Operation, OperationKind,
        Pairs, Response, RetryAdvice,
    },
};

type Performed = (Result<Outcome, Failure>,);
type Received = (Result<Delivery, Failure>,);

/// Compares the types of the functions whose results differ; the error says which and where.
pub fn check(
    store: &mut Store<Run>,
    instance: Instance,
    perform: &ComponentExportIndex,
    receive: &ComponentExportIndex,
) -> wasmtime::Result<()> {
    typed::<(&Context, &Operation), Performed>(store, instance, perform)?;
    typed::<(&Context, &Inbound), Received>(store, instance, receive)?;
    Ok(())
}

/// `gateway.perform`.
pub fn perform(
    store: &mut Store<Run>,
    instance: Instance,
    perform: &ComponentExportIndex,
    context: &Context,
    operation: &Operation,
) -> wasmtime::Result<Result<types::Outcome, Failure>> {
    let performed = typed::<_, Performed>(store, instance, perform)?.call(store, (context, operation)).map(only)?;
    Ok(performed.map(Into::into))
}

/// `webhooks.receive`.
pub fn receive(
    store: &mut Store<Run>,
    instance: Instance,
    receive: &ComponentExportIndex,
    context: &Context,
    inbound: &Inbound,
) -> wasmtime::Result<Result<types::Delivery, Failure>> {
    let received = typed::<_, Received>(store, instance, receive)?.call(store, (context, inbound)).map(only)?;
    Ok(received.map(Into::into))
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Decline {
    code: DeclineCode,
    #[component(name = "gateway-code")]
    gateway_code: String,
    message: String,
    advice: RetryAdvice,
    #[component(name = "gateway-reference")]
    gateway_reference: Option<String>,
    references: Pairs,
    #[component(name = "reopenable-for-seconds")]
    reopenable_for_seconds: u32,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
enum Outcome {
    #[component(name = "authorized")]
    Authorized(Approval),
    #[component(name = "captured")]
    Captured(Approval),
    #[component(name = "cancelled")]
    Cancelled(Approval),
    #[component(name = "refunded")]
    Refunded(Approval),
    #[component(name = "declined")]
    Declined(Decline),
    #[component(name = "action-required")]
    ActionRequired(ActionNeeded),
    #[component(name = "ready-to-complete")]
    ReadyToComplete(Pairs),
    #[component(name = "pending")]
    Pending(Accepted),
    #[component(name = "expired")]
    Expired(Accepted),
    #[component(name = "not-processed")]
    NotProcessed(Option<u32>),
    #[component(name = "never-received")]
    NeverReceived,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
#[expect(clippy::large_enum_variant, reason = "one of them at a time is alive; a box would cost every run")]
enum EventKind {
    #[component(name = "outcome")]
    Outcome((OperationKind, Outcome)),
    #[component(name = "notice")]
    Notice(String),
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Event {
    id: String,
    #[component(name = "occurred-at")]
    occurred_at: Option<u64>,
    #[component(name = "operation-id")]
    operation_id: Option<String>,
    #[component(name = "gateway-reference")]
    gateway_reference: Option<String>,
    references: Pairs,
    kind: EventKind,
    proof: Option<u32>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Delivery {
    events: Vec<Event>,
    acknowledgement: Response,
}

impl From<Decline> for types::Decline {
    fn from(old: Decline) -> Self {
        let Decline { code, gateway_code, message, advice, gateway_reference, references, reopenable_for_seconds } =
            old;
        Self {
            code,
            gateway_code,
            // It had no place for it.
            network_code: None,
            message,
            advice,
            gateway_reference,
            references,
            reopenable_for_seconds,
        }
    }
}

impl From<Outcome> for types::Outcome {
    fn from(old: Outcome) -> Self {
        match old {
            Outcome::Authorized(approval) => Self::Authorized(approval),
            Outcome::Captured(approval) => Self::Captured(approval),
            Outcome::Cancelled(approval) => Self::Cancelled(approval),
            Outcome::Refunded(approval) => Self::Refunded(approval),
            Outcome::Declined(decline) => Self::Declined(decline.into()),
            Outcome::ActionRequired(needed) => Self::ActionRequired(needed),
            Outcome::ReadyToComplete(references) => Self::ReadyToComplete(references),
            Outcome::Pending(accepted) => Self::Pending(accepted),
            Outcome::Expired(accepted) => Self::Expired(accepted),
            Outcome::NotProcessed(seconds) => Self::NotProcessed(seconds),
            Outcome::NeverReceived => Self::NeverReceived,
        }
    }
}

impl From<EventKind> for types::EventKind {
    fn from(old: EventKind) -> Self {
        match old {
            EventKind::Outcome((kind, outcome)) => Self::Outcome((kind, outcome.into())),
            EventKind::Notice(notice) => Self::Notice(notice),
        }
    }
}

impl From<Event> for types::Event {
    fn from(old: Event) -> Self {
        let Event { id, occurred_at, operation_id, gateway_reference, references, kind, proof } = old;
        Self { id, occurred_at, operation_id, gateway_reference, references, kind: kind.into(), proof }
    }
}

impl From<Delivery> for types::Delivery {
    fn from(old: Delivery) -> Self {
        let Delivery { events, acknowledgement } = old;
        Self { events: events.into_iter().map(Into::into).collect(), acknowledgement }
    }
}
