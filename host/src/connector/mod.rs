//! Connectors: components that translate between us and a gateway, run where they can do nothing else.
//!
//! A connector is straight-line code that looks as if it called its gateway and waited. It does neither: a run is
//! answered from the operation's transcript, and at the first request that the transcript holds no reply to, the run
//! ends and hands the request over ([`Step::Send`]). Whoever sends it runs the operation again with a longer
//! transcript. So nothing lives while a gateway thinks, and the journal is the only state.
//!
//! # Invariants
//!
//! - **A component imports `egress`, `signatures` and `log` and nothing else.** There is no clock, no random source,
//!   no file and no socket to be had; admission refuses what asks for one.
//! - **Every run is a fresh instance with bounds on everything**: instructions, time, memory, stack, what it copies
//!   out, what it logs, how often it asks. Whatever ends a run ends that run and nothing else.
//! - **Same input, same output.** A run that asks for something else than what is written down has diverged, and is
//!   reported as that; nothing is ever sent for it.
//! - **What comes out is checked before anyone reads it**: counts, lengths, currencies, characters.

mod admission;
mod bindings;
mod bounds;
mod descriptor;
mod engine;
mod image;
mod inspect;
mod machine;
pub mod meters;
mod registry;
mod run;
mod sanity;
mod ticker;
pub mod types;
mod unloadable;
mod version;
mod workers;
mod wrap;

#[cfg(test)]
mod tests;

pub use admission::{Reason, ReasonCode, Refused};
pub use bounds::{EngineConfig, Verb};
pub use engine::{Engine, EngineError};
pub use registry::{Listed, NotInstalled, Registry};
pub use run::{RunError, Step, TrapKind, Verify};
pub use unloadable::Unloadable;
pub use version::{Version, hex};
pub use wrap::{WrapError, wrap};
