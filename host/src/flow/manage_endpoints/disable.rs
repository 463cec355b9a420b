//! An endpoint that this host switches off: it is gone, or nothing was delivered to it for too long.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::{end, put, switch_off};
use crate::{
    app::App,
    domain::{
        event_types,
        id::{EventId, MerchantId, WebhookEndpointId},
    },
    flow::{Refusal, task},
    store::{
        self,
        notices::Notice,
        webhook_endpoints::{DisabledReason, EndpointEvent, WebhookEndpoint},
    },
    view::{self, webhook_endpoint::WebhookEndpointView},
};

/// Endpoints that this host has switched off, by why.
const DISABLED: &str = "interlock_endpoints_disabled_total";
/// What operators see.
const NOTICE: &str = "endpoint_disabled";

/// What became of an endpoint that is to be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// It is off now.
    Now,
    /// It has got another URL since the try: what the old one said is not about it.
    Moved,
    /// Nothing was done: it was off before, or has taken something since.
    No,
}

/// Switches an endpoint off, because of what a try at `tried_url` came to: what is queued for it goes, its merchant's other
/// endpoints get an event, and operators a notice.
pub async fn disable(
    app: &Arc<App>,
    merchant: MerchantId,
    endpoint: WebhookEndpointId,
    reason: DisabledReason,
    tried_url: &str,
) -> Result<Disabled, Refusal> {
    let (owned, tried_url) = (Arc::clone(app), tried_url.to_owned());
    let done = task::detached(app, async move {
        let mut conn = owned.pool.acquire().await.map_err(store::Error::from)?;
        let mut tx = conn.begin_with(store::BEGIN_BRIEF).await.map_err(store::Error::from)?;
        let written = write(&owned, &mut tx, (merchant, endpoint), reason, &tried_url).await;
        end(tx, written).await
    });
    let done = done.await?;
    if done == Disabled::Now {
        app.wake.committed();
        let word: &'static str = reason.into();
        metrics::counter!(DISABLED, "reason" => word).increment(1);
        tracing::warn!(endpoint.id = %endpoint, merchant.id = %merchant, reason = word, "a webhook endpoint was switched off");
    }
    Ok(done)
}

async fn write(
    app: &App,
    tx: &mut PgConnection,
    (merchant, id): (MerchantId, WebhookEndpointId),
    reason: DisabledReason,
    tried_url: &str,
) -> Result<Disabled, Refusal> {
    let found = store::webhook_endpoints::get_for_update(&mut *tx, merchant, id).await?;
    let Some(before) = found.filter(|endpoint| endpoint.enabled) else { return Ok(Disabled::No) };
    if before.url != tried_url {
        return Ok(Disabled::Moved);
    }
    if reason == DisabledReason::Failing && before.failing_since.is_none() {
        return Ok(Disabled::No);
    }
    let now = app.clock.now();
    let mut after = before.clone();
    switch_off(&mut after, reason, now);
    after.event_sequence += 1;
    after.updated_at = now;
    put(&mut *tx, &mut after, before.version).await?;
    store::webhook_endpoints::stop(&mut *tx, merchant, id).await?;
    // As merchants see it: with the time since when it misses something.
    let after = store::webhook_endpoints::get(&mut *tx, merchant, id).await?.unwrap_or(after);
    tell(app, &mut *tx, &after, now).await?;
    store::notices::write(tx, &notice(app, &after, now)).await?;
    Ok(Disabled::Now)
}

async fn tell(app: &App, tx: &mut PgConnection, endpoint: &WebhookEndpoint, now: DateTime<Utc>) -> Result<(), Refusal> {
    let (id, kind) = (app.ids.v7(), event_types::DISABLED);
    let view = WebhookEndpointView::new(endpoint);
    let payload = view::event::payload(EventId::from_uuid(id), kind, now, endpoint.event_sequence, &view);
    store::webhook_endpoints::tell(tx, endpoint, &EndpointEvent { id, kind, payload: &payload }, now).await?;
    Ok(())
}

/// The URL's host alone: what follows it may be the merchant's secret.
fn notice(app: &App, endpoint: &WebhookEndpoint, now: DateTime<Utc>) -> Notice {
    let url = url::Url::parse(&endpoint.url).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    Notice {
        merchant_id: endpoint.merchant_id,
        notice_id: app.ids.v7(),
        kind: NOTICE.to_owned(),
        subject: endpoint.id().to_string(),
        detail: json!({
            "reason": endpoint.disabled_reason.map(<&str>::from),
            "host": host,
            "failing_since": endpoint.failing_since.map(view::time),
        }),
        created_at: now,
    }
}
