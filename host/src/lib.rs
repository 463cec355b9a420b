//! Interlock: a payment switch that cannot charge twice.
//!
//! **`http` asks, `flow` does, `domain` decides, `store` remembers, `connector` translates, `wire` performs, `worker`
//! repeats.** Calls go down only; `ARCHITECTURE.md` has the map and the walks.

pub mod app;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod conformance;
pub mod connector;
pub mod dev;
pub mod domain;
pub mod fault;
pub mod flow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod http;
pub mod mutation;
pub mod serve;
pub mod sink;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod view;
pub mod wake;
pub mod wire;
pub mod worker;
