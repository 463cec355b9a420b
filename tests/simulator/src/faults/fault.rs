//! The faults by name, each with what it needs to know.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::gateway::charges::Decline;
use crate::gateway::methods::DO_NOT_HONOR;

/// What goes wrong with a call. "Acts" means that the gateway does what was asked before it goes wrong.
#[derive(Deserialize, Serialize, Clone, PartialEq, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Acts, and everything takes longer.
    Delay {
        #[serde(default = "delay_ms")]
        ms: u64,
        #[serde(default)]
        when: When,
    },
    /// Closes the connection without a word. Nothing happened.
    DropBefore {},
    /// Acts, and closes the connection without a word.
    ActThenDrop {},
    #[serde(rename = "act_then_500")]
    ActThen500 {},
    /// 500, and nothing happened; nobody can tell it from the one above.
    #[serde(rename = "status_500")]
    Status500 {},
    /// 409 with a code that says nothing about what happened. Nothing did.
    #[serde(rename = "status_409")]
    Status409 {},
    /// 409 that says that nothing happened.
    #[serde(rename = "not_processed_409")]
    NotProcessed409 {},
    /// 429 that says that nothing happened.
    #[serde(rename = "status_429")]
    Status429 {},
    /// Acts, and answers 200 with something that is not JSON.
    Garbage {},
    /// Acts, and answers with JSON of about so many bytes, without saying how many.
    HugeBody {
        #[serde(default = "huge_bytes")]
        bytes: u64,
    },
    /// Acts, and sends the answer in small pieces.
    SlowBody {
        #[serde(default = "chunk_ms")]
        ms_per_chunk: u64,
    },
    /// Acts, and closes the connection half way through the answer's body.
    Truncated {},
    /// Declines what it would have approved. New charges, captures and refunds.
    Decline {
        #[serde(default)]
        code: Word,
    },
    /// Declines what it would have approved, and approves it after all a while later. New charges and refunds; a cancel
    /// of what is not decided yet is answered as it should be, and the customer pays nevertheless.
    LateSuccess {
        #[serde(default = "late_ms")]
        ms: u64,
    },
    /// Accepts what it would have approved, and approves it a while later, or declines it. New charges, captures and
    /// refunds.
    Pending {
        #[serde(default = "late_ms")]
        ms: u64,
        #[serde(default)]
        decline: bool,
    },
    /// Acts, and takes it back a while later: the bank did not pay in the end. New charges that are captured at once,
    /// and captures.
    CaptureFailsLater {
        #[serde(default = "late_ms")]
        ms: u64,
    },
    /// The same for refunds: the money did not arrive.
    RefundFailsLater {
        #[serde(default = "late_ms")]
        ms: u64,
    },
    /// 307 to another place. Nothing happened.
    Redirect {
        #[serde(default = "elsewhere")]
        location: String,
    },
    /// Acts, and repeats in the answer what must not be repeated: card number, code, expiry and API key.
    EchoCard {},
    /// Any status and body; a body that is a string is sent as it is. Acts only where told to.
    Status {
        #[serde(default = "status_code")]
        code: u16,
        #[serde(default = "status_body")]
        body: Value,
        #[serde(default)]
        act: bool,
    },
}

/// A reason for a decline, one that the gateway knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct Word(#[serde(serialize_with = "code_of")] pub Decline);

fn code_of<S: serde::Serializer>(decline: &Decline, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(decline.code)
}

impl Default for Word {
    fn default() -> Self {
        Self(DO_NOT_HONOR)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let code = String::deserialize(from)?;
        let known = Decline::named(&code).map(Self);
        known.ok_or_else(|| serde::de::Error::custom(format!("{code} is no reason for a decline")))
    }
}

/// On which side of the deed a delay lies. Before: a client that gave up and asks finds nothing, and the deed is done
/// later. After: it is done, and the answer is late.
#[derive(Deserialize, Serialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub enum When {
    Before,
    #[default]
    After,
}

const fn delay_ms() -> u64 {
    100
}

const fn late_ms() -> u64 {
    1_000
}

const fn chunk_ms() -> u64 {
    50
}

const fn huge_bytes() -> u64 {
    64 * 1024 * 1024
}

const fn status_code() -> u16 {
    503
}

fn status_body() -> Value {
    json!({"error": {"code": "unavailable", "message": "come again later"}})
}

fn elsewhere() -> String {
    "/__health".to_owned()
}

impl Fault {
    /// The fault of this name.
    ///
    /// # Errors
    /// A sentence, where there is none or its parameters are not these.
    pub fn named(name: &str, parameters: Value) -> Result<Self, String> {
        let tagged = Value::Object(Map::from_iter([(name.to_owned(), parameters)]));
        Self::deserialize(tagged).map_err(|error| format!("fault {name}: {error}"))
    }

    /// Reads `{"delay":{"ms":5}}`, and `"garbage"` for `{"garbage":{}}`.
    ///
    /// # Errors
    /// Where it is neither.
    pub fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        let fault = match value {
            Value::String(name) => Self::named(&name, json!({})),
            tagged => Self::deserialize(tagged).map_err(|error| error.to_string()),
        };
        fault.map_err(serde::de::Error::custom)
    }

    /// Its name in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::DropBefore {} => "drop_before",
            Self::ActThenDrop {} => "act_then_drop",
            Self::ActThen500 {} => "act_then_500",
            Self::Status500 {} => "status_500",
            Self::Status409 {} => "status_409",
            Self::NotProcessed409 {} => "not_processed_409",
            Self::Status429 {} => "status_429",
            Self::Garbage {} => "garbage",
            Self::HugeBody { .. } => "huge_body",
            Self::SlowBody { .. } => "slow_body",
            Self::Truncated {} => "truncated",
            Self::Decline { .. } => "decline",
            Self::LateSuccess { .. } => "late_success",
            Self::CaptureFailsLater { .. } => "capture_fails_later",
            Self::RefundFailsLater { .. } => "refund_fails_later",
            Self::Pending { .. } => "pending",
            Self::Redirect { .. } => "redirect",
            Self::EchoCard {} => "echo_card",
            Self::Status { .. } => "status",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that rules use are the names that the log of requests shows.
    #[test]
    fn every_name_is_the_one_it_is_read_by() {
        for name in [
            "delay",
            "drop_before",
            "act_then_drop",
            "act_then_500",
            "status_500",
            "status_409",
            "not_processed_409",
            "status_429",
            "garbage",
            "huge_body",
            "slow_body",
            "truncated",
            "decline",
            "late_success",
            "pending",
            "capture_fails_later",
            "refund_fails_later",
            "redirect",
            "echo_card",
            "status",
        ] {
            assert_eq!(Fault::named(name, json!({})).expect(name).name(), name);
        }
    }
}
