//! Ids that are the same for the same seed, never repeat within a run, and lead to their object without an index.

/// Hands out ids of one kind: a prefix, a tag made from the seed, and a number that counts up.
pub struct Ids {
    start: String,
    /// The number of the first object that is still there: a reset forgets objects, never numbers.
    base: usize,
    next: usize,
}

impl Ids {
    pub fn new(prefix: &str, tag: u32) -> Self {
        Self { start: format!("{prefix}_{tag:08x}"), base: 0, next: 0 }
    }

    /// The next id.
    pub fn make(&mut self) -> String {
        let id = format!("{}{:08x}", self.start, self.next);
        self.next += 1;
        id
    }

    /// Where the object with this id stands in its list, if it was handed out since the last reset.
    pub fn place(&self, id: &str) -> Option<usize> {
        let number = usize::from_str_radix(id.strip_prefix(&self.start)?, 16).ok()?;
        number.checked_sub(self.base).filter(|_| number < self.next)
    }

    /// Forgets the objects made so far.
    pub fn reset(&mut self) {
        self.base = self.next;
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn ids_lead_to_places_and_never_come_back() {
        let mut ids = Ids::new("ch", 7);
        let (first, second) = (ids.make(), ids.make());
        assert_eq!((ids.place(&first), ids.place(&second)), (Some(0), Some(1)));
        ids.reset();
        let third = ids.make();
        assert_eq!((ids.place(&first), ids.place(&third)), (None, Some(0)));
        assert_eq!(ids.place("ch_zz"), None);
    }
}
