//! Objects as merchants see them: the JSON of API answers and of events alike.
//!
//! It stands beside `domain` and below `flow`, because an answer is stored, and an event written, in the commit that
//! makes them true: whoever writes them must be able to render them. `http` uses the same shapes for its documentation.

pub mod delivery;
pub mod event;
pub mod exchange;
pub mod gateway_account;
pub mod order;
pub mod payment;
pub mod refund;
pub mod review;
pub mod routing_preview;
pub mod routing_rule;
pub mod token;
pub mod webhook_endpoint;

use chrono::{DateTime, SecondsFormat, Utc};

/// A time as the API shows it: RFC 3339 in UTC, with microseconds (what Postgres keeps).
#[must_use]
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
