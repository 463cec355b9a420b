//! The simulator over loopback, as a client of it sees it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may end at the first surprise, and clippy knows `#[test]` functions only"
)]

mod calls;
mod client;
mod faults;
mod ledger;
mod program;
mod receiver;
mod settling;
mod webhooks;
