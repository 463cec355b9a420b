//! Each gateway's connector in both of its builds: natively, as its author tests it, and as the component that hosts run. From
//! the same cassettes come the same requests, byte for byte.

use std::{fs, path::Path, sync::Arc};

use interlock::connector::{Engine, Step, Version, types};
use interlock_adyen::Adyen;
use interlock_connector::{
    Connector,
    harness::{End, Exchange, Reply, perform},
    types::{Context, Operation},
};
use interlock_paypal::PayPal;
use interlock_razorpay::Razorpay;
use interlock_stripe::Stripe;
use interlock_tests::harness::{engine, target};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::languages_kit::root;

/// What came of a cassette: every request and the end of it, in the form in which the journal keeps them.
type Played = Vec<String>;

#[tokio::test]
async fn both_builds_of_stripes_connector_ask_alike() {
    ask_alike::<Stripe>("stripe").await;
}

#[tokio::test]
async fn both_builds_of_razorpays_connector_ask_alike() {
    ask_alike::<Razorpay>("razorpay").await;
}

#[tokio::test]
async fn both_builds_of_adyens_connector_ask_alike() {
    ask_alike::<Adyen>("adyen").await;
}

#[tokio::test]
async fn both_builds_of_paypals_connector_ask_alike() {
    ask_alike::<PayPal>("paypal").await;
}

async fn ask_alike<C: Connector>(name: &str) {
    let engine = engine();
    let component = fs::read(target("connectors").join(format!("{name}.wasm"))).expect("`make test` has built it");
    let version = engine.admit(&component).unwrap_or_else(|refused| panic!("{name}: {refused}"));
    let (mut played, mut asked) = (0, 0);
    for (cassette, told) in cassettes(name) {
        let (native, sandboxed) = if told.get("operation").is_some() {
            (natively::<C>(&told), sandboxed(&engine, &version, &told).await)
        } else if told.get("opening").is_some() {
            (vec![text(&C::open_session(&context(&told)))], vec![opening(&engine, &version, &told).await])
        } else {
            continue;
        };
        assert_eq!(native, sandboxed, "{name}: {cassette}");
        played += 1;
        asked += native.len() - 1;
    }
    // Not a folder that was looked for in the wrong place, nor cassettes without requests.
    assert!(played >= 10 && asked >= played / 2, "{name}: {played} cassettes with {asked} requests");
}

fn natively<C: Connector>(cassette: &Value) -> Played {
    let (ctx, operation): (Context, Operation) = (context(cassette), read(&cassette["operation"]));
    let mut replies = replies(cassette);
    let (mut transcript, mut played) = (Vec::new(), Played::new());
    loop {
        match perform::<C>(&ctx, &operation, &transcript) {
            End::Asked(request) => {
                played.push(text(&request));
                let Some(reply) = replies.next() else { return played };
                transcript.push(Exchange { request: *request, response: reply.response() });
            }
            End::Returned(result) => {
                played.push(text(&result));
                return played;
            }
            End::Diverged { .. } | End::Trapped(_) | End::Unfit(_) => panic!("the native build breaks down"),
        }
    }
}

async fn sandboxed(engine: &Engine, version: &Arc<Version>, cassette: &Value) -> Played {
    let ctx: Arc<types::Context> = Arc::new(hosts_context(cassette));
    let operation: Arc<types::Operation> = Arc::new(read(&cassette["operation"]));
    let mut replies = replies(cassette);
    let (mut transcript, mut played) = (Vec::new(), Played::new());
    loop {
        match engine.perform(version, &ctx, &operation, Arc::new(transcript.clone())).await.expect("the component runs")
        {
            Step::Send(request) => {
                played.push(text(&request));
                let Some(reply) = replies.next() else { return played };
                let response = read(&json!(reply.response()));
                transcript.push(types::Exchange { request, response });
            }
            Step::Done(outcome) => played.push(text(&Ok::<_, types::Failure>(outcome))),
            Step::Failed(failure) => played.push(text(&Err::<types::Outcome, _>(failure))),
        }
        if played.len() > transcript.len() {
            return played;
        }
    }
}

async fn opening(engine: &Engine, version: &Arc<Version>, cassette: &Value) -> String {
    let opening = engine.open_session(version, &Arc::new(hosts_context(cassette))).await;
    text(&opening.expect("the component runs"))
}

/// The connector's cassettes, by name.
fn cassettes(name: &str) -> Vec<(String, Value)> {
    let folder = root().join("connectors").join(name).join("cassettes");
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let read = |path: &Path| serde_json::from_str(&fs::read_to_string(path).expect("a text")).expect("it is JSON");
    let mut all: Vec<(String, Value)> = files
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), read(&path)))
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

fn replies(cassette: &Value) -> impl Iterator<Item = Reply> + '_ {
    cassette["exchanges"].as_array().into_iter().flatten().map(|exchange| read(&exchange["reply"]))
}

fn context(cassette: &Value) -> Context {
    let types::Context { settings, now, nonce } = hosts_context(cassette);
    Context { settings, now, nonce }
}

fn hosts_context(cassette: &Value) -> types::Context {
    let settings = cassette["settings"].as_object().into_iter().flatten();
    let nonce = cassette["nonce"].as_str().unwrap_or_default();
    types::Context {
        settings: settings.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect(),
        now: cassette["now"].as_u64().unwrap_or_default(),
        nonce: (0..nonce.len() / 2)
            .map(|at| u8::from_str_radix(&nonce[at * 2..at * 2 + 2], 16).expect("hex"))
            .collect(),
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("types of the contract are JSON")
}
