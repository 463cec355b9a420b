//! Points at which a test makes this process abort, as `kill -9` would: nothing is flushed, nothing is closed.
//!
//! Compiled in with the feature `fault-points` alone; a release has none of it. `INTERLOCK_FAULT=name` aborts at the
//! first visit of that point, `INTERLOCK_FAULT=name:3` at the third.

/// Where a host may be killed, in the order of the walk of a confirmed payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Point {
    /// The request is read; the connector has not run.
    BeforeFirstRun,
    /// The first request is known; nothing is written.
    BeforeCommitOne,
    /// Everything is on disk; nothing is on the wire.
    AfterCommitOne,
    /// The gateway's reply is here; nothing of it is written.
    AfterReply,
    /// A further request is written down and not sent.
    AfterNextExchange,
    /// The outcome is known; commit 2 is not begun.
    BeforeCommitTwo,
    /// Commit 2 is done; the merchant has no answer.
    AfterCommitTwo,
    /// Another host's operation is taken over; nothing was done about it.
    AfterTakeover,
    /// A resolution is about to send.
    BeforeResolve,
}

/// Aborts the process where the test wants it to.
#[cfg(feature = "fault-points")]
pub fn point(point: Point) {
    use std::sync::{LazyLock, atomic::AtomicU32, atomic::Ordering};

    static WANTED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let wanted = std::env::var("INTERLOCK_FAULT").ok()?;
        Some(match wanted.split_once(':') {
            Some((name, visit)) => (name.to_owned(), visit.parse().unwrap_or(1)),
            None => (wanted, 1),
        })
    });
    static VISITS: AtomicU32 = AtomicU32::new(0);

    let Some((name, visit)) = &*WANTED else { return };
    if <&str>::from(point) == name && VISITS.fetch_add(1, Ordering::SeqCst) + 1 == *visit {
        std::process::abort();
    }
}

/// Nothing: this build has no fault points.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn point(_: Point) {}
