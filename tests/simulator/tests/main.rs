//! The simulator over loopback, as a client of it sees it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may end at the first surprise, and clippy knows `#[test]` functions only"
)]

mod adyen;
mod calls;
mod client;
mod faces;
mod faults;
mod ledger;
mod paypal;
mod program;
mod razorpay;
mod receiver;
mod settling;
mod stripe;
mod webhooks;
