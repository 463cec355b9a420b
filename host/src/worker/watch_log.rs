//! Watches how the readers of the log come along, and what holds them all back.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::More;
use crate::{app::App, store::outbox_cursors};

pub(super) const PAUSE: Duration = Duration::from_secs(10);
/// A transaction that runs for longer is worth a word: our own are cancelled after ten seconds.
const OLD_S: f64 = 60.0;

/// Two statements, and nothing is written.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    let mut conn = app.pool.acquire().await?;
    let lags = outbox_cursors::lags(&mut conn).await?;
    let oldest_s = outbox_cursors::oldest_transaction_s(&mut conn).await?.unwrap_or(0.0);
    drop(conn);
    silence_forgotten(&lags);
    for lag in lags {
        metrics::gauge!("interlock_outbox_unread_seconds", "reader" => lag.reader.clone())
            .set(lag.unread_s.unwrap_or(0.0));
        metrics::gauge!("interlock_outbox_cursor_ahead", "reader" => lag.reader.clone()).set(if lag.is_ahead {
            1.0
        } else {
            0.0
        });
        if lag.is_ahead {
            tracing::error!(
                reader = lag.reader,
                "this reader's cursor is ahead of the database, as after a restored dump: it will not read on before \
                 that is repaired; docs/operators.md says how"
            );
        }
    }
    metrics::gauge!("interlock_oldest_transaction_seconds").set(oldest_s);
    if oldest_s > OLD_S {
        tracing::warn!(oldest_s, "a transaction has been open for long and holds back every event written since");
    }
    Ok(More::No)
}

/// A reader that is not there any more lags behind nothing: its gauges would show their last values for ever.
fn silence_forgotten(lags: &[outbox_cursors::Lag]) {
    static SHOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let present: BTreeSet<String> = lags.iter().map(|lag| lag.reader.clone()).collect();
    for reader in shown.difference(&present) {
        metrics::gauge!("interlock_outbox_unread_seconds", "reader" => reader.clone()).set(0.0);
        metrics::gauge!("interlock_outbox_cursor_ahead", "reader" => reader.clone()).set(0.0);
    }
    *shown = present;
}
