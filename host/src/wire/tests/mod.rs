//! The wire against real sockets on loopback, and its rules against tables.

#![expect(clippy::disallowed_methods, reason = "gateways of the tests run on the test's own runtime, and end with it")]

mod check;
mod courier;
mod exchange;
pub(super) mod fixtures;
mod gateway;
mod metrics;
mod render;
mod reuse;
mod scrub;
mod tls;
