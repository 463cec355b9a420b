//! An event that a merchant asks for, to see whether his endpoint works.

use std::sync::Arc;

use sqlx::{Connection as _, PgConnection};

use super::{CREATED, Unwritten, end, present, put};
use crate::{
    app::App,
    domain::{
        event_types,
        id::{EventId, WebhookEndpointId},
    },
    flow::{Answer, Call, Refusal, answer, create_payment::key_of, task},
    store::{self, webhook_endpoints::EndpointEvent},
    view::{self, webhook_endpoint::WebhookEndpointView},
};

/// Writes a test event, which is sent to this endpoint alone, and once. The answer is the event.
pub async fn test(app: &Arc<App>, call: Call, id: WebhookEndpointId) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, &call).await? {
        return Ok(answer);
    }
    let owned = Arc::clone(app);
    task::detached(app, async move {
        let mut conn = owned.pool.acquire().await.map_err(store::Error::from)?;
        let mut tx = conn.begin_with(store::BEGIN_BRIEF).await.map_err(store::Error::from)?;
        let written = write(&owned, &mut tx, &call, id).await;
        match end(tx, written).await {
            Ok(body) => {
                owned.wake.committed();
                Ok(Answer { status: CREATED.unsigned_abs(), body: body.into(), replayed: false })
            }
            Err(Unwritten::KeyIsTaken) => answer::of_taken_key(&owned, &call).await,
            Err(Unwritten::Refused(refusal @ Refusal::EndpointIsDisabled)) => {
                // The same request may have been answered while this one waited for the row.
                answer::or_stored(&owned, &call, refusal).await
            }
            Err(Unwritten::Refused(refusal)) => Err(refusal),
        }
    })
    .await
}

async fn write(app: &App, tx: &mut PgConnection, call: &Call, id: WebhookEndpointId) -> Result<String, Unwritten> {
    let found = store::webhook_endpoints::get_for_update(&mut *tx, call.merchant, id).await?;
    let mut endpoint = present(found)?;
    if !endpoint.enabled {
        return Err(Refusal::EndpointIsDisabled.into());
    }
    let (now, event, kind) = (app.clock.now(), app.ids.v7(), event_types::TEST);
    let expected_version = endpoint.version;
    endpoint.event_sequence += 1;
    let view = WebhookEndpointView::new(&endpoint);
    let payload = view::event::payload(EventId::from_uuid(event), kind, now, endpoint.event_sequence, &view);
    if !store::answers::claim(&mut *tx, call.merchant, &key_of(app, call), CREATED, payload.as_bytes(), now).await? {
        return Err(Unwritten::KeyIsTaken);
    }
    put(&mut *tx, &mut endpoint, expected_version).await?;
    store::webhook_endpoints::tell(tx, &endpoint, &EndpointEvent { id: event, kind, payload: &payload }, now).await?;
    Ok(payload)
}
