//! Sessions at gateways, sealed: shared by all hosts, replaced by compare-and-set.

use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;
use crate::domain::id::{GatewayAccountId, MerchantId};

/// Whose session it is.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    pub merchant: MerchantId,
    pub account: GatewayAccountId,
    /// The version of the connector that opened it.
    pub digest: &'a [u8],
}

/// A session as it is kept.
#[derive(FromRow)]
pub struct Kept {
    pub session_id: Uuid,
    pub sealed: Vec<u8>,
    /// Milliseconds for which it may still be used, by the database's clock: below zero where that is over.
    pub left_ms: i64,
}

/// A session that was just opened.
pub struct Opened<'a> {
    pub session_id: Uuid,
    pub sealed: &'a [u8],
    /// From now on, by the database's clock.
    pub usable_ms: i64,
    /// The account's version whose secrets opened it.
    pub account_version: i32,
    /// The one that it takes the place of; none where there was none.
    pub instead_of: Option<Uuid>,
}

/// The session of this account and version, over or not.
pub async fn get(conn: &mut PgConnection, owner: Owner<'_>) -> Result<Option<Kept>, Error> {
    let row = sqlx::query_as(
        "-- store::sessions::get
         select session_id, sealed, (extract(epoch from usable_until - clock_timestamp()) * 1000)::bigint as left_ms
           from gateway_sessions
          where merchant_id = $1 and gateway_account_id = $2 and digest = $3",
    )
    .bind(owner.merchant.uuid())
    .bind(owner.account.uuid())
    .bind(owner.digest)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Keeps a session, where the one that it takes the place of is still there (or still none is), and nobody has changed the
/// account in the meantime: returns whether it did. The account's row is locked against changes, which drop its sessions: one
/// that was opened with secrets of before is not kept after.
pub async fn keep(conn: &mut PgConnection, owner: Owner<'_>, opened: &Opened<'_>) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::sessions::keep
        with account as (
            select merchant_id from gateway_accounts
             where merchant_id = $1 and gateway_account_id = $2 and version = $4
               for share)
        insert into gateway_sessions as kept (merchant_id, gateway_account_id, digest, session_id, sealed, usable_until)
        select $1, $2, $3, $5, $6, clock_timestamp() + $7 * interval '1 millisecond' from account
        on conflict (merchant_id, gateway_account_id, digest) do update
           set session_id = excluded.session_id, sealed = excluded.sealed, usable_until = excluded.usable_until
         where kept.session_id = $8",
    )
    .bind(owner.merchant.uuid())
    .bind(owner.account.uuid())
    .bind(owner.digest)
    .bind(opened.account_version)
    .bind(opened.session_id)
    .bind(opened.sealed)
    .bind(opened.usable_ms)
    .bind(opened.instead_of)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Drops this very session, so that no host uses it any more: returns whether it was still there.
pub async fn drop_one(conn: &mut PgConnection, owner: Owner<'_>, session_id: Uuid) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::sessions::drop_one
         delete from gateway_sessions
          where merchant_id = $1 and gateway_account_id = $2 and digest = $3 and session_id = $4",
    )
    .bind(owner.merchant.uuid())
    .bind(owner.account.uuid())
    .bind(owner.digest)
    .bind(session_id)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Drops all sessions of an account: what opened them is another by now.
pub async fn drop_of_account(
    conn: &mut PgConnection,
    merchant: MerchantId,
    account: GatewayAccountId,
) -> Result<(), Error> {
    sqlx::query(
        "-- store::sessions::drop_of_account
         delete from gateway_sessions where merchant_id = $1 and gateway_account_id = $2",
    )
    .bind(merchant.uuid())
    .bind(account.uuid())
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes sessions whose time has been over for an hour, up to `limit`: returns how many. Until then whoever is replacing
/// one finds it.
pub async fn delete_old(conn: &mut PgConnection, limit: i64) -> Result<u64, Error> {
    let done = sqlx::query(
        "-- store::sessions::delete_old
        with old as (
            select merchant_id, gateway_account_id, digest from gateway_sessions
             where usable_until < statement_timestamp() - interval '1 hour'
             order by usable_until
             limit $1
               for update skip locked)
        delete from gateway_sessions as s
         using old
         where s.merchant_id = old.merchant_id and s.gateway_account_id = old.gateway_account_id and s.digest = old.digest",
    )
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
