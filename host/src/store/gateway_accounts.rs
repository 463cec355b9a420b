//! Gateway accounts: a merchant's accounts at gateways. Secrets in these rows are sealed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::Error;
use crate::{
    connector::types::Pairs,
    domain::id::{GatewayAccountId, MerchantId},
};

/// The merchant's accounts at most, deleted ones aside: all of them are read for every payment.
pub const ACCOUNTS_MAX: i64 = 100;

/// A row of `gateway_accounts`.
#[derive(Clone)]
pub struct GatewayAccount {
    pub merchant_id: Uuid,
    pub gateway_account_id: Uuid,
    /// Name of its connector.
    pub connector: String,
    pub name: String,
    /// Public settings by name, with the defaults that the descriptor had when the account was made.
    pub settings: BTreeMap<String, String>,
    /// Secret settings by name, newest version first.
    pub secrets: BTreeMap<String, Vec<SealedSecret>>,
    /// 0 to 1000, lower is tried first.
    pub priority: i32,
    pub weight: i32,
    pub enabled: bool,
    /// Narrows what the connector declares; none: all of it.
    pub methods: Option<Vec<String>>,
    pub auto_refund_surplus: bool,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

/// One version of a secret, as the vault sealed it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    #[serde(with = "base64_text")]
    pub sealed: Vec<u8>,
    /// When it was entered.
    pub since: DateTime<Utc>,
    /// Until when it proves signatures although a newer one is there; none for the newest.
    pub valid_until: Option<DateTime<Utc>>,
}

impl GatewayAccount {
    /// Its public id.
    #[must_use]
    pub fn id(&self) -> GatewayAccountId {
        GatewayAccountId::from_uuid(self.gateway_account_id)
    }

    /// Whose it is.
    #[must_use]
    pub fn merchant(&self) -> MerchantId {
        MerchantId::from_uuid(self.merchant_id)
    }

    /// Its public settings as a connector gets them, ordered by name.
    #[must_use]
    pub fn settings_pairs(&self) -> Pairs {
        self.settings.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

impl FromRow<'_, PgRow> for GatewayAccount {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(settings) = row.try_get("settings")?;
        let Json(secrets) = row.try_get("secrets")?;
        Ok(Self {
            merchant_id: row.try_get("merchant_id")?,
            gateway_account_id: row.try_get("gateway_account_id")?,
            connector: row.try_get("connector")?,
            name: row.try_get("name")?,
            settings,
            secrets,
            priority: row.try_get("priority")?,
            weight: row.try_get("weight")?,
            enabled: row.try_get("enabled")?,
            methods: row.try_get("methods")?,
            auto_refund_surplus: row.try_get("auto_refund_surplus")?,
            version: row.try_get("version")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            deleted_at: row.try_get("deleted_at")?,
        })
    }
}

/// The columns of a [`GatewayAccount`]. Not `*`: a prepared statement fails once a migration adds a column to that.
macro_rules! columns {
    () => {
        "merchant_id, gateway_account_id, connector, name, settings, secrets, priority, weight, enabled, methods,
                auto_refund_surplus, version, created_at, updated_at, deleted_at"
    };
}
pub(super) use columns;

/// Inserts one account, unless the merchant has [`ACCOUNTS_MAX`] of them: returns whether it did. Two that are made at
/// once may both pass at the limit, which is a bound and not a promise.
pub async fn insert(conn: &mut PgConnection, account: &GatewayAccount) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::gateway_accounts::insert
         insert into gateway_accounts (merchant_id, gateway_account_id, connector, name, settings, secrets, priority, weight,
                                       enabled, methods, auto_refund_surplus, version, created_at, updated_at)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
          where (select count(*) from gateway_accounts where merchant_id = $1 and deleted_at is null) < $15",
    )
    .bind(account.merchant_id)
    .bind(account.gateway_account_id)
    .bind(&account.connector)
    .bind(&account.name)
    .bind(Json(&account.settings))
    .bind(Json(&account.secrets))
    .bind(account.priority)
    .bind(account.weight)
    .bind(account.enabled)
    .bind(&account.methods)
    .bind(account.auto_refund_surplus)
    .bind(account.version)
    .bind(account.created_at)
    .bind(account.updated_at)
    .bind(ACCOUNTS_MAX)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes an account as it now is, where nobody has written it since `expected_version`: returns whether it did.
/// Connector, identity and time of creation never change.
pub async fn update(conn: &mut PgConnection, account: &GatewayAccount, expected_version: i32) -> Result<bool, Error> {
    let done = sqlx::query(
        "-- store::gateway_accounts::update
         update gateway_accounts
            set name = $4, settings = $5, secrets = $6, priority = $7, weight = $8, enabled = $9, methods = $10,
                auto_refund_surplus = $11, version = $12, updated_at = $13, deleted_at = $14
          where merchant_id = $1 and gateway_account_id = $2 and version = $3 and deleted_at is null",
    )
    .bind(account.merchant_id)
    .bind(account.gateway_account_id)
    .bind(expected_version)
    .bind(&account.name)
    .bind(Json(&account.settings))
    .bind(Json(&account.secrets))
    .bind(account.priority)
    .bind(account.weight)
    .bind(account.enabled)
    .bind(&account.methods)
    .bind(account.auto_refund_surplus)
    .bind(account.version)
    .bind(account.updated_at)
    .bind(account.deleted_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The account, if the merchant has it; deleted ones too, because operations may still refer to them.
pub async fn get(
    conn: &mut PgConnection,
    merchant: MerchantId,
    account: GatewayAccountId,
) -> Result<Option<GatewayAccount>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::gateway_accounts::get
         select ",
        columns!(),
        "
           from gateway_accounts
          where merchant_id = $1 and gateway_account_id = $2",
    ))
    .bind(merchant.uuid())
    .bind(account.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// As [`get`], and nobody else changes it until the transaction ends.
pub async fn get_for_update(
    conn: &mut PgConnection,
    merchant: MerchantId,
    account: GatewayAccountId,
) -> Result<Option<GatewayAccount>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::gateway_accounts::get_for_update
         select ",
        columns!(),
        "
           from gateway_accounts
          where merchant_id = $1 and gateway_account_id = $2 for update",
    ))
    .bind(merchant.uuid())
    .bind(account.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// The account of whichever merchant: a gateway's webhook names it alone. Deleted ones too.
pub async fn by_id_any_merchant(
    conn: &mut PgConnection,
    account: GatewayAccountId,
) -> Result<Option<GatewayAccount>, Error> {
    let row = sqlx::query_as(concat!(
        "-- store::gateway_accounts::by_id_any_merchant
         select ",
        columns!(),
        "
           from gateway_accounts
          where gateway_account_id = $1",
    ))
    .bind(account.uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Which of these accounts the merchant has; deleted ones are not among them.
pub async fn present(conn: &mut PgConnection, merchant: MerchantId, accounts: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    let rows = sqlx::query_scalar(
        "-- store::gateway_accounts::present
         select gateway_account_id
           from gateway_accounts
          where merchant_id = $1 and gateway_account_id = any ($2) and deleted_at is null",
    )
    .bind(merchant.uuid())
    .bind(accounts)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The merchant's accounts, newest first, made before `before`; without deleted ones.
pub async fn list(
    conn: &mut PgConnection,
    merchant: MerchantId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<GatewayAccount>, Error> {
    let rows = sqlx::query_as(concat!(
        "-- store::gateway_accounts::list
         select ",
        columns!(),
        "
           from gateway_accounts
          where merchant_id = $1 and deleted_at is null
            and gateway_account_id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          order by gateway_account_id desc
          limit $3",
    ))
    .bind(merchant.uuid())
    .bind(before)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Sealed bytes as base64 inside of JSON.
mod base64_text {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
