//! What host and connector say to each other, in the host's own words.
//!
//! A mirror of `wit/connector.wit`: the sandbox's machinery stops at `bindings.rs`, and everything
//! else in the host (flow, wire, store) uses these. They serialise, because operations and exchanges are journaled; the
//! JSON form is serde's default (fields in `snake_case`, cases in `PascalCase`), the same that the connectors' SDK
//! derives for its cassettes, so that a journaled exchange and a cassette are the same text.
//!
//! They are also what crosses the sandbox: the canonical ABI is derived for them, so that a run copies each value
//! once, between the guest's memory and these, and no second set of types exists to be converted. The names in
//! `#[component(name = …)]` are the WIT's; a component of `wit/connector.wit` is checked against them at admission.
//!
//! Nothing here holds a secret: card numbers, keys and tokens are holes ([`Segment`]), never values.

mod descriptor;
mod operation;
mod outcome;
mod request;
mod session;
mod settlement;
mod webhook;

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

pub use descriptor::{
    Descriptor, Features, KeyEncoding, Location, OperationRules, Placement, Resolution, Setting, SettingKind,
};
pub use operation::{
    Action, Authorize, Browser, Cancel, Capture, CaptureMethod, Card, Complete, Customer, Operation, OperationKind,
    PaymentMethod, Refund, Sync, SyncTarget, Upi, Wallet,
};
pub use outcome::{
    Accepted, ActionNeeded, Approval, CustomerAction, Decline, DeclineCode, Failure, Outcome, Redirect, RetryAdvice,
};
pub use request::{
    Body, Computation, Computed, Digest, Effect, Encoding, Mac, Material, Method, Request, Response, Segment, Template,
};
pub use session::{Keep, Opening};
pub use settlement::{Line, LineKind, SignedMoney};
pub use webhook::{Delivery, Event, EventKind, Inbound};

/// An amount in the currency's minor unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Money {
    #[component(name = "minor-units")]
    pub minor_units: u64,
    /// ISO 4217, capitals.
    pub currency: String,
}

/// Name and value, in the order given.
pub type Pairs = Vec<(String, String)>;

/// All that a call may depend on besides its operation. Written down once, the same in every run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Context {
    pub settings: Pairs,
    /// Unix time in milliseconds at which the operation began.
    pub now: u64,
    /// 16 bytes drawn for this operation.
    pub nonce: Vec<u8>,
}

/// One answered exchange of an operation: what was written down, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    pub request: Request,
    pub response: Response,
}
