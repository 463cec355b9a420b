//! The life of connectors' versions, after they were installed: which takes new operations, what its past operations would
//! have become under a new one, and when one is taken back or out by itself.
//!
//! Postgres has the truth; every host follows it within two seconds. Nothing here touches an operation that has begun: it
//! ends with the version that began it.

mod change;
mod difference;
mod follow;
mod health;
mod log;
mod replay;
mod shadow;

pub use self::{
    change::{Which, activate, activate_digest, retire, rollback},
    follow::{Following, follow, follow_whole},
    health::{ended, flush, judge},
    log::{Written, delete_lines, write_lines},
    shadow::{ShadowNow, ask, now, work},
};
