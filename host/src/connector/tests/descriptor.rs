//! What a descriptor may say.

use super::fixture::descriptor;
use crate::connector::{
    descriptor::check,
    types::{Descriptor, KeyEncoding, Location, Method, Placement, Resolution, Setting, SettingKind},
};

fn secret(name: &str) -> Setting {
    Setting {
        name: name.to_owned(),
        kind: SettingKind::Secret,
        key_encoding: KeyEncoding::Utf8,
        required: true,
        default: None,
        help: "where to find it".to_owned(),
        identity: false,
    }
}

fn placement(hole: &str, location: Location, name: &str) -> Placement {
    Placement {
        hole: hole.to_owned(),
        method: Method::Post,
        origin: "https://gateway.example".to_owned(),
        path_prefix: "/v1/".to_owned(),
        location,
        name: name.to_owned(),
    }
}

fn full() -> Descriptor {
    let mut full = descriptor();
    full.methods =
        ["card", "upi_collect", "upi_intent", "upi_qr", "wallet:acme_pay", "gateway_token"].map(str::to_owned).into();
    full.settings.push(secret("api_key"));
    full.placements = vec![
        placement("secret:api_key", Location::Header, "authorization"),
        placement("session:access_token", Location::Header, "authorization"),
        placement("card-number", Location::JsonString, "/card/number"),
        placement("card-cvc", Location::FormField, "card[cvc]"),
        placement("wallet-token", Location::RawBody, ""),
    ];
    full.placements[2].origin = "setting:base_url".to_owned();
    full
}

#[test]
fn a_full_descriptor_passes() {
    assert_eq!(check(&full()), Vec::<String>::new());
}

/// Each change is one fault, and the fault names what is wrong.
#[test]
fn every_rule_is_told_by_name() {
    type Change = fn(&mut Descriptor);
    let table: &[(&str, Change)] = &[
        ("\"Mock\"", |d| d.name = "Mock".to_owned()),
        ("\"1mock\"", |d| d.name = "1mock".to_owned()),
        ("\"mock-\"", |d| d.name = "mock-".to_owned()),
        ("the name \"\"", |d| d.name = String::new()),
        ("the name", |d| d.name = "a".repeat(64)),
        ("\"1.0\"", |d| d.version = "1.0".to_owned()),
        ("display name", |d| d.display_name = " ".to_owned()),
        ("display name", |d| d.display_name = "a\nb".to_owned()),
        ("`methods` is empty", |d| d.methods.clear()),
        ("\"cash\"", |d| d.methods.push("cash".to_owned())),
        ("\"wallet:\"", |d| d.methods.push("wallet:".to_owned())),
        ("methods: an entry", |d| d.methods.push("card".to_owned())),
        ("\"usd\"", |d| d.currencies.push("usd".to_owned())),
        ("currencies: an entry", |d| d.currencies.push("EUR".to_owned())),
        ("`origins` is empty", |d| {
            d.origins.clear();
            d.placements.clear();
        }),
        ("http://gateway.example", |d| d.origins.push("http://gateway.example".to_owned())),
        ("https://gateway.example/", |d| d.origins.push("https://gateway.example/".to_owned())),
        ("https://gateway.example:443", |d| d.origins.push("https://gateway.example:443".to_owned())),
        ("https://Gateway.example", |d| d.origins.push("https://Gateway.example".to_owned())),
        ("https://user@gateway.example", |d| d.origins.push("https://user@gateway.example".to_owned())),
        ("https://*.example", |d| d.origins.push("https://*.example/*".to_owned())),
        ("setting:nothing", |d| d.origins.push("setting:nothing".to_owned())),
        ("setting:api_key", |d| d.origins.push("setting:api_key".to_owned())),
        ("settings: an entry", |d| d.settings.push(secret("api_key"))),
        ("\"Api-Key\"", |d| d.settings.push(secret("Api-Key"))),
        ("\"api_key\" has a default", |d| d.settings[1].default = Some("x".to_owned())),
        ("not a URL", |d| d.settings[0].default = Some("somewhere".to_owned())),
        ("the help", |d| d.settings[0].help = "x".repeat(1001)),
        ("the help", |d| d.settings[0].help = "\u{1b}[2Jnothing to see".to_owned()),
        ("display name", |d| d.display_name = "Str\u{202e}epi".to_owned()),
        ("\"card-pin\"", |d| d.placements[2].hole = "card-pin".to_owned()),
        ("\"secret:other\"", |d| d.placements[0].hole = "secret:other".to_owned()),
        ("\"secret:base_url\"", |d| d.placements[0].hole = "secret:base_url".to_owned()),
        ("https://elsewhere.example", |d| d.placements[0].origin = "https://elsewhere.example".to_owned()),
        ("path prefix", |d| d.placements[0].path_prefix = "v1".to_owned()),
        // What an operator reads before approving it cannot be made to say something else.
        ("path prefix", |d| d.placements[0].path_prefix = "/`. It can do nothing else: `".to_owned()),
        ("path prefix", |d| d.placements[0].path_prefix = "/v1\n".to_owned()),
        ("path prefix", |d| d.placements[0].path_prefix = "/".repeat(256)),
        ("no JSON pointer", |d| d.placements[2].name = "/card` and nowhere else. `".to_owned()),
        ("no form field", |d| d.placements[3].name = "note\u{202e}".to_owned()),
        ("no form field", |d| d.placements[3].name = "x".repeat(256)),
        ("no header", |d| d.placements[0].name = "Authorization".to_owned()),
        ("no header", |d| d.placements[0].name = "a b".to_owned()),
        ("no JSON pointer", |d| d.placements[2].name = "card.number".to_owned()),
        ("no form field", |d| d.placements[3].name.clear()),
        ("`operations` is empty", |d| d.operations.clear()),
        ("operations: an entry", |d| d.operations.push(d.operations[0].clone())),
        ("longer than a year", |d| d.operations[0].resolutions.push(Resolution::Resend(u32::MAX))),
        ("longer than a year", |d| d.operations[0].settles_within_seconds = u32::MAX),
        ("placements: 300", |d| d.placements = vec![d.placements[0].clone(); 300]),
    ];
    for (expected, change) in table {
        let mut changed = full();
        change(&mut changed);
        let faults = check(&changed);
        assert_eq!(faults.len(), 1, "{expected}: {faults:?}");
        assert!(faults[0].contains(expected), "{expected}: {faults:?}");
    }
}
