//! The vault's rows: cards and tokens, encrypted. Those that come with a payment are written by [`super::begin`].

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{Error, begin::SealedToken};
use crate::domain::id::{MerchantId, TokenId};

/// A row of `tokens`, with its card code where that is still there.
#[derive(Clone, FromRow)]
pub struct Token {
    pub token_id: Uuid,
    /// `card`, `wallet` or `gateway_token`
    pub kind: String,
    /// None once deleted.
    pub sealed: Option<Vec<u8>>,
    pub details: Value,
    pub created_at: DateTime<Utc>,
    pub code_day: Option<NaiveDate>,
    pub code_sealed: Option<Vec<u8>>,
}

/// The token, if the merchant has it.
pub async fn get(conn: &mut PgConnection, merchant: MerchantId, token: TokenId) -> Result<Option<Token>, Error> {
    let row = sqlx::query_as(
        "-- store::tokens::get
         select t.token_id, t.kind, t.sealed, t.details, t.created_at, c.day as code_day, c.sealed as code_sealed
           from tokens as t
           left join token_codes as c
             on c.merchant_id = t.merchant_id and c.token_id = t.token_id and c.expires_at > clock_timestamp()
          where t.merchant_id = $1 and t.token_id = $2",
    )
    .bind(merchant.uuid())
    .bind(token.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Keeps a card that `POST /v1/tokens` brought; its code stays for an hour at most. Inserts one row, and one more for
/// the code.
pub async fn insert(
    conn: &mut PgConnection,
    merchant: MerchantId,
    token: &SealedToken,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let code = token.code.as_ref();
    sqlx::query(
        "-- store::tokens::insert
         with code as (
            insert into token_codes (merchant_id, token_id, day, sealed, expires_at)
            select $1, $2, $7, $8, clock_timestamp() + interval '1 hour' where $7::date is not null)
         insert into tokens (merchant_id, token_id, kind, sealed, fingerprint, details, created_at)
         values ($1, $2, $3, $4, $5, $6, $9)",
    )
    .bind(merchant.uuid())
    .bind(token.token_id)
    .bind(token.kind)
    .bind(&token.sealed)
    .bind(&token.fingerprint)
    .bind(&token.details)
    .bind(code.map(|(day, _)| *day))
    .bind(code.map(|(_, sealed)| sealed.as_slice()))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets go of what a token holds: its row stays for the audit, without anything that could pay. Returns whether there
/// was one to let go of.
pub async fn delete(
    conn: &mut PgConnection,
    merchant: MerchantId,
    token: TokenId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::tokens::delete
         with code as (delete from token_codes where merchant_id = $1 and token_id = $2)
         update tokens set sealed = null, fingerprint = null, deleted_at = $3
          where merchant_id = $1 and token_id = $2 and deleted_at is null",
    )
    .bind(merchant.uuid())
    .bind(token.uuid())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
