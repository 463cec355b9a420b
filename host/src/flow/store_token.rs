//! `POST /v1/tokens`, `DELETE /v1/tokens/{id}`: cards that come into the vault ahead of a payment, and leave it.

use std::sync::Arc;

use sqlx::Connection as _;

use super::{Answer, Call, Refusal, answer, create_payment::key_of, seal};
use crate::{
    app::App,
    domain::id::{MerchantId, TokenId},
    store,
    vault::CardEntry,
    view::token::TokenView,
};

/// The status of an answer that tells of something new.
const CREATED: i16 = 201;

/// Keeps a card. The answer, which holds nothing secret, is written down with the key in the same transaction.
pub async fn store_token(app: &Arc<App>, call: &Call, entry: CardEntry) -> Result<Answer, Refusal> {
    if let Some(answer) = answer::of_key(app, call).await? {
        return Ok(answer);
    }
    let id = TokenId::from_uuid(app.ids.v7());
    let sealed = seal::card(app, call.merchant, id, &entry).await?;
    drop(entry);
    let now = app.clock.now();
    let body = TokenView::new(id, &sealed.details, sealed.code.is_some(), now).to_bytes();

    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let mut tx = conn.begin().await.map_err(store::Error::from)?;
    if !store::answers::claim(&mut tx, call.merchant, &key_of(app, call), CREATED, &body, now).await? {
        tx.rollback().await.map_err(store::Error::from)?;
        return answer::of_taken_key(app, call).await;
    }
    store::tokens::insert(&mut tx, call.merchant, &sealed, now).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(Answer { status: CREATED.unsigned_abs(), body: body.into(), replayed: false })
}

/// Lets go of what a token holds. A second call finds nothing.
pub async fn delete_token(app: &App, merchant: MerchantId, id: TokenId) -> Result<(), Refusal> {
    let mut conn = app.pool.acquire().await.map_err(store::Error::from)?;
    let deleted = store::tokens::delete(&mut conn, merchant, id, app.clock.now()).await?;
    if deleted { Ok(()) } else { Err(Refusal::NotFound) }
}
