//! What a gateway tells by itself, and what a connector reads out of it.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Approval, OperationKind, Outcome, Pairs, Response};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Inbound {
    pub headers: Pairs,
    pub query: String,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum EventKind {
    /// The outcome of one of our operations.
    #[component(name = "outcome")]
    Outcome((OperationKind, Outcome)),
    /// A payment is approved, and the event does not say whether the money is taken or only held.
    #[component(name = "approved")]
    Approved(Approval),
    /// Something else worth keeping and showing.
    #[component(name = "notice")]
    Notice(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Event {
    pub id: String,
    /// Unix ms.
    #[component(name = "occurred-at")]
    pub occurred_at: Option<u64>,
    #[component(name = "operation-id")]
    pub operation_id: Option<String>,
    #[component(name = "gateway-reference")]
    pub gateway_reference: Option<String>,
    pub references: Pairs,
    pub kind: EventKind,
    /// What `verify` returned for it. Without one the event only makes the host ask the gateway.
    pub proof: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Delivery {
    pub events: Vec<Event>,
    pub acknowledgement: Response,
}
