//! The harness, in reading order: a world is made of a database, a simulator and hosts, and is called through a client.

pub mod bodies;
mod builder;
mod client;
mod host;
pub mod invariants;
mod look;
mod merchant;
pub mod postgres;
mod process;
mod simulator;
mod world;

pub use builder::Builder;
pub use client::{Answer, Caller};
pub use host::Host;
pub use look::Row;
pub use merchant::Merchant;
pub use simulator::Simulator;
pub use world::{World, eventually};
