//! How long and how often is measured: the table of a full run and of a quick one.

use std::time::{Duration, Instant};

/// A full run ends within this, whatever the machine; what is left then is left out.
const FULL_MAX: Duration = Duration::from_mins(18);
/// The same for a quick one.
const QUICK_MAX: Duration = Duration::from_mins(5);

/// Bounds of one run.
pub struct Plan {
    ends: Instant,
    /// How often each side of a pair is measured.
    pub rounds: usize,
    /// Before each window: connections are made, statements prepared, caches filled.
    pub warm: Duration,
    /// The window in which answers count. Whole seconds: pgbench reports no finer.
    pub window: Duration,
    /// Payments in flight at once.
    pub in_flight: &'static [usize],
    /// What the gateway takes, in milliseconds.
    pub gateway_delays_ms: &'static [u64],
    /// Window of the open loop, in which some thousand arrivals make a 99th percentile.
    pub open_window: Duration,
    /// Rounds of the open loop.
    pub open_rounds: usize,
    /// Payments that are counted in the database.
    pub counted_payments: usize,
    /// Runs of a connector for each kind of run.
    pub connector_runs: usize,
    /// Pairs with and without, each as long as the open loop's window.
    pub pairs: usize,
    /// Payments whose events wait for the reader of the log.
    pub backlog_payments: usize,
    /// Payments whose events are delivered as fast as that goes.
    pub delivered_payments: usize,
    /// Starts of the host.
    pub starts: usize,
    /// Connectors that are installed at once; the first time on a machine each is compiled and judged.
    pub connectors: usize,
}

impl Plan {
    /// All of it.
    pub fn full() -> Self {
        Self {
            ends: Instant::now() + FULL_MAX,
            rounds: 3,
            warm: Duration::from_secs(1),
            window: Duration::from_secs(3),
            in_flight: &[1, 16, 64, 256],
            gateway_delays_ms: &[0, 50],
            open_window: Duration::from_secs(8),
            open_rounds: 3,
            counted_payments: 4_000,
            connector_runs: 20_000,
            pairs: 4,
            backlog_payments: 20_000,
            delivered_payments: 5_000,
            starts: 5,
            connectors: 200,
        }
    }

    /// A first impression.
    pub fn quick() -> Self {
        Self {
            ends: Instant::now() + QUICK_MAX,
            rounds: 2,
            warm: Duration::from_secs(1),
            window: Duration::from_secs(1),
            in_flight: &[1, 64],
            gateway_delays_ms: &[0, 50],
            open_window: Duration::from_secs(3),
            open_rounds: 1,
            counted_payments: 1_000,
            connector_runs: 4_000,
            pairs: 2,
            backlog_payments: 8_000,
            delivered_payments: 2_000,
            starts: 5,
            connectors: 50,
        }
    }

    /// Whether nothing more may be begun.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }
}
