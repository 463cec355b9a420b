//! Descriptors, requests and holes as the tests need them.

use crate::connector::types::{
    Body, Descriptor, Effect, Features, KeyEncoding, Location, Method, Placement, Request, Segment, Setting,
    SettingKind,
};
use crate::vault::{CardEntry, Holes, Secret};
use crate::wire::Permit;

pub const CARD_NUMBER: &str = "4242424242424242";
pub const API_KEY: &str = "sk_test/51+Hx \"é\"_Secret";

pub fn setting(name: &str, required: bool) -> Setting {
    Setting {
        name: name.to_owned(),
        kind: SettingKind::Url,
        key_encoding: KeyEncoding::Utf8,
        required,
        default: None,
        help: String::new(),
        identity: true,
    }
}

/// A descriptor with these origins and the setting `base_url`.
pub fn descriptor(origins: &[&str]) -> Descriptor {
    Descriptor {
        name: "test".to_owned(),
        version: "1.0.0".to_owned(),
        display_name: "Test".to_owned(),
        methods: vec!["card".to_owned()],
        currencies: Vec::new(),
        origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        settings: vec![setting("base_url", true)],
        placements: Vec::new(),
        operations: Vec::new(),
        features: Features { partial_capture: true, multiple_capture: true, partial_refund: true, cancel: true },
    }
}

/// A placement in a JSON string of a POST.
pub fn placement(hole: &str, origin: &str, path_prefix: &str, name: &str) -> Placement {
    Placement {
        hole: hole.to_owned(),
        method: Method::Post,
        origin: origin.to_owned(),
        path_prefix: path_prefix.to_owned(),
        location: Location::JsonString,
        name: name.to_owned(),
    }
}

/// A permit for POSTs to `base`: the card's holes under `/method`, the key in `authorization`, and every other
/// location once.
pub fn permit(base: &str) -> Permit {
    let mut descriptor = descriptor(&["setting:base_url"]);
    let origin = "setting:base_url";
    for (hole, pointer) in [
        ("card-number", "/method/number"),
        ("card-cvc", "/method/cvc"),
        ("card-holder", "/method/holder"),
        ("card-expiry-month", "/method/expiry_month"),
        ("card-expiry-year", "/method/expiry_year"),
        ("computed:sum", "/sum"),
        ("card-number", "/items/*/number"),
    ] {
        descriptor.placements.push(placement(hole, origin, "/charges", pointer));
    }
    for (hole, location, name) in [
        ("secret:api_key", Location::Header, "Authorization"),
        ("secret:short", Location::Header, "authorization"),
        ("computed:sum", Location::Header, "x-sum"),
        ("computed:signature", Location::Header, "x-signature"),
        ("card-number", Location::FormField, "card[number]"),
        ("secret:api_key", Location::FormField, "key"),
        ("secret:api_key", Location::RawBody, ""),
    ] {
        descriptor.placements.push(Placement { location, ..placement(hole, origin, "/charges", name) });
    }
    Permit::new(&descriptor, &vec![("base_url".to_owned(), base.to_owned())]).unwrap()
}

pub fn text(part: &str) -> Segment {
    Segment::Text(part.to_owned())
}

/// A POST to `base`/charges that charges a card.
pub fn charge(base: &str) -> Request {
    Request {
        method: Method::Post,
        url: format!("{base}/charges"),
        headers: vec![("idempotency-key".to_owned(), vec![text("op_1")])],
        body: Body::Json(vec![
            text(r#"{"amount":1250,"method":{"type":"card","number":""#),
            Segment::CardNumber,
            text(r#"","cvc":""#),
            Segment::CardCvc,
            text(r#""}}"#),
        ]),
        computed: Vec::new(),
        effect: Effect::MovesMoney,
        resendable: true,
    }
}

/// A GET of `base``path`, without holes.
pub fn get(base: &str, path: &str) -> Request {
    Request {
        method: Method::Get,
        url: format!("{base}{path}"),
        headers: Vec::new(),
        body: Body::Empty,
        effect: Effect::Reads,
        ..charge(base)
    }
}

/// Card 4242… with code 123 of Zoë O'Brien, valid to May 2030, and the account's secrets.
pub fn holes() -> Holes {
    let entry = CardEntry::parse(CARD_NUMBER, 5, 2030, Some("123"), Some("Zoë O'Brien"), (2026, 1));
    let Ok(entry) = entry else { panic!("the fixture's card is sound") };
    Holes::new()
        .with_secret("api_key", KeyEncoding::Utf8, vec![Secret::from(API_KEY), Secret::from("sk_test_older_version")])
        .with_secret("short", KeyEncoding::Utf8, vec![Secret::from("abc")])
        .with_secret("hex_key", KeyEncoding::Hex, vec![Secret::from("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b")])
        .with_session("access_token", Secret::from("eyJhbGciOi.session"))
        .with_card(&entry.card)
        .with_code(Secret::from("123"))
}
