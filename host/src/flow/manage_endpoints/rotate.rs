//! A new secret for an endpoint, while the one before goes on for a while.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection as _, PgConnection};

use super::{Unwritten, end, present, put, secrets};
use crate::{
    app::App,
    domain::id::WebhookEndpointId,
    flow::{Answer, Call, Refusal, answer, create_payment::key_of, manage_accounts::rotate, task},
    store::{self, gateway_accounts::SealedSecret},
    vault::new_endpoint_secret,
    view::webhook_endpoint::WebhookEndpointView,
};

/// The status of an answer that tells of a change.
const OK: i16 = 200;

/// Gives the endpoint a new secret, which the answer shows; it is kept sealed. For `old_lives_for` its events are signed
/// with the one before too, so that a receiver which knows either of them takes all.
pub async fn rotate_secret(
    app: &Arc<App>,
    call: Call,
    id: WebhookEndpointId,
    old_lives_for: TimeDelta,
) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, &call).await? {
        return secrets::open_answer(app, &call, &answer);
    }
    let owned = Arc::clone(app);
    task::detached(app, async move {
        let mut conn = owned.pool.acquire().await.map_err(store::Error::from)?;
        let mut tx = conn.begin_with(store::BEGIN_BRIEF).await.map_err(store::Error::from)?;
        let written = write(&owned, &mut tx, &call, id, old_lives_for, owned.clock.now()).await;
        match end(tx, written).await {
            Ok(body) => Ok(Answer { status: OK.unsigned_abs(), body: body.into(), replayed: false }),
            Err(Unwritten::KeyIsTaken) => {
                secrets::open_answer(&owned, &call, &answer::of_taken_key(&owned, &call).await?)
            }
            Err(Unwritten::Refused(refusal)) => Err(refusal),
        }
    })
    .await
}

async fn write(
    app: &App,
    tx: &mut PgConnection,
    call: &Call,
    id: WebhookEndpointId,
    old_lives_for: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<u8>, Unwritten> {
    let found = store::webhook_endpoints::get_for_update(&mut *tx, call.merchant, id).await?;
    let mut endpoint = present(found)?;
    let expected_version = endpoint.version;
    let secret = new_endpoint_secret();
    let sealed = SealedSecret { sealed: secrets::seal(app, call.merchant, id, &secret), since: now, valid_until: None };
    rotate(&mut endpoint.secrets, sealed, now, old_lives_for);
    endpoint.updated_at = now;
    let body = WebhookEndpointView::new(&endpoint).with_secret(secret.expose_str().unwrap_or_default()).to_bytes();
    let kept = secrets::seal_answer(app, call, &body);
    if !store::answers::claim(&mut *tx, call.merchant, &key_of(app, call), OK, &kept, now).await? {
        return Err(Unwritten::KeyIsTaken);
    }
    put(tx, &mut endpoint, expected_version).await?;
    Ok(body)
}
