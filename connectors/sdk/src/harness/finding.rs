//! What the harness finds: as data, and printed as a good compiler prints its errors.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::diff;

/// Lines of a comparison that are printed; the data has all of it.
const SHOWN_LINES_MAX: usize = 60;
/// Length of each of the two sides of a comparison: what a component returns can be megabytes.
const SIDE_MAX_BYTES: usize = 32 << 10;

/// The rules that a connector is held to. Their `snake_case` names are what programs match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Cassettes can be read, and say what they expect.
    Cassette,
    /// What a cassette expects is what happens.
    Replay,
    /// The same arguments and replies lead to the same requests and the same result.
    Determinism,
    /// Whatever comes in, there is a result; never a trap.
    Totality,
    /// Money never comes out of garbage.
    Garbage,
    /// What is returned keeps within the contract's bounds.
    Contract,
    /// Amounts and currencies are those of the reply, and those that were asked for.
    Amount,
    /// Every write carries the operation's id as its key.
    IdempotencyKey,
    /// Requests say what they can do at the gateway.
    Effect,
    /// Requests go only to declared origins.
    Origin,
    /// Holes stand only where the descriptor says.
    Placement,
    /// No secret and no personal data in clear.
    Secret,
    /// What is forged or stale is not believed.
    Webhook,
    /// Whatever is declared is shown to work.
    Coverage,
    /// Instructions, memory and size are well within what a host gives.
    Budget,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 15] = [
        Self::Cassette,
        Self::Replay,
        Self::Determinism,
        Self::Totality,
        Self::Garbage,
        Self::Contract,
        Self::Amount,
        Self::IdempotencyKey,
        Self::Effect,
        Self::Origin,
        Self::Placement,
        Self::Secret,
        Self::Webhook,
        Self::Coverage,
        Self::Budget,
    ];

    /// Its name in `snake_case`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cassette => "cassette",
            Self::Replay => "replay",
            Self::Determinism => "determinism",
            Self::Totality => "totality",
            Self::Garbage => "garbage",
            Self::Contract => "contract",
            Self::Amount => "amount",
            Self::IdempotencyKey => "idempotency_key",
            Self::Effect => "effect",
            Self::Origin => "origin",
            Self::Placement => "placement",
            Self::Secret => "secret",
            Self::Webhook => "webhook",
            Self::Coverage => "coverage",
            Self::Budget => "budget",
        }
    }

    /// What to do about it, where a finding has nothing better to say.
    fn hint(self) -> &'static str {
        match self {
            Self::Cassette => "the documentation of `interlock_connector::harness` has the form of cassettes",
            Self::Replay => {
                "where the connector is right, write its answer into the cassette (natively: INTERLOCK_BLESS=1)"
            }
            Self::Determinism => {
                "keep nothing in statics or globals; time, nonce and settings come with the context of each call"
            }
            Self::Totality => {
                "return a failure for what cannot be read: no `unwrap`, `expect`, indexing, unbounded recursion or loops \
                 over what a gateway sent"
            }
            Self::Garbage => {
                "read status and body first, require every member that the outcome rests on, and return a failure for \
                 the rest: the host then finds out what became of the operation"
            }
            Self::Contract => "connector.wit says beside each field what may stand in it",
            Self::Amount => {
                "take amount and currency of an outcome from the reply; send amounts with the currency's own number of \
                 decimals"
            }
            Self::IdempotencyKey => {
                "send the operation's id as the gateway's idempotency key or reference: `<id>` with the first writing \
                 request, `<id>-2` with the second; the SDKs have `idempotency_key` for it"
            }
            Self::Effect => {
                "`reads` for what changes nothing, `prepares` for what moves no money by itself, `moves-money` for all \
                 else: it decides what silence means"
            }
            Self::Origin => "declare it among the descriptor's `origins`, or build the URL from a setting that is one",
            Self::Placement => "add a placement to the descriptor, or leave the hole out; the operator approves them",
            Self::Secret => "use holes for secrets, and the reply's status or shape instead of its words in messages",
            Self::Webhook => {
                "check the signature over exactly what the gateway signed, the time with it, and refuse the delivery \
                 where it does not fit"
            }
            Self::Coverage => "add a cassette for it, or do not declare it",
            Self::Budget => "read what is needed and not whole trees, and leave out what the connector does not need",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The connector is not let in.
    Error,
    /// Somebody should look.
    Warning,
}

/// Where it was found, as far as it is anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The cassette's name, or what the kit itself made up, in words.
    pub cassette: Option<String>,
    /// Which exchange of it, counted from 1.
    pub exchange: Option<usize>,
    /// A JSON pointer into what is compared, a header, a setting.
    pub field: Option<String>,
}

/// One thing that is wrong with a connector or a cassette.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub rule: Rule,
    pub severity: Severity,
    pub at: Place,
    /// What is wrong, in a sentence without its place.
    pub says: String,
    pub expected: Option<String>,
    pub got: Option<String>,
    /// What its author can do about it.
    pub hint: String,
}

impl Finding {
    /// Something that keeps the connector out.
    #[must_use]
    pub fn error(rule: Rule, says: impl Into<String>) -> Self {
        Self {
            rule,
            severity: Severity::Error,
            at: Place::default(),
            says: says.into(),
            expected: None,
            got: None,
            hint: rule.hint().to_owned(),
        }
    }

    /// Something that somebody should look at.
    #[must_use]
    pub fn warning(rule: Rule, says: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, says) }
    }

    #[must_use]
    pub fn in_cassette(mut self, name: &str) -> Self {
        self.at.cassette = Some(name.to_owned());
        self
    }

    /// At the exchange of that position, counted from 0.
    #[must_use]
    pub fn at_exchange(mut self, position: usize) -> Self {
        self.at.exchange = Some(position + 1);
        self
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.at.field = Some(field.into());
        self
    }

    /// With what was expected and what came instead, and where they begin to differ.
    #[must_use]
    pub fn between(mut self, expected: &impl Serialize, got: &impl Serialize) -> Self {
        self.at.field = diff::first_difference(expected, got);
        self.expected = Some(side(expected));
        self.got = Some(side(got));
        self
    }

    /// With what came.
    #[must_use]
    pub fn got(mut self, got: &impl Serialize) -> Self {
        self.got = Some(side(got));
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// As readable JSON, within bounds.
fn side(value: &impl Serialize) -> String {
    let mut text = diff::pretty(value);
    text.truncate(text.floor_char_boundary(SIDE_MAX_BYTES));
    text
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cassette.as_deref().unwrap_or("the connector"))?;
        if let Some(exchange) = self.exchange {
            write!(f, ", exchange {exchange}")?;
        }
        self.field.as_ref().map_or(Ok(()), |field| write!(f, ", at {field}"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{severity}[{}]: {}", self.rule.name(), self.says)?;
        writeln!(f, "  --> {}", self.at)?;
        let compared = match (&self.expected, &self.got) {
            (Some(expected), Some(got)) => diff::lines(expected, got),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => String::new(),
        };
        for line in compared.lines().take(SHOWN_LINES_MAX) {
            writeln!(f, "   | {line}")?;
        }
        let more = compared.lines().count().saturating_sub(SHOWN_LINES_MAX);
        if more > 0 {
            writeln!(f, "   | … and {more} more lines")?;
        }
        write!(f, "   = help: {}", self.hint)
    }
}
