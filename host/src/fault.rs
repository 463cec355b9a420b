//! Points at which a test makes this process abort, as `kill -9` would: nothing is flushed, nothing is closed.
//!
//! Compiled in with the feature `fault-points` alone; a release has none of it. `INTERLOCK_FAULT=after_reply` aborts at
//! the first visit of that point, `after_reply:3` at the third, `capture/after_reply` at the first one that a capture
//! makes, `rollback/after_connector_change` at the first one in the course of a rollback.
//!
//! And the clock that a test sets: `INTERLOCK_TEST_CLOCK` names a file with the seconds by which the time of day is off.

use crate::connector::types::OperationKind;

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
    /// A session is to be opened at the gateway; nothing was asked for.
    BeforeSessionOpened,
    /// The gateway has opened one; nothing of it is kept.
    AfterSessionOpened,
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
    /// A webhook is stored; its gateway has no answer.
    AfterWebhookStored,
    /// A webhook's event is claimed; nothing was done about it.
    BeforeWebhookApplied,
    /// A sink's broker has events; the cursor does not know.
    AfterSinkPublished,
    /// Events are queued for endpoints, and that is not committed.
    BeforePublished,
    /// Events are queued for endpoints; nobody has begun to deliver them.
    AfterPublished,
    /// An event is on its way to a merchant's endpoint; nothing of it is on the wire.
    BeforeDelivery,
    /// The endpoint has answered; nothing of it is written down.
    AfterDeliveryAnswer,
    /// Answers of endpoints are about to be written down.
    BeforeDeliveriesSettled,
    /// A component was let in; nothing of it is kept.
    BeforeConnectorKept,
    /// A component is kept; its operator has no answer, and this host has not taken it in.
    AfterConnectorKept,
    /// A change in a version's life is written, with its audit row, and not committed.
    BeforeConnectorChange,
    /// It is committed; this host does not follow it yet, and whoever asked has no answer.
    AfterConnectorChange,
    /// A replay of recorded operations is claimed; nothing was replayed.
    AfterShadowClaimed,
    /// Everything was replayed; nothing of what it showed is kept.
    BeforeShadowKept,
    /// What this host has counted of versions is taken, and not told to the others.
    BeforeHealthTold,
}

/// Aborts the process where the test wants it to.
#[cfg(feature = "fault-points")]
pub fn point(point: Point) {
    visit(point, None);
}

/// The same, in the course of an operation of this kind.
#[cfg(feature = "fault-points")]
pub fn point_of(point: Point, kind: OperationKind) {
    visit(point, Some(name_of(kind)));
}

/// The same, in the course of what has this name.
#[cfg(feature = "fault-points")]
pub fn point_in(point: Point, course: &'static str) {
    visit(point, Some(course));
}

/// Nothing: this build has no fault points.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn point(_: Point) {}

/// Nothing: this build has no fault points.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn point_of(_: Point, _: OperationKind) {}

/// Nothing: this build has no fault points.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn point_in(_: Point, _: &'static str) {}

/// Seconds by which the time of day is off on this host: what the test's file says at this moment. None without one.
#[cfg(feature = "fault-points")]
pub fn clock_step_s() -> Option<i64> {
    use std::{path::PathBuf, sync::LazyLock};

    static FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("INTERLOCK_TEST_CLOCK").map(PathBuf::from));

    // A file that is being written is empty for a moment.
    std::fs::read_to_string(FILE.as_ref()?).ok()?.trim().parse().ok()
}

/// None: in this build the time of day is the system's.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn clock_step_s() -> Option<i64> {
    None
}

#[cfg(feature = "fault-points")]
fn visit(point: Point, course: Option<&str>) {
    use std::sync::{LazyLock, atomic::AtomicU32, atomic::Ordering};

    static WANTED: LazyLock<Option<Wanted>> =
        LazyLock::new(|| Some(Wanted::read(&std::env::var("INTERLOCK_FAULT").ok()?)));
    static VISITS: AtomicU32 = AtomicU32::new(0);

    let Some(wanted) = &*WANTED else { return };
    if wanted.is_here(point, course) && VISITS.fetch_add(1, Ordering::SeqCst) + 1 == wanted.visit {
        std::process::abort();
    }
}

/// What `INTERLOCK_FAULT` asks for.
#[cfg(feature = "fault-points")]
struct Wanted {
    /// In this course alone: of operations of this kind, say.
    course: Option<String>,
    point: String,
    /// At this one of the visits, counted from 1.
    visit: u32,
}

#[cfg(feature = "fault-points")]
impl Wanted {
    fn read(text: &str) -> Self {
        let (course, rest) =
            text.split_once('/').map_or((None, text), |(course, rest)| (Some(course.to_owned()), rest));
        let (point, visit) = rest.split_once(':').unwrap_or((rest, "1"));
        Self { course, point: point.to_owned(), visit: visit.parse().unwrap_or(1) }
    }

    fn is_here(&self, point: Point, course: Option<&str>) -> bool {
        self.point == <&str>::from(point) && self.course.as_deref().is_none_or(|wanted| course == Some(wanted))
    }
}

#[cfg(feature = "fault-points")]
fn name_of(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Authorize => "authorize",
        OperationKind::Complete => "complete",
        OperationKind::Capture => "capture",
        OperationKind::Cancel => "cancel",
        OperationKind::Refund => "refund",
        OperationKind::Sync => "sync",
    }
}

#[cfg(all(test, feature = "fault-points"))]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_point_and_may_name_its_course_and_visit() {
        let wanted = Wanted::read("capture/after_reply:3");
        assert_eq!(
            (wanted.course.as_deref(), wanted.point.as_str(), wanted.visit),
            (Some("capture"), "after_reply", 3)
        );
        assert!(wanted.is_here(Point::AfterReply, Some("capture")));
        assert!(!wanted.is_here(Point::AfterReply, Some("refund")));
        assert!(!wanted.is_here(Point::AfterReply, None));
        assert!(!wanted.is_here(Point::AfterTakeover, Some("capture")));
        assert!(Wanted::read("after_reply").is_here(Point::AfterReply, Some("sync")));
        assert!(Wanted::read("after_reply").is_here(Point::AfterReply, None));
    }
}
