//! One component that was let in: who it says it is, and what is needed to run it.

use std::{fmt, fmt::Write as _, sync::OnceLock, time::Duration};

use wasmtime::component::InstancePre;

use super::{
    bindings::Exports, bounds::Verb, image::Verdict, meters::Meters, report::Report, run::Run, tally::Tally,
    types::Descriptor,
};
use crate::domain::connector_health::Ending;

/// A component, compiled and linked, with all type checks done. Code memory is given back when the last holder goes.
pub struct Program {
    pub(super) instance: InstancePre<Run>,
    pub(super) exports: Exports,
}

/// A version of a connector that passed admission. Cheap to hold; an operation holds the one it began with.
pub struct Version {
    name: String,
    number: String,
    digest: [u8; 32],
    descriptor: Descriptor,
    /// Set once, when the judging is over: the conformance kit already runs the version.
    report: OnceLock<Report>,
    pub(super) program: Program,
    pub(super) meters: Meters,
    tally: Tally,
}

impl Version {
    pub(super) fn new(digest: [u8; 32], descriptor: Descriptor, program: Program) -> Self {
        Self {
            meters: Meters::new(&descriptor.name, &descriptor.version),
            tally: Tally::default(),
            name: descriptor.name.clone(),
            number: descriptor.version.clone(),
            digest,
            descriptor,
            report: OnceLock::new(),
            program,
        }
    }

    /// A version that was judged elsewhere or before.
    pub(super) fn judged(digest: [u8; 32], verdict: Verdict, program: Program) -> Self {
        let version = Self::new(digest, verdict.descriptor, program);
        version.set_report(verdict.report);
        version
    }

    pub(super) fn set_report(&self, report: Report) {
        // A version is judged once; a second report would be of the same bytes.
        let _ = self.report.set(report);
    }

    /// What admission found out about it; none only while it is being judged.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        self.report.get()
    }

    /// The connector's name, by the descriptor.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its semantic version, by the descriptor.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.number
    }

    /// SHA-256 of the component's bytes: what an operation is pinned to.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The digest in lower-case hexadecimal.
    #[must_use]
    pub fn digest_hex(&self) -> String {
        hex(&self.digest)
    }

    /// What this host has counted of it and not told the others yet.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Counts an operation of its that came to an end.
    pub fn ended(&self, verb: Verb, ending: Ending) {
        self.tally.ended(verb, ending);
        self.meters.ended(verb, ending);
    }

    /// Counts an exchange with its gateway.
    pub fn exchanged(&self, verb: Verb, took: Duration) {
        self.tally.exchanged(verb, took);
        self.meters.exchanged(verb, took);
    }

    /// What it says of itself, checked at admission.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} ({})", self.name, self.number, self.digest_hex())
    }
}

/// `bytes` in lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}
