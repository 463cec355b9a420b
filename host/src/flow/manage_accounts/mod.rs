//! A merchant's gateway accounts: made, changed, deleted; their secrets sealed on the way in and opened for the wire.

mod settings;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use zeroize::Zeroizing;

use sqlx::{Connection as _, PgConnection};

use super::{Answer, Call, Fault, Refusal, answer, create_payment::key_of};
use crate::{
    app::App,
    connector::{
        Role, Version,
        types::{Descriptor, KeyEncoding},
    },
    domain::id::{GatewayAccountId, MerchantId},
    store::{
        self,
        gateway_accounts::{ACCOUNTS_MAX, GatewayAccount, SealedSecret},
    },
    vault::{Binding, Content, Holes, OpenError, Secret},
    view::gateway_account::GatewayAccountView,
};

use settings::Present;
pub use settings::{Checked, Entered};

/// How long the value before the newest still proves webhooks: gateways sign with the old one for a while.
const OLD_SECRET_LIFE: TimeDelta = TimeDelta::hours(24);
/// Versions of one secret that are kept at most: what is rotated faster than this loses the oldest early.
const SECRET_VERSIONS_MAX: usize = 5;
/// The status of an answer that tells of something new.
const CREATED: i16 = 201;

/// What would be kept of a new account's settings, where no account is made of them.
pub fn check_new(descriptor: &Descriptor, entered: Entered, allow_private_networks: bool) -> Result<Checked, Refusal> {
    let nothing = Present { public: &BTreeMap::new(), secrets: Vec::new(), is_made: false };
    settings::merge(descriptor, &nothing, entered, allow_private_networks)
}

/// A new account, checked field by field at the edge. May hold secrets: no Debug.
pub struct NewAccount {
    pub connector: String,
    pub name: String,
    pub settings: Entered,
    pub priority: i32,
    pub weight: i32,
    pub enabled: bool,
    pub methods: Option<Vec<String>>,
    pub auto_refund_surplus: bool,
}

/// What to change of an account; none leaves it as it is.
#[derive(Default)]
pub struct Change {
    pub name: Option<String>,
    /// Merged into what is there.
    pub settings: Entered,
    pub priority: Option<i32>,
    pub weight: Option<i32>,
    pub enabled: Option<bool>,
    /// `Some(None)`: all that the connector declares.
    pub methods: Option<Option<Vec<String>>>,
    pub auto_refund_surplus: Option<bool>,
}

/// Makes an account. The answer, which holds nothing secret, is written down with the key in the same transaction.
pub async fn create_account(app: &Arc<App>, call: &Call, new: NewAccount) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, call).await? {
        return Ok(answer);
    }
    let version = active_version(app, &new.connector)?;
    let now = app.clock.now();
    let account = new_account(app, call.merchant, version.descriptor(), new, now)?;
    let body = GatewayAccountView::new(&account).to_bytes();

    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin().await.map_err(store::Error::from)?;
    if !store::answers::claim(&mut tx, call.merchant, &key_of(app, call), CREATED, &body, now).await? {
        tx.rollback().await.map_err(store::Error::from)?;
        return answer::of_taken_key(app, call).await;
    }
    if !store::gateway_accounts::insert(&mut tx, &account).await? {
        tx.rollback().await.map_err(store::Error::from)?;
        let detail = format!("a merchant has at most {ACCOUNTS_MAX} gateway accounts; delete one that is not used");
        return Err(Refusal::Invalid(vec![Fault::new("", detail)]));
    }
    tx.commit().await.map_err(store::Error::from)?;
    app.accounts.forget(call.merchant).await;
    app.webhooks.forget(account.id()).await;
    Ok(Answer { status: CREATED.unsigned_abs(), body: body.into(), replayed: false })
}

/// The account, unless it was deleted.
pub async fn get_account(app: &App, merchant: MerchantId, id: GatewayAccountId) -> Result<GatewayAccount, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let found = store::gateway_accounts::get(&mut conn, merchant, id).await?;
    found.filter(|account| account.deleted_at.is_none()).ok_or(Refusal::NotFound)
}

/// Changes an account; of several changes at once, one after the other.
pub async fn change_account(
    app: &App,
    merchant: MerchantId,
    id: GatewayAccountId,
    change: &Change,
) -> Result<GatewayAccount, Refusal> {
    write(app, merchant, id, |account, now| apply(app, account, change, now)).await
}

/// Deletes an account: it takes no new payment. Its row stays, because operations may still refer to it.
pub async fn delete_account(app: &App, merchant: MerchantId, id: GatewayAccountId) -> Result<(), Refusal> {
    let deleted = write(app, merchant, id, |account, now| {
        account.enabled = false;
        account.deleted_at = Some(now);
        Ok(())
    });
    deleted.await.map(drop)
}

/// The account's secrets for the wire: every one that still counts, the present one first, with the encodings that the
/// very version declares whose holes they fill. Changes nothing and asks nobody.
pub fn holes_secrets(app: &App, account: &GatewayAccount, version: &Version) -> Result<Holes, Refusal> {
    let now = app.clock.now();
    let mut holes = Holes::new();
    for (name, versions) in &account.secrets {
        let live = versions.iter().filter(|version| version.valid_until.is_none_or(|until| until > now));
        let opened: Result<Vec<Secret>, OpenError> = live.map(|version| open(app, account, name, version)).collect();
        let opened = opened.map_err(|error| {
            Refusal::Internal(anyhow::Error::new(error).context(format!(
                "the secret {name} of {} does not open; is INTERLOCK_MASTER_KEY the one it was sealed under?",
                account.id()
            )))
        })?;
        let declared = version.descriptor().settings.iter().find(|setting| setting.name == *name);
        let encoding = declared.map_or(KeyEncoding::Utf8, |setting| setting.key_encoding);
        holes = holes.with_secret(name, encoding, opened);
    }
    Ok(holes)
}

/// Reads the account under its lock, has `decide` change it, and writes it by compare-and-set.
async fn write(
    app: &App,
    merchant: MerchantId,
    id: GatewayAccountId,
    decide: impl FnOnce(&mut GatewayAccount, DateTime<Utc>) -> Result<(), Refusal>,
) -> Result<GatewayAccount, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin().await.map_err(store::Error::from)?;
    let changed = change(&mut tx, app.clock.now(), merchant, id, decide).await;
    match changed {
        Ok(account) => {
            tx.commit().await.map_err(store::Error::from)?;
            app.accounts.forget(merchant).await;
            app.webhooks.forget(id).await;
            Ok(account)
        }
        // One that is only dropped keeps the row locked until its connection is used again.
        Err(refusal) => {
            tx.rollback().await.map_err(store::Error::from)?;
            Err(refusal)
        }
    }
}

async fn change(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    merchant: MerchantId,
    id: GatewayAccountId,
    decide: impl FnOnce(&mut GatewayAccount, DateTime<Utc>) -> Result<(), Refusal>,
) -> Result<GatewayAccount, Refusal> {
    let found = store::gateway_accounts::get_for_update(&mut *tx, merchant, id).await?;
    let mut account = found.filter(|account| account.deleted_at.is_none()).ok_or(Refusal::NotFound)?;
    let expected_version = account.version;
    let before = (account.settings.clone(), account.secrets.clone());
    decide(&mut account, now)?;
    if (&before.0, &before.1) != (&account.settings, &account.secrets) || account.deleted_at.is_some() {
        // They were opened with what is another by now. Other hosts see it by the account's version.
        store::sessions::drop_of_account(&mut *tx, merchant, id).await?;
    }
    account.version += 1;
    account.updated_at = now;
    if !store::gateway_accounts::update(tx, &account, expected_version).await? {
        return Err(Refusal::Internal(anyhow::anyhow!("{id} changed although its row was locked")));
    }
    Ok(account)
}

fn new_account(
    app: &App,
    merchant: MerchantId,
    descriptor: &Descriptor,
    new: NewAccount,
    now: DateTime<Utc>,
) -> Result<GatewayAccount, Refusal> {
    let mut account = GatewayAccount {
        merchant_id: merchant.uuid(),
        gateway_account_id: app.ids.v7(),
        connector: new.connector,
        name: new.name,
        settings: BTreeMap::new(),
        secrets: BTreeMap::new(),
        priority: new.priority,
        weight: new.weight,
        enabled: new.enabled,
        methods: None,
        auto_refund_surplus: new.auto_refund_surplus,
        version: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    let present = Present { public: &account.settings, secrets: Vec::new(), is_made: false };
    let checked = settings::merge(descriptor, &present, new.settings, app.config.allow_private_networks);
    let methods = match &new.methods {
        Some(methods) => settings::check_methods(descriptor, methods),
        None => Ok(()),
    };
    // Both kinds of faults in one answer.
    let checked = match (checked, methods) {
        (Ok(checked), Ok(())) => checked,
        (Err(Refusal::Invalid(mut faults)), Err(more)) => {
            faults.extend(more);
            return Err(Refusal::Invalid(faults));
        }
        (Err(refusal), _) => return Err(refusal),
        (Ok(_), Err(faults)) => return Err(Refusal::Invalid(faults)),
    };
    account.methods = new.methods;
    keep(app, &mut account, checked, now)?;
    Ok(account)
}

fn apply(app: &App, account: &mut GatewayAccount, change: &Change, now: DateTime<Utc>) -> Result<(), Refusal> {
    let narrowed = change.methods.as_ref().and_then(Option::as_ref);
    // What needs no descriptor can be changed without its connector: disabling an account must always be possible.
    if !change.settings.is_empty() || narrowed.is_some() {
        let version = active_version(app, &account.connector)?;
        if let Some(methods) = narrowed {
            settings::check_methods(version.descriptor(), methods).map_err(Refusal::Invalid)?;
        }
        if !change.settings.is_empty() {
            let secrets = account.secrets.keys().map(String::as_str).collect();
            let present = Present { public: &account.settings, secrets, is_made: true };
            let entered = change.settings.clone();
            let checked = settings::merge(version.descriptor(), &present, entered, app.config.allow_private_networks)?;
            keep(app, account, checked, now)?;
        }
    }
    if let Some(name) = &change.name {
        account.name.clone_from(name);
    }
    if let Some(methods) = &change.methods {
        account.methods.clone_from(methods);
    }
    account.priority = change.priority.unwrap_or(account.priority);
    account.weight = change.weight.unwrap_or(account.weight);
    account.enabled = change.enabled.unwrap_or(account.enabled);
    account.auto_refund_surplus = change.auto_refund_surplus.unwrap_or(account.auto_refund_surplus);
    Ok(())
}

/// Writes checked settings into the account, new secrets sealed and in front of the old ones.
fn keep(app: &App, account: &mut GatewayAccount, checked: Checked, now: DateTime<Utc>) -> Result<(), Refusal> {
    account.settings = checked.public;
    for name in checked.removed_secrets {
        account.secrets.remove(&name);
    }
    for (name, value) in checked.new_secrets {
        if is_present(app, account, &name, &value)? {
            continue;
        }
        let record = record(account, &name);
        let binding = Binding { content: Content::GatewaySecret, merchant: account.merchant(), record: &record };
        let sealed = SealedSecret { sealed: app.vault.seal(&binding, value.as_bytes()), since: now, valid_until: None };
        rotate(account.secrets.entry(name).or_default(), sealed, now, OLD_SECRET_LIFE);
    }
    Ok(())
}

/// Puts `newest` in front. What was newest before stays for `old_lives_for`; what is over goes.
pub(super) fn rotate(
    versions: &mut Vec<SealedSecret>,
    newest: SealedSecret,
    now: DateTime<Utc>,
    old_lives_for: TimeDelta,
) {
    if let Some(previous) = versions.first_mut() {
        previous.valid_until = Some(now + old_lives_for);
    }
    versions.retain(|version| version.valid_until.is_none_or(|until| until > now));
    versions.insert(0, newest);
    versions.truncate(SECRET_VERSIONS_MAX);
}

/// Whether the newest version of the secret is this very value: then a repeated PATCH rotates nothing.
fn is_present(app: &App, account: &GatewayAccount, name: &str, value: &Zeroizing<String>) -> Result<bool, Refusal> {
    let Some(newest) = account.secrets.get(name).and_then(|versions| versions.first()) else { return Ok(false) };
    match open(app, account, name, newest) {
        Ok(secret) => Ok(secret.expose_str().is_some_and(|kept| crate::vault::secrets_are_equal(kept, value))),
        // One that does not open any more is to be replaced: that is why somebody enters it.
        Err(OpenError::KeyIsUnknown { .. }) => Ok(false),
        Err(error) => Err(Refusal::Internal(anyhow::Error::new(error))),
    }
}

fn open(app: &App, account: &GatewayAccount, name: &str, version: &SealedSecret) -> Result<Secret, OpenError> {
    let record = record(account, name);
    let binding = Binding { content: Content::GatewaySecret, merchant: account.merchant(), record: &record };
    app.vault.open(&binding, &version.sealed)
}

/// What a sealed secret is bound to, besides the merchant.
fn record(account: &GatewayAccount, name: &str) -> String {
    format!("{}/{name}", account.id())
}

/// The version that new operations use: its descriptor judges what is entered.
fn active_version(app: &App, connector: &str) -> Result<Arc<Version>, Refusal> {
    app.registry.active(connector).ok_or_else(|| {
        let listed = app.registry.list();
        let names: Vec<_> =
            listed.iter().filter(|listed| listed.role == Role::Active).map(|listed| listed.version.name()).collect();
        let detail = match names.as_slice() {
            [] => "no connector is installed and active".to_owned(),
            names => format!("is not an installed and active connector; there are: {}", names.join(", ")),
        };
        Refusal::Invalid(vec![Fault::new("/connector", detail)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(mark: u8) -> SealedSecret {
        SealedSecret { sealed: vec![mark], since: DateTime::UNIX_EPOCH, valid_until: None }
    }

    /// The old value proves webhooks for a day; after that it is gone.
    #[test]
    fn a_rotated_secret_stays_for_a_day() {
        let start = DateTime::UNIX_EPOCH;
        let mut versions = Vec::new();
        rotate(&mut versions, sealed(1), start, OLD_SECRET_LIFE);
        assert_eq!(versions.first().unwrap().valid_until, None);
        rotate(&mut versions, sealed(2), start, OLD_SECRET_LIFE);
        let marks = |versions: &[SealedSecret]| versions.iter().map(|version| version.sealed[0]).collect::<Vec<_>>();
        assert_eq!(marks(&versions), [2, 1]);
        assert_eq!(versions[1].valid_until, Some(start + TimeDelta::hours(24)));
        rotate(&mut versions, sealed(3), start + TimeDelta::hours(24), OLD_SECRET_LIFE);
        assert_eq!(marks(&versions), [3, 2]);
        for mark in 4..20 {
            rotate(&mut versions, sealed(mark), start + TimeDelta::hours(25), OLD_SECRET_LIFE);
        }
        assert_eq!(versions.len(), SECRET_VERSIONS_MAX);
    }

    /// Somebody else may know the old one: it ends at once.
    #[test]
    fn a_rotation_may_leave_nothing_of_the_old() {
        let mut versions = vec![sealed(1)];
        rotate(&mut versions, sealed(2), DateTime::UNIX_EPOCH, TimeDelta::zero());
        assert_eq!(versions.iter().map(|version| version.sealed[0]).collect::<Vec<_>>(), [2]);
    }
}
