//! Who waits for what is told at once, and need not ask again and again. A wake-up only ever shortens a wait: with
//! `INTERLOCK_OUTBOX_WAKE=false` there is none, every reader looks twice a second, and all that is promised still holds.
//!
//! Nothing here waits or asks the database: it is called in the path of a payment.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// What is rung when there is something to do. Whoever listens hears that it rang since the last time; how often is lost.
pub struct Bell {
    rung: watch::Sender<()>,
    /// Polling alone is wanted.
    is_silent: bool,
}

/// One who listens to a [`Bell`].
pub struct Listener(watch::Receiver<()>);

impl Listener {
    /// Waits until it rings; no time at all where it has rung since the last time. Dropping it loses nothing.
    pub async fn rung(&mut self) {
        if self.0.changed().await.is_err() {
            // The process is ending.
            std::future::pending::<()>().await;
        }
    }
}

impl Bell {
    fn new(is_silent: bool) -> Self {
        Self { rung: watch::Sender::new(()), is_silent }
    }

    /// Wakes everybody who listens.
    pub fn ring(&self) {
        if !self.is_silent {
            self.rung.send_replace(());
        }
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.rung.subscribe())
    }
}

/// The bells of one process.
pub struct Wake {
    /// This host has committed something to the log: for what tells the other hosts.
    pub own: Bell,
    /// Some host has committed something to the log: for readers of it.
    pub outbox: Bell,
    /// There is something to deliver that nobody has taken in hand, or room for it again. Not silenced: it is rung in this
    /// process for this process.
    pub deliveries: Arc<Notify>,
}

impl Wake {
    /// With silent bells where polling alone is wanted.
    #[must_use]
    pub fn new(is_silent: bool) -> Self {
        Self { own: Bell::new(is_silent), outbox: Bell::new(is_silent), deliveries: Arc::default() }
    }

    /// To be called after every commit that wrote to the outbox. Takes less than a microsecond.
    pub fn committed(&self) {
        self.own.ring();
        self.outbox.ring();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn has_rung(listener: &mut Listener) -> bool {
        listener.rung().now_or_never().is_some()
    }

    #[tokio::test]
    async fn a_ring_is_heard_by_all_and_once() {
        let wake = Wake::new(false);
        let (mut reader, mut teller) = (wake.outbox.listen(), wake.own.listen());
        assert!(!has_rung(&mut reader));
        wake.committed();
        wake.committed();
        assert!(has_rung(&mut reader) && has_rung(&mut teller));
        assert!(!has_rung(&mut reader) && !has_rung(&mut teller));
        wake.outbox.ring();
        assert!(has_rung(&mut reader) && !has_rung(&mut teller));
    }

    #[tokio::test]
    async fn a_silent_bell_is_never_heard() {
        let wake = Wake::new(true);
        let mut reader = wake.outbox.listen();
        wake.committed();
        assert!(!has_rung(&mut reader));
    }
}
