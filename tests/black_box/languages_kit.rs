//! What tests of connectors in several languages share: the examples as `make test` builds them, and their cassettes
//! played as a host would.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use interlock::connector::{
    Engine, Step, Verify, Version,
    types::{Context, Exchange, Inbound, Mac, Operation, Response},
};
use interlock_tests::harness::target;
use serde_json::{Value, json};

/// The example connectors, which are one connector.
pub const EXAMPLES: [&str; 3] = ["tiny-rust", "tiny-javascript", "tiny-python"];

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The component of an example.
pub fn component(name: &str) -> Vec<u8> {
    let file = target("examples").join(format!("{name}.wasm"));
    fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; `make examples` builds it, as `make test` does", file.display()))
}

/// All cassettes of the examples, by name.
pub fn cassettes() -> BTreeMap<String, Value> {
    let folder = root().join("connectors/examples/cassettes");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    files.map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read(&path))).collect()
}

/// What came out of a cassette, in the words of the cassette: the requests and the outcome, or the delivery.
pub async fn play(engine: &Engine, version: &Arc<Version>, cassette: &Value) -> Value {
    let settings = cassette["settings"].as_object().unwrap().iter();
    let context = Arc::new(Context {
        settings: settings.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
        now: cassette["now"].as_u64().unwrap(),
        nonce: unhex(cassette["nonce"].as_str().unwrap_or_default()),
    });
    if cassette["inbound"].is_null() {
        perform(engine, version, &context, cassette).await
    } else {
        receive(engine, version, &context, cassette).await
    }
}

async fn perform(engine: &Engine, version: &Arc<Version>, context: &Arc<Context>, cassette: &Value) -> Value {
    let operation: Arc<Operation> = Arc::new(serde_json::from_value(cassette["operation"].clone()).unwrap());
    let mut replies = cassette["exchanges"].as_array().unwrap().iter().map(|exchange| response(&exchange["reply"]));
    let (mut transcript, mut requests) = (Vec::new(), Vec::new());
    loop {
        let step = engine.perform(version, context, &operation, Arc::new(transcript.clone())).await.unwrap();
        let outcome = match step {
            Step::Send(request) => {
                requests.push(serde_json::to_value(&request).unwrap());
                let response = replies.next().expect("no request beyond those of the cassette");
                transcript.push(Exchange { request, response });
                continue;
            }
            Step::Done(outcome) => json!({ "Ok": outcome }),
            Step::Failed(failure) => json!({ "Err": failure }),
        };
        return json!({ "requests": requests, "outcome": outcome });
    }
}

async fn receive(engine: &Engine, version: &Arc<Version>, context: &Arc<Context>, cassette: &Value) -> Value {
    let inbound = &cassette["inbound"];
    let inbound = Inbound {
        headers: serde_json::from_value(inbound["headers"].clone()).unwrap(),
        query: inbound["query"].as_str().unwrap().to_owned(),
        body: inbound["body"].as_str().unwrap().as_bytes().to_vec(),
    };
    // The signature's check is the host's. Which of the two it answers, the cassette says.
    let fits = cassette["delivery"] != "failure";
    match engine.receive(version, context, inbound, Arc::new(Signature { fits })).await.unwrap() {
        Ok(delivery) => json!({ "delivery": delivery }),
        Err(_) => json!({ "delivery": "failure" }),
    }
}

struct Signature {
    fits: bool,
}

impl Verify for Signature {
    fn verify(&self, _: Mac, secret: &str, data: &[u8], expected: &[u8]) -> Option<u32> {
        assert_eq!((secret, expected.len()), ("webhook_secret", 32));
        assert!(data.starts_with(b"17636"), "the time, a dot and the body are signed");
        self.fits.then_some(0)
    }
}

fn response(reply: &Value) -> Response {
    let body = match &reply["body"] {
        Value::String(text) => text.clone().into_bytes(),
        json => json.to_string().into_bytes(),
    };
    Response {
        status: u16::try_from(reply["status"].as_u64().unwrap()).unwrap(),
        headers: serde_json::from_value(reply["headers"].clone()).unwrap(),
        body,
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}
