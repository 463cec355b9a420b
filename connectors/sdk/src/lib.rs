//! What Rust connectors share.

pub mod bindings;
pub mod money;
pub mod request;
pub mod types;
pub mod webhook;

mod connector;
mod context;
mod decline;
mod reply;

#[cfg(not(target_arch = "wasm32"))]
pub mod harness;

#[cfg(all(target_arch = "wasm32", feature = "bump-allocator"))]
mod alloc;

pub use connector::{Component, Connector, Host};
pub use decline::DeclineTable;
pub use reply::Document;

/// The first value of that name, capitals or not: how header names are compared.
fn find_ignoring_case<'a>(pairs: &'a types::Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
