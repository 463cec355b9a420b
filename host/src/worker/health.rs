//! Tells what this host has counted of connectors' versions and what they have logged, and takes back or out what does badly.

use std::{sync::Arc, time::Duration};

use super::More;
use crate::{app::App, flow::connectors};

/// What was counted is known to all within a second.
pub(super) const FLUSH_PAUSE: Duration = Duration::from_secs(1);
/// A version that breaks down is out within some seconds of the runs that showed it.
pub(super) const JUDGE_PAUSE: Duration = Duration::from_secs(2);

/// One statement; none where nothing was counted.
pub(super) async fn flush(app: Arc<App>) -> anyhow::Result<More> {
    connectors::flush(&app).await?;
    Ok(More::No)
}

/// One statement; none where nothing was logged.
pub(super) async fn log(app: Arc<App>) -> anyhow::Result<More> {
    connectors::write_lines(&app).await?;
    Ok(More::No)
}

/// One statement where all are well.
pub(super) async fn judge(app: Arc<App>) -> anyhow::Result<More> {
    connectors::judge(&app).await?;
    Ok(More::No)
}
