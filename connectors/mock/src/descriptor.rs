//! What the connector says of itself: settings, where secrets and card data may stand, and how an operation whose
//! outcome is unknown can be found out.

use interlock_connector::describe::{Places, rules, setting};
use interlock_connector::types::{
    Descriptor, Features, Location, Method, OperationKind, OperationRules, Placement, Resolution, Setting, SettingKind,
};

/// The gateway as its account names it.
const ORIGIN: &str = "setting:base_url";
/// A base URL may have a path of its own, so that no narrower prefix would hold.
const ANY_PATH: &str = "/";
/// Where holes may be filled.
const PLACES: Places<'_> = Places { origin: ORIGIN, path_prefix: ANY_PATH };
/// How long the gateway remembers an idempotency key: a day.
const KEY_WINDOW_S: u32 = 86_400;
/// After this long, what the gateway has not heard of is not on its way any more.
const LOOKUP_SETTLES_S: u32 = 30;
/// The longest that something stays pending: a day, for a customer who has to approve in an app.
const PENDING_S: u32 = 86_400;

/// The wallets that the gateway takes.
const METHODS: [&str; 9] = [
    "card",
    "upi_collect",
    "upi_intent",
    "upi_qr",
    "wallet:apple_pay",
    "wallet:google_pay",
    "wallet:mock",
    "wallet:paypal",
    "gateway_token",
];

pub fn descriptor() -> Descriptor {
    Descriptor {
        name: "mock".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        display_name: "Mock gateway".to_owned(),
        methods: METHODS.map(str::to_owned).to_vec(),
        currencies: Vec::new(),
        origins: vec![ORIGIN.to_owned()],
        settings: settings(),
        placements: placements(),
        operations: operations(),
        features: Features { partial_capture: true, multiple_capture: true, partial_refund: true, cancel: true },
    }
}

fn settings() -> Vec<Setting> {
    vec![
        setting(
            "base_url",
            SettingKind::Url,
            "Where the gateway is, for example http://127.0.0.1:9090; the simulator prints it when it starts.",
        )
        .required()
        .identity(),
        setting("api_key", SettingKind::Secret, "The gateway's API key; the simulator takes any.").required(),
        setting(
            "webhook_secret",
            SettingKind::Secret,
            "What the gateway signs webhooks with. Without it they are refused, and only asking tells what became of \
             a pending payment.",
        ),
        setting(
            "resend",
            SettingKind::Text,
            "safe: a repeated request with the same idempotency key has no second effect. never: the gateway knows no \
             idempotency keys, so no request is sent twice.",
        )
        .or("safe"),
        setting(
            "lookup",
            SettingKind::Text,
            "reference: the gateway finds charges and refunds by our reference, and a 404 proves that nothing \
             happened. none: it does not, and is not asked.",
        )
        .or("reference"),
    ]
}

fn placements() -> Vec<Placement> {
    let placement = |hole: &str, method, location, name: &str| PLACES.placement(hole, method, location, name);
    let in_method = |hole: &str, name: &str| placement(hole, Method::Post, Location::JsonString, name);
    vec![
        placement("secret:api_key", Method::Get, Location::Header, "authorization"),
        placement("secret:api_key", Method::Post, Location::Header, "authorization"),
        in_method("card-number", "/method/number"),
        in_method("card-expiry-month", "/method/expiry_month"),
        in_method("card-expiry-year", "/method/expiry_year"),
        in_method("card-cvc", "/method/cvc"),
        in_method("card-holder", "/method/holder"),
        in_method("wallet-token", "/method/token"),
        in_method("gateway-token", "/method/token"),
    ]
}

/// What holds for accounts with the defaults. With `resend: never` the requests themselves say that they are not to be
/// sent again, and with `lookup: none` a sync fails without asking.
fn operations() -> Vec<OperationRules> {
    let writes =
        [Resolution::Resend(KEY_WINDOW_S), Resolution::FindByOperationId(LOOKUP_SETTLES_S), Resolution::AwaitWebhook];
    vec![
        rules(OperationKind::Authorize, &writes, PENDING_S),
        rules(OperationKind::Complete, &[Resolution::GetByReference, Resolution::AwaitWebhook], PENDING_S),
        rules(OperationKind::Capture, &writes, LOOKUP_SETTLES_S),
        rules(OperationKind::Cancel, &writes, LOOKUP_SETTLES_S),
        rules(OperationKind::Refund, &writes, PENDING_S),
        rules(OperationKind::Sync, &[], LOOKUP_SETTLES_S),
    ]
}
