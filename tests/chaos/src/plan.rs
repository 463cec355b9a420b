//! How long and how hard a run is: the table of a full run, of a quick one and of one that looks for a mutation.

use std::time::Duration;

use interlock_tests::harness;

use crate::{weather::Mix, world::Gateway};

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides what clients do, which faults they meet, and who is killed when.
    pub seed: u64,
    /// How many payments clients make.
    pub payments: u32,
    /// When clients stop, whatever they have left to do. Settling comes after it.
    pub load_max: Duration,
    /// How long what is open may take to settle once all is calm again.
    pub settle_max: Duration,
    /// Clients at work at once.
    pub clients: usize,
    /// What befalls hosts and database.
    pub acts: Acts,
    /// How the gateways behave.
    pub weather: Weather,
    /// How webhooks travel, as the simulator calls it, for as long as the weather does not change that.
    pub webhooks: &'static str,
    /// What of the host is broken on purpose, by its name.
    pub mutation: Option<&'static str>,
    /// The connector and the face through which everything goes.
    pub through: &'static harness::Gateway,
    /// All payments are made at this gateway; at any where none is said.
    pub gateway: Option<Gateway>,
}

/// What befalls hosts and database during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acts {
    /// Everything, by chance.
    All,
    /// Hosts are frozen between their first commit and the first byte, until long after their lease.
    FreezesBeforeSending,
    /// Nothing.
    None,
}

/// How the gateways behave during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It changes every few seconds, from calm to outage.
    Changing,
    /// All the time the same.
    Only(Mix),
}

/// Clients of a run at once: most of them wait, for a host that is frozen or an outcome that is unknown, and still hosts
/// have enough to do.
const CLIENTS: usize = 32;
/// Clients of a short run: it is to last long enough that everything befalls it.
const QUICK_CLIENTS: usize = 16;
/// Payments of a quick run.
const QUICK_PAYMENTS: u32 = 500;
/// Clients of a quick run stop after this.
const QUICK_LOAD_MAX: Duration = Duration::from_secs(35);
/// Payments and time of a short run through a connector of a real gateway: hosts and their database have had their run
/// through the mock, and what is new is the connector.
const GLANCE_PAYMENTS: u32 = 200;
const GLANCE_LOAD_MAX: Duration = Duration::from_secs(15);
/// What is left of a full run's time for settling and checking.
const SETTLE_RESERVE: Duration = Duration::from_secs(130);
/// How long a run waits until everything is settled. Longer than the mock gateway's descriptor lets a question for
/// something that never arrived take (30 s), and than what is known then takes.
const SETTLE_MAX: Duration = Duration::from_secs(90);

impl Plan {
    /// So many payments within so many minutes, settling and checking included.
    #[must_use]
    pub fn full(seed: u64, payments: u32, minutes: u64) -> Self {
        Self {
            seed,
            payments,
            load_max: Duration::from_secs(minutes * 60).saturating_sub(SETTLE_RESERVE).max(QUICK_LOAD_MAX),
            settle_max: SETTLE_MAX,
            clients: CLIENTS,
            acts: Acts::All,
            weather: Weather::Changing,
            webhooks: "normal",
            mutation: None,
            through: &harness::gateways::MOCK,
            gateway: None,
        }
    }

    /// For CI: less than a minute and a half.
    #[must_use]
    pub fn quick(seed: u64) -> Self {
        Self {
            payments: QUICK_PAYMENTS,
            load_max: QUICK_LOAD_MAX,
            clients: QUICK_CLIENTS,
            ..Self::full(seed, QUICK_PAYMENTS, 0)
        }
    }

    /// The same through this connector; shorter where it is not the mock.
    #[must_use]
    pub fn quick_through(seed: u64, through: &'static harness::Gateway) -> Self {
        let quick = Self { through, ..Self::quick(seed) };
        if through.name == harness::gateways::MOCK.name {
            return quick;
        }
        Self { payments: GLANCE_PAYMENTS, load_max: GLANCE_LOAD_MAX, ..quick }
    }
}
