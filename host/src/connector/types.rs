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

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum Method {
    #[component(name = "get")]
    Get,
    #[component(name = "post")]
    Post,
    #[component(name = "put")]
    Put,
    #[component(name = "patch")]
    Patch,
    #[component(name = "delete")]
    Delete,
}

/// A piece of text. All but `Text` are holes that the host fills once the request has left the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Segment {
    #[component(name = "text")]
    Text(String),
    /// A secret of the gateway account, by its declared name.
    #[component(name = "secret")]
    Secret(String),
    /// base64("first:second"), each the name of a secret, or "" for nothing.
    #[component(name = "basic-auth")]
    BasicAuth((String, String)),
    /// A value that `open-session` had the host keep.
    #[component(name = "session")]
    Session(String),
    /// The result of one of the request's `computed` values.
    #[component(name = "computed")]
    Computed(String),
    #[component(name = "card-number")]
    CardNumber,
    #[component(name = "card-cvc")]
    CardCvc,
    #[component(name = "card-holder")]
    CardHolder,
    /// "01" … "12"
    #[component(name = "card-expiry-month")]
    CardExpiryMonth,
    /// "2030"
    #[component(name = "card-expiry-year")]
    CardExpiryYear,
    /// "30"
    #[component(name = "card-expiry-year-short")]
    CardExpiryYearShort,
    #[component(name = "wallet-token")]
    WalletToken,
    #[component(name = "gateway-token")]
    GatewayToken,
}

pub type Template = Vec<Segment>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Body {
    #[component(name = "empty")]
    Empty,
    /// JSON text; what fills a hole is escaped as the inside of a JSON string.
    #[component(name = "json")]
    Json(Template),
    #[component(name = "form")]
    Form(Vec<(String, Template)>),
    /// Content type and text; holes are filled as they are.
    #[component(name = "raw")]
    Raw((String, Template)),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum Digest {
    #[component(name = "sha256")]
    Sha256,
    #[component(name = "sha512")]
    Sha512,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum Mac {
    #[component(name = "hmac-sha256")]
    HmacSha256,
    #[component(name = "hmac-sha512")]
    HmacSha512,
    #[component(name = "hmac-sha1")]
    HmacSha1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum Encoding {
    #[component(name = "hex")]
    Hex,
    #[component(name = "base64")]
    Base64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Material {
    #[component(name = "literal")]
    Literal(String),
    #[component(name = "rendered-url")]
    RenderedUrl,
    #[component(name = "rendered-body")]
    RenderedBody,
    #[component(name = "computed")]
    Computed(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Computation {
    #[component(name = "digest")]
    Digest(Digest),
    #[component(name = "mac")]
    Mac((Mac, String)),
}

/// Worked out by the host in the order given, after every other hole is filled: what is signed is what is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Computed {
    pub name: String,
    pub computation: Computation,
    pub over: Vec<Material>,
    pub encoding: Encoding,
}

/// What sending a request can do at the gateway.
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
pub enum Effect {
    #[component(name = "reads")]
    Reads,
    #[component(name = "prepares")]
    Prepares,
    #[component(name = "moves-money")]
    MovesMoney,
}

/// One HTTP request, holes and all. This is what the journal keeps and what a resend must equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Request {
    pub method: Method,
    /// Absolute; its origin must be declared by the descriptor and approved by the operator.
    pub url: String,
    pub headers: Vec<(String, Template)>,
    pub body: Body,
    pub computed: Vec<Computed>,
    pub effect: Effect,
    /// True where the gateway promises that sending these very bytes again has no second effect.
    pub resendable: bool,
}

/// A complete reply of a gateway, already scrubbed of what the host had filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Response {
    pub status: u16,
    pub headers: Pairs,
    pub body: Vec<u8>,
}

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum SettingKind {
    #[component(name = "text")]
    Text,
    #[component(name = "url")]
    Url,
    #[component(name = "secret")]
    Secret,
}

/// How the text that a user enters becomes the bytes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum KeyEncoding {
    #[component(name = "utf8")]
    Utf8,
    #[component(name = "hex")]
    Hex,
    #[component(name = "base64")]
    Base64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Setting {
    pub name: String,
    pub kind: SettingKind,
    #[component(name = "key-encoding")]
    pub key_encoding: KeyEncoding,
    pub required: bool,
    pub default: Option<String>,
    pub help: String,
    /// Names the account at the gateway: cannot be changed, only made anew.
    pub identity: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum Location {
    #[component(name = "header")]
    Header,
    #[component(name = "form-field")]
    FormField,
    #[component(name = "json-string")]
    JsonString,
    #[component(name = "raw-body")]
    RawBody,
}

/// Where a hole may be filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Placement {
    pub hole: String,
    pub method: Method,
    /// As in `Descriptor::origins`: an origin, or `setting:<name>`.
    pub origin: String,
    #[component(name = "path-prefix")]
    pub path_prefix: String,
    pub location: Location,
    /// A header, a form key, or a JSON pointer (RFC 6901; "*" stands for an index).
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Resolution {
    /// Send the same bytes under the same key again, within so many seconds of the first.
    #[component(name = "resend")]
    Resend(u32),
    #[component(name = "get-by-reference")]
    GetByReference,
    /// A "never received" counts only so many seconds after the operation can no longer be under way.
    #[component(name = "find-by-operation-id")]
    FindByOperationId(u32),
    #[component(name = "await-webhook")]
    AwaitWebhook,
    #[component(name = "cancel-by-operation-id")]
    CancelByOperationId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct OperationRules {
    pub kind: OperationKind,
    pub resolutions: Vec<Resolution>,
    #[component(name = "settles-within-seconds")]
    pub settles_within_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[expect(clippy::struct_excessive_bools, reason = "a mirror of the WIT record")]
#[component(record)]
pub struct Features {
    #[component(name = "partial-capture")]
    pub partial_capture: bool,
    #[component(name = "multiple-capture")]
    pub multiple_capture: bool,
    #[component(name = "partial-refund")]
    pub partial_refund: bool,
    pub cancel: bool,
}

/// What a component says of itself; the host holds it to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Descriptor {
    pub name: String,
    pub version: String,
    #[component(name = "display-name")]
    pub display_name: String,
    pub methods: Vec<String>,
    pub currencies: Vec<String>,
    pub origins: Vec<String>,
    pub settings: Vec<Setting>,
    pub placements: Vec<Placement>,
    pub operations: Vec<OperationRules>,
    pub features: Features,
}

impl Descriptor {
    /// The rules it declares for operations of `kind`; none where it does not have that operation.
    #[must_use]
    pub fn rules(&self, kind: OperationKind) -> Option<&OperationRules> {
        self.operations.iter().find(|rules| rules.kind == kind)
    }
}

/// One value for the host to keep, encrypted, per gateway account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Keep {
    pub name: String,
    /// JSON pointer into the reply.
    pub pointer: String,
    #[component(name = "lifetime-pointer")]
    pub lifetime_pointer: Option<String>,
    #[component(name = "lifetime-seconds")]
    pub lifetime_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Opening {
    pub request: Request,
    pub keep: Vec<Keep>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Inbound {
    pub headers: Pairs,
    pub query: String,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[expect(clippy::large_enum_variant, reason = "one of them at a time is alive; a box would cost every run")]
pub enum EventKind {
    /// The outcome of one of our operations.
    #[component(name = "outcome")]
    Outcome((OperationKind, Outcome)),
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct SignedMoney {
    #[component(name = "minor-units")]
    pub minor_units: i64,
    pub currency: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum LineKind {
    #[component(name = "payment")]
    Payment,
    #[component(name = "refund")]
    Refund,
    #[component(name = "fee")]
    Fee,
    #[component(name = "chargeback")]
    Chargeback,
    #[component(name = "adjustment")]
    Adjustment,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Line {
    pub kind: LineKind,
    #[component(name = "gateway-reference")]
    pub gateway_reference: String,
    #[component(name = "operation-id")]
    pub operation_id: Option<String>,
    pub gross: SignedMoney,
    pub fee: SignedMoney,
    #[component(name = "settled-on")]
    pub settled_on: String,
}

/// One answered exchange of an operation: what was written down, and what came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    pub request: Request,
    pub response: Response,
}
