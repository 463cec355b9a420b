//! What a run costs in each language: the same small connector in Rust, JavaScript and Python, against the Rust one called
//! natively.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use interlock::connector::{
    Engine, Step, Version,
    types::{Context, Exchange, Operation, Response},
};
use interlock_connector::{Connector as _, types as native};
use serde_json::{Value, json};
use tiny_rust::Gateway;

use super::runs::{Answers, STACK_BYTES, converted, record, times};
use crate::{
    plan::Plan,
    report::{Report, Section},
    say,
    stats::{float, number, ratio},
    world::World,
};

/// The examples, what they are written in, and the most that a run may take, in µs, where there is an aim.
const LANGUAGES: [(&str, &str, Option<f64>); 3] = [
    ("tiny-rust", "Rust", Some(12.0)),
    ("tiny-javascript", "JavaScript", Some(300.0)),
    ("tiny-python", "Python", None),
];
/// What the runs are about: one exchange, one outcome.
const CASSETTE: &str = include_str!("../../../../connectors/examples/cassettes/authorize-captured.json");
/// Runs of one language before it is the next one's turn. The slow ones have fewer.
const TURNS: [usize; 3] = [500, 50, 50];
/// How much fewer runs the slow ones have in all.
const SLOW: usize = 10;
const MIB: f64 = 1_048_576.0;
/// Threads that run at once for the rate: a machine's two cores.
const THREADS: usize = 2;

/// One language, with what its runs took in nanoseconds.
struct Language {
    name: &'static str,
    written_in: &'static str,
    aim_us: Option<f64>,
    turn: usize,
    runs: usize,
    version: Arc<Version>,
    transcript: Arc<Vec<Exchange>>,
    fresh: Histogram<u64>,
    replay: Histogram<u64>,
    per_second: f64,
}

/// What runs it, and what it is about, for both sides.
pub(super) struct Bed {
    pub(super) engine: Engine,
    context: Context,
    operation: Operation,
    reply: Response,
    native_context: native::Context,
    native_operation: native::Operation,
    /// The Rust code called natively: to its request, and to its outcome.
    native_fresh: Histogram<u64>,
    native_replay: Histogram<u64>,
}

pub fn measure(world: &mut World, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for ((name, written_in, aim_us), turn) in LANGUAGES.into_iter().zip(TURNS) {
        let file = world.places.example(name);
        if file.is_file() {
            found.push((name, written_in, aim_us, turn, fs::read(&file)?));
        } else {
            report.note(format!("{name} was left out: it is not at {}; `make bench` builds it", file.display()));
        }
    }
    let (engine, runs, window) = (world.engine()?, plan.connector_runs, plan.window);
    // A deep recursion of the component must end at its own bound and not at ours.
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let measured = thread.spawn(move || measured(engine, found, runs, window))?;
    let (bed, languages) = measured.join().map_err(|_| anyhow::anyhow!("it panicked"))??;
    tell(&bed, &languages, report);
    Ok(())
}

type Found = (&'static str, &'static str, Option<f64>, usize, Vec<u8>);

fn measured(engine: Engine, found: Vec<Found>, runs: usize, window: Duration) -> anyhow::Result<(Bed, Vec<Language>)> {
    let mut bed = Bed::new(engine)?;
    let mut languages = Vec::new();
    for (name, written_in, aim_us, turn, component) in found {
        say(&format!("… {name} is judged and compiled, or read from the cache"));
        let version =
            bed.engine.admit(&component).map_err(|refused| anyhow::anyhow!("{name} was refused: {refused}"))?;
        let Step::Send(request) = bed.run(&version, &Arc::default())? else { bail!("{name} asks for nothing") };
        let transcript = Arc::new(vec![Exchange { request, response: bed.reply.clone() }]);
        ensure!(matches!(bed.run(&version, &transcript)?, Step::Done(_)), "{name} comes to no outcome");
        let runs = if turn == TURNS[0] { runs } else { runs / SLOW };
        let (fresh, replay) = (times()?, times()?);
        languages.push(Language {
            name,
            written_in,
            aim_us,
            turn,
            runs,
            version,
            transcript,
            fresh,
            replay,
            per_second: 0.0,
        });
    }
    // Once without counting: pages are touched for the first time, branches learned.
    for counts in [false, true] {
        let rounds = languages.iter().map(|language| language.runs.div_ceil(language.turn)).max().unwrap_or(0);
        for round in 0..if counts { rounds } else { 1 } {
            bed.natively(TURNS[0]);
            for language in languages.iter_mut().filter(|language| round * language.turn < language.runs) {
                bed.turn(language)?;
            }
        }
        if !counts {
            bed.native_fresh.reset();
            bed.native_replay.reset();
            for language in &mut languages {
                language.fresh.reset();
                language.replay.reset();
            }
        }
    }
    for language in &mut languages {
        language.per_second = bed.rate(language, window)?;
    }
    Ok((bed, languages))
}

impl Bed {
    /// An engine, and what its runs are about.
    pub(super) fn new(engine: Engine) -> anyhow::Result<Self> {
        let cassette: Value = serde_json::from_str(CASSETTE)?;
        let at = |pointer: &str| cassette.pointer(pointer).with_context(|| format!("the cassette has no {pointer}"));
        let settings = at("/settings")?.as_object().context("a cassette has settings")?;
        let context = Context {
            settings: settings
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            now: at("/now")?.as_u64().context("a cassette has a time")?,
            nonce: (0..16).collect(),
        };
        let operation: Operation = converted(at("/operation")?)?;
        let reply = Response {
            status: converted(at("/exchanges/0/reply/status")?)?,
            headers: converted(at("/exchanges/0/reply/headers")?)?,
            body: at("/exchanges/0/reply/body")?.to_string().into_bytes(),
        };
        Ok(Self {
            native_context: converted(&context)?,
            native_operation: converted(&operation)?,
            engine,
            context,
            operation,
            reply,
            native_fresh: times()?,
            native_replay: times()?,
        })
    }

    /// One run on the calling thread.
    pub(super) fn run(&self, version: &Version, transcript: &Arc<Vec<Exchange>>) -> anyhow::Result<Step> {
        Ok(self.engine.perform_here(version, &self.context, &self.operation, Arc::clone(transcript))?)
    }

    fn turn(&self, language: &mut Language) -> anyhow::Result<()> {
        let fresh = Arc::default();
        for _ in 0..language.turn {
            let began = Instant::now();
            let step = self.run(&language.version, &fresh)?;
            record(&mut language.fresh, began.elapsed());
            drop(step);
            let began = Instant::now();
            let step = self.run(&language.version, &language.transcript)?;
            record(&mut language.replay, began.elapsed());
            drop(step);
        }
        Ok(())
    }

    /// The same code without a sandbox; it cannot be suspended, so one call is both.
    fn natively(&mut self, count: usize) {
        let reply = native::Response {
            status: self.reply.status,
            headers: self.reply.headers.clone(),
            body: self.reply.body.clone(),
        };
        for _ in 0..count {
            let mut answers = Answers::of(vec![reply.clone()]);
            let began = Instant::now();
            let outcome = Gateway::perform(&self.native_context, &self.native_operation, &mut answers);
            let whole = began.elapsed();
            std::hint::black_box(outcome).ok();
            record(&mut self.native_fresh, answers.asked_after(began).unwrap_or(whole));
            record(&mut self.native_replay, whole);
        }
    }

    /// Runs a second of two threads: fresh ones and replays in turn, as payments make them.
    fn rate(&self, language: &Language, window: Duration) -> anyhow::Result<f64> {
        let fresh = Arc::default();
        let began = Instant::now();
        let counts = std::thread::scope(|scope| {
            let runners: Vec<_> = (0..THREADS)
                .map(|_| {
                    std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || {
                        let mut count = 0_u64;
                        while began.elapsed() < window {
                            self.run(&language.version, &fresh)?;
                            self.run(&language.version, &language.transcript)?;
                            count += 2;
                        }
                        anyhow::Ok(count)
                    })
                })
                .collect::<Result<_, _>>()?;
            let join = |runner: std::thread::ScopedJoinHandle<'_, anyhow::Result<u64>>| {
                runner.join().map_err(|_| anyhow::anyhow!("a run panicked"))?
            };
            runners.into_iter().map(join).sum::<anyhow::Result<u64>>()
        })?;
        Ok(float(counts) / began.elapsed().as_secs_f64())
    }
}

/// Microseconds at a quantile of a histogram of nanoseconds.
pub(super) fn us(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    float(histogram.value_at_quantile(quantile)) / 1_000.0
}

fn tell(bed: &Bed, languages: &[Language], report: &mut Report) {
    let native = [us(&bed.native_fresh, 0.5), us(&bed.native_replay, 0.5)];
    let rows = languages.iter().map(|language| {
        let (fresh, replay) = (us(&language.fresh, 0.5), us(&language.replay, 0.5));
        let found = language.version.report();
        let used = found.and_then(|found| found.conformance.as_ref()).map(|kit| kit.most).unwrap_or_default();
        let mib = |bytes: u64| number(float(bytes) / MIB);
        vec![
            language.written_in.to_owned(),
            number(fresh),
            number(us(&language.fresh, 0.99)),
            number(replay),
            number(us(&language.replay, 0.99)),
            number(fresh + replay),
            number(ratio(fresh, native[0])),
            number(language.per_second),
            number(float(used.fuel)),
            mib(used.memory_bytes),
            mib(found.map_or(0, |found| found.image_bytes)),
        ]
    });
    report.section(Section {
        title: "Runs by language",
        about: format!(
            "µs on the caller's thread, in turns: the same connector, the same operation of one exchange. A fresh run is a new \
             instance up to the first request, a replay one from the start to the outcome; an operation is both. Called \
             natively, the Rust code takes {} and {} µs. Runs a second on {THREADS} threads, both kinds in turn. Fuel and \
             memory (MiB): the most of any run of the conformance kit. Image: machine code, MiB.",
            number(native[0]),
            number(native[1])
        ),
        columns: vec![
            "language", "fresh p50", "p99", "replay p50", "p99", "operation", "times native", "runs /s", "fuel", "memory",
            "image",
        ],
        rows: rows.collect(),
        data: languages
            .iter()
            .map(|language| {
                json!({
                    "connector": language.name, "runs": language.runs,
                    "fresh_p50_us": us(&language.fresh, 0.5), "fresh_p99_us": us(&language.fresh, 0.99),
                    "replay_p50_us": us(&language.replay, 0.5), "replay_p99_us": us(&language.replay, 0.99),
                    "native_fresh_p50_us": native[0], "native_replay_p50_us": native[1],
                    "runs_per_s": language.per_second,
                    "report": language.version.report().map(|found| json!({
                        "describe": found.describe, "image_bytes": found.image_bytes,
                        "kit": found.conformance.as_ref().map(|kit| json!({ "runs": kit.runs, "most": kit.most })),
                    })),
                })
            })
            .collect(),
    });
    for language in languages {
        if let Some(aim) = language.aim_us {
            let fresh = us(&language.fresh, 0.5);
            let what = format!("fresh run in {}, p50", language.written_in);
            report.aim(what, format!("at most {} µs", number(aim)), format!("{} µs", number(fresh)), fresh <= aim);
        }
    }
}
