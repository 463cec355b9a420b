//! The connector's requests beside those of Stripe's own libraries, for Python and for JavaScript, as they come from the
//! registries: for the same call they must be the same request.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may end at the first surprise too")]

mod recorder;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use interlock_connector::types::{Action, Body, Effect, Method, Operation, Request, Segment};
use recorder::{Recorded, Recorder};
use serde_json::Value;
use url::{Url, form_urlencoded};

const CONNECTOR: &str = env!("CARGO_MANIFEST_DIR");
/// What the holes are filled with, as `tests/stripe/calls.json` has it.
const API_KEY: &str = "sk_test_sample";
const OPERATION: &str = "op_01jd0000000000000000000001";
/// Headers in which a library may differ from another and from us: they say who asks.
const COMPARED_HEADERS: [&str; 5] =
    ["authorization", "content-type", "idempotency-key", "stripe-account", "stripe-version"];

/// What is asked of Stripe, told apart from how it was put on the wire.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    method: String,
    path: String,
    query: BTreeSet<(String, String)>,
    headers: BTreeMap<String, String>,
    fields: BTreeSet<(String, String)>,
}

/// As with the API version: what the library sends is what Stripe documents for it.
#[test]
fn requests_are_those_of_stripes_python_library() {
    let mut command = Command::new(tools().join("python/bin/python"));
    command.arg(scripts().join("calls.py"));
    compare(command);
}

/// As in Python, with a library that was written on its own.
#[test]
fn requests_are_those_of_stripes_javascript_library() {
    let mut command = Command::new("node");
    command.current_dir(tools().join("javascript")).arg(scripts().join("calls.mjs")).arg(scripts().join("calls.json"));
    compare(command);
}

/// A call that nobody compares may have drifted from the library's.
#[test]
fn every_kind_of_request_is_compared() {
    let shape = |request: &Request| {
        let url = Url::parse(&request.url).unwrap();
        // Ids are no part of a call's shape.
        let verb = url.path_segments().unwrap().filter(|part| !part.contains("3A")).collect::<Vec<_>>().join("/");
        (method(request), verb)
    };
    let compared: BTreeSet<_> = calls().iter().map(|call| shape(&like(call).1)).collect();
    let folder = fs::read_dir(Path::new(CONNECTOR).join("cassettes")).unwrap();
    let cassettes = folder.map(|entry| read(&entry.unwrap().path()));
    let exchanges = cassettes.flat_map(|cassette| cassette["exchanges"].as_array().cloned().unwrap_or_default());
    let requests = exchanges.map(|exchange| serde_json::from_value::<Request>(exchange["request"].clone()).unwrap());
    let ours = requests.filter(|request| request.url.starts_with("https://api.stripe.com"));
    assert_eq!(compared, ours.map(|request| shape(&request)).collect());
}

fn compare(mut command: Command) {
    let recorder = Recorder::start();
    let output = command.args([recorder.url.as_str(), API_KEY, OPERATION]).output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; `.ci/setup test` installs what is missing, as `make test` does")
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?} failed (`.ci/setup test` installs the library): {said}");
    let recorded = recorder.stop();
    let calls = calls();
    assert_eq!(recorded.len(), calls.len(), "one request for each call");
    for (call, recorded) in calls.iter().zip(recorded) {
        let (operation, request) = like(call);
        assert_eq!(ours(&operation, &request), theirs(&recorded), "{}", call["like"]);
    }
}

/// The connector's request for a call: that of a cassette.
fn like(call: &Value) -> (Operation, Request) {
    let name = call["like"].as_str().unwrap();
    let cassette = read(&Path::new(CONNECTOR).join("cassettes").join(format!("{name}.json")));
    let exchange = usize::try_from(call["exchange"].as_u64().unwrap_or(0)).unwrap();
    let request = cassette["exchanges"][exchange]["request"].clone();
    let operation = serde_json::from_value(cassette["operation"].clone()).unwrap();
    (operation, serde_json::from_value(request).unwrap())
}

fn ours(operation: &Operation, request: &Request) -> Asked {
    let url = Url::parse(&request.url).unwrap();
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), filled(value)));
    let mut headers: BTreeMap<_, _> = headers.collect();
    let fields = match &request.body {
        Body::Form(fields) => {
            // The host says so.
            headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
            fields.iter().map(|(name, value)| (name.clone(), filled(value))).collect()
        }
        Body::Empty => BTreeSet::new(),
        Body::Json(_) | Body::Raw(_) => panic!("Stripe takes forms"),
    };
    let is_sync = matches!(operation.action, Action::Sync(_));
    assert!(!is_sync || request.effect == Effect::Reads);
    Asked {
        method: method(request).to_owned(),
        path: url.path().to_owned(),
        query: pairs(url.query()),
        headers,
        fields,
    }
}

fn method(request: &Request) -> &'static str {
    match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put | Method::Patch | Method::Delete => panic!("Stripe's API has none but GET and POST here"),
    }
}

fn theirs(recorded: &Recorded) -> Asked {
    let url = Url::parse("http://recorder").unwrap().join(&recorded.target).unwrap();
    let mut headers = recorded.headers.clone();
    headers.retain(|name, _| COMPARED_HEADERS.contains(&name.as_str()));
    if recorded.method == "GET" {
        // One of them says it of nothing, too.
        headers.remove("content-type");
    }
    Asked {
        method: recorded.method.clone(),
        path: url.path().to_owned(),
        query: pairs(url.query()),
        headers,
        fields: pairs(Some(&recorded.body)),
    }
}

fn pairs(encoded: Option<&str>) -> BTreeSet<(String, String)> {
    form_urlencoded::parse(encoded.unwrap_or_default().as_bytes()).into_owned().collect()
}

fn filled(template: &[Segment]) -> String {
    let piece = |segment: &Segment| match segment {
        Segment::Text(text) => text.clone(),
        Segment::Secret(name) => match name.as_str() {
            "api_key" => API_KEY.to_owned(),
            other => panic!("the secret {other} is not sent"),
        },
        Segment::CardNumber => "4242424242424242".to_owned(),
        Segment::CardExpiryMonth => "05".to_owned(),
        Segment::CardExpiryYear => "2030".to_owned(),
        Segment::CardCvc => "123".to_owned(),
        Segment::CardHolder => "Jane Roe".to_owned(),
        Segment::WalletToken => "tok_wallet".to_owned(),
        Segment::GatewayToken => "pm_stored".to_owned(),
        other => panic!("{other:?} is not sent"),
    };
    template.iter().map(piece).collect()
}

fn calls() -> Vec<Value> {
    read(&scripts().join("calls.json")).as_array().unwrap().clone()
}

fn scripts() -> PathBuf {
    Path::new(CONNECTOR).join("../../tests/stripe")
}

/// Where `.ci/setup test` puts the libraries.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("stripe")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}
