//! One recorded operation, run again on another version: would it ask for the same, and read the same out of the replies?
//!
//! Nothing is sent and nothing is written: the recorded replies answer. The new version is asked for one request after the
//! other, so that the first one that differs is told, and not only that one does.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::difference::{self, Differs};
use crate::{
    app::App,
    connector::{
        RunError, Step, Version,
        types::{Context, Exchange, Operation, Request},
    },
    flow::{drive::read, prepare, resolve},
    store::{self, connector_shadows::Recorded},
};

/// How long a run waits before it is tried again where the engine's queue is full: payments go first.
const ENGINE_BUSY_PAUSE: Duration = Duration::from_millis(100);

/// What is recorded of an operation.
struct Record {
    operation: Arc<Operation>,
    context: Arc<Context>,
    requests: Vec<Request>,
    /// Those of the exchanges that have their reply, up to the first that has none.
    replied: Vec<Exchange>,
}

/// What a replay came to.
pub struct Replayed {
    /// Exchange, and what is not the same in it. Without a number: in what came of it all.
    pub differs: Vec<(Option<usize>, Differs)>,
    /// Runs of the new version that broke down.
    pub traps: u64,
    /// All its runs.
    pub runs: u64,
}

impl Replayed {
    fn differs_at(&mut self, position: Option<usize>, differs: impl IntoIterator<Item = Differs>) {
        self.differs.extend(differs.into_iter().map(|differs| (position, differs)));
    }
}

/// Replays one operation. None where it cannot be: a newer host wrote what this one cannot read.
pub async fn replay(app: &App, version: &Arc<Version>, recorded: Recorded) -> Result<Option<Replayed>, store::Error> {
    let mut conn = app.pool.acquire().await?;
    let journal = store::journal::transcript(&mut conn, recorded.merchant_id, recorded.operation_id).await?;
    drop(conn);
    let began = <[u8; 32]>::try_from(recorded.digest.as_slice()).ok().and_then(|it| app.registry.by_digest(&it));
    let read_it = || -> Result<Record, store::Error> {
        let requests = journal.iter().map(|exchange| read("exchanges", exchange.request.clone()));
        Ok(Record {
            requests: requests.collect::<Result<_, _>>()?,
            replied: resolve::answered(&journal)?,
            operation: Arc::new(read("operations", recorded.input)?),
            context: Arc::new(read("operations", recorded.context)?),
        })
    };
    let Ok(record) = read_it() else { return Ok(None) };
    let mut replayed = Replayed { differs: Vec::new(), traps: 0, runs: 0 };
    if same_requests(app, version, &record, &mut replayed).await && record.replied.len() == record.requests.len() {
        same_end(app, version, began, &record, &mut replayed).await;
    }
    Ok(Some(replayed))
}

/// Whether it asks for all that was asked for, in that order.
async fn same_requests(app: &App, version: &Arc<Version>, record: &Record, replayed: &mut Replayed) -> bool {
    for (place, expected) in record.requests.iter().enumerate() {
        let Some(known) = record.replied.get(..place) else { break };
        let step = run(app, version, record, known.to_vec(), Some(&mut *replayed)).await;
        let differs = match step {
            Ok(Step::Send(got)) => difference::of_requests(expected, &got),
            other => vec![Differs { pointer: String::new(), expected: difference::shown(expected), got: told(&other) }],
        };
        if !differs.is_empty() {
            replayed.differs_at(Some(place + 1), differs);
            return false;
        }
    }
    true
}

/// Whether it reads out of all replies what the version read that began the operation, as far as this host has that one.
async fn same_end(
    app: &App,
    version: &Arc<Version>,
    began: Option<Arc<Version>>,
    record: &Record,
    replayed: &mut Replayed,
) {
    let got = run(app, version, record, record.replied.clone(), Some(&mut *replayed)).await;
    let expected = match began {
        Some(began) if began.digest() != version.digest() => {
            Some(run(app, &began, record, record.replied.clone(), None).await)
        }
        Some(_) | None => None,
    };
    match (expected, got) {
        (Some(Ok(Step::Done(expected))), Ok(Step::Done(got))) => {
            replayed.differs_at(None, difference::of_values(&prepare::json(&expected), &prepare::json(&got)));
        }
        // In what words a connector gives up does not matter.
        (Some(Ok(Step::Failed(_))), Ok(Step::Failed(_))) | (None | Some(Err(_)), Ok(_)) => {}
        (Some(Ok(Step::Send(expected))), Ok(Step::Send(got))) => {
            let next = record.requests.len() + 1;
            replayed.differs_at(Some(next), difference::of_requests(&expected, &got));
        }
        (expected, got) => {
            let expected = expected.as_ref().map_or(Value::Null, told);
            replayed.differs_at(None, [Differs { pointer: String::new(), expected, got: told(&got) }]);
        }
    }
}

/// One run. A queue that is full is waited for: nothing is lost by that here.
async fn run(
    app: &App,
    version: &Arc<Version>,
    record: &Record,
    known: Vec<Exchange>,
    counted: Option<&mut Replayed>,
) -> Result<Step, RunError> {
    let known = Arc::new(known);
    loop {
        let step = app.engine.rehearse(version, &record.context, &record.operation, Arc::clone(&known)).await;
        if matches!(step, Err(RunError::Busy)) {
            tokio::time::sleep(ENGINE_BUSY_PAUSE).await;
            continue;
        }
        if let Some(counted) = counted {
            counted.runs += 1;
            counted.traps += u64::from(step.as_ref().is_err_and(RunError::blames_connector));
        }
        return step;
    }
}

/// What a run came to, for people.
fn told(step: &Result<Step, RunError>) -> Value {
    match step {
        Ok(Step::Send(request)) => json!({ "request": difference::shown(request) }),
        Ok(Step::Done(outcome)) => json!({ "outcome": outcome }),
        Ok(Step::Failed(failure)) => json!({ "failure": failure.message }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}
