//! Sessions at gateways that want a short-lived token: the live one of an account, opened where there is none.
//!
//! A session is shared: hosts keep it sealed in the database and in memory, and many payments use one. Opening it is no
//! exchange of any operation. It moves no money, so that nothing of it is in the journal, and where it fails nothing of the
//! operation was sent by it. Two hosts may open one each at the same time: the first one that is kept is used by both.
//!
//! A session belongs to the version of the connector that opened it: another one may keep other values under other names.

mod kept;
mod opening;
mod reply;

pub use self::{
    opening::objection,
    reply::{Unreadable, read},
};

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use uuid::Uuid;

use crate::{
    app::App,
    connector::Version,
    store::gateway_accounts::GatewayAccount,
    vault::{Holes, Secret},
};

/// Accounts whose sessions this host remembers.
const REMEMBERED_MAX: u64 = 10_000;
/// How often somebody asks who waited for another's opening and got what does not serve.
const TRIES_MAX: u32 = 3;

/// The account and the digest of the version.
type Key = (Uuid, [u8; 32]);
/// What the last attempt to get a session came to. A failure is for those alone who waited for it: who comes later tries
/// again.
type Held = Result<Arc<Session>, Arc<NoSession>>;

/// The sessions that this host knows.
pub struct Sessions(Cache<Key, Held>);

impl Default for Sessions {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(REMEMBERED_MAX).build())
    }
}

/// Values that fill session holes for a while. Holds secrets: no Debug.
pub struct Session {
    /// Drawn when it was opened.
    id: Uuid,
    values: Vec<(String, Secret)>,
    /// On the clock that runs through suspension: from then on another one is opened.
    ends: Duration,
    /// The account's version when it was opened or read. Whoever knows a later one reads again: its settings may have
    /// changed, and then the session is gone.
    account_version: i32,
}

impl Session {
    /// Its name, for whoever finds out that the gateway does not take it any more.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Fills the holes of an operation with it.
    pub fn fill(&self, holes: &mut Holes) {
        for (name, value) in &self.values {
            holes.fill_session(name, Secret::new(value.expose().to_vec()));
        }
    }

    fn serves(&self, now: Duration, account_version: i32, refused: Option<Uuid>) -> bool {
        now < self.ends && self.account_version >= account_version && Some(self.id) != refused
    }
}

/// Why there is no session. Says nothing that the gateway said.
#[derive(Debug)]
pub struct NoSession {
    pub why: String,
    /// By this host (breaker, pool, engine, database), not for the gateway's sake.
    pub held_back: bool,
}

impl NoSession {
    fn ours(why: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { why: why.into(), held_back: true })
    }

    fn theirs(why: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { why: why.into(), held_back: false })
    }
}

/// The live session of this account, for requests of this version; `refused`: never this one, which the gateway does not
/// take any more. No round trip where this host knows a live one. One to the database where another host has opened it; else
/// the gateway is asked, once for all who wait, and what it gives is written down.
pub async fn live(
    app: &App,
    account: &GatewayAccount,
    version: &Arc<Version>,
    refused: Option<Uuid>,
) -> Result<Arc<Session>, Arc<NoSession>> {
    let key = (account.gateway_account_id, *version.digest());
    let serves = |session: &Session| session.serves(app.clock.boot(), account.version, refused);
    if let Some(Ok(session)) = app.sessions.0.get(&key).await
        && serves(&session)
    {
        return Ok(session);
    }
    for _ in 0..TRIES_MAX {
        let getting = Box::pin(kept::load_or_open(app, account, version, refused));
        let stale = |held: &Held| !held.as_ref().is_ok_and(|session| serves(session));
        let entry = app.sessions.0.entry(key).or_insert_with_if(getting, stale).await;
        let is_own = entry.is_fresh();
        match entry.into_value() {
            Ok(session) if serves(&session) => return Ok(session),
            // So short-lived that its time is nearly over: it was opened for this request, and serves that.
            Ok(session) if is_own && Some(session.id) != refused => return Ok(session),
            // Somebody else's, who asked for less.
            Ok(_) => {}
            Err(none) => return Err(none),
        }
    }
    Err(NoSession::ours("the sessions that others opened meanwhile do not serve"))
}
