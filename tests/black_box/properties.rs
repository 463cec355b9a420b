//! Random sequences of requests, put to the pure core and to a real host: both give the same statuses, amounts, refusals
//! and totals, and every key gives its bytes again.
//!
//! A failure is made smaller and kept beside this file, in `properties.proptest-regressions`, to be tried first the next
//! time. `PROPTEST_CASES` asks for more sequences than the usual ones.

use std::{cell::Cell, env};

use bytes::Bytes;
use interlock::domain::payment::State;
use interlock_tests::harness::{Answer, World, bodies};
use proptest::{
    prelude::*,
    test_runner::{Config, FileFailurePersistence, TestRunner},
};
use serde_json::{Value, json};

use super::property_core::{Card, Core, Expected, Request};

/// Sequences, where nobody asks for more.
const CASES: u32 = 64;
/// Steps of a sequence at most.
const STEPS_MAX: usize = 12;
/// What every payment is about, in minor units.
const AMOUNT: i64 = 1000;

/// One step of a sequence.
#[derive(Clone, Debug)]
enum Step {
    Ask(Request),
    /// One of the requests before, once more under its key.
    Repeat(usize),
    /// The key of one of the requests before, with another body.
    Misuse(usize),
}

/// How a payment begins, and what is asked of it.
#[derive(Clone, Debug)]
struct Sequence {
    manual: bool,
    /// Confirmed as it is created.
    card: Option<Card>,
    steps: Vec<Step>,
}

fn card() -> impl Strategy<Value = Card> {
    prop_oneof![4 => Just(Card::Good), 1 => Just(Card::Refused), 1 => Just(Card::Poor)]
}

/// Some of it, now and then all of it, the rest, or too much.
fn amount() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        3 => Just(None),
        6 => (1..AMOUNT).prop_map(Some),
        1 => Just(Some(AMOUNT)),
        1 => (AMOUNT + 1..2 * AMOUNT).prop_map(Some),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        3 => proptest::option::weighted(0.7, card()).prop_map(|card| Request::Confirm { card }),
        5 => (amount(), proptest::option::of(any::<bool>()))
            .prop_map(|(amount, is_final)| Request::Capture { amount, is_final }),
        1 => Just(Request::Cancel),
        5 => amount().prop_map(|amount| Request::Refund { amount }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => request().prop_map(Step::Ask),
        2 => any::<usize>().prop_map(Step::Repeat),
        1 => any::<usize>().prop_map(Step::Misuse),
    ]
}

fn sequence() -> impl Strategy<Value = Sequence> {
    let begin = (any::<bool>(), proptest::option::weighted(0.7, card()));
    (begin, proptest::collection::vec(step(), 1..=STEPS_MAX)).prop_map(|((manual, card), steps)| Sequence {
        manual,
        card,
        steps,
    })
}

/// Whatever a merchant asks, and in whatever order, the host does what the core says.
#[test]
fn a_host_does_what_the_core_says() {
    let asked_for = env::var_os("PROPTEST_CASES").is_some();
    let usual = Config::default();
    let config = Config {
        cases: if asked_for { usual.cases } else { CASES },
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..usual
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime needs no more than threads");
    let world = runtime.block_on(World::start());
    let refunds = Cell::new(0);
    let result = TestRunner::new(config).run(&sequence(), |sequence| {
        let refunded = runtime.block_on(play(&world, &sequence));
        refunds.set(refunds.get() + refunded);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(refunds.get() > 0, "not one sequence came as far as a refund");
    // The world counts the money of all sequences as it goes: it waits for its processes, which need the runtime.
    let _within = runtime.enter();
    drop(world);
}

/// A request that was sent.
struct Sent {
    request: Request,
    key: String,
    /// The answer, where it is kept.
    kept: Option<Bytes>,
}

/// Plays one sequence; returns how many refunds there were.
async fn play(world: &World, sequence: &Sequence) -> u32 {
    let mut core = Core::new(AMOUNT, sequence.manual);
    let id = create(world, sequence, &mut core).await;
    agree(world, &id, &core).await;
    let (mut sent, mut refunds) = (Vec::<Sent>::new(), 0);
    for step in &sequence.steps {
        match step {
            Step::Ask(request) => {
                let key = world.fresh_key();
                let kept = ask(world, &id, &mut core, request, &key, &mut refunds).await;
                sent.push(Sent { request: request.clone(), key, kept });
            }
            Step::Repeat(which) if !sent.is_empty() => {
                let number = which % sent.len();
                let before = &mut sent[number];
                match &before.kept {
                    Some(bytes) => {
                        let again = post(world, &id, &before.request, &before.key).await;
                        assert!(again.is_replay(), "{}", again.text());
                        assert_eq!(again.bytes, *bytes);
                    }
                    // Nothing was kept: it is a request like any other.
                    None => {
                        before.kept = ask(world, &id, &mut core, &before.request, &before.key, &mut refunds).await;
                    }
                }
            }
            Step::Misuse(which) if !sent.is_empty() => {
                let before = &sent[which % sent.len()];
                if before.kept.is_some() {
                    let path = format!("/v1/payments/{id}/{}", before.request.path());
                    let answer = world.post(&path, &before.key, &other_body(&before.request)).await;
                    answer.expect_problem(422, "idempotency_key_reused");
                }
            }
            Step::Repeat(_) | Step::Misuse(_) => {}
        }
        agree(world, &id, &core).await;
    }
    let trail = world.get(&format!("/v1/payments/{id}/events?limit=100")).await.expect(200).json;
    let last = trail["data"].as_array().and_then(|events| events.last()).map(|event| event["to"].clone());
    assert_eq!(last, Some(json!(<&str>::from(core.book.state))), "{trail}");
    refunds
}

async fn create(world: &World, sequence: &Sequence, core: &mut Core) -> String {
    let method = if sequence.manual { "manual" } else { "automatic" };
    let mut body = json!({ "amount": AMOUNT, "currency": "EUR", "capture_method": method });
    if let Some(card) = sequence.card {
        body = bodies::with(body, &json!({ "confirm": true, "payment_method": card.method() }));
        assert_eq!(core.asked(&Request::Confirm { card: Some(card) }), Expected::Payment);
    }
    let answer = world.post("/v1/payments", &world.fresh_key(), &body).await.expect(201);
    shows(&answer.json, core);
    answer.id()
}

async fn post(world: &World, id: &str, request: &Request, key: &str) -> Answer {
    world.post(&format!("/v1/payments/{id}/{}", request.path()), key, &request.body()).await
}

/// Asks the host and the core, and compares; returns the answer where it is kept under its key.
async fn ask(
    world: &World,
    id: &str,
    core: &mut Core,
    request: &Request,
    key: &str,
    refunds: &mut u32,
) -> Option<Bytes> {
    let before = core.book.state;
    let expected = core.asked(request);
    let answer = post(world, id, request, key).await;
    assert!(!answer.is_replay(), "{}", answer.text());
    match expected {
        Expected::Payment | Expected::Unchanged => {
            let answer = answer.expect(200);
            shows(&answer.json, core);
            Some(answer.bytes)
        }
        Expected::Refund(amount) => {
            *refunds += 1;
            let answer = answer.expect(201);
            let refund = (&answer.json["object"], &answer.json["amount"], &answer.json["status"]);
            assert_eq!(refund, (&json!("refund"), &json!(amount), &json!("succeeded")), "{}", answer.text());
            Some(answer.bytes)
        }
        Expected::Problem(status, code) => {
            assert_eq!(core.book.state, before);
            answer.expect_problem(status, code);
            None
        }
    }
}

/// A body that differs, and is one that its route takes.
fn other_body(request: &Request) -> Value {
    match request {
        Request::Confirm { .. } => json!({ "return_url": "https://shop.example/back" }),
        Request::Capture { .. } => json!({ "amount": 2 * AMOUNT + 7 }),
        Request::Cancel => json!({ "reason": "another one" }),
        Request::Refund { .. } => json!({ "amount": 7, "reason": "another one" }),
    }
}

/// The payment, read, is as the core has it.
async fn agree(world: &World, id: &str, core: &Core) {
    shows(&world.payment(id).await, core);
}

fn shows(payment: &Value, core: &Core) {
    let wanted = core.shown();
    let members = wanted.as_object().expect("it was made as an object");
    for (name, value) in members {
        assert_eq!(&payment[name.as_str()], value, "{name} of {payment}, which is to be {wanted}");
    }
    assert_eq!(core.book.state == State::Failed, payment["status"] == "failed");
}
