//! Merchants and the keys with which they sign in: made by operators.

use uuid::Uuid;

use super::Refusal;
use crate::{
    app::App,
    domain::id::{ApiKeyId, MerchantId},
    store::{
        self,
        api_keys::ApiKey,
        audit_log::{Actor, Audit},
        merchants::Merchant,
    },
    vault::NewApiKey,
};

/// Characters at the end of a key that are kept for people to tell keys apart.
const HINT_CHARACTERS: usize = 4;

/// Makes a merchant.
pub async fn create_merchant(app: &App, name: String, actor: &Actor) -> Result<Merchant, Refusal> {
    let merchant = Merchant { merchant_id: app.ids.v7(), name, created_at: app.clock.now() };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    store::merchants::insert(&mut conn, &merchant, &Audit::new(app.ids.v7(), actor)).await?;
    Ok(merchant)
}

/// Makes a key for the merchant. Its text is in the answer and nowhere else: it cannot be shown again.
pub async fn create_api_key(app: &App, merchant: MerchantId, actor: &Actor) -> Result<(ApiKey, NewApiKey), Refusal> {
    let new = NewApiKey::generate(merchant);
    let hint_at = new.text().len().saturating_sub(HINT_CHARACTERS);
    let key = ApiKey {
        key_id: app.ids.v7(),
        // Keys are ASCII.
        hint: new.text().get(hint_at..).unwrap_or_default().to_owned(),
        created_at: app.clock.now(),
        revoked_at: None,
    };
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    if store::api_keys::insert(&mut conn, merchant, &key, &new.hash(), &Audit::new(app.ids.v7(), actor)).await? {
        Ok((key, new))
    } else {
        Err(Refusal::NotFound)
    }
}

/// The merchant's keys, newest first.
pub async fn list_api_keys(
    app: &App,
    merchant: MerchantId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ApiKey>, Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let keys = store::api_keys::list(&mut conn, merchant, before, limit).await?;
    if keys.is_empty() && !store::merchants::exists(&mut conn, merchant).await? {
        return Err(Refusal::NotFound);
    }
    Ok(keys)
}

/// Revokes a key. Other hosts refuse it within a second, when they ask again; this one's cache is the caller's to clear.
pub async fn revoke_api_key(app: &App, merchant: MerchantId, key: ApiKeyId, actor: &Actor) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let revoked =
        store::api_keys::revoke(&mut conn, merchant, key, app.clock.now(), &Audit::new(app.ids.v7(), actor)).await?;
    if revoked { Ok(()) } else { Err(Refusal::NotFound) }
}
