//! Events delivered to merchants' endpoints: at least once, to each in its turn, as Standard Webhooks says.
//!
//! An event comes here by one of two ways. The fan-out hands it over where there is a free place ([`Deliveries::take`]),
//! with all that is needed: nothing is read again. Everything else waits in the queue until [`claim()`] takes it. Both go on
//! in [`start`]: one POST ([`attempt`]); and what came of it is written down with what came of others ([`settle`]).
//!
//! # Invariants
//!
//! - **No receiver is waited for while a transaction is open.**
//! - Nothing here is needed by another host: the row in the queue has its lease, and whoever finds it after that sends
//!   again, under the same `webhook-id`.
//! - How much one receiver can take of this host is bounded by [`slots`], however slow it is.

mod attempt;
mod claim;
mod plans;
mod settle;
mod slots;
mod target;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use claim::{Again, claim};
pub use settle::write_down;
pub use slots::Slot;
pub use target::{Row, Target};

use crate::{
    app::App,
    fault::{self, Point},
    store::{
        deliveries::Lease,
        delivery_results::{Outcome, Tried},
        outbox::Event,
        webhook_endpoints::{Mode, WebhookEndpoint},
    },
    wire::Courier,
};
use plans::Plans;
use slots::{Slots, TooLate};
use target::Targets;

/// By how much the lease of a delivery outlasts its deadline: the time until its result is written down.
const LEASE_BEYOND_TIMEOUT: Duration = Duration::from_secs(5);
/// Results that wait to be written down. When the database falls behind, deliveries keep their places and wait.
const RESULTS_MAX: usize = 4_096;

/// What this host has under way, and what it needs for it.
pub struct Deliveries {
    slots: Arc<Slots>,
    targets: Targets,
    /// Of the statement that takes deliveries out of the queue, and of the one that writes down what came of them.
    claim_plans: Plans,
    settle_plans: Plans,
    courier: Courier,
    results: mpsc::Sender<Tried>,
    /// Held by the one who writes them down.
    to_write: Mutex<mpsc::Receiver<Tried>>,
    /// Deliveries under way: draining waits for them before the last results are written down.
    under_way: TaskTracker,
    stop: CancellationToken,
}

/// One event on its way to one endpoint.
pub struct Delivery {
    pub lease: Lease,
    pub event_type: String,
    /// As it was signed and sent at every try.
    pub body: Bytes,
    /// How often it was tried and failed.
    pub tries: i32,
    pub replay: bool,
    /// The endpoint wants one event of an object at a time.
    pub ordered: bool,
    /// The endpoint's last try had failed when its row was read.
    pub endpoint_failed: bool,
    pub url: Arc<str>,
    /// None where the endpoint's row cannot be used.
    pub target: Option<Arc<Target>>,
}

impl Deliveries {
    /// None under way, and nothing more begun after `stop`. Rings `due` when there is room for what had to stay in the
    /// queue.
    #[must_use]
    pub fn new(courier: Courier, due: Arc<Notify>, stop: CancellationToken) -> Self {
        let (results, receiver) = mpsc::channel(RESULTS_MAX);
        Self {
            slots: Slots::new(due),
            targets: Targets::new(),
            claim_plans: Plans::default(),
            settle_plans: Plans::default(),
            courier,
            results,
            to_write: Mutex::new(receiver),
            under_way: TaskTracker::new(),
            stop,
        }
    }

    /// A place for a live event that goes to this endpoint at once: to be taken before it is queued, and handed to
    /// [`start`] after the commit. None where it must wait in the queue: the endpoint has as many under way as it may,
    /// or others of its events wait already, or it wants them in order; or this host is to end, and another one sends it.
    pub fn take(&self, endpoint: &WebhookEndpoint) -> Option<Slot> {
        match endpoint.mode {
            Mode::Ordered => None,
            Mode::Parallel if self.stop.is_cancelled() => None,
            Mode::Parallel => {
                self.slots.take(endpoint.merchant_id, endpoint.endpoint_id, endpoint.failing_since.is_some())
            }
        }
    }

    /// Closes connections that nobody uses any more. For a worker, every few seconds.
    pub fn sweep(&self) {
        self.courier.sweep();
    }
}

impl Delivery {
    /// The first try of an event that was just queued under this lease, of which the caller has everything in hand.
    #[must_use]
    pub fn handed_over(app: &App, lease: Lease, endpoint: &WebhookEndpoint, event: &Event, body: Bytes) -> Self {
        let row = Row {
            merchant_id: endpoint.merchant_id,
            endpoint_id: endpoint.endpoint_id,
            version: endpoint.version,
            url: &endpoint.url,
            secrets: &endpoint.secrets,
        };
        let target = app.deliveries.targets.of(app, &row);
        Self {
            lease,
            event_type: event.kind.clone(),
            body,
            tries: 0,
            replay: false,
            ordered: endpoint.mode == Mode::Ordered,
            endpoint_failed: endpoint.failing_since.is_some(),
            url: target.as_ref().map_or_else(|| endpoint.url.as_str().into(), |target| Arc::clone(&target.url)),
            target,
        }
    }
}

/// Milliseconds for which a delivery is leased to the host that sends it.
#[must_use]
pub fn lease_ms(app: &App) -> i64 {
    let lease = app.config.webhook_timeout + LEASE_BEYOND_TIMEOUT;
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)
}

/// Sends it, as a task of its own that keeps the `slot` until there is an answer. A host that is to end begins nothing
/// more: the lease runs out, and another one sends it.
pub fn start(app: &Arc<App>, slot: Slot, delivery: Delivery) {
    if app.stop.is_cancelled() {
        return;
    }
    let owned = Arc::clone(app);
    let mut slot = slot;
    let sending = async move {
        let tried = match slot.turn().await {
            Ok(()) => {
                let waited = slot.waited();
                let tried = attempt::attempt(&owned, delivery).await;
                slot.went(tried.outcome == Outcome::Delivered, waited);
                tried
            }
            Err(TooLate) => attempt::put_back(&owned, delivery),
        };
        fault::point(Point::AfterDeliveryAnswer);
        // Fails where nobody writes down any more: then the lease runs out, and another host sends it again.
        let _ = owned.deliveries.results.send(tried).await;
        drop(slot);
    };
    // Both: one is waited for by who writes down the results, the other by the end of the program.
    app.deliveries.under_way.spawn(app.tasks.track_future(sending));
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::wire::{Wire, WireConfig};

    fn endpoint(mode: Mode) -> WebhookEndpoint {
        WebhookEndpoint {
            merchant_id: Uuid::nil(),
            endpoint_id: Uuid::nil(),
            url: "https://shop.example/".to_owned(),
            event_types: None,
            mode,
            description: None,
            secrets: Vec::new(),
            enabled: true,
            disabled_reason: None,
            disabled_at: None,
            resume_from: None,
            resume_xid: None,
            failing_since: None,
            event_sequence: 0,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            deleted_at: None,
        }
    }

    /// What it took now would be leased to a host that sends nothing any more.
    #[tokio::test]
    async fn a_host_that_is_to_end_takes_nothing_in_hand() {
        let (courier, stop) = (Wire::new(WireConfig::new(true)).unwrap().courier(), CancellationToken::new());
        let deliveries = Deliveries::new(courier, Arc::default(), stop.clone());
        assert!(deliveries.take(&endpoint(Mode::Ordered)).is_none());
        assert!(deliveries.take(&endpoint(Mode::Parallel)).is_some());
        stop.cancel();
        assert!(deliveries.take(&endpoint(Mode::Parallel)).is_none());
    }
}
