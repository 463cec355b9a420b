//! When the database is to plan its statements on the queue anew.
//!
//! A connection plans a statement once. Where the queue was empty then, the plan walks through the whole table for each
//! row, which is quick for as long as the queue is short. Once it has grown, the database notices by itself when it has
//! analyzed the table, which takes it a minute: until then a statement that took long is not run by a plan that is kept.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::store::deliveries::Plan;

/// A statement that takes longer may have a bad plan. Planning it costs about a millisecond, which is little of that.
const SLOW: Duration = Duration::from_millis(20);
/// For how long plans are made anew then: until every plan that is kept was thrown away, at Postgres' usual settings.
const DOUBTED_FOR: Duration = Duration::from_mins(2);

/// What this host thinks of the plans that its connections keep for one statement.
#[derive(Default)]
pub(super) struct Plans {
    doubted_until: Mutex<Option<Instant>>,
}

impl Plans {
    /// The plan for the next one.
    pub(super) fn next(&self) -> Plan {
        let until = *self.doubted_until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| Instant::now() < until) { Plan::New } else { Plan::Kept }
    }

    /// A statement took so long by this plan.
    pub(super) fn took(&self, plan: Plan, took: Duration) {
        if plan == Plan::Kept && took > SLOW {
            *self.doubted_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + DOUBTED_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_took_long_is_not_kept() {
        let plans = Plans::default();
        plans.took(Plan::Kept, SLOW);
        plans.took(Plan::New, SLOW * 2);
        assert_eq!(plans.next(), Plan::Kept);
        plans.took(Plan::Kept, SLOW * 2);
        assert_eq!(plans.next(), Plan::New);
    }
}
