//! What is taken out of replies, and what is left alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::fixtures::{API_KEY, holes};
use crate::wire::scrub::Scrubber;

fn scrubbed_as(content_type: &str, body: &str) -> String {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    let response = Scrubber::new(&holes()).response(200, &headers, body.as_bytes());
    String::from_utf8(response.body).unwrap()
}

fn scrubbed(body: &str) -> String {
    scrubbed_as("application/json", body)
}

#[test]
fn ordinary_replies_come_through_byte_for_byte() {
    for body in [
        r#"{"id":"ch_123","amount":1250,"captured":123,"note":"a 123 b","list":[1,2.5e3,null,true,""],"u":"\u00e9\\\""}"#,
        r#"{ "id" : "123abc" , "status":"05","response_code":"05","amount":"2030","order_id":"12305","x":123 }"#,
        r#"{"reference":"30","errorCode":"05","captured":"2030","id":"05","merchantId":"2030","fee":"30"}"#,
        "{\"unfinished\":\"abc",
        "not json at all 123 05 2030",
        "",
        "[]",
        "\"",
        "{\"a\":\"\\\"}",
        "a=b&c=123x&d",
        "<xml><cvc>123</cvc></xml>",
    ] {
        assert_eq!(scrubbed(body), body);
        assert_eq!(scrubbed_as("text/plain", body), body);
    }
}

#[test]
fn card_numbers_go_wherever_they_stand() {
    for (body, wanted) in [
        (r#"{"number":"4242424242424242"}"#, r#"{"number":"[card-number]"}"#),
        (r#"{"n":"4242 4242 4242 4242 is bad"}"#, r#"{"n":"[card-number] is bad"}"#),
        (r#"{"n":"x4242-4242-4242-4242x"}"#, r#"{"n":"x[card-number]x"}"#),
        (r#"{"4242424242424242":1}"#, r#"{"[card-number]":1}"#),
        (r#"{"n":4242424242424242,"m":1}"#, r#"{"n":"[card-number]","m":1}"#),
        (r#"{"n":"\u0034242424242424242"}"#, r#"{"n":"[card-number]"}"#),
        (r#"{"raw":"{\"number\":\"4242424242424242\"}"}"#, r#"{"raw":"{\"number\":\"[card-number]\"}"}"#),
        (r#"{"n":-4242424242424242e0}"#, r#"{"n":"-[card-number]e0"}"#),
        (r"{error: 4242 4242 4242 4242, x}", r#"{error: "[card-number]", x}"#),
        ("<n>4242 4242 4242 4242</n>", "<n>[card-number]</n>"),
        ("number=4242+4242+4242+4242&a=b", "number=[card-number]&a=b"),
        ("number=4242%204242%204242%204242", "number=[card-number]"),
    ] {
        assert_eq!(scrubbed(body), wanted);
    }
    // Other numbers are none of ours.
    for body in [r#"{"number":"4242424242424241"}"#, r#"{"last4":"4242","bin":"424242"}"#, r#"{"n":"4242 42xx"}"#] {
        assert_eq!(scrubbed(body), body);
    }
}

#[test]
fn secrets_go_in_every_spelling() {
    let url_encoded: String = url::form_urlencoded::byte_serialize(API_KEY.as_bytes()).collect();
    let percent_lower = url_encoded.replace('+', "%20").to_ascii_lowercase();
    let json = serde_json::to_string(API_KEY).unwrap();
    let json_slashes = json.replace('/', "\\/");
    let json_ascii = json.replace('é', "\\u00e9");
    for (spelling, whole) in [
        (url_encoded.as_str(), true),
        (json.trim_matches('"'), false),
        (&json[1..json.len() - 1], true),
        (&json_slashes[1..json_slashes.len() - 1], true),
        (&json_ascii[1..json_ascii.len() - 1], true),
    ] {
        let out = scrubbed(&format!("{{\"message\":\"Invalid key {spelling}!\"}}"));
        assert_eq!(
            out == r#"{"message":"Invalid key [secret:api_key]!"}"#,
            whole || spelling.ends_with("Secret"),
            "{out}"
        );
    }
    // Lower-casing the whole text changes the value too; only the digits of escapes may differ.
    assert!(scrubbed(&percent_lower).contains("sk_test%2f51"));
    assert_eq!(scrubbed_as("text/plain", &format!("key {API_KEY}.")), "key [secret:api_key].");
    assert_eq!(scrubbed(r#"{"m":"sk_test_older_version"}"#), r#"{"m":"[secret:api_key]"}"#);
    assert_eq!(scrubbed(r#"{"m":"eyJhbGciOi.session"}"#), r#"{"m":"[session:access_token]"}"#);
    // Too short to be looked for.
    assert_eq!(scrubbed(r#"{"m":"abc"}"#), r#"{"m":"abc"}"#);
}

#[test]
fn base64_of_secrets_goes_at_every_alignment() {
    for before in ["", "u", "us", "use", "user:"] {
        let encoded = STANDARD.encode(format!("{before}{API_KEY}:"));
        for spelling in [encoded.clone(), encoded.replace('+', "-").replace('/', "_"), encoded.replace('/', "\\/")] {
            let out = scrubbed(&format!("{{\"auth\":\"Basic {spelling}\"}}"));
            assert!(out.contains("[secret:api_key]"), "{out}");
            assert!(out.len() < 60, "{out} still holds some of it");
        }
    }
}

#[test]
fn short_values_go_only_as_whole_strings_or_form_values() {
    for (body, wanted) in [
        (r#"{"cvc":"123"}"#, r#"{"cvc":"[card-cvc]"}"#),
        (r#"["123", "x"]"#, r#"["[card-cvc]", "x"]"#),
        (r#"{"holder":"Zo\u00eb O'Brien","h":"ZOë O'BRIEN"}"#, r#"{"holder":"[card-holder]","h":"[card-holder]"}"#),
        (
            r#"{"exp_month":"05","exp_year":"2030","y":"30"}"#,
            r#"{"exp_month":"[card-expiry-month]","exp_year":"[card-expiry-year]","y":"[card-expiry-year-short]"}"#,
        ),
        (
            r#"{"expiry":"05/30","e":"2030-05","f":"0530"}"#,
            r#"{"expiry":"[card-expiry]","e":"[card-expiry]","f":"[card-expiry]"}"#,
        ),
        // Not a value, not whole, not a string.
        (
            r#"{"123":1,"a":"1234","b":"a123","c":123,"d":"Zoë O'Brien Jr","e":0.123}"#,
            r#"{"123":1,"a":"1234","b":"a123","c":123,"d":"Zoë O'Brien Jr","e":0.123}"#,
        ),
    ] {
        assert_eq!(scrubbed(body), wanted);
    }
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        scrubbed_as(form, "cvc=123&name=Zo%C3%AB+O%27Brien&id=123x&month=05&code=05"),
        "cvc=[card-cvc]&name=[card-holder]&id=123x&month=[card-expiry-month]&code=05"
    );
}

#[test]
fn headers_are_scrubbed_and_cookies_dropped() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("set-cookie", "session=1"),
        ("x-echo", "4242-4242-4242-4242"),
        ("location", "https://a.example/?key=sk_test_older_version&cvc=123"),
        ("x-request-id", "req_123"),
    ] {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.append(HeaderName::from_static("x-latin"), HeaderValue::from_bytes(b"caf\xe9").unwrap());
    let response = Scrubber::new(&holes()).response(302, &headers, b"");
    let pairs: Vec<_> = response.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        pairs,
        [
            ("x-echo", "[card-number]"),
            ("location", "https://a.example/?key=[secret:api_key]&cvc=123"),
            ("x-request-id", "req_123"),
            ("x-latin", "café"),
        ]
    );
}

/// A key that holds what ends a string or a field, echoed as it is in what is no sound JSON and no sound form. Found by
/// fuzzing.
#[test]
fn a_secret_that_breaks_its_grammar_is_found() {
    let awkward = "sk&live=\"quoted\"\\back";
    let holes = crate::vault::Holes::new().with_secret(
        "api_key",
        crate::connector::types::KeyEncoding::Utf8,
        vec![crate::vault::Secret::from(awkward)],
    );
    let scrubber = Scrubber::new(&holes);
    for content_type in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        for before in ["", "{", "{\"error\":\"", "{\"error\":", "a=b&error=", "\"", "error="] {
            let reply = scrubber.response(400, &headers, format!("{before}{awkward}\"}}&x=y").as_bytes());
            let body = String::from_utf8(reply.body).unwrap();
            assert!(!body.contains(awkward) && body.contains("[secret:api_key]"), "{content_type} {before}: {body}");
        }
    }
}

/// However deep a reply is nested, the host neither gives up on it nor runs out of stack, and finds what stands at the
/// bottom.
#[test]
fn a_deep_reply_is_scrubbed_to_its_bottom() {
    let (open, close) = ("[{\"a\":".repeat(100_000), "}]".repeat(100_000));
    assert_eq!(scrubbed(&format!("{open}1{close}")), format!("{open}1{close}"));
    let key = serde_json::Value::from(API_KEY).to_string();
    let reply = scrubbed(&format!("{open}{key}{close}"));
    assert!(!reply.contains(key.trim_matches('"')) && reply.contains("[secret:api_key]"));
}

/// A reply is not slower to scrub than to read, whatever it is made of.
#[test]
fn a_large_reply_is_scrubbed_in_good_time() {
    let started = std::time::Instant::now();
    for piece in ["4242424242424241 ", "%34%33", "\\u0034\\u0033", "c2tf", "{\"a\":[\"12"] {
        let body = piece.repeat(128 * 1024 / piece.len());
        assert_eq!(scrubbed(&body).len(), body.len());
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
}
