//! What is asked of a gateway, as a connector gets it: operations, and what they are about.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Money, Pairs};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum CaptureMethod {
    #[component(name = "automatic")]
    Automatic,
    #[component(name = "manual")]
    Manual,
}

/// What a connector may know of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Card {
    pub brand: String,
    pub bin: String,
    pub last4: String,
    #[component(name = "has-cvc")]
    pub has_cvc: bool,
    #[component(name = "has-holder")]
    pub has_holder: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Upi {
    #[component(name = "collect")]
    Collect(String),
    #[component(name = "intent")]
    Intent,
    #[component(name = "qr")]
    Qr,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Wallet {
    pub provider: String,
    /// The wallet's token is there as a hole; without it the customer is redirected.
    #[component(name = "has-token")]
    pub has_token: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum PaymentMethod {
    #[component(name = "card")]
    Card(Card),
    #[component(name = "upi")]
    Upi(Upi),
    #[component(name = "wallet")]
    Wallet(Wallet),
    #[component(name = "gateway-token")]
    GatewayToken,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Browser {
    pub accept: String,
    pub language: String,
    #[component(name = "color-depth")]
    pub color_depth: u8,
    #[component(name = "screen-height")]
    pub screen_height: u32,
    #[component(name = "screen-width")]
    pub screen_width: u32,
    #[component(name = "timezone-offset-minutes")]
    pub timezone_offset_minutes: i32,
    pub java: bool,
    #[component(name = "java-script")]
    pub java_script: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Customer {
    pub reference: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub ip: Option<String>,
    #[component(name = "user-agent")]
    pub user_agent: Option<String>,
    pub browser: Option<Browser>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Authorize {
    pub amount: Money,
    pub method: PaymentMethod,
    pub capture: CaptureMethod,
    pub customer: Customer,
    pub description: Option<String>,
    #[component(name = "order-reference")]
    pub order_reference: Option<String>,
    #[component(name = "return-url")]
    pub return_url: Option<String>,
    pub metadata: Pairs,
    pub extra: Pairs,
}

/// The customer came back from an action; `parameters` is what the browser brought along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Complete {
    pub amount: Money,
    pub capture: CaptureMethod,
    pub parameters: Pairs,
    pub extra: Pairs,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Capture {
    pub amount: Money,
    #[component(name = "is-final")]
    pub is_final: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Cancel {
    /// The operation to call off; there may be no reference yet.
    #[component(name = "target-id")]
    pub target_id: String,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Refund {
    pub amount: Money,
    pub reason: Option<String>,
    pub captures: Vec<Pairs>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[expect(clippy::large_enum_variant, reason = "one of them at a time is alive; a box would cost every run")]
pub enum SyncTarget {
    #[component(name = "authorize")]
    Authorize(Authorize),
    #[component(name = "complete")]
    Complete(Complete),
    #[component(name = "capture")]
    Capture(Capture),
    #[component(name = "cancel")]
    Cancel(Cancel),
    #[component(name = "refund")]
    Refund(Refund),
}

/// What became of an earlier operation whose outcome is not known? Only asks; never acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Sync {
    #[component(name = "target-id")]
    pub target_id: String,
    pub target: SyncTarget,
}

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    ComponentType,
    Lift,
    Lower,
)]
#[strum(serialize_all = "snake_case")]
#[component(enum)]
#[repr(u8)]
pub enum OperationKind {
    #[component(name = "authorize")]
    Authorize,
    #[component(name = "complete")]
    Complete,
    #[component(name = "capture")]
    Capture,
    #[component(name = "cancel")]
    Cancel,
    #[component(name = "refund")]
    Refund,
    #[component(name = "sync")]
    Sync,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Action {
    #[component(name = "authorize")]
    Authorize(Authorize),
    #[component(name = "complete")]
    Complete(Complete),
    #[component(name = "capture")]
    Capture(Capture),
    #[component(name = "cancel")]
    Cancel(Cancel),
    #[component(name = "refund")]
    Refund(Refund),
    #[component(name = "sync")]
    Sync(Sync),
}

impl Action {
    /// Which kind of operation asks for it.
    #[must_use]
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Authorize(_) => OperationKind::Authorize,
            Self::Complete(_) => OperationKind::Complete,
            Self::Capture(_) => OperationKind::Capture,
            Self::Cancel(_) => OperationKind::Cancel,
            Self::Refund(_) => OperationKind::Refund,
            Self::Sync(_) => OperationKind::Sync,
        }
    }

    /// Whether an approved payment is to be taken at once; none for what asks for no payment.
    #[must_use]
    pub fn captures(&self) -> Option<CaptureMethod> {
        match self {
            Self::Authorize(authorize) => Some(authorize.capture),
            Self::Complete(complete) => Some(complete.capture),
            Self::Capture(_) | Self::Cancel(_) | Self::Refund(_) | Self::Sync(_) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Operation {
    /// The n-th writing request sends it as the gateway's idempotency key: `<id>`, `<id>-2`, …
    pub id: String,
    #[component(name = "payment-id")]
    pub payment_id: String,
    /// What earlier outcomes of this attempt returned as `references`, merged.
    pub references: Pairs,
    pub action: Action,
}
