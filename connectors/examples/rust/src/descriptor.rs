//! What the connector says of itself. The operator approves it, and the host holds the connector to it.

use interlock_connector::types::{
    Descriptor, Features, KeyEncoding, Location, Method, OperationKind, OperationRules, Placement, Resolution, Setting,
    SettingKind,
};

/// The gateway as its account names it.
const ORIGIN: &str = "setting:base_url";
/// How long the gateway remembers an idempotency key: a day.
const KEY_WINDOW_S: u32 = 86_400;
/// After this long, what the gateway has not heard of is not on its way any more.
const LOOKUP_SETTLES_S: u32 = 30;
/// The longest that something stays pending: a day.
const PENDING_S: u32 = 86_400;

pub fn descriptor() -> Descriptor {
    Descriptor {
        name: "tiny-rust".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        display_name: "Tiny Rust".to_owned(),
        methods: vec!["card".to_owned()],
        currencies: Vec::new(),
        origins: vec![ORIGIN.to_owned()],
        settings: settings(),
        placements: placements(),
        operations: operations(),
        features: Features { partial_capture: false, multiple_capture: false, partial_refund: true, cancel: false },
    }
}

fn settings() -> Vec<Setting> {
    let setting = |name: &str, kind, required, help: &str| Setting {
        name: name.to_owned(),
        kind,
        key_encoding: KeyEncoding::Utf8,
        required,
        default: None,
        help: help.to_owned(),
        identity: kind == SettingKind::Url,
    };
    vec![
        setting("base_url", SettingKind::Url, true, "Where the gateway is."),
        setting("api_key", SettingKind::Secret, true, "The gateway's API key."),
        setting("webhook_secret", SettingKind::Secret, false, "What the gateway signs webhooks with."),
    ]
}

fn placements() -> Vec<Placement> {
    let placement = |hole: &str, method, location, name: &str| Placement {
        hole: hole.to_owned(),
        method,
        origin: ORIGIN.to_owned(),
        path_prefix: "/".to_owned(),
        location,
        name: name.to_owned(),
    };
    vec![
        placement("secret:api_key", Method::Get, Location::Header, "authorization"),
        placement("secret:api_key", Method::Post, Location::Header, "authorization"),
        placement("card-number", Method::Post, Location::JsonString, "/method/number"),
        placement("card-expiry-month", Method::Post, Location::JsonString, "/method/expiry_month"),
        placement("card-expiry-year", Method::Post, Location::JsonString, "/method/expiry_year"),
        placement("card-cvc", Method::Post, Location::JsonString, "/method/cvc"),
    ]
}

fn operations() -> Vec<OperationRules> {
    let writes =
        [Resolution::Resend(KEY_WINDOW_S), Resolution::FindByOperationId(LOOKUP_SETTLES_S), Resolution::AwaitWebhook];
    let rules = |kind, resolutions: &[Resolution]| OperationRules {
        kind,
        resolutions: resolutions.to_vec(),
        settles_within_seconds: PENDING_S,
    };
    vec![
        rules(OperationKind::Authorize, &writes),
        rules(OperationKind::Capture, &writes),
        rules(OperationKind::Refund, &writes),
        rules(OperationKind::Sync, &[]),
    ]
}
