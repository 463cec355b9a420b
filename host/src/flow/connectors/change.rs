//! What operators, and hosts by themselves, make of a version: active, a canary, draining, retired, quarantined.
//!
//! Each change is one transaction that begins by locking the connector, so that what is decided on is what is there: the
//! one commit that an operator's call costs, with its audit row in it. Who dies before it has changed nothing; who dies
//! after it leaves a change that every host follows, this one when it is back. Activating approves the version's declared
//! origins and placements.
//!
//! A change is four round trips (begin, look, lock, look again), what it writes, and the commit; then the one read by
//! which this host follows. What it writes is said at each.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::follow::follow;
use crate::{
    app::App,
    connector::hex,
    domain::connector_life::{NotNow, Standing, State, WHOLE_SHARE_PERCENT},
    fault::{self, Point},
    flow::Refusal,
    store::{
        self,
        audit_log::{Actor, Entry},
        connector_shadows::Claimed,
        connectors::{Head, Version},
        notices::Notice,
    },
};

/// The version that somebody speaks of.
#[derive(Clone, Debug)]
pub struct Which {
    pub name: String,
    /// Its number. Where several components bear it, the one that was installed last is meant.
    pub version: String,
    /// SHA-256 of the very component, where somebody wants another one than that.
    pub digest: Option<[u8; 32]>,
}

impl Which {
    /// The row that is meant, of rows that stand the newest first.
    #[must_use]
    pub fn find<'r>(&self, rows: &'r [Version]) -> Option<&'r Version> {
        let is_it = |row: &&Version| {
            row.name == self.name
                && row.version == self.version
                && self.digest.is_none_or(|digest| row.digest == digest)
        };
        rows.iter().find(is_it)
    }
}

impl From<NotNow> for Refusal {
    fn from(why: NotNow) -> Self {
        Self::ConnectorState { why: why.to_string() }
    }
}

/// Lets new operations begin with the version: all of them, or those of a share of the payments beside the active version.
/// Writes five statements: the one that was active, the minute's counts, the version, the connector, the audit row; a share
/// three, a changed share two. Each beside the look at what is under way, where there is a share.
pub async fn activate(app: &Arc<App>, which: &Which, share: Option<u8>, actor: &Actor) -> Result<(), Refusal> {
    let share = share.unwrap_or(WHOLE_SHARE_PERCENT);
    change(app, &which.name, actor, Deed::Activate { which, share }).await?;
    follow(app).await?;
    tracing::info!(connector.name = which.name, connector.version = which.version, share, "a version was activated");
    Ok(())
}

/// Lets all new operations begin with the version with this digest, whatever its number.
pub async fn activate_digest(app: &Arc<App>, name: &str, digest: &[u8; 32], actor: &Actor) -> Result<(), Refusal> {
    change(app, name, actor, Deed::ActivateDigest(digest)).await?;
    follow(app).await?;
    tracing::info!(connector.name = name, connector.digest = hex(digest), "a version was activated");
    Ok(())
}

/// Takes the canary back; where there is none, lets new operations begin with the version that was active before, once:
/// from there a rollback leads nowhere. Where the caller says from which version (by its number, and its digest), it is
/// refused unless that one is in use: whoever is late does not take back the wrong one. Writes
/// two statements, or as many as [`activate`].
pub async fn rollback(app: &Arc<App>, name: &str, from: Option<&Which>, actor: &Actor) -> Result<(), Refusal> {
    change(app, name, actor, Deed::Rollback { from }).await?;
    follow(app).await?;
    tracing::info!(connector.name = name, "a connector was rolled back");
    Ok(())
}

/// Lets a version go for good, once nothing that it began is under way. One that is gone already stays so. Looks at what is
/// under way, and writes three statements; four where a rollback would have led to it.
pub async fn retire(app: &Arc<App>, which: &Which, actor: &Actor) -> Result<(), Refusal> {
    change(app, &which.name, actor, Deed::Retire(which)).await?;
    follow(app).await
}

/// Takes a canary back that fails too often; false where it is none any more. `why` stands in the audit log and in a
/// notice.
pub async fn take_back(app: &Arc<App>, name: &str, digest: &[u8], why: Value) -> Result<bool, Refusal> {
    let done = change(app, name, &Actor::Switch, Deed::TakeBack { digest, why }).await?;
    became(app, done.as_ref(), "the canary fails more often than the active version: it was rolled back");
    follow(app).await?;
    Ok(done.is_some())
}

/// Puts a version in quarantine; the one before it takes over where it was active. False where it is withdrawn already, or
/// does nothing that it could do wrong. `why` stands in the audit log and in a notice.
pub async fn quarantine(app: &Arc<App>, name: &str, digest: &[u8], why: Value) -> Result<bool, Refusal> {
    let done = change(app, name, &Actor::Switch, Deed::Quarantine { digest, why }).await?;
    became(app, done.as_ref(), "it breaks down too often: it was put in quarantine");
    follow(app).await?;
    Ok(done.is_some())
}

/// Keeps what a replay has shown that a version broke down on, and puts it in quarantine where it is a shadow: the others
/// are judged by what they do. One commit, so that no host dies between the two. True where it is in quarantine now; nothing
/// is kept where the replay is another host's by now.
pub async fn quarantine_shadow(app: &Arc<App>, claimed: &Claimed, report: &Value, why: Value) -> Result<bool, Refusal> {
    let done = change(app, &claimed.name, &Actor::Switch, Deed::QuarantineShadow { claimed, report, why }).await?;
    became(app, done.as_ref(), "it breaks down on recorded operations: it was put in quarantine");
    follow(app).await?;
    Ok(done.is_some())
}

/// What a host did to a version by itself stands in the version's log too.
fn became(app: &App, row: Option<&Version>, what: &str) {
    let Some(row) = row else { return };
    if let Ok(digest) = <[u8; 32]>::try_from(row.digest.as_slice()) {
        app.engine.lines().became(&row.name, &row.version, digest, what);
    }
}

/// Asks for a replay of so many recorded operations on the version; a staged one is a shadow from now on. Returns its
/// digest.
pub async fn shadow(app: &Arc<App>, which: &Which, transcripts: u16, actor: &Actor) -> Result<Vec<u8>, Refusal> {
    let done = change(app, &which.name, actor, Deed::Shadow { which, transcripts }).await?;
    done.map(|row| row.digest).ok_or(Refusal::NotFound)
}

/// What is done to a connector's versions.
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Deed<'a> {
    Activate { which: &'a Which, share: u8 },
    ActivateDigest(&'a [u8; 32]),
    Rollback { from: Option<&'a Which> },
    Retire(&'a Which),
    TakeBack { digest: &'a [u8], why: Value },
    Quarantine { digest: &'a [u8], why: Value },
    QuarantineShadow { claimed: &'a Claimed, report: &'a Value, why: Value },
    Shadow { which: &'a Which, transcripts: u16 },
}

/// Does it in one transaction. Returns the version that it was done to; none where it was that already, or it was done by
/// another host.
async fn change(app: &App, name: &str, actor: &Actor, deed: Deed<'_>) -> Result<Option<Version>, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin().await.map_err(store::Error::from)?;
    let course = <&str>::from(&deed);
    let done = match Change::begin(app, &mut tx, name, actor).await {
        Ok(mut change) => change.carry_out(deed).await,
        Err(refusal) => Err(refusal),
    };
    // A transaction that is only dropped keeps its locks until its connection is used again.
    match done {
        Ok(done) => {
            fault::point_in(Point::BeforeConnectorChange, course);
            tx.commit().await.map_err(store::Error::from)?;
            fault::point_in(Point::AfterConnectorChange, course);
            Ok(done)
        }
        Err(refusal) => {
            tx.rollback().await.map_err(store::Error::from)?;
            Err(refusal)
        }
    }
}

/// A change under way: the connector is locked, and this is what was found.
struct Change<'a> {
    conn: &'a mut PgConnection,
    name: &'a str,
    head: Head,
    versions: Vec<Version>,
    entry_id: Uuid,
    notice_id: Uuid,
    host_id: Uuid,
    actor: &'a Actor,
    now: DateTime<Utc>,
}

impl<'a> Change<'a> {
    async fn begin(
        app: &App,
        conn: &'a mut PgConnection,
        name: &'a str,
        actor: &'a Actor,
    ) -> Result<Change<'a>, Refusal> {
        let now = app.clock.now();
        // Nothing is locked for a name that nobody has installed anything under, and no row is made for it.
        if store::connectors::of_name(conn, name).await?.is_empty() {
            return Err(Refusal::NotFound);
        }
        let head = store::connectors::lock(conn, name, now).await?;
        let versions = store::connectors::of_name(conn, name).await?;
        let (entry_id, notice_id) = (app.ids.v7(), app.ids.v7());
        let host_id = app.host_id;
        Ok(Self { conn, name, head, versions, entry_id, notice_id, host_id, actor, now })
    }

    async fn carry_out(&mut self, deed: Deed<'_>) -> Result<Option<Version>, Refusal> {
        Ok(match deed {
            Deed::Activate { which, share } if share < WHOLE_SHARE_PERCENT => {
                let row = self.find(which)?;
                self.canary(&row, share).await?.then_some(row)
            }
            Deed::Activate { which, .. } => {
                let row = self.find(which)?;
                self.active(&row).await?.then_some(row)
            }
            Deed::ActivateDigest(digest) => {
                let row = self.with_digest(digest)?;
                self.active(&row).await?.then_some(row)
            }
            Deed::Rollback { from } => Some(self.roll_back(from).await?),
            Deed::Retire(which) => {
                let row = self.find(which)?;
                self.retire(&row).await?.then_some(row)
            }
            Deed::TakeBack { digest, why } => {
                let row = self.with_digest(digest)?;
                if row.state()? != State::Canary {
                    return Ok(None);
                }
                self.notify("canary_rolled_back", &row, why.clone()).await?;
                Some(self.take_back(row, why).await?)
            }
            Deed::Quarantine { digest, why } => {
                let row = self.with_digest(digest)?;
                if !row.state()?.can_be_quarantined() {
                    return Ok(None);
                }
                let why = self.quarantine(&row, why).await?;
                self.notify("connector_quarantined", &row, why).await?;
                Some(row)
            }
            Deed::QuarantineShadow { claimed, report, why } => {
                let row = self.with_digest(&claimed.digest)?;
                let is_kept = store::connector_shadows::finish(self.conn, claimed, self.host_id, report).await?;
                if !is_kept || row.state()? != State::Shadow {
                    return Ok(None);
                }
                let why = self.quarantine(&row, why).await?;
                self.notify("connector_quarantined", &row, why).await?;
                Some(row)
            }
            Deed::Shadow { which, transcripts } => {
                let row = self.find(which)?;
                self.shadow(&row, transcripts).await?;
                Some(row)
            }
        })
    }

    fn find(&self, which: &Which) -> Result<Version, Refusal> {
        which.find(&self.versions).cloned().ok_or(Refusal::NotFound)
    }

    fn with_digest(&self, digest: &[u8]) -> Result<Version, Refusal> {
        self.versions.iter().find(|row| row.digest == digest).cloned().ok_or(Refusal::NotFound)
    }

    fn in_state(&self, state: State) -> Result<Option<Version>, Refusal> {
        for row in &self.versions {
            if row.state()? == state {
                return Ok(Some(row.clone()));
            }
        }
        Ok(None)
    }

    async fn standing(&mut self, row: &Version) -> Result<Standing, Refusal> {
        let other = |found: Option<Version>| found.is_some_and(|found| found.digest != row.digest);
        Ok(Standing {
            state: row.state()?,
            has_active: other(self.in_state(State::Active)?),
            has_canary: other(self.in_state(State::Canary)?),
            under_way: store::connectors::under_way(self.conn, &row.digest).await?,
        })
    }

    /// False where it is just that already.
    async fn canary(&mut self, row: &Version, share: u8) -> Result<bool, Refusal> {
        self.standing(row).await?.may_be_canary()?;
        if row.state()? == State::Canary && row.share == i32::from(share) {
            return Ok(false);
        }
        if row.state()? != State::Canary {
            self.forget_as_previous(row).await?;
            store::connector_health::forget_this_minute(self.conn, self.name, &row.digest).await?;
        }
        self.put(row, State::Canary, share).await?;
        self.audit("connector.canary", row, json!({ "share": share })).await?;
        Ok(true)
    }

    /// False where it is active already.
    async fn active(&mut self, row: &Version) -> Result<bool, Refusal> {
        if row.state()? == State::Active {
            return Ok(false);
        }
        self.swap(row, true).await?;
        self.audit("connector.activate", row, json!({})).await?;
        Ok(true)
    }

    async fn roll_back(&mut self, from: Option<&Which>) -> Result<Version, Refusal> {
        let from = from.map(|from| self.find(from)).transpose()?;
        let canary = self.in_state(State::Canary)?;
        match (from, canary) {
            (None, None) => self.go_back().await,
            (None, Some(canary)) => self.take_back(canary, json!({})).await,
            (Some(from), canary) => match from.state()? {
                State::Canary => self.take_back(canary.unwrap_or(from), json!({})).await,
                State::Active => self.go_back().await,
                state => Err(NotNow::NotInUse(state).into()),
            },
        }
    }

    /// The active version goes back to the one before it.
    async fn go_back(&mut self) -> Result<Version, Refusal> {
        let previous = self.head.previous_digest.clone().ok_or(NotNow::NothingToGoBackTo)?;
        let row = self.with_digest(&previous)?;
        // What was left is no place to go back to: a rollback that is sent again must not lead there.
        self.swap(&row, false).await?;
        self.audit("connector.rollback", &row, json!({})).await?;
        Ok(row)
    }

    /// Makes the version active; the one that was drains, and is where a rollback goes if it `leads_back`.
    async fn swap(&mut self, row: &Version, leads_back: bool) -> Result<(), Refusal> {
        if let Some(before) = self.in_state(State::Active)? {
            self.put(&before, State::Draining, WHOLE_SHARE_PERCENT).await?;
        }
        store::connector_health::forget_this_minute(self.conn, self.name, &row.digest).await?;
        self.put(row, State::Active, WHOLE_SHARE_PERCENT).await?;
        let previous = self.head.active_digest.take().or_else(|| self.head.previous_digest.take());
        self.head.previous_digest = previous.filter(|previous| leads_back && *previous != row.digest);
        self.head.active_digest = Some(row.digest.clone());
        self.write_head().await
    }

    /// The canary takes no more new operations.
    async fn take_back(&mut self, row: Version, why: Value) -> Result<Version, Refusal> {
        self.put(&row, State::Draining, WHOLE_SHARE_PERCENT).await?;
        self.audit("connector.rollback", &row, with(why, "was", "canary")).await?;
        Ok(row)
    }

    /// False where it is gone already.
    async fn retire(&mut self, row: &Version) -> Result<bool, Refusal> {
        if row.state()? == State::Retired {
            return Ok(false);
        }
        self.standing(row).await?.may_retire()?;
        self.forget_as_previous(row).await?;
        store::connector_shadows::forget(self.conn, self.name, &row.digest).await?;
        self.put(row, State::Retired, WHOLE_SHARE_PERCENT).await?;
        self.audit("connector.retire", row, json!({})).await?;
        Ok(true)
    }

    async fn shadow(&mut self, row: &Version, transcripts: u16) -> Result<(), Refusal> {
        self.standing(row).await?.may_be_shadow()?;
        if row.state()? == State::Staged {
            self.put(row, State::Shadow, WHOLE_SHARE_PERCENT).await?;
        }
        store::connector_shadows::ask(self.conn, self.name, &row.digest, i32::from(transcripts), self.now).await?;
        self.audit("connector.shadow", row, json!({ "transcripts": transcripts })).await
    }

    /// Returns `why`, with the version that took over where it was the active one.
    async fn quarantine(&mut self, row: &Version, why: Value) -> Result<Value, Refusal> {
        let was = row.state()?;
        self.forget_as_previous(row).await?;
        store::connector_shadows::forget(self.conn, self.name, &row.digest).await?;
        self.put(row, State::Quarantined, WHOLE_SHARE_PERCENT).await?;
        let mut why = with(why, "was", <&str>::from(was));
        if was == State::Active {
            let next = self.head.previous_digest.take();
            let next = next.map(|digest| self.with_digest(&digest)).transpose()?;
            if let Some(next) = &next {
                store::connector_health::forget_this_minute(self.conn, self.name, &next.digest).await?;
                self.put(next, State::Active, WHOLE_SHARE_PERCENT).await?;
            }
            why = with(why, "next", next.as_ref().map(|next| next.version.clone()));
            self.head.active_digest = next.map(|next| next.digest);
            self.write_head().await?;
        }
        self.audit("connector.quarantine", row, why.clone()).await?;
        Ok(why)
    }

    /// A rollback must not lead to a version that is a canary or gone.
    async fn forget_as_previous(&mut self, row: &Version) -> Result<(), Refusal> {
        if self.head.previous_digest.as_ref() != Some(&row.digest) {
            return Ok(());
        }
        self.head.previous_digest = None;
        self.write_head().await
    }

    async fn put(&mut self, row: &Version, state: State, share: u8) -> Result<(), Refusal> {
        store::connectors::set_state(self.conn, self.name, &row.digest, state, share, self.now).await?;
        Ok(())
    }

    async fn write_head(&mut self) -> Result<(), Refusal> {
        store::connectors::set_head(self.conn, self.name, &self.head, self.now).await?;
        Ok(())
    }

    async fn audit(&mut self, action: &str, row: &Version, detail: Value) -> Result<(), Refusal> {
        let entry = Entry {
            entry_id: self.entry_id,
            actor: self.actor.to_string(),
            action: action.to_owned(),
            subject: self.name.to_owned(),
            merchant_id: None,
            detail: of_version(row, detail),
            created_at: self.now,
        };
        store::audit_log::write(self.conn, &entry).await?;
        Ok(())
    }

    async fn notify(&mut self, kind: &str, row: &Version, detail: Value) -> Result<(), Refusal> {
        let notice = Notice {
            // Of no merchant: it is about the whole installation.
            merchant_id: Uuid::nil(),
            notice_id: self.notice_id,
            kind: kind.to_owned(),
            subject: self.name.to_owned(),
            detail: of_version(row, detail),
            created_at: self.now,
        };
        store::notices::write(self.conn, &notice).await?;
        Ok(())
    }
}

fn of_version(row: &Version, detail: Value) -> Value {
    with(with(detail, "version", row.version.as_str()), "digest", hex(&row.digest))
}

/// The object with one more member.
fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
    object
}
