//! Queues what happened for the merchants' endpoints that want to hear of it.

use std::{sync::Arc, time::Duration};

use super::More;
use crate::{
    app::App,
    flow::publish::{Progress, fan_out},
};

/// How soon what was committed is queued where no wake-up comes: its host died, or polling alone is wanted.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// What is gathered after a round before the next one: under load a round takes what many commits wrote.
const GATHER: Duration = Duration::from_millis(2);

/// One statement where nothing is there.
pub(super) async fn once(app: Arc<App>) -> anyhow::Result<More> {
    Ok(match fan_out(&app).await? {
        Progress::None => More::No,
        Progress::Held => More::Soon,
        Progress::Some => More::Yes,
        // Not `Soon`, whose pauses grow: what is held back now is free in a moment, and other things are held then.
        Progress::AllButHeld => {
            tokio::time::sleep(GATHER).await;
            More::Yes
        }
        Progress::All => {
            tokio::time::sleep(GATHER).await;
            More::No
        }
    })
}
