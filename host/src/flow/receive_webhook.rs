//! What a gateway tells by itself is read, kept once, and acknowledged. Nothing is applied before the answer, no gateway
//! is called, and what is acknowledged is on disk.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, header};
use moka::future::Cache;
use tokio::sync::Semaphore;

use super::{RETRY_AFTER_UNAVAILABLE_S, Refusal, manage_accounts, prepare, proofs::Proofs};
use crate::{
    app::App,
    connector::{
        RunError, Verify, Version,
        types::{Delivery, Event, EventKind, Inbound, Pairs, Response},
    },
    domain::id::GatewayAccountId,
    fault::{self, Point},
    store::{
        self,
        gateway_accounts::GatewayAccount,
        inbox::{NewDelivery, NewEvent},
    },
    wire::Scrubber,
};

/// How old an account may be as webhooks see it. A change made on this host counts at once, on another one within this.
const ACCOUNTS_FRESH_FOR: Duration = Duration::from_secs(1);
/// Accounts that are remembered, and ids for which there is none.
const ACCOUNTS_CACHED_MAX: u64 = 10_000;

/// Deliveries that connectors read at once. More wait here, not in the engine's queue: whoever floods an address must not
/// stand before payments.
const READING_MAX: usize = 32;
/// Events that this host applies at once: payments need connections to the database too.
const APPLYING_MAX: usize = 8;
/// Events beside those for which this host has a gateway asked, which may take its time.
const ASKING_MAX: usize = 32;

/// Headers that sign somebody in: the connector gets them, the database does not.
const NOT_KEPT: [header::HeaderName; 3] = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];
/// What stands in their place.
const DROPPED: &str = "[dropped]";

/// What a host needs for webhooks beside everything else.
pub struct Webhooks {
    /// As read a moment ago; none for ids that nothing has. Secrets in it are sealed.
    accounts: Cache<GatewayAccountId, Option<Arc<GatewayAccount>>>,
    reading: Semaphore,
    pub applying: Arc<Semaphore>,
    pub asking: Arc<Semaphore>,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            accounts: Cache::builder().max_capacity(ACCOUNTS_CACHED_MAX).time_to_live(ACCOUNTS_FRESH_FOR).build(),
            reading: Semaphore::new(READING_MAX),
            applying: Arc::new(Semaphore::new(APPLYING_MAX)),
            asking: Arc::new(Semaphore::new(ASKING_MAX)),
        }
    }
}

impl Webhooks {
    /// To be called after a change of the account.
    pub async fn forget(&self, account: GatewayAccountId) {
        self.accounts.invalidate(&account).await;
    }

    /// The account of whichever merchant, unless it was deleted; one that is disabled still hears what became of its
    /// payments. At most one round trip for all that ask at the same time.
    pub async fn account(&self, app: &App, id: GatewayAccountId) -> Result<Arc<GatewayAccount>, Refusal> {
        let look_up = async {
            let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
            let found = store::gateway_accounts::by_id_any_merchant(&mut conn, id).await?;
            Ok::<_, store::Error>(found.filter(|account| account.deleted_at.is_none()).map(Arc::new))
        };
        match self.accounts.try_get_with(id, look_up).await {
            Ok(found) => found.ok_or(Refusal::NotFound),
            Err(error) if error.is_transient() => {
                tracing::warn!(error = &*error as &dyn std::error::Error, "gateway accounts cannot be looked up");
                Err(unavailable("the database"))
            }
            Err(error) => Err(Refusal::Internal(anyhow::anyhow!("gateway accounts cannot be looked up: {error:?}"))),
        }
    }
}

/// A request of a gateway, as it came.
pub struct Request {
    pub headers: HeaderMap,
    /// What stands behind the question mark.
    pub query: String,
    pub body: Bytes,
}

/// Takes a delivery in, for an account that [`Webhooks::account`] has found. The answer is what the connector
/// acknowledges it with.
#[tracing::instrument(skip_all, fields(gateway_account.id = %account.id()))]
pub async fn receive(app: &App, account: &GatewayAccount, request: Request) -> Result<Response, Refusal> {
    let received = take_in(app, account, request).await;
    let result = match &received {
        Ok((_, 0)) => "repeated",
        Ok(_) => "stored",
        Err(Refusal::WebhookRefused { .. }) => "refused",
        Err(Refusal::Unavailable { .. }) => "unavailable",
        Err(_) => "failed",
    };
    metrics::counter!("interlock_webhooks_received_total", "connector" => account.connector.clone(), "result" => result)
        .increment(1);
    received.map(|(acknowledgement, _)| acknowledgement)
}

/// The acknowledgement, and how many events were new.
async fn take_in(app: &App, account: &GatewayAccount, request: Request) -> Result<(Response, i64), Refusal> {
    let version = app
        .registry
        .reader(&account.connector)
        .ok_or_else(|| unavailable(&format!("connector {} on this host", account.connector)))?;
    let proofs = Arc::new(Proofs::new(manage_accounts::holes_secrets(app, account, &version)?, request.body.clone()));
    let Delivery { events, acknowledgement } = read(app, account, &version, &request, &proofs).await?;
    let new = new_events(&events, &proofs.believed(&events));
    if new.is_empty() {
        return Ok((acknowledgement, 0));
    }
    let kept = Scrubber::new(proofs.holes()).response(0, &request.headers, &request.body);
    let delivery = NewDelivery {
        merchant_id: account.merchant_id,
        gateway_account_id: account.gateway_account_id,
        delivery_id: app.ids.v7(),
        headers: prepare::json(&without_credentials(kept.headers)),
        query: &request.query,
        body: &kept.body,
        received_at: app.clock.now(),
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let stored = store::inbox::insert(&mut conn, &delivery, &new).await?;
    drop(conn);
    fault::point(Point::AfterWebhookStored);
    Ok((acknowledgement, stored))
}

/// Has the account's connector read the delivery.
async fn read(
    app: &App,
    account: &GatewayAccount,
    version: &Arc<Version>,
    request: &Request,
    proofs: &Arc<Proofs>,
) -> Result<Delivery, Refusal> {
    let context = Arc::new(prepare::new_context(app, account, version));
    let inbound =
        Inbound { headers: pairs(&request.headers), query: request.query.clone(), body: request.body.to_vec() };
    let verifier: Arc<dyn Verify> = Arc::<Proofs>::clone(proofs);
    let turn = app.webhooks.reading.acquire().await.map_err(|closed| Refusal::Internal(closed.into()))?;
    let read = app.engine.receive(version, &context, inbound, verifier).await;
    drop(turn);
    match read {
        Ok(Ok(delivery)) => Ok(delivery),
        Ok(Err(failure)) => {
            tracing::info!(connector = account.connector, why = failure.message, "a webhook was refused");
            Err(Refusal::WebhookRefused { why: failure.message })
        }
        Err(RunError::Busy) => Err(unavailable("the engine for connectors")),
        // A gateway sends it again; by then the version may be another one.
        Err(error) => {
            let version = version.version();
            let what = format!("connector {} {version} cannot receive a webhook", account.connector);
            Err(Refusal::Internal(anyhow::Error::new(error).context(what)))
        }
    }
}

/// The events as they are kept, each id once: of two with one id the first that is believed counts, else the first.
fn new_events(events: &[Event], believed: &[bool]) -> Vec<NewEvent> {
    let mut by_id: HashMap<&str, (&Event, bool)> = HashMap::with_capacity(events.len());
    for (event, &verified) in events.iter().zip(believed) {
        let known = by_id.entry(&event.id).or_insert((event, verified));
        if verified && !known.1 {
            *known = (event, true);
        }
    }
    let kept = by_id.into_values().map(|(event, verified)| NewEvent {
        gateway_event_id: event.id.clone(),
        event: prepare::json(event),
        verified,
        queued: !matches!(event.kind, EventKind::Notice(_)),
    });
    kept.collect()
}

/// Header bytes beyond ASCII have no agreed meaning; Latin-1 was the last one they had.
fn pairs(headers: &HeaderMap) -> Pairs {
    let text = |value: &[u8]| match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().copied().map(char::from).collect(),
    };
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
}

fn without_credentials(headers: Pairs) -> Pairs {
    let kept = |(name, value): (String, String)| {
        let value = if NOT_KEPT.iter().any(|dropped| dropped.as_str() == name) { DROPPED.to_owned() } else { value };
        (name, value)
    };
    headers.into_iter().map(kept).collect()
}

fn unavailable(what: &str) -> Refusal {
    Refusal::Unavailable { what: what.to_owned(), retry_after_s: RETRY_AFTER_UNAVAILABLE_S }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::HeaderValue;

    use super::*;

    fn notice(id: &str, text: &str) -> Event {
        Event {
            id: id.to_owned(),
            occurred_at: None,
            operation_id: None,
            gateway_reference: None,
            references: vec![],
            kind: EventKind::Notice(text.to_owned()),
            proof: None,
        }
    }

    #[test]
    fn of_two_events_with_one_id_the_believed_one_is_kept() {
        let events = [notice("a", "first"), notice("b", "other"), notice("a", "second"), notice("a", "third")];
        let kept = |believed: [bool; 4]| {
            let new = new_events(&events, &believed).into_iter();
            new.map(|new| (new.gateway_event_id, new.event["kind"]["Notice"].clone())).collect::<BTreeMap<_, _>>()
        };
        let wanted = |text: &str| BTreeMap::from([("a".to_owned(), text.into()), ("b".to_owned(), "other".into())]);
        assert_eq!(kept([false; 4]), wanted("first"));
        assert_eq!(kept([false, false, true, true]), wanted("second"));
        assert_eq!(kept([true; 4]), wanted("first"));
    }

    #[test]
    fn headers_are_read_as_text_and_credentials_are_not_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("X-Odd", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic c2VjcmV0"));
        let read = pairs(&headers);
        assert!(read.contains(&("x-odd".to_owned(), "caf\u{e9}".to_owned())));
        assert!(read.contains(&("authorization".to_owned(), "Basic c2VjcmV0".to_owned())));
        assert!(without_credentials(read).contains(&("authorization".to_owned(), DROPPED.to_owned())));
    }
}
