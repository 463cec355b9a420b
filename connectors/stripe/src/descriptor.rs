//! What the connector says of itself: settings, where secrets and card data may stand, and how an operation whose
//! outcome is unknown can be found out.

use interlock_connector::describe::{Places, rules, setting};
use interlock_connector::types::{
    Descriptor, Features, Location, Method, OperationKind, OperationRules, Placement, Resolution, Setting, SettingKind,
};

/// Stripe, or what an account has in its place.
const ORIGIN: &str = "setting:base_url";
/// A base URL may have a path of its own, so that no narrower prefix would hold.
const ANY_PATH: &str = "/";
/// Where holes may be filled.
const PLACES: Places<'_> = Places { origin: ORIGIN, path_prefix: ANY_PATH };
/// How long Stripe remembers an idempotency key, at least: a day.
const KEY_WINDOW_S: u32 = 86_400;
/// After this long, what Stripe does not know of counts as never received. Stripe does not say for how long a request may
/// be under way: its own libraries wait for 80 seconds, which bounds the waiting and not the work. A quarter of an hour is
/// a guess with much to spare.
const LOOKUP_SETTLES_S: u32 = 900;
/// The longest that a card payment is `processing`, or waits for its customer: a day.
const PAYMENT_S: u32 = 86_400;
/// The longest that a refund stays pending, where the account's balance has to be filled first: a month.
const REFUND_S: u32 = 30 * 86_400;

/// Apple's and Google's wallets by a token of Stripe's, and stored payment methods.
const METHODS: [&str; 4] = ["card", "wallet:apple_pay", "wallet:google_pay", "gateway_token"];

pub fn descriptor() -> Descriptor {
    Descriptor {
        name: "stripe".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        display_name: "Stripe".to_owned(),
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
        setting("base_url", SettingKind::Url, "Where Stripe is, without /v1.").identity().or("https://api.stripe.com"),
        setting(
            "api_key",
            SettingKind::Secret,
            "The secret or restricted key (sk_… or rk_…): dashboard, Developers, API keys.",
        )
        .required(),
        setting(
            "webhook_secret",
            SettingKind::Secret,
            "The endpoint's signing secret (whsec_…): dashboard, Developers, Webhooks. Without it webhooks are refused, \
             and only asking tells what became of a pending payment.",
        ),
        setting(
            "stripe_account",
            SettingKind::Text,
            "Of a Connect platform alone: the connected account (acct_…) in whose name requests are made.",
        )
        .identity(),
        setting(
            "multicapture",
            SettingKind::Text,
            "if_available: asks for authorizations that can be captured several times, which Stripe has to allow for \
             the account. off: one capture, after which the rest is released.",
        )
        .or("off"),
        setting(
            "three_d_secure",
            SettingKind::Text,
            "When the customer is to be authenticated, in Stripe's words: automatic (where it is required), any, or \
             challenge.",
        )
        .or("automatic"),
    ]
}

fn placements() -> Vec<Placement> {
    let placement = |hole: &str, method, location, name: &str| PLACES.placement(hole, method, location, name);
    let field = |hole: &str, name: &str| placement(hole, Method::Post, Location::FormField, name);
    vec![
        placement("secret:api_key", Method::Get, Location::Header, "authorization"),
        placement("secret:api_key", Method::Post, Location::Header, "authorization"),
        field("card-number", "payment_method_data[card][number]"),
        field("card-expiry-month", "payment_method_data[card][exp_month]"),
        field("card-expiry-year", "payment_method_data[card][exp_year]"),
        field("card-cvc", "payment_method_data[card][cvc]"),
        field("card-holder", "payment_method_data[billing_details][name]"),
        field("wallet-token", "payment_method_data[card][token]"),
        field("gateway-token", "payment_method"),
    ]
}

/// Of an authorize Stripe is asked by its search, which lags behind: it may find, and what it does not find proves
/// nothing. Lists and single objects are up to date.
fn operations() -> Vec<OperationRules> {
    let resend = Resolution::Resend(KEY_WINDOW_S);
    let find = Resolution::FindByOperationId(LOOKUP_SETTLES_S);
    let writes = [resend, find, Resolution::AwaitWebhook];
    vec![
        rules(OperationKind::Authorize, &writes, PAYMENT_S),
        rules(OperationKind::Complete, &[Resolution::GetByReference, Resolution::AwaitWebhook], PAYMENT_S),
        rules(OperationKind::Capture, &writes, PAYMENT_S),
        rules(OperationKind::Cancel, &writes, LOOKUP_SETTLES_S),
        rules(OperationKind::Refund, &writes, REFUND_S),
        rules(OperationKind::Sync, &[], LOOKUP_SETTLES_S),
    ]
}
