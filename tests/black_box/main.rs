//! The black-box tests: what merchants, operators and gateways see, each theme in its module.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may end the test, as tests may")]

mod bodies_refused;
mod commits;
mod contract;
mod crashes;
mod database_away;
mod declines;
mod draining;
mod fault_kit;
mod frozen_hosts;
mod gateway_accounts;
mod hanging;
mod harness_sees;
mod hostile_connectors;
mod idempotency;
mod many_hosts;
mod operators;
mod outcomes;
mod pages;
mod protocol;
mod reading;
mod schema;
mod secrets;
mod shapes;
mod tidy;
mod tokens;
mod unknown_outcomes;
