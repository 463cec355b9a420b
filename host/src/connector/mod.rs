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
//! - **The newest contract is the only one that anybody else knows.** What components of the one before give is turned
//!   into it where it crosses ([`compat`]).

mod admission;
mod bindings;
mod bounds;
mod cassettes;
pub mod child;
mod compat;
mod contract;
mod descriptor;
mod engine;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod image;
mod inspect;
mod lines;
mod machine;
pub mod meters;
mod reach;
mod registry;
pub mod report;
mod run;
mod sanity;
pub mod signature;
mod tally;
mod ticker;
mod trial;
pub mod types;
mod unloadable;
mod version;
mod workers;
mod wrap;

#[cfg(test)]
pub(crate) mod tests;

pub use admission::{Reason, ReasonCode, Refused};
pub use bounds::{EngineConfig, Verb};
pub use cassettes::{CassettesError, Named, embed, embedded};
pub use child::Admission;
pub use engine::{Engine, EngineError};
pub use image::digest_of;
pub use lines::{Level, Line, Lines, Origin};
pub use registry::{Listed, Registry, Role, Standing};
pub use report::Report;
pub use run::{RunError, Step, TrapKind, Verify};
pub use signature::{SignedBy, TrustedKey};
pub use tally::{Tallied, Tally};
pub use trial::{Trial, TrialError, Used};
pub use unloadable::Unloadable;
pub use version::{Version, hex};
pub use wrap::{WrapError, wrap};
