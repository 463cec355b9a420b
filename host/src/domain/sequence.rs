//! The order of one object's events. The log's order is that of transactions, and may swap two events of one object: a
//! transaction that takes its number early and then waits for the object's row writes the later event under the lower
//! number. Their `sequence` says which was first.

use std::collections::HashMap;

/// An event that counts among those of its object: from 1, without a gap.
pub trait Numbered {
    /// The object's public id.
    fn object(&self) -> &str;
    /// Its place among the object's events.
    fn sequence(&self) -> i32;
}

/// The same events, those of each object in their sequence, in the places that the object's events have. Events of
/// different objects stay where they are to each other as far as that goes.
#[must_use]
pub fn in_sequence<T: Numbered>(events: Vec<T>) -> Vec<T> {
    let mut objects: HashMap<&str, Vec<(i32, usize)>> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        objects.entry(event.object()).or_default().push((event.sequence(), at));
    }
    if objects.values().all(|of_one| of_one.is_sorted()) {
        return events;
    }
    // From where each event goes to where.
    let mut moves: Vec<(usize, usize)> = Vec::with_capacity(events.len());
    for mut of_one in objects.into_values() {
        let places: Vec<usize> = of_one.iter().map(|&(_, at)| at).collect();
        of_one.sort_unstable();
        moves.extend(of_one.into_iter().map(|(_, from)| from).zip(places));
    }
    moves.sort_unstable();
    let mut placed: Vec<(usize, T)> = moves.into_iter().map(|(_, to)| to).zip(events).collect();
    placed.sort_unstable_by_key(|&(to, _)| to);
    placed.into_iter().map(|(_, event)| event).collect()
}

/// The places of the events whose predecessor is not among `events`. It was read before, or it comes behind them.
#[must_use]
pub fn without_predecessor<T: Numbered>(events: &[T]) -> Vec<usize> {
    let places = places(events);
    let is_alone = |event: &T| event.sequence() > 1 && !places.contains_key(&predecessor(event));
    events.iter().enumerate().filter(|(_, event)| is_alone(event)).map(|(at, _)| at).collect()
}

/// How many of `events`, in the order of the log, may be released, where those at the places `early` must wait for
/// predecessors that come behind all of them. What is released is complete: nothing in it waits for what is not.
#[must_use]
pub fn releasable<T: Numbered>(events: &[T], early: &[usize]) -> usize {
    let places = places(events);
    let mut end = early.iter().copied().min().unwrap_or(events.len());
    loop {
        let waits = |event: &T| places.get(&predecessor(event)).is_some_and(|&at| at >= end);
        match events.iter().take(end).position(waits) {
            Some(earlier) => end = earlier,
            None => return end,
        }
    }
}

fn places<T: Numbered>(events: &[T]) -> HashMap<(&str, i32), usize> {
    events.iter().enumerate().map(|(at, event)| ((event.object(), event.sequence()), at)).collect()
}

fn predecessor<T: Numbered>(event: &T) -> (&str, i32) {
    (event.object(), event.sequence().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Event(&'static str, i32);

    impl Numbered for Event {
        fn object(&self) -> &str {
            self.0
        }

        fn sequence(&self) -> i32 {
            self.1
        }
    }

    fn events(text: &'static str) -> Vec<Event> {
        let event = |word: &'static str| Event(&word[..1], word[1..].parse().unwrap());
        text.split_whitespace().map(event).collect()
    }

    #[test]
    fn each_object_is_put_in_sequence_and_the_others_stay() {
        assert_eq!(in_sequence(events("a2 b1 a1 c7 b2 a3")), events("a1 b1 a2 c7 b2 a3"));
        assert_eq!(in_sequence(events("a3 a2 a1")), events("a1 a2 a3"));
        assert_eq!(in_sequence(events("a1 b1 a2")), events("a1 b1 a2"));
        assert_eq!(in_sequence(events("")), events(""));
    }

    #[test]
    fn an_event_that_was_read_twice_stays_twice() {
        assert_eq!(in_sequence(events("a2 a1 a2")), events("a1 a2 a2"));
    }

    #[test]
    fn a_predecessor_is_missed_where_it_is_not_there_and_there_is_one() {
        assert_eq!(without_predecessor(&events("a1 a2 b2 c4 c3 d1")), [2, 4]);
    }

    #[test]
    fn nothing_is_released_that_waits_for_what_is_not() {
        assert_eq!(releasable(&events("a1 b2 a2"), &[]), 3);
        assert_eq!(releasable(&events("a1 b2 a2"), &[1]), 1);
        // b3 stands before b2, and b2 waits for what is behind all of them: both wait, and a2 with them.
        assert_eq!(releasable(&events("a1 b3 a2 b2 c1"), &[3]), 1);
        // A chain across two objects: b1 waits, and b2 for it; then a1 does, which stands behind b2, and a2 for it.
        assert_eq!(releasable(&events("c1 a2 b2 a1 b1 d5"), &[4]), 1);
        assert_eq!(releasable(&events("c1 a2 b2 a1 b1 d5"), &[5]), 5);
        assert_eq!(releasable(&events("a2"), &[0]), 0);
    }
}
