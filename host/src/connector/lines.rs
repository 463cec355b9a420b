//! What versions say, and what this host has found out about them, until it is written down for all to read: a buffer of
//! so many lines for each time that it is emptied, about once a second. What is more is counted and dropped: no
//! connector makes the database busy by talking.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use metrics::counter;
use uuid::Uuid;

use super::{bindings, bounds::Verb, run::shortened, version::Version};
use crate::domain::id::OperationId;

/// Lines that one host writes down in a second, of all connectors together.
pub const LINES_PER_SECOND_MAX: usize = 100;
/// Of these: lines of one connector's own.
const OWN_LINES_MAX: usize = 50;
/// What is left to the host's findings: no connector talks them out.
const FINDINGS_KEPT: usize = 20;
/// Of a connector's own lines: such as are for its author alone.
const DEBUG_LINES_MAX: usize = 25;
/// A line's length. What a connector says is shorter; what a trap leaves behind may be cut.
const LINE_MAX_BYTES: usize = 1_500;

/// Lines that were dropped because there were too many of them in a second, by connector.
const DROPPED: &str = "interlock_connector_log_dropped_total";

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Level {
    Debug,
    Info,
    Warn,
    /// Something broke. The host alone says so.
    Error,
}

impl From<bindings::Level> for Level {
    fn from(level: bindings::Level) -> Self {
        match level {
            bindings::Level::Debug => Self::Debug,
            bindings::Level::Info => Self::Info,
            bindings::Level::Warn => Self::Warn,
        }
    }
}

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Origin {
    Connector,
    Host,
}

/// What a connector has logged, within its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub level: Level,
    pub message: String,
}

/// What a line is about.
pub struct About<'a> {
    pub verb: Verb,
    /// As the connector has it: `op_…`.
    pub operation: Option<&'a str>,
    pub merchant: Option<Uuid>,
}

impl About<'_> {
    /// About what is no operation.
    pub(super) fn version(verb: Verb) -> Self {
        Self { verb, operation: None, merchant: None }
    }
}

/// A line as it is to be written down.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub version: String,
    pub digest: [u8; 32],
    pub level: Level,
    pub origin: Origin,
    /// None where it speaks of the version as a whole.
    pub verb: Option<Verb>,
    pub operation_id: Option<Uuid>,
    pub merchant_id: Option<Uuid>,
    pub message: String,
    pub at: Instant,
}

/// The lines of one host.
#[derive(Default)]
pub struct Lines(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    lines: Vec<Line>,
    /// By connector, for what was dropped: its version, and how much.
    dropped: HashMap<String, (String, [u8; 32], u64)>,
}

impl Lines {
    /// Keeps what a version has logged in a run.
    pub(super) fn said(&self, version: &Version, about: &About<'_>, said: Vec<Said>) {
        for Said { level, message } in said {
            self.keep(line(version, Some(about), Origin::Connector, level, &message));
        }
    }

    /// Keeps that a run of the version broke down.
    pub(super) fn found(&self, version: &Version, about: &About<'_>, what: &str) {
        self.keep(line(version, Some(about), Origin::Host, Level::Error, what));
    }

    /// Keeps what this host has found out about an operation of the version.
    pub fn found_of(&self, version: &Version, verb: Verb, operation: &str, merchant: Option<Uuid>, what: &str) {
        let about = About { verb, operation: Some(operation), merchant };
        self.keep(line(version, Some(&about), Origin::Host, Level::Warn, what));
    }

    /// Keeps what this host has found out about what is no operation: an opening of a session.
    pub fn found_at(&self, version: &Version, verb: Verb, merchant: Uuid, what: &str) {
        let about = About { verb, operation: None, merchant: Some(merchant) };
        self.keep(line(version, Some(&about), Origin::Host, Level::Warn, what));
    }

    /// Keeps what became of a version as a whole.
    pub fn became(&self, name: &str, version: &str, digest: [u8; 32], what: &str) {
        self.keep(Line {
            name: name.to_owned(),
            version: version.to_owned(),
            digest,
            level: Level::Error,
            origin: Origin::Host,
            verb: None,
            operation_id: None,
            merchant_id: None,
            message: bounded(what),
            at: Instant::now(),
        });
    }

    /// Everything since the last time, oldest first, with a line for each connector of which some were dropped.
    #[must_use]
    pub fn take(&self) -> Vec<Line> {
        let Kept { mut lines, dropped } = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, (version, digest, count)) in dropped {
            lines.push(Line {
                message: format!(
                    "{count} more lines were dropped: a host keeps {OWN_LINES_MAX} of a connector in a second"
                ),
                name,
                version,
                digest,
                level: Level::Warn,
                origin: Origin::Host,
                verb: None,
                operation_id: None,
                merchant_id: None,
                at: Instant::now(),
            });
        }
        lines
    }

    /// Takes back what could not be written down, as far as there is room.
    pub fn give_back(&self, lines: Vec<Line>) {
        for line in lines {
            self.keep(line);
        }
    }

    fn keep(&self, line: Line) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.has_room_for(&line) {
            kept.lines.push(line);
            return;
        }
        counter!(DROPPED, "connector" => line.name.clone()).increment(1);
        kept.dropped.entry(line.name).or_insert((line.version, line.digest, 0)).2 += 1;
    }
}

impl Kept {
    fn has_room_for(&self, line: &Line) -> bool {
        let own = || self.lines.iter().filter(|kept| kept.origin == Origin::Connector && kept.name == line.name);
        match line.origin {
            Origin::Host => self.lines.len() < LINES_PER_SECOND_MAX,
            Origin::Connector => {
                self.lines.len() < LINES_PER_SECOND_MAX - FINDINGS_KEPT
                    && own().count() < OWN_LINES_MAX
                    && (line.level > Level::Debug
                        || own().filter(|kept| kept.level == Level::Debug).count() < DEBUG_LINES_MAX)
            }
        }
    }
}

fn line(version: &Version, about: Option<&About<'_>>, origin: Origin, level: Level, message: &str) -> Line {
    let operation = about.and_then(|about| about.operation?.parse::<OperationId>().ok());
    Line {
        name: version.name().to_owned(),
        version: version.version().to_owned(),
        digest: *version.digest(),
        level,
        origin,
        verb: about.map(|about| about.verb),
        operation_id: operation.map(OperationId::uuid),
        merchant_id: about.and_then(|about| about.merchant),
        message: bounded(message),
        at: Instant::now(),
    }
}

/// One line of it: what would begin another one, or steer a terminal, is shown as a blank. Postgres takes no zero byte.
fn bounded(message: &str) -> String {
    let plain: String = message.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    shortened(plain.trim_end(), LINE_MAX_BYTES).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(name: &str, level: Level) -> Line {
        Line {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            digest: [1; 32],
            level,
            origin: Origin::Connector,
            verb: Some(Verb::Sync),
            operation_id: None,
            merchant_id: None,
            message: "said".to_owned(),
            at: Instant::now(),
        }
    }

    fn count(lines: &[Line], name: &str) -> usize {
        lines.iter().filter(|line| line.name == name && line.origin == Origin::Connector).count()
    }

    /// One connector floods, another says a word, and the host finds something out: all are heard.
    #[test]
    fn who_talks_too_much_is_cut_short_alone() {
        let lines = Lines::default();
        for _ in 0..200 {
            lines.keep(own("loud", Level::Debug));
        }
        for _ in 0..200 {
            lines.keep(own("loud", Level::Warn));
        }
        lines.keep(own("quiet", Level::Debug));
        lines.became("loud", "1.0.0", [1; 32], "quarantined");
        let taken = lines.take();
        assert_eq!((count(&taken, "loud"), count(&taken, "quiet")), (OWN_LINES_MAX, 1));
        assert!(taken.iter().any(|line| line.message == "quarantined"));
        let last = taken.last().unwrap();
        assert_eq!((last.name.as_str(), last.level, last.origin), ("loud", Level::Warn, Origin::Host));
        assert!(last.message.starts_with("350 more lines were dropped"), "{}", last.message);
        assert!(lines.take().is_empty());
    }

    #[test]
    fn many_connectors_together_leave_room_for_findings() {
        let lines = Lines::default();
        for number in 0..200 {
            lines.keep(own(&format!("c{number}"), Level::Info));
        }
        lines.became("c0", "1.0.0", [1; 32], "found");
        let taken = lines.take();
        let said = taken.iter().filter(|line| line.origin == Origin::Connector).count();
        assert_eq!(said, LINES_PER_SECOND_MAX - FINDINGS_KEPT);
        assert!(taken.iter().any(|line| line.message == "found"));
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(bounded("a\nb\u{1b}[31mc\0d\r\n"), "a b [31mc d");
        assert_eq!(bounded(&"ä".repeat(LINE_MAX_BYTES)).len(), LINE_MAX_BYTES);
    }
}
