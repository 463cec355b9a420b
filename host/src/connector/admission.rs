//! Judges a component before it is let in.
//!
//! In the order of cost: what can be read off its bytes ([`super::inspect`]), what the compiler and the linker say,
//! and at last what it says of itself when it is run. Each step refuses with every reason it finds; a later step only
//! sees what passed the earlier ones, because reasons that follow from other reasons help nobody.

use std::fmt;

use wasmtime::{
    Store,
    component::{Component, Instance},
};

use super::{
    bindings::{Exports, PACKAGE_VERSION},
    bounds::Verb,
    descriptor,
    image::digest_of,
    inspect::inspect,
    machine::{Halt, Machine},
    run::{Run, RunError},
    types::Descriptor,
    version::{Program, Version},
};

/// Why a component is not let in: everything that was found, in the order in which it was found. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    pub reasons: Vec<Reason>,
}

/// One thing that is wrong with a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub code: ReasonCode,
    /// What is wrong, with the names of the things involved.
    pub detail: String,
    /// What its author can do about it.
    pub hint: String,
}

/// The kinds of reasons; clients match on their `snake_case` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ReasonCode {
    NotWasm,
    CoreModule,
    TooLarge,
    Invalid,
    WasiImport,
    UnknownImport,
    WrongWorld,
    TooManyMemories,
    Limits,
    CompileFailed,
    StartTrapped,
    DescribeTrapped,
    DescribeChanges,
    BadDescriptor,
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

/// Takes `component` through every check. Must run on a thread with a stack of [`super::workers::STACK_BYTES`]: it
/// runs the component.
pub fn admit(machine: &Machine, component: &[u8]) -> Result<Version, Refused> {
    let reasons = inspect(component, &machine.config);
    if !reasons.is_empty() {
        return Err(Refused { reasons });
    }
    let digest = digest_of(component);
    let compiled = compiled(machine, &digest, component)?;
    let program = program(machine, &compiled)?;
    let descriptor = described(machine, &program)?;
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
    Ok(Version::new(digest, descriptor, program))
}

/// The compiled component, from the cache where it has it.
fn compiled(machine: &Machine, digest: &[u8; 32], component: &[u8]) -> Result<Component, Refused> {
    if let Some(images) = &machine.images
        && let Some(compiled) = images.load(&machine.engine, digest)
    {
        return Ok(compiled);
    }
    let compiled = Component::from_binary(&machine.engine, component).map_err(|error| {
        Reason::new(
            ReasonCode::CompileFailed,
            format!("{error:#}"),
            "it is valid, but asks for more than this host gives a component; use fewer or smaller memories, tables and modules",
        )
    })?;
    if let Some(images) = &machine.images
        && let Err(error) = images.save(digest, &compiled)
    {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "a compiled image could not be kept; the next start compiles the component again");
    }
    Ok(compiled)
}

fn program(machine: &Machine, compiled: &Component) -> Result<Program, Refused> {
    let wrong_world = |detail: String| {
        Reason::new(
            ReasonCode::WrongWorld,
            detail,
            format!("build it against the world `connector` of interlock:connector@{PACKAGE_VERSION}"),
        )
    };
    let instance = machine.linker.instantiate_pre(compiled).map_err(|error| wrong_world(format!("{error:#}")))?;
    let exports = Exports::find(compiled).map_err(|missing| wrong_world(format!("it does not export {missing}")))?;
    Ok(Program { instance, exports })
}

/// What it says of itself: in two instances, and twice in the second. An answer that depends on anything but the code
/// is no promise that anybody could hold it to.
fn described(machine: &Machine, program: &Program) -> Result<Descriptor, Refused> {
    let first = describe(machine, program, |exports, store, instance| {
        // The types were compared with the world's already; this compares them with ours, once and for all.
        exports.check(store, instance)?;
        exports.describe(store, instance)
    })?;
    let (second, third) = describe(machine, program, |exports, store, instance| {
        Ok((exports.describe(store, instance)?, exports.describe(store, instance)?))
    })?;
    if first == second && second == third {
        return Ok(first);
    }
    Err(Reason::new(ReasonCode::DescribeChanges, "`describe` does not return the same every time", "return constants")
        .into())
}

fn describe<R>(
    machine: &Machine,
    program: &Program,
    call: impl FnOnce(&Exports, &mut Store<Run>, Instance) -> wasmtime::Result<R>,
) -> Result<R, Reason> {
    let run = Run::without_exchanges(machine.run_limits(), None);
    let finished = machine.execute(program, Verb::Describe, run, call);
    finished.result.map_err(|halt| {
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
    })
}
