//! Follows what the cluster's operators do: connectors that were installed or activated on another host.

use std::{sync::Arc, time::Duration};

use super::More;
use crate::{app::App, flow::connectors};

/// Every host follows within two seconds.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// One statement where nothing changed.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    connectors::follow(&app).await?;
    app.wire.sweep();
    Ok(More::No)
}
