//! Events in quarantine are put back by an operator, who has mended what kept them from being applied.

use super::Refusal;
use crate::{
    app::App,
    domain::id::QuarantineId,
    store::{
        self,
        audit_log::{Actor, Audit},
    },
};

/// Puts an event back: it is tried again at once, as often as a new one. Who did it stands in the audit log.
pub async fn replay(app: &App, quarantine: QuarantineId, actor: &Actor) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let audit = Audit::new(app.ids.v7(), actor);
    if store::quarantine::release(&mut conn, quarantine, &audit, app.clock.now()).await? {
        return Ok(());
    }
    let is_known = store::quarantine::is_known(&mut conn, quarantine).await?;
    Err(if is_known { Refusal::NotQuarantined } else { Refusal::NotFound })
}
