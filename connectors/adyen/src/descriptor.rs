//! What the connector says of itself: settings, where secrets and card data may stand, and how an operation whose
//! outcome is unknown can be found out.

use interlock_connector::describe::{Places, rules, setting};
use interlock_connector::types::{
    Descriptor, Features, KeyEncoding, Location, Method, OperationKind, OperationRules, Placement, Resolution, Setting,
    SettingKind,
};

/// The gateway as its account names it.
const ORIGIN: &str = "setting:base_url";
/// The live URL has a path of its own before the version, so that no narrower prefix would hold.
const ANY_PATH: &str = "/";
/// Where holes may be filled.
const PLACES: Places<'_> = Places { origin: ORIGIN, path_prefix: ANY_PATH };
/// Where Adyen's test environment is. Live, every company has a host of its own, so there is nothing better to assume.
const TEST_URL: &str = "https://checkout-test.adyen.com";

/// How long Adyen remembers an idempotency key: seven days at the least, by its documentation over the years.
const KEY_WINDOW_S: u32 = 7 * 86_400;
/// A customer who pays in an app of the bank's has that long.
const PAYMENT_SETTLES_S: u32 = 3 * 86_400;
/// `CAPTURE` and `CANCELLATION` come within minutes, and in bad times within days.
const CAPTURE_SETTLES_S: u32 = 3 * 86_400;
/// `REFUND` comes when the refund was sent on to the network; some methods take their time.
const REFUND_SETTLES_S: u32 = 14 * 86_400;

const METHODS: [&str; 4] = ["card", "wallet:apple_pay", "wallet:google_pay", "gateway_token"];

pub fn descriptor() -> Descriptor {
    Descriptor {
        name: "adyen".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        display_name: "Adyen".to_owned(),
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
    let setting = |name: &str, kind, help: &str| setting(name, kind, help).required();
    vec![
        Setting {
            default: Some(TEST_URL.to_owned()),
            identity: true,
            ..setting(
                "base_url",
                SettingKind::Url,
                "Everything that stands before /v71 in the URL of the Checkout API. Live: \
                 https://PREFIX-checkout-live.adyenpayments.com/checkout, with the prefix that the Customer Area shows \
                 under Developers, API URLs.",
            )
        },
        Setting {
            identity: true,
            ..setting(
                "merchant_account",
                SettingKind::Text,
                "The merchant account that payments are made for, as the Customer Area spells it.",
            )
        },
        setting(
            "api_key",
            SettingKind::Secret,
            "The API key of a web service user with the role for Checkout; the Customer Area makes it under \
             Developers, API credentials.",
        ),
        Setting {
            key_encoding: KeyEncoding::Hex,
            required: false,
            ..setting(
                "webhook_secret",
                SettingKind::Secret,
                "The HMAC key of the standard webhook, 64 hexadecimal digits; the Customer Area makes it under \
                 Developers, Webhooks. Without it webhooks are refused, and nobody learns what became of captures, \
                 cancels and refunds.",
            )
        },
    ]
}

fn placements() -> Vec<Placement> {
    let placement = |hole: &str, location, name: &str| PLACES.placement(hole, Method::Post, location, name);
    let in_method = |hole: &str, name: &str| placement(hole, Location::JsonString, &["/paymentMethod/", name].concat());
    vec![
        placement("secret:api_key", Location::Header, "x-api-key"),
        in_method("card-number", "number"),
        in_method("card-expiry-month", "expiryMonth"),
        in_method("card-expiry-year", "expiryYear"),
        in_method("card-cvc", "cvc"),
        in_method("card-holder", "holderName"),
        in_method("wallet-token", "applePayToken"),
        in_method("wallet-token", "googlePayToken"),
        in_method("gateway-token", "storedPaymentMethodId"),
    ]
}

/// There is no sync: nothing can be asked. A capture, cancel or refund that Adyen has received is settled by its webhook
/// alone, and so is a payment that waits for its customer.
fn operations() -> Vec<OperationRules> {
    let rules = |kind, settles_within_seconds| {
        rules(kind, &[Resolution::Resend(KEY_WINDOW_S), Resolution::AwaitWebhook], settles_within_seconds)
    };
    let mut authorize = rules(OperationKind::Authorize, PAYMENT_SETTLES_S);
    authorize.resolutions.push(Resolution::CancelByOperationId);
    vec![
        authorize,
        rules(OperationKind::Complete, PAYMENT_SETTLES_S),
        rules(OperationKind::Capture, CAPTURE_SETTLES_S),
        rules(OperationKind::Cancel, CAPTURE_SETTLES_S),
        rules(OperationKind::Refund, REFUND_SETTLES_S),
    ]
}
