//! Contract 0.2.0: what a component of that version returns, in the newest types.
//!
//! 0.3.0 added `event-kind.approved`. So what has events in it is another type here: deliveries. All else is the same in
//! both versions, and crosses as the newest types do. What the types are is derived by hand, as in
//! [`super::super::bindings`], and held to `wit/released/0.2.0/connector.wit` twice: admission compares the component
//! with that text, and then with these types ([`check`]).
//!
//! What an old component costs more: a delivery's events are moved into a new list once they have crossed; their texts
//! stay where they are. No call is made twice, no text is copied, and components of the newest version never come here.
//!
//! Operations, requests and outcomes are not among the types that differ: what is written down for a component of this
//! version is what it asked for, and is compared with what it asks for again.

use wasmtime::{
    Store,
    component::{ComponentExportIndex, ComponentType, Instance, Lift},
};

use super::super::{
    bindings::{only, typed},
    run::Run,
    types::{self, Context, Failure, Inbound, OperationKind, Outcome, Pairs, Response},
};

type Received = (Result<Delivery, Failure>,);

/// Compares the type of the function whose result differs; the error says where.
pub fn check(store: &mut Store<Run>, instance: Instance, receive: &ComponentExportIndex) -> wasmtime::Result<()> {
    typed::<(&Context, &Inbound), Received>(store, instance, receive)?;
    Ok(())
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

impl From<EventKind> for types::EventKind {
    fn from(old: EventKind) -> Self {
        match old {
            EventKind::Outcome(told) => Self::Outcome(told),
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
