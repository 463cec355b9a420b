//! What a connector has the host send, holes and all, and what comes back.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::Pairs;

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

impl Request {
    /// Every piece of it that a hole may stand in, in headers and body.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        let (single, fields): (Option<&Template>, &[(String, Template)]) = match &self.body {
            Body::Empty => (None, &[]),
            Body::Json(template) | Body::Raw((_, template)) => (Some(template), &[]),
            Body::Form(fields) => (None, fields),
        };
        let named = self.headers.iter().chain(fields).map(|(_, template)| template);
        named.chain(single).flatten()
    }

    /// Whether it has a hole for a value of a session.
    #[must_use]
    pub fn wants_session(&self) -> bool {
        self.segments().any(|segment| matches!(segment, Segment::Session(_)))
    }
}

/// A complete reply of a gateway, already scrubbed of what the host had filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Response {
    pub status: u16,
    pub headers: Pairs,
    pub body: Vec<u8>,
}
