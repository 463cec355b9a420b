//! What the connector says of itself: `upi_qr` is declared and can be asked for, and no cassette shows it.

use interlock_connector::types::{
    Descriptor, Features, KeyEncoding, Location, Method, OperationKind, OperationRules, Placement, Resolution, Setting,
    SettingKind,
};

const ORIGIN: &str = "https://gateway.example";
/// How long the gateway remembers an idempotency key: a day.
const KEY_WINDOW_S: u32 = 86_400;

pub fn descriptor() -> Descriptor {
    let setting = |name: &str, kind, required| Setting {
        name: name.to_owned(),
        kind,
        key_encoding: KeyEncoding::Utf8,
        required,
        default: None,
        help: String::new(),
        identity: false,
    };
    let placement = |hole: &str, method, location, name: &str| Placement {
        hole: hole.to_owned(),
        method,
        origin: ORIGIN.to_owned(),
        path_prefix: "/charges".to_owned(),
        location,
        name: name.to_owned(),
    };
    let rules = |kind, resolutions: &[Resolution]| OperationRules {
        kind,
        resolutions: resolutions.to_vec(),
        settles_within_seconds: KEY_WINDOW_S,
    };
    Descriptor {
        name: "bad".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        display_name: "Bad".to_owned(),
        methods: vec!["card".to_owned(), "upi_qr".to_owned()],
        currencies: Vec::new(),
        origins: vec![ORIGIN.to_owned()],
        settings: vec![
            setting("api_key", SettingKind::Secret, true),
            setting("webhook_secret", SettingKind::Secret, false),
            setting("fault", SettingKind::Text, false),
        ],
        placements: vec![
            placement("secret:api_key", Method::Get, Location::Header, "authorization"),
            placement("secret:api_key", Method::Post, Location::Header, "authorization"),
            placement("card-number", Method::Post, Location::JsonString, "/card"),
        ],
        operations: vec![
            rules(OperationKind::Authorize, &[Resolution::Resend(KEY_WINDOW_S), Resolution::AwaitWebhook]),
            rules(OperationKind::Sync, &[]),
        ],
        features: Features { partial_capture: false, multiple_capture: false, partial_refund: false, cancel: false },
    }
}
