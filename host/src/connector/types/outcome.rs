//! What came of an operation, as its connector reads the gateway's replies.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Method, Money, Pairs};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Approval {
    #[component(name = "gateway-reference")]
    pub gateway_reference: String,
    /// Of this operation alone.
    pub amount: Money,
    /// Cumulative figures where the gateway gives them: compared with ours, never added.
    #[component(name = "captured-total")]
    pub captured_total: Option<Money>,
    #[component(name = "refunded-total")]
    pub refunded_total: Option<Money>,
    pub references: Pairs,
    #[component(name = "network-reference")]
    pub network_reference: Option<String>,
    #[component(name = "authorization-code")]
    pub authorization_code: Option<String>,
    /// Unix ms after which an uncaptured authorization lapses.
    #[component(name = "capture-before")]
    pub capture_before: Option<u64>,
    pub extra: Pairs,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Redirect {
    pub url: String,
    pub method: Method,
    pub fields: Pairs,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum CustomerAction {
    #[component(name = "redirect")]
    Redirect(Redirect),
    #[component(name = "display-qr")]
    DisplayQr(String),
    #[component(name = "open-app")]
    OpenApp(String),
    #[component(name = "await-approval")]
    AwaitApproval,
}

/// One or more ways in which the customer may act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct ActionNeeded {
    #[component(name = "gateway-reference")]
    pub gateway_reference: Option<String>,
    pub references: Pairs,
    pub actions: Vec<CustomerAction>,
    /// Unix ms.
    #[component(name = "expires-at")]
    pub expires_at: Option<u64>,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, ComponentType, Lift, Lower,
)]
#[strum(serialize_all = "snake_case")]
#[component(enum)]
#[repr(u8)]
pub enum DeclineCode {
    #[component(name = "insufficient-funds")]
    InsufficientFunds,
    #[component(name = "do-not-honor")]
    DoNotHonor,
    #[component(name = "expired-card")]
    ExpiredCard,
    #[component(name = "incorrect-number")]
    IncorrectNumber,
    #[component(name = "incorrect-cvc")]
    IncorrectCvc,
    #[component(name = "lost-or-stolen")]
    LostOrStolen,
    #[component(name = "fraud-suspected")]
    FraudSuspected,
    #[component(name = "authentication-required")]
    AuthenticationRequired,
    #[component(name = "authentication-failed")]
    AuthenticationFailed,
    #[component(name = "limit-exceeded")]
    LimitExceeded,
    #[component(name = "method-unsupported")]
    MethodUnsupported,
    #[component(name = "currency-unsupported")]
    CurrencyUnsupported,
    #[component(name = "customer-cancelled")]
    CustomerCancelled,
    #[component(name = "expired")]
    Expired,
    #[component(name = "gateway-error")]
    GatewayError,
    #[component(name = "misconfigured")]
    Misconfigured,
    #[component(name = "other")]
    Other,
}

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
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
pub enum RetryAdvice {
    #[component(name = "never")]
    Never,
    #[component(name = "same-gateway-later")]
    SameGatewayLater,
    #[component(name = "other-gateway")]
    OtherGateway,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Decline {
    pub code: DeclineCode,
    #[component(name = "gateway-code")]
    pub gateway_code: String,
    /// The card network's or issuer's own code. Not there in what was written down before contract 0.2.0.
    #[component(name = "network-code")]
    #[serde(default)]
    pub network_code: Option<String>,
    pub message: String,
    pub advice: RetryAdvice,
    #[component(name = "gateway-reference")]
    pub gateway_reference: Option<String>,
    pub references: Pairs,
    /// How long the gateway may still turn it into a success; 0 for never.
    #[component(name = "reopenable-for-seconds")]
    pub reopenable_for_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Accepted {
    #[component(name = "gateway-reference")]
    pub gateway_reference: Option<String>,
    pub references: Pairs,
}

/// What came of an operation, as its connector reads the gateway's replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Outcome {
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
    /// The customer approved at the gateway; the host is to run `complete` now.
    #[component(name = "ready-to-complete")]
    ReadyToComplete(Pairs),
    /// Accepted but not final; a webhook or a later sync tells.
    #[component(name = "pending")]
    Pending(Accepted),
    /// The gateway let an authorization lapse.
    #[component(name = "expired")]
    Expired(Accepted),
    /// The gateway says that it did nothing, and in how many seconds to come back.
    #[component(name = "not-processed")]
    NotProcessed(Option<u32>),
    /// Answer to a sync alone: the gateway says that it never saw the operation.
    #[component(name = "never-received")]
    NeverReceived,
}

/// The connector cannot make sense of what the gateway said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Failure {
    pub message: String,
}
