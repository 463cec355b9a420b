//! The four kinds of cassettes, as JSON has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::subject::Secrets;
use crate::types::{Context, Delivery, Failure, Inbound, Line, Opening, Operation, Outcome, Pairs, Request, Response};
use crate::webhook::from_hex;

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
    pub about: String,
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Unix time in milliseconds.
    #[serde(default)]
    pub now: u64,
    /// Hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nonce: String,
}

#[derive(Deserialize, Serialize)]
pub struct Performed {
    #[serde(flatten)]
    pub given: Given,
    pub operation: Operation,
    pub exchanges: Vec<Recorded>,
    #[serde(default)]
    pub outcome: Option<Result<Outcome, Failure>>,
}

/// One request and the gateway's reply to it. A cassette that is yet to be blessed has the reply alone.
#[derive(Clone, Deserialize, Serialize)]
pub struct Recorded {
    #[serde(default)]
    pub request: Option<Request>,
    pub reply: Reply,
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
    pub given: Given,
    #[serde(default)]
    pub secrets: Secrets,
    pub inbound: Delivered,
    #[serde(default)]
    pub delivery: Option<OrFailure<Delivery>>,
}

#[derive(Deserialize, Serialize)]
pub struct Delivered {
    #[serde(default)]
    pub headers: Pairs,
    #[serde(default)]
    pub query: String,
    #[serde(default = "empty_text")]
    pub body: Value,
}

#[derive(Deserialize, Serialize)]
pub struct Settled {
    #[serde(flatten)]
    pub given: Given,
    pub file: String,
    #[serde(default)]
    pub lines: Option<OrFailure<Vec<Line>>>,
}

#[derive(Deserialize, Serialize)]
pub struct Opened {
    #[serde(flatten)]
    pub given: Given,
    pub opening: Option<Opening>,
}

/// A result, or the word that there is none.
#[derive(Deserialize, Serialize, PartialEq)]
#[serde(untagged)]
pub enum OrFailure<T> {
    Some(T),
    Word(FailureWord),
}

#[derive(Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum FailureWord {
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
    #[must_use]
    pub fn response(&self) -> Response {
        Response { status: self.status, headers: self.headers.clone(), body: bytes(&self.body) }
    }
}

impl<T> From<Result<T, Failure>> for OrFailure<T> {
    fn from(result: Result<T, Failure>) -> Self {
        result.map_or(Self::Word(FailureWord::Failure), Self::Some)
    }
}

impl Delivered {
    pub fn inbound(&self) -> Inbound {
        Inbound { headers: self.headers.clone(), query: self.query.clone(), body: bytes(&self.body) }
    }
}

impl Given {
    pub fn context(&self) -> Result<Context, String> {
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
}
