//! A merchant's webhook endpoints: made, changed, tried, given new secrets, switched off, deleted; and what they missed.
//!
//! Whoever changes an endpoint holds its row against the fan-out of events ([`store::webhook_endpoints::get_for_update`]):
//! for a moment, and in a task of its own, because a transaction that is merely dropped keeps its locks.

mod address;
mod disable;
mod redeliver;
mod rotate;
mod secrets;
mod test_event;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::{Answer, Call, Fault, Refusal, answer, create_payment::key_of, task};
use crate::{
    app::App,
    domain::id::{MerchantId, WebhookEndpointId},
    store::{
        self,
        gateway_accounts::SealedSecret,
        webhook_endpoints::{DisabledReason, ENDPOINTS_MAX, Mode, WebhookEndpoint},
    },
    vault::new_endpoint_secret,
    view::webhook_endpoint::WebhookEndpointView,
};

pub use disable::{Disabled, disable};
pub use redeliver::{Wanted, redeliver, redeliver_event};
pub use rotate::rotate_secret;
pub use secrets::open as open_secret;
pub use test_event::test;

/// The status of an answer that tells of something new.
const CREATED: i16 = 201;

/// A new endpoint, checked field by field at the edge.
pub struct NewEndpoint {
    pub url: String,
    /// None: every event.
    pub event_types: Option<Vec<String>>,
    pub mode: Mode,
    pub enabled: bool,
    pub description: Option<String>,
}

/// What to change of an endpoint; none leaves it as it is.
#[derive(Default)]
pub struct Change {
    pub url: Option<String>,
    /// `Some(None)`: every event.
    pub event_types: Option<Option<Vec<String>>>,
    pub mode: Option<Mode>,
    pub enabled: Option<bool>,
    /// `Some(None)`: none.
    pub description: Option<Option<String>>,
}

/// Makes an endpoint. The answer shows its secret; it is written down with the key in the same transaction, sealed.
pub async fn create(app: &Arc<App>, call: Call, new: NewEndpoint) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, &call).await? {
        return secrets::open_answer(app, &call, &answer);
    }
    address::check(app, &new.url).await?;
    let owned = Arc::clone(app);
    task::detached(app, async move {
        let (endpoint, body) = new_endpoint(&owned, call.merchant, new);
        let mut conn = owned.pool.acquire().await.map_err(store::Error::from)?;
        let mut tx = conn.begin_with(store::BEGIN_BRIEF).await.map_err(store::Error::from)?;
        let written = write_new(&owned, &mut tx, &call, &endpoint, &body).await;
        match end(tx, written).await {
            Ok(()) => Ok(Answer { status: CREATED.unsigned_abs(), body: body.into(), replayed: false }),
            Err(Unwritten::KeyIsTaken) => {
                secrets::open_answer(&owned, &call, &answer::of_taken_key(&owned, &call).await?)
            }
            Err(Unwritten::Refused(refusal)) => Err(refusal),
        }
    })
    .await
}

/// The endpoint and the answer to its making.
fn new_endpoint(app: &App, merchant: MerchantId, new: NewEndpoint) -> (WebhookEndpoint, Vec<u8>) {
    let (now, id) = (app.clock.now(), WebhookEndpointId::from_uuid(app.ids.v7()));
    let secret = new_endpoint_secret();
    let sealed = SealedSecret { sealed: secrets::seal(app, merchant, id, &secret), since: now, valid_until: None };
    let endpoint = WebhookEndpoint {
        merchant_id: merchant.uuid(),
        endpoint_id: id.uuid(),
        url: new.url,
        event_types: new.event_types,
        mode: new.mode,
        description: new.description,
        secrets: vec![sealed],
        enabled: new.enabled,
        disabled_reason: if new.enabled { None } else { Some(DisabledReason::Merchant) },
        disabled_at: if new.enabled { None } else { Some(now) },
        resume_from: if new.enabled { None } else { Some(now) },
        resume_xid: None,
        failing_since: None,
        event_sequence: 0,
        version: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    let body = WebhookEndpointView::new(&endpoint).with_secret(secret.expose_str().unwrap_or_default()).to_bytes();
    (endpoint, body)
}

async fn write_new(
    app: &App,
    tx: &mut PgConnection,
    call: &Call,
    endpoint: &WebhookEndpoint,
    body: &[u8],
) -> Result<(), Unwritten> {
    let kept = secrets::seal_answer(app, call, body);
    let key = key_of(app, call);
    if !store::answers::claim(tx, call.merchant, &key, CREATED, &kept, endpoint.created_at).await? {
        return Err(Unwritten::KeyIsTaken);
    }
    if !store::webhook_endpoints::insert(tx, endpoint).await? {
        let detail = format!("a merchant has at most {ENDPOINTS_MAX} webhook endpoints; delete one that is not used");
        return Err(Refusal::Invalid(vec![Fault::new("", detail)]).into());
    }
    Ok(())
}

/// The endpoint, unless it was deleted.
pub async fn get(app: &App, merchant: MerchantId, id: WebhookEndpointId) -> Result<WebhookEndpoint, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    present(store::webhook_endpoints::get(&mut conn, merchant, id).await?)
}

/// Changes an endpoint; of several changes at once, one after the other. What is queued is sent as the endpoint is when it
/// is sent, also where it would not be queued any more; once it is disabled, nothing is queued.
pub async fn change(
    app: &Arc<App>,
    merchant: MerchantId,
    id: WebhookEndpointId,
    change: Change,
) -> Result<WebhookEndpoint, Refusal> {
    if let Some(url) = &change.url {
        // Whoever may not know of the endpoint is not told what is wrong with its new URL.
        get(app, merchant, id).await?;
        address::check(app, url).await?;
    }
    let is_to_clear = change.enabled == Some(true);
    write(app, merchant, id, is_to_clear, move |endpoint, now| apply(endpoint, change, now)).await
}

/// Deletes an endpoint, with what is queued for it; its secrets go. For its merchant it is gone, and with it the list of what
/// was sent there. Its row stays for as long as that log is kept, so that no row of the log is about nothing.
pub async fn delete(app: &Arc<App>, merchant: MerchantId, id: WebhookEndpointId) -> Result<(), Refusal> {
    let deleted = write(app, merchant, id, false, |endpoint, now| {
        switch_off(endpoint, DisabledReason::Merchant, now);
        endpoint.secrets.clear();
        endpoint.deleted_at = Some(now);
    });
    deleted.await.map(drop)
}

/// Reads the endpoint under its lock, has it changed, and writes it by compare-and-set, if anything did change; where that
/// switches it off, what is queued for it goes. Before it is switched on, so does what is left of that (`is_to_clear`).
async fn write(
    app: &Arc<App>,
    merchant: MerchantId,
    id: WebhookEndpointId,
    is_to_clear: bool,
    decide: impl FnOnce(&mut WebhookEndpoint, DateTime<Utc>) + Send + 'static,
) -> Result<WebhookEndpoint, Refusal> {
    let owned = Arc::clone(app);
    task::detached(app, async move {
        let mut conn = owned.pool.acquire().await.map_err(store::Error::from)?;
        if is_to_clear {
            // Outside of the transaction, however much it is: that one finds nothing then.
            while store::webhook_endpoints::clear(&mut conn, merchant, id).await? {}
        }
        let mut tx = conn.begin_with(store::BEGIN_BRIEF).await.map_err(store::Error::from)?;
        let written = change_held(&mut tx, owned.clock.now(), merchant, id, decide).await;
        end(tx, written).await
    })
    .await
}

async fn change_held(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    merchant: MerchantId,
    id: WebhookEndpointId,
    decide: impl FnOnce(&mut WebhookEndpoint, DateTime<Utc>),
) -> Result<WebhookEndpoint, Refusal> {
    let before = present(store::webhook_endpoints::get_for_update(&mut *tx, merchant, id).await?)?;
    let mut after = before.clone();
    decide(&mut after, now);
    if after == before {
        return Ok(before);
    }
    after.updated_at = now;
    if after.enabled && !before.enabled {
        while store::webhook_endpoints::clear(&mut *tx, merchant, id).await? {}
    }
    put(&mut *tx, &mut after, before.version).await?;
    if (before.enabled && !after.enabled) || after.deleted_at.is_some() {
        store::webhook_endpoints::stop(&mut *tx, merchant, id).await?;
        // As it is shown: with the time since when it misses something.
        after.resume_from =
            store::webhook_endpoints::get(tx, merchant, id).await?.and_then(|endpoint| endpoint.resume_from);
    }
    Ok(after)
}

/// Writes an endpoint that is held by this transaction.
async fn put(tx: &mut PgConnection, endpoint: &mut WebhookEndpoint, expected_version: i32) -> Result<(), Refusal> {
    endpoint.version = expected_version + 1;
    if store::webhook_endpoints::update(tx, endpoint, expected_version).await? {
        return Ok(());
    }
    Err(Refusal::Internal(anyhow::anyhow!("{} changed although its row was locked", endpoint.id())))
}

fn apply(endpoint: &mut WebhookEndpoint, change: Change, now: DateTime<Utc>) {
    if let Some(url) = change.url
        && endpoint.url != url
    {
        // Nothing has failed there yet.
        endpoint.url = url;
        endpoint.failing_since = None;
    }
    if let Some(event_types) = change.event_types {
        endpoint.event_types = event_types;
    }
    if let Some(mode) = change.mode {
        endpoint.mode = mode;
    }
    if let Some(description) = change.description {
        endpoint.description = description;
    }
    match change.enabled {
        Some(true) if !endpoint.enabled => switch_on(endpoint),
        Some(false) if endpoint.enabled => switch_off(endpoint, DisabledReason::Merchant, now),
        Some(_) | None => {}
    }
}

/// It starts anew: no failure counts any more. Since when it missed something stays known, for a redelivery.
fn switch_on(endpoint: &mut WebhookEndpoint) {
    endpoint.enabled = true;
    endpoint.disabled_reason = None;
    endpoint.disabled_at = None;
    endpoint.failing_since = None;
}

fn switch_off(endpoint: &mut WebhookEndpoint, reason: DisabledReason, now: DateTime<Utc>) {
    endpoint.enabled = false;
    endpoint.disabled_reason = Some(reason);
    endpoint.disabled_at = Some(now);
}

fn present(found: Option<WebhookEndpoint>) -> Result<WebhookEndpoint, Refusal> {
    found.filter(|endpoint| endpoint.deleted_at.is_none()).ok_or(Refusal::NotFound)
}

/// Commits what was written, or takes it back where something was in the way: aloud, because a transaction that is merely
/// dropped holds its locks until its connection is used again.
async fn end<T, E: From<store::Error>>(tx: Transaction<'_, Postgres>, written: Result<T, E>) -> Result<T, E> {
    match &written {
        Ok(_) => tx.commit().await.map_err(store::Error::from)?,
        Err(_) => tx.rollback().await.map_err(store::Error::from)?,
    }
    written
}

/// Why a request with a key has written nothing.
enum Unwritten {
    /// The key is taken: what the first request with it came to is the answer.
    KeyIsTaken,
    Refused(Refusal),
}

impl From<Refusal> for Unwritten {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<store::Error> for Unwritten {
    fn from(error: store::Error) -> Self {
        Self::Refused(error.into())
    }
}
