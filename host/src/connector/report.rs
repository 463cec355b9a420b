//! What admission found out about a component: kept with its version, for those who decide whether it may run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    admission::Refused,
    contract::Contract,
    engine::Engine,
    inspect::Contents,
    meters::Usage,
    reach,
    types::Descriptor,
    version::{Version, hex},
};

/// The report of one admission. Its JSON form is what the cluster keeps; a later version of the program reads it, so
/// that a new field needs a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    pub bytes: u64,
    /// The version of `interlock:connector` that it was built against.
    pub contract: String,
    /// By their full names, in the component's order.
    pub imports: Vec<String>,
    /// What it can reach, in sentences for people.
    pub reach: Vec<String>,
    pub resources: Resources,
    /// What compiling it took by the clock; the machine's other work counts in.
    pub compile_ms: u64,
    /// Its machine code, in bytes.
    pub image_bytes: u64,
    /// What `describe` used, the start of the instance included.
    pub describe: Used,
    /// What the conformance kit found; none where the program that judged it had none.
    pub conformance: Option<Conformance>,
    /// The version of the program that judged it.
    pub judged_by: String,
}

/// What a component is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Core modules.
    pub modules: u64,
    pub functions: u64,
    /// The largest function's code, in bytes.
    pub function_max_bytes: u64,
    pub memories: u64,
    /// The largest memory before anything ran, in bytes.
    pub memory_initial_bytes: u64,
    /// What one instance may have at most on the host that judged it, in bytes.
    pub memory_max_bytes: u64,
}

/// What a run used, or the most that any of several did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Instructions, roughly.
    pub fuel: u64,
    /// Most linear memory, in bytes.
    pub memory_bytes: u64,
}

/// What the conformance kit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conformance {
    /// Runs of the component that it took.
    pub runs: u64,
    /// The most that any of them used.
    pub most: Used,
    pub findings: Vec<Finding>,
}

/// One thing that the conformance kit has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's name.
    pub rule: String,
    pub severity: Severity,
    /// Where it was found: the cassette, the exchange, the field.
    #[serde(default)]
    pub at: String,
    /// What is wrong.
    pub says: String,
    /// What its author can do about it.
    pub hint: String,
    /// What was expected and what came, where the two were compared.
    #[serde(default)]
    pub details: Value,
}

/// Whether a finding keeps a component out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// It does.
    Error,
    /// Somebody should look.
    Warning,
}

/// The conformance kit, as admission calls it: plays a version that passed everything else. Must do that on the calling
/// thread, whose stack is large enough to run components: the process that judges cannot start another.
pub type Kit = fn(&Engine, &Arc<Version>, &[u8]) -> Result<Conformance, NotPlayed>;

/// Why the kit could not be played, in a sentence. Not the component's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPlayed(pub String);

/// Most findings that are kept of one component: the kit plays many garbled replies, and they tell the same story.
pub const FINDINGS_MAX: usize = 200;

impl Report {
    pub(super) fn new(
        digest: &[u8; 32],
        bytes: usize,
        contract: Contract,
        contents: &Contents,
        descriptor: &Descriptor,
        memory_max_bytes: usize,
    ) -> Self {
        Self {
            digest: hex(digest),
            bytes: bytes as u64,
            contract: contract.version().to_owned(),
            imports: contents.imports().map(str::to_owned).collect(),
            reach: reach::sentences(descriptor, contents),
            resources: contents.resources(memory_max_bytes),
            compile_ms: 0,
            image_bytes: 0,
            describe: Used::default(),
            conformance: None,
            judged_by: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Adds what the kit found; refuses where there is an error among it.
    pub(super) fn with_conformance(mut self, mut found: Conformance) -> Result<Self, Refused> {
        // Errors first: they are what must not be cut off.
        found.findings.sort_by_key(|finding| finding.severity != Severity::Error);
        found.findings.truncate(FINDINGS_MAX);
        let reasons: Vec<_> = found.findings.iter().filter_map(Finding::reason).collect();
        self.conformance = Some(found);
        if reasons.is_empty() { Ok(self) } else { Err(Refused { reasons }) }
    }
}

impl From<Usage> for Used {
    fn from(usage: Usage) -> Self {
        Self { fuel: usage.fuel, memory_bytes: usage.memory_peak_bytes as u64 }
    }
}
