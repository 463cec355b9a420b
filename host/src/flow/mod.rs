//! What we do for a merchant, one file per verb.
//!
//! A flow is the only code that holds the store, the domain, a connector and the wire at the same time. It always
//! takes them in this order:
//!
//! 1. run the connector up to its first request (pure: nothing is written, nothing is sent);
//! 2. commit 1: write down what will be sent, with the state it puts the payment in;
//! 3. no transaction: send;
//! 4. commit 2: write down what the gateway said and what follows from it.
//!
//! # Invariants
//!
//! - **No gateway is called inside a transaction.**
//! - **[`advance`] alone changes a payment's state**, together with its event and its outbox row.
//! - A flow may die after any `await`: what it committed is enough for `worker/recover` to finish the job.

pub mod advance;
pub mod answer;
pub mod apply_webhook;
pub mod ask;
pub mod begun;
pub mod confirm_payment;
pub mod connectors;
pub mod create_payment;
pub mod deliver;
pub mod drive;
pub mod evidence;
pub mod expire;
pub mod fail_over;
pub mod feed;
pub mod install_connector;
pub mod learned;
pub mod manage_accounts;
pub mod manage_endpoints;
pub mod manage_merchants;
pub mod manage_orders;
pub mod manage_routing;
pub mod method;
pub mod notices;
pub mod operate;
pub mod operator_resolve;
pub mod prepare;
pub mod proofs;
pub mod publish;
pub mod quarantine;
pub mod receive_webhook;
pub mod refunds;
pub mod resolve;
pub mod review_story;
pub mod route;
pub mod run;
pub mod seal;
pub mod sessions;
pub mod store_token;
pub mod surplus;
pub mod sync_payment;
pub mod task;

use bytes::Bytes;

use crate::{
    connector::types::Customer,
    domain::{
        country::Country,
        id::{GatewayAccountId, MerchantId, OrderId, TokenId},
        money::Money,
        payment::CaptureMethod,
    },
    vault::{CardEntry, Secret},
};

/// A merchant's request as idempotency sees it.
#[derive(Clone, Debug)]
pub struct Call {
    pub merchant: MerchantId,
    /// Method and path: `POST /v1/payments`. A key means something within its scope alone.
    pub scope: String,
    pub key: String,
    /// Keyed digest of the body by value.
    pub fingerprint: [u8; 32],
    /// The same under master keys that are retired.
    pub retired_fingerprints: Vec<[u8; 32]>,
    /// The HTTP status of an answer whose outcome is final: 201 where something was created, else 200.
    pub final_status: u16,
}

impl Call {
    /// `final_status`, as rows keep it.
    #[must_use]
    pub fn answer_status(&self) -> i16 {
        i16::try_from(self.final_status).expect("an HTTP status has three digits")
    }

    /// Whether `kept` is the fingerprint of this call's body, under the present master key or a retired one.
    #[must_use]
    pub fn has_fingerprint(&self, kept: &[u8]) -> bool {
        std::iter::once(&self.fingerprint).chain(&self.retired_fingerprints).any(|fingerprint| kept == fingerprint)
    }
}

/// What a merchant gets: a status and the very bytes.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
    /// It was stored by an earlier request with the same key.
    pub replayed: bool,
}

/// A new payment, checked field by field at the edge.
pub struct NewPayment {
    pub money: Money,
    pub capture_method: CaptureMethod,
    pub method: Option<MethodInput>,
    pub confirm: bool,
    pub order: Option<OrderId>,
    pub description: Option<String>,
    pub metadata: Vec<(String, String)>,
    pub return_url: Option<String>,
    pub gateway_account: Option<GatewayAccountId>,
    pub customer: Customer,
    /// The customer's: for routing, and not handed on to the gateway.
    pub country: Option<Country>,
}

/// What a confirm may bring.
#[derive(Default)]
pub struct Confirmation {
    pub method: Option<MethodInput>,
    pub order: Option<OrderId>,
    pub return_url: Option<String>,
    pub gateway_account: Option<GatewayAccountId>,
    /// What the customer's browser brought back from an action.
    pub parameters: Option<Vec<(String, String)>>,
}

/// How the customer pays, as the merchant said it. Holds secrets until they are sealed, so it has no Debug.
pub enum MethodInput {
    /// A card that the vault already holds.
    Token(TokenId),
    Card(CardEntry),
    Upi(UpiInput),
    Wallet {
        provider: String,
        /// Without it the customer is redirected.
        token: Option<Secret>,
    },
    GatewayToken(Secret),
}

/// The three ways of UPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpiInput {
    /// The customer's virtual payment address is asked to approve.
    Collect {
        vpa: String,
    },
    Intent,
    Qr,
}

/// One thing wrong with a body: where (RFC 6901) and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub pointer: String,
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// Why a flow did nothing. Each is one row of the table in `http/problem.rs`.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The key belongs to a request with another body.
    #[error("this idempotency key was used with another body")]
    KeyReused,
    /// A live host works on the first request with this key.
    #[error("the first request with this idempotency key is still being worked on")]
    KeyInProgress { retry_after_s: u64 },
    /// It does not exist, or it is another merchant's.
    #[error("there is no such object")]
    NotFound,
    /// The state of a connector's version does not allow it.
    #[error("the connector's version cannot become that now: {why}")]
    ConnectorState { why: String },
    #[error("the payment cannot be confirmed: {why}")]
    NotConfirmable { why: String },
    #[error("order {id} has this reference")]
    OrderExists { id: OrderId },
    /// It is cancelled, or less of it is left than the payment asks for.
    #[error("the order cannot be paid: {why}")]
    OrderNotPayable { why: String },
    /// The payment and the order do not go together: another currency, or the payment has another order.
    #[error("the payment does not fit its order: {why}")]
    OrderMismatch { why: String },
    /// Something of it is paid or under way.
    #[error("the order cannot be cancelled: {why}")]
    OrderNotCancelable { why: String },
    #[error("the payment cannot be captured: {why}")]
    NotCapturable { why: String },
    #[error("the payment cannot be cancelled: {why}")]
    NotCancelable { why: String },
    #[error("the payment cannot be refunded: {why}")]
    NotRefundable { why: String },
    /// More than is left, in minor units.
    #[error("the amount is more than the {left} that are left")]
    AmountTooLarge { left: i64 },
    /// The payment has changed since the operator looked.
    #[error("the payment has another version by now")]
    Stale,
    #[error("the payment cannot be resolved: {why}")]
    NotResolvable { why: String },
    /// Another operation of this payment is under way.
    #[error("an operation of this payment is under way")]
    OperationInProgress,
    #[error("the review cannot be closed: {why}")]
    ReviewNotClosable { why: String },
    #[error("setting `{name}` names the account at the gateway and cannot be changed")]
    SettingIsIdentity { name: String },
    /// A gateway's webhook is forged, stale or unreadable.
    #[error("the webhook is not believed: {why}")]
    WebhookRefused { why: String },
    /// The event was put back, and is being tried again.
    #[error("the event is not in quarantine any more")]
    NotQuarantined,
    /// A host feeds the sink, or has it in its settings.
    #[error("the sink is in use")]
    SinkInUse,
    /// Nothing is sent to it, so nothing can be asked of it.
    #[error("the webhook endpoint is disabled")]
    EndpointIsDisabled,
    #[error("the request is not valid")]
    Invalid(Vec<Fault>),
    /// A component was not let in: every reason.
    #[error("the connector was refused")]
    ConnectorRefused(Vec<Fault>),
    /// The database is out of reach, a pool or queue is full, or the host is draining. Nothing happened, or the retry
    /// finds out what did.
    #[error("not available: {what}")]
    Unavailable { what: String, retry_after_s: u64 },
    #[error("something went wrong on our side")]
    Internal(#[from] anyhow::Error),
}

/// Seconds that a client is told to wait when the database is out of reach.
pub const RETRY_AFTER_UNAVAILABLE_S: u64 = 2;
/// Seconds that a client is told to wait for a request that a live host works on.
pub const RETRY_AFTER_IN_PROGRESS_S: u64 = 1;

impl From<crate::store::Error> for Refusal {
    fn from(error: crate::store::Error) -> Self {
        if error.is_transient() {
            tracing::warn!(error = %error, cause = ?std::error::Error::source(&error).map(ToString::to_string), "the database is out of reach");
            return Self::Unavailable { what: "the database".into(), retry_after_s: RETRY_AFTER_UNAVAILABLE_S };
        }
        Self::Internal(anyhow::Error::new(error))
    }
}
