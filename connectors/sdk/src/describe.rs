//! The parts of a descriptor, in few words.
//!
//! ```
//! use interlock_connector::describe::{Places, rules, setting};
//! use interlock_connector::types::{Location, Method, OperationKind, Resolution, SettingKind};
//!
//! let key = setting("api_key", SettingKind::Secret, "The gateway's API key.").required();
//! let url = setting("base_url", SettingKind::Url, "Where the gateway is.").identity().or("https://api.example.com");
//! let places = Places { origin: "setting:base_url", path_prefix: "/v1/" };
//! let bearer = places.placement("secret:api_key", Method::Post, Location::Header, "authorization");
//! let charges = rules(OperationKind::Authorize, &[Resolution::Resend(86_400)], 3600);
//! assert!(key.required && url.identity && url.default.is_some());
//! assert_eq!((bearer.path_prefix.as_str(), charges.settles_within_seconds), ("/v1/", 3600));
//! ```

use crate::types::{
    KeyEncoding, Location, Method, OperationKind, OperationRules, Placement, Resolution, Setting, SettingKind,
};

/// A setting that an account may leave out. `help` is for whoever fills it in: what it is, and where it is found.
#[must_use]
pub fn setting(name: &str, kind: SettingKind, help: &str) -> Setting {
    Setting {
        name: name.to_owned(),
        kind,
        key_encoding: KeyEncoding::Utf8,
        required: false,
        default: None,
        help: help.to_owned(),
        identity: false,
    }
}

impl Setting {
    /// An account cannot do without.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// It names the account at the gateway: it cannot be changed.
    #[must_use]
    pub fn identity(self) -> Self {
        Self { identity: true, ..self }
    }

    /// Taken where the account says nothing.
    #[must_use]
    pub fn or(self, default: &str) -> Self {
        Self { default: Some(default.to_owned()), ..self }
    }

    /// Of a secret: how its text becomes the bytes of a key.
    #[must_use]
    pub fn encoded(self, key_encoding: KeyEncoding) -> Self {
        Self { key_encoding, ..self }
    }
}

/// Where holes may be filled: requests to this origin, and to paths that begin so.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// One of the descriptor's origins, written the same.
    pub origin: &'a str,
    /// Begins with a slash.
    pub path_prefix: &'a str,
}

impl Places<'_> {
    /// The hole may stand there.
    #[must_use]
    pub fn placement(self, hole: &str, method: Method, location: Location, name: &str) -> Placement {
        Placement {
            hole: hole.to_owned(),
            method,
            origin: self.origin.to_owned(),
            path_prefix: self.path_prefix.to_owned(),
            location,
            name: name.to_owned(),
        }
    }
}

/// What holds for one kind of operation: ways to find out, in the order in which they are tried, and for how many seconds
/// it may be pending.
#[must_use]
pub fn rules(kind: OperationKind, resolutions: &[Resolution], settles_within_seconds: u32) -> OperationRules {
    OperationRules { kind, resolutions: resolutions.to_vec(), settles_within_seconds }
}
