//! Requests that the host must not send: each asks for one thing that nobody approved, and would be the connector's only
//! request. `tests/hostile/README.md` says which promise each of them attacks.

use interlock_connector::request::{basic_auth, computed, secret, session};
use interlock_connector::types::{
    Body, Computation, Computed, Digest, Encoding, Mac, Material, Method, Request, Segment, Template,
};

/// More than a request's URL, its headers and its filled body may have.
const LONG_URL_BYTES: usize = 9 << 10;
const LONG_HEADER_BYTES: usize = 40 << 10;
const LONG_BODY_BYTES: usize = (1 << 20) + 1;
const MANY_HEADERS: usize = 65;
const MANY_COMPUTED: usize = 17;
const DEPTH: usize = 50_000;

/// The request that the attack of that name makes to the gateway at `base`; none where there is no such attack.
pub fn request(name: &str, base: &str) -> Option<Request> {
    let charges = [base, "/charges"].concat();
    let post = || Request::post(charges.as_str());
    let raw = |hole: Segment| Body::Raw(("text/plain".to_owned(), vec![hole]));
    Some(match name.split_once('_')?.0 {
        "hole" => match name {
            "hole_in_another_field" => json(post(), r#"{"description":""#, Segment::CardNumber, r#""}"#),
            "hole_in_a_name" => json(post(), "{\"", Segment::CardNumber, r#"":1}"#),
            "hole_outside_a_string" => json(post(), r#"{"method":{"number":"#, Segment::CardNumber, "}}"),
            "hole_in_a_doubled_member" => {
                json(post(), r#"{"note":""#, Segment::CardNumber, r#"","note":"x","method":{"number":"1"}}"#)
            }
            "hole_behind_forged_marks" => {
                json(post(), "{\"method\":{\"number\":\"\u{fdd0}0\u{fdd1}\"},\"note\":\"", Segment::CardNumber, "\"}")
            }
            "hole_in_a_form" => {
                Request { body: Body::Form(vec![("number".to_owned(), vec![Segment::CardNumber])]), ..post() }
            }
            "hole_in_a_raw_body" => Request { body: raw(Segment::CardNumber), ..post() },
            "hole_in_a_header" => header(post(), "x-note", vec![Segment::CardNumber]),
            "hole_by_another_method" => json(
                Request { method: Method::Put, ..post() },
                r#"{"method":{"number":""#,
                Segment::CardNumber,
                r#""}}"#,
            ),
            _ => return None,
        },
        "secret" => authorized(
            post(),
            match name {
                "secret_undeclared" => secret("master_key"),
                "secret_without_a_place" => secret("webhook_secret"),
                "secret_of_an_account" => secret("../other/api_key"),
                "secret_by_basic_auth" => basic_auth("api_key", "webhook_secret"),
                "secret_as_a_session" => session("api_key"),
                "secret_as_a_computed_value" => computed("api_key"),
                "secret_in_another_header" => return Some(header(post(), "x-note", vec![secret("api_key")])),
                "secret_in_a_body" => return Some(Request { body: raw(secret("api_key")), ..post() }),
                "secret_in_a_mac" => return Some(mac(post())),
                _ => return None,
            },
        ),
        "origin" => authorized(Request::post(origin(name, base)?), secret("api_key")),
        "header" => smuggled(name, post())?,
        "giant" => giant(name, base, post())?,
        "method" if name == "method_get_with_body" => {
            Request { body: Body::Json(vec!["{}".into()]), ..Request::get(charges.as_str()) }
        }
        _ => return None,
    })
}

fn json(request: Request, before: &str, hole: Segment, after: &str) -> Request {
    Request { body: Body::Json(vec![before.into(), hole, after.into()]), ..request }
}

fn header(mut request: Request, name: &str, value: Template) -> Request {
    request.headers.push((name.to_owned(), value));
    request
}

fn authorized(request: Request, hole: Segment) -> Request {
    header(request, "authorization", vec!["Bearer ".into(), hole])
}

/// Under a secret that it has no placement for, and over what it likes: what comes of it may go nowhere either.
fn mac(request: Request) -> Request {
    let computed_value = Computed {
        name: "sum".to_owned(),
        computation: Computation::Mac((Mac::HmacSha256, "webhook_secret".to_owned())),
        over: vec![Material::Literal("forge me".to_owned())],
        encoding: Encoding::Hex,
    };
    Request { computed: vec![computed_value], ..header(request, "x-note", vec![computed("sum")]) }
}

/// Elsewhere, in a spelling that may pass for the gateway's own.
fn origin(name: &str, base: &str) -> Option<String> {
    let (scheme, rest) = base.split_once("://")?;
    let host = rest.split([':', '/']).next()?;
    Some(match name {
        "origin_undeclared" => "https://elsewhere.example/charges".to_owned(),
        "origin_by_user" => [base, "@elsewhere.example/charges"].concat(),
        "origin_by_port" => [scheme, "://", host, ":1/charges"].concat(),
        "origin_by_scheme" => ["ftp://", rest, "/charges"].concat(),
        "origin_by_suffix" => [scheme, "://", host, ".elsewhere.example/charges"].concat(),
        "origin_by_backslash" => [scheme, ":\\\\", rest, "\\charges"].concat(),
        "origin_by_fragment" => ["https://elsewhere.example/#", base].concat(),
        "origin_by_path_upwards" => [base, "/charges/../refunds"].concat(),
        "origin_by_hidden_path" => [base, "/charges/%2e%2e/refunds"].concat(),
        "origin_by_encoded_slash" => [base, "/charges/..%2frefunds"].concat(),
        "origin_by_line" => [base, "/charges HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n"].concat(),
        "origin_of_metadata" => "http://169.254.169.254/latest/meta-data/".to_owned(),
        _ => return None,
    })
}

fn smuggled(name: &str, request: Request) -> Option<Request> {
    let (header_name, value) = match name {
        "header_host" => ("host", "elsewhere.example"),
        "header_length" => ("content-length", "0"),
        "header_chunked" => ("transfer-encoding", "chunked"),
        "header_connection" => ("connection", "keep-alive, authorization"),
        "header_te" => ("te", "trailers"),
        "header_upgrade" => ("upgrade", "h2c"),
        "header_proxy" => ("proxy-authorization", "Basic eDp5"),
        "header_line_end" => ("x-note", "a\r\nx-second: b"),
        "header_bare_line_feed" => ("x-note", "a\nx-second: b"),
        "header_nul" => ("x-note", "a\0b"),
        "header_name_with_a_line" => ("x-note\r\nx-second", "b"),
        "header_name_with_a_blank" => ("transfer-encoding ", "chunked"),
        "header_capital" => ("Transfer-Encoding", "chunked"),
        "header_empty_name" => ("", "x"),
        "header_beyond_ascii" => ("x-note", "grüß"),
        "header_twice" => return Some(header(header(request, "x-note", vec!["a".into()]), "x-note", vec!["b".into()])),
        _ => return None,
    };
    Some(header(request, header_name, vec![value.into()]))
}

fn giant(name: &str, base: &str, request: Request) -> Option<Request> {
    Some(match name {
        "giant_url" => Request::post([base, "/charges?", &"x".repeat(LONG_URL_BYTES)].concat()),
        "giant_header" => header(request, "x-note", vec!["x".repeat(LONG_HEADER_BYTES).as_str().into()]),
        "giant_name" => header(request, &"x".repeat(LONG_HEADER_BYTES), vec!["x".into()]),
        "giant_body" => Request {
            body: Body::Raw(("text/plain".to_owned(), vec!["x".repeat(LONG_BODY_BYTES).as_str().into()])),
            ..request
        },
        "giant_count_of_headers" => {
            (0..MANY_HEADERS).fold(request, |request, number| header(request, &numbered(number), vec!["x".into()]))
        }
        "giant_count_of_computed_values" => {
            let computed = |number| Computed {
                name: numbered(number),
                computation: Computation::Digest(Digest::Sha256),
                over: vec![Material::RenderedUrl],
                encoding: Encoding::Hex,
            };
            Request { computed: (0..MANY_COMPUTED).map(computed).collect(), ..request }
        }
        "giant_depth" => Request { body: Body::Json(vec!["[".repeat(DEPTH).as_str().into()]), ..request },
        "giant_count_of_holes" => {
            let holes = std::iter::repeat_n(Segment::CardNumber, LONG_BODY_BYTES / 16 + 1);
            let parts = std::iter::once(r#"{"method":{"number":""#.into()).chain(holes).chain([r#""}}"#.into()]);
            Request { body: Body::Json(parts.collect()), ..request }
        }
        _ => return None,
    })
}

fn numbered(number: usize) -> String {
    ["x-", &"a".repeat(number + 1)].concat()
}
