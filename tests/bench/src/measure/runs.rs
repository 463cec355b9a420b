//! What a run of the mock connector costs in its sandbox, against the same code called natively.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use interlock::connector::{
    Engine, EngineConfig, Step, Version,
    types::{
        Action, Authorize, Cancel, CaptureMethod, Card, Context, Customer, Exchange, Money, Operation, PaymentMethod,
        Response,
    },
};
use interlock_connector::{Connector as _, Host, types as native};
use interlock_mock::Mock;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    plan::Plan,
    report::{Report, Section},
    stats::{float, number},
    world::World,
};

/// Runs of one side before it is the other's turn.
const TURN: usize = 500;
/// Stack of the thread that runs a component itself: what the engine gives its own.
pub(super) const STACK_BYTES: usize = 4 << 20;
/// Times are counted up to this.
const RUN_MAX_NS: u64 = 1_000_000_000;
const FRESH_AIM_US: f64 = 12.0;
const OPERATION: &str = "op_01k4f3m5n6p7q8r9s0t1v2w3x4";
const PAYMENT: &str = "pay_01k4f3m5n6p7q8r9s0t1v2w3x4";

/// One kind of run and how long it took on each side, in nanoseconds.
struct Kind {
    name: &'static str,
    operation: Arc<Operation>,
    /// What the gateway has answered so far.
    transcript: Arc<Vec<Exchange>>,
    native_operation: native::Operation,
    replies: Vec<native::Response>,
    native: Histogram<u64>,
    here: Histogram<u64>,
    pool: Histogram<u64>,
}

/// The component and what runs it.
struct Bed {
    engine: Engine,
    version: Arc<Version>,
    context: Arc<Context>,
    native_context: native::Context,
    runtime: Runtime,
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let component = fs::read(world.places.component())?;
    // A deep recursion of the component must end at its own bound and not at ours.
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let runs = plan.connector_runs;
    let kinds =
        thread.spawn(move || measured(&component, runs))?.join().map_err(|_| anyhow::anyhow!("it panicked"))??;
    let p50 = |histogram: &Histogram<u64>| float(histogram.value_at_quantile(0.5)) / 1_000.0;
    let p99 = |histogram: &Histogram<u64>| float(histogram.value_at_quantile(0.99)) / 1_000.0;
    report.section(Section {
        title: "Runs of the mock connector",
        about: format!(
            "µs, {runs} runs each, in turns of {TURN}. A fresh run ends at its first request; two exchanges are the most that \
             this connector asks for. `here` is on the caller's thread, `pool` through the engine's queue and threads."
        ),
        columns: vec!["run", "native p50", "here p50", "here p99", "over native", "pool p50", "pool p99"],
        rows: kinds
            .iter()
            .map(|kind| {
                let over = p50(&kind.here) - p50(&kind.native);
                let figures = [p50(&kind.native), p50(&kind.here), p99(&kind.here), over, p50(&kind.pool), p99(&kind.pool)];
                let mut row = vec![kind.name.to_owned()];
                row.extend(figures.map(number));
                row
            })
            .collect(),
        data: kinds
            .iter()
            .map(|kind| {
                json!({
                    "run": kind.name, "native_p50_us": p50(&kind.native), "here_p50_us": p50(&kind.here),
                    "here_p99_us": p99(&kind.here), "pool_p50_us": p50(&kind.pool), "pool_p99_us": p99(&kind.pool),
                })
            })
            .collect(),
    });
    if let Some(fresh) = kinds.first() {
        let over = p50(&fresh.here) - p50(&fresh.native);
        report.aim("fresh run over native, p50", "at most 12 µs", format!("{} µs", number(over)), over <= FRESH_AIM_US);
    }
    Ok(())
}

fn measured(component: &[u8], runs: usize) -> anyhow::Result<Vec<Kind>> {
    let bed = Bed::new(component)?;
    let mut kinds = bed.kinds()?;
    // Once without counting: pages are touched for the first time, branches learned.
    for kind in &mut kinds {
        bed.turn(kind, TURN)?;
        for histogram in [&mut kind.native, &mut kind.here, &mut kind.pool] {
            histogram.reset();
        }
    }
    for _ in 0..runs.div_ceil(TURN) {
        for kind in &mut kinds {
            bed.turn(kind, TURN)?;
        }
    }
    Ok(kinds)
}

impl Bed {
    fn new(component: &[u8]) -> anyhow::Result<Self> {
        let engine = Engine::new(EngineConfig::new([7; 32]))?;
        let version =
            engine.admit(component).map_err(|refused| anyhow::anyhow!("the mock connector was refused: {refused}"))?;
        let context = Context {
            settings: vec![("base_url".to_owned(), "http://127.0.0.1:4000".to_owned())],
            now: 1_700_000_000_000,
            nonce: vec![1; 16],
        };
        let native_context = converted(&context)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { engine, version, context: Arc::new(context), native_context, runtime })
    }

    /// Each with its transcript, which the runs themselves are asked for.
    fn kinds(&self) -> anyhow::Result<Vec<Kind>> {
        let charge = |reference: &str, status: &str, captured: u64| {
            json!({
                "id": "ch_000000000001", "reference": reference, "amount": 1250, "captured": captured, "refunded": 0,
                "currency": "EUR", "status": status,
            })
        };
        let target = "op_01k4f3m5n6p7q8r9s0t1v2w3x5";
        let cancel = Action::Cancel(Cancel { target_id: target.to_owned(), reason: None });
        Ok(vec![
            self.kind("fresh (authorize)", authorize(), &[])?,
            self.kind("replay of 1 exchange (authorize)", authorize(), &[charge(OPERATION, "captured", 1250)])?,
            self.kind(
                "replay of 2 exchanges (cancel)",
                cancel,
                &[charge(target, "authorized", 0), charge(OPERATION, "cancelled", 0)],
            )?,
        ])
    }

    fn kind(&self, name: &'static str, action: Action, bodies: &[serde_json::Value]) -> anyhow::Result<Kind> {
        let operation =
            Operation { id: OPERATION.to_owned(), payment_id: PAYMENT.to_owned(), references: Vec::new(), action };
        let operation = Arc::new(operation);
        let mut transcript = Vec::new();
        let mut replies = Vec::new();
        for body in bodies {
            let Step::Send(request) = self.here(&operation, Arc::new(transcript.clone()))? else {
                bail!("`{name}` does not ask again")
            };
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            let response = Response { status: 200, headers, body: body.to_string().into_bytes() };
            replies.push(converted(&response)?);
            transcript.push(Exchange { request, response });
        }
        let last = self.here(&operation, Arc::new(transcript.clone()))?;
        let ended = matches!(last, Step::Done(_));
        ensure!(ended != bodies.is_empty(), "`{name}` came to something else: {last:?}");
        if replies.is_empty() {
            // The native code cannot be suspended: it is timed up to its request, and needs a reply to go on from there.
            replies.push(native::Response { status: 500, headers: Vec::new(), body: Vec::new() });
        }
        Ok(Kind {
            name,
            native_operation: converted(&*operation)?,
            operation,
            transcript: Arc::new(transcript),
            replies,
            native: times()?,
            here: times()?,
            pool: times()?,
        })
    }

    fn here(&self, operation: &Operation, transcript: Arc<Vec<Exchange>>) -> anyhow::Result<Step> {
        Ok(self.engine.perform_here(&self.version, &self.context, operation, transcript)?)
    }

    /// Runs each side `count` times.
    fn turn(&self, kind: &mut Kind, count: usize) -> anyhow::Result<()> {
        let is_fresh = kind.transcript.is_empty();
        for _ in 0..count {
            let mut answers = Answers::of(kind.replies.clone());
            let began = Instant::now();
            let outcome = Mock::perform(&self.native_context, &kind.native_operation, &mut answers);
            let whole = began.elapsed();
            std::hint::black_box(outcome).ok();
            let until_asked = answers.asked_after(began).unwrap_or(whole);
            record(&mut kind.native, if is_fresh { until_asked } else { whole });
        }
        for _ in 0..count {
            let began = Instant::now();
            let step = self.here(&kind.operation, Arc::clone(&kind.transcript))?;
            record(&mut kind.here, began.elapsed());
            drop(step);
        }
        for _ in 0..count {
            let began = Instant::now();
            let run = self.engine.perform(&self.version, &self.context, &kind.operation, Arc::clone(&kind.transcript));
            let step = self.runtime.block_on(run)?;
            record(&mut kind.pool, began.elapsed());
            drop(step);
        }
        Ok(())
    }
}

/// Answers the native code as the transcript answers the component.
pub(super) struct Answers {
    replies: Vec<native::Response>,
    next: usize,
    asked: Option<Instant>,
}

impl Answers {
    /// Nothing was asked yet.
    pub(super) fn of(replies: Vec<native::Response>) -> Self {
        Self { replies, next: 0, asked: None }
    }

    /// From `began` to the first request; none where there was none.
    pub(super) fn asked_after(&self, began: Instant) -> Option<Duration> {
        self.asked.map(|asked| asked.duration_since(began))
    }
}

impl Host for Answers {
    fn exchange(&mut self, _: &native::Request) -> native::Response {
        self.asked.get_or_insert_with(Instant::now);
        let reply = self.replies.get(self.next).or(self.replies.last()).cloned();
        self.next += 1;
        reply.unwrap_or(native::Response { status: 500, headers: Vec::new(), body: Vec::new() })
    }

    fn verify(&mut self, _: native::Mac, _: &str, _: &[u8], _: &[u8]) -> Option<u32> {
        None
    }

    fn log(&mut self, _: native::Level, _: &str) {}
}

fn authorize() -> Action {
    Action::Authorize(Authorize {
        amount: Money { minor_units: 1250, currency: "EUR".to_owned() },
        method: PaymentMethod::Card(Card {
            brand: "visa".to_owned(),
            bin: "424242".to_owned(),
            last4: "4242".to_owned(),
            has_cvc: true,
            has_holder: true,
        }),
        capture: CaptureMethod::Automatic,
        customer: Customer::default(),
        description: Some("Order 4711".to_owned()),
        order_reference: None,
        return_url: None,
        metadata: vec![("cart".to_owned(), "c0ffee-4711".to_owned())],
        extra: Vec::new(),
    })
}

/// The same value in the types of the other side: both speak the JSON of the journal.
pub(super) fn converted<T: serde::de::DeserializeOwned>(value: &impl serde::Serialize) -> anyhow::Result<T> {
    Ok(serde_json::from_value(serde_json::to_value(value)?)?)
}

pub(super) fn record(histogram: &mut Histogram<u64>, took: Duration) {
    histogram.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
}

/// Nothing recorded yet, in nanoseconds.
pub(super) fn times() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_max(RUN_MAX_NS, 3).context("the bounds are in order")
}
