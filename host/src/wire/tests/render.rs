//! What fills a hole reads back, in every place, as what it was.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fixtures::{API_KEY, CARD_NUMBER, charge, holes, permit, text};
use crate::connector::types::{
    Body, Computation, Computed, Digest, Encoding, KeyEncoding, Mac, Material, Request, Segment,
};
use crate::vault::{Holes, Secret};
use crate::wire::check::check;
use crate::wire::render::{Rendered, render};
use crate::wire::{Refused, Schemes};

const BASE: &str = "https://api.example.com";
const BODY_MAX: usize = 64 * 1024;

fn rendered_with(request: &Request, holes: &Holes) -> Result<Rendered, Refused> {
    let checked = check(request, &permit(BASE), Schemes::HttpsOnly)?;
    render(request, &checked, holes, BODY_MAX)
}

fn rendered(request: &Request) -> Rendered {
    let Ok(rendered) = rendered_with(request, &holes()) else { panic!("must render") };
    rendered
}

#[track_caller]
fn refused(request: &Request, holes: &Holes) -> Refused {
    match rendered_with(request, holes) {
        Err(refused) => refused,
        Ok(_) => panic!("must be refused"),
    }
}

fn header(name: &str, value: Vec<Segment>) -> Request {
    let mut request = charge(BASE);
    request.headers.push((name.to_owned(), value));
    request
}

/// Texts that a careless escape would let out of their place.
fn nasty() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "plain",
        "\"",
        "\\",
        "\\\"",
        "a\"},\"admin\":true,\"x\":\"",
        "\u{0}\u{1f}\n\r\t\u{8}\u{c}",
        "\u{7f}\u{2028}é💳",
        "&a=b%26+ ;",
        "]]>",
        "\u{FDD0}0\u{FDD1}",
    ]
    .map(str::to_owned)
    .to_vec();
    // And mixtures of all of them, the same in every run.
    let alphabet: Vec<char> = "a\"\\\u{0}\n/&=+% é💳{}[]:,".chars().collect();
    let mut state = 7_usize;
    for length in 0..200 {
        let mut mixed = String::new();
        for _ in 0..length % 23 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            mixed.push(alphabet[(state >> 33) % alphabet.len()]);
        }
        texts.push(mixed);
    }
    texts
}

#[test]
fn json_reads_back_what_filled_it() {
    let request = Request {
        body: Body::Json(vec![text(r#"{"a":1,"method":{"holder":"<"#), Segment::CardHolder, text(r#">"},"z":2}"#)]),
        ..charge(BASE)
    };
    for value in nasty() {
        let permit = permit(BASE);
        let checked = check(&request, &permit, Schemes::HttpsOnly).unwrap();
        // The holder is the hole with the freest text; a session stands for it where the vault would not take it.
        let holes = Holes::new().with_session("holder", Secret::from(value.as_str()));
        let as_session = |segment: &Segment| match segment {
            Segment::CardHolder => Segment::Session("holder".to_owned()),
            other => other.clone(),
        };
        let Body::Json(template) = &request.body else { unreachable!() };
        let request = Request { body: Body::Json(template.iter().map(as_session).collect()), ..request.clone() };
        let Ok(rendered) = render(&request, &checked, &holes, BODY_MAX) else { panic!("must render") };
        let read: serde_json::Value = serde_json::from_slice(&rendered.body).unwrap();
        let wanted = serde_json::json!({ "a": 1, "method": { "holder": format!("<{value}>") }, "z": 2 });
        assert_eq!(read, wanted, "{value:?}");
    }
}

#[test]
fn forms_read_back_what_filled_them() {
    for value in nasty() {
        let body = Body::Form(vec![
            ("a&b".to_owned(), vec![text("1 2")]),
            ("value".to_owned(), vec![text("<"), Segment::Session("value".to_owned()), text(">")]),
            ("z".to_owned(), vec![]),
        ]);
        let request = Request { body, ..charge(BASE) };
        let checked = check(&charge(BASE), &permit(BASE), Schemes::HttpsOnly).unwrap();
        let holes = Holes::new().with_session("value", Secret::from(value.as_str()));
        let Ok(rendered) = render(&request, &checked, &holes, BODY_MAX) else { panic!("must render") };
        let read: Vec<(String, String)> = url::form_urlencoded::parse(&rendered.body).into_owned().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read, [pair("a&b", "1 2"), pair("value", &format!("<{value}>")), pair("z", "")], "{value:?}");
        assert_eq!(rendered.headers["content-type"], "application/x-www-form-urlencoded");
    }
}

/// A connector that hopes for a template language that fills what looks like a hole: there is none, text is text.
#[test]
fn text_that_looks_like_a_hole_is_text() {
    for words in ["{{card-number}}", "${secret:api_key}", "%(api_key)s", "<card-number/>", "[card-number]", "{api_key}"]
    {
        let json = Request { body: Body::Json(vec![text(&format!("{{\"note\":\"{words}\"}}"))]), ..charge(BASE) };
        assert_eq!(rendered(&json).body.as_slice(), format!("{{\"note\":\"{words}\"}}").as_bytes());
        let said = header("x-note", vec![text(words)]);
        assert_eq!(rendered(&said).headers["x-note"], words);
    }
}

#[test]
fn raw_bodies_are_filled_as_they_are() {
    let template = vec![text("<key>"), Segment::Secret("api_key".to_owned()), text("</key>")];
    let request = Request { body: Body::Raw(("text/xml; charset=utf-8".to_owned(), template)), ..charge(BASE) };
    let rendered = rendered(&request);
    assert_eq!(*rendered.body, format!("<key>{API_KEY}</key>").into_bytes());
    assert_eq!(rendered.headers["content-type"], "text/xml; charset=utf-8");
}

#[test]
fn headers_take_visible_ascii_alone() {
    let bearer = || header("authorization", vec![text("Bearer "), Segment::Secret("short".to_owned())]);
    let rendered = rendered(&bearer());
    assert_eq!(rendered.headers["authorization"], "Bearer abc");
    assert!(rendered.headers["authorization"].is_sensitive());
    for value in ["a\r\nx-evil: 1", "a\nb", "ä", "\u{0}"] {
        let holes = Holes::new().with_secret("short", KeyEncoding::Utf8, vec![Secret::from(value)]);
        let holes = holes.with_card(&card()).with_code(Secret::from("123"));
        let refused = refused(&bearer(), &holes);
        assert!(matches!(refused, Refused::ValueUnfit { .. }), "{value:?}: {refused:?}");
        assert!(!refused.to_string().contains(value));
    }
    let trailing = header("x-note", vec![text("abc ")]);
    assert!(matches!(refused(&trailing, &holes()), Refused::Header { .. }));
}

fn card() -> crate::vault::Card {
    let entry = crate::vault::CardEntry::parse(CARD_NUMBER, 5, 2030, None, None, (2026, 1));
    let Ok(entry) = entry else { panic!("the fixture's card is sound") };
    entry.card
}

#[test]
fn basic_authentication_is_encoded_by_the_host() {
    let pair = |first: &str, second: &str| Segment::BasicAuth((first.to_owned(), second.to_owned()));
    let request = header("authorization", vec![text("Basic "), pair("api_key", "")]);
    let wanted = format!("Basic {}", STANDARD.encode(format!("{API_KEY}:")));
    assert_eq!(rendered(&request).headers["authorization"], wanted.as_str());
    let request = header("authorization", vec![text("Basic "), pair("short", "api_key")]);
    let wanted = format!("Basic {}", STANDARD.encode(format!("abc:{API_KEY}")));
    assert_eq!(rendered(&request).headers["authorization"], wanted.as_str());
}

#[test]
fn a_hole_without_a_value_is_refused() {
    let refused = refused(&charge(BASE), &Holes::new().with_card(&card()));
    assert_eq!(refused, Refused::NoValue { hole: "card-cvc".to_owned() });
}

#[test]
fn a_body_beyond_its_bound_is_refused() {
    let long = "a".repeat(BODY_MAX);
    let request = Request { body: Body::Json(vec![text("\""), text(&long), text("\"")]), ..charge(BASE) };
    assert!(matches!(refused(&request, &holes()), Refused::TooLarge { .. }));
}

/// What is signed is what is sent: the digest is of the filled body, the MAC of the digest, in the order given.
#[test]
fn computed_values_are_over_the_bytes_that_leave() {
    let mut request = header("x-signature", vec![text("v1="), Segment::Computed("signature".to_owned())]);
    request.headers.push(("x-sum".to_owned(), vec![Segment::Computed("sum".to_owned())]));
    request.url = format!("{BASE}:443/charges?a=b");
    request.computed = vec![
        Computed {
            name: "sum".to_owned(),
            computation: Computation::Digest(Digest::Sha256),
            over: vec![Material::RenderedBody],
            encoding: Encoding::Base64,
        },
        Computed {
            name: "signature".to_owned(),
            computation: Computation::Mac((Mac::HmacSha256, "hex_key".to_owned())),
            over: vec![
                Material::Literal("POST\n".to_owned()),
                Material::RenderedUrl,
                Material::Literal("\n".to_owned()),
                Material::Computed("sum".to_owned()),
            ],
            encoding: Encoding::Hex,
        },
    ];
    let rendered = rendered(&request);
    let sum = STANDARD.encode(digest::digest(&digest::SHA256, &rendered.body));
    assert_eq!(rendered.headers["x-sum"], sum.as_str());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[0x0b; 20]);
    // As sent: without the port that the scheme has anyway.
    let tag = hmac::sign(&key, format!("POST\nhttps://api.example.com/charges?a=b\n{sum}").as_bytes());
    let hex = tag.as_ref().iter().fold("v1=".to_owned(), |hex, byte| format!("{hex}{byte:02x}"));
    assert_eq!(rendered.headers["x-signature"], hex.as_str());
    assert_eq!(rendered.target.to_string(), "/charges?a=b");
}

/// RFC 4231, test case 1, by way of a secret entered in hex.
#[test]
fn macs_match_a_known_vector() {
    let mut request = header("x-signature", vec![Segment::Computed("signature".to_owned())]);
    request.computed = vec![Computed {
        name: "signature".to_owned(),
        computation: Computation::Mac((Mac::HmacSha256, "hex_key".to_owned())),
        over: vec![Material::Literal("Hi There".to_owned())],
        encoding: Encoding::Hex,
    }];
    let wanted = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
    assert_eq!(rendered(&request).headers["x-signature"], wanted);
}

#[test]
fn a_computed_value_may_stand_in_the_body() {
    let body = Body::Json(vec![text(r#"{"sum":""#), Segment::Computed("sum".to_owned()), text(r#""}"#)]);
    let computed = Computed {
        name: "sum".to_owned(),
        computation: Computation::Digest(Digest::Sha512),
        over: vec![Material::RenderedUrl],
        encoding: Encoding::Hex,
    };
    let rendered = rendered(&Request { body, computed: vec![computed], ..charge(BASE) });
    assert_eq!(rendered.body.len(), r#"{"sum":""}"#.len() + 128);
}
