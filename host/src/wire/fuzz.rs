//! What is promised of requests that connectors ask for and of replies that they see, for fuzzing: see
//! [`crate::fuzzing`].

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{
    Allowed, Origin, Permit, Schemes, Scrubber,
    check::check,
    placement::Step,
    placement::pointer_names,
    render::{Rendered, render},
};
use crate::{
    connector::types::{Body, Descriptor, KeyEncoding, Location, Method, Pairs, Request},
    fuzzing::Dice,
    vault::{CardEntry, Holes, Secret},
};

const BODY_MAX_BYTES: usize = 1 << 20;

/// What fills the holes, by the names of the holes: nothing that is there by accident.
const FILLED: [(&str, &str); 5] = [
    ("card-number", "4917610000000000"),
    ("secret:api_key", "canary-Hk2/x+ \"key\"-9c41"),
    ("secret:webhook_secret", "canary-whsec-77e0"),
    ("session:access_token", "canary-session-51c2"),
    ("wallet-token", "canary-wallet-0b6d"),
];

static HOLES: LazyLock<Holes> = LazyLock::new(|| {
    let entry = CardEntry::parse(value_of("card-number"), 5, 2030, Some("864"), Some("Z. Quack"), (2026, 1));
    let Ok(entry) = entry else { unreachable!("the card is sound") };
    let secret = |name: &str| vec![Secret::from(value_of(&format!("secret:{name}")))];
    Holes::new()
        .with_secret("api_key", KeyEncoding::Utf8, secret("api_key"))
        .with_secret("webhook_secret", KeyEncoding::Utf8, secret("webhook_secret"))
        .with_session("access_token", Secret::from(value_of("session:access_token")))
        .with_wallet_token(Secret::from(value_of("wallet-token")))
        .with_card(&entry.card)
        .with_code(Secret::from("864"))
});

/// Two origins, and each location once.
static PERMIT: LazyLock<Permit> = LazyLock::new(|| {
    let origin = |text: &str| Origin::of(&Url::parse(text).expect("it is written here")).expect("it is https");
    let (api, files) = (origin("https://api.example.com"), origin("https://files.example.com:8443"));
    let placement = |hole: &str, location, name: &str| Allowed {
        hole: hole.to_owned(),
        method: Method::Post,
        origin: api.clone(),
        path_prefix: "/v1/charges".to_owned(),
        location,
        name: name.to_owned(),
    };
    let placements = vec![
        placement("secret:api_key", Location::Header, "authorization"),
        placement("session:access_token", Location::Header, "authorization"),
        placement("computed:sum", Location::Header, "x-signature"),
        placement("card-number", Location::JsonString, "/method/number"),
        placement("card-number", Location::JsonString, "/items/*/number"),
        placement("wallet-token", Location::JsonString, "/number"),
        placement("card-number", Location::FormField, "card[number]"),
        placement("secret:api_key", Location::RawBody, ""),
    ];
    Permit { origins: vec![api.clone(), files], placements }
});

fn value_of(hole: &str) -> &'static str {
    FILLED.iter().find(|(name, _)| *name == hole).map_or("", |(_, value)| value)
}

/// Whatever a connector asks for goes to an origin of its permit with every hole in a place of its permit, or nowhere.
pub fn request(request: &Request) {
    request_of(request, &PERMIT);
}

/// A descriptor that passed makes a permit for no other origins than it names, whatever the account's settings are.
pub fn descriptor(descriptor: &Descriptor, dice: &mut Dice<'_>) {
    let settings: Pairs = dice.roll();
    let Ok(permit) = Permit::new(descriptor, &settings) else { return };
    assert!(permit.placements.iter().all(|placement| permit.origins.contains(&placement.origin)));
    request_of(&dice.roll(), &permit);
}

/// As [`request`], under another permit.
fn request_of(request: &Request, permit: &Permit) {
    let Ok(checked) = check(request, permit, Schemes::HttpsOnly) else { return };
    assert!(permit.origins.contains(&checked.origin), "{} is not approved", checked.origin);
    let Ok(rendered) = render(request, &checked, &HOLES, BODY_MAX_BYTES) else { return };
    let sent = Url::parse(&format!("{}{}", checked.origin, rendered.target)).expect("what is sent is a URL");
    assert_eq!(Origin::of(&sent).as_ref(), Some(&checked.origin), "another host is asked");
    assert_eq!(sent.path(), checked.url.path(), "another path is asked for");
    is_framed_by_the_host(&rendered, &checked.origin);
    // A connector that knows a value by itself does not get it from us.
    let own_words = serde_json::to_string(request).expect("it can be written down");
    if FILLED.iter().all(|(_, value)| !own_words.contains(value)) {
        let seen = Seen { permit, method: request.method, origin: &checked.origin, path: sent.path() };
        seen.holes_are_in_their_places(request, &rendered);
    }
}

fn is_framed_by_the_host(rendered: &Rendered, origin: &Origin) {
    let headers = &rendered.headers;
    for name in headers.keys() {
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name} stands there twice");
    }
    assert_eq!(headers["host"].as_bytes(), origin.authority().as_bytes());
    assert!(headers.values().all(|value| !value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))));
    assert!(
        ["transfer-encoding", "connection", "upgrade", "te", "expect"].iter().all(|name| !headers.contains_key(*name))
    );
    let length = headers.get("content-length").map_or("0", |value| value.to_str().expect("it is a number"));
    assert_eq!(length, rendered.body.len().to_string());
}

/// A request as its gateway sees it.
struct Seen<'a> {
    permit: &'a Permit,
    method: Method,
    origin: &'a Origin,
    path: &'a str,
}

impl Seen<'_> {
    fn holes_are_in_their_places(&self, request: &Request, rendered: &Rendered) {
        assert_eq!(holes_in(rendered.target.to_string().as_bytes()), Vec::<&str>::new(), "in the URL");
        for (name, value) in &rendered.headers {
            let mut holes = holes_in(value.as_bytes());
            let basic = value.to_str().ok().and_then(|text| text.strip_prefix("Basic "));
            holes.extend(basic.and_then(|text| STANDARD.decode(text).ok()).iter().flat_map(|pair| holes_in(pair)));
            self.may_hold(&holes, Location::Header, |allowed| allowed.eq_ignore_ascii_case(name.as_str()));
        }
        match &request.body {
            Body::Empty => assert!(rendered.body.is_empty()),
            Body::Json(_) => {
                let body: Value =
                    serde_json::from_slice(&rendered.body).expect("a JSON body is JSON when it is filled");
                self.walk(&body, &mut Vec::new());
            }
            Body::Form(_) => {
                for (name, value) in form_urlencoded::parse(&rendered.body) {
                    assert_eq!(holes_in(name.as_bytes()), Vec::<&str>::new(), "in a field's name");
                    self.may_hold(&holes_in(value.as_bytes()), Location::FormField, |allowed| allowed == name);
                }
            }
            Body::Raw(_) => self.may_hold(&holes_in(&rendered.body), Location::RawBody, |_| true),
        }
    }

    fn walk(&self, value: &Value, path: &mut Vec<Step>) {
        match value {
            Value::String(text) => {
                self.may_hold(&holes_in(text.as_bytes()), Location::JsonString, |allowed| pointer_names(allowed, path));
            }
            Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| {
                path.push(Step::Index(index));
                self.walk(item, path);
                path.pop();
            }),
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                assert_eq!(holes_in(name.as_bytes()), Vec::<&str>::new(), "in a member's name");
                path.push(Step::Key(name.clone()));
                self.walk(member, path);
                path.pop();
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn may_hold(&self, holes: &[&str], location: Location, is_named: impl Fn(&str) -> bool) {
        for hole in holes {
            let allowed = self.permit.placements.iter().any(|placement| {
                placement.hole == *hole
                    && placement.method == self.method
                    && placement.origin == *self.origin
                    && self.path.starts_with(&placement.path_prefix)
                    && placement.location == location
                    && is_named(&placement.name)
            });
            assert!(allowed, "{hole} has left the host in a place that nobody approved ({location:?})");
        }
    }
}

/// The holes whose values stand in `bytes`.
fn holes_in(bytes: &[u8]) -> Vec<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    FILLED.iter().filter(|(_, value)| text.contains(value)).map(|(hole, _)| *hole).collect()
}

/// Whatever a gateway answers, what was filled in is not in what a connector and the journal get.
pub fn reply(dice: &mut Dice<'_>) {
    let scrubber = Scrubber::new(&HOLES);
    let content_types =
        ["application/json", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"];
    let content_type = content_types.get(dice.below(content_types.len())).copied().unwrap_or_default();
    let echoed = FILLED.get(dice.below(FILLED.len())).map_or("", |(_, value)| value);
    let spelled = match dice.below(4) {
        0 => echoed.to_owned(),
        1 => form_urlencoded::byte_serialize(echoed.as_bytes()).collect(),
        2 => STANDARD.encode(echoed),
        _ => Value::from(echoed).to_string(),
    };
    let before = dice.text();
    let body = [before.as_bytes(), spelled.as_bytes(), dice.rest()].concat();
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    if let Ok(value) = http::HeaderValue::from_str(&spelled) {
        headers.insert("x-echo", value);
    }
    let reply = scrubber.response(200, &headers, &body);
    let is_there = |bytes: &[u8]| bytes.windows(spelled.len()).any(|window| window == spelled.as_bytes());
    assert!(!is_there(&reply.body), "{spelled:?} came through the body");
    assert!(reply.headers.iter().all(|(_, value)| !is_there(value.as_bytes())), "{spelled:?} came through a header");
}
