//! Replays recorded operations on versions for which somebody asked for that.

use std::{sync::Arc, time::Duration};

use super::More;
use crate::{app::App, flow::connectors};

pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// One statement where nobody has asked.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    Ok(if connectors::work(&app).await? { More::Yes } else { More::No })
}
