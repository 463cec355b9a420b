//! How long events were on their way: from their commit until the reader had passed them, and until they had arrived.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;

use super::{Logged, Looks};
use crate::{receiver::Arrival, stats::microseconds};

/// Of some events; in microseconds.
pub struct Lags {
    pub passed: Histogram<u64>,
    pub arrived: Histogram<u64>,
}

impl Lags {
    /// None yet.
    pub fn none() -> Self {
        Self { passed: microseconds(), arrived: microseconds() }
    }

    /// Adds those of `events` that were committed after `since`. Fails where one of them was not passed or has not
    /// arrived: the fastest delivery is none.
    pub fn add<'a>(
        &mut self,
        events: impl IntoIterator<Item = &'a Logged>,
        looks: &Looks,
        arrivals: &[Arrival],
        since: Instant,
    ) -> anyhow::Result<()> {
        let mut arrived = HashMap::new();
        for arrival in arrivals {
            // The first one counts.
            arrived.entry(arrival.event().context("a delivery names its event")?).or_insert(arrival.at);
        }
        for event in events {
            let committed = looks.hidden_until(event.xid).context("an event was there before anybody looked")?;
            if committed < since {
                continue;
            }
            let passed = looks.passed(event.xid, event.id).context("an event was not passed")?;
            let arrived = arrived.get(&event.id).context("an event did not arrive")?;
            record(&mut self.passed, passed.saturating_duration_since(committed));
            record(&mut self.arrived, arrived.saturating_duration_since(committed));
        }
        ensure!(!self.passed.is_empty(), "nothing was committed");
        Ok(())
    }
}

fn record(histogram: &mut Histogram<u64>, took: Duration) {
    histogram.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}
