//! What a connector may ask to be sent, as tables.

use super::fixtures::{charge, get, permit, text};
use crate::connector::types::{Body, Computation, Computed, Digest, Encoding, Mac, Material, Method, Request, Segment};
use crate::wire::check::check;
use crate::wire::{Refused, Schemes};

const BASE: &str = "https://api.example.com";

fn outcome(request: &Request) -> Result<(), Refused> {
    check(request, &permit(BASE), Schemes::HttpsOnly).map(drop)
}

fn with_header(name: &str, value: &[Segment]) -> Request {
    let mut request = charge(BASE);
    request.headers.push((name.to_owned(), value.to_vec()));
    request
}

fn with_body(body: Body) -> Request {
    Request { body, ..charge(BASE) }
}

fn json(before: &str, hole: Segment, after: &str) -> Request {
    with_body(Body::Json(vec![text(before), hole, text(after)]))
}

#[test]
fn origins_are_exact() {
    for (url, allowed) in [
        ("https://api.example.com/charges", true),
        ("https://api.example.com:443/charges", true),
        ("https://API.Example.COM/charges", true),
        ("https://api.example.com:444/charges", false),
        ("https://api.example.com./charges", false),
        ("https://api.example.com.evil.example/charges", false),
        ("https://evil.example/charges", false),
        ("https://evil.example/?https://api.example.com/charges", false),
        ("https://169.254.169.254/charges", false),
        ("http://api.example.com/charges", false),
        ("wss://api.example.com/charges", false),
        ("file:///etc/passwd", false),
    ] {
        let request = Request { url: url.to_owned(), ..charge(BASE) };
        assert_eq!(outcome(&request).is_ok(), allowed, "{url}: {:?}", outcome(&request));
    }
}

#[test]
fn urls_that_two_parsers_read_differently_are_refused() {
    let ambiguous = [
        "",
        "charges",
        "/charges",
        "//api.example.com/charges",
        "https:/api.example.com/charges",
        "https:api.example.com/charges",
        "https:///api.example.com/charges",
        "https:\\\\api.example.com\\charges",
        "https://api.example.com\\@evil.example/charges",
        "https://user@api.example.com/charges",
        "https://user:pass@api.example.com/charges",
        "https://@api.example.com/charges",
        "https://evil.example#@api.example.com/charges",
        "https://api.example.com/charges#x",
        "https://api.example.com/charges#",
        "https://api.example.com/a/../charges",
        "https://api.example.com/./charges",
        "https://api.example.com/%2e%2e/charges",
        "https://api.example.com/charges/..%2fadmin",
        "https://api.example.com/charges/..%5Cadmin",
        "https://api.example.com/charges/%2E%2e%2fadmin",
        "https://api.example.com/charges/\t/x",
        "https://api.example.com/charges\r\nhost: evil",
        "https://api.example.com/char ges",
        "https://api.example.com/chärges",
        "https://äpi.example.com/charges",
        " https://api.example.com/charges",
        "https://api.example.com/charges\u{0}",
    ];
    for url in ambiguous {
        let request = Request { url: url.to_owned(), ..charge(BASE) };
        assert!(matches!(outcome(&request), Err(Refused::Url { .. })), "{url:?}: {:?}", outcome(&request));
    }
    let long = Request { url: format!("{BASE}/charges?{}", "a".repeat(9000)), ..charge(BASE) };
    assert!(matches!(outcome(&long), Err(Refused::TooLarge { .. })));
    for path in ["", "/", "/charges/ch_1%2F2", "/charges?a=/../&b=%2e%2e", "/charges/a.b/..c", "/charges//x"] {
        assert_eq!(outcome(&get(BASE, path)), Ok(()), "{path}");
    }
}

#[test]
fn headers_that_belong_to_the_host_are_refused() {
    for name in [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "proxy-authorization",
        "proxy-connection",
        "accept-encoding",
        "http2-settings",
        "content-type",
        "Host",
        "Transfer-Encoding",
        "X-Capital",
        "",
        "a b",
        "a:b",
        "a\r\nb",
        "ä",
        "transfer-encoding ",
        "idempotency-key",
    ] {
        let refused = outcome(&with_header(name, &[text("x")]));
        assert!(matches!(refused, Err(Refused::Header { .. })), "{name:?}: {refused:?}");
    }
    for name in ["authorization", "x-api-key", "user-agent", "accept", "stripe-version"] {
        assert_eq!(outcome(&with_header(name, &[text("x")])), Ok(()), "{name}");
    }
    assert_eq!(outcome(&with_header("content-type", &[text("application/vnd.api+json")])), Ok(()));
}

#[test]
fn header_values_cannot_end_the_line() {
    for value in ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\u{0}b", "ä", "a\u{7f}b", "\u{1b}[0m"] {
        let refused = outcome(&with_header("x-note", &[text(value)]));
        assert!(matches!(refused, Err(Refused::Header { .. })), "{value:?}: {refused:?}");
    }
    assert_eq!(outcome(&with_header("x-note", &[text("a\tb c")])), Ok(()));
}

#[test]
fn holes_stand_only_in_declared_places() {
    let number = || Segment::CardNumber;
    let allowed = [
        json(r#"{"method":{"number":""#, number(), r#""}}"#),
        json(r#"{"items":[{"number":"x"},{"number":""#, number(), r#""}]}"#),
        with_header("authorization", &[text("Bearer "), Segment::Secret("api_key".to_owned())]),
        with_header("authorization", &[text("Basic "), Segment::BasicAuth(("api_key".to_owned(), String::new()))]),
        with_body(Body::Form(vec![("card[number]".to_owned(), vec![number()])])),
        with_body(Body::Raw(("text/xml".to_owned(), vec![Segment::Secret("api_key".to_owned())]))),
    ];
    for request in allowed {
        assert_eq!(outcome(&request), Ok(()), "{request:?}");
    }
    let secret = || Segment::Secret("api_key".to_owned());
    let misplaced = [
        json(r#"{"description":""#, number(), r#""}"#),
        json(r#"{"method":{"cvc":""#, number(), r#""}}"#),
        json(r#"{"method":{"x":{"number":""#, number(), r#""}}}"#),
        json(r#"{"items":{"0":{"number":""#, number(), r#""}}}"#),
        json(r#"{"method":{"number":""#, secret(), r#""}}"#),
        json(r#"{"method":{"number":""#, Segment::WalletToken, r#""}}"#),
        with_header("x-note", &[secret()]),
        with_header("authorization", &[number()]),
        with_header("authorization", &[Segment::Secret("other".to_owned())]),
        with_header("authorization", &[Segment::Session("api_key".to_owned())]),
        with_header("authorization", &[Segment::BasicAuth(("api_key".to_owned(), "other".to_owned()))]),
        with_body(Body::Form(vec![("card[name]".to_owned(), vec![number()])])),
        with_body(Body::Raw(("text/xml".to_owned(), vec![number()]))),
        Request { url: format!("{BASE}/charges_evil"), ..charge(BASE) },
        Request { url: format!("{BASE}/"), ..charge(BASE) },
        Request { method: Method::Put, ..charge(BASE) },
    ];
    for request in misplaced {
        let refused = outcome(&request).expect_err("misplaced");
        assert!(matches!(refused, Refused::Misplaced { .. }) && refused.is_alarming(), "{request:?}: {refused:?}");
    }
}

#[test]
fn a_placement_of_one_origin_is_none_of_another() {
    let mut permit = permit(BASE);
    permit.origins.extend(super::fixtures::permit("https://files.example.com").origins);
    let request = Request { url: "https://files.example.com/charges".to_owned(), ..charge(BASE) };
    assert!(matches!(check(&request, &permit, Schemes::HttpsOnly), Err(Refused::Misplaced { .. })));
}

#[test]
fn bodies_are_what_they_say() {
    for request in [
        json("{\"amount\":", Segment::CardNumber, "}"),
        with_body(Body::Json(vec![text("{\"amount\":1")])),
        with_body(Body::Json(vec![text("")])),
        with_body(Body::Raw((String::new(), vec![]))),
        with_body(Body::Raw(("text/plain\r\nx: y".to_owned(), vec![]))),
        Request { method: Method::Get, ..with_body(Body::Json(vec![text("{}")])) },
    ] {
        let refused = outcome(&request);
        assert!(matches!(refused, Err(Refused::Body { .. } | Refused::Json(_))), "{request:?}: {refused:?}");
    }
}

fn computed(name: &str, over: Vec<Material>) -> Computed {
    Computed { name: name.to_owned(), computation: Computation::Digest(Digest::Sha256), over, encoding: Encoding::Hex }
}

#[test]
fn computed_values_are_made_of_what_is_there_before_them() {
    let sum_in_header = || with_header("x-sum", &[Segment::Computed("sum".to_owned())]);
    let with = |computed: Vec<Computed>| Request { computed, ..sum_in_header() };
    let of = |name: &str| Material::Computed(name.to_owned());
    assert_eq!(
        outcome(&with(vec![computed("a", vec![]), computed("sum", vec![of("a"), Material::RenderedBody])])),
        Ok(())
    );
    let mut in_body = json(r#"{"sum":""#, Segment::Computed("sum".to_owned()), r#""}"#);
    in_body.computed = vec![computed("sum", vec![Material::RenderedUrl])];
    assert_eq!(outcome(&in_body), Ok(()));
    in_body.computed = vec![computed("sum", vec![Material::RenderedBody])];
    let no_secret =
        Computed { computation: Computation::Mac((Mac::HmacSha256, String::new())), ..computed("sum", vec![]) };
    for request in [
        sum_in_header(),
        in_body,
        with(vec![computed("sum", vec![of("sum")])]),
        with(vec![computed("sum", vec![of("later")]), computed("later", vec![])]),
        with(vec![computed("sum", vec![]), computed("sum", vec![])]),
        with(vec![no_secret]),
        with((0..17).map(|number| computed(&format!("c{number}"), vec![])).collect()),
    ] {
        let refused = outcome(&request);
        assert!(matches!(refused, Err(Refused::Computed { .. })), "{:?}: {refused:?}", request.computed);
    }
    let elsewhere = Request {
        computed: vec![computed("sum", vec![])],
        ..with_header("x-note", &[Segment::Computed("sum".to_owned())])
    };
    assert!(matches!(outcome(&elsewhere), Err(Refused::Misplaced { .. })));
}
