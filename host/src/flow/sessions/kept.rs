//! What is kept of a session between hosts: sealed, replaced by compare-and-set.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Held, NoSession, Session, opening, reply::Values};
use crate::{
    app::App,
    connector::{Version, hex},
    fault::{self, Point},
    store::{
        self,
        gateway_accounts::GatewayAccount,
        sessions::{Kept, Opened, Owner},
    },
    vault::{Binding, Content, Secret},
};

/// How long before the gateway ends a session another one is opened: clocks and networks differ.
const RENEWED_BEFORE_END: Duration = Duration::from_mins(1);
/// Of a short session the last part of this size is not used: one that lives 40 seconds is used for 30.
const RENEWED_BEFORE_END_PART: u32 = 4;

/// Sessions opened, by connector and result.
const OPENED: &str = "interlock_sessions_opened_total";

/// The session that a host has kept, where it may still be used; else a new one.
pub(super) async fn load_or_open(
    app: &App,
    account: &GatewayAccount,
    version: &Arc<Version>,
    refused: Option<Uuid>,
) -> Held {
    let owner = Owner { merchant: account.merchant(), account: account.id(), digest: version.digest() };
    let kept = load(app, owner).await?;
    let mut instead_of = kept.as_ref().map(|kept| kept.session_id);
    if let Some(kept) = kept {
        if Some(kept.session_id) == refused {
            // Nobody else is to be refused with it, should no other one be opened now.
            forget(app, owner, kept.session_id).await?;
            instead_of = None;
        } else if let Some(session) = usable(app, account, version, &kept) {
            return Ok(session);
        }
    }
    open(app, account, version, owner, instead_of).await
}

async fn open(
    app: &App,
    account: &GatewayAccount,
    version: &Arc<Version>,
    owner: Owner<'_>,
    instead_of: Option<Uuid>,
) -> Held {
    // Its life is counted from before the gateway was asked: it cannot have begun earlier.
    let began = app.clock.boot();
    let opened = opening::open(app, account, version).await;
    let result = if opened.is_ok() { "opened" } else { "failed" };
    metrics::counter!(OPENED, "connector" => version.name().to_owned(), "result" => result).increment(1);
    let (values, life) = opened.inspect_err(|none| {
        tracing::warn!(
            gateway.account = %account.id(), connector.name = version.name(), "no session could be opened: {}", none.why
        );
    })?;
    fault::point(Point::AfterSessionOpened);
    let used_for = life.saturating_sub(RENEWED_BEFORE_END.min(life / RENEWED_BEFORE_END_PART));
    let session_id = app.ids.v7();
    let sealed = seal(app, account, version, &values);
    let left = used_for.saturating_sub(app.clock.boot().saturating_sub(began));
    let opened = Opened {
        session_id,
        sealed: &sealed,
        usable_ms: i64::try_from(left.as_millis()).unwrap_or(i64::MAX),
        account_version: account.version,
        instead_of,
    };
    match keep(app, owner, &opened).await {
        Ok(true) => tracing::info!(
            gateway.account = %account.id(), connector.name = version.name(), life_s = life.as_secs(), "a session is opened"
        ),
        // Another host was faster, or the account has changed: what that one has kept is used, so that all use one.
        Ok(false) => {
            let kept = load(app, owner).await?;
            if let Some(session) = kept.and_then(|kept| usable(app, account, version, &kept)) {
                return Ok(session);
            }
        }
        // It serves here all the same.
        Err(error) => tracing::warn!(%error, gateway.account = %account.id(), "a session could not be kept"),
    }
    Ok(Arc::new(Session { id: session_id, values, ends: began + used_for, account_version: account.version }))
}

async fn load(app: &App, owner: Owner<'_>) -> Result<Option<Kept>, Arc<NoSession>> {
    let found = async {
        let mut conn = app.pool.acquire().await?;
        store::sessions::get(&mut conn, owner).await
    };
    found.await.map_err(|error| out_of_reach(&error))
}

async fn forget(app: &App, owner: Owner<'_>, session_id: Uuid) -> Result<(), Arc<NoSession>> {
    let dropped = async {
        let mut conn = app.pool.acquire().await?;
        store::sessions::drop_one(&mut conn, owner, session_id).await
    };
    dropped.await.map(drop).map_err(|error| out_of_reach(&error))
}

async fn keep(app: &App, owner: Owner<'_>, opened: &Opened<'_>) -> Result<bool, store::Error> {
    let mut conn = app.pool.acquire().await?;
    store::sessions::keep(&mut conn, owner, opened).await
}

fn out_of_reach(error: &store::Error) -> Arc<NoSession> {
    tracing::warn!(%error, "the kept sessions cannot be read");
    NoSession::ours("the sessions in the database are out of reach")
}

/// None where its time is over, or where it does not open (another master key): then it is replaced.
fn usable(app: &App, account: &GatewayAccount, version: &Version, kept: &Kept) -> Option<Arc<Session>> {
    let left = Duration::from_millis(u64::try_from(kept.left_ms).ok().filter(|left| *left > 0)?);
    let record = record(account, version);
    let binding = Binding { content: Content::SessionValue, merchant: account.merchant(), record: &record };
    let opened = app.vault.open(&binding, &kept.sealed);
    let clear = opened
        .inspect_err(|error| tracing::warn!(%error, gateway.account = %account.id(), "a kept session does not open"))
        .ok()?;
    let values: BTreeMap<String, String> = serde_json::from_slice(clear.expose()).ok()?;
    let values = values.into_iter().map(|(name, value)| (name, Secret::from(value))).collect();
    Some(Arc::new(Session {
        id: kept.session_id,
        values,
        ends: app.clock.boot() + left,
        account_version: account.version,
    }))
}

fn seal(app: &App, account: &GatewayAccount, version: &Version, values: &Values) -> Vec<u8> {
    let named: BTreeMap<&str, &str> =
        values.iter().filter_map(|(name, value)| Some((name.as_str(), value.expose_str()?))).collect();
    let clear = Zeroizing::new(serde_json::to_vec(&named).expect("texts by name are JSON"));
    let record = record(account, version);
    let binding = Binding { content: Content::SessionValue, merchant: account.merchant(), record: &record };
    app.vault.seal(&binding, &clear)
}

/// What a sealed session is bound to, besides the merchant.
fn record(account: &GatewayAccount, version: &Version) -> String {
    format!("{}/session/{}", account.id(), hex(version.digest()))
}
