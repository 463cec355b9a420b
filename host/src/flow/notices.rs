//! Notices: what operators should know, taken away by the one who has read it.

use super::Refusal;
use crate::{
    app::App,
    domain::id::NoticeId,
    store::{
        self,
        audit_log::{Actor, Audit},
    },
};

/// Takes a notice away. Not found where none of this name is open.
pub async fn dismiss(app: &App, notice: NoticeId, actor: &Actor) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let audit = Audit::new(app.ids.v7(), actor);
    let dismissed = store::notices::dismiss(&mut conn, notice, &audit, app.clock.now()).await?;
    if dismissed { Ok(()) } else { Err(Refusal::NotFound) }
}
