//! Every type of the contract under one roof.
//!
//! They serialise (`serde`'s default: fields in `snake_case`, cases in `PascalCase`), in the form in which the host's
//! journal keeps them, so that a journaled exchange can be pasted into a cassette.

pub use crate::bindings::exports::interlock::connector::description::{
    Descriptor, Features, KeyEncoding, Location, OperationRules, Placement, Resolution, Setting, SettingKind,
};
pub use crate::bindings::exports::interlock::connector::sessions::{Keep, Opening};
pub use crate::bindings::exports::interlock::connector::settlement::{Line, LineKind};
pub use crate::bindings::exports::interlock::connector::webhooks::{Delivery, Event, EventKind, Inbound};
pub use crate::bindings::interlock::connector::log::Level;
pub use crate::bindings::interlock::connector::types::{
    Accepted, Action, ActionNeeded, Approval, Authorize, Body, Browser, Cancel, Capture, CaptureMethod, Card, Complete,
    Computation, Computed, Context, Customer, CustomerAction, Decline, DeclineCode, Digest, Effect, Encoding, Failure,
    Mac, Material, Method, Money, Operation, OperationKind, Outcome, Pairs, PaymentMethod, Redirect, Refund, Request,
    Response, RetryAdvice, Segment, SignedMoney, Sync, SyncTarget, Template, Upi, Wallet,
};
