//! The four kinds of cassettes: their JSON, and how each is replayed and blessed.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::play::{self, End, Secrets};
use super::{diff, rules, spoil};
use crate::connector::Connector;
use crate::types::{Context, Delivery, Failure, Inbound, Line, Opening, Operation, Outcome, Pairs, Request, Response};
use crate::webhook::from_hex;

/// How many exchanges the host lets an operation have.
const EXCHANGES_MAX: usize = 8;

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
pub enum Cassette {
    Operation(Box<Performed>),
    Webhook(Box<Received>),
    Settlement(Settled),
    Session(Box<Opened>),
}

/// What every kind has.
#[derive(Deserialize, Serialize)]
pub struct Given {
    about: String,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// Unix time in milliseconds.
    #[serde(default)]
    now: u64,
    /// Hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    nonce: String,
}

#[derive(Deserialize, Serialize)]
pub struct Performed {
    #[serde(flatten)]
    given: Given,
    operation: Operation,
    exchanges: Vec<Recorded>,
    #[serde(default)]
    outcome: Option<Result<Outcome, Failure>>,
}

/// One request and the gateway's reply to it. A cassette that is yet to be blessed has the reply alone.
#[derive(Clone, Deserialize, Serialize)]
struct Recorded {
    #[serde(default)]
    request: Option<Request>,
    reply: Reply,
}

/// A gateway's reply as a cassette writes it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Reply {
    pub status: u16,
    #[serde(default)]
    pub headers: Pairs,
    /// JSON, or a string for what is sent as it is.
    #[serde(default = "empty_text")]
    pub body: Value,
}

/// A request and the reply to it: what the host's journal keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    pub request: Request,
    pub response: Response,
}

#[derive(Deserialize, Serialize)]
pub struct Received {
    #[serde(flatten)]
    given: Given,
    #[serde(default)]
    secrets: Secrets,
    inbound: Delivered,
    #[serde(default)]
    delivery: Option<OrFailure<Delivery>>,
}

#[derive(Deserialize, Serialize)]
struct Delivered {
    #[serde(default)]
    headers: Pairs,
    #[serde(default)]
    query: String,
    #[serde(default = "empty_text")]
    body: Value,
}

#[derive(Deserialize, Serialize)]
pub struct Settled {
    #[serde(flatten)]
    given: Given,
    file: String,
    #[serde(default)]
    lines: Option<OrFailure<Vec<Line>>>,
}

#[derive(Deserialize, Serialize)]
pub struct Opened {
    #[serde(flatten)]
    given: Given,
    opening: Option<Opening>,
}

/// A result, or the word that there is none.
#[derive(Deserialize, Serialize, PartialEq)]
#[serde(untagged)]
enum OrFailure<T> {
    Some(T),
    Word(FailureWord),
}

#[derive(Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum FailureWord {
    Failure,
}

fn empty_text() -> Value {
    Value::String(String::new())
}

fn bytes(body: &Value) -> Vec<u8> {
    match body {
        Value::String(text) => text.clone().into_bytes(),
        json => json.to_string().into_bytes(),
    }
}

impl Reply {
    fn response(&self) -> Response {
        Response { status: self.status, headers: self.headers.clone(), body: bytes(&self.body) }
    }
}

impl<T> From<Result<T, Failure>> for OrFailure<T> {
    fn from(result: Result<T, Failure>) -> Self {
        result.map_or(Self::Word(FailureWord::Failure), Self::Some)
    }
}

impl Given {
    fn context(&self) -> Result<Context, String> {
        let nonce = from_hex(&self.nonce).ok_or("`nonce` is not hexadecimal")?;
        Ok(Context { settings: self.settings.clone().into_iter().collect(), now: self.now, nonce })
    }
}

impl Cassette {
    /// Reads a cassette; its kind is known by what goes in.
    pub fn read(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let has = |name: &str| value.get(name).is_some();
        // Not left to serde's trying: its errors would not say which member is wrong.
        let read = if has("operation") {
            Deserialize::deserialize(value).map(|it| Self::Operation(Box::new(it)))
        } else if has("inbound") {
            Deserialize::deserialize(value).map(|it| Self::Webhook(Box::new(it)))
        } else if has("file") {
            Deserialize::deserialize(value).map(Self::Settlement)
        } else if has("opening") {
            Deserialize::deserialize(value).map(|it| Self::Session(Box::new(it)))
        } else {
            return Err("it has neither `operation` nor `inbound` nor `file` nor `opening`".to_owned());
        };
        read.map_err(|error| error.to_string())
    }

    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a cassette was JSON before");
        text.push('\n');
        text
    }

    /// What is not as it should be.
    pub fn replay<C: Connector>(&self) -> Vec<String> {
        let problems = match self {
            Self::Operation(cassette) => cassette.replay::<C>(),
            Self::Webhook(cassette) => cassette.replay::<C>(),
            Self::Settlement(cassette) => cassette.replay::<C>(),
            Self::Session(cassette) => cassette.replay::<C>(),
        };
        problems.err().unwrap_or_default()
    }

    /// Writes down what the connector does as what it should do. A cassette for which it does nothing useful is left
    /// as it is: replaying it then says why.
    pub fn bless<C: Connector>(&mut self) {
        match self {
            Self::Operation(cassette) => cassette.bless::<C>(),
            Self::Webhook(cassette) => {
                if let Ok(End::Returned(result)) = cassette.run::<C>() {
                    cassette.delivery = Some(result.into());
                }
            }
            Self::Settlement(cassette) => {
                if let Ok(End::Returned(result)) = cassette.run::<C>() {
                    cassette.lines = Some(result.into());
                }
            }
            Self::Session(cassette) => {
                if let Ok(End::Returned(opening)) = cassette.run::<C>() {
                    cassette.opening = opening;
                }
            }
        }
    }
}

type Checked = Result<(), Vec<String>>;

impl Performed {
    /// As the host does it: the transcript grows by one exchange at a time, and each run begins at the start.
    fn replay<C: Connector>(&self) -> Checked {
        let ctx = self.given.context().map_err(|error| vec![error])?;
        if self.exchanges.len() > EXCHANGES_MAX {
            return Err(vec![format!("an operation has at most {EXCHANGES_MAX} exchanges")]);
        }
        let mut transcript = Vec::new();
        for (position, recorded) in self.exchanges.iter().enumerate() {
            let asked = match twice(|| play::perform::<C>(&ctx, &self.operation, &transcript))? {
                End::Asked(request) => request,
                end => return Err(vec![format!("exchange {} was never asked for: {}", position + 1, told(&end))]),
            };
            let Some(expected) = &recorded.request else { return Err(vec![unblessed("request")]) };
            let what = format!("exchange {} is another one than expected", position + 1);
            same(&what, expected, &asked)?;
            transcript.push(Exchange { request: *asked, response: recorded.reply.response() });
        }
        let result = match twice(|| play::perform::<C>(&ctx, &self.operation, &transcript))? {
            End::Returned(result) => result,
            End::Asked(request) => {
                return Err(vec![format!("another exchange was asked for:\n{}", diff::pretty(&request))]);
            }
            end => return Err(vec![told(&end)]),
        };
        let Some(expected) = &self.outcome else { return Err(vec![unblessed("outcome")]) };
        same("the outcome is another one than expected", expected, &result)?;
        let mut problems = rules::broken(&C::describe(), &ctx, &self.operation, &transcript);
        problems.extend(spoil::check::<C>(&ctx, &self.operation, &transcript));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn bless<C: Connector>(&mut self) {
        let Ok(ctx) = self.given.context() else { return };
        let mut transcript = Vec::new();
        for recorded in &mut self.exchanges {
            let End::Asked(request) = play::perform::<C>(&ctx, &self.operation, &transcript) else { return };
            recorded.request = Some((*request).clone());
            transcript.push(Exchange { request: *request, response: recorded.reply.response() });
        }
        if let End::Returned(result) = play::perform::<C>(&ctx, &self.operation, &transcript) {
            self.outcome = Some(result);
        }
    }
}

impl Received {
    fn run<C: Connector>(&self) -> Result<End<Result<Delivery, Failure>>, Vec<String>> {
        let ctx = self.given.context().map_err(|error| vec![error])?;
        let Delivered { headers, query, body } = &self.inbound;
        let inbound = Inbound { headers: headers.clone(), query: query.clone(), body: bytes(body) };
        let end = twice(|| play::receive::<C>(&ctx, &inbound, &self.secrets))?;
        spoil::check_webhook::<C>(&ctx, &inbound, &self.secrets)?;
        Ok(end)
    }

    fn replay<C: Connector>(&self) -> Checked {
        compare("delivery", self.delivery.as_ref(), self.run::<C>()?)
    }
}

impl Settled {
    fn run<C: Connector>(&self) -> Result<End<Result<Vec<Line>, Failure>>, Vec<String>> {
        let ctx = self.given.context().map_err(|error| vec![error])?;
        twice(|| play::alone(|| C::settlement(&ctx, self.file.as_bytes())))
    }

    fn replay<C: Connector>(&self) -> Checked {
        let ctx = self.given.context().map_err(|error| vec![error])?;
        for end in 0..self.file.len() {
            // In the middle of a character too: files come as bytes.
            let cut = self.file.as_bytes().get(..end).unwrap_or_default();
            twice(|| play::alone(|| C::settlement(&ctx, cut)))?.no_panic()?;
        }
        compare("lines", self.lines.as_ref(), self.run::<C>()?)
    }
}

impl Opened {
    fn run<C: Connector>(&self) -> Result<End<Option<Opening>>, Vec<String>> {
        let ctx = self.given.context().map_err(|error| vec![error])?;
        twice(|| play::alone(|| C::open_session(&ctx)))
    }

    fn replay<C: Connector>(&self) -> Checked {
        match self.run::<C>()? {
            End::Returned(opening) => same("the opening is another one than expected", &self.opening, &opening),
            end => Err(vec![told(&end)]),
        }
    }
}

fn compare<T: Serialize + PartialEq + Debug>(
    what: &str,
    expected: Option<&OrFailure<T>>,
    end: End<Result<T, Failure>>,
) -> Checked {
    let End::Returned(result) = end else { return Err(vec![told(&end)]) };
    // What it said is lost in the comparison, and the first thing one wants to know.
    let why = result.as_ref().err().map(|failure| format!(" (it failed: {})", failure.message)).unwrap_or_default();
    let Some(expected) = expected else { return Err(vec![unblessed(what) + &why]) };
    same(&format!("`{what}` is another one than expected{why}"), expected, &OrFailure::from(result))
}

/// Runs twice; the same must come of it.
pub fn twice<T: PartialEq + Debug>(run: impl Fn() -> End<T>) -> Result<End<T>, Vec<String>> {
    let (first, second) = (run(), run());
    if first == second {
        return Ok(first);
    }
    Err(vec![format!(
        "two runs of the same differ; a connector must depend on nothing but its arguments\n{}",
        diff::lines(&format!("{first:#?}"), &format!("{second:#?}"))
    )])
}

fn same<T: Serialize + PartialEq>(what: &str, expected: &T, got: &T) -> Checked {
    if expected == got {
        return Ok(());
    }
    Err(vec![format!("{what} (- expected, + got)\n{}", diff::json(expected, got))])
}

fn told<T: Debug>(end: &End<T>) -> String {
    match end {
        End::Returned(result) => format!("it returned {result:#?}"),
        End::Asked(request) => format!("it asked for\n{}", diff::pretty(request)),
        End::Diverged { position } => {
            format!("it diverged: with more of the transcript, exchange {} became another one", position + 1)
        }
        End::Panicked(message) => format!("it panicked: {message}"),
    }
}

fn unblessed(what: &str) -> String {
    format!("it does not say which {what} is expected; write it, or run with {}=1 and read what it is", super::BLESS)
}
