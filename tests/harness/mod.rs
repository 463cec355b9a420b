//! The harness, in reading order: a world is made of a database, a simulator and hosts, and is called through a client.

pub mod bodies;
mod builder;
mod client;
mod door;
mod endpoints;
mod host;
pub mod invariants;
mod kafka;
mod line;
mod look;
pub mod merchant;
mod nats;
mod plain;
pub mod postgres;
mod process;
pub mod receiver;
mod simulator;
mod steps;
mod world;

pub use builder::Builder;
pub use client::{Answer, Caller, answer};
pub use door::Door;
pub use endpoints::Endpoint;
pub use host::{Host, OPERATOR_TOKEN, engine};
pub use kafka::{Kafka, Record};
pub use line::Line;
pub use look::Row;
pub use merchant::Merchant;
pub use nats::{NatsServer, Stored};
pub use plain::plain;
pub use process::{programs, target};
pub use receiver::Receiver;
pub use simulator::Simulator;
pub use world::{World, eventually};
