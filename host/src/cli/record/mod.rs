//! `interlock connector record`: carries out an operation at a gateway, and writes a cassette of it.
//!
//! By the host's own wire and vault, with the same checks and limits, and without a host: no database, no journal. So it is
//! for test accounts. What is written has holes where secrets and card data were, and nothing of them in replies.

mod asked;
mod error;
mod given;
mod perform;
mod tape;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

pub use self::error::RecordError;
use self::{
    asked::{Asked, Then},
    given::Given,
    perform::Gateway,
};
use super::{check, failure::Usage, progress};
use crate::{
    clock::{Clock, Ids},
    conformance,
    connector::{Engine, Named, Version, types::Outcome},
};

/// How it is used, in the help.
pub const HELP: &str = "\
Example:
  interlock connector record tiny.wasm --authorize 12.50 EUR --then refund \\
    --setting base_url=https://sandbox.example.com --secret api_key=env:API_KEY \\
    --out cassettes/authorize.json

It moves money at that gateway: use a test account. Where it is not known what the gateway did, no cassette is written and
the exit code is 4.";

/// What is recorded, at which gateway, and where it goes.
#[derive(Args)]
pub struct RecordArguments {
    /// The component
    component: PathBuf,
    /// Carries out the operation of this file: JSON, in the form that `operation` has in cassettes
    #[arg(long, value_name = "FILE.json", conflicts_with = "authorize", required_unless_present = "authorize")]
    operation: Option<PathBuf>,
    /// Takes an amount by card: `--authorize 12.50 EUR`
    #[arg(long, num_args = 2, value_names = ["AMOUNT", "CURRENCY"])]
    authorize: Vec<String>,
    /// Only holds the amount, for a later capture
    #[arg(long, requires = "authorize")]
    hold: bool,
    /// What is asked afterwards about the same payment, in turn; each is written to a cassette of its own
    #[arg(long, value_enum, value_name = "OPERATION")]
    then: Vec<Then>,
    /// A setting of the gateway account, as `name=value`; not for secrets
    #[arg(long = "setting", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// A secret, by where it is: `name=env:VARIABLE` or `name=file:PATH`. It cannot stand here itself: everybody on the
    /// machine can read the command lines of all processes
    #[arg(long = "secret", value_name = "NAME=env:VARIABLE|file:PATH")]
    secrets: Vec<String>,
    /// The test card that is charged: `visa`, `mastercard`, `amex`, or a JSON file with `number`, `expiry_month`,
    /// `expiry_year`, `cvc` and `holder`
    #[arg(long, value_name = "NAME|FILE.json", default_value = "visa")]
    card: String,
    /// The wallet's or the gateway's token where the operation is paid with one, as `env:VARIABLE` or `file:PATH`
    #[arg(long, value_name = "env:VARIABLE|file:PATH")]
    token: Option<String>,
    /// Lets requests go to loopback and private addresses, over plain HTTP too: for gateways that are stubs
    #[arg(long)]
    allow_private: bool,
    /// How long the gateway may take for one exchange
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=300))]
    timeout: u16,
    /// The cassette: `cassettes/NAME.json`
    #[arg(long, value_name = "FILE.json")]
    out: PathBuf,
    /// Writes over a cassette that is there
    #[arg(long)]
    force: bool,
}

/// Everything that a recording needs besides the operation.
struct Recorder {
    engine: Engine,
    version: Arc<Version>,
    component_bytes: usize,
    gateway: Gateway,
    given: Given,
    clock: Clock,
    ids: Ids,
}

/// Records what was asked, and says what was written.
pub async fn record(arguments: RecordArguments) -> anyhow::Result<Value> {
    let paths = paths(&arguments)?;
    let clock = Clock::real();
    let ids = Ids::real();
    progress::step(&format!("checking {}", arguments.component.display()));
    let component = fs::read(&arguments.component)
        .with_context(|| format!("{} could not be read", arguments.component.display()))?;
    let (engine, version, component_bytes) = tokio::task::spawn_blocking(move || {
        let engine = check::engine(None)?;
        let version = check::admit(&engine, &component)?;
        anyhow::Ok((engine, version, component.len()))
    })
    .await??;
    let given = Given::read(&arguments, version.descriptor(), &clock)?;
    let mut asked = Asked::first(&arguments, &given, &ids)?;
    let gateway =
        Gateway::new(&version, &given, arguments.allow_private, Duration::from_secs(arguments.timeout.into()))?;
    let mut recorder = Recorder { engine, version, component_bytes, gateway, given, clock, ids };
    let mut written = Vec::new();
    let mut thens = arguments.then.iter();
    for path in &paths {
        let (outcome, shown) = recorder.one(&asked, path, arguments.force).await?;
        written.push(shown);
        let (Some(then), Some(outcome)) = (thens.next(), outcome) else { break };
        asked = asked.then(*then, &outcome, &recorder.ids)?;
    }
    Ok(json!({ "name": recorder.version.name(), "version": recorder.version.version(), "cassettes": written }))
}

/// The answer for people.
pub fn lines(recorded: &Value) -> String {
    let written = recorded.get("cassettes").and_then(Value::as_array).into_iter().flatten();
    let lines: Vec<String> = written
        .map(|cassette| {
            let text = |name: &str| cassette.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{}  {}  passes", text("cassette"), text("outcome"))
        })
        .collect();
    lines.join("\n")
}

/// Where each cassette goes. Nothing is sent where one of them could not be written.
fn paths(arguments: &RecordArguments) -> Result<Vec<PathBuf>, Usage> {
    let out = &arguments.out;
    if out.extension().is_none_or(|extension| extension != "json") {
        return Err(Usage(format!(
            "{} is no cassette's name; write one such as cassettes/authorize.json",
            out.display()
        )));
    }
    let stem = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut paths = vec![out.clone()];
    for (number, then) in arguments.then.iter().enumerate() {
        let repeated = arguments.then.iter().take(number).any(|other| other == then);
        let number = if repeated { format!("-{}", number + 1) } else { String::new() };
        paths.push(out.with_file_name(format!("{stem}-{}{number}.json", then.word())));
    }
    match paths.iter().find(|path| path.exists() && !arguments.force) {
        Some(path) => Err(Usage(format!("{} is there already; --force writes over it", path.display()))),
        None => Ok(paths),
    }
}

impl Recorder {
    /// One operation: its outcome where it has one, and what to say.
    async fn one(&mut self, asked: &Asked, path: &Path, force: bool) -> anyhow::Result<(Option<Outcome>, Value)> {
        let context = Arc::new(self.given.context(&self.clock, &self.ids));
        let operation = Arc::new(asked.operation.clone());
        let performed = perform::perform(&self.engine, &self.version, &mut self.gateway, &context, &operation).await?;
        let about = format!("Recorded: {}", asked.about());
        let text = tape::text(&about, &context, &operation, &performed)?;
        self.gateway.leaks_nothing(&text)?;
        tape::write(path, &text, force)?;
        self.replay(path, text)?;
        let outcome = tape::outcome_word(&performed.result);
        let shown = json!({
            "cassette": path.display().to_string(),
            "operation": asked.word(),
            "exchanges": performed.transcript.len(),
            "outcome": outcome,
            "passes": true,
        });
        Ok((performed.result.ok(), shown))
    }

    /// What was written must be what `check` would play.
    fn replay(&self, path: &Path, text: String) -> anyhow::Result<()> {
        progress::step("replaying it");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let cassettes = [Named { name: name.clone(), text }];
        let report = conformance::check_with(&self.engine, &self.version, self.component_bytes, &cassettes)?;
        // Of the component as a whole `check` speaks.
        let of_it = |at: &Option<String>| at.as_ref().is_some_and(|cassette| *cassette == name);
        let wrong = report.findings.iter().find(|finding| finding.is_error() && of_it(&finding.at.cassette));
        match wrong {
            None => Ok(()),
            Some(finding) => {
                let path = path.display().to_string();
                Err(RecordError::DoesNotPass { path, finding: finding.to_string() }.into())
            }
        }
    }
}
