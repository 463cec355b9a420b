//! What the connector says of itself: settings, where secrets and card data may stand, and how an operation whose
//! outcome is unknown can be found out.

use interlock_connector::describe::{Places, rules, setting};
use interlock_connector::types::{
    Descriptor, Features, Location, Method, OperationKind, OperationRules, Placement, Resolution, Setting, SettingKind,
};

/// PayPal, or a stand-in, as the account names it.
const ORIGIN: &str = "setting:base_url";
/// A base URL may have a path of its own, so that no narrower prefix would hold.
const ANY_PATH: &str = "/";
/// Where holes may be filled.
const PLACES: Places<'_> = Places { origin: ORIGIN, path_prefix: ANY_PATH };
/// How long PayPal knows a `PayPal-Request-Id` of the Orders API: six hours.
const ORDERS_KEY_S: u32 = 6 * 3600;
/// And of the Payments API: 45 days.
const PAYMENTS_KEY_S: u32 = 45 * 86_400;
/// The longest that money stays pending: 30 days, after which PayPal gives back what the payee never accepted.
const PENDING_S: u32 = 30 * 86_400;
/// A void is done when it is answered.
const VOID_S: u32 = 3600;

/// PayPal's list of currencies, all with two decimals or none; the README says what its footnotes mean. The first of each
/// kind is what the conformance kit tries out.
const CURRENCIES: [&str; 24] = [
    "EUR", "USD", "GBP", "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR",
    "NOK", "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD",
];

pub fn descriptor() -> Descriptor {
    Descriptor {
        name: "paypal".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        display_name: "PayPal".to_owned(),
        methods: ["card", "wallet:paypal", "gateway_token"].map(str::to_owned).to_vec(),
        currencies: CURRENCIES.map(str::to_owned).to_vec(),
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
            "Where PayPal's REST API is: https://api-m.paypal.com, or https://api-m.sandbox.paypal.com.",
        )
        .required()
        .identity()
        .or("https://api-m.paypal.com"),
        setting(
            "client_id",
            SettingKind::Secret,
            "The client id of your REST app: PayPal's developer dashboard, Apps & Credentials, Live or Sandbox.",
        )
        .required(),
        setting("client_secret", SettingKind::Secret, "The secret of the same app.").required(),
        setting(
            "brand_name",
            SettingKind::Text,
            "The name that PayPal's pages show the customer, at most 127 characters; else that of your account.",
        ),
        setting(
            "shipping_preference",
            SettingKind::Text,
            "NO_SHIPPING: PayPal asks for no address. GET_FROM_FILE: the customer chooses one at PayPal.",
        )
        .or("NO_SHIPPING"),
        setting(
            "three_d_secure",
            SettingKind::Text,
            "When cards are authenticated: SCA_WHEN_REQUIRED, SCA_ALWAYS, or NEVER.",
        )
        .or("SCA_WHEN_REQUIRED"),
    ]
}

fn placements() -> Vec<Placement> {
    let placement = |hole: &str, method, location, name: &str| PLACES.placement(hole, method, location, name);
    let in_header = |hole: &str, method| placement(hole, method, Location::Header, "authorization");
    let in_source = |hole: &str, name: &str| {
        placement(hole, Method::Post, Location::JsonString, &["/payment_source/", name].concat())
    };
    vec![
        in_header("secret:client_id", Method::Post),
        in_header("secret:client_secret", Method::Post),
        in_header("session:access_token", Method::Get),
        in_header("session:access_token", Method::Post),
        in_source("card-number", "card/number"),
        in_source("card-expiry-year", "card/expiry"),
        in_source("card-expiry-month", "card/expiry"),
        in_source("card-cvc", "card/security_code"),
        in_source("card-holder", "card/name"),
        in_source("gateway-token", "card/vault_id"),
        in_source("wallet-token", "paypal/vault_id"),
    ]
}

/// Orders and their capture are remembered for six hours, what is done to authorizations and captures for 45 days. After
/// that the order itself tells, where its id is known. Webhooks cannot be verified here, and only make the host ask.
fn operations() -> Vec<OperationRules> {
    let rules_of = |kind, key_s: u32, settles_within_seconds| {
        let ways = [Resolution::Resend(key_s), Resolution::GetByReference, Resolution::AwaitWebhook];
        rules(kind, &ways, settles_within_seconds)
    };
    vec![
        rules_of(OperationKind::Authorize, ORDERS_KEY_S, PENDING_S),
        rules_of(OperationKind::Complete, ORDERS_KEY_S, PENDING_S),
        rules_of(OperationKind::Capture, PAYMENTS_KEY_S, PENDING_S),
        rules_of(OperationKind::Cancel, PAYMENTS_KEY_S, VOID_S),
        rules_of(OperationKind::Refund, PAYMENTS_KEY_S, PENDING_S),
        rules(OperationKind::Sync, &[], VOID_S),
    ]
}
