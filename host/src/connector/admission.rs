//! Judges a component before it is let in.
//!
//! In the order of cost: what can be read off its bytes ([`super::inspect`]), what the compiler and the linker say,
//! and at last what it says of itself when it is run. Each step refuses with every reason it finds; a later step only
//! sees what passed the earlier ones, because reasons that follow from other reasons help nobody.

use std::{fmt, time::Instant};

use serde::{Deserialize, Serialize};
use wasmtime::{
    Store,
    component::{Component, Instance},
};

use super::{
    bindings::Exports,
    bounds::Verb,
    contract::Contract,
    descriptor,
    inspect::{inspect, world_hint},
    machine::{Halt, Machine},
    meters::Usage,
    report::{Finding, Report, Severity, Used},
    run::{Run, RunError},
    types::Descriptor,
    version::Program,
};

/// Why a component is not let in: everything that was found, in the order in which it was found. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    pub reasons: Vec<Reason>,
}

impl Refused {
    /// Whether nothing is known against the component: the host was not able to judge it.
    #[must_use]
    pub fn is_not_judged(&self) -> bool {
        self.reasons.iter().all(|reason| reason.code == ReasonCode::NotJudged)
    }
}

/// One thing that is wrong with a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: ReasonCode,
    /// What is wrong, with the names of the things involved.
    pub detail: String,
    /// What its author can do about it.
    pub hint: String,
}

/// The kinds of reasons; clients match on their `snake_case` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ReasonCode {
    NotWasm,
    CoreModule,
    TooLarge,
    Invalid,
    WasiImport,
    UnknownImport,
    WrongWorld,
    /// It keeps a version of the contract that this host does not serve, or several.
    ContractVersion,
    TooManyMemories,
    Limits,
    CompileFailed,
    StartTrapped,
    DescribeTrapped,
    DescribeChanges,
    BadDescriptor,
    /// It breaks a rule of the conformance kit.
    Conformance,
    /// Judging it used up its processor time.
    TooSlow,
    /// Judging it used up its memory.
    TooMuchMemory,
    /// It was not judged: the host could not, and it may have nothing to do with the component.
    NotJudged,
    /// The operator's policy asks for a signature.
    Unsigned,
    /// The signature is none, or is not of these bytes.
    SignatureInvalid,
    /// Somebody signed it whom the operator's policy does not name.
    KeyNotTrusted,
}

impl ReasonCode {
    /// Its name in `snake_case`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Reason {
    pub(super) fn new(code: ReasonCode, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: hint.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.code.name(), self.detail, self.hint)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the component is refused")?;
        self.reasons.iter().try_for_each(|reason| write!(f, "; {reason}"))
    }
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self { reasons: vec![reason] }
    }
}

/// What was found out about a component that passes, and what is needed to run it.
pub struct Judged {
    pub compiled: Component,
    pub program: Program,
    pub descriptor: Descriptor,
    /// What the conformance kit has to say comes later: it plays a version that passed all of this.
    pub report: Report,
}

/// Takes `component` through every check but the conformance kit. Must run on a thread with a stack of
/// [`super::workers::STACK_BYTES`]: it runs the component.
pub fn judge(machine: &Machine, digest: &[u8; 32], component: &[u8]) -> Result<Judged, Refused> {
    let (contents, contract) = inspect(component, &machine.config).map_err(|reasons| Refused { reasons })?;
    let began = Instant::now();
    let compiled = compile(machine, component)?;
    let compile_time = began.elapsed();
    let program = link(machine, &compiled, contract)?;
    let (descriptor, describe) = described(machine, &program)?;
    let reasons: Vec<_> = descriptor::check(&descriptor)
        .into_iter()
        .map(|fault| {
            Reason::new(
                ReasonCode::BadDescriptor,
                fault,
                "correct what `describe` returns; connector.wit says what is expected",
            )
        })
        .collect();
    if !reasons.is_empty() {
        return Err(Refused { reasons });
    }
    let report = Report {
        compile_ms: u64::try_from(compile_time.as_millis()).unwrap_or(u64::MAX),
        describe,
        ..Report::new(digest, component.len(), contract, &contents, &descriptor, machine.config.memory_max_bytes)
    };
    Ok(Judged { compiled, program, descriptor, report })
}

fn compile(machine: &Machine, component: &[u8]) -> Result<Component, Reason> {
    Component::from_binary(&machine.engine, component).map_err(|error| {
        Reason::new(
            ReasonCode::CompileFailed,
            format!("{error:#}"),
            "it is valid, but asks for more than this host gives a component; use fewer or smaller memories, tables and modules",
        )
    })
}

/// Links a compiled component to what the host gives it, and finds what it exports of its contract.
pub fn link(machine: &Machine, compiled: &Component, contract: Contract) -> Result<Program, Reason> {
    let wrong_world = |detail: String| Reason::new(ReasonCode::WrongWorld, detail, world_hint(contract));
    let instance = machine.linker.instantiate_pre(compiled).map_err(|error| wrong_world(format!("{error:#}")))?;
    let exports =
        Exports::find(compiled, contract).map_err(|missing| wrong_world(format!("it does not export {missing}")))?;
    Ok(Program { instance, exports })
}

/// What it says of itself: in two instances, and twice in the second. An answer that depends on anything but the code
/// is no promise that anybody could hold it to.
fn described(machine: &Machine, program: &Program) -> Result<(Descriptor, Used), Reason> {
    let (first, usage) = describe(machine, program, |exports, store, instance| {
        // The types were compared with the world's already; this compares them with ours, once and for all.
        exports.check(store, instance)?;
        exports.describe(store, instance)
    })?;
    let ((second, third), _) = describe(machine, program, |exports, store, instance| {
        Ok((exports.describe(store, instance)?, exports.describe(store, instance)?))
    })?;
    if first == second && second == third {
        return Ok((first, usage.into()));
    }
    Err(Reason::new(ReasonCode::DescribeChanges, "`describe` does not return the same every time", "return constants"))
}

fn describe<R>(
    machine: &Machine,
    program: &Program,
    call: impl FnOnce(&Exports, &mut Store<Run>, Instance) -> wasmtime::Result<R>,
) -> Result<(R, Usage), Reason> {
    let run = Run::without_exchanges(machine.run_limits(), None);
    let finished = machine.execute(program, Verb::Describe, run, call);
    let described = finished.result.map_err(|halt| {
        let (code, hint) = match &halt {
            Halt::Trapped { at_start: true, .. } => (
                ReasonCode::StartTrapped,
                "nothing may run at start but what sets up memory, and that within the bounds of a run",
            ),
            Halt::Trapped { .. } | Halt::Asked(_) | Halt::Broken(_) => (
                ReasonCode::DescribeTrapped,
                "`describe` returns constants; it can call nothing but `log`, within the bounds of a run",
            ),
        };
        let detail = match finished.run.judge(halt) {
            Err(RunError::Trapped { kind, detail }) => format!("{}: {detail}", kind.name()),
            Err(error) => error.to_string(),
            Ok(request) => format!("it asked for {}", request.url),
        };
        Reason::new(code, detail, hint)
    })?;
    Ok((described, finished.usage))
}

impl Finding {
    /// The reason that it is, where it keeps the component out.
    pub(super) fn reason(&self) -> Option<Reason> {
        let detail = || format!("{}: {} ({})", self.rule, self.says, self.at);
        (self.severity == Severity::Error).then(|| Reason::new(ReasonCode::Conformance, detail(), &*self.hint))
    }
}
