//! What the connector promises, and is held to.

use interlock_connector::types::{
    Descriptor, Features, KeyEncoding, Location, Method, OperationKind, OperationRules, Placement, Resolution, Setting,
    SettingKind,
};

use crate::variant;

/// The gateway as its account names it.
const ORIGIN: &str = "setting:base_url";
/// How long the gateway remembers an idempotency key: a day.
const KEY_WINDOW_S: u32 = 86_400;
/// After this long, what the gateway has not heard of is not on its way any more.
const LOOKUP_SETTLES_S: u32 = 1;

pub fn descriptor() -> Descriptor {
    let setting = |name: &str, kind, required, default: Option<&str>| Setting {
        name: name.to_owned(),
        kind,
        key_encoding: KeyEncoding::Utf8,
        required,
        default: default.map(str::to_owned),
        help: String::new(),
        identity: false,
    };
    let placement = |hole: &str, method, location, name: &str| Placement {
        hole: hole.to_owned(),
        method,
        origin: ORIGIN.to_owned(),
        path_prefix: "/".to_owned(),
        location,
        name: name.to_owned(),
    };
    let writes = [Resolution::Resend(KEY_WINDOW_S), Resolution::FindByOperationId(LOOKUP_SETTLES_S)];
    let rules =
        |kind, resolutions: Vec<Resolution>| OperationRules { kind, resolutions, settles_within_seconds: KEY_WINDOW_S };
    let mut charges = writes.to_vec();
    if variant::calls_off() {
        charges.push(Resolution::CancelByOperationId);
    }
    Descriptor {
        name: "hostile".to_owned(),
        version: variant::version(),
        display_name: "Hostile".to_owned(),
        methods: vec!["card".to_owned()],
        currencies: Vec::new(),
        origins: vec![ORIGIN.to_owned()],
        settings: vec![
            setting("base_url", SettingKind::Url, true, None),
            setting("api_key", SettingKind::Secret, true, None),
            setting("webhook_secret", SettingKind::Secret, false, None),
            setting("behaviour", SettingKind::Text, false, Some("well")),
            setting("sessions", SettingKind::Text, false, None),
        ],
        placements: vec![
            placement("secret:api_key", Method::Get, Location::Header, "authorization"),
            placement("secret:api_key", Method::Post, Location::Header, "authorization"),
            placement("session:access_token", Method::Get, Location::Header, "authorization"),
            placement("session:access_token", Method::Post, Location::Header, "authorization"),
            placement("card-number", Method::Post, Location::JsonString, "/method/number"),
            placement("card-expiry-month", Method::Post, Location::JsonString, "/method/expiry_month"),
            placement("card-expiry-year", Method::Post, Location::JsonString, "/method/expiry_year"),
        ],
        operations: vec![
            rules(OperationKind::Authorize, charges),
            rules(OperationKind::Complete, vec![Resolution::GetByReference]),
            rules(OperationKind::Capture, writes.to_vec()),
            rules(OperationKind::Cancel, writes.to_vec()),
            rules(OperationKind::Refund, writes.to_vec()),
            rules(OperationKind::Sync, Vec::new()),
        ],
        features: Features { partial_capture: false, multiple_capture: false, partial_refund: false, cancel: true },
    }
}
