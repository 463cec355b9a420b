//! Seals what a customer pays with: rows for the vault's tables, written by whoever commits.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::Refusal;
use crate::{
    app::App,
    domain::id::{MerchantId, TokenId},
    store::{self, begin::SealedToken},
    vault::{Binding, CardEntry, Content, Purpose, Secret},
};

/// The rows for a card under `id`: number, expiry and holder under a key of their own, the code under the key of the
/// day. A round trip or two on the first card of a day, none after.
pub async fn card(app: &App, merchant: MerchantId, id: TokenId, entry: &CardEntry) -> Result<SealedToken, Refusal> {
    let record = id.to_string();
    let binding = |content| Binding { content, merchant, record: &record };
    let code = match &entry.code {
        None => None,
        Some(code) => {
            let day = today_key(app).await?;
            let sealed = app
                .vault
                .seal_code(day, &binding(Content::CardCode), code.expose())
                .map_err(|error| Refusal::Internal(anyhow::Error::new(error)))?;
            Some((day, sealed))
        }
    };
    let number = entry.card.number();
    Ok(SealedToken {
        token_id: id.uuid(),
        kind: "card",
        sealed: app.vault.seal(&binding(Content::Card), &entry.card.to_bytes()),
        fingerprint: Some(app.vault.fingerprint(Purpose::CardNumber, merchant, number.as_bytes()).to_vec()),
        details: card_details(entry),
        code,
    })
}

/// What may be shown of a card.
fn card_details(entry: &CardEntry) -> Value {
    let card = &entry.card;
    json!({
        "brand": card.brand().to_string(),
        "bin": card.bin(),
        "last4": card.last4(),
        "expiry_month": card.expiry_month(),
        "expiry_year": card.expiry_year(),
    })
}

/// The row for a wallet's or a gateway's token.
pub fn opaque(
    app: &App,
    merchant: MerchantId,
    id: TokenId,
    content: Content,
    token: &Secret,
    details: Value,
) -> SealedToken {
    let record = id.to_string();
    SealedToken {
        token_id: id.uuid(),
        kind: if content == Content::WalletToken { "wallet" } else { "gateway_token" },
        sealed: app.vault.seal(&Binding { content, merchant, record: &record }, token.expose()),
        fingerprint: None,
        details,
        code: None,
    }
}

/// Today, with its key in the vault. All hosts use the key that the first of them wrote down.
async fn today_key(app: &App) -> Result<NaiveDate, Refusal> {
    let today = app.clock.now().date_naive();
    if !app.vault.has_day_key(today) {
        let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
        let mine = app.vault.new_day_key(today);
        let stands = store::day_keys::put_if_absent(&mut conn, today, &mine.0).await?;
        learn(app, today, &stands)?;
    }
    Ok(today)
}

/// Makes the key of `day` known to the vault; false where it is destroyed. At most one round trip.
pub async fn know_day_key(app: &App, day: NaiveDate) -> Result<bool, Refusal> {
    if app.vault.has_day_key(day) {
        return Ok(true);
    }
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    match store::day_keys::get(&mut conn, day).await? {
        None => Ok(false),
        Some(wrapped) => learn(app, day, &wrapped).map(|()| true),
    }
}

fn learn(app: &App, day: NaiveDate, wrapped: &[u8]) -> Result<(), Refusal> {
    app.vault.learn_day_key(day, wrapped).map_err(|error| {
        Refusal::Internal(
            anyhow::Error::new(error).context(format!(
                "the key of {day} does not open; is INTERLOCK_MASTER_KEY the one it was wrapped under?"
            )),
        )
    })
}
