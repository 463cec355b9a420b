//! Events that are in hand: which of them the broker has, and how far that moves the cursor.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};

use super::message;
use crate::{flow::publish::Batch, sink::Message, store::outbox::Cursor};

/// One of them.
pub(super) struct Item {
    cursor: Cursor,
    created_at: DateTime<Utc>,
    /// None for what no stream is to have.
    message: Option<Message>,
    is_done: AtomicBool,
}

impl Item {
    pub(super) fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }

    /// The broker has it, or is not to have it.
    pub(super) fn done(&self) {
        self.is_done.store(true, Ordering::Relaxed);
    }
}

/// A batch, in the order in which it is released. The log's order may be another one.
pub(super) struct Taken {
    items: Vec<Item>,
    end: Cursor,
}

impl Taken {
    pub(super) fn new(batch: Batch) -> Self {
        let items = batch.events.into_iter().map(|event| Item {
            cursor: event.cursor,
            created_at: event.created_at,
            message: message::of(event),
            is_done: AtomicBool::new(false),
        });
        Self { items: items.collect(), end: batch.end }
    }

    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    /// What each is kept in order by.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.message.as_ref().map_or("", |message| message.key.as_str()))
    }

    pub(super) fn is_done(&self) -> bool {
        self.items.iter().all(Item::is_done)
    }

    /// The broker has some of it.
    pub(super) fn is_begun(&self) -> bool {
        self.items.iter().any(Item::is_done)
    }

    /// When the oldest happened that the broker has not.
    pub(super) fn oldest(&self) -> Option<DateTime<Utc>> {
        self.items.iter().filter(|item| !item.is_done()).map(|item| item.created_at).min()
    }

    /// The farthest place in the log up to which the broker has everything; `begin` where it lacks the first.
    pub(super) fn through(&self, begin: Cursor) -> Cursor {
        let Some(first) = self.items.iter().filter(|item| !item.is_done()).map(|item| item.cursor).min() else {
            return self.end;
        };
        self.items.iter().map(|item| item.cursor).filter(|cursor| *cursor < first).max().unwrap_or(begin)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn cursor(xid: u64) -> Cursor {
        Cursor { xid, id: Uuid::from_u128(u128::from(xid)) }
    }

    /// The log had them in the order of their numbers; they are released in this one.
    fn taken(order: &[u64]) -> Taken {
        let item = |xid: &u64| Item {
            cursor: cursor(*xid),
            created_at: DateTime::UNIX_EPOCH,
            message: None,
            is_done: AtomicBool::new(false),
        };
        Taken { items: order.iter().map(item).collect(), end: cursor(9) }
    }

    #[test]
    fn the_cursor_never_passes_what_the_broker_has_not() {
        let taken = taken(&[4, 3, 5, 7]);
        let through = |done: &[usize]| {
            for at in done {
                taken.items[*at].done();
            }
            taken.through(cursor(2)).xid
        };
        assert_eq!(through(&[]), 2);
        // 4 was released first: 3 is before it in the log and not done.
        assert_eq!(through(&[0]), 2);
        assert_eq!(through(&[1]), 4);
        assert_eq!(through(&[3]), 4);
        assert!(!taken.is_done() && taken.is_begun());
        assert_eq!(through(&[2]), 9);
        assert!(taken.is_done());
    }
}
