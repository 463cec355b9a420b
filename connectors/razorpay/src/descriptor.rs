//! What the connector says of itself: settings, where secrets and card data may stand, and how an operation whose
//! outcome is unknown can be found out.

use interlock_connector::describe::{Places, rules, setting};
use interlock_connector::types::{
    Descriptor, Features, Location, Method, OperationKind, OperationRules, Placement, Resolution, Setting, SettingKind,
};

use crate::money::CURRENCIES;

/// The gateway as its account names it.
const ORIGIN: &str = "setting:base_url";
/// A base URL may have a path of its own, so that no narrower prefix would hold.
const ANY_PATH: &str = "/";
/// Where holes may be filled.
const PLACES: Places<'_> = Places { origin: ORIGIN, path_prefix: ANY_PATH };

/// How long a capture may be repeated. Razorpay captures a payment once, whoever asks how often; after this long the
/// merchant decides anew.
const CAPTURE_RESEND_S: u32 = 86_400;
/// How long a refund may be repeated under its key. Razorpay does not say for how long it remembers keys; an hour is far
/// below what other gateways promise, and not more than an assumption.
const REFUND_RESEND_S: u32 = 3600;
/// When what Razorpay does not know has not been on its way any more. It calls a payment that nobody answers for failed
/// after 10 minutes, and lists failed ones for certain.
const LOOKUP_SETTLES_S: u32 = 900;
/// The longest that a payment stays undecided: it fails after 10 minutes, and within 3 days the bank may say otherwise.
const PAYMENT_SETTLES_S: u32 = 3 * 86_400;
/// The longest that a refund takes: 5 to 7 working days, with a weekend on each side.
const REFUND_SETTLES_S: u32 = 14 * 86_400;

const METHODS: [&str; 5] = ["card", "upi_intent", "upi_qr", "upi_collect", "gateway_token"];

pub fn descriptor() -> Descriptor {
    Descriptor {
        name: "razorpay".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        display_name: "Razorpay".to_owned(),
        methods: METHODS.map(str::to_owned).to_vec(),
        currencies: CURRENCIES.split(' ').map(str::to_owned).collect(),
        origins: vec![ORIGIN.to_owned()],
        settings: settings(),
        placements: placements(),
        operations: operations(),
        features: Features { partial_capture: false, multiple_capture: false, partial_refund: true, cancel: false },
    }
}

fn settings() -> Vec<Setting> {
    let text = |name: &str, default: Option<&str>, help: &str| Setting {
        default: default.map(str::to_owned),
        ..setting(name, SettingKind::Text, help)
    };
    let secret =
        |name: &str, required, help: &str| Setting { kind: SettingKind::Secret, required, ..text(name, None, help) };
    let base_url = text("base_url", Some("https://api.razorpay.com"), "Where Razorpay's API is, without /v1.");
    vec![
        Setting { kind: SettingKind::Url, required: true, identity: true, ..base_url },
        secret("key_id", true, "Dashboard, Account & Settings, API Keys: rzp_live_… or rzp_test_…"),
        secret("key_secret", true, "What belongs to the Key Id. Razorpay shows it once, when the key is made."),
        secret(
            "webhook_secret",
            false,
            "Dashboard, Account & Settings, Webhooks: the secret that was entered there. Without it webhooks are \
             refused, and only asking tells what became of a payment.",
        ),
        text(
            "automatic_expiry_period",
            Some("30"),
            "Minutes after its creation in which Razorpay takes an authorized payment by itself, for payments with \
             automatic capture; at least 12. What a bank confirms later is not taken: the merchant captures it, or \
             Razorpay gives it back.",
        ),
        text(
            "manual_expiry_period",
            Some("7200"),
            "Minutes after its creation in which an authorized payment can be captured; at most 7200 (5 days). After \
             that Razorpay gives it back.",
        ),
        text(
            "speed",
            None,
            "How refunds are made: normal, or optimum for at once where the bank can, which Razorpay charges for. \
             Where nothing is said, the Dashboard's default counts.",
        ),
        text(
            "fallback_email",
            None,
            "Sent where a payment has no customer email. Razorpay wants one, unless support made it optional for the \
             account; international payments with made-up addresses fail.",
        ),
        text("fallback_contact", None, "Sent where a payment has no customer phone, with the same caution."),
        text(
            "referer",
            None,
            "The page on which customers pay, https://shop.example/checkout, for the banks' risk checks.",
        ),
    ]
}

fn placements() -> Vec<Placement> {
    let placement = |hole: &str, method, location, name: &str| PLACES.placement(hole, method, location, name);
    let in_body = |hole: &str, name: &str| placement(hole, Method::Post, Location::JsonString, name);
    vec![
        placement("secret:key_id", Method::Get, Location::Header, "authorization"),
        placement("secret:key_id", Method::Post, Location::Header, "authorization"),
        placement("secret:key_secret", Method::Get, Location::Header, "authorization"),
        placement("secret:key_secret", Method::Post, Location::Header, "authorization"),
        in_body("card-number", "/card/number"),
        in_body("card-holder", "/card/name"),
        in_body("card-expiry-month", "/card/expiry_month"),
        in_body("card-expiry-year-short", "/card/expiry_year"),
        in_body("card-cvc", "/card/cvv"),
        in_body("gateway-token", "/token"),
    ]
}

/// Nothing of an authorize is sent again: what became of it is looked up by its receipt.
fn operations() -> Vec<OperationRules> {
    let find = Resolution::FindByOperationId(LOOKUP_SETTLES_S);
    vec![
        rules(OperationKind::Authorize, &[find, Resolution::AwaitWebhook], PAYMENT_SETTLES_S),
        rules(OperationKind::Complete, &[Resolution::GetByReference, Resolution::AwaitWebhook], PAYMENT_SETTLES_S),
        rules(
            OperationKind::Capture,
            &[Resolution::Resend(CAPTURE_RESEND_S), Resolution::GetByReference, Resolution::AwaitWebhook],
            PAYMENT_SETTLES_S,
        ),
        rules(
            OperationKind::Refund,
            &[Resolution::Resend(REFUND_RESEND_S), find, Resolution::AwaitWebhook],
            REFUND_SETTLES_S,
        ),
        rules(OperationKind::Sync, &[], LOOKUP_SETTLES_S),
    ]
}
