//! One component that was let in: who it says it is, and what is needed to run it.

use std::{fmt, fmt::Write as _};

use wasmtime::component::InstancePre;

use super::{bindings::Exports, meters::Meters, run::Run, types::Descriptor};

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
    pub(super) program: Program,
    pub(super) meters: Meters,
}

impl Version {
    pub(super) fn new(digest: [u8; 32], descriptor: Descriptor, program: Program) -> Self {
        Self {
            meters: Meters::new(&descriptor.name, &descriptor.version),
            name: descriptor.name.clone(),
            number: descriptor.version.clone(),
            digest,
            descriptor,
            program,
        }
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
