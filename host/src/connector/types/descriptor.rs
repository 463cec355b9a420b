//! What a component says of itself: settings, placements, operations, features.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Method, OperationKind};

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
