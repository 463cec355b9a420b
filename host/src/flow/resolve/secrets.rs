//! What fills the holes of an operation that is carried on, and whether that is still what it was sent with.

use super::{Case, Stuck};
use crate::{
    app::App,
    connector::types::Request,
    domain::id::GatewayAccountId,
    flow::{Refusal, drive::read, manage_accounts, method},
    store::{self, gateway_accounts::GatewayAccount},
    vault::Holes,
};

/// What fills the holes of an operation, and the account whose secrets are among it.
pub(super) struct Filled {
    pub(super) account: GatewayAccount,
    pub(super) holes: Holes,
}

/// What fills the operation's holes, a session aside; none where the vault has let go of something that it had, a card code above all,
/// or where it does not open (which a person must see in the end: the schedule runs on).
pub(super) async fn holes(app: &App, case: &Case) -> Result<Option<Filled>, Stuck> {
    let Filled { account, holes } = match account_secrets(app, case).await {
        Ok(filled) => filled,
        Err(Stuck::Refused(refusal @ Refusal::Unavailable { .. })) => return Err(refusal.into()),
        Err(Stuck::Refused(refusal)) => {
            tracing::error!(%refusal, "the gateway account's secrets do not open");
            return Ok(None);
        }
        Err(Stuck::Lacking(what)) => {
            tracing::error!(what, "the operation's gateway account is gone");
            return Ok(None);
        }
    };
    let filling = match method::filling_of(app, case.subject.payment.merchant(), case.subject.underway.token_id).await {
        Ok(filling) => filling,
        Err(refusal @ Refusal::Unavailable { .. }) => return Err(refusal.into()),
        Err(refusal) => {
            tracing::error!(%refusal, "what the customer pays with does not open");
            None
        }
    };
    let complete = filling.filter(|filling| filling.has_code() || !case.has_code);
    Ok(complete.map(|filling| Filled { account, holes: filling.into_holes(holes) }))
}

/// Whether a secret that the last request was sent with was replaced since the operation began. What a session was opened
/// with is not written down: any secret that may stand in a request counts there.
pub(super) async fn secrets_changed(app: &App, case: &Case) -> Result<bool, Stuck> {
    let Some(last) = case.journal.last() else { return Ok(false) };
    let account = GatewayAccountId::from_uuid(case.subject.underway.gateway_account_id);
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let row = store::gateway_accounts::get(&mut conn, case.subject.payment.merchant(), account).await?;
    let began = case.subject.underway.created_at;
    let request = last.request.to_string();
    let wants_session = read::<Request>("exchanges", last.request.clone())?.wants_session();
    let placements = &case.subject.underway.version.descriptor().placements;
    let opens_session =
        |name: &str| wants_session && placements.iter().any(|placement| placement.hole == format!("secret:{name}"));
    // Names of secrets are lower-case letters, digits and underscores: quoted, none is a part of another text by chance
    // that matters, and a false alarm only makes a person look.
    let is_used = |name: &str| request.contains(&format!("\"{name}\"")) || opens_session(name);
    Ok(row.is_some_and(|row| {
        let replaced = |(name, versions): (&String, &Vec<store::gateway_accounts::SealedSecret>)| {
            is_used(name) && versions.first().is_some_and(|newest| newest.since > began)
        };
        row.secrets.iter().any(replaced)
    }))
}

/// The account's secrets as they are now.
pub(super) async fn account_secrets(app: &App, case: &Case) -> Result<Filled, Stuck> {
    let account = GatewayAccountId::from_uuid(case.subject.underway.gateway_account_id);
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    // A deleted account's operations are still finished: its row stays.
    let row = store::gateway_accounts::get(&mut conn, case.subject.payment.merchant(), account).await?;
    let account = row.ok_or_else(|| Stuck::Lacking(format!("gateway account {account}")))?;
    let holes = manage_accounts::holes_secrets(app, &account, &case.subject.underway.version)?;
    Ok(Filled { account, holes })
}
